"""A study's result as a reader sees it: tables, claims, figures with their words, one line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.files import read_jsonl
from .claims import FEWEST_SEEDS, Finding, tally, verdicts
from .measurements import samples_file
from .papers import groups, paper_claims
from .registry import NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .results import Result
    from .study import Study, Table

FEW_SEEDS = "Fewer than three seeds: the numbers show that it runs, and decide nothing."


@dataclass(frozen=True)
class Shown:
    """A table with its title and the lines under it; its index is its first column."""

    frame: pd.DataFrame
    title: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A figure: its caption, the drawing (SVG), its width in pixels, and its words."""

    caption: str
    svg: bytes
    width: int
    alt: str


@dataclass(frozen=True)
class Headline:
    """One line about a method: the first claim of its paper that a run can answer.

    Attributes:
        paper: the paper's claim. seen: what the run measured. lesson: its number.
    """

    method: str
    paper: str
    seen: str
    lesson: str


@dataclass(frozen=True)
class View:
    """All that a report shows of one run.

    Attributes:
        name: of the method. title: in print. about: scale, model, seeds, day, in one sentence.
        claims: a row per claim and place, see `claims.verdicts`. tally: its count in words.
        samples: some rows that the method wrote.
        headline: None where the run answers no claim of the paper.
        notes: what a reader of the numbers has to know.
    """

    name: str
    title: str
    about: str
    tables: tuple[Shown, ...]
    claims: pd.DataFrame
    tally: str
    samples: tuple[str, ...]
    pictures: tuple[Picture, ...]
    headline: Headline | None
    notes: str


def view(study: Study, result: Result, out: Path, *, keep: bool = True) -> View:
    """The view of a result in the folder `out`, where its figures are written, too, if `keep`."""
    findings = study.findings(result)
    claims = verdicts(findings)
    model = str(result.model.get("name", "")).partition(",")[0]
    seeds = ", ".join(map(str, result.seeds))
    return View(
        study.name,
        study.title,
        f"scale {result.scale}, model: {model}, seeds {seeds}, {result.date}",
        tuple(_tables(study, result)),
        claims,
        f"{tally(claims)}." if study.claims else "",
        tuple(line for arm in study.samples for line in _samples(out, arm, result.seeds[0])),
        tuple(_pictures(study, result, out if keep else None)),
        headline(study.name, findings),
        result.notes,
    )


# --- tables and samples ---------------------------------------------------------------------------


def _tables(study: Study, result: Result) -> Iterator[Shown]:
    caveats = (FEW_SEEDS,) if len(result.seeds) < FEWEST_SEEDS else ()
    for table, place in _placed(study, result):
        frame = table.make(result) if table.overall else table.make(result, place)
        if not frame.empty:
            about = ", ".join(filter(None, (study.title, place, table.title)))
            title = f"{about}: {result.scale} scale, seeds {result.seeds}"
            yield Shown(frame, title, (*table.notes, *caveats))


def _placed(study: Study, result: Result) -> Iterator[tuple[Table, str]]:
    for place in study.places(result):
        yield from ((table, place) for table in study.tables if not table.overall)
    yield from ((table, "") for table in study.tables if table.overall)


def _samples(out: Path, arm: str, seed: int, n: int = 3, width: int = 400) -> Iterator[str]:
    """The first `n` rows that an arm has written, if it has any, each in one line."""
    path = samples_file(out, arm, seed)
    for i, row in enumerate(read_jsonl(path)[:n] if path.is_file() else []):
        told = all(isinstance(value, str) for value in row.values())  # else a row of a table
        text = " | ".join(f"{value}" if told else f"{name} {value}" for name, value in row.items())
        yield f"{arm}, row {i}: {text if len(text) <= width else f'{text[:width]} ...'}"


# --- one line -------------------------------------------------------------------------------------


def headline(method: str, findings: list[Finding]) -> Headline | None:
    """The first claim of a method's paper, in the paper's order, that was run."""
    if method not in NAMES:
        return None
    grouped, _ = groups(method)
    for id, paper in paper_claims(method).items():
        for finding in findings:
            if finding.numbers and finding.claim is not None and finding.claim.paper == id:
                lesson = next((g.lesson for g in grouped if id in g.claims), "")
                return Headline(method, paper.sentence, seen(finding), lesson)
    return None


def seen(finding: Finding) -> str:
    """A finding in words: the claim that was tested, its number, and what that says of it."""
    n, mean = len(finding.numbers), float(np.mean(finding.numbers))
    if n >= FEWEST_SEEDS:
        return f"{finding.text}: {finding.measured} ({finding.verdict})"
    met = mean > finding.least if finding.strict else mean >= finding.least
    seeds = "1 seed decides" if n == 1 else f"{n} seeds decide"
    told = f"{'as claimed' if met else 'not as claimed'}, but {seeds} nothing"
    return f"{finding.text}: {finding.sign * mean:+.3f} ({told})"


# --- figures --------------------------------------------------------------------------------------


def _pictures(study: Study, result: Result, out: Path | None) -> Iterator[Picture]:
    for figure in study.figures:
        for place in study.places(result):
            if place in (figure.at or (place,)):
                name = re.sub(r"[^\w.]+", "-", f"{figure.name}-{place}")  # a place may be a path
                draw = partial(figure.draw, result, place)
                drawn = save_figure(out and out / f"{name}.png", draw, figure.size)
                yield Picture(f"{study.title}, {place}: {figure.name}", *drawn)


def save_figure(
    path: Path | None, draw: Callable[[Axes], None], size: tuple[float, float]
) -> tuple[bytes, int, str]:
    """Draw on new axes of that size in inches, without a display; write it as PNG.

    Args:
        path: of the PNG; None: nothing is written.

    Returns:
        The drawing as SVG, its width in pixels, and its words (see `core.plots.told`).
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..core.plots import style, told

    style()
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    words = told(axes)
    if path is not None:
        figure.savefig(path)
    written = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "synthkit"}):  # else its names differ each time
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    return written.getvalue(), round(96 * size[0]), words
