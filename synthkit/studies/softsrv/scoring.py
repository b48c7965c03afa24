"""Scores of a set of texts: right answers, distance to the target, novelty, and utility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...evaluation.contamination import near_copy_rates
from ...evaluation.mauve import mauve, text_features
from ...lm.finetune import PROMPT, FinetunePreset, answer, final_answer, finetune
from ...sandbox import run_tests
from ...worlds.targets import Target, factor_tv


def score_texts(
    target: Target,
    texts: Sequence[str],
    reference: Sequence[str],
    train: Sequence[str],
    own: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Form, match and copies of `texts`, by measure.

    Args:
        target: whose distribution is known.
        texts: the texts as they came, unfiltered.
        reference: as many fresh texts of the target, for MAUVE.
        train: the texts that their maker was shown.
        own: for each text the one whose context it was given.
        seed: of the features.

    Raises:
        ValueError: fewer texts than MAUVE needs (the message says how many).
    """
    scores = {
        "well formed": np.mean([target.well_formed(text) for text in texts]),
        "in the target": np.mean([np.isfinite(target.log_prob(text)) for text in texts]),
        "distinct": len(set(texts)) / len(texts),
    }
    joint = " x ".join(target.joint)
    for factor, distance in factor_tv(target, texts).items():
        scores["TV, joint" if factor == joint else f"TV, {factor}"] = distance
    for which, share in near_copy_rates(texts, train, own).items():
        scores[f"near copies, {which}"] = share.mean
    filled = [text if text.strip() else "(empty)" for text in texts]
    match = mauve(*text_features(filled, reference, seed=seed))
    scores["MAUVE, sd over clusterings"] = match.sd
    scores["frontier integral"] = match.frontier_integral
    scores["MAUVE"] = match.mauve
    return {measure: float(value) for measure, value in scores.items()}


def score_student(
    lm,
    target: Target,
    texts: Sequence[str],
    test: Sequence[Mapping],
    n: int,
    preset: FinetunePreset,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, float]:
    """A student trained on `n` of the texts with right answers, and tested on rows of the target.

    Repeated texts count once, and texts that are not well formed have no answer, so a source that
    writes few good ones has fewer rows: that is part of its use, and the number is reported.
    """
    answered = (target.answer(text) for text in dict.fromkeys(texts))
    rows = [as_question(row) for row in answered if row is not None][:n]
    student = finetune(lm, rows, preset, seed=seed, progress=progress) if rows else lm
    asked = [as_question(row) for row in test]
    questions = [row["question"] for row in asked]
    right = grade(target.world.name, asked, answer(student, questions))
    prompts = [PROMPT.format(question=question) for question in questions]
    nats = student.nll([f" {row['answer']}" for row in asked], prompts=prompts)
    return {
        "student rows": float(len(rows)),
        "student accuracy": float(right.mean()),
        "student loss": float(nats.mean()),
    }


def as_question(row: Mapping) -> dict:
    """A row whose question is its whole text, passage and all."""
    return {**row, "question": row["text"]}


def grade(world: str, rows: Sequence[Mapping], answers: Sequence[str]) -> np.ndarray:
    """Marks of answers, `(n,)` of bool: by number, by word, or by running the tests."""
    if world == "code":
        outcomes = run_tests([(code, row["tests"]) for code, row in zip(answers, rows)])
        return np.array([outcome.ok for outcome in outcomes])
    if world == "math":
        return np.array([final_answer(a) == row["final"] for a, row in zip(answers, rows)])
    return np.array([a.strip() == row["answer"] for a, row in zip(answers, rows)])
