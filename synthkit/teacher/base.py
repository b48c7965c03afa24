"""Protocol of a teacher, and the teachers that need no server: functions, models, recordings."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..core.arguments import as_count, as_number
from ..core.files import sha256_text
from .cleaning import Reply, whole_characters

if TYPE_CHECKING:
    from ..lm import LM


@runtime_checkable
class Teacher(Protocol):
    """Answers text prompts: `complete` is all that it needs.

    `synthkit.teacher.replies.ask` passes more to a teacher whose `complete` names it: `progress`,
    `repeats` (how often each prompt was asked before, so that it gets an answer of its own) and
    `on_answer` (called with a prompt's place and its answer as soon as that is there).
    """

    def complete(self, prompts: list[str]) -> Sequence[str]:
        """One answer per prompt, in the order of the prompts."""
        ...


class TeacherError(RuntimeError):
    """A teacher could not answer; the message says what failed and what is already safe."""


class PromptsFailed(TeacherError):
    """All prompts of a call failed, each by itself: the teacher refused them or replied oddly."""


class PromptsWritten(TeacherError):
    """Prompts are in a file and wait for their answers; see `BatchTeacher`."""


def checked(prompts: Sequence[str]) -> list[str]:
    """`prompts` as a list of whole characters; TypeError when it is one text, or one is no text."""
    if isinstance(prompts, str):
        raise TypeError("prompts must be a list of texts, got one text; write [prompt]")
    for i, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise TypeError(f"prompt {i} must be a text, got {type(prompt).__name__}")
    return [whole_characters(prompt) for prompt in prompts]


def repeat_numbers(prompts: Sequence[str]) -> list[int]:
    """Count how often each prompt came before in the list."""
    asked: Counter[str] = Counter()
    numbers = []
    for prompt in prompts:
        numbers.append(asked[prompt])
        asked[prompt] += 1
    return numbers


def request_options(temperature: Any, max_tokens: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The fields of each request to a chat server.

    Raises:
        TypeError, ValueError: one that is wrong, is the teacher's own, or that JSON cannot hold.
    """
    for name in {"messages", "stream", "n"} & set(options):
        raise ValueError(f"{name} is the teacher's own: one message, one whole answer")
    own = {"temperature": as_number(temperature, "temperature")}
    found = {**own, "max_tokens": as_count(max_tokens, "max_tokens"), **options}
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"options must be what JSON can hold: {error}") from None
    return found


def watched(items: Iterable[Any], *, progress: bool, total: int) -> Iterable[Any]:
    """`items`, with a progress bar when one is asked for."""
    from tqdm.auto import tqdm

    return tqdm(items, total=total, desc="teacher", unit="prompt", disable=not progress)


def _takes_repeat(fn: Callable[..., str]) -> bool:
    try:
        return "repeat" in inspect.signature(fn).parameters
    except (TypeError, ValueError):  # a builtin without a signature
        return False


class FunctionTeacher:
    """Answers by a function of one prompt: the base of oracles and of stand-ins in tests.

    Args:
        fn: from a prompt to its answer. One that draws takes `repeat=` as well, how often the
            prompt was asked before, and draws by it: then a resumed run ends like a whole one.
        name: how reports call this teacher.
        options: what the answers depend on beside the function's own code, such as the seed of an
            oracle: files of answers tell teachers apart by it.
    """

    def __init__(self, fn: Callable[..., str], name: str, **options: Any):
        self.fn, self.name, self.options = fn, name, options

    def complete(
        self,
        prompts: list[str],
        *,
        progress: bool = False,
        repeats: Sequence[int] | None = None,
        on_answer: Callable[[int, str], None] | None = None,
    ) -> list[str]:
        """`fn(prompt)` for every prompt."""
        answers = []
        prompts = checked(prompts)
        numbers = repeat_numbers(prompts) if repeats is None else repeats
        draws = _takes_repeat(self.fn)
        both = list(zip(prompts, numbers, strict=True))
        for prompt, number in watched(both, progress=progress, total=len(prompts)):
            answers.append(self.fn(prompt, repeat=number) if draws else self.fn(prompt))
            if on_answer is not None:
                on_answer(len(answers) - 1, answers[-1])
        return answers


class LMTeacher:
    """Answers by a local language model, one that follows instructions in its own chat template.

    An answer depends on the seed, the prompt and how often the prompt was asked before, and not on
    the prompts beside it.

    Args:
        lm: a loaded model (`load_lm`).
        chat: whether prompts are put into the model's chat template; None: if it has one and
            `lm.chat` is not switched off. The attribute of that name says what is in force.
        **options: passed on to `lm.generate`, for example `max_new_tokens`, `temperature`, `seed`.

    Raises:
        ValueError: `chat=True` for a model without a template.
    """

    group = 64  # prompts that `ask` gives it at a time, always the same ones together

    def __init__(self, lm: LM, *, chat: bool | None = None, **options: Any):
        self.lm, self.options, self.name = lm, options, lm.name
        self.chat: bool = getattr(lm, "chat", False) if chat is None else chat
        if self.chat and not getattr(lm, "has_chat_template", True):
            raise ValueError(f"{lm.name!r} has no chat template: leave chat=True out")

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"LMTeacher({self.name!r}, chat={self.chat}{options})"

    def complete(
        self, prompts: list[str], *, progress: bool = False, repeats: Sequence[int] | None = None
    ) -> list[Reply]:
        """The model's answer to every prompt; one that ran into its limit has the reason "length".

        Args:
            repeats: how often each prompt was asked before; None counts within `prompts`.
        """
        prompts = checked(prompts)
        options = dict(self.options) | ({"chat": True} if self.chat else {})
        if options.get("temperature"):
            numbers = repeat_numbers(prompts) if repeats is None else repeats
            names = [f"{number} {prompt}" for number, prompt in zip(numbers, prompts, strict=True)]
            options["row_ids"] = [int(sha256_text(name)[:15], 16) for name in names]
        return [Reply(text) for text in self.lm.generate(prompts, progress=progress, **options)]
