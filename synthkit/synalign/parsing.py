"""A tolerant parser: what models answer, as a flat record of attributes or as a reason why not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.texts import same_key
from ..teacher.replies import clean, judge

if TYPE_CHECKING:
    from .attributes import Attribute

Record = dict[str, str]  # attribute -> value

REASONS = (
    "failed", "cut", "empty", "refused",  # what `synthkit.teacher.judge` says
    "no record", "nested", "invalid", "two values", "missing",
)  # fmt: skip


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer as it was read, or why it could not be.

    Attributes:
        record: attribute to value, or None when the answer cannot be used.
        reason: then one of `REASONS`, else None.
        detail: what was found, for a person to read.
    """

    record: Record | None
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Descriptions:
    """Records that `describe` found, one entry per text.

    Attributes:
        records: the record, or None where there is none.
        tries: calls that were made for the text.
        origin: "answer" (of the teacher), "read" (from the text itself) or "none".
        details: what was wrong with the last answer, "" if nothing.
        reasons: how many answers failed, by reason.
    """

    records: tuple[Record | None, ...]
    tries: tuple[int, ...]
    origin: tuple[str, ...]
    details: tuple[str, ...]
    reasons: dict[str, int]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def complete(self) -> list[int]:
        """The texts that have a record."""
        return [i for i, record in enumerate(self.records) if record is not None]

    @property
    def counts(self) -> dict[str, int]:
        """Texts by origin, calls in all, and failed answers by reason."""
        origin = {kind: self.origin.count(kind) for kind in ("answer", "read", "none")}
        return {"texts": len(self), **origin, "calls": sum(self.tries), **self.reasons}


def plain(value: Any) -> str:
    """A name or value for comparison: no case, no quotes or marks around it, single spaces."""
    return same_key(re.sub(r"[\s_-]+", " ", str(value)).strip(" \"'`*.,;:"))


def parse_record(answer: str, attributes: Sequence[Attribute]) -> ParsedAnswer:
    """A model's answer as a flat record of `attributes`, or the reason why it is none.

    Thoughts and code fences are taken away. JSON objects come first; `key: value` lines are looked
    for only where no object holds a known key. Of several readings the first whole record wins. An
    answer that was cut off is of use if its record is whole.

    Raises:
        TypeError: the answer is not a str.
    """
    if not isinstance(answer, str):
        raise TypeError(f"an answer must be a str, got {type(answer).__name__}")
    text = re.sub(r"```\w*", "", clean(answer)).strip()
    reason = judge(answer)
    known = {plain(attribute.name) for attribute in attributes}
    objects = [pairs for piece in json_objects(text) if (pairs := _pairs(piece))]
    found = [
        pairs
        for pairs in objects
        if any(plain(key) in known or isinstance(value, list) for key, value in pairs)
    ]
    if not found and (pairs := _lines(text, [attribute.name for attribute in attributes])):
        found = [pairs]
    parsed = [_settled(pairs, attributes) for pairs in found]
    whole = [each for each in parsed if each.record is not None]
    shown = f"no known key in {text[:60]!r}" if text else "the answer holds no text"
    nothing = ParsedAnswer(None, reason or "no record", shown)
    return (whole or ([] if reason else parsed) or [nothing])[0]


def json_objects(text: str) -> list[str]:
    """The outermost `{...}` of a text, in order; one that is never closed runs to the end.

    Braces are counted; one inside a quoted string does not count.
    """
    found, depth, start = [], 0, 0
    for sign in re.finditer(r'"(?:\\.|[^"\\\n])*"|[{}]', text):
        if sign[0] == "{":
            start = start if depth else sign.start()
            depth += 1
        elif sign[0] == "}" and depth:
            depth -= 1
            if not depth:
                found.append(text[start : sign.end()])
    return [*found, text[start:]] if depth else found


def _pairs(piece: str) -> list[tuple[str, Any]] | None:
    """The (key, value) pairs of a JSON object, or None when it is none; objects become lists.

    A trailing comma is forgiven. A key given twice comes twice.
    """
    for text in (piece, re.sub(r",\s*([}\]])", r"\1", piece)):
        try:
            return json.loads(text, object_pairs_hook=list, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _lines(text: str, names: Iterable[str]) -> list[tuple[str, Any]]:
    """(name, value) wherever a known name is followed by a colon; a bracket counts as nested.

    A name stands at the start of a line, perhaps after a bullet, or after a comma or brace; its
    value goes on to the next known name or to the line's end.
    """
    every = sorted(names, key=len, reverse=True)
    known = "|".join(r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", name))) for name in every)
    marks = "[ \\t>*\\-(\"'`_#\\d.)]*"
    key = re.compile(rf"(?im)(?:^|[{{,;|]){marks}({known})[\"'`*_)]*[ \t]*[:=][*_]*[ \t]*")
    found = list(key.finditer(text))
    pairs = []
    for here, after in zip(found, [*found[1:], None]):
        value = text[here.end() : after.start() if after else len(text)].split("\n")[0].strip()
        if quoted := re.match(r"""(["'])(.*?)\1\s*(?:[,;|}\]]|$)""", value):
            value = quoted[2]
        elif text.rfind("{", 0, here.end()) > text.rfind("}", 0, here.end()):  # a broken object
            value = re.split(r",\s*[\w\s\"'-]{1,40}:", value)[0]
        nested = value.startswith(("{", "["))
        pairs.append((here[1], [] if nested else value.strip("\"'`*,;{} \t|")))
    return pairs


def _settled(pairs: Iterable[tuple[str, Any]], attributes: Sequence[Attribute]) -> ParsedAnswer:
    """The record that pairs make, or why they make none; names nobody asked for are passed over."""
    known = {plain(attribute.name): attribute for attribute in attributes}
    record: Record = {}
    deep = None
    for key, value in pairs:
        attribute = known.get(plain(key))
        if isinstance(value, list):
            deep = deep or key
            if attribute is not None:
                return ParsedAnswer(None, "nested", f"{attribute.name} holds an object or a list")
        if attribute is None or _blank(value, attribute):
            continue
        if (valid := attribute.canonical(value)) is None:
            expected = ", ".join(attribute.values or ())
            detail = f"{attribute.name} is {value!r}; valid: {expected}"
            return ParsedAnswer(None, "invalid", detail)
        if record.setdefault(attribute.name, valid) != valid:
            detail = f"{attribute.name} is {record[attribute.name]!r} and {valid!r}"
            return ParsedAnswer(None, "two values", detail)
    missing = ", ".join(each.name for each in attributes if each.name not in record)
    if missing and deep:
        return ParsedAnswer(None, "nested", f"{deep} holds an object or a list; no {missing}")
    if missing:
        return ParsedAnswer(None, "missing", f"no {missing}")
    return ParsedAnswer({attribute.name: record[attribute.name] for attribute in attributes})


def _blank(value: Any, attribute: Attribute) -> bool:
    """True if a value says nothing: null, or a word for it that is not valid here."""
    empty = value is None or plain(value) in ("", "null", "none", "n/a")
    return empty and (attribute.values is None or attribute.canonical(value) is None)
