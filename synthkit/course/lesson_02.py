"""Checks of lesson 02: rows for every family, the distance of a sample, a text in disguise."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from .checks import close


def exercise_1(enough, lesson):
    """Rows that show every family with a probability of 95 %."""
    shares = np.asarray(lesson.zipf)
    wanted = _rows(shares, -math.log(0.95))
    if abs(enough - wanted) <= 0.02 * wanted:
        return None
    if close(enough, _rows(shares, 0.95), rel=0.02):
        return "this leaves 0.95 families unseen on average; 0.05 may be."
    if close(enough, _rows(shares[-1:], 0.05), rel=0.02):
        return "this is for the rarest family alone; the other thirty-nine can be missed as well."
    if close(enough, _rows(np.full(40, 1 / 40), 0.05), rel=0.03):
        return "this takes the families as equally frequent; they follow Zipf's law."
    side = "few" if enough < wanted else "many"
    return f"too {side}: sum the probabilities (1 - f)^n that a family is missed in all n rows."


def _rows(shares, unseen):
    return math.ceil(next(n for n in range(1, 10**5) if ((1 - shares) ** n).sum() <= unseen))


def exercise_2(distance, lesson):
    """Total variation between a sample of reviews and their distribution."""
    world, n, seed = lesson.reviews["real"], 300, 4
    counts = Counter(tuple(row[f] for f in world.factors) for row in world.rows(n, seed))
    cells = {tuple(cell[f] for f in world.factors): cell for cell in world.support()}
    gap = np.array([counts[key] / n - world.probability(cell) for key, cell in cells.items()])
    drawn = np.array([counts[key] > 0 for key in cells])
    found, wanted = float(distance(n, seed)), np.abs(gap).sum() / 2
    if close(found, wanted):
        return None
    if close(found, 2 * wanted):
        return "twice too large: total variation is half the sum of the absolute differences."
    if close(found, np.abs(gap[drawn]).sum() / 2) or close(found, np.abs(gap[drawn]).sum()):
        return "combinations that were not drawn are left out; their probability counts too."
    if close(found, np.sqrt((gap**2).sum())):
        return "this is the Euclidean distance; total variation sums absolute differences."
    if close(found, abs(gap.sum()) / 2, abs=1e-3):
        return "the differences cancel: take their absolute values before the sum."
    return f"for {n} rows of seed {seed} it is {wanted:.3f}, not {found:.3f}: are both used?"


def exercise_3(disguise, lesson):
    """A passage that says something else, and whose row is still accepted."""
    world = lesson.worlds["facts"]
    pairs = [(row, disguise(dict(row))) for row in world.rows(60, seed=11)]
    if any(new["answer"] != old["answer"] or new["question"] != old["question"]
           for old, new in pairs):  # fmt: skip
        return "the question or the answer was changed; change the passage alone."
    changed = [new for old, new in pairs if new["passage"] != old["passage"]]
    if not changed:
        return "no passage was changed: return a new row, such as `row | {'passage': ...}`."
    refused = sum(not world.check(new) for new in changed)
    if refused:
        return f"`check` refuses {refused} of {len(changed)}: you changed what the question needs."
    if len(changed) <= 30:
        return f"only {len(changed)} of 60 passages are changed; look for what most of them have."
