"""Labelled texts, and a real set cut into a skewed pool and its judges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.texts import same_key


@dataclass(frozen=True)
class Labelled:
    """Texts with a label each, and a mode each where modes are known."""

    texts: tuple[str, ...]
    labels: tuple[Hashable, ...]
    modes: tuple[Hashable, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Sequence[int]) -> Labelled:
        """The rows at `indices`, in that order; one may come more than once."""
        columns = (self.texts, self.labels, self.modes)
        picked = (c if c is None else tuple(c[int(i)] for i in indices) for c in columns)
        return Labelled(*picked)


def labelled(rows: Any, label: str = "label", text: str = "text") -> Labelled:
    """Rows that `synthkit.datasets.load_texts` reads, by the columns of their texts and labels.

    ValueError: no rows, a column that is not there, or a row without a text or a label.
    """
    if isinstance(rows, Labelled):
        return rows
    from ...datasets import load_texts

    table = load_texts(rows, text=text, label=label)
    return Labelled(tuple(table["text"]), tuple(table["label"]))


# --- a skewed pool of real rows -------------------------------------------------------------------


@dataclass(frozen=True)
class SkewedPool:
    """A real set in three parts that share no text.

    Attributes:
        pool: the rows to choose from, some modes of every label thinned out.
        reference: rows of the set's own distribution, to align with.
        test: more of them, to judge by.
        thinned: the pairs (label, mode) that were thinned in the pool.
    """

    pool: Labelled
    reference: Labelled
    test: Labelled
    thinned: frozenset


def skewed_pool(
    full: Labelled,
    modes: Sequence[Hashable],
    *,
    keep: float = 0.1,
    thin: float = 0.5,
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25),
    seed: int = 0,
) -> SkewedPool:
    """Cut a labelled set into a mode-skewed pool, a reference and a test set.

    The parts have equal shares of every label. All modes are put in one random order; in the pool,
    the first modes of each label are thinned until they held the share `thin` of its rows: of each
    a share `keep` stays (at least one row). The last mode of a label is never thinned.

    Args:
        full: the set; of equal texts, by case and blanks, the first is used.
        modes: what is thinned, for every row.
        keep: from 0 (exclusive) to 1; 1 thins nothing.
        thin: the share of a label's rows in thinned modes.
        shares: of pool, reference and test, which sum to at most 1.

    Raises:
        ValueError: shares that cannot be, modes that do not fit the rows, or a label with too few
            rows to be in all three parts.
    """
    if not 0 < keep <= 1 or not 0 <= thin < 1 or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise ValueError(
            f"keep lies in (0, 1], thin in [0, 1), shares are positive and sum to at most 1; got "
            f"keep={keep}, thin={thin}, shares={shares}"
        )
    if len(modes) != len(full):
        raise ValueError(f"{len(modes)} modes for {len(full)} rows: give one a row")
    full = Labelled(full.texts, full.labels, tuple(modes))
    full = full.take(_first_of_each(full.texts))
    rng = np.random.default_rng(seed)
    parts = [full.take(part) for part in _stratified(full.labels, shares, rng)]
    kept, thinned = _thin(parts[0], keep, thin, rng)
    return SkewedPool(parts[0].take(kept), parts[1], parts[2], frozenset(thinned))


def _first_of_each(texts: Sequence[str]) -> list[int]:
    """The index of the first of equal texts, by case and blanks."""
    first: dict[str, int] = {}
    for i, each in enumerate(texts):
        first.setdefault(same_key(each), i)
    return list(first.values())


def _stratified(labels: Sequence[Hashable], shares: Sequence[float], rng) -> list[list[int]]:
    """Indices of each part, in rising order; every label is cut by the same shares."""
    parts: list[list[int]] = [[] for _ in shares]
    ends = np.concatenate([[0.0], np.cumsum(shares)])
    for label, count in Counter(labels).items():
        places = rng.permutation([i for i, other in enumerate(labels) if other == label])
        cuts = np.round(ends * count).astype(int)
        if (np.diff(cuts) < 1).any():
            raise ValueError(
                f"the label {label!r} has {count} different text(s), too few for shares {shares}: "
                "leave it out"
            )
        for part, start, end in zip(parts, cuts, cuts[1:]):
            part += places[start:end].tolist()
    return [sorted(part) for part in parts]


def _thin(pool: Labelled, keep: float, thin: float, rng) -> tuple[list[int], list[tuple]]:
    """Indices that stay, and the pairs (label, mode) that were thinned."""
    names = list(dict.fromkeys(pool.modes))
    rank = {names[i]: place for place, i in enumerate(rng.permutation(len(names)))}
    cells: dict[Hashable, dict[Hashable, list[int]]] = {}
    for i, (label, mode) in enumerate(zip(pool.labels, pool.modes)):
        cells.setdefault(label, {}).setdefault(mode, []).append(i)
    kept, thinned = [], []
    for label, by_mode in cells.items():
        target, lost = thin * sum(map(len, by_mode.values())), 0
        *most, last = sorted(by_mode, key=rank.get)
        for mode in most:
            rows = by_mode[mode]
            if keep < 1 and lost < target:
                lost += len(rows)
                thinned.append((label, mode))
                rows = rng.permutation(rows)[: max(1, round(keep * len(rows)))].tolist()
            kept += rows
        kept += by_mode[last]
    return sorted(kept), thinned
