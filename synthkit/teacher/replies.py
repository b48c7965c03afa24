"""The one place that asks a teacher: it checks, keeps and cleans the replies for every method."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..core.files import sha256_text
from .base import (
    FunctionTeacher,
    LMTeacher,
    PromptsFailed,
    PromptsWritten,
    Teacher,
    TeacherError,
    checked,
    repeat_numbers,
)
from .cleaning import FAILED, Reply, clean, judge, whole_characters

if TYPE_CHECKING:
    from ..core.resume import ResumeLog

__all__ = [
    "Reply", "answer_log", "as_teacher", "ask", "clean", "judge", "teacher_identity",
    "teacher_name",
]  # fmt: skip

GROUP = 8  # prompts that a teacher gets at a time when its answers come back all together
PLACE = ("teacher", "prompt_sha", "repeat")


def as_teacher(x: Any, **options: Any) -> Teacher:
    """Anything that can answer, as a teacher.

    Args:
        x: an object with `complete(prompts)`, a function of one prompt, or an `LM`.
        options: of the `LMTeacher` that an `LM` becomes.

    Raises:
        TypeError: none of these.
    """
    if callable(getattr(x, "complete", None)) and not inspect.isclass(x):
        return x
    if callable(getattr(x, "generate", None)) and not inspect.isclass(x):
        return LMTeacher(x, **options)
    if callable(x) and not inspect.isclass(x):
        return FunctionTeacher(x, teacher_name(x))
    raise TypeError(
        "a teacher is an object with complete(prompts) -> list of str, a function from a prompt to "
        f"its answer, or an LM; got {x!r:.80}"
    )


def teacher_name(teacher: Any) -> str:
    """The name of a teacher in reports: its `name`, or that of its function or class."""
    name = getattr(teacher, "name", None) or getattr(teacher, "__name__", type(teacher).__name__)
    return "function" if name == "<lambda>" else str(name)


def teacher_identity(teacher: Any) -> str:
    """Identity of a teacher: its name, class and options, its model's fingerprint, its code.

    Two teachers of one identity are taken for the same one by files of answers. Of a function, the
    code counts and not the values that it finds outside; a name or options tell those apart.
    """
    teacher = as_teacher(teacher)
    facts = {
        "class": type(teacher).__qualname__,
        "options": getattr(teacher, "options", None),
        "model": getattr(teacher, "model", None),
        "chat": getattr(teacher, "chat", None),
        "fingerprint": getattr(getattr(teacher, "lm", None), "fingerprint", None),
    }
    if isinstance(teacher, FunctionTeacher):
        facts["function"] = getattr(teacher.fn, "__qualname__", None)
        facts["code"] = _code(getattr(teacher.fn, "__code__", None))
    if hasattr(teacher, "recording"):
        facts["file"] = teacher.recording
    digest = sha256_text(json.dumps(facts, sort_keys=True, default=lambda x: type(x).__qualname__))
    return f"{teacher_name(teacher)} {digest[:16]}"


def _code(code: CodeType | None) -> Any:
    """The behaviour of a function as JSON values: its instructions, names and constants."""
    if code is None:
        return None
    constants = [
        _code(each) if isinstance(each, CodeType)
        else sorted(map(repr, each)) if isinstance(each, frozenset)
        else repr(each)
        for each in code.co_consts
    ]  # fmt: skip
    return [code.co_code.hex(), code.co_names, constants]


def answer_log(path: str | Path | None) -> ResumeLog:
    """A file of answers for `ask`, to be used in a `with` block; None keeps nothing.

    Each answer belongs to a teacher, a prompt and a repeat, so that one file serves any number of
    runs, and no run takes over the answers of another teacher.
    """
    from ..core.resume import ResumeLog, run_key

    return ResumeLog(path, run_key(what="answers"), place=PLACE, what="answers of teachers")


def ask(
    teacher: Any,
    prompts: Sequence[str],
    *,
    log: ResumeLog | None = None,
    progress: bool = False,
    repeats: Sequence[int] | None = None,
    cleaned: bool = True,
) -> list[Reply]:
    """One reply per prompt; `judge` says which of them must not be used.

    Args:
        teacher: see `as_teacher`.
        log: an `answer_log`. Answers in it are not asked for again, and new ones are on disk as
            soon as they come; empty and failed ones are never kept.
        progress: show a bar.
        repeats: how often each prompt was asked before; None counts within `prompts`.
        cleaned: see `clean`; otherwise the replies are as they came.

    Raises:
        TypeError: no teacher, or prompts that are no list of texts.
        PromptsWritten: a `BatchTeacher` lacks answers; the message says where its prompts are.
        TeacherError: the teacher stopped, gave another number of answers than of prompts, or gave
            something that is no text; the message says what is safe.
    """
    from tqdm.auto import tqdm

    teacher, prompts = as_teacher(teacher), checked(prompts)
    repeats = repeat_numbers(prompts) if repeats is None else list(repeats)
    known = {} if log is None else log.entries
    who = "" if log is None else teacher_identity(teacher)
    places = [(who, sha256_text(prompt), n) for prompt, n in zip(prompts, repeats, strict=True)]
    found: dict[int, Reply] = {
        i: Reply(known[at]["answer"], known[at].get("finish_reason"))
        for i, at in enumerate(places)
        if at in known
    }
    bar = tqdm(total=len(prompts), initial=len(found), disable=not progress, desc="teacher")

    def keep(i: int, answer: Any) -> None:
        if i in found:  # asked again only to make up its group
            return
        found[i] = reply = _as_reply(answer, teacher, i)
        bar.update()
        if log is not None and clean(reply) and judge(reply) != "failed":
            entry = dict(zip(PLACE, places[i])) | {"answer": whole_characters(reply)}
            log.add(entry | {"finish_reason": reply.finish_reason})

    with bar:
        for group in _groups(teacher, len(prompts), set(found)):
            try:
                _complete(teacher, prompts, repeats, group, keep)
            except PromptsFailed as failure:
                if all(judge(reply) == "failed" for reply in found.values()) and not known:
                    raise TeacherError(_stopped(teacher, failure, found, log)) from failure
                for i in group:
                    keep(i, Reply("", FAILED))
            except PromptsWritten:
                raise
            except Exception as failure:
                raise TeacherError(_stopped(teacher, failure, found, log)) from failure
    replies = [found[i] for i in range(len(prompts))]
    return [clean(reply) for reply in replies] if cleaned else replies


def _groups(teacher: Teacher, n: int, found: set[int]) -> Iterator[list[int]]:
    """The prompts to ask for together, by place.

    A local model gets the same prompts together whatever is known of their answers, since the
    rounding of a batch depends on all of its rows.
    """
    size = getattr(teacher, "group", None)
    if size:
        for start in range(0, n, size):
            group = list(range(start, min(start + size, n)))
            if not found.issuperset(group):
                yield group
        return
    todo = [i for i in range(n) if i not in found]
    size = max(1, len(todo)) if "on_answer" in _named(teacher) else GROUP
    yield from (todo[start : start + size] for start in range(0, len(todo), size))


def _named(teacher: Teacher) -> set[str]:
    """The arguments that the teacher's `complete` names."""
    try:
        return set(inspect.signature(teacher.complete).parameters)
    except (TypeError, ValueError):
        return set()


def _complete(
    teacher: Teacher,
    prompts: list[str],
    repeats: list[int],
    group: list[int],
    keep: Callable[[int, Any], None],
) -> None:
    more: dict[str, Any] = {
        "repeats": [repeats[i] for i in group],
        "on_answer": lambda i, answer: keep(group[i], answer),
    }
    more = {name: value for name, value in more.items() if name in _named(teacher)}
    answers = teacher.complete([prompts[i] for i in group], **more)
    if isinstance(answers, str) or not isinstance(answers, Sequence):
        raise TypeError(f"complete must return a list of texts, got {type(answers).__name__}")
    if len(answers) != len(group):
        raise ValueError(
            f"{len(answers)} answers to {len(group)} prompts; a prompt without an answer needs an "
            "empty one in its place"
        )
    for i, answer in zip(group, answers):
        keep(i, answer)


def _as_reply(answer: Any, teacher: Teacher, i: int) -> Reply:
    if answer is not None and not isinstance(answer, str):
        raise TypeError(f"the answer to prompt {i} is not a text but {type(answer).__name__}")
    return Reply(answer or "", getattr(answer, "finish_reason", None))


def _stopped(teacher: Teacher, failure: Exception, found: dict, log: ResumeLog | None) -> str:
    if log is not None and log.path is not None:
        safe = f"; {len(log.entries)} answers are safe in {log.path.name}; call again to go on"
    elif getattr(teacher, "cache", None) is not None:
        safe = ""  # the teacher has told where they are
    else:
        safe = f"; {len(found)} answers are on no disk; name a checkpoint= to keep them"
    what = str(failure) if isinstance(failure, TeacherError) else f"{type(failure).__name__}: "
    what += "" if isinstance(failure, TeacherError) else str(failure)
    return f"{teacher_name(teacher)} stopped ({what}){safe}"
