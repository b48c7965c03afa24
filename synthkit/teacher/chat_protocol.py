"""Wire protocol of a chat server: a key that stays hidden, bodies, replies."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import Any

from .cleaning import whole_characters

RETRIED = {408, 409, 425, 429}  # and every 5xx: what may pass if asked again later
LONGEST_WAIT = 600.0  # seconds; a server that asks for more is treated as if it asked for this
LARGEST_BODY = 16 << 20  # bytes of a response, unpacked


class Odd(Exception):
    """A response that is no chat completion; the message shows its start."""


class Secret:
    """An API key that no error, log or listing of attributes shows.

    Args:
        key: the key, or None; white space around it (a line end in a file of keys) is taken away.

    Raises:
        ValueError: it holds white space or characters that no HTTP header can carry.
    """

    def __init__(self, key: str | None):
        key = (key or "").strip()
        wrong = next((i for i, sign in enumerate(key) if not "!" <= sign <= "~"), None)
        if wrong is not None:
            raise ValueError(
                f"api_key has a space, line end or non-ASCII character at place {wrong} of "
                f"{len(key)}; give the key alone"
            )
        self._show = lambda: key

    def __repr__(self) -> str:
        return "Secret('***')" if self._show() else "Secret(None)"

    def __reduce__(self) -> Any:
        raise TypeError("an API key is not to be copied or written to disk; make a new teacher")

    def header(self) -> dict[str, str]:
        """The HTTP header that carries it, if there is one."""
        return {"Authorization": f"Bearer {self._show()}"} if self._show() else {}

    def hide(self, text: str) -> str:
        """`text` without the key, and without a password inside an address."""
        text = text.replace(self._show(), "***") if self._show() else text
        return re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)


def read_body(response: Any, until: float) -> bytes:
    """The body of a streamed `httpx` response, unpacked.

    Args:
        until: the time, on the `monotonic` clock, by which it must be there.

    Raises:
        httpx.ReadTimeout: it was not.
        Odd: it is larger than `LARGEST_BODY`, or packed in a way that was not asked for.
    """
    import httpx

    if response.is_stream_consumed:  # a stand-in for a server has read it already
        return response.content
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise Odd(f"the server's response is packed as {coding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(wbits=47) if coding not in ("", "identity") else None  # both kinds
    body = bytearray()
    for chunk in response.iter_raw():
        try:
            body += unpack.decompress(chunk, LARGEST_BODY + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise Odd(f"the server's response cannot be unpacked: {error}") from None
        if len(body) > LARGEST_BODY:
            raise Odd(f"the server's response is larger than {LARGEST_BODY >> 20} MiB")
        if monotonic() > until:
            raise httpx.ReadTimeout("the response was too slow")
    return bytes(body)


def read_reply(body: bytes) -> dict[str, Any]:
    """Answer, finish reason and token counts of a chat completion; None where it gives none.

    Raises:
        Odd: it is none.
    """
    try:
        reply = json.loads(body.decode("utf-8", "replace"))
        choice = reply["choices"][0]
        message = choice["message"]
        answer = _text(message["content"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Odd(f"the server's reply is not a chat completion: {excerpt(body)}") from None
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


def excerpt(body: bytes, length: int = 200) -> str:
    """The start of a body, on one line, for a message."""
    text = " ".join(body[: 8 * length].decode("utf-8", "replace").split())
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
