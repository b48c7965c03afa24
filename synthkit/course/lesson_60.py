"""Checks of lesson 60: what a row costs, what a budget buys, and the score of a chosen winner."""

from __future__ import annotations

import numpy as np

from .checks import close

LENGTHS = [30, 12, 40, 18, 25, 35]
USABLE = [True, False, True, True, False, True]
SCORES = np.array([[0.70, 0.64, 0.69], [0.66, 0.72, 0.62], [0.60, 0.65, 0.71]])


def exercise_1(per_row, lesson):
    """Tokens written for each row that can be used."""
    found = per_row(LENGTHS, USABLE)
    if close(found, sum(LENGTHS) / sum(USABLE)):
        return None
    kept = [length for length, good in zip(LENGTHS, USABLE) if good]
    if close(found, np.mean(kept)):
        return "drafts that are turned away were written as well, and cost as much."
    if close(found, np.mean(LENGTHS)):
        return "this is a draft's price; divide by the rows that can be used."
    return "divide all tokens that were written by the rows that can be used."


def exercise_2(rows_within, lesson):
    """Rows that can be used before a budget is spent."""
    budget, usable = 130, np.array(USABLE)
    within, skipped = np.cumsum(LENGTHS) <= budget, np.cumsum(usable * LENGTHS) <= budget
    found = rows_within(budget, LENGTHS, USABLE)
    if found == (usable & within).sum():
        return None
    if found == within.sum():
        return "these are drafts; only those that can be used are rows."
    if found == (usable & skipped).sum():
        return "the drafts in between are paid for too: add up all lengths, in order."
    return f"add up the lengths in order; of the drafts within {budget} tokens count the usable."


def exercise_3(winner, lesson):
    """The score of a winner on the seed that did not choose it."""
    n = SCORES.shape[1]
    rest = [np.delete(SCORES, i, axis=1).mean(1).argmax() for i in range(n)]
    wanted = np.mean([SCORES[best, i] for i, best in enumerate(rest)])
    found = winner(SCORES)
    if close(found, wanted):
        return None
    if close(found, SCORES.mean(1).max()):
        return "all seeds choose and judge here: leave the judging seed out of the choice."
    if close(found, SCORES.max(0).mean()):
        return "this takes the best of each seed on that very seed."
    return "for each seed: the best way by the mean of the other seeds, and its score on this one."
