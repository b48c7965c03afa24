"""Answers to the questions that were written, by a teacher, a model or a function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..lm.finetune import PROMPT
from ..teacher import replies as teachers
from ..teacher.templates import fill
from .texts import QUESTION_LINE


def answer_prompt(text: str, template: str = PROMPT) -> str:
    """The prompt that asks a teacher about `text`: the template with {question} replaced.

    With the kit's own template, a passage keeps the question line that it has.
    """
    if QUESTION_LINE in text and template == PROMPT:
        return f"{text}\nAnswer:"
    return fill(template, question=text)


class Labeller:
    """Answers questions by a teacher, a model, or a function of one text; or not at all.

    Args:
        teacher: see `synthkit.teacher.as_teacher`; it is asked by the template.
        answer: a function from a text to its answer (None where it has none), instead. What it says
            is taken as it is.
        template: how a question is put to the teacher.

    Raises:
        ValueError: both are given. TypeError: a teacher that can do neither.
    """

    def __init__(self, teacher: Any = None, answer: Any = None, template: str = PROMPT):
        if teacher is not None and answer is not None:
            raise ValueError("give a teacher or a function answer=, not both")
        one = answer if teacher is None else teacher
        self.teacher = None if one is None else teachers.as_teacher(one)
        self.by_function, self.template, self.log = answer is not None, template, None

    @property
    def name(self) -> str | None:
        """The teacher's name for the provenance column; None without one."""
        return None if self.teacher is None else teachers.teacher_name(self.teacher)

    @property
    def key(self) -> list[str] | None:
        """Everything but the texts that its answers depend on, for the key of a sample."""
        if self.teacher is None:
            return None
        return [teachers.teacher_identity(self.teacher), self.template]

    @contextmanager
    def logged(self, drafts: Path | None) -> Iterator[None]:
        """Keep answers in NAME.answers beside a file of drafts, each as soon as it is there."""
        path = None if drafts is None else Path(f"{drafts}.answers")
        with teachers.answer_log(path) as self.log:
            try:
                yield
            finally:
                self.log = None

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """One answer per text, without white space around it; "" where there is none."""
        if self.teacher is None:
            return [""] * len(texts)
        if self.by_function:
            replies = teachers.ask(self.teacher, texts, log=self.log, cleaned=False)
            return [reply.strip() for reply in replies]
        prompts = [answer_prompt(text, self.template) for text in texts]
        replies = teachers.ask(self.teacher, prompts, log=self.log)
        return ["" if teachers.judge(reply) else str(reply) for reply in replies]
