"""Work side by side: each piece in a process of its own, with one thread, results in order."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

STARTED, ENDED = "started", "ended"


@dataclass(frozen=True)
class Outcome:
    """The end of one piece of work.

    Attributes:
        item: what was worked on.
        value: the result; None where there was an error.
        printed, warned: what went to the standard output and to the standard error.
        error: None, or the error with its traceback as `traceback`; RuntimeError for a process
            that was killed.
        seconds: on the clock. cpu: of the processor, its children's aside.
    """

    item: Any
    value: Any = None
    printed: str = ""
    warned: str = ""
    error: BaseException | None = None
    traceback: str = ""
    seconds: float = 0.0
    cpu: float = 0.0


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(
    work: Callable[[Any], Any],
    items: Sequence[Any],
    jobs: int,
    *,
    first: Sequence[int] = (),
    preload: Sequence[str] = (),
    note: Callable[[str, Any, float], None] = lambda event, item, seconds: None,
) -> Iterator[Outcome]:
    """The fate of each item, in their order, while up to `jobs` processes work.

    An error, or a process that is killed, ends one item only. Where the caller stops (an interrupt,
    or no wish for more) all processes are ended; they end too if the caller's process dies.

    Args:
        work: a function that another process can import by name; its result is pickled.
        items: pickled, too.
        jobs: processes at a time, at least 1.
        first: numbers of items in the order in which they are begun, such as the longest first;
            those left out follow.
        preload: modules that are imported once for all processes, where the system can do that.
        note: told of each start and end: "started" or "ended", the item, its seconds.
    """
    context: Any = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if preload and hasattr(context, "set_forkserver_preload"):
        context.set_forkserver_preload(list(preload))
    order = {i: place for place, i in enumerate(first)}
    waiting = sorted(range(len(items)), key=lambda i: order.get(i, len(items)))
    running: dict[Connection, tuple[int, Any, float]] = {}
    ended: dict[int, Outcome] = {}
    try:
        for i in range(len(items)):
            while i not in ended:
                while waiting and len(running) < jobs:
                    number = waiting.pop(0)
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(target=_worked, args=(theirs, work, items[number]))
                    note(STARTED, items[number], 0.0)
                    with _one_thread():
                        process.start()
                    theirs.close()
                    running[ours] = number, process, time.monotonic()
                for pipe in wait(list(running)):
                    number, process, start = running.pop(pipe)  # type: ignore[call-overload]
                    seconds = time.monotonic() - start
                    ended[number] = _received(pipe, process, items[number], seconds)
                    note(ENDED, items[number], seconds)
            yield ended.pop(i)
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.join()


def _received(pipe: Any, process: Any, item: Any, seconds: float) -> Outcome:
    try:
        found = pipe.recv()
    except EOFError:
        process.join()
        code = process.exitcode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        why = "; perhaps the memory was full: try --jobs 1" if code == -signal.SIGKILL else ""
        found = {"error": RuntimeError(f"its process {how}{why}")}
    process.join()
    return Outcome(item, seconds=seconds, **found)


def _worked(pipe: Any, work: Callable[[Any], Any], item: Any) -> None:
    """The other process: do one item, and send what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the caller's to handle
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    printed, warned = io.StringIO(), io.StringIO()
    found: dict[str, Any] = {}
    with redirect_stdout(printed), redirect_stderr(warned):
        try:
            found["value"] = work(item)
        except Exception as error:
            found = {"error": _sendable(error), "traceback": traceback.format_exc()}
    found |= {"printed": printed.getvalue(), "warned": warned.getvalue()}
    pipe.send({**found, "cpu": time.process_time()})


def _sendable(error: Exception) -> Exception:
    """The error, or one of a base class with its words, where it cannot be sent."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        known = (OSError, ValueError, RuntimeError)
        kind = next((kind for kind in known if isinstance(error, kind)), None)
        return kind(str(error)) if kind else Exception(f"{type(error).__name__}: {error}")


def _end_with_the_caller() -> None:
    caller = parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have a process that is started use one thread for its numbers."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
