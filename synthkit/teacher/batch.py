"""A teacher that is reached through files, in the batch format of OpenAI-compatible engines."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.files import read_jsonl, sha256_text, write_jsonl
from .base import PromptsWritten, checked, repeat_numbers
from .chat_protocol import Odd, read_reply
from .cleaning import FAILED, Reply

URL = "/v1/chat/completions"


class BatchTeacher:
    """Answers from files that an engine wrote elsewhere, and writes the prompts that lack one.

    The first call writes its prompts to `prompts-001.jsonl` in `folder` and ends with
    `PromptsWritten`. Let an engine answer that file (`vllm run-batch -i prompts-001.jsonl -o
    answers-001.jsonl --model NAME`, or a batch service), put the answers into the same folder as
    `answers-001.jsonl`, and run the same program again: it goes on from there, to the next prompts
    that nobody has answered, or to its end. Answers belong to a model, a prompt, the options and
    the number of times that the prompt was asked before, so that their order and their files play
    no part.

    A request that the engine refused fails its own prompt: its answer is empty, with the finish
    reason "error". Take its line out of the file of answers to have it asked again.

    Args:
        folder: of the prompts and answers; made when missing.
        model: the model's name, as the engine knows it.
        temperature, max_tokens, options: fields of each request.

    Raises:
        ValueError: a file of answers with a row that is none; the message names file and row.
    """

    def __init__(
        self, folder: str | Path, model: str, *, temperature: float = 0.7, max_tokens: int = 1024,
        **options: Any,
    ):  # fmt: skip
        self.folder, self.name, self.model = Path(folder), model, model
        self.cache = self.folder  # what is answered is safe there
        self.options = {"temperature": temperature, "max_tokens": max_tokens, **options}

    def __repr__(self) -> str:
        return f"BatchTeacher({str(self.folder)!r}, {self.model!r})"

    def complete(
        self,
        prompts: list[str],
        *,
        repeats: Sequence[int] | None = None,
        on_answer: Callable[[int, Reply], None] | None = None,
    ) -> list[Reply]:
        """The answers in the folder, in the order of the prompts.

        Args:
            repeats: how often each prompt was asked before; None counts within `prompts`.
            on_answer: called with a prompt's place and its answer.

        Raises:
            PromptsWritten: prompts without an answer are in a file now; the message names it.
        """
        prompts = checked(prompts)
        numbers = repeat_numbers(prompts) if repeats is None else repeats
        asked = [self._request(*both) for both in zip(prompts, numbers, strict=True)]
        answers = self._answers()
        replies = [answers.get(request["custom_id"]) for request in asked]
        for i, reply in enumerate(replies):
            if reply is not None and on_answer is not None:
                on_answer(i, reply)
        lacking = {r["custom_id"]: r for r, reply in zip(asked, replies) if reply is None}
        if lacking:
            raise PromptsWritten(self._write(list(lacking.values())))
        found = [reply for reply in replies if reply is not None]
        if failed := sum(reply.finish_reason == FAILED for reply in found):
            warnings.warn(f"{failed} of {len(found)} requests failed in the engine", stacklevel=2)
        return found

    def _request(self, prompt: str, repeat: int) -> dict[str, Any]:
        """A line of a batch file; its id is the sha of what it asks."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            **self.options,
        }
        repeat = repeat if self.options["temperature"] else 0
        key = sha256_text(json.dumps([body, repeat], sort_keys=True))[:32]
        return {"custom_id": key, "method": "POST", "url": URL, "body": body}

    def _answers(self) -> dict[str, Reply]:
        found: dict[str, Reply] = {}
        for path in sorted(self.folder.glob("answers*.jsonl")):
            for number, row in enumerate(read_jsonl(path, tolerate_torn=True), start=1):
                try:
                    found.setdefault(str(row["custom_id"]), batch_reply(row))
                except (LookupError, AttributeError, Odd) as error:
                    raise ValueError(
                        f"{path.name}: row {number} is no answer of a batch ({error}); it needs "
                        "custom_id, and response or error, as the engine wrote them"
                    ) from None
        return found

    def _write(self, lacking: list[dict[str, Any]]) -> str:
        """Write the requests, unless the last file holds them; the message that says so."""
        files = sorted(self.folder.glob("prompts-*.jsonl"))
        if not files or read_jsonl(files[-1]) != lacking:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.append(self.folder / f"prompts-{len(files) + 1:03}.jsonl")
            write_jsonl(files[-1], lacking)
        back = self.folder / files[-1].name.replace("prompts", "answers")
        return (
            f"{len(lacking)} prompts are written to {files[-1]}; have them answered into {back} "
            "and run this again"
        )


def batch_reply(row: Mapping[str, Any]) -> Reply:
    """The answer in a line that an engine wrote; one without a text has the finish reason "error".

    Raises:
        KeyError: neither a response nor an error. Odd: a response that is no chat completion.
    """
    response = row.get("response") or {}
    if row.get("error") or not 200 <= response.get("status_code", 200) < 300:
        return Reply("", FAILED)
    read = read_reply(json.dumps(response["body"]).encode())
    return Reply(read["answer"], read["finish_reason"])
