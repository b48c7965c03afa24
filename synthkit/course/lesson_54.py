"""Checks of lesson 54: a relative rise, the chance of one field, programs that parse."""

from __future__ import annotations

import numpy as np

from .checks import close

OWN, OTHER = np.array([40.0, 60.0]), np.array([50.0, 75.0])
TEXTS = ["def f(x):\n    return x", "yes", "def g(:", "", "x = 1"]


def exercise_1(gap, lesson):
    """The relative rise of the mean cost."""
    found = gap(OWN, OTHER)
    if np.ndim(found):
        return "return one number: compare the means."
    if close(found, 0.25):
        return None
    if close(found, 12.5):
        return "this is the rise in nats; divide it by what a row costs with its own latent."
    if close(found, 0.2):
        return "the rise is relative to the cost with the row's own latent, not with the other one."
    if close(found, 1.25):
        return "this is the ratio; a decoder that does not listen must have 0."
    if close(found, -0.2):
        return "own and other are exchanged: another latent should cost more."
    return "divide the mean cost with other latents by that with the own ones, and take away 1."


def exercise_2(per_field, lesson):
    """The root of the chance that all fields are right."""
    found = per_field(0.25, 4)
    if close(found, 0.25**0.25, rel=0.001):
        return None
    if close(found, 0.25**4, rel=0.001):
        return "this is the other way round: a row of more fields is right less often than a field."
    if close(found, 0.25 / 4) or close(found, 1 - 0.75 / 4):
        return "chances of independent fields are multiplied, not added."
    return "solve p ** fields = valid for p."


def exercise_3(share_parsing, lesson):
    """The share of texts that parse and define a function."""
    try:
        found = share_parsing(TEXTS)
    except (SyntaxError, ValueError):
        return "a text that does not parse raises an error: catch it and count the text as no."
    if close(found, 0.2):
        return None
    if close(found, 0.8):
        return "'yes' and 'x = 1' parse too: ask for a function as well."
    if close(found, 1):
        return "return a share, not a count."
    if close(found, 0.4):
        return "'def g(:' has the word def and is no program: parse it."
    return "parse each text, and look for a function in the tree."
