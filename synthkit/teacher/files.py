"""Prompts out to a file, answers back in: for a model that is reached by other means."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..core.files import read_jsonl, sha256_text, write_jsonl
from .base import checked
from .batch import batch_reply
from .chat_protocol import Odd
from .cleaning import Reply, clean


def export_prompts(prompts: list[str], path: str | Path, ids: Sequence[str] | None = None) -> None:
    """Write prompts as JSONL rows `{id, prompt_sha, prompt}`, for any model to answer offline.

    Args:
        prompts: the texts to answer.
        path: the file to write.
        ids: one name a prompt; default: "0", "1", ...

    Raises:
        ValueError: ids that repeat, or not one a prompt.
    """
    rows = [
        {"id": name, "prompt_sha": sha256_text(prompt), "prompt": prompt}
        for name, prompt in zip(_names(prompts, ids), checked(prompts))
    ]
    write_jsonl(path, rows)


def import_answers(
    path: str | Path, prompts: list[str], ids: Sequence[str] | None = None
) -> list[Reply | None]:
    """Read answers to exported prompts: JSONL rows with `answer` and `id`, `prompt_sha` or both.

    What an engine's batch wrote, `{custom_id, response, error}`, is taken too. Rows may stand in
    any order. A row without `id` answers the next prompt with its sha that has no answer yet.
    Answers are cleaned (see `clean`) and keep a `finish_reason` that their row has.
    A prompt without an answer, or with an empty one, gives None, and a warning counts those.

    Args:
        path: the file of answers.
        prompts: the same list that was exported.
        ids: the same ids, if any were given.

    Returns:
        One answer (or None) per prompt, in the order of `prompts`.

    Raises:
        ValueError: a row without `answer`, an id or sha that was never exported, two answers to
            one prompt, or an answer to a prompt that has changed since; each is named.
    """
    shas = [sha256_text(prompt) for prompt in checked(prompts)]
    places = {name: i for i, name in enumerate(_names(prompts, ids))}
    open_places: dict[str, list[int]] = {}
    for i in reversed(range(len(shas))):
        open_places.setdefault(shas[i], []).append(i)
    answers: list[Reply | None] = [None] * len(prompts)
    wrong: dict[str, list[str]] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        row = _plain(row)
        name, sha = row.get("id"), row.get("prompt_sha")
        label = str(name if name is not None else (sha or f"row {number}"))
        place = places.get(str(name)) if name is not None else None
        if name is None and sha in open_places:
            free = [i for i in open_places[sha] if answers[i] is None]
            place = free[-1] if free else open_places[sha][0]
        answer = row.get("answer", 0)
        if answer is not None and not isinstance(answer, str):
            wrong.setdefault("no text under `answer`", []).append(label)
        elif place is None:
            wrong.setdefault("unknown id or prompt_sha", []).append(label)
        elif sha is not None and sha != shas[place]:
            wrong.setdefault("the prompt has changed since the export", []).append(label)
        elif answers[place] is not None:
            wrong.setdefault("a second answer to the same prompt", []).append(label)
        else:
            answers[place] = Reply(clean(answer or ""), row.get("finish_reason"))
    if wrong:
        found = "; ".join(
            f"{what}: {len(labels)} ({', '.join(labels[:5])}{', ...' * (len(labels) > 5)})"
            for what, labels in wrong.items()
        )
        raise ValueError(f"{Path(path).name} cannot be matched with the prompts: {found}")
    answers = [answer or None for answer in answers]
    missing = [name for name, i in places.items() if answers[i] is None]
    if missing:
        shown = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        warnings.warn(
            f"{Path(path).name} lacks {len(missing)} of {len(prompts)} answers (ids {shown})",
            stacklevel=2,
        )
    return answers


def _plain(row: dict) -> dict:
    """A line of an engine's batch as `{id, answer, finish_reason}`; any other row as it is."""
    if "custom_id" not in row or not {"response", "error"} & row.keys():
        return row
    try:
        reply = batch_reply(row)
    except (LookupError, AttributeError, Odd):
        return {"id": row["custom_id"]}
    return {"id": row["custom_id"], "answer": str(reply), "finish_reason": reply.finish_reason}


def _names(prompts: Sequence[str], ids: Sequence[str] | None) -> list[str]:
    names = [str(name) for name in (range(len(prompts)) if ids is None else ids)]
    if len(names) != len(prompts):
        raise ValueError(f"{len(names)} ids for {len(prompts)} prompts: give one id a prompt")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"ids must differ; repeated: {', '.join(twice[:5])}")
    return names
