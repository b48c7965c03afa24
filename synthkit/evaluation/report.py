"""The report of `evaluate`: fidelity, diversity and novelty of texts, beside real against real."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..core.intervals import Interval, mean_interval
from ..datasets import texts_of
from .text import (
    distinct_n,
    exact_duplicates,
    jensen_shannon,
    near_duplicates,
    novelty,
    one_nn_accuracy,
    rate,
    self_bleu,
)

LARGEST_HALF = 1000  # the time of the 1-NN test grows with its square


@dataclass(frozen=True)
class Measure:
    """One measure of a report: `baseline` is real text against real text."""

    family: str  # fidelity, diversity or novelty
    name: str
    reading: str  # what the numbers mean
    synthetic: Interval
    baseline: Interval

    @property
    def apart(self) -> bool:
        """True if the two intervals do not touch."""
        return (
            self.synthetic.low > self.baseline.high + 1e-12
            or self.baseline.low > self.synthetic.high + 1e-12
        )

    def cells(self) -> list[str]:
        """The row as text: family, name, reading, synthetic, real, a star when they are apart."""
        shown = [
            f"{x.mean:.2f} [{x.low:.2f}, {x.high:.2f}]" for x in (self.synthetic, self.baseline)
        ]
        return [self.family, self.name, self.reading, *shown, "*" if self.apart else ""]


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `evaluate`: an aligned table in print, a table of HTML in a notebook."""

    rows: tuple[Measure, ...]
    n_real: int
    n_synthetic: int
    size: int  # texts a side in one split
    splits: int

    def __getitem__(self, name: str) -> Measure:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no measure {name!r}; there are {', '.join(row.name for row in self.rows)}")

    @property
    def caption(self) -> str:
        """The numbers of texts that went in, and the way the baseline was made."""
        return (
            f"{self.n_synthetic} synthetic against {self.n_real} real texts; fidelity and "
            f"diversity at {self.size} texts a side over {self.splits} random halves"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, ready for JSON."""
        return asdict(self) | {"rows": [asdict(row) | {"apart": row.apart} for row in self.rows]}

    def __str__(self) -> str:
        return _plain_table(self.caption, [row.cells() for row in self.rows])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html_table(self.caption, [row.cells() for row in self.rows])


_HEAD = ["family", "measure", "reading", "synthetic", "real vs real", "apart"]


def _plain_table(caption: str, rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [_HEAD, *rows]]
    return "\n".join([caption, lines[0], "-" * len(lines[0]), *lines[1:]])


def _html_table(caption: str, rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEAD)
    body = []
    for row in rows:
        family, name, *values, star = map(html.escape, row)
        data = "".join(f"<td>{value}</td>" for value in [*values, "yes" if star else "no"])
        body.append(f'<tr><td>{family}</td><th scope="row">{name}</th>{data}</tr>')
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


_OVER_HALVES: tuple[tuple[str, str, str, Callable[[list[str], list[str]], float]], ...] = (
    ("fidelity", "word JSD", "0 = same", lambda x, a: jensen_shannon(x, a, 1)),
    ("fidelity", "word-pair JSD", "0 = same", lambda x, a: jensen_shannon(x, a, 2)),
    ("fidelity", "1-NN accuracy", "0.5 = same", lambda x, a: one_nn_accuracy(x, a)),
    ("diversity", "distinct-2", "1 = all differ", lambda x, a: distinct_n(x, 2)),
    ("diversity", "self-BLEU-4", "1 = all alike", lambda x, a: float(self_bleu(x, 4).mean())),
    ("diversity", "repeated texts", "share", lambda x, a: float(exact_duplicates(x).mean())),
)


def _next_draw(values: Sequence[float], fraction: float) -> Interval:
    """The interval (95 %) of another sample's value, given the values of random parts.

    A part holds `fraction` of the texts, so parts are alike by 1 - fraction (Cochran, 1977, ch. 2)
    and their mean is itself uncertain by `fraction`; exact for means, a guide for other measures.
    """
    mean = mean_interval(values)
    scale = math.sqrt(1 + mean.n * (1 + fraction) / (1 - fraction))
    half = (mean.high - mean.low) / 2 * scale
    return Interval(mean.mean, max(0.0, mean.mean - half), min(1.0, mean.mean + half), mean.n)


def _over_halves(
    real: list[str], synthetic: list[str], size: int, splits: int, rng: np.random.Generator
) -> list[Measure]:
    """Fidelity and diversity of `size` synthetic texts and of real half B, against real half A."""
    values = {name: ([], []) for _, name, _, _ in _OVER_HALVES}
    for _ in range(splits):
        order = rng.permutation(len(real))
        a, b = ([real[i] for i in part] for part in (order[:size], order[size : 2 * size]))
        drawn = [synthetic[i] for i in rng.permutation(len(synthetic))[:size]]
        for _, name, _, measure in _OVER_HALVES:
            values[name][0].append(measure(drawn, a))
            values[name][1].append(measure(b, a))
    fraction = size / len(real)
    return [
        Measure(family, name, reading, mean_interval(s), _next_draw(b, fraction))
        for (family, name, reading, _), (s, b) in zip(_OVER_HALVES, values.values())
    ]


def _against_all(real: list[str], synthetic: list[str]) -> list[Measure]:
    """Novelty and copies of the synthetic texts, and of each real text against the other ones."""
    pairs = {
        "exact copies": (
            exact_duplicates(synthetic, real),
            exact_duplicates(real, keep_first=False),
        )
    }
    for name, masked in (("near copies", False), ("near copies, masked", True)):
        pairs[name] = (
            near_duplicates(synthetic, real, mask_digits=masked),
            near_duplicates(real, mask_digits=masked, keep_first=False),
        )
    nearest = (mean_interval(novelty(synthetic, real)), mean_interval(novelty(real)))
    return [
        Measure("novelty", "nearest real text", "0 = a copy", *nearest),
        *(Measure("novelty", name, "share", rate(s), rate(r)) for name, (s, r) in pairs.items()),
    ]


def evaluate(
    real: Any,
    synthetic: Any,
    *,
    text: str | None = None,
    seed: int = 0,
    splits: int = 10,
    limit: int = 5000,
) -> Report:
    """Fidelity, diversity and novelty of synthetic texts, each beside real text against real text.

    Args:
        real: a `datasets.Dataset`, a `pandas.DataFrame` or a list of str.
        synthetic: the same.
        text: the column to read; default as in `texts_of`.
        seed: of the random halves, and of the sample taken from more than `limit` texts.
        splits: random halves of the real texts, at least 2; a half has at most 1,000 texts.
        limit: the most texts taken from either side.

    Raises:
        ValueError: fewer than 20 real or 10 synthetic texts, or a column that is not there.
    """
    rng = np.random.default_rng(seed)
    sides = []
    for data in (real, synthetic):
        texts = texts_of(data, text)
        keep = np.sort(rng.permutation(len(texts))[:limit])
        sides.append([texts[i] for i in keep])
    size = min(len(sides[0]) // 2, len(sides[1]), LARGEST_HALF)
    if size < 10 or splits < 2:
        raise ValueError(
            f"an evaluation needs 20 real and 10 synthetic texts and 2 splits; got {len(sides[0])} "
            f"real, {len(sides[1])} synthetic, {splits} splits"
        )
    rows = [*_over_halves(*sides, size, splits, rng), *_against_all(*sides)]
    return Report(tuple(rows), len(sides[0]), len(sides[1]), size, splits)
