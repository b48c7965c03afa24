"""What a teacher is, and the teachers that need no server: functions, models, recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..storage import read_jsonl, sha256_text, write_jsonl

if TYPE_CHECKING:
    from ..lm import LM


@runtime_checkable
class Teacher(Protocol):
    """Answers text prompts."""

    name: str

    def complete(self, prompts: list[str], *, progress: bool = False) -> list[str]:
        """One answer a prompt, in the order of the prompts."""
        ...


class TeacherError(RuntimeError):
    """A teacher could not answer; the message says what failed and what is already safe."""


def checked(prompts: Sequence[str]) -> list[str]:
    """`prompts` as a list; TypeError when it is one text, or one of them is no text."""
    if isinstance(prompts, str):
        raise TypeError("prompts must be a list of texts, got one text; write [prompt]")
    for i, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise TypeError(f"prompt {i} must be a text, got {type(prompt).__name__}")
    return list(prompts)


def watched(items, *, progress: bool, total: int):
    """`items`, with a progress bar when one is asked for."""
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, total=total, desc="teacher", unit="prompt")


class FunctionTeacher:
    """Answers by a function of one prompt: the base of oracles and of stand-ins in tests.

    Args:
        fn: from a prompt to its answer.
        name: how reports call this teacher.
    """

    def __init__(self, fn: Callable[[str], str], name: str):
        self.fn, self.name = fn, name

    def complete(self, prompts: list[str], *, progress: bool = False) -> list[str]:
        """`fn(prompt)` for every prompt."""
        prompts = checked(prompts)
        return [
            self.fn(prompt) for prompt in watched(prompts, progress=progress, total=len(prompts))
        ]


class LMTeacher:
    """Answers by a local language model.

    Args:
        lm: a loaded model (`load_lm`).
        **options: passed on to `lm.generate`, for example `max_new_tokens`, `temperature`, `seed`.
    """

    def __init__(self, lm: LM, **options: Any):
        self.lm, self.options, self.name = lm, options, lm.name

    def complete(self, prompts: list[str], *, progress: bool = False) -> list[str]:
        """The model's continuation of every prompt."""
        return self.lm.generate(checked(prompts), progress=progress, **self.options)


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
        self._answers: dict[str, list[str]] = {}
        rows = read_jsonl(self.path)
        for number, row in enumerate(sorted(rows, key=lambda row: row.get("repeat", 0))):
            sha = row.get("prompt_sha") or ("prompt" in row and sha256_text(row["prompt"]))
            if not sha or not isinstance(row.get("answer"), str):
                raise ValueError(
                    f"{self.path.name}: a row needs `answer` (text) and `prompt_sha` or `prompt`; "
                    f"row {number + 1} has {', '.join(row)}"
                )
            self._answers.setdefault(sha, []).append(row["answer"])

    @classmethod
    def record(cls, teacher: Teacher, prompts: list[str], path: str | Path) -> RecordedTeacher:
        """Ask `teacher` once and write a recording; returns the teacher that replays it."""
        answers = teacher.complete(prompts)
        rows = [
            {"prompt_sha": sha256_text(prompt), "prompt": prompt, "answer": answer}
            for prompt, answer in zip(prompts, answers)
        ]
        write_jsonl(path, rows)
        return cls(path, name=teacher.name)

    def complete(self, prompts: list[str], *, progress: bool = False) -> list[str]:
        """The recorded answers.

        Raises:
            TeacherError: a prompt was never recorded (the message counts and shows one).
        """
        keys = [sha256_text(prompt) for prompt in checked(prompts)]
        unknown = [i for i, key in enumerate(keys) if key not in self._answers]
        if unknown:
            raise TeacherError(
                f"{self.path.name} holds no answer to {len(unknown)} of {len(prompts)} prompts; "
                f"the first is prompt {unknown[0]}: {prompts[unknown[0]][:120]!r}. "
                "Record it again with the teacher that made it."
            )
        asked: Counter[str] = Counter()
        answers = []
        for key in keys:
            known = self._answers[key]
            answers.append(known[min(asked[key], len(known) - 1)])
            asked[key] += 1
        return answers
