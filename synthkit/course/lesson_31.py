"""Checks of lesson 31: effective parts, lengths, an early adapter, equal parts, domains."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(effective, lesson):
    """The exponential of the entropy of the parts."""
    found, shares = float(effective([4, 2, 2])), np.array([0.5, 0.25, 0.25])
    entropy = -(shares * np.log(shares)).sum()
    if close(found, entropy) or close(found, entropy / np.log(2)):
        return "this is the entropy; undo the logarithm to get a number of parts."
    if close(found, np.exp(1.5)):
        return "an entropy in bits is undone by 2 to its power, not by exp."
    if close(found, 1 / (shares**2).sum()):
        return "this is one over the sum of squared shares; take the exponential of the entropy."
    if close(found, 3):
        return "this counts the parts; unequal ones count for less than three."
    if not close(found, 2**1.5):
        return f"parts of 4, 2 and 2 rows are {2**1.5:.2f} effective parts, and not {found:.2f}."
    if not close(effective([3, 0, 3]), 2):
        return "an empty part breaks it: its term 0 ln 0 is zero, so leave it out."


def exercise_2(unmoved, lesson):
    """Shares of rows that stay in their part."""
    from synthkit.spa.streaming import lengths

    divided = lesson.six / lengths(lesson.G.blocks).numpy()
    wanted = {
        how: (lesson.assign(lesson.six, how) == lesson.assign(divided, how)).mean()
        for how in ("none", "z")
    }
    none, z = float(unmoved["none"]), float(unmoved["z"])
    if close([none, z], [wanted["none"], wanted["z"]], abs=5e-3):
        return None
    if close([1 - none, 1 - z], [wanted["none"], wanted["z"]], abs=5e-3):
        return "these are the shares that move; the share that stays is asked for."
    if close([z, none], [wanted["none"], wanted["z"]], abs=5e-3):
        return "the two are swapped: which of them compares a row with other rows?"
    if close(z, 1, abs=5e-3):
        return "the z-score comes after the division; before it, it changes nothing."
    return f"with z-scores {wanted['z']:.2f} of the rows stay in their part, and not {z:.2f}."


def exercise_3(found, lesson):
    """Agreement of an early adapter's parts with both factors."""
    order, domain = float(found["order"]), float(found["domain"])
    labels = lesson.assign(lesson.six)
    whole = lesson.agreement(labels, lesson.order), lesson.agreement(labels, lesson.domain)
    if close([order, domain], whole, abs=1e-3):
        return "this is the fully trained adapter: shorten its schedule to a quarter."
    if domain > order:
        return "the two are swapped, or the queries differ in their domain: take the first six."
    if order >= whole[0]:
        return "early parts cannot agree better with the orders here: which queries were used?"
    if order < 0.05:
        return "no agreement at all: the parts come from `assign` of its own influence scores."


def exercise_4(equal_parts, lesson):
    """The best assignment with equal parts."""
    from scipy.optimize import linear_sum_assignment

    table = lesson.six[:, :120]
    labels, z = np.asarray(equal_parts(table)), lesson.normalise(table)
    if labels.shape != (120,):
        return f"a label for each of the 120 rows is asked for; found shape {labels.shape}."
    if np.ptp(np.bincount(labels, minlength=6)) > 0:
        return "the parts are not equal: 120 rows and 6 queries make parts of 20."
    places = np.repeat(z, 20, axis=0)
    best = places[linear_sum_assignment(places, maximize=True)].sum()
    worst = places[linear_sum_assignment(places)].sum()
    total = z[labels, np.arange(120)].sum()
    if total > best - 1e-6:
        return None
    if total < worst + 1e-6:
        return "the sum is the smallest possible: `linear_sum_assignment` needs `maximize=True`."
    return f"the z-scores add up to {best:.1f} at best, and to {total:.1f}: raw scores were used?"


def exercise_5(found, lesson):
    """Agreement with the domains, by influence and by words."""
    values = [float(found[name]) for name in ("influence", "bm25")]
    tables = lesson.scores[[0, 18, 24, 30]], lesson.bm25_scores(lesson.one_each, lesson.rows)
    parts = [
        lesson.make_partition(name, scores=table, min_size=1, on_small="fill")
        for name, table in zip(("influence", "bm25"), tables)
    ]
    wanted = [lesson.agreement(part, lesson.domain) for part in parts]
    if close(values, wanted, abs=5e-3):
        return None
    if close(values[::-1], wanted, abs=5e-3):
        return "the two are swapped."
    if close(values, [lesson.agreement(part, lesson.order) for part in parts], abs=5e-3):
        return "this is agreement with the orders; the domains are asked for."
    labels = lesson.assign(lesson.scores[:4])
    if close(values[0], lesson.agreement(labels, lesson.domain), abs=5e-3):
        return "these queries share a domain and differ in order; it should be the other way round."
    return "the queries are one problem per domain, all in one order: rows 0, 18, 24 and 30."
