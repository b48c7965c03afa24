"""Checks of lesson 21: chance copies, a point on the dial, LoRA's share, a filter's side effect."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(agreement, lesson):
    """The share of drafts that agree with a context's text, their own or another's."""
    from ..evaluation.contamination import masked

    name, shift = "SSMC, all", 3
    contexts = np.array(lesson.made[name]["context"])
    texts, real = (
        np.array([masked(text) for text in rows["text"]])
        for rows in (lesson.made[name], lesson.real)
    )
    wanted = np.mean(texts == real[contexts])
    others = [np.mean(texts == np.roll(real[contexts], way)) for way in (-shift, shift)]
    own, other = float(agreement(name, 0)), float(agreement(name, shift))
    if close(own, wanted) and any(close(other, each) for each in others):
        return None
    if close(own, wanted * len(texts)):
        return "this is a count; give the share of the drafts."
    if close(own, np.mean([text in set(real) for text in texts])):
        return "this compares with every real text; only that of one context is asked for."
    if own < wanted / 2:
        return (
            "too few agree: mask the numbers of both, and compare draft j with the row "
            "`made[name]['context'][j]` of `real`."
        )
    if close(own, wanted) and close(other, own):
        return "`shift` changes nothing: move the texts of the contexts on by that many places."
    return f"without a shift it is {wanted:.3f} for {name!r}, the column `copies own`."


def exercise_2(point, lesson):
    """A point of the dial: the nats passed, and the share of copies."""
    name, n = "SSMC, all", 60
    rows, row = lesson.made[name], lesson.through.loc[name]
    passed, copies = map(float, point(lesson.methods[name]))
    nats = row["passed (nats per text)"]
    own, any_text = (np.mean(rows[f"near_copy_{of}"][:n]) for of in ("own", "train"))
    if close([passed, copies], [nats, own], rel=0.02, abs=0.02):
        return None
    if close([copies, passed], [nats, own], rel=0.02, abs=0.02):
        return "the two are swapped: nats first, then copies."
    if close(passed, -nats, rel=0.02):
        return "the sign is turned: entropy minus loss."
    if close(passed, nats / lesson.tokens, rel=0.05):
        return "this is per token: multiply it by `tokens`."
    if close(passed, row["loss"], rel=0.02):
        return "this is the loss itself: subtract it, per text, from the entropy."
    if close(passed, lesson.entropy - row["loss"], rel=0.02):
        return "the entropy is per text and the loss per token: multiply the loss by `tokens`."
    if close(copies, any_text):
        return "these are copies of any training text; take `near_copy_own`."
    if copies < own:
        return "too few copies: keep every draft, `drop=()`, and sample with seed 1."
    return f"{name!r} passes {nats:.2f} nats, and {own:.2f} of its first {n} texts copy their own."


def exercise_3(lora, lesson):
    """The nats that LoRA on the generator passes, and the most that it could."""
    writer, passed, most = (lora[name] for name in ("generator", "passed", "most"))
    if not hasattr(writer, "losses"):
        return "`generator` is what `lora_generator(lm, real, steps=20)` returns."
    loss = writer.loss(lesson.held[:100])
    wanted = lesson.entropy - lesson.tokens * loss
    if close(passed, wanted / lesson.tokens, rel=0.05):
        return "this is per token: multiply it by `tokens`."
    if close(passed, -wanted, rel=0.02):
        return "the sign is turned: entropy minus loss."
    if close(passed, loss, rel=0.02):
        return "this is the loss itself: subtract it, per text, from the entropy."
    if close(passed, lesson.entropy - loss, rel=0.02):
        return "the entropy is per text and the loss per token: multiply the loss by `tokens`."
    if not close(passed, wanted, rel=0.05, abs=0.05):
        return f"entropy minus loss is {wanted:.2f} nats per text on `held[:100]`."
    if close(most, lesson.entropy):
        return "that takes a context that names the text; LoRA writes without any."
    if close(most, lesson.through["passed (nats per text)"]["SSMC, all"], rel=0.05):
        return "that is what SSMC passes by its context; LoRA has none."
    if most < 0:
        return "with more steps it comes nearer to the target's distribution: where does that end?"
    if most > 0:
        return "without a context no loss is below the entropy in expectation."


def exercise_4(tv, lesson):
    """Total variation of town and name, with and without near copies."""
    from ..worlds.targets import factor_tv

    drafts = lesson.made["SSMC, all"]
    texts, target = np.array(list(drafts["text"])), lesson.target
    joint = " x ".join(target.joint)

    def variation(some, name=joint):
        return factor_tv(target, list(some))[name]

    copied = np.array(drafts["near_copy_train"], bool)
    found = [float(tv[name]) for name in ("all", "no near copies")]
    wanted = [variation(texts), variation(texts[~copied])]
    if close(found, wanted):
        return None
    if close(found[::-1], wanted):
        return "the two are swapped."
    if close(found[1], variation(texts[copied])):
        return "this keeps the copies and drops the rest: negate the mask."
    if close(found[1], variation(texts[~np.array(drafts["near_copy_own"], bool)])):
        return "only copies of their own text are dropped; `near_copy_train` marks those of any."
    alone = [[variation(texts, one), variation(texts[~copied], one)] for one in target.joint]
    if any(close(found, each) for each in alone):
        return f"this is for one factor; take the joint distribution, {joint!r}."
    return f"with all texts it is {wanted[0]:.2f}: `factor_tv(target, texts)[joint]`."
