"""The report of `evaluate`: measures of synthetic texts or tables, beside real against real."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import check_file, write_json, write_text
from ..core.intervals import Interval
from ..datasets import is_table, load_table, load_texts
from ..datasets.containers import as_frame
from ..datasets.files import format_of, local_file
from .measure import Measure
from .page import Figure, html_table, page
from .table_measures import measure_tables
from .text_measures import measure_texts

HEAD = ("family", "measure", "reading", "synthetic", "real vs real", "apart")
FAMILIES = ("fidelity", "diversity", "novelty", "utility", "privacy")


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `evaluate`: an aligned table in print, a table of HTML in a notebook.

    Attributes:
        rows: the measures; `report["MAUVE"]` is the one of that name.
        notes: what to know before reading them, such as that a sample is too small.
        kind: what was measured, texts or rows.
        reference: the real data that the baseline is taken from.
        size: entries a side in one split.
    """

    rows: tuple[Measure, ...]
    notes: tuple[str, ...]
    kind: str
    n_real: int
    n_synthetic: int
    size: int
    reference: str
    splits: int

    def __getitem__(self, name: str) -> Measure:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no measure {name!r}; there are {', '.join(row.name for row in self.rows)}")

    @property
    def caption(self) -> str:
        """The numbers of entries that went in, and the way the baseline was made."""
        return (
            f"{self.n_synthetic:,} synthetic against {self.n_real:,} real {self.kind}; fidelity "
            f"and diversity at {self.size:,} {self.kind} a side, {self.splits} times; real vs "
            f"real: {self.reference}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, ready for JSON; None for an end that is not known."""
        rows = []
        for row in self.rows:
            sides = {side: _plain(getattr(row, side)) for side in ("synthetic", "baseline")}
            rows.append(asdict(row) | sides | {"apart": row.apart})
        return asdict(self) | {"rows": rows, "caption": self.caption}

    def save_json(self, path: str | Path) -> Path:
        """Write `to_dict` to a file, whole or not at all.

        Raises:
            OSError: it could not be written; see `synthkit.core.files.write_bytes`.
        """
        return write_json(path, self.to_dict())

    def save_page(self, path: str | Path) -> Path:
        """Write the report as one HTML page that needs no other file and no script.

        Raises:
            OSError: it could not be written; see `synthkit.core.files.write_bytes`.
        """
        return write_text(path, page(self.caption, self.rows, self.notes, HEAD))

    def plot(self) -> Figure:
        """The intervals of all measures as a drawing (SVG), which a notebook shows."""
        return Figure(self.rows)

    def __str__(self) -> str:
        rows = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.caption, lines[0], "-" * len(lines[0]), *lines[1:], *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return html_table(self.caption, self.rows, HEAD) + (f"<ul>{notes}</ul>" if notes else "")


def _plain(interval: Interval) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(interval).items()
    }


def evaluate(
    real: Any,
    synthetic: Any,
    test: Any = None,
    *,
    target: str | None = None,
    text: str | None = None,
    seed: int = 0,
    splits: int = 10,
    limit: int = 5000,
    categories: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Report:
    """Measure synthetic texts, or a synthetic table, beside another sample of real data.

    A list of texts, or a table with a column `text` or `question`, is measured as texts; any other
    table as a table. Every measure comes with what real data score on it in the same way and size:
    the test data, where they are enough, or else one half of the real data against the other.

    Args:
        real: what the generator learned from: a `datasets.Dataset`, a `pandas.DataFrame`, any table
            that `synthkit.datasets.as_frame` reads, or a list of str.
        synthetic: the same.
        test: real data that the generator has not seen; needed for contamination, utility and the
            DCR share.
        target: the column to predict, for the utility: trained on synthetic, tested on `test`.
        text: the column of texts; default as in `texts_of`.
        seed: of the samples.
        splits: samples of equal size, at least 2; of at most 1,000 texts or 2,000 rows each.
        limit: the most texts taken from either side.
        categories: of tables: columns of numbers that are codes of categories.
        without: of tables: columns to leave out of all measures but the utility and the
            identifiers, such as numbers that identify a row.

    Raises:
        TypeError: no texts and no table.
        ValueError: fewer than 20 real or 10 synthetic entries, or a column that is not there.
    """
    rng = np.random.default_rng(seed)
    if text is not None or not is_table(real) or isinstance(real, Mapping) or _has_texts(real):
        own = {"text": text, "limit": limit}
        found = measure_texts(real, synthetic, test, target=target, rng=rng, splits=splits, **own)
    else:
        options = {"categories": categories, "without": without}
        found = measure_tables(
            real, synthetic, test, target=target, rng=rng, splits=splits, **options
        )
    rows = sorted(found.rows, key=lambda row: FAMILIES.index(row.family))
    return Report(tuple(rows), tuple(found.notes), *found[2:], splits)


def _has_texts(data: Any) -> bool:
    return not {"text", "question"}.isdisjoint(map(str, as_frame(data).columns))


def evaluate_files(
    real: Path,
    synthetic: Path,
    test: Path | None = None,
    *,
    html: Path | None = None,
    json: Path | None = None,
    **options: Any,
) -> Report:
    """`evaluate` of files, one text a line in those that end in .txt, else tables.

    Args:
        real, synthetic, test: see `evaluate`.
        html, json: where the page and the numbers are written.
        **options: see `evaluate`.

    Raises:
        OSError: a file is not there, or could not be written.
        ValueError: one that cannot be read, and all errors of `evaluate`.
    """
    for path in filter(None, (html, json)):  # refused before anything is measured
        check_file(path)
    read = []
    for path in (real, synthetic, test):
        plain = path is not None and format_of(local_file(path)) == ".txt"
        read.append(path and (load_texts(path) if plain else load_table(path)))
    try:
        report = evaluate(*read, **options)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if html:
        report.save_page(html)
    if json:
        report.save_json(json)
    return report
