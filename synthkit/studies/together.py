"""Experiments of several methods: side by side where cores allow, shown in order, summed up."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.processes import ENDED, Outcome, cores, side_by_side
from .page import HEAD, save_page, summary_rows
from .registry import LONGEST_FIRST, NAMES, load_study

if TYPE_CHECKING:
    from .reproduction import Request
    from .view import View

REPORT = "report"  # the folder of the page about several methods
_PRELOADED = (*(f"{__package__}.{name}.report" for name in NAMES), "synthkit.lm", "transformers")

_MINUTES = {  # on two idle cores, in the worlds
    "fast": "a few minutes on two idle cores",
    "study": "an hour or two per method",
}


@dataclass(frozen=True)
class Task:
    """One experiment.

    Attributes:
        folder: of its results.
        request: for a run on real data; None: in the method's world.
    """

    method: str
    scale: str
    folder: Path
    seeds: list[int] | None = None
    request: Request | None = None
    progress: bool = False

    def __str__(self) -> str:
        model = f" with {self.request.model_name}" if self.request else ""
        return f"{self.method} at scale {self.scale}{model}"


@dataclass(frozen=True)
class Together:
    """The outcome of some tasks.

    Attributes:
        views: of those that went well, in order. failed: the others, with their errors.
        page: where the page is; None where nothing went well.
    """

    views: list[View] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    page: Path | None = None


def carry_out(task: Task) -> View:
    """Run one task: its tables are printed, results, figures and page are in its folder."""
    if task.request is not None:
        from .reproduction import run_real

        own = {"seeds": task.seeds, "progress": task.progress}
        return run_real(task.request, task.folder, **own)[1]
    from .runner import run_and_show

    own = {"seeds": task.seeds, "out": task.folder, "progress": task.progress}
    return run_and_show(load_study(task.method), task.scale, **own)[1]


def reproduce(
    tasks: Sequence[Task], out: Path, jobs: int | None, say: Callable[[str], None]
) -> Together:
    """Carry out tasks; one that fails does not keep the others from being run and shown.

    Args:
        out: the folder of the page about all of them; a single task has its own page.
        jobs: processes at a time; None: one per core for the embedded model, which is small, and
            one alone, this one, for a real model. With one job nothing is run beside it.
        say: where news go, a line each.
    """
    if jobs is None:
        jobs = 1 if any(task.request for task in tasks) else cores()
    jobs = min(jobs, len(tasks))
    say(opening(tasks, out, jobs))
    found = Together()
    for outcome in _one_by_one(tasks, say) if jobs == 1 else _beside(tasks, jobs, say):
        print(outcome.printed, end="", flush=True)
        print(outcome.warned, end="", file=sys.stderr, flush=True)
        if outcome.error is None:
            found.views.append(outcome.value)
            took = f" ({outcome.cpu:.0f} CPU seconds)" if outcome.cpu else ""
            say(f"{outcome.item.method}: results and figures are in {outcome.item.folder}{took}")
        else:
            found.failed.append(outcome)
    if not found.views:
        return found
    if len(tasks) == 1:
        from .report import PAGE

        return Together(found.views, found.failed, tasks[0].folder / PAGE)
    told = [f"{outcome.item.method} failed: {outcome.error}" for outcome in found.failed]
    page = save_page(out / REPORT / "index.html", found.views, told)
    return Together(found.views, found.failed, page)


def opening(tasks: Sequence[Task], out: Path, jobs: int) -> str:
    """The line that a run opens with: methods, how many at a time, about how long, the folder."""
    scale, names = tasks[0].scale, ", ".join(task.method for task in tasks)
    what = f"{len(tasks)} methods ({names})" if len(tasks) > 1 else names
    beside = (f", {jobs} at a time" if jobs > 1 else ", one at a time") if len(tasks) > 1 else ""
    real = any(task.request for task in tasks)
    took = "--dry-run says about how long" if real else _MINUTES.get(scale, "hours or days")
    return (
        f"{what} at scale {scale}{beside}: {took}. Results go to {out}; after an interruption "
        "the same command continues."
    )


def _one_by_one(tasks: Sequence[Task], say: Callable[[str], None]) -> Iterator[Outcome]:
    """Here, one after the other; what is printed is seen at once."""
    for task in tasks:
        say(str(task))
        try:
            yield Outcome(task, carry_out(task))
        except Exception as error:
            yield Outcome(task, error=error, traceback=traceback.format_exc())


def _beside(tasks: Sequence[Task], jobs: int, say: Callable[[str], None]) -> Iterator[Outcome]:
    """In processes, the longest first."""
    from dataclasses import replace

    def note(event: str, task: Any, seconds: float) -> None:
        say(f"{task}: {event}{f' after {seconds:.0f} s' if event == ENDED else ''}")

    quiet = [replace(task, progress=False) for task in tasks]  # bars of two would be one blur
    order = sorted(range(len(tasks)), key=lambda i: LONGEST_FIRST.index(tasks[i].method))
    return side_by_side(carry_out, quiet, jobs, first=order, preload=_PRELOADED, note=note)


def print_summary(found: Together) -> None:
    """Print one line per method, and where the page is."""
    from rich.console import Console
    from rich.table import Table

    from .report import WIDTH

    rows = summary_rows(view.headline for view in found.views if view.headline)
    table = Table(title="In one line each", expand=True)
    for name, ratio in zip(HEAD, (None, 5, 6, None)):
        table.add_column(name, ratio=ratio, no_wrap=ratio is None)
    for row in rows:
        table.add_row(*row)
    console = Console(width=WIDTH)
    if rows:
        console.print(table)
    if found.page:
        print(f"The page: {found.page}")
