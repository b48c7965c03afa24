"""Checks of lesson 22: what nats are worth, a share of a scale, texts that repeat others."""

from __future__ import annotations

import math

import numpy as np

from .checks import close

VALUE, LOW, HIGH = np.array([0.5, 0.7]), np.array([0.1, 0.0]), np.array([0.9, 1.0])
TEXTS = ["Ann has 3 pens.", "Bob has 12 hens.", "Eve has 4 cats.", "Ann has 10 pens."]
REAL = ["Ann has 12 pens.", "Bob has 7 hens.", "Bob has 5 cats."]


def exercise_1(times, lesson):
    """The ratio of likelihoods that a gap per token makes over a whole text."""
    gap, tokens = 0.1, 30
    found = times(gap, tokens)
    if close(found, math.exp(gap * tokens), rel=0.01):
        return None
    if close(found, math.exp(gap), rel=0.01):
        return "this is the ratio per token; a text's likelihood is a product over its tokens."
    if close(found, 2 ** (gap * tokens), rel=0.01):
        return "a nat is a natural logarithm: e to the power, not 2."
    if close(found, gap * tokens, rel=0.01):
        return "these are the nats per text; the ratio of likelihoods is e to their power."
    if close(found, math.exp(-gap * tokens), rel=0.01):
        return "the sign is turned: a lower loss makes the text likelier."
    return "sum the gap over the tokens, and take e to its power."


def exercise_2(way, lesson):
    """The mean over seeds of the share of the way from one end to the other."""
    found = way(VALUE, LOW, HIGH)
    wanted = ((VALUE - LOW) / (HIGH - LOW)).mean()
    if np.ndim(found):
        return "return one number, the mean over the seeds."
    if close(found, wanted, rel=0.001):
        return None
    if close(found, (VALUE / HIGH).mean(), rel=0.001):
        return "this is a share of the upper end; the scale begins at the lower one."
    if close(found, 1 - wanted, rel=0.001):
        return "this is the share that is left to go."
    if close(found, (VALUE.mean() - LOW.mean()) / (HIGH.mean() - LOW.mean()), rel=0.001):
        return "this is a ratio of means; take one ratio per seed, and then the mean."
    return "divide what was gained on the lower end by the length of the scale, seed by seed."


def exercise_3(repeats, lesson):
    """The share of texts that repeat a real one up to its numbers."""
    found = repeats(TEXTS, REAL)
    if close(found, 0.75):
        return None
    if close(found, 0.0):
        return "the numbers were not masked: no two texts are equal letter by letter."
    if close(found, 0.5) or close(found, 0.25):
        return "digits were masked one by one, so that 12 and 7 still differ; mask whole numbers."
    if close(found, 3):
        return "return a share, not a count."
    if close(found, 2 / 3, rel=0.01):
        return "this counts the real texts that are repeated; count the written ones."
    return "mask every number, then count the texts that are among the masked real ones."
