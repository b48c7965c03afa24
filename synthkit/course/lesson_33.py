"""Checks of lesson 33: answers that work, seeds until a verdict, the price of an answer, pass@k."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t

from .checks import close

GAPS, BOUND = np.array([-0.06, -0.08, -0.03]), -0.05


def exercise_1(working, lesson):
    """Different answers that pass, per prompt."""
    for arm, rows in lesson.samples.groupby("arm", sort=False):
        found, n = float(working(rows)), rows["question"].nunique()
        right = rows[rows["passes"]].groupby("question")["answer"]
        if close(found, right.nunique().sum() / n):
            continue
        if close(found, rows.groupby("question")["answer"].nunique().mean()):
            return "these are all the different answers; keep the rows that pass."
        if close(found, len(rows[rows["passes"]]) / n):
            return "this counts equal programs again; take the different ones with `nunique`."
        if close(found, right.nunique().mean()):
            return "a prompt that nothing solves counts as well, as 0: divide by all the prompts."
        if close(found, right.nunique().sum()):
            return "this is the sum over the prompts; divide it by their number."
        return f"for {arm!r} it is {right.nunique().sum() / n:.2f}, and not {found:.2f}."
    return None


def exercise_2(needed, lesson):
    """Seeds until an interval lies on one side of a bound."""

    def seeds(bound=BOUND, ddof=1, factor=None, width=1.0):
        spread, room = width * GAPS.std(ddof=ddof), abs(GAPS.mean() - bound)

        def half(n):
            return (factor or t.ppf(0.975, n - 1)) * spread / math.sqrt(n)

        return next(n for n in range(2, 10_000) if half(n) < room)

    found = needed(GAPS, BOUND)
    if found == seeds():
        return None
    if found == seeds(factor=t.ppf(0.975, len(GAPS) - 1)):
        return "this keeps the t of three seeds; with more seeds t falls, too."
    if abs(found - seeds(factor=1.96)) <= 1:
        return "1.96 is for many seeds; take Student's t with n - 1 degrees of freedom."
    if found == seeds(bound=0.0):
        return "this is the distance from 0; take the distance of the mean from `bound`."
    if found == seeds(ddof=0):
        return "the standard deviation of a sample divides by n - 1: ddof=1."
    if found == seeds(width=2.0):
        return "this takes the whole width; the mean is half of it away from each end."
    return f"for gaps {GAPS.tolist()} and the bound {BOUND} it is {seeds()}, and not {found}."


def exercise_3(price, lesson):
    """CPU-seconds per working answer, by arm and number of prompts."""
    costs, asked = lesson.costs.astype(float).fillna(0), lesson.preset["n_sample"]
    reference = costs.loc[lesson.REFERENCE, "seconds, training"]

    def seconds(arm, n, shared=None):
        shared = arm != lesson.RANDOM if shared is None else shared
        once = costs.loc[arm, ["seconds, scores", "seconds, training"]].sum() + shared * reference
        return once, costs.loc[arm, "seconds, answers"] * n / asked

    for n in (asked, 50 * asked):
        for arm in (lesson.INFLUENCE, lesson.RANDOM, lesson.HOT):
            works = lesson.table.loc[arm, "working answers"] * n
            once, each = seconds(arm, n)
            found, wanted = float(price(arm, n)), (once + each) / works
            if close(found, wanted, rel=0.01):
                continue
            if close(found, (once + each) / n, rel=0.01):
                return "this is the price of a prompt; divide by the working answers."
            if close(found, wanted * n, rel=0.01):
                return "the table counts working answers per prompt: take n times as many."
            if close(found, sum(seconds(arm, n, shared=arm == lesson.RANDOM)) / works, rel=0.01):
                if arm == lesson.RANDOM:
                    return "random parts need no reference adapter: no scores are taken."
                return f"the reference adapter is missing: {arm!r} needs it."
            if close(found, (once * n / asked + each) / works, rel=0.01):
                return "this trains anew for each ten prompts; only the answers grow with n."
            if close(found, (once + each * asked / n) / works, rel=0.01):
                return "the seconds of the answers are those of ten prompts: they grow with n."
            return f"for {arm!r} and {n} prompts it is {wanted:.2f}, and not {found:.2f}."
    return None


def exercise_4(solved, lesson):
    """pass@k by trying all choices of k answers."""
    from ..studies.spa.experiment import pass_at

    flags, k = np.random.default_rng(0).random((8, 6)) < 0.35, 3
    found, wanted = float(solved(k, flags)), pass_at(k, flags)
    if close(found, wanted):
        return None
    if close(found, flags[:, :k].any(1).mean()):
        return "this looks at the first k answers alone; try all choices of k."
    if close(found, np.mean(1 - (1 - flags.mean(1)) ** k)):
        return "this draws an answer again and again; the k answers must be different ones."
    if close(found, np.mean([math.comb(row.sum(), k) / math.comb(6, k) for row in flags])):
        return "this asks that all k answers pass; one of them is enough."
    if close(found, flags.any(1).mean()):
        return "this looks at all the answers of a prompt at once; choose k of them."
    return f"for 8 prompts of 6 answers and k = {k} it is {wanted:.3f}, and not {found:.3f}."
