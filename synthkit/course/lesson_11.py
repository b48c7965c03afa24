"""Checks of lesson 11: a text averaged with itself, unequal shares, the cliff, aligned ends."""

from __future__ import annotations

from math import log2

from .checks import close


def _same(block, other) -> bool:
    return block.shape == other.shape and bool((block - other).abs().max() < 1e-4)


def exercise_1(own_average, lesson):
    """The block of a text averaged with itself."""
    E = lesson.lm.embed_tokens([lesson.A])[0]
    found = own_average(E)
    if found.shape != E.shape:
        return f"the block has a row per token, {tuple(E.shape)}, and not {tuple(found.shape)}."
    if _same(found, E):
        return None
    if _same(found, E / len(E)):
        return "these weights sum to 1, as printed; `mean1` divides them by their mean."
    if _same(found, E / 2):
        return "both copies count one half, so together they are whole again."
    if _same(found, 2 * E):
        return "this is the sum of both copies; the block is their average."
    return "one factor is left: what is 1/m divided by the mean of m such weights?"


def exercise_2(blend, lesson):
    """The average with a share of the second text."""
    (E1, E2), (w1, w2) = (
        lesson.lm.embed_tokens([lesson.A, lesson.B]),
        lesson.lm.attention_weights([lesson.A, lesson.B]),
    )

    def wanted(first, second):
        return lesson.average_embedding(first * E1, w1, second * E2, w2)

    found = blend(E1, w1, E2, w2, 0.25)
    if _same(found, wanted(1.5, 0.5)):
        return None
    if _same(found, wanted(0.5, 1.5)):
        return "the shares are swapped: `share` is the second text's."
    if _same(found, wanted(0.75, 0.25)):
        return "all columns are half as large: the average halves, so multiply by twice the share."
    if _same(found, wanted(1, 1)):
        return "`share` has no effect: rescaling undoes a factor on the weights."
    return "at 0.25, the block is 0.75 of the first and 0.25 of the second, each of mean weight 1."


def exercise_3(edge, lesson):
    """The smallest power of two at which half of the texts are copied."""
    if edge <= 0 or log2(edge) % 1:
        return f"{edge} is no power of two (1, 1/2, 1/4, ...)."

    def copied(scale):
        return lesson.copy_rate(lesson.lm, lesson.held_out[:20], weights="uniform", scale=scale)

    if (share := copied(edge)) < 0.5:
        return f"too small: at {edge} only {share:.0%} are copied; go back one step."
    if (share := copied(edge / 2)) >= 0.5:
        return f"not the smallest: at {edge / 2} still {share:.0%} are copied."


def exercise_4(align_right, lesson):
    """The average of two texts whose ends meet."""
    (E1, E2), (w1, w2) = (
        lesson.lm.embed_tokens([lesson.A, lesson.B]),
        lesson.lm.attention_weights([lesson.A, lesson.B]),
    )
    average, found = lesson.average_embedding, align_right(lesson.A, lesson.B)
    flipped = average(E1.flip(0), w1.flip(0), E2.flip(0), w2.flip(0))
    if _same(found, flipped.flip(0)):
        return None
    if _same(found, flipped):
        return "the block stands backwards: flip it back after averaging."
    if _same(found, average(E1, w1, E2, w2)):
        return "the first tokens meet, as before: flip both texts before averaging."
    if _same(found, average(E1.flip(0), w1, E2.flip(0), w2).flip(0)):
        return "the embeddings are flipped but not their weights."
    if not close(found.shape, flipped.shape):
        return f"the block has the length of the longer text, {len(flipped)}, not {len(found)}."
    return "flip embeddings and weights of both texts, average (mean 1), and flip back."
