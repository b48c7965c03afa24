"""Cleaning of models' replies: thoughts, fences, preambles, refusals."""

from __future__ import annotations

import re

CUT = ("length", "max_tokens", "max_output_tokens")  # a reply that ran into its limit
FAILED = "error"  # there was no reply; see `HTTPTeacher`

_NAMES = r"(?:think|thinking|thought|thoughts|reasoning)"
_OPEN = re.compile(rf"<{_NAMES}>|\[THINK\]", re.I)
_CLOSE = re.compile(rf"</{_NAMES}>|\[/THINK\]", re.I)
_FENCED = re.compile(r"(?s)\s*(```+|~~~+)[ \t]*[\w+.-]*[ \t]*\n(.*?)\s*(?:\1`*~*\s*)?")
_YES = r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|gladly)\b"
_PREAMBLE = re.compile(  # "Sure, here is one: ", "Here is the review:" on its own line, "Sure!"
    rf"[\s*_#]*(?:{_YES}[^\n:]{{0,60}}?\b(?:here|below)\b[^\n:]{{0,100}}:|"
    rf"(?:here(?:['’]s| is| are)|below is)\b[^\n:]{{0,100}}:[ \t*]*(?=\n)|"
    r"(?:sure|certainly|of course)\b[^\w\n:]*(?=\n))[ \t*]*\n*",
    re.I,
)
_CANNOT = r"(?:can(?:no|['’])t|cannot|won['’]t|am (?:unable|not able)|['’]m (?:unable|not able))"
_HELP = (
    r"(?:to )?(?:help|assist|comply|fulfil\w*|provide|generate|create|write|produce|answer|"
    r"continue with|do that|discuss)\b"
)
_REFUSAL = re.compile(
    rf"(?:as an ai\b|i must decline\b|"
    rf"(?:i(?:['’]m| am) (?:very |really )?sorry|sorry|apologies|unfortunately)\b[,.:]? *(?:but )?"
    rf"(?:as an ai\b|i ?{_CANNOT} {_HELP})|"
    rf"i ?{_CANNOT} (?:to )?(?:help|assist|comply|fulfil\w*)\b)",
    re.I,
)


class Reply(str):
    """A teacher's reply; a str that also knows why it ended.

    Attributes:
        finish_reason: as the server or the model says: "stop", "length" (cut off), "error" (there
            was no reply), ..., or None where nothing is known.
    """

    finish_reason: str | None

    def __new__(cls, text: str = "", finish_reason: str | None = None) -> Reply:
        """The same text with a finish reason; None keeps the one that `text` has."""
        reply = super().__new__(cls, text)
        reply.finish_reason = finish_reason or getattr(text, "finish_reason", None)
        return reply


def whole_characters(text: str) -> str:
    """`text` without lone surrogates: a pair becomes its character, half of one becomes "�"."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(text: str) -> Reply:
    """The text that a reply is about, with the reply's finish reason.

    Thoughts go (closed, unclosed or closed without a beginning), and so do a preamble such as
    "Sure, here is a review:", a fence around the whole, white space around it, and lone surrogates.
    """
    found = whole_characters(text).replace("\r\n", "\n")
    found = _without_thoughts(found).strip()
    for _ in range(4):  # a preamble, a fence, and one of each inside it
        found = _bare(found)
    return Reply(found, getattr(text, "finish_reason", None))


def judge(reply: str) -> str | None:
    """Judge a reply: "failed", "cut", "empty" or "refused" if it must not be used, else None."""
    reason = getattr(reply, "finish_reason", None)
    if reason == FAILED:
        return "failed"
    if reason in CUT:
        return "cut"
    text = clean(reply)
    if reason == "content_filter" or _REFUSAL.match(text):
        return "refused"
    return None if text else "empty"


def _without_thoughts(text: str) -> str:
    pieces, place = [], 0
    while start := _OPEN.search(text, place):
        end = _CLOSE.search(text, start.end())
        pieces.append(text[place : start.start()])
        place = end.end() if end else len(text)
    text = "".join([*pieces, text[place:]])
    stray = list(_CLOSE.finditer(text))
    return text[stray[-1].end() :] if stray else text


def _bare(text: str) -> str:
    """`text` without a preamble, or without the fence around all of it."""
    preamble = _PREAMBLE.match(text)
    if preamble and text[preamble.end() :].strip():
        return text[preamble.end() :].strip()
    fenced = _FENCED.fullmatch(text)
    if fenced and fenced[1] not in fenced[2]:
        return fenced[2].strip("\n")
    return text
