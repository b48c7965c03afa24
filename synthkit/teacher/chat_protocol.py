"""Wire protocol of a chat server: one request, its key, its reply; see `http` for many."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .base import PromptsFailed, TeacherError
from .cleaning import whole_characters

if TYPE_CHECKING:
    import httpx

RETRIED = {408, 409, 425, 429}  # and every 5xx: what may pass if asked again later
LONGEST_WAIT = 600.0  # seconds; a server that asks for more is treated as if it asked for this
LARGEST_BODY = 16 << 20  # bytes of a response, unpacked
HINTS = {  # what no request to this address will ever pass, and what to do about it
    401: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    402: " The account has no credit left.",
    403: " Check api_key, or the environment variable SYNTHKIT_API_KEY.",
    404: " Check base_url (it usually ends in /v1) and the model's name on that server.",
    405: " Check base_url (it usually ends in /v1).",
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        " A key is not sent on to another address: give the one that answers as base_url.",
    ),
}


class Failed(Exception):
    """A failed attempt that may pass when it is repeated.

    Args:
        wait: seconds that the server asks to wait, if it does.
        prompt: whether a failure that stays is this prompt's alone, not the server's.
    """

    def __init__(self, reason: str, wait: float | None = None, *, prompt: bool = False):
        super().__init__(reason)
        self.wait, self.prompt = wait, prompt


class Odd(Failed):
    """A response that is no chat completion; the message shows its start."""

    def __init__(self, reason: str):
        super().__init__(reason, prompt=True)


class Secret:
    """An API key that no error, log or listing of attributes shows.

    Args:
        key: the key, or None; white space around it (a line end in a file of keys) is taken away.
        scheme: of the HTTP header that carries it.

    Raises:
        ValueError: it holds white space or characters that no HTTP header can carry.
    """

    def __init__(self, key: str | None, scheme: str = "Bearer"):
        if not isinstance(key, str | None):
            raise TypeError(f"api_key must be a text, got {type(key).__name__}")
        key = (key or "").strip()
        wrong = next((i for i, sign in enumerate(key) if not "!" <= sign <= "~"), None)
        if wrong is not None:
            raise ValueError(
                f"api_key has a space, line end or non-ASCII character at place {wrong} of "
                f"{len(key)}; give the key alone"
            )
        self._show, self._scheme = lambda: key, scheme

    def __repr__(self) -> str:
        return "Secret('***')" if self._show() else "Secret(None)"

    def __reduce__(self) -> Any:
        raise TypeError("an API key is not to be copied or written to disk; make a new teacher")

    def header(self) -> dict[str, str]:
        """The HTTP header that carries it, if there is one."""
        return {"Authorization": f"{self._scheme} {self._show()}"} if self._show() else {}

    def hide(self, text: str) -> str:
        """`text` without the key, and without a password inside an address."""
        text = text.replace(self._show(), "***") if self._show() else text
        return re.sub(r"(https?://)[^/\s]+@", r"\1***@", text)


def split_address(base_url: Any) -> tuple[str, str | None]:
    """The address without name and password, and these two as HTTP's basic scheme sends them.

    Raises:
        ValueError: it is no address of a server.
    """
    try:
        parts = urlsplit(base_url if isinstance(base_url, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("no such address")
    except ValueError as error:
        shown = Secret(None).hide(repr(base_url))
        raise ValueError(
            "base_url must start with http:// or https://, and name a host (and a port from 1 to "
            f"65535), got {shown} ({error})"
        ) from None
    user, _, host = parts.netloc.rpartition("@")
    url = urlunsplit(parts._replace(netloc=host)).rstrip("/")
    return url, b64encode(unquote(user).encode()).decode() if user else None


class ChatServer:
    """One model behind the chat protocol, asked for one answer at a time.

    Args:
        url: where the requests go.
        model, options: of every request.
        key: see `Secret`.
        timeout: seconds for one request, from the connection to the last byte.
    """

    def __init__(self, url: str, model: str, options: dict[str, Any], key: Secret, timeout: float):
        self.url, self.model, self.options, self.timeout = url, model, options, timeout
        self.key = key
        self._limit = "max_tokens"  # or max_completion_tokens, where a server refuses that

    def client(self, connections: int, transport: Any = None) -> httpx.AsyncClient:
        """A client that holds as many connections to the server at most."""
        import httpx

        return httpx.AsyncClient(
            headers={"Accept-Encoding": "gzip", **self.key.header()},
            timeout=httpx.Timeout(None, connect=self.timeout / 2),  # of the whole: see `_post`
            limits=httpx.Limits(max_connections=connections),
            transport=transport,
        )

    async def answer(self, client: httpx.AsyncClient, prompt: str) -> dict[str, Any]:
        """Ask once: the answer, why it ended and its tokens (see `read_reply`).

        Raises:
            Failed: it may pass. PromptsFailed: this prompt is refused. TeacherError: all are.
        """
        limit = self._limit
        status, headers, body = await self._post(client, prompt, limit)
        told = f"HTTP {status}: {excerpt(body, self.key.hide)}"
        if status in RETRIED or status >= 500:
            raise Failed(told, wait_of(headers))
        if 200 <= status < 300:
            return read_reply(body, self.key.hide)
        if status in (400, 422) and limit == "max_tokens" and b"max_completion_tokens" in body:
            self._limit = "max_completion_tokens"  # OpenAI's newer models refuse the older name
            return await self.answer(client, prompt)
        refused = f"{self.url} refused the request for model {self.model!r} with {told}."
        refused += HINTS.get(status, "")
        raise (TeacherError if status in HINTS else PromptsFailed)(refused)

    async def _post(
        self, client: httpx.AsyncClient, prompt: str, limit: str
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body of the response, all within `timeout` seconds.

        The limits of httpx (and of the clients built on it) are those of a single read, which a
        server that drips its headers never passes; only a task can be stopped as a whole.
        """
        import httpx

        options = {limit if k == "max_tokens" else k: v for k, v in self.options.items()}
        messages = [{"role": "user", "content": prompt}]
        asked = {"model": self.model, "messages": messages, **options}

        async def exchange() -> tuple[int, httpx.Headers, bytes]:
            async with client.stream("POST", self.url, json=asked) as response:
                return response.status_code, response.headers, await read_body(response)

        try:
            return await asyncio.wait_for(exchange(), self.timeout)
        except (asyncio.TimeoutError, httpx.TimeoutException) as error:
            slow = f"{type(error).__name__}: no answer within {self.timeout:g} seconds"
            raise Failed(slow, prompt=not isinstance(error, httpx.ConnectTimeout)) from error
        except httpx.RequestError as error:
            raise Failed(f"{type(error).__name__}: {error}") from error


async def read_body(response: httpx.Response) -> bytes:
    """The body of a streamed response, unpacked.

    Raises:
        Odd: it is larger than `LARGEST_BODY`, or packed in a way that was not asked for.
    """
    if response.is_stream_consumed:  # a stand-in for a server has read it already
        return response.content
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise Odd(f"the server's response is packed as {coding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(wbits=47) if coding not in ("", "identity") else None  # both kinds
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += unpack.decompress(chunk, LARGEST_BODY + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise Odd(f"the server's response cannot be unpacked: {error}") from None
        if len(body) > LARGEST_BODY:
            raise Odd(f"the server's response is larger than {LARGEST_BODY >> 20} MiB")
    return bytes(body)


def read_reply(body: bytes, hide: Callable[[str], str] = str) -> dict[str, Any]:
    """Answer, finish reason and token counts of a chat completion; None where it gives none.

    Args:
        hide: takes secrets out of what an error shows.

    Raises:
        Odd: it is none.
    """
    try:
        reply = json.loads(body.decode("utf-8", "replace"))
        choice = reply["choices"][0]
        message = choice["message"]
        answer = _text(message["content"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Odd(f"the server's reply is not a chat completion: {excerpt(body, hide)}") from None
    reason = choice.get("finish_reason")
    if not answer and isinstance(message.get("refusal"), str):
        reason = "content_filter"
    usage = reply.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    names = ("prompt_tokens", "completion_tokens")
    tokens = {name: counts.get(name) for name in names}
    tokens = {k: v if type(v) is int and v >= 0 else None for k, v in tokens.items()}
    reason = reason if isinstance(reason, str) else None
    return {"answer": whole_characters(answer), "finish_reason": reason, **tokens}


def _text(content: Any) -> str:
    """A message's content, which may be null or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") in ("text", None))
    if not isinstance(content, str):
        raise TypeError
    return content


def excerpt(body: bytes, hide: Callable[[str], str] = str, length: int = 200) -> str:
    """The start of a body, on one line, for a message; secrets go before it is cut."""
    text = " ".join(hide(body[: 64 * length].decode("utf-8", "replace"))[: 8 * length].split())
    return repr(text if len(text) <= length else text[:length] + "...")


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After header (seconds or an HTTP date) asks for, or None."""
    asked = headers.get("Retry-After")
    if asked is None:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time())
    except (ValueError, OverflowError):
        return None


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own, since a notebook's is busy with its cell."""
    started: Future[asyncio.AbstractEventLoop] = Future()
    done = asyncio.Event()

    async def serve() -> None:
        started.set_result(asyncio.get_running_loop())
        await done.wait()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        yield started.result()
    finally:
        started.result().call_soon_threadsafe(done.set)
        thread.join()
