"""Checks of lesson 01: a tokenizer, the cost of a copy, the questions that training draws."""

from __future__ import annotations

import random

from .checks import close


def exercise_1(train, lesson):
    """A tokenizer that merges digits as it merges letters."""
    tokenizer = train(list(lesson.corpus.documents(600, seed="check")), 512)
    numbers = [piece for piece in tokenizer.get_vocab() if piece.strip("Ġ").isdigit()]
    if not any(len(piece.strip("Ġ")) > 1 for piece in numbers):
        return "no piece has two digits: the digits are still split before anything is merged."
    if tokenizer.get_vocab_size() > 512:
        return f"{tokenizer.get_vocab_size()} pieces where `vocab` is 512: pass it to the trainer."
    if "Ġthe" not in tokenizer.get_vocab():
        return "words do not keep their space (no piece 'Ġthe'): bytes are split by `ByteLevel`."


def exercise_2(cost, lesson):
    """Nats per token of nonsense: written alone, and copied."""
    texts = [lesson.nonsense(random.Random(f"check-{i}")) for i in range(6)]
    alone, copied = map(float, cost(texts))
    shown = [lesson.instruction("Copy the text.", given=text) for text in texts]
    per_text = lesson.lm.nll(texts), lesson.lm.nll(texts, prompts=shown)
    wanted = [float(each.mean()) for each in per_text]
    if close([alone, copied], wanted, rel=0.02):
        return None
    if close([copied, alone], wanted, rel=0.02):
        return "the two costs are swapped: first alone, then copied."
    if close(copied, wanted[0], rel=0.02):
        return "the copy costs as much as writing alone: its prompt is missing (`prompts=`)."
    if close(alone, float(per_text[0].sum()), rel=0.02):
        return "this is the sum over the texts; the exercise asks for the mean."
    if close(alone, wanted[0], rel=0.02):
        return "the prompt of the copy is another one: it is the instruction with `given=text`."
    return f"the texts cost {wanted[0]:.2f} nats per token alone, and not {alone:.2f}."


def exercise_3(drawn, lesson):
    """Math questions that the training at study scale draws."""
    study, mixture = lesson.PRESETS["study"], lesson.MIXTURE
    encoded = lesson.lm.token_ids(list(lesson.corpus.documents(500, seed="length")))
    tokens = sum(len(ids) + 2 for ids in encoded) / len(encoded)
    math = sum(share for kind, share in mixture.items() if kind.startswith("math"))
    share, steps = math / sum(mixture.values()), study.steps
    stages = steps + study.drill_steps + study.writing_steps
    wanted = share * stages * study.tokens_per_step / tokens
    if close(drawn, wanted, rel=0.1):
        return None
    if close(drawn, wanted / share, rel=0.1):
        return "these are all documents: only the share of `math/` in the mixture counts."
    if close(drawn, wanted / share * math, rel=0.1):
        return "the shares of the mixture are not out of 1: divide by their sum."
    if close(drawn, wanted * tokens, rel=0.1):
        return "these are tokens: divide by the tokens per document."
    if close(drawn, wanted * steps / stages, rel=0.1):
        return "this is the first stage alone: the drill and the writing stage draw as well."
    return "it is share of math x steps x tokens per step / tokens per document: another factor."
