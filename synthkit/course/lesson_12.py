"""Checks of lesson 12: one seed or two, weak windows, rare seeds, seeds for a point."""

from __future__ import annotations

import numpy as np

from .checks import close, mean_of


def exercise_1(gains, lesson):
    """The gains of a sparse seed, and of a second one."""
    one, second = mean_of(gains["one sparse seed"]), mean_of(gains["a second seed"])
    difference, study = lesson.difference, lesson.study
    wanted = (
        difference(study, "sparse, one seed").mean,
        difference(study, "sparse, pair", "sparse, one seed").mean,
    )
    if close([one, second], wanted):
        return None
    if close([second, one], wanted):
        return "the two gains are swapped."
    if close(second, difference(study, "sparse, pair").mean):
        return "that is the gain of both seeds over a random one: compare with one sparse seed."
    if close(one, difference(study, "sparse, one seed", "sparse, pair").mean):
        return "one sparse seed is compared with a sparse pair; it should be with one random seed."
    if close([one, second], np.negative(wanted)):
        return "the signs are turned: the arm comes first, what it is compared with second."
    if close(one, difference(study, "sparse, one seed", measure="accuracy (continue)").mean):
        return "these are students that were trained further; take `accuracy (retrain)`."
    return f"one sparse seed gains {wanted[0]:.3f}, and a second adds {wanted[1]:.3f}."


class _Window:
    """A stand-in for a region: an index, and the points between two bounds."""

    def __init__(self, index, low, high):
        self.index, self.low, self.high = index, low, high

    def holds(self, points):
        return (points[:, 0] >= self.low) & (points[:, 0] < self.high)


def exercise_2(weakness, lesson):
    """The share of right answers in regions with enough points."""
    points = np.arange(9.0)[:, None]
    right = np.array([True, True, False, False, True, False, True, True, True])
    found = weakness([_Window((0,), 0, 4), _Window((1,), 4, 7), _Window((2,), 7, 9)], points, right)
    if {(0,), (1,)} - set(found):
        return "the keys are `region.index`, and regions with three points or more are kept."
    if (2,) in found:
        return "a region with two points is kept; one with fewer than three says too little."
    if close([found[0,], found[1,]], [2, 2]):
        return "these are counts of right answers; take their mean in each region."
    if close([found[0,], found[1,]], [0.5, 1 / 3]):
        return "these are shares of wrong answers; the mean of `right` is asked for."
    if not close([found[0,], found[1,]], [0.5, 2 / 3]):
        return "take the mean of `right` over the points that `region.holds(points)` marks."


def exercise_3(r, lesson):
    """Correlation of rare seeds with accuracy over the arms."""
    from synthkit.studies.embedsdg.experiment import ARMS

    def read(measure):
        return [lesson.values(lesson.study, measure, arm) for arm in ARMS]

    rare, retrain = read("rare share of seeds"), read("accuracy (retrain)")
    means = [np.mean(each) for each in rare], [np.mean(each) for each in retrain]
    if close(r, np.corrcoef(*means)[0, 1], abs=2e-3):
        return None
    if close(r, np.corrcoef(np.ravel(rare), np.ravel(retrain))[0, 1], abs=2e-3):
        return "this pools the data seeds, whose noise lowers it; average over them first."
    further = [np.mean(each) for each in read("accuracy (continue)")]
    if close(r, np.corrcoef(means[0], further)[0, 1], abs=2e-3):
        return "this is for students that were trained further; take `accuracy (retrain)`."
    if close(r, np.corrcoef(*means)[0, 1] ** 2, abs=2e-3):
        return "this is r squared, the share of variance; r is asked for."
    return "correlate two lists of six means, one of each measure, over the same arms."


def exercise_4(needed, lesson):
    """Data seeds that would show a gain of one point."""
    first, second = (
        lesson.values(lesson.study, "accuracy (retrain)", arm)
        for arm in ("EmbedSDG", "sparse, pair")
    )
    spread = np.std(np.subtract(first, second), ddof=1)
    wanted = (2 * spread / 0.01) ** 2
    if abs(needed - wanted) <= 1.01:
        return None
    if min(abs(needed - 2 * spread / 0.01), abs(needed - wanted / 4)) <= 1.01:
        return "too few: this is the root of n, or n for one standard error: square it, with the 2."
    if abs(needed - (2 * np.std(first, ddof=1) / 0.01) ** 2) <= 1.01:
        return "this is the spread of one arm; both have the same seeds, so take the differences."
    if abs(needed - (2 * np.std(np.subtract(first, second)) / 0.01) ** 2) <= 1.01:
        return "the standard deviation divides by n: five differences need `ddof=1`."
    return f"the differences deviate by {spread:.4f}; solve 2 s / sqrt(n) = 0.01 for n."
