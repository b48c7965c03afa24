"""Checks of lesson 20: between two contexts, a rate per kind, a mixture's choice, a trained E."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(share, lesson):
    """Well-formed texts from real contexts, and from the means of pairs."""
    z, target = lesson.z_others, lesson.target
    between = lesson.sample(lesson.prompts["ssmc"], (z[0::2] + z[1::2]) / 2)
    texts = lesson.drawn["ssmc"], between  # `drawn` are from the first 48 contexts

    def shares(test):
        return [np.mean([test(text) for text in some]) for some in texts]

    found, wanted = [float(share[n]) for n in ("real", "between")], shares(target.well_formed)
    if close(found, wanted):
        return None
    if close(found[::-1], wanted):
        return "the two shares are swapped."
    if close(found[0], np.mean([target.well_formed(text) for text in lesson.drawn["ssnp"]])):
        return 'these are texts of SSNP, which ignores its context: take `prompts["ssmc"]`.'
    if close(found, shares(lambda text: target.log_prob(text) > -np.inf)):
        return "this is the share of texts in the target; `target.well_formed` is asked for."
    if max(found) > 1:
        return "these are counts; give shares."
    if close(found[0], wanted[0]):
        return "the pairs are (0, 1), (2, 3) and so on, and a mean is half of their sum."
    return "call `sample` with its defaults, on `z_others[:48]` and on the 48 means."


def exercise_2(after, lesson):
    """Losses after a few steps at a tenth of the rate and at ten times as much."""
    from ..lm.prompt_tuning import LEARNING_RATES, SoftPromptPreset, fit_soft_prompt

    lm, kind = lesson.lm, "ssmc"
    preset = SoftPromptPreset(steps=12, batch_size=8, eval_every=12, lr=10 * LEARNING_RATES[kind])
    history = fit_soft_prompt(
        lm, lesson.new_soft_prompt(lm, kind, lesson.context), lesson.z, lesson.texts,
        held_out=(lesson.z_others[:32], lesson.others[:32]), preset=preset,
    )  # fmt: skip
    ten = history.held_out[-1][1]

    def is_ten(kind, factor):
        return close(after[kind, factor], ten, rel=0.01)

    if is_ten(kind, 10):
        if after["ssnp", 0.1] > after["ssnp", 1]:
            return None
        return "SSNP at a tenth of its rate hardly moves in 12 steps: its loss must be higher."
    if close(after[kind, 1], after[kind, 10]):
        return "the factor changes nothing: pass the rate to the preset, `lr=`."
    if is_ten("ssnp", 10):
        return "the two kinds are swapped."
    if is_ten(kind, 0.1):
        return "the factors are swapped: 0.1 is for a tenth of the rate."
    if is_ten(kind, 1):
        return "both have the rate of SSNP; each kind has its own, `LEARNING_RATES[kind]`."
    return f"SSMC at ten times its rate has {ten:.2f} after 12 steps of 8 texts (seed 0)."


def exercise_3(same_prompt, lesson):
    """The share of texts of a family that choose the same prompt."""
    few, many = [0.4, 0.35, 0.25], np.eye(3)
    w = np.array([few, few, few, many[2], *many[[1, 1, 1, 1]]])
    families = np.array(["a"] * 4 + ["b"] * 2 + ["c"] * 2)
    found = float(same_prompt(w, families))
    if close(found, 7 / 8):
        return None
    if close(found, 7):
        return "this is a count; divide it by the number of texts."
    if close(found, 11 / 12):
        return (
            "this is a mean over families; a large family should count for more than a small one."
        )
    if close(found, 6 / 8):
        return "this asks which family a prompt has most often: go through families, not prompts."
    if close(found, 5 / 8):
        return "take each text's choice first, its largest weight; do not average the weights."
    if close(found, w.max(1).mean()):
        return "the mean of the largest weights says that texts choose, not that they agree."
    return "per family: which prompt do most of its texts choose, and how many of them do?"


def exercise_4(four, lesson):
    """Four numbers for P, projected at random or by a trained map."""
    random, learned, extra = (four[name] for name in ("random", "learned", "extra numbers"))
    wanted = 4 * lesson.context.width
    if max(random, learned) > 2:
        return "the losses are per text; give nats per token, as `best_loss` has them."
    if close(random, learned):
        return "both losses are equal: make the contexts of each kind with its own `Context`."
    if extra == 0:
        return "the prompts differ by the trained map: compare their `parameter_count`."
    if extra == -wanted:
        return "the difference is turned: learned minus random."
    if extra != wanted:
        return f"the trained map has d_e times 4 numbers, {wanted}; is `dim` 4 in both contexts?"
    if learned > random:
        return "the losses are swapped: the map that is trained for the loss has the lower one."
