"""Demonstrations as they were picked, and the settings of picking, checked."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .checks import check_count, check_indices, checked_vectors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Exploration:
    """The outcome of `gp_select`.

    Attributes:
        picks: (k,) candidates, in the order they were chosen.
        variance: (k,) σ² of each pick just before it was seen; it never rises.
        ties: (k,) share of the other free candidates that had the same variance; NaN while
            nothing had been seen.
        length: ℓ that was used.
    """

    picks: np.ndarray
    variance: np.ndarray
    ties: np.ndarray
    length: float

    @property
    def tie_share(self) -> float:
        """The mean of `ties` over the steps at which something had been seen before."""
        counted = self.ties[np.isfinite(self.ties)]
        return float(counted.mean()) if len(counted) else 0.0


@dataclass(frozen=True, eq=False)
class Plan:
    """The outcome of `explore`.

    Attributes:
        picks: (n,) candidates: the first pick of every label, then the second of every label, ...
        tie_share: of each label, see `Exploration`; 0 for rules without ties.
        by_chance: the labels whose texts are all equal, served at random.
    """

    picks: np.ndarray
    tie_share: dict[Hashable, float]
    by_chance: tuple[Hashable, ...]

    @classmethod
    def of(cls, chosen: Mapping[Hashable, tuple[Sequence[int], float, bool]]) -> Plan:
        """The plan that deals out the picks of all labels in turn.

        Args:
            chosen: of each label its picks, its tie share, and True if they are by chance.
        """
        ranked = [pair for picks, *_ in chosen.values() for pair in enumerate(picks)]
        picks = [int(i) for _, i in sorted(ranked, key=lambda pair: pair[0])]
        ties = {label: share for label, (_, share, _) in chosen.items()}
        return cls(np.array(picks), ties, tuple(x for x in chosen if chosen[x][2]))


def explored(steps: Iterable[tuple], length: float, warn: bool) -> Exploration:
    """The steps of `gp_select` as one outcome; `warn` tells of an order that says nothing."""
    found = Exploration(*map(np.array, zip(*steps)), length)
    if warn and found.tie_share > 0.01:
        _log.warning(
            "on average %.0f%% of the candidates tie for the largest variance: the length scale "
            "%.3g does not fit these vectors, and the order says little; leave length out",
            100 * found.tie_share, length,
        )  # fmt: skip
    return found


def checked_settings(
    vectors: Any, k: int, first: int | None, covered: Sequence[int], neighbours: int, ties: str
) -> tuple[np.ndarray, list[int]]:
    """The vectors and the numbers of the covered ones; ValueError for impossible settings."""
    vectors = checked_vectors(vectors)
    covered = check_indices(covered, len(vectors), "covered")
    check_count(k, len(vectors) - len(set(covered)))
    if first is not None and check_indices([first], len(vectors), "first")[0] in covered:
        raise ValueError(f"first is {first}, which is among the covered candidates")
    if neighbours < 1 or ties not in ("first", "random"):
        raise ValueError(
            f"neighbours counts the pick itself (1 or more), got {neighbours}; ties is 'first' or "
            f"'random', got {ties!r}"
        )
    return vectors, covered


def checked_labels(vectors: Any, labels: Sequence[Hashable] | None) -> tuple[np.ndarray, list]:
    """The vectors, and one label for each of them; all alike for None."""
    vectors = checked_vectors(vectors)
    labels = [None] * len(vectors) if labels is None else list(labels)
    if len(labels) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors have {len(labels)} labels: give one per text")
    return vectors, labels
