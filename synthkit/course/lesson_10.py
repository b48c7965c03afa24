"""Checks of lesson 10: empty windows, the stride, a bound on pairs, pure maps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .checks import close


def exercise_1(empty_share, lesson):
    """The share of empty windows on a map of two and of three axes."""
    for k in (2, 3):
        points = lesson.Reducer("pca", k=k).fit_transform(lesson.Z)
        empty = lesson.count_windows(points, lesson.Grid.fit(points, 20)) == 0
        found, wanted = float(empty_share(k)), float(empty.mean())
        if close(found, wanted, abs=5e-3):
            continue
        if close(found, empty.sum()):
            return "this is the number of empty windows; divide by the number of all windows."
        if close(found, 1 - wanted, abs=5e-3):
            return "this is the share of windows that hold a point; the empty ones are asked for."
        points = lesson.Reducer("pca", k=2).fit_transform(lesson.Z)
        flat = lesson.count_windows(points, lesson.Grid.fit(points, 20)) == 0
        if close(found, flat.mean(), abs=5e-3):
            return "the map has two axes whatever `k` is: pass k to `Reducer`."
        return f"with k = {k} and 20 windows per axis it is {wanted:.2f}, and not {found:.2f}."


def exercise_2(thin_places, lesson):
    """Sparse regions and their seeds, for windows of one size at two strides."""
    for stride in (Fraction(1), Fraction(1, 2)):
        wanted = _thin(lesson, stride, int(19 / stride) + 1)
        regions, seeds = map(int, thin_places(stride))
        if (regions, seeds) == wanted[:2]:
            continue
        if (seeds, regions) == wanted[:2]:
            return "the two are swapped: first the regions, then the different seeds."
        if (regions, seeds) == (wanted[0], wanted[2]):
            return "a seed in several regions is counted several times; collect them in a set."
        if (regions, seeds) == _thin(lesson, stride, 20)[:2]:
            return "there are 20 windows at every stride, so they grow; the number must follow n."
        if (regions, seeds) == _thin(lesson, stride, int(20 / stride))[:2]:
            return "one window off: n is (20 - 1) / stride + 1, not 20 / stride."
        return f"at stride {stride} there are {wanted[0]} regions with {wanted[1]} seeds; is T 6?"


def _thin(lesson, stride, n):
    points = lesson.points
    grid = lesson.Grid.fit(points, n, stride=stride)
    regions = lesson.sparse_regions(lesson.count_windows(points, grid), grid, 6)
    members = [np.flatnonzero(region.holds(points)) for region in regions]
    return len(regions), len({i for some in members for i in some}), sum(map(len, members))


def exercise_3(most_pairs, lesson):
    """Pairs of n seeds that are used at most u times each."""
    found = {(n, u): most_pairs(n, u) for n, u in ((40, 3), (7, 3))}
    if found[40, 3] == 120:
        return "this counts uses: each pair takes two of them."
    if found[40, 3] == 40 * 39 // 2:
        return "these are all pairs of the seeds; `u` limits how often each is used."
    if found[7, 3] == 10.5:
        return "half a pair is left over: round down."
    if found != {(40, 3): 60, (7, 3): 10}:
        return f"40 seeds with 3 uses each give at most 60 pairs, and not {found[40, 3]}."


def exercise_4(reading, lesson):
    """The pooling that is purest, and the one that finds rare families."""
    rare = {name: row["rare among sparse seeds"] for name, row in lesson.measured.items()}
    pure = {name: row["purity"] for name, row in lesson.measured.items()}
    purest, rarest = max(pure, key=pure.get), max(rare, key=rare.get)
    chance = lesson.rare_share(lesson.chance)
    if (reading["purest"], reading["most rare"]) == (rarest, purest):
        return "the two names are swapped."
    if reading["purest"] != purest:
        return f"`purity` is largest for another pooling than {reading['purest']!r}."
    if reading["most rare"] != rarest:
        return f"another pooling than {reading['most rare']!r} has the most rare seeds."
    better = set(reading["better than random"])
    if better == {name for name in rare if rare[name] > chance + 0.06}:
        return None
    if better == {name for name in rare if rare[name] > chance}:
        return "these exceed random pairs by anything at all; by more than 0.06 is asked for."
    return f"random pairs have {chance:.3f}: compare each pooling with that plus 0.06."
