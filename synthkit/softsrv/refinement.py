"""Refinement, a baseline of SoftSRV: drafts, critiques and rewrites by a model that can judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..teacher import ask, judge, teacher_name
from .baselines import Generator, check_prompts
from .drafts import Draft, Drawing, draft_number

RUBRIC = (
    "It has the same subject and form as the examples asked for.",
    "It can be understood, and answered, from its words alone.",
    "It is not one that everybody would write first.",
)
GOOD = "NOTHING TO MEND"


def critique_prompt(request: str, draft: str, rubric: Sequence[str] = RUBRIC) -> str:
    """The prompt that asks for faults of a draft."""
    points = "\n".join(f"- {point}" for point in rubric)
    return (
        f"A writer was asked:\n{request}\n\nThe writer's text:\n{draft}\n\n"
        f"Judge the text by these points:\n{points}\n"
        f"Name in a few lines what should be mended. If nothing should, reply: {GOOD}"
    )


def rewrite_prompt(request: str, draft: str, critique: str) -> str:
    """The prompt that asks for the mended text."""
    return (
        f"A writer was asked:\n{request}\n\nA first text:\n{draft}\n\n"
        f"What a reader found in it:\n{critique}\n\n"
        "Write the text anew so that this is mended. Reply with the text and nothing else."
    )


def refine(
    teacher, requests: Sequence[str], drafts: Sequence[str], rounds: int, rubric: Sequence[str]
) -> list[str]:
    """The drafts after at most `rounds` of critique and rewriting.

    A draft without faults, or whose critique cannot be used, is left alone from then on, and a
    rewrite that cannot be used is not taken (see `synthkit.teacher.judge`).
    """
    drafts, faulty = list(drafts), range(len(drafts))
    for _ in range(rounds):
        asked = [critique_prompt(requests[i], drafts[i], rubric) for i in faulty]
        found = dict(zip(faulty, ask(teacher, asked)))
        faulty = [
            i for i in faulty if not judge(found[i]) and GOOD.casefold() not in found[i].casefold()
        ]
        asked = [rewrite_prompt(requests[i], drafts[i], found[i]) for i in faulty]
        for i, text in zip(faulty, ask(teacher, asked)):
            drafts[i] = drafts[i] if judge(text) else str(text)
    return drafts


def self_refine(
    teacher, prompts: Sequence[str], n: int, *, real=None, rounds: int = 1,
    rubric: Sequence[str] = RUBRIC, seed: int = 0, held_out: Any = None, **options,
):  # fmt: skip
    """PT_MSR: drafts, critiques and rewrites by a model that can judge its own text.

    Args:
        teacher: see `synthkit.teacher.as_teacher`.
        prompts: what the drafts are asked for with, in turn.
        rounds: of critique and rewriting, at most; 0 leaves the drafts.
        options: of `Generator`, for example `answer_by=` to answer with another teacher.

    Returns:
        A `datasets.Dataset` of `n` rows (fewer if drafts were rejected again and again).

    Raises:
        ValueError: no prompts, or negative rounds.
    """
    if rounds < 0:
        raise ValueError(f"rounds must not be negative, got {rounds}")
    prompts = check_prompts(prompts)

    def choose(slots: Sequence[int], turn: int, how: Drawing) -> list[Draft]:
        asked = [
            f"{prompts[slot % len(prompts)]}\n(Request {draft_number(slot, turn)}, seed {seed}.)"
            for slot in slots
        ]
        first = ["" if judge(text) else str(text) for text in ask(teacher, asked)]
        return [Draft(text, True) for text in refine(teacher, asked, first, rounds, rubric)]

    answering = options.pop("answer_by", None)
    made = Generator(
        None, f"self-refined by {teacher_name(teacher)}", [], real, teacher=answering, seed=seed,
        choose=choose, **options,
    )  # fmt: skip
    return made.sample(n, held_out=held_out)
