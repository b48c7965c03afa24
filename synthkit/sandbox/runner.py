"""Run generated Python in a separate process, with limits on time, memory and reach.

A program runs in a forked child of a small helper process (`child.py`): an isolated interpreter
without site packages, an empty environment, an empty temporary folder, no stdin, its own process
group, resource limits, another user where the caller is root, and an audit hook (`guard.py`) that
ends it when it imports what is not on a list, writes, reads outside the standard library, opens a
socket or starts a process. Its tests are judged on plain values in another process (`judge.py`).

How much that holds depends on the machine (`confinement`, and `synthkit doctor`):

- "namespace": bubblewrap (`bwrap`) gives the helper namespaces of its own. There is no network, no
  other process to be seen, and no file but the interpreter's own, which cannot be written. What
  gets around the audit hook reaches nothing.
- "guard": the above without namespaces. It contains accidents and plain mischief; an audit hook is
  no security boundary, and code that reaches into the interpreter's internals can get around it.
  Run code that you distrust with `require="namespace"`, which refuses less.

Linux and macOS only (on macOS the memory limit is best effort, and the level is "guard"). On
Windows there is no `resource` module, so the limits cannot be set, and every function that runs a
program raises RuntimeError.
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
from typing import Any

from .confinement import CHILD, Level, confine, require_level

__all__ = ["Outcome", "run_python", "run_many", "run_tests"]


@dataclass(frozen=True)
class Outcome:
    """End of a program's run.

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
        """True where the program ran to its end without an error."""
        return self.status == "ok"


class _Runner:
    """One helper process; `run` sends it a program and waits for the outcome."""

    def __init__(self, timeout: float, memory_mb: int):
        self._limits = [str(float(timeout)), str(int(memory_mb))]

    def __enter__(self) -> _Runner:
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        self._start()
        return self

    def __exit__(self, *problem) -> None:
        self._stop()
        self._folder.cleanup()

    def _start(self) -> None:
        command, options = confine([str(CHILD), *self._limits], self._folder.name)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **options,
        )

    def _stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # the helper is gone already
        self._process.kill()
        self._process.wait()

    def run(self, source: str, tests: Sequence[str] = ()) -> Outcome:
        """The outcome of one program; the helper is started again if it was lost."""
        code, asked = source.encode("utf-8", "surrogatepass"), json.dumps(list(tests)).encode()
        try:
            self._process.stdin.write(b"%12d%12d" % (len(code), len(asked)) + code + asked)
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self._stop()
            self._start()
            return Outcome("crashed", "", "the helper process ended", 0.0)
        return Outcome(**json.loads(answer))


def run_python(
    source: str, *, timeout: float = 2.0, memory_mb: int = 256, require: Level | None = None
) -> Outcome:
    """Run one program in a process of its own and say how it ended.

    Args:
        source: the whole program.
        timeout: wall-clock seconds before its process group is killed.
        memory_mb: limit on its address space, in MiB (the interpreter itself takes about 20).
        require: the least confinement that will do; default: what the machine offers.

    Raises:
        TypeError: `source` is not a string.
        ValueError: a limit is out of range, or there is no such level.
        RuntimeError: the platform has no `resource` module (Windows), or less than `require`.
    """
    return run_many([source], workers=1, timeout=timeout, memory_mb=memory_mb, require=require)[0]


def run_many(sources: Iterable[str], **options: Any) -> list[Outcome]:
    """The outcomes of many programs, in order; each runs in its own forked process.

    Args:
        sources: whole programs.
        options: see `run_tests`.
    """
    return run_tests([(source, ()) for source in sources], **options)


def run_tests(
    programs: Iterable[tuple[str, Sequence[str]]],
    *,
    workers: int = 2,
    timeout: float = 2.0,
    memory_mb: int = 256,
    require: Level | None = None,
    progress: bool = False,
) -> list[Outcome]:
    """The outcomes of (code, tests) pairs, in order: "ok" where the code runs and its tests pass.

    Tests are statements that may use the names of the code. They are judged in another process, on
    plain values: what the code does to builtins, modules or `__eq__` does not make a wrong answer
    right, and an object of its own class is equal to no plain value. A test sees an exception of
    the code's own as the nearest builtin one.

    Each of the `workers` threads keeps one helper process for the call, so a program costs a fork
    (a few milliseconds), not the start of an interpreter. Other arguments and errors as in
    `run_python`.
    """
    from tqdm.auto import tqdm

    programs = [(code, list(tests)) for code, tests in programs]
    _validate(programs, workers, timeout, memory_mb)
    require_level(require)
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for position in range(len(programs)):
        todo.put(position)
    outcomes: dict[int, Outcome] = {}
    bar = tqdm(total=len(programs), unit="program", disable=not progress)

    def work() -> None:
        with _Runner(timeout, memory_mb) as runner:
            while (position := _next(todo)) is not None:
                outcomes[position] = runner.run(*programs[position])
                bar.update(1)

    workers = min(workers, len(programs))
    if workers:
        with ThreadPoolExecutor(workers) as pool:
            try:
                for future in [pool.submit(work) for _ in range(workers)]:
                    future.result()
            finally:
                while _next(todo) is not None:  # after an interrupt: begin no further program
                    pass
    bar.close()
    return [outcomes[position] for position in range(len(programs))]


def _next(todo: queue.SimpleQueue[int]) -> int | None:
    try:
        return todo.get_nowait()
    except queue.Empty:
        return None


def _validate(programs: list, workers: int, timeout: float, memory_mb: int) -> None:
    if importlib.util.find_spec("resource") is None:
        raise RuntimeError(
            f"generated code is run only under resource limits, and {sys.platform} offers none; "
            "use Linux, macOS or the Windows Subsystem for Linux"
        )
    for code, tests in programs:
        for what, text in (("program", code), *(("test", test) for test in tests)):
            if not isinstance(text, str):
                raise TypeError(f"a {what} must be a str, got {type(text).__name__}")
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
    if memory_mb < 64:
        raise ValueError(f"memory_mb must be at least 64, got {memory_mb}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
