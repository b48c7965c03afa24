"""A teacher that is reached through files, in the batch format of OpenAI-compatible engines."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.files import make_folder, read_jsonl, sha256_text, write_jsonl
from .base import PromptsWritten, checked, repeat_numbers, request_options
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
    reason "error"; an answer to the same request elsewhere in the folder takes its place. Take its
    line out of the file of answers to have it asked again.

    Args:
        folder: of the prompts and answers; made when missing.
        model: the model's name, as the engine knows it.
        temperature, max_tokens, options: fields of each request.

    Raises:
        TypeError, ValueError: options that no request can hold; a file of answers with a row that
            is none (the message names file and row).
    """

    def __init__(
        self, folder: str | Path, model: str, *, temperature: float = 0.7, max_tokens: int = 1024,
        **options: Any,
    ):  # fmt: skip
        self.folder, self.name, self.model = Path(folder), model, model
        self.cache = self.folder  # what is answered is safe there
        self.options = request_options(temperature, max_tokens, options)

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
            others = "" if any(replies) or not answers else (
                f"; none of the {len(answers)} answers in the folder fits, since they are to other "
                "prompts, models or options"
            )  # fmt: skip
            raise PromptsWritten(self._write(list(lacking.values())) + others)
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
        for path in self._files("answers"):
            for number, row in enumerate(read_jsonl(path, tolerate_torn=True), start=1):
                try:
                    name, reply = str(row["custom_id"]), batch_reply(row)
                except (LookupError, AttributeError, TypeError, Odd) as error:
                    raise ValueError(
                        f"{path.name}: row {number} is no answer of a batch ({error}); it needs "
                        "custom_id, and response or error, as the engine wrote them"
                    ) from None
                if name not in found or found[name].finish_reason == FAILED:
                    found[name] = reply
        return found

    def _files(self, kind: str) -> list[Path]:
        return sorted(self.folder.glob(f"{kind}*.jsonl"))

    def _numbered(self, kind: str) -> dict[int, Path]:
        """The files of a kind, `prompts` or `answers`, that have a number."""
        found = {path: re.fullmatch(r"\w+-(\d+)", path.stem) for path in self._files(kind)}
        return {int(match[1]): path for path, match in found.items() if match}

    def _write(self, lacking: list[dict[str, Any]]) -> str:
        """Write the requests, unless the last file holds them; the message that says so."""
        written, answered = self._numbered("prompts"), self._numbered("answers")
        last = max(written, default=0)
        if not last or last in answered or read_jsonl(written[last]) != lacking:
            make_folder(self.folder)
            last = max([*written, *answered], default=0) + 1  # a number that nobody has used
            written[last] = write_jsonl(self.folder / f"prompts-{last:03}.jsonl", lacking)
        back = self.folder / written[last].name.replace("prompts", "answers")
        return (
            f"{len(lacking)} prompts are written to {written[last]}; have them answered into "
            f"{back} and run this again"
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
