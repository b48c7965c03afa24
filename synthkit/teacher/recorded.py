"""A teacher that answers from a file, with no model at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.files import read_jsonl, sha256_file, sha256_text, write_jsonl
from .base import Teacher, TeacherError, checked, repeat_numbers
from .cleaning import Reply, whole_characters
from .replies import ask, teacher_name


class RecordedTeacher:
    """Answers from a JSONL file of `{prompt_sha, prompt, answer}` rows, with no model at all.

    The cache of an `HTTPTeacher` is such a file. A prompt that was recorded several times gives its
    answers in their order; asked more often than that, it gives the last one again.

    Raises:
        FileNotFoundError: there is no file at `path`.
        ValueError: a row has no answer, or neither a prompt nor its sha.
    """

    def __init__(self, path: str | Path, name: str | None = None):
        self.path = Path(path)
        self.name = name or f"recorded:{self.path.stem}"
        self._answers: dict[str, list[Reply]] = {}
        rows = read_jsonl(self.path)
        self.recording = sha256_file(self.path)  # part of its identity
        for number, row in enumerate(sorted(rows, key=lambda row: row.get("repeat", 0))):
            sha = row.get("prompt_sha") or ("prompt" in row and sha256_text(row["prompt"]))
            if not sha or not isinstance(row.get("answer"), str):
                raise ValueError(
                    f"{self.path.name}: a row needs `answer` (text) and `prompt_sha` or `prompt`; "
                    f"row {number + 1} has {', '.join(row)}"
                )
            reply = Reply(row["answer"], row.get("finish_reason"))
            self._answers.setdefault(sha, []).append(reply)

    @classmethod
    def record(cls, teacher: Teacher, prompts: list[str], path: str | Path) -> RecordedTeacher:
        """Ask `teacher` once and write a recording; returns the teacher that replays it.

        Raises:
            TeacherError: the teacher failed, or gave another number of answers than of prompts.
        """
        rows = [
            {"prompt_sha": sha256_text(prompt), "prompt": prompt, "answer": whole_characters(reply)}
            | ({"finish_reason": reply.finish_reason} if reply.finish_reason else {})
            for prompt, reply in zip(prompts, ask(teacher, prompts, cleaned=False))
        ]
        write_jsonl(path, rows)
        return cls(path, name=teacher_name(teacher))

    def complete(
        self, prompts: list[str], *, progress: bool = False, repeats: Sequence[int] | None = None
    ) -> list[Reply]:
        """The recorded answers.

        Args:
            repeats: which answer of each prompt, from 0; None counts within `prompts`.

        Raises:
            TeacherError: a prompt was never recorded (the message counts and shows one).
        """
        prompts = checked(prompts)
        keys = [sha256_text(prompt) for prompt in prompts]
        unknown = [i for i, key in enumerate(keys) if key not in self._answers]
        if unknown:
            raise TeacherError(
                f"{self.path.name} holds no answer to {len(unknown)} of {len(prompts)} prompts; "
                f"the first is prompt {unknown[0]}: {prompts[unknown[0]][:120]!r}. "
                "Record it again with the teacher that made it."
            )
        numbers = repeat_numbers(prompts) if repeats is None else repeats
        known = [self._answers[key] for key in keys]
        return [given[min(number, len(given) - 1)] for given, number in zip(known, numbers)]
