"""A teacher behind a server of the OpenAI chat protocol; no answer is lost or paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.arguments import as_count, as_number
from ..core.files import append_jsonl, read_jsonl, sha256_text
from .base import PromptsFailed, TeacherError, checked, repeat_numbers, request_options, watched
from .chat_protocol import LONGEST_WAIT, ChatServer, Failed, Secret, event_loop, split_address
from .cleaning import FAILED, Reply, clean

if TYPE_CHECKING:
    import httpx

IN_A_ROW = 8  # so many prompts that fail one after another (or `concurrency`) end a run


@dataclass
class Usage:
    """Requests made of a server: answers given and reused, tokens as the server counts them."""

    requests: int = 0
    cached: int = 0
    retries: int = 0
    failed: int = 0  # prompts without an answer: refused by the server, or odd replies only
    empty: int = 0  # answers without text, for example cut off while the model was still thinking
    cut: int = 0  # answers that ran into max_tokens
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0  # answers for which the server gave no token counts

    def count(self, row: dict[str, Any], *, empty: bool) -> None:
        """Add one answer of the server (see `read_reply`)."""
        self.requests += 1
        self.empty += empty
        self.cut += row["finish_reason"] == "length"
        self.unreported += row["prompt_tokens"] is None
        self.prompt_tokens += row["prompt_tokens"] or 0
        self.completion_tokens += row["completion_tokens"] or 0

    def cost(self, per_million_prompt: float, per_million_completion: float) -> float:
        """Money spent, given the prices of a million tokens; unreported answers count as 0."""
        spent = self.prompt_tokens * per_million_prompt
        return (spent + self.completion_tokens * per_million_completion) / 1e6


class _Job(NamedTuple):
    """One answer to ask for; `repeat` tells equal prompts apart."""

    key: str
    prompt: str
    repeat: int


class _Run(asyncio.Event):
    """One call's requests; set when no further one is to be made."""

    def __init__(self, concurrency: int):
        super().__init__()
        self.slots = asyncio.Semaphore(concurrency)
        self.in_a_row = 0  # prompts that failed since the last answer


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
        base_url: the part of the address before `/chat/completions`. A name and password in it
            (`https://name:password@host`) are sent instead of a key, and never shown.
        api_key: sent as a bearer token, without white space around it, and never shown; default:
            the environment variable SYNTHKIT_API_KEY.
        temperature: of sampling.
        max_tokens: the longest answer, in tokens.
        concurrency: requests in flight.
        retries: further attempts after a failure that may pass.
        timeout: seconds that one request may take as a whole; half of them for the connection.
        cache: a JSONL file for the answers (made when missing), or None to keep them in memory.
        backoff: seconds before the first retry; doubled each time, at most 60.
        transport: an asynchronous `httpx` transport, for tests.
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
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Any,
    ):
        url, user = split_address(base_url)
        if not isinstance(model, str) or not model:
            raise ValueError(f"model must be the model's name on the server, got {model!r}")
        self.name = self.model = model
        self.options = request_options(temperature, max_tokens, options)
        self.concurrency = as_count(concurrency, "concurrency")
        self.retries = as_count(retries, "retries", least=0)
        self.backoff = as_number(backoff, "backoff")
        self.cache = Path(cache) if cache is not None else None
        self.usage = Usage()
        key = Secret(os.environ.get("SYNTHKIT_API_KEY") if api_key is None else api_key)
        key = Secret(user, "Basic") if user else key
        timeout = as_number(timeout, "timeout", zero=False)
        self._server = ChatServer(f"{url}/chat/completions", model, self.options, key, timeout)
        self._transport = transport
        self._jitter = random.Random()  # its own: a retry must not move anybody's seeded draws
        self._answers = self._load()

    def __repr__(self) -> str:
        return f"HTTPTeacher({self.model!r}, {self._server.key.hide(self._server.url)!r})"

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
        places: dict[_Job, list[int]] = defaultdict(list)
        for i, job in enumerate(jobs):
            places[job].append(i)
        given: dict[_Job, Reply] = {}

        def keep(job: _Job, reply: Reply) -> None:
            given[job] = reply
            if on_answer is not None:
                for i in places[job]:
                    on_answer(i, reply)

        todo = [job for job in places if job.key not in self._answers]
        for job in places:
            if job.key in self._answers:
                keep(job, self._answers[job.key])
        self.usage.cached += len(jobs) - len(todo)
        if todo:
            self._ask_all(todo, len(jobs), progress, keep, told=on_answer is not None)
        return [given[job] for job in jobs]

    def _jobs(self, prompts: list[str], repeats: Sequence[int]) -> list[_Job]:
        jobs = []
        for prompt, number in zip(prompts, repeats, strict=True):
            repeat = number if self.options["temperature"] else 0
            identity: list[Any] = [self.model, prompt, self.options]
            key = sha256_text(json.dumps(identity + [repeat] * bool(repeat), sort_keys=True))
            jobs.append(_Job(key, prompt, repeat))
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
        self, jobs: list[_Job], total: int, progress: bool, keep: Callable[[_Job, Reply], None],
        *, told: bool,
    ) -> None:  # fmt: skip
        """Ask for all jobs; whatever ends the run, the answers that are in flight are kept.

        Args:
            told: True where the caller gets each answer as it comes, and says what is kept.
        """
        run = _Run(self.concurrency)
        client = self._server.client(self.concurrency, self._transport)
        with event_loop() as loop:
            submit = partial(asyncio.run_coroutine_threadsafe, loop=loop)
            futures = {submit(self._ask(client, job, run)): job for job in jobs}
            try:
                self._collect(futures, total, progress, keep)
            except BaseException as failure:  # also when the user interrupts
                loop.call_soon_threadsafe(run.set)
                wait(futures)
                answered = [job for job in jobs if job.key in self._answers]
                for job in answered:
                    keep(job, self._answers[job.key])
                if not isinstance(failure, TeacherError) or (told and self.cache is None):
                    raise
                done = total - len(jobs) + len(answered)
                raise type(failure)(f"{failure} {self._kept(done, total)}") from None
            finally:
                submit(client.aclose()).result()

    def _collect(
        self,
        futures: dict[Future[Reply | None], _Job],
        total: int,
        progress: bool,
        keep: Callable[[_Job, Reply], None],
    ) -> None:
        """Hand on each reply as it comes; TeacherError when the run is not worth going on with."""
        failures = []
        for future in watched(as_completed(futures), progress=progress, total=len(futures)):
            try:
                if (reply := future.result()) is not None:
                    keep(futures[future], reply)
            except PromptsFailed as failure:
                failures.append(failure)
                keep(futures[future], Reply("", FAILED))
        self.usage.failed += len(failures)
        if len(failures) == total:
            raise failures[0]
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(futures)} prompts got no answer (finish reason "
                f"{FAILED!r}); the first: {failures[0]}",
                stacklevel=4,
            )

    def _kept(self, done: int, total: int) -> str:
        where = "held in memory by this teacher only; give cache=PATH to keep them on disk."
        if self.cache is not None:
            where = f"safe in the cache {self.cache.name}; call again to ask for the rest."
        return f"{done} of {total} answers are {where}"

    async def _ask(self, client: httpx.AsyncClient, job: _Job, run: _Run) -> Reply | None:
        """The answer, once there is one and it is kept; None where the run has stopped.

        Raises:
            PromptsFailed: this prompt alone has failed. TeacherError: the run has.
        """
        async with run.slots:
            try:
                reply = await self._try(client, job, run)
                run.in_a_row = 0
                return reply
            except PromptsFailed as failure:
                run.in_a_row += 1
                if run.in_a_row < max(IN_A_ROW, self.concurrency):
                    raise
                run.set()
                raise TeacherError(f"{run.in_a_row} prompts in a row failed: {failure}") from None
            except BaseException:
                run.set()
                raise

    async def _try(self, client: httpx.AsyncClient, job: _Job, run: _Run) -> Reply | None:
        for attempt in range(self.retries + 1):
            if run.is_set():
                return None
            try:
                return self._store(job, await self._server.answer(client, job.prompt))
            except Failed as error:
                failure = error
            if attempt < self.retries:
                self.usage.retries += 1
                await self._pause(self._wait(attempt, failure.wait), run)
        tries = f"{attempt + 1} attempt{'s' * (attempt > 0)}"
        told = f"no answer from {self._server.url} after {tries}: {failure}."
        raise (PromptsFailed if failure.prompt else TeacherError)(self._server.key.hide(told))

    def _store(self, job: _Job, row: dict[str, Any]) -> Reply:
        """Keep an answer in memory and in the cache, unless it is empty, and count it."""
        reply = Reply(row["answer"], row["finish_reason"])
        if clean(reply):
            if self.cache is not None:
                known = {"key": job.key, "model": self.model, "prompt_sha": sha256_text(job.prompt)}
                asked = {"prompt": job.prompt, "options": self.options, "repeat": job.repeat}
                append_jsonl(self.cache, known | asked | row)
            self._answers[job.key] = reply
        self.usage.count(row, empty=not clean(reply))
        return reply

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Seconds before the next attempt: never less than the server asked for."""
        own = min(60.0, self.backoff * 2**attempt) * self._jitter.uniform(0.5, 1.0)
        return own if asked is None else min(LONGEST_WAIT, max(asked, own))

    async def _pause(self, seconds: float, run: _Run) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(run.wait(), seconds)
