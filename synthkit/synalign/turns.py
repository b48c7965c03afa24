"""Calls to a teacher in turns: each prompt until its answer is of use, resumed where it stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.files import sha256_text
from ..teacher.base import LMTeacher, Teacher
from ..teacher.replies import Reply, answer_log, as_teacher, ask


def ask_in_turns(
    teacher: Any, prompts: Sequence[str], accept: Callable[[int, Reply], bool], *, retries: int,
    temperature: float = 0.0, seed: int = 0, checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Counter[int]:  # fmt: skip
    """Ask for each prompt until its answer is accepted, and count the calls by place.

    A second try must be able to give another answer, so each prompt carries a count of how often it
    was asked before. A local model seeds its draws with the count, and stops decoding greedily; a
    teacher that remembers its answers gives the next one, and repeats earlier ones at no cost.

    Args:
        teacher: see `synthkit.teacher.as_teacher`.
        accept: takes a prompt's place and an answer to it; False asks again.
        retries: further calls for a prompt.
        temperature: of an `LMTeacher` that was given none.
        seed: of a local model's sampling.
        checkpoint: a file of answers, from which an interrupted call goes on.

    Raises:
        TeacherError: the teacher failed; the message says what is safe.
    """
    teacher, todo = as_teacher(teacher), list(range(len(prompts)))
    asked, tries = Counter(), Counter()
    with answer_log(checkpoint) as log:
        for turn in range(1 + retries):
            wanted, repeats = [prompts[place] for place in todo], []
            for prompt in wanted:
                repeats.append(asked[prompt])
                asked[prompt] += 1
            by = _reseeded(teacher, turn, temperature, seed)
            answers = ask(by, wanted, log=log, repeats=repeats, progress=progress)
            tries.update(todo)
            todo = [place for place, answer in zip(todo, answers) if not accept(place, answer)]
    return tries


def _reseeded(teacher: Teacher, turn: int, temperature: float, seed: int) -> Teacher:
    """The teacher itself, or a local model with the seed of this step."""
    if not isinstance(teacher, LMTeacher):
        return teacher
    options = {"temperature": temperature, **teacher.options}
    if turn:  # greedy decoding would fail in the same way again
        options["temperature"] = max(options["temperature"], 0.7)
    options["seed"] = int(sha256_text(f"{options.get('seed', 0)}-{seed}")[:7], 16)
    return LMTeacher(teacher.lm, chat=teacher.chat, **options)
