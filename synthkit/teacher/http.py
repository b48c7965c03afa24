"""A teacher behind a server of the OpenAI chat protocol; no answer is lost or paid twice."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from ..storage import append_jsonl, read_jsonl, sha256_text
from .base import TeacherError, checked, watched

if TYPE_CHECKING:
    import httpx

RETRIED = {408, 409, 425, 429}  # and every 5xx: what may pass if asked again later
LONGEST_WAIT = 600.0  # seconds; a server that asks for more is treated as if it asked for this


@dataclass
class Usage:
    """What was asked of a server: answers given and reused, tokens as the server counts them."""

    requests: int = 0
    cached: int = 0
    retries: int = 0
    empty: int = 0  # answers without text, for example cut off while the model was still thinking
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0  # answers for which the server gave no token counts

    def cost(self, per_million_prompt: float, per_million_completion: float) -> float:
        """Money spent, given the prices of a million tokens; unreported answers count as 0."""
        spent = self.prompt_tokens * per_million_prompt
        return (spent + self.completion_tokens * per_million_completion) / 1e6


class _Retry(Exception):
    """A failure that may pass; `wait` is the number of seconds the server asked for, if any."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class HTTPTeacher:
    """Answers by any server of the OpenAI chat protocol (vLLM, Ollama, llama.cpp, a proxy).

    Requests run `concurrency` at a time. Connection errors, time-outs, 408/409/425/429, 5xx and
    answers that cannot be read are tried again `retries` times with exponential back-off and
    jitter; a `Retry-After` header is honoured. Every answer is kept under a sha256 of (model,
    prompt, options) and, when `cache` names a JSONL file, appended to it at once, so a run that was
    stopped continues where it stood. A prompt asked k times in one call gets k answers of its own,
    unless the temperature is 0.

    Args:
        model: the model's name on the server.
        base_url: the part of the address before `/chat/completions`.
        api_key: sent as a bearer token; default: the environment variable SYNTHKIT_API_KEY.
        temperature: of sampling.
        max_tokens: the longest answer, in tokens.
        concurrency: requests in flight.
        retries: further attempts after a failure that may pass.
        timeout: seconds that one request may take.
        cache: a JSONL file for the answers (made when missing), or None to keep them in memory.
        backoff: seconds before the first retry; doubled each time, at most 60.
        transport: an `httpx` transport, for tests.
        **options: further fields of the request, for example `top_p`, `seed`, `stop`.
    """

    def __init__(
        self,
        model: str,
        base_url: str = "http://localhost:8000/v1",
        api_key: str | None = None,
        *,
        temperature: float = 0.7,
        max_tokens: int = 1024,
        concurrency: int = 8,
        retries: int = 5,
        timeout: float = 120.0,
        cache: str | Path | None = None,
        backoff: float = 1.0,
        transport: httpx.BaseTransport | None = None,
        **options: Any,
    ):
        if concurrency < 1 or retries < 0:
            raise ValueError(
                "concurrency must be at least 1 and retries at least 0, "
                f"got {concurrency} and {retries}"
            )
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must start with http:// or https://, got {base_url!r}")
        self.name = self.model = model
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.options = {"temperature": temperature, "max_tokens": max_tokens, **options}
        self.concurrency, self.retries, self.timeout = concurrency, retries, timeout
        self.backoff = backoff
        self.cache = Path(cache) if cache is not None else None
        self.usage = Usage()
        self._key = api_key if api_key is not None else os.environ.get("SYNTHKIT_API_KEY")
        self._transport = transport
        self._lock = threading.Lock()
        self._jitter = random.Random()  # its own: a retry must not move anybody's seeded draws
        self._answers = self._load()

    def complete(self, prompts: list[str], *, progress: bool = False) -> list[str]:
        """The server's answers, in the order of the prompts; known ones are not asked again.

        Raises:
            TeacherError: a prompt failed for good. Answers that came before are kept, and the
                message says how many and where.
        """
        jobs = self._jobs(checked(prompts))
        todo = {job[0]: job for job in jobs if job[0] not in self._answers}
        self.usage.cached += len(jobs) - len(todo)
        if todo:
            self._ask_all(list(todo.values()), len(jobs), progress)
        return [self._answers[key] for key, _, _ in jobs]

    def _jobs(self, prompts: list[str]) -> list[tuple[str, str, int]]:
        """(key, prompt, repeat) of each prompt; `repeat` tells apart equal prompts of one call."""
        asked: Counter[str] = Counter()
        jobs = []
        for prompt in prompts:
            repeat = asked[prompt] if self.options["temperature"] else 0
            asked[prompt] += 1
            identity: list[Any] = [self.model, prompt, self.options]
            key = sha256_text(json.dumps(identity + [repeat] * bool(repeat), sort_keys=True))
            jobs.append((key, prompt, repeat))
        return jobs

    def _load(self) -> dict[str, str]:
        """The cache's answers; a last line that a crash cut short is asked again."""
        if self.cache is None or not self.cache.exists():
            return {}
        rows = read_jsonl(self.cache, tolerate_torn=True)
        try:
            return {row["key"]: row["answer"] for row in rows}
        except KeyError as lost:
            raise ValueError(
                f"{self.cache.name} is not an answer cache: a row lacks {lost}; name another file"
            ) from None

    def _ask_all(self, jobs: list[tuple[str, str, int]], total: int, progress: bool) -> None:
        import httpx

        stop = threading.Event()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        with httpx.Client(
            headers=headers, timeout=self.timeout, transport=self._transport
        ) as client:
            pool = ThreadPoolExecutor(self.concurrency)
            futures = [pool.submit(self._ask, client, job, stop) for job in jobs]
            try:
                for future in watched(as_completed(futures), progress=progress, total=len(jobs)):
                    future.result()
            except TeacherError as failure:
                stop.set()
                pool.shutdown(cancel_futures=True)
                missing = sum(key not in self._answers for key, _, _ in jobs)
                raise TeacherError(f"{failure} {self._kept(total - missing, total)}") from None
            finally:  # also when the user interrupts: what is in flight is still kept
                stop.set()
                pool.shutdown(cancel_futures=True)

    def _kept(self, done: int, total: int) -> str:
        if self.cache is None:
            return (
                f"{done} of {total} answers are held in memory by this teacher only; "
                "give cache=PATH to keep them on disk."
            )
        return (
            f"{done} of {total} answers are safe in the cache {self.cache.name}; "
            "call again to ask for the rest."
        )

    def _ask(self, client: httpx.Client, job: tuple[str, str, int], stop: threading.Event) -> None:
        """Ask until there is an answer, and keep it; TeacherError when there will be none."""
        key, prompt, repeat = job
        for attempt in range(self.retries + 1):
            if stop.is_set():
                return
            try:
                row = self._request(client, prompt)
                break
            except _Retry as failure:
                reason = failure
            if attempt < self.retries:
                with self._lock:
                    self.usage.retries += 1
                self._pause(self._wait(attempt, reason.wait), stop)
        else:
            tries = f"{attempt + 1} attempt" + "s" * (attempt > 0)
            raise TeacherError(f"no answer from {self.url} after {tries}: {reason}.")
        with self._lock:
            if self.cache is not None:
                known = {"key": key, "model": self.model, "prompt_sha": sha256_text(prompt)}
                asked = {"prompt": prompt, "options": self.options, "repeat": repeat}
                append_jsonl(self.cache, known | asked | row)
            self._answers[key] = row["answer"]
            self._count(row)

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Seconds before the next attempt: never less than the server asked for."""
        own = min(60.0, self.backoff * 2**attempt) * self._jitter.uniform(0.5, 1.0)
        return own if asked is None else min(LONGEST_WAIT, max(asked, own))

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        stop.wait(seconds)

    def _count(self, row: dict[str, Any]) -> None:
        self.usage.requests += 1
        self.usage.empty += not row["answer"]
        self.usage.unreported += row["prompt_tokens"] is None
        self.usage.prompt_tokens += row["prompt_tokens"] or 0
        self.usage.completion_tokens += row["completion_tokens"] or 0

    def _request(self, client: httpx.Client, prompt: str) -> dict[str, Any]:
        """One attempt: the answer, why it ended and its tokens, or _Retry, or TeacherError."""
        import httpx

        messages = [{"role": "user", "content": prompt}]
        body = {"model": self.model, "messages": messages, **self.options}
        try:
            response = client.post(self.url, json=body)
        except httpx.RequestError as error:
            raise _Retry(f"{type(error).__name__}: {error}") from error
        if response.status_code in RETRIED or response.status_code >= 500:
            wait = _seconds(response.headers.get("Retry-After"))
            raise _Retry(f"HTTP {response.status_code}: {_excerpt(response.text)}", wait)
        if not response.is_success:
            status = response.status_code
            raise TeacherError(
                f"{self.url} refused the request for model {self.model!r} with HTTP {status}: "
                f"{_excerpt(response.text)}.{_HINTS.get(status, '')}"
            )
        try:
            reply = response.json()
            choice = reply["choices"][0]
            answer = choice["message"]["content"] or ""
            if not isinstance(answer, str):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError):
            raise _Retry(
                f"the server's reply is not a chat completion: {_excerpt(response.text)}"
            ) from None
        usage = reply.get("usage") or {}
        tokens = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
        return {"answer": answer, "finish_reason": choice.get("finish_reason"), **tokens}


_HINTS = {
    401: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    403: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    404: " Check base_url (it usually ends in /v1) and the model's name on that server.",
}


def _excerpt(text: str, length: int = 200) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= length else text[:length] + "...")


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header (seconds or an HTTP date) in seconds from now."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return None
