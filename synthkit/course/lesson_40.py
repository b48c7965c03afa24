"""Checks of lesson 40: marked neighbours, an integrated rule, a list continued, small lengths."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(gain, lesson):
    """Percent by which marked neighbours shorten the mean distance."""
    points, k = lesson.X[:200], 15
    one, two = (
        lesson.coverage(points, lesson.gp_select(points, k, first=0, neighbours=m).picks)
        for m in (1, 2)
    )
    one, two = one["mean distance"], two["mean distance"]
    found = float(gain(points, k))
    if close(found, 100 * (1 - two / one), abs=1e-3):
        return None
    if close(found, 1 - two / one):
        return "this is a share; the exercise asks for percent."
    if close(found, 100 * (two / one - 1), abs=1e-3):
        return "the sign is turned: a shorter distance is a gain."
    if close(found, 100 * (1 - one / two), abs=1e-3):
        return "the two are swapped: compare `neighbours=2` with `neighbours=1`."
    if close(found, 0):
        return "both lists are the same: pass `neighbours=m` on."
    return f"for these points it is {100 * (1 - two / one):.2f} %, and not {found:.2f}: first=0?"


def exercise_2(select, lesson):
    """Picks that lower the sum of the variances most."""
    vectors, k, length, noise = lesson.X[:120], 8, lesson.length, 1e-6
    found = np.asarray(select(vectors, k, length))
    if len(found) != k:
        return f"{k} picks are asked for, and not {len(found)}."
    if len(set(found.tolist())) < k:
        return "a text is picked twice: leave out what has been picked."

    def picks(gain, update=True):
        C, chosen = lesson.rbf(vectors, vectors, length), []
        for _ in range(k):
            score = gain(C)
            score[chosen] = -np.inf
            i = int(score.argmax())
            chosen.append(i)
            if update:
                C = C - np.outer(C[i], C[i]) / (C[i, i] + noise)
        return np.array(chosen)

    def integrated(C):
        return (C**2).sum(0) / (C.diagonal() + noise)

    if np.array_equal(found, picks(integrated)):
        return None
    if np.array_equal(found, picks(integrated, update=False)):
        return "C never changes: subtract what has been seen after each pick."
    if np.array_equal(found, picks(lambda C: (C**2).sum(0))):
        return "the squares are not divided by the text's own variance plus the noise."
    if np.array_equal(found, picks(lambda C: C.diagonal().copy())):
        return "this picks the largest variance, as GP does; how much does the *sum* fall?"
    return f"the first picks should be {picks(integrated)[:3]}, and are {found[:3]}."


def exercise_3(more, lesson):
    """The continuation of a list of picks."""
    select = lesson.gp_select
    whole = select(lesson.X, 18, lesson.length, first=0).picks
    found = np.asarray(more(whole[:10], 8))
    if np.array_equal(found, whole[10:]):
        return None
    if set(found.tolist()) & set(whole[:10].tolist()):
        return "it begins again: what has been picked must count as seen (`covered`)."
    if len(found) != 8:
        return f"the next 8 picks are asked for, and not {len(found)}."
    return f"the list goes on with {whole[10:13]}, and not {found[:3]}: is it the same `length`?"


def exercise_4(times, lesson):
    """Length scales from which on rounding makes all variances equal."""
    if 5.9 <= times <= 6.2:
        return None
    if 8.3 <= times <= 8.8:
        return "the variance falls by k squared, and k is exp(-d² / 2ℓ²): the 2 cancels."
    if 35 <= times <= 38:
        return "this is d² / ℓ²; take its root."
    if 3.8 <= times <= 4.3:
        return "this is for single precision; these numbers are double."
    return "solve exp(-d² / ℓ²) = 1e-16 for d / ℓ."
