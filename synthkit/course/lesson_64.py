"""Checks of lesson 64: a mean over shards, enough random features, enough workers."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(centre, lesson):
    """Points minus their mean, from sums over parts of different sizes."""
    points = np.random.default_rng(0).normal(3, 1, (50, 4))
    points[25:] += 2
    found = {shards: np.asarray(centre(points.copy(), shards), float) for shards in (1, 3, 7)}
    if any(each.shape != points.shape for each in found.values()):
        return f"the result must have the shape of the points, {points.shape}."
    if all(close(each, points - points.mean(0)) for each in found.values()):
        return None
    parts = np.array_split(points, 7)
    if close(found[7], points - np.mean([part.mean(0) for part in parts], axis=0)):
        return "this is the mean of the parts' means; parts differ in size, so add sums and counts."
    if close(found[7], np.concatenate([part - part.mean(0) for part in parts])):
        return "each part loses its own mean; the mean of all points is needed before any is moved."
    return "the result changes with the number of shards, or the mean is not that of all points."


def exercise_2(features_for, lesson):
    """Random features by the root law."""
    now = float(lesson.errors[1024])
    found = float(features_for(now / 2))
    if close(found, 4 * 1024, rel=0.01):
        return None
    if close(found, 2 * 1024, rel=0.01):
        return "the error falls with the root of D, so half of it takes four times the features."
    if close(found, 1024 / 4, rel=0.01):
        return "upside down: a smaller error needs more features, not fewer."
    return f"for half of the error at 1024 it gives {found:.0f} features; start from c / sqrt(D)."


def exercise_3(workers_for, lesson):
    """Workers for a limit, with the time that each takes to start."""
    found = workers_for(100, 0.1, 8)
    if found == 12.5 or found == 12 or close(found, 100 / 7.9):
        return "workers are whole, and enough of them: round up."
    if found == int(np.ceil(100 / 8)) and workers_for(100, 4, 8) == int(np.ceil(100 / 8)):
        return "the start counts as well: only limit - start is left for the work."
    if workers_for(10, 2, 1) != np.inf:
        return "if loading takes longer than the limit, no number is enough: return infinity."
    if found != 13 or workers_for(100, 4, 8) != 25:
        return f"100 hours, a start of 4 and a limit of 8 need 25, not {workers_for(100, 4, 8)}."
    return None
