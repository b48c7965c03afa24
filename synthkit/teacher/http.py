"""A teacher behind a server of the OpenAI chat protocol; no answer is lost or paid twice."""

from __future__ import annotations

import json
import os
import random
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..storage import append_jsonl, read_jsonl, sha256_text
from .base import PromptsFailed, TeacherError, checked, repeat_numbers, watched
from .chat_protocol import (
    LONGEST_WAIT,
    RETRIED,
    Odd,
    Secret,
    excerpt,
    read_body,
    read_reply,
    wait_of,
)
from .cleaning import FAILED, Reply, clean

if TYPE_CHECKING:
    import httpx

IN_A_ROW = 8  # so many prompts that fail one after another (or `concurrency`) end a run


@dataclass
class Usage:
    """What was asked of a server: answers given and reused, tokens as the server counts them."""

    requests: int = 0
    cached: int = 0
    retries: int = 0
    failed: int = 0  # prompts without an answer: refused by the server, or odd replies only
    empty: int = 0  # answers without text, for example cut off while the model was still thinking
    cut: int = 0  # answers that ran into max_tokens
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0  # answers for which the server gave no token counts

    def cost(self, per_million_prompt: float, per_million_completion: float) -> float:
        """Money spent, given the prices of a million tokens; unreported answers count as 0."""
        spent = self.prompt_tokens * per_million_prompt
        return (spent + self.completion_tokens * per_million_completion) / 1e6


class _Retry(Exception):
    """A failure that may pass; `wait` is the number of seconds the server asked for, if any.

    When it does not pass, it fails this `prompt` alone, or else the run.
    """

    def __init__(self, reason: str, wait: float | None = None, prompt: bool = False):
        super().__init__(reason)
        self.wait, self.prompt = wait, prompt


class _Run(threading.Event):
    """One call's requests; set when no further one is to be made."""

    in_a_row = 0  # prompts that failed since the last answer


class HTTPTeacher:
    """Answers by any server of the OpenAI chat protocol (vLLM, Ollama, llama.cpp, a proxy).

    Requests run `concurrency` at a time. Connection errors, time-outs, 408/409/425/429, 5xx and
    answers that cannot be read are tried again `retries` times with exponential back-off and
    jitter; a `Retry-After` header is honoured. Every answer is kept under a sha256 of (model,
    prompt, options) and, when `cache` names a JSONL file, appended to it at once, so a run that was
    stopped continues where it stood; empty answers are not kept. A prompt asked k times in one call
    gets k answers of its own, unless the temperature is 0.

    A request that the server refuses (HTTP 400 and such) and replies that stay odd fail their own
    prompt: its answer is empty, with the finish reason "error", and is counted in `usage.failed`. A
    wrong key or address, a server that is down, and many failures in a row end the call.

    Args:
        model: the model's name on the server.
        base_url: the part of the address before `/chat/completions`.
        api_key: sent as a bearer token, without white space around it, and never shown; default:
            the environment variable SYNTHKIT_API_KEY.
        temperature: of sampling.
        max_tokens: the longest answer, in tokens.
        concurrency: requests in flight.
        retries: further attempts after a failure that may pass.
        timeout: seconds that one request may take, from the connection to the last byte.
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
        self._key = Secret(os.environ.get("SYNTHKIT_API_KEY") if api_key is None else api_key)
        self._limit = "max_tokens"  # or max_completion_tokens, where a server refuses that
        self._transport = transport
        self._lock = threading.Lock()
        self._jitter = random.Random()  # its own: a retry must not move anybody's seeded draws
        self._answers = self._load()

    def __repr__(self) -> str:
        return f"HTTPTeacher({self.model!r}, {self._key.hide(self.url)!r})"

    def complete(
        self,
        prompts: list[str],
        *,
        progress: bool = False,
        repeats: Sequence[int] | None = None,
        on_answer: Callable[[int, Reply], None] | None = None,
    ) -> list[Reply]:
        """The server's answers, in the order of the prompts; known ones are not asked again.

        Args:
            repeats: how often each prompt was asked before; None counts within `prompts`.
            on_answer: called with a prompt's place and its answer as soon as that is there.

        Raises:
            TeacherError: the server is down or refuses everything, or no prompt got an answer.
                Answers that came before are kept, and the message says how many and where.
        """
        prompts = checked(prompts)
        jobs = self._jobs(prompts, repeat_numbers(prompts) if repeats is None else repeats)
        todo = {job[0]: job for job in jobs if job[0] not in self._answers}
        self.usage.cached += len(jobs) - len(todo)
        places: dict[str, list[int]] = {}
        for i, (key, _, _) in enumerate(jobs):
            places.setdefault(key, []).append(i)
        given: dict[str, Reply] = {}

        def keep(key: str, reply: Reply) -> None:
            given[key] = reply
            for i in places[key] if on_answer is not None else ():
                on_answer(i, reply)

        for key in places:
            if key in self._answers:
                keep(key, self._answers[key])
        if todo:
            self._ask_all(list(todo.values()), len(jobs), progress, keep)
        return [given[key] for key, _, _ in jobs]

    def _jobs(self, prompts: list[str], repeats: Sequence[int]) -> list[tuple[str, str, int]]:
        """(key, prompt, repeat) of each prompt; `repeat` tells equal prompts apart."""
        jobs = []
        for prompt, number in zip(prompts, repeats, strict=True):
            repeat = number if self.options["temperature"] else 0
            identity: list[Any] = [self.model, prompt, self.options]
            key = sha256_text(json.dumps(identity + [repeat] * bool(repeat), sort_keys=True))
            jobs.append((key, prompt, repeat))
        return jobs

    def _load(self) -> dict[str, Reply]:
        """The cache's answers; a last line that a crash cut short is asked again, as empty ones."""
        if self.cache is None or not self.cache.exists():
            return {}
        rows = read_jsonl(self.cache, tolerate_torn=True)
        try:
            answers = {row["key"]: Reply(row["answer"], row.get("finish_reason")) for row in rows}
        except KeyError as lost:
            raise ValueError(
                f"{self.cache.name} is not an answer cache: a row lacks {lost}; name another file"
            ) from None
        return {key: answer for key, answer in answers.items() if clean(answer)}

    def _ask_all(
        self,
        jobs: list[tuple[str, str, int]],
        total: int,
        progress: bool,
        keep: Callable[[str, Reply], None],
    ) -> None:
        import httpx

        stop = _Run()
        headers = {"Accept-Encoding": "gzip", **self._key.header()}
        with httpx.Client(
            headers=headers, timeout=self.timeout, transport=self._transport
        ) as client:
            pool = ThreadPoolExecutor(self.concurrency)
            futures = {pool.submit(self._ask, client, job, stop): job[0] for job in jobs}
            try:
                self._collect(futures, stop, total, progress, keep)
            except BaseException as failure:  # also when the user interrupts
                stop.set()
                pool.shutdown(cancel_futures=True)
                for future, key in futures.items():  # what was in flight is kept too
                    if not future.cancelled() and key in self._answers:
                        keep(key, self._answers[key])
                if not isinstance(failure, TeacherError):
                    raise
                missing = sum(key not in self._answers for key, _, _ in jobs)
                raise type(failure)(f"{failure} {self._kept(total - missing, total)}") from None
            finally:
                pool.shutdown()

    def _collect(
        self,
        futures: dict[Future, str],
        stop: _Run,
        total: int,
        progress: bool,
        keep: Callable[[str, Reply], None],
    ) -> None:
        """Hand on each reply as it comes; TeacherError when the run is not worth going on with."""
        failures = []
        for future in watched(as_completed(futures), progress=progress, total=len(futures)):
            reply = future.result()
            if isinstance(reply, _Retry):
                failures.append(str(reply))
                keep(futures[future], Reply("", FAILED))
            elif reply is not None:
                keep(futures[future], reply)
            if stop.is_set() and failures:
                raise TeacherError(f"{stop.in_a_row} prompts in a row failed: {failures[-1]}")
        failed = len(failures)
        self.usage.failed += failed
        if failed == total:
            raise PromptsFailed(failures[0])
        if failed:
            warnings.warn(
                f"{failed} of {len(futures)} prompts got no answer (finish reason 'error'); the "
                f"first: {failures[0]}",
                stacklevel=4,
            )

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

    def _ask(
        self, client: httpx.Client, job: tuple[str, str, int], stop: _Run
    ) -> Reply | _Retry | None:
        """Ask until there is an answer, and keep it.

        Returns:
            The answer, the failure of this prompt alone, or None where the run has stopped.

        Raises:
            TeacherError: the run has failed.
        """
        found = self._try(client, job, stop)
        with self._lock:
            if found is not None:
                stop.in_a_row = stop.in_a_row + 1 if isinstance(found, _Retry) else 0
            if stop.in_a_row >= max(IN_A_ROW, self.concurrency):
                stop.set()
        return found

    def _try(
        self, client: httpx.Client, job: tuple[str, str, int], stop: _Run
    ) -> Reply | _Retry | None:
        reason = None
        for attempt in range(self.retries + 1):
            if stop.is_set():
                return None
            try:
                return self._store(job, self._request(client, job[1]))
            except _Retry as failure:
                reason = failure
            except Odd as failure:
                reason = _Retry(str(failure), prompt=True)
            if attempt < self.retries:
                with self._lock:
                    self.usage.retries += 1
                self._pause(self._wait(attempt, reason.wait), stop)
        tries = f"{attempt + 1} attempt" + "s" * (attempt > 0)
        told = self._key.hide(f"no answer from {self.url} after {tries}: {reason}.")
        if reason.prompt:
            return _Retry(told)
        raise TeacherError(told)

    def _store(self, job: tuple[str, str, int], row: dict[str, Any] | _Retry) -> Reply | _Retry:
        """Keep an answer in memory and in the cache, unless it is empty, and count it."""
        if isinstance(row, _Retry):
            return row
        key, prompt, repeat = job
        reply = Reply(row["answer"], row["finish_reason"])
        with self._lock:
            if clean(reply):
                if self.cache is not None:
                    known = {"key": key, "model": self.model, "prompt_sha": sha256_text(prompt)}
                    asked = {"prompt": prompt, "options": self.options, "repeat": repeat}
                    append_jsonl(self.cache, known | asked | row)
                self._answers[key] = reply
            self.usage.requests += 1
            self.usage.empty += not clean(reply)
            self.usage.cut += row["finish_reason"] == "length"
            self.usage.unreported += row["prompt_tokens"] is None
            self.usage.prompt_tokens += row["prompt_tokens"] or 0
            self.usage.completion_tokens += row["completion_tokens"] or 0
        return reply

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Seconds before the next attempt: never less than the server asked for."""
        own = min(60.0, self.backoff * 2**attempt) * self._jitter.uniform(0.5, 1.0)
        return own if asked is None else min(LONGEST_WAIT, max(asked, own))

    def _pause(self, seconds: float, stop: _Run) -> None:
        stop.wait(seconds)

    def _request(self, client: httpx.Client, prompt: str) -> dict[str, Any] | _Retry:
        """One attempt: the answer, why it ended and its tokens, or this prompt's failure.

        Raises:
            _Retry, Odd: a failure that may pass. TeacherError: one that will not.
        """
        limit = self._limit
        status, headers, body = self._post(client, prompt, limit)
        told = f"HTTP {status}: {excerpt(body)}"
        if status in RETRIED or status >= 500:
            raise _Retry(told, wait_of(headers))
        if 200 <= status < 300:
            return read_reply(body)
        if status in (400, 422) and limit == "max_tokens" and b"max_completion_tokens" in body:
            self._limit = "max_completion_tokens"  # OpenAI's newer models refuse the older name
            return self._request(client, prompt)
        refused = self._key.hide(
            f"{self.url} refused the request for model {self.model!r} with {told}."
            f"{_HINTS.get(status, '')}"
        )
        if status in _HINTS:
            raise TeacherError(refused)
        return _Retry(refused)

    def _post(self, client: httpx.Client, prompt: str, limit: str) -> tuple[int, Any, bytes]:
        """Status, headers and body of the server's response, within `timeout` seconds."""
        import httpx

        messages = [{"role": "user", "content": prompt}]
        options = {limit if k == "max_tokens" else k: v for k, v in self.options.items()}
        until = monotonic() + self.timeout
        asked = {"model": self.model, "messages": messages, **options}
        try:
            with client.stream("POST", self.url, json=asked) as response:
                return response.status_code, response.headers, read_body(response, until)
        except httpx.TimeoutException as error:
            slow = f"{type(error).__name__}: no answer within {self.timeout:g} seconds"
            raise _Retry(slow, prompt=not isinstance(error, httpx.ConnectTimeout)) from error
        except httpx.RequestError as error:
            raise _Retry(f"{type(error).__name__}: {error}") from error


_HINTS = {
    401: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    402: " The account has no credit left.",
    403: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    404: " Check base_url (it usually ends in /v1) and the model's name on that server.",
    405: " Check base_url (it usually ends in /v1).",
}
