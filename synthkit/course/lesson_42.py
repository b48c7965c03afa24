"""Checks of lesson 42: duplicates, matched means, the heaviest texts, capped weights, the floor."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(together, lesson):
    """The weights of texts and their copies, added."""
    w = np.array([0.1, 0.2, 0.3, 0.05, 0.05, 0.3])
    found = np.asarray(together(w.copy(), 4))
    if found.shape != (4,):
        return f"one weight for each of the 4 originals is asked for, and not {len(found)}."
    if close(found, [0.15, 0.5, 0.3, 0.05]):
        return None
    if close(found, w[:4]):
        return "the copies' weights are dropped; add them to the first ones."
    if close(found, [0.1, 0.2, 0.35, 0.35]):
        return "the copies are those of the first texts, and not of the last."
    return f"the weights add up to {found.sum():.2f}; nothing may be lost or counted twice."


def exercise_2(weights, lesson):
    """Weights on few texts that match the mean."""
    w = np.asarray(weights, float)
    S, target = lesson.S, lesson.R.mean(0)
    if w.shape != (len(S),):
        return f"a weight for each of the {len(S):,} texts is asked for; found shape {w.shape}."
    if w.min() < 0:
        return "weights are negative: least squares needs the bound, `nnls`."
    if abs(w.sum() - 1) > 0.01:
        return f"the weights add up to {w.sum():.2f}: a heavy row of ones fixes the sum at 1."
    left = np.linalg.norm(w @ S - target) / np.linalg.norm(S.mean(0) - target)
    if left > 0.01:
        return f"the mean is still {left:.0%} of the distance away."
    if (used := int((w > 0).sum())) > S.shape[1] + 1:
        return f"{used} texts have weight; {S.shape[1] + 1} are enough for the mean alone."


def exercise_3(found, lesson):
    """Held-out MMD² of texts drawn by weight, and of the heaviest."""
    order = np.argsort(lesson.weights)

    def distance(index):
        return lesson.mmd2(lesson.S[index], lesson.H, bandwidth=lesson.sigma)

    drawn = distance(lesson.systematic_resample(lesson.weights, 600))
    heavy = distance(order[::-1][:600])
    values = [float(found["drawn by weight"]), float(found["heaviest, once"])]
    if close(values[1], heavy) and abs(values[0] - drawn) < 0.3 * drawn:
        return None
    if close(values[::-1], [drawn, heavy], rel=0.1):
        return "the two are swapped."
    if close(values[1], distance(order[:600])):
        return "these are the lightest: `argsort` begins with the smallest."
    if close(np.square(values), [drawn, heavy], rel=0.1):
        return "this is the MMD; its square is asked for."
    against = lesson.mmd2(lesson.S[order[::-1][:600]], lesson.R, bandwidth=lesson.sigma)
    if close(values[1], against):
        return "this is against the texts that were fitted to, `R`; take the held-out ones, `H`."
    return f"the 600 heaviest have {heavy:.4f}, and not {values[1]:.4f}."


def exercise_4(project, lesson):
    """The nearest weights under a cap."""
    rng = np.random.default_rng(3)
    v, cap = rng.normal(0.1, 0.1, 20), 0.09
    low, high = v.min() - 1, v.max()
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(v - middle, 0, cap).sum() > 1 else (low, middle)
    found, wanted = np.asarray(project(v.copy(), cap)), np.clip(v - high, 0, cap)
    if close(found, wanted, abs=1e-4):
        return None
    if abs(found.sum() - 1) > 1e-3:
        return f"the weights add up to {found.sum():.3f}: shift by the tau at which it is 1."
    if found.max() > cap + 1e-6:
        return (
            f"the largest weight is {found.max():.3f}, and the cap {cap}: clip and shift together."
        )
    if found.min() < -1e-9:
        return "weights are negative: clip them at 0 as well."
    return "sum and bounds hold, but nearer weights exist: subtract one tau from all, then clip."


def exercise_5(found, lesson):
    """The mean MMD² of fresh pairs, and its prediction."""
    measured, predicted = float(found["measured"]), float(found["predicted"])
    wanted = lesson.noise_floor(lesson.H, 100, 300, lesson.sigma)
    if close(measured, wanted) and not close(predicted, wanted, rel=0.01):
        return "the two are swapped."
    if close(predicted, lesson.floor):
        return "this is the lesson's floor; the samples here have 100 and 300 texts."
    if not close(predicted, wanted, rel=0.02):
        return f"for 100 and 300 texts the floor is {wanted:.5f}, and not {predicted:.5f}."
    if close(measured, wanted):
        return "this is the prediction again: measure it on pairs that you draw."
    if close(measured**2, wanted, rel=0.2):
        return "this is the MMD; its square is asked for."
    if measured > 2 * wanted:
        return "twice the floor and more: both samples should be fresh *real* texts, one encoder."
    if abs(measured / wanted - 1) > 0.2:
        return f"pairs of 100 and 300 texts have about {wanted:.5f}: how were they cut?"
