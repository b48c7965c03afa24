"""The calls of one step to a teacher: each prompt as often as needed, and resumed where it stopped.

A second try must be able to give another answer, so each prompt carries a count of how often it was
asked before. A local model seeds its draws with the count, and stops decoding greedily; a teacher
that remembers its answers gives the next one, and repeats earlier ones at no cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..core.files import sha256_text
from ..core.resume import ResumeLog
from ..teacher.base import LMTeacher, Teacher
from ..teacher.replies import Reply, as_teacher, ask


class TeacherSession:
    """The calls of one step: `ask` for some of the prompts, in turns.

    Args:
        teacher: what answers, see `synthkit.teacher.as_teacher`; an `LMTeacher` is given a seed of
            its own for the step.
        prompts: all prompts of the step; a place is an index into them.
        temperature: of an `LMTeacher` that was given none.
        seed: of a local model's sampling.
        log: an `answer_log`, from which an interrupted step goes on.
    """

    def __init__(
        self, teacher: Any, prompts: Sequence[str], *, temperature: float = 0.0, seed: int = 0,
        log: ResumeLog | None = None,
    ):  # fmt: skip
        self.teacher, self.prompts, self.seed = as_teacher(teacher), list(prompts), seed
        self.temperature, self.log = temperature, log
        self.asked: Counter[str] = Counter()

    def ask(self, places: Sequence[int], turn: int, progress: bool = False) -> list[Reply]:
        """The answers of one turn, from the file or from the teacher.

        Raises:
            TeacherError: the teacher failed; the message says what is safe.
        """
        prompts, repeats = [self.prompts[place] for place in places], []
        for prompt in prompts:
            repeats.append(self.asked[prompt])
            self.asked[prompt] += 1
        teacher = self._reseeded(turn)
        return ask(teacher, prompts, log=self.log, repeats=repeats, progress=progress)

    def _reseeded(self, turn: int) -> Teacher:
        """The teacher itself, or a local model with the seed of this step."""
        if not isinstance(self.teacher, LMTeacher):
            return self.teacher
        options = {"temperature": self.temperature, **self.teacher.options}
        if turn:  # greedy decoding would fail in the same way again
            options["temperature"] = max(options["temperature"], 0.7)
        options["seed"] = int(sha256_text(f"{options.get('seed', 0)}-{self.seed}")[:7], 16)
        return LMTeacher(self.teacher.lm, chat=self.teacher.chat, **options)
