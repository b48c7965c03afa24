"""Checks of lesson 13: an interval over seeds, the seeds that an effect needs, a pool's space."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t

from .checks import close

GAINS = np.array([0.012, 0.031, -0.018, 0.015, 0.002])


def exercise_1(half, lesson):
    """Half the width of a 95 % interval of a mean gain."""
    n, spread = len(GAINS), GAINS.std(ddof=1)
    found, factor = half(GAINS), t.ppf(0.975, n - 1)
    if close(found, factor * spread / math.sqrt(n), rel=0.01):
        return None
    if close(found, 1.96 * spread / math.sqrt(n), rel=0.01):
        return f"1.96 is for many seeds; for {n} of them Student's t gives {factor:.2f}."
    if close(found, factor * spread, rel=0.01):
        return "this is the spread of single seeds; the mean of n is sqrt(n) times as certain."
    if close(found, factor * GAINS.std() / math.sqrt(n), rel=0.01):
        return "the standard deviation of a sample divides by n - 1: ddof=1."
    return "take t, the standard deviation of the gains with ddof=1, and the square root of n."


def exercise_2(needed, lesson):
    """Seeds until an effect exceeds two standard errors."""
    effect, spread = 0.01, GAINS.std(ddof=1)
    found, wanted = needed(GAINS, effect), math.ceil((2 * spread / effect) ** 2)
    if abs(found - wanted) <= 1:
        return None
    if found == math.ceil(2 * spread / effect):
        return "the square is missing: the half-width falls with the square root of n."
    if found == math.ceil((2 * spread / effect) ** 2 / len(GAINS)):
        return "this divides by the seeds that were run as well; s is the spread of single seeds."
    return f"solve 2 s / sqrt(n) <= effect for n; for these gains it is {wanted}."


def exercise_3(embed, lesson):
    """A space in which a pool is searched by words."""
    from ..embedsdg.prompts import baseline_prompt
    from ..studies.embedsdg.pool import PoolTeacher

    near = "The circus sells tickets, and circus tickets are sold at the circus gate by clowns "
    pool = [
        {"question": "What is 2 plus 2?", "answer": "2+2=4\n#### 4"},
        {"question": f"{near * 3}for 4 dollars. How many dollars do 3 tickets cost?",
         "answer": "3*4=12\n#### 12"},
    ]  # fmt: skip
    texts = [row["question"] for row in pool]
    one, two = np.asarray(embed(texts[:1])), np.asarray(embed(texts))
    if one.ndim != 2 or two.ndim != 2:
        return "return an array (n, N), one row per text: a sparse matrix needs .toarray()."
    if one.shape[1] != two.shape[1]:
        return "the columns change from call to call: no vocabulary may be learned from the texts."
    prompt = baseline_prompt("A clown buys 3 circus tickets and sells 1.", "3-1=2\n#### 2")
    if "circus" not in PoolTeacher(pool, embed).complete([prompt])[0]:
        return "a long problem is far from every short one: give each vector the length 1."
    return None
