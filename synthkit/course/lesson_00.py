"""Checks of lesson 00: memory of a model, the same reply twice, the price of a temperature."""

from __future__ import annotations

from .checks import close


def exercise_1(needed, lesson):
    """GiB that a model of 70 billion parameters needs in 4 bits."""
    bytes_, gib = 70e9 * 0.75 / 0.8, 2**30
    if isinstance(needed, str):
        return "give a number, without quotes and without the unit."
    if close(needed, bytes_ / gib, rel=0.01):
        return None
    if close(needed, bytes_, rel=0.01):
        return "this is in bytes: divide by 2**30."
    if close(needed, 70 * 0.75, rel=0.01) or close(needed, 70e9 * 0.75, rel=0.01):
        return (
            "these are the weights alone, and not in GiB: the weights may take only 80 % of the "
            "memory, and a GiB has 2**30 bytes."
        )
    if close(needed, 0.8 * 70 * gib / 0.75 / 1e9, rel=0.01):
        return (
            "this is the inverse question, the largest model in 70 GiB: here the model has 70 "
            "billion parameters, and the memory is asked for."
        )
    if close(needed, bytes_ / 1e9, rel=0.01):
        return "these are billions of bytes; a GiB has 2**30."
    if close(needed, 70e9 * 0.75 / gib, rel=0.01):
        return "the weights may take only 80 % of the memory: divide by 0.8."
    if close(needed, bytes_ * 0.8**2 / gib, rel=0.01):
        return "0.8 is multiplied; the formula is solved for the memory, so divide by it."
    halves = (35, 35e9 / gib, 35 / 0.8, 35e9 / 0.8 / gib)
    if any(close(needed, half, rel=0.01) for half in halves):
        return "4 bits are half a byte, but stored with their scales they take 0.75."
    return f"not {needed:.1f}: solve P = s M / b for M, the memory in bytes; then take GiB."


def exercise_2(ask, lesson):
    """A reply that depends on the seed alone."""
    first, again = ask(3), ask(3)
    if not isinstance(first, str):
        return f"a text is asked for, and not {type(first).__name__}: take the first of the list."
    if first != again:
        return "two replies with seed 3 differ: pass the seed on, `seed=seed`."
    if len({ask(seed) for seed in range(4)}) == 1:
        return "four seeds give one reply: is the temperature 1, and `seed` used?"


def exercise_3(reviews, lesson):
    """Right and different reviews at two temperatures."""
    cold, warm = reviews[0.0], reviews[1.0]
    if max(cold["right"], warm["right"]) > 1:
        return "`right` is the share of the 40 reviews, and not their number."
    if min(cold["different"], warm["different"]) <= 1:
        return "`different` is the number of distinct texts, and not a share."
    if cold["right"] < warm["right"] and cold["different"] > warm["different"]:
        return "the temperatures are swapped: greedy decoding takes no risks."
    if cold["right"] - warm["right"] < 0.05:
        return "temperature 1 costs more than that: is each text checked against its own row?"
    if cold["different"] >= warm["different"]:
        return "temperature 1 writes more different texts: count each text once (`set`)."
