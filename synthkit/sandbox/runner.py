"""Run generated Python in a separate process, with limits on time, memory and reach.

The program runs in a forked child of a small helper process (`child.py`): an isolated
interpreter without site packages, an empty environment, an empty temporary folder, no stdin, its
own process group, resource limits, and an audit hook (which cannot be taken off) that refuses to
write files, to read outside the standard library, to open sockets and to start processes.

This contains accidents and casual mischief: endless loops, runaway memory, a stray `open(..., "w")`
or `os.system`. It does not contain a determined attacker: an audit hook is no security
boundary, and code that reaches into the interpreter's internals can get around it. Run code that
you distrust in a container or a virtual machine of its own.

Linux and macOS only (on macOS the memory limit is best effort). On Windows there is no `resource`
module, so the limits cannot be set, and every function here raises RuntimeError.
"""

from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "run_python", "run_many", "run_tests"]

_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        status: "ok", "failed" (it raised, or does not compile), "timeout", "memory", "forbidden"
            (it tried something refused, even if it swallowed the error) or "crashed" (a signal, or
            an exit that skipped the rest of the program).
        stdout: what it printed, at most 64 kB; empty if it was killed before it flushed.
        error: the last line of the traceback, such as "ValueError: no such item"; "" if ok.
        seconds: wall time from the fork to the end.
    """

    status: str
    stdout: str
    error: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the program ran to its end without an error."""
        return self.status == "ok"


class _Runner:
    """One helper process; `run` sends it a program and waits for the outcome."""

    def __init__(self, timeout: float, memory_mb: int):
        self._limits = {"timeout": float(timeout), "memory_mb": int(memory_mb)}

    def __enter__(self) -> _Runner:
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        self._start()
        return self

    def __exit__(self, *problem) -> None:
        self._stop()
        self._folder.cleanup()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=self._folder.name,
            start_new_session=True,
        )

    def _stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # the helper is gone already
        self._process.kill()
        self._process.wait()

    def run(self, source: str) -> Outcome:
        """The outcome of one program; the helper is started again if it was lost."""
        request = json.dumps({"source": source, **self._limits}) + "\n"
        try:
            self._process.stdin.write(request.encode())
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self._stop()
            self._start()
            return Outcome("crashed", "", "the helper process ended", 0.0)
        return Outcome(**json.loads(answer))


def run_python(source: str, *, timeout: float = 2.0, memory_mb: int = 256) -> Outcome:
    """Run one program in a process of its own and say how it ended.

    Args:
        source: the whole program.
        timeout: wall-clock seconds before its process group is killed.
        memory_mb: limit on its address space, in MiB (the interpreter itself takes about 20).

    Raises:
        TypeError: `source` is not a string.
        ValueError: a limit is out of range.
        RuntimeError: the platform has no `resource` module (Windows).
    """
    return run_many([source], workers=1, timeout=timeout, memory_mb=memory_mb)[0]


def run_many(
    sources: Iterable[str],
    *,
    workers: int = 2,
    timeout: float = 2.0,
    memory_mb: int = 256,
    progress: bool = False,
) -> list[Outcome]:
    """The outcomes of many programs, in order; each runs in its own forked process.

    Each of the `workers` threads keeps one helper process for the call, so a program costs a fork
    (a few milliseconds), not the start of an interpreter. Arguments and errors as in `run_python`.
    """
    sources = list(sources)
    _validate(sources, workers, timeout, memory_mb)
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for position in range(len(sources)):
        todo.put(position)
    outcomes: dict[int, Outcome] = {}
    bar = _progress_bar(len(sources)) if progress else None

    def work() -> None:
        with _Runner(timeout, memory_mb) as runner:
            while (position := _next(todo)) is not None:
                outcomes[position] = runner.run(sources[position])
                if bar is not None:
                    bar.update(1)

    workers = min(workers, len(sources))
    if workers:
        with ThreadPoolExecutor(workers) as pool:
            try:
                for future in [pool.submit(work) for _ in range(workers)]:
                    future.result()
            finally:
                while _next(todo) is not None:  # after an interrupt: begin no further program
                    pass
    if bar is not None:
        bar.close()
    return [outcomes[position] for position in range(len(sources))]


def run_tests(programs: Iterable[tuple[str, Sequence[str]]], **options) -> list[Outcome]:
    """The outcomes of (code, tests) pairs: the code, then its assert statements, as one program.

    `options` go to `run_many`.
    """
    return run_many(["\n".join([code, *tests, ""]) for code, tests in programs], **options)


def _next(todo: queue.SimpleQueue[int]) -> int | None:
    try:
        return todo.get_nowait()
    except queue.Empty:
        return None


def _progress_bar(total: int):
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="program")


def _validate(sources: list[str], workers: int, timeout: float, memory_mb: int) -> None:
    if importlib.util.find_spec("resource") is None:
        raise RuntimeError(
            f"generated code is run only under resource limits, and {sys.platform} offers none; "
            "use Linux, macOS or the Windows Subsystem for Linux"
        )
    for source in sources:
        if not isinstance(source, str):
            raise TypeError(f"a program must be a str, got {type(source).__name__}")
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
    if memory_mb < 64:
        raise ValueError(f"memory_mb must be at least 64, got {memory_mb}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
