"""Reader of a teacher's replies to EmbedSDG's prompts, and the filter that they must pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..evaluation.contamination import HeldOut, question_key
from ..evaluation.text import shingles, words
from ..teacher.cleaning import clean, judge
from .prompts import PLACEHOLDER

UNUSABLE = ("failed", "cut", "empty", "refused")  # what `synthkit.teacher.judge` says
MISSING = (*UNUSABLE, "missing question", "missing answer", "no final")
EXPORTED = ("id", "prompt_sha", "prompt", "seeds", "seed_questions")  # in a row of prompts


def as_exported(rows: Sequence[Mapping], name: str) -> Sequence[Mapping]:
    """`rows` of a file of exported prompts; ValueError, naming the file, where they are none."""
    for i, row in enumerate(rows):
        lost = [each for each in EXPORTED if each not in row]
        if lost:
            swapped = "are the two files swapped?" if "answer" in row else ""
            raise ValueError(
                f"{name} holds no exported prompts: row {i} (from 0) lacks {', '.join(lost)}; "
                f"{swapped or 'give the file that export_prompts wrote'}"
            )
    return rows


@dataclass(frozen=True)
class Parsed:
    """A teacher's reply, taken apart.

    Attributes:
        question: the problem, or "".
        answer: the worked lines and, under them, "#### final": what a student is trained on.
        final: the final answer without wrapping, "$", "%", thousands commas or a unit, or "".
        status: how the final was found ("tag", "final answer", "last heading", "gsm8k", "boxed",
            "last number"), or one of `MISSING`.
    """

    question: str
    answer: str
    final: str
    status: str

    @property
    def complete(self) -> bool:
        """True where question, answer and final are all there."""
        return self.status not in MISSING


def _heading(names: str) -> re.Pattern:
    """A line that opens a section: `### Question`, `**Question:** text`, `Question 2: text`, ..."""
    return re.compile(
        rf"^[ \t#*_]*<?(?:{names})>?(?:[ \t]\d+)?[ \t*_]*(?::[ \t*_]*|$)", re.I | re.M
    )


_QUESTION = _heading("question|problem")
_ANSWER = _heading("answer|solution")
_TAG = re.compile(r"(?:^[ \t#*]*)?<[ \t]*final[ _-]?answer[ \t]*>[ \t:*]*", re.I | re.M)
_CLOSING_TAG = re.compile(r"</[ \t]*final[ _-]?answer[ \t]*>", re.I)
_PHRASE = re.compile(
    r"^[^\n]*?\bfinal[ _-]?answer\b[ \t*_]*(?:is\b[ \t]*:?|:|=|$)[ \t*_]*", re.I | re.M
)
_THREE = re.compile(r"^[ \t]*###(?!#)(.*)$", re.M)
_FOUR = re.compile(r"^[ \t]*####(?!#)(.*)$", re.M)
_NUMBER = re.compile(r"(?<![\w.])-?\$?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|\.\d+)%?")
# A number and a unit in words, such as "42 apples", "3 cents each"; not "2 pi" or "3 x".
_WITH_UNIT = re.compile(rf"(?P<n>{_NUMBER.pattern})[ \t]*[A-Za-z]{{2,}}(?:[ \t-]+[A-Za-z]+)*")


def parse_generation(text: str) -> Parsed:
    """Question, worked answer and final answer of a teacher's reply; nothing in it is executed.

    The last question that has an answer below it counts, so that an echo of the prompt does no
    harm. Case, the number of `#`, `**` and colons do not matter. A reply that was cut off, refused
    or failed counts for nothing. The final is looked for after the tag, after "final answer", on
    the last `###` line, on the last `#### n` line, in the last `\\boxed{}`, and last it is the last
    number.
    """
    reason = judge(text)
    if reason:
        return Parsed("", "", "", reason)
    text = clean(text).replace("```", "")
    questions = list(_QUESTION.finditer(text))
    if not questions:
        return Parsed("", "", "", "missing question")
    ends = [*(found.start() for found in questions[1:]), len(text)]
    question = ""
    for start, end in reversed([(q.end(), end) for q, end in zip(questions, ends)]):
        heading = _ANSWER.search(text, start, end)
        asked = text[start : heading.start() if heading else end].strip()
        question = question or asked
        if heading and asked and asked != PLACEHOLDER:
            return _with_final(asked, text[heading.end() : end])
    return Parsed(question, "", "", "missing answer" if question else "missing question")


def _with_final(question: str, body: str) -> Parsed:
    """The reply with its final found in `body`, the text under the answer's heading."""
    body = body.strip()
    if not body:
        return Parsed(question, "", "", "missing answer")
    for status, find in _PATHS:
        found = find(body)
        final = clean_final(found[1]) if found else ""
        if final:
            worked = _FOUR.sub("", body[: found[0]])
            lines = [line.strip() for line in worked.split("\n") if line.strip()]
            return Parsed(question, "\n".join([*lines, f"#### {final}"]), final, status)
    return Parsed(question, body, "", "no final")


def _after(pattern: re.Pattern) -> Callable[[str], tuple[int, str] | None]:
    """A path: the first non-empty line behind the last match, and where the match begins."""

    def find(body: str) -> tuple[int, str] | None:
        matches = list(pattern.finditer(body))
        if not matches:
            return None
        rest = _CLOSING_TAG.split(body[matches[-1].end() :])[0].strip()
        return matches[-1].start(), rest.split("\n")[0]

    return find


def _last_heading(body: str) -> tuple[int, str] | None:
    """The last `###` line, if it holds a number only or is the last line of all."""
    for found in reversed(list(_THREE.finditer(body))):
        content = clean_final(found[1])
        if _NUMBER.fullmatch(content) or (content and found.end() == len(body)):
            return found.start(), content
    return None


def _gsm8k(body: str) -> tuple[int, str] | None:
    found = list(_FOUR.finditer(body))
    return (found[-1].start(), found[-1][1]) if found else None


def _boxed(body: str) -> tuple[int, str] | None:
    r"""The content of the last \boxed{...}, with the braces inside it balanced."""
    start = body.rfind("\\boxed{")
    depth = 0
    for i in range(start + len("\\boxed"), len(body) if start >= 0 else 0):
        depth += {"{": 1, "}": -1}.get(body[i], 0)
        if depth == 0:
            return len(body), body[start + len("\\boxed{") : i]
    return None


def _last_number(body: str) -> tuple[int, str] | None:
    found = [match[0] for match in _NUMBER.finditer(body)]
    return (len(body), found[-1]) if found else None


_PATHS = (
    ("tag", _after(_TAG)),
    ("final answer", _after(_PHRASE)),
    ("last heading", _last_heading),
    ("gsm8k", _gsm8k),
    ("boxed", _boxed),
    ("last number", _last_number),
)


def clean_final(text: str) -> str:
    """A final answer without markup, "$", "%", thousands commas, a unit in words or a full stop."""
    text = text.strip(" \t\n#*_`")
    boxed = _boxed(text)
    text = boxed[1] if boxed else text
    text = text.removeprefix("\\(").removesuffix("\\)").rstrip(" \t$*_.").lstrip(" \t$*_")
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
    text = text.rsplit("=", 1)[-1].strip()
    unit = _WITH_UNIT.fullmatch(text)
    if unit and not {"pi", "sqrt"} & set(text.lower().split()):
        text = unit["n"]
    if _NUMBER.fullmatch(text):
        text = text.replace(",", "").replace("$", "").removesuffix("%")
    return text


# --- what is turned away -------------------------------------------------------------------------


def jaccard(a: str, b: str, n: int = 5) -> float:
    """The overlap of the two texts' sets of word n-grams, in [0, 1] (Broder, 1997)."""
    left, right = (set(shingles(words(text), n)) for text in (a, b))
    return len(left & right) / len(left | right)


def reject_reason(
    parsed: Parsed,
    seeds: Sequence[str],
    *,
    previous: Collection[str] = (),
    held_out: HeldOut | None = None,
    threshold: float = 0.8,
) -> str | None:
    """Reason that a reply must not become training data, or None if it may.

    Args:
        parsed: the reply.
        seeds: the questions it was made from.
        previous: `question_key` of every synthetic question kept so far.
        held_out: the test split.
        threshold: a question whose 5-gram overlap (`jaccard`) with a seed exceeds it is a copy. A
            seed with other numbers stays below it in short texts, and is a problem of its own.

    Returns:
        One of `MISSING`, "near-copy of a seed", "duplicate", "contamination".
    """
    if not parsed.complete:
        return parsed.status
    key = question_key(parsed.question)
    for seed in seeds:
        if key == question_key(seed) or jaccard(parsed.question, seed) > threshold:
            return "near-copy of a seed"
    if key in previous:
        return "duplicate"
    if held_out is not None and parsed.question in held_out:
        return "contamination"
    return None
