"""Quality of a ranking: offline metrics, and two rankings interleaved before simulated users.

The paper tries its retriever on users. `interleave` stands in for that A/B test and is none: its
users are a click model, which sees the same relevance labels as the offline metrics.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.intervals import Interval, bootstrap_interval


def _hits(rankings: Any, relevant: Sequence[Collection[int]], k: int | None) -> list[np.ndarray]:
    """Relevance of each of the first k documents of each query."""
    if not all(relevant):
        raise ValueError("a query has no relevant document: leave it out")
    return [
        np.array([int(document) in wanted for document in ranking[:k]], dtype=bool)
        for ranking, wanted in zip(rankings, relevant, strict=True)
    ]


def recall_at_k(rankings: Any, relevant: Sequence[Collection[int]], k: int) -> np.ndarray:
    """The share of each query's relevant documents among its first k, (q,)."""
    hits = _hits(rankings, relevant, k)
    return np.array([hit.sum() / len(wanted) for hit, wanted in zip(hits, relevant)])


def mrr(rankings: Any, relevant: Sequence[Collection[int]], k: int | None = None) -> np.ndarray:
    """1 / the rank of each query's first relevant document, 0 where none is ranked, (q,)."""
    hits = _hits(rankings, relevant, k)
    return np.array([1 / (1 + hit.argmax()) if hit.any() else 0.0 for hit in hits])


def ndcg(rankings: Any, relevant: Sequence[Collection[int]], k: int | None = None) -> np.ndarray:
    """Normalised discounted cumulative gain of each query, (q,) (Jarvelin and Kekalainen, 2002).

    A relevant document at rank r gains 1 / log2(1 + r).
    """
    hits = _hits(rankings, relevant, k)
    best = [np.ones(len(wanted))[:k] for wanted in relevant]
    return np.array([_discounted(hit) / _discounted(ideal) for hit, ideal in zip(hits, best)])


def _discounted(gains: np.ndarray) -> float:
    return float(gains @ (1 / np.log2(2 + np.arange(len(gains)))))


# --- interleaving ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clicks:
    """A cascade user: reads from the top, may click, may leave after a click.

    Attributes:
        relevant, other: the chance of a click on a document that is relevant, or is not.
        leave: the chance to leave after a click.
    """

    relevant: float = 0.8
    other: float = 0.1
    leave: float = 0.5

    def draw(self, shown: Sequence[int], wanted: Collection[int], rng: random.Random) -> list[int]:
        """The places of `shown` that are clicked."""
        places = []
        for place, document in enumerate(shown):
            if rng.random() < (self.relevant if document in wanted else self.other):
                places.append(place)
                if rng.random() < self.leave:
                    break
        return places


def team_draft(
    a: Sequence[int], b: Sequence[int], k: int, rng: random.Random
) -> tuple[list[int], list[int]]:
    """One list of k documents from two rankings, and whose each is: 0 for a, 1 for b.

    The side with fewer documents so far picks its best one that is not there yet; a coin decides
    when both have as many (Radlinski et al., 2008).
    """
    shown: list[int] = []
    teams: list[int] = []
    left = [[int(d) for d in ranking] for ranking in (a, b)]
    while len(shown) < k:
        seen = set(shown)
        left = [[d for d in ranking if d not in seen] for ranking in left]
        counts = (teams.count(0), teams.count(1))
        side = rng.randrange(2) if counts[0] == counts[1] else int(counts[1] < counts[0])
        side = side if left[side] else 1 - side
        if not left[side]:
            break
        shown.append(left[side][0])
        teams.append(side)
    return shown, teams


def interleave(
    a: Any, b: Any,  # rankings of the same queries, document indices from best to worst
    relevant: Sequence[Collection[int]],  # the relevant documents of each query
    seed: int = 0,  # of the drafts and clicks
    *,
    k: int = 10,  # documents shown
    rounds: int = 10,  # users per query
    clicks: Clicks = Clicks(),
) -> Interval:  # fmt: skip
    """The share of users who click more on `a`, of two retrievers interleaved by team draft.

    A tie counts as one half; the bootstrap interval is over the queries.
    """
    rng, scores = random.Random(f"interleave-{seed}"), []
    for first, second, wanted in zip(a, b, relevant, strict=True):
        outcomes = []
        for _ in range(rounds):
            shown, teams = team_draft(first[:k], second[:k], k, rng)
            clicked = [teams[place] for place in clicks.draw(shown, wanted, rng)]
            outcomes.append((1 + np.sign(clicked.count(0) - clicked.count(1))) / 2)
        scores.append(np.mean(outcomes))
    return bootstrap_interval(scores, seed=seed)
