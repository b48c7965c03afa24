"""Chat templates: the text that an instruct model expects around a user's message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .rows import check_texts
from .tokens import special_tokens

if TYPE_CHECKING:
    from .model import LM

_MARK = "\N{LEFT WHITE LENTICULAR BRACKET}message\N{RIGHT WHITE LENTICULAR BRACKET}"


def around_message(lm: LM) -> tuple[str, str]:
    """The text that the chat template puts before and after a user's message, up to the reply.

    Raises:
        ValueError: the model has no chat template, or one that fails, or does not hold the message
            once.
    """
    if not lm.has_chat_template:
        raise ValueError(f"{lm.name!r} has no chat template: use chat=False")
    try:
        written = lm.tokenizer.apply_chat_template(
            [{"role": "user", "content": _MARK}], tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # jinja's, or whatever the template does to what it is given
        raise ValueError(
            f"the chat template of {lm.name!r} cannot write a user's message "
            f"({type(error).__name__}: {error}); mend chat_template in the tokenizer's files"
        ) from error
    before, found, after = written.partition(_MARK)
    if not found or _MARK in after:
        raise ValueError(f"the chat template of {lm.name!r} does not write the message once")
    return before, after


def prompt_ids(
    lm: LM, prompts: Sequence[str], bos: bool = True, chat: bool = False
) -> list[list[int]]:
    """The token ids of prompts: in the chat template, or behind BOS.

    The template's special tokens are tokens; whatever looks like one inside a message is text. A
    prompt that was written into the template by hand (`tokenizer.apply_chat_template`), as one that
    begins and ends like it, is taken as it is.

    Raises:
        ValueError: `chat` and no template; see `around_message`.
    """
    try:
        before, after = around_message(lm)
    except ValueError:
        if chat:
            raise
        return [lm.with_bos(ids, bos) for ids in lm.token_ids(prompts)]
    special = set(special_tokens(lm.tokenizer).values())
    first = next((mark for mark in special if before.startswith(mark)), before)
    rows = []
    for prompt in check_texts(prompts):
        if first and prompt.startswith(first) and prompt.endswith(after or first):
            rows.append(_ids(lm, prompt))
        elif not chat:
            rows.append(lm.with_bos(lm.token_ids([prompt])[0], bos))
        elif any(mark in prompt for mark in special):
            rows.append([*_ids(lm, before), *lm.token_ids([prompt])[0], *_ids(lm, after)])
        else:  # whole, so that tokens may reach over the message's ends
            rows.append(_ids(lm, before + prompt + after))
    return rows


def _ids(lm: LM, part: str) -> list[int]:
    """Token ids of text in which special tokens are tokens."""
    return lm.tokenizer(part, add_special_tokens=False).input_ids
