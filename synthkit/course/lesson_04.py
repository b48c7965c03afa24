"""Checks of lesson 04: distinct-n by size, a swapper, a fooled test, items for two points."""

from __future__ import annotations

import numpy as np

from .checks import close, mean_of


def exercise_1(expected_distinct, lesson):
    """The mean of distinct-n over subsets of `k` texts."""
    texts, distinct = list(lesson.questions[:80]), lesson.distinct_n

    def call(n, k):
        return mean_of(expected_distinct(texts, n, k, 0))

    whole, half = call(2, 80), call(2, 20)
    draws = [np.random.default_rng(i).choice(80, 20, replace=False) for i in range(40)]
    wanted = np.mean([distinct([texts[i] for i in draw], 2) for draw in draws])
    if close(half, distinct(texts, 2)):
        return "this is plain distinct-n of all the texts; draw subsets of `k` of them."
    if close(half, distinct(texts[:20], 2)):
        return "these are always the first `k` texts; draw them at random, 20 times."
    if whole < distinct(texts, 2) - 1e-6:
        return "a subset repeats texts: draw without replacement (`replace=False`)."
    if close(call(1, 20), half):
        return "`n` changes nothing: pass it on to `distinct_n`."
    if abs(half - wanted) > 0.06:
        return f"subsets of 20 of these 80 texts have {wanted:.2f} on average, and not {half:.2f}."


def exercise_2(flagged, lesson):
    """Flags that tell a swapper from fresh text."""
    texts = {name: list(some[:100]) for name, some in lesson.generators.items()}
    shares = {name: float(np.mean(flagged(texts[name]))) for name in ("copier", "swapper", "fresh")}
    if len(flagged(texts["fresh"])) != 100:
        return "return one flag for each text."
    if shares["swapper"] - shares["fresh"] > 0.3:
        return None
    if shares["copier"] > 0.9 and shares["swapper"] < 0.5:
        return "it finds copies but not swapped numbers: mask the digits on both sides."
    if shares["fresh"] > 0.5:
        return "fresh text is flagged as well: near copies share templates, so compare in full."
    return f"the swapper scores {shares['swapper']:.2f}, fresh text {shares['fresh']:.2f}."


def exercise_3(fooling, lesson):
    """A set that is wrong in two ways, and that the 1-NN test takes for real."""
    fooling, real = list(fooling), set(lesson.A)
    if len(fooling) != len(lesson.A):
        return f"take as many texts as `A` has, {len(lesson.A)}, and not {len(fooling)}."
    copies = sum(text in real for text in fooling)
    fresh = sum(text in set(lesson.B) for text in fooling)
    if fresh > len(fooling) / 4:
        return "most of these texts are real ones; mix copies of `A` with artificial text."
    accuracy = lesson.one_nn_accuracy(lesson.A, fooling)
    if accuracy < 0.48:
        return f"too many copies ({copies}): the accuracy is {accuracy:.2f}."
    if accuracy > 0.52:
        return f"too much artificial text (copies: {copies}): the accuracy is {accuracy:.2f}."


def exercise_4(needed, lesson):
    """Items for which two Wilson intervals do not touch."""
    interval = lesson.proportion_interval

    def ends(n):
        return interval(round(0.78 * n), n).high, interval(round(0.80 * n), n).low

    wanted = next(n for n in range(500, 20_000, 100) if ends(n)[0] < ends(n)[1])
    single = next(n for n in range(500, 20_000, 100) if ends(n)[0] < 0.80)
    if abs(needed - wanted) <= 300:
        return None
    if abs(needed - single) <= 100:
        return "here one interval leaves out the other's accuracy; the two must not touch at all."
    if needed < wanted:
        return "too few: at this size the upper end for 0.78 is above the lower end for 0.80."
    return "more than needed: find the smallest number at which the intervals stop touching."
