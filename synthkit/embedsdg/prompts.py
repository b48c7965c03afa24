"""EmbedSDG's three prompts, in the kit's own words or the user's, and a reader of the replies."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..core.texts import same_key
from ..evaluation.contamination import HeldOut, question_key
from ..evaluation.text import shingles, words
from ..teacher.cleaning import clean, judge
from ..teacher.templates import fill, read_templates

FORMS = ("paper", "embedded")
UNUSABLE = ("failed", "cut", "empty", "refused")  # what `synthkit.teacher.judge` says
MISSING = (*UNUSABLE, "missing question", "missing answer", "no final")
STOPS = ("\nInput:", "\n\nExample ")  # where a decoded copy has ended and a new example begins

# What the copying is shown on. Any four texts of the domain will do.
SHOTS = (
    "A baker fills 6 trays with 12 buns each and sells 50. How many buns are left?",
    "Nina is 4 years older than Tom, who is 9. How old will Nina be in 3 years?",
    "A train of 8 coaches seats 45 people a coach. How many seats are empty if 310 people ride?",
    "Half of the 26 pupils of a class walk to school. How many of them do not?",
)


# --- the prompts ---------------------------------------------------------------------------------


def decode_prompt(shots: Sequence[str] = SHOTS, *, form: str = "paper") -> tuple[str, str]:
    """P_d: the text before and after a block of embeddings that the student is to put into words.

    Args:
        shots: example texts, each shown as its own copy (the paper shows four); the embedded
            form, which was trained to copy, needs none and shows none.
        form: "paper" (role, rules, copies of `shots`) or "embedded" (the embedded model's own
            instruction format).

    Both parts end or begin at a line break, so that the block's tokens are those of the text
    alone.

    Raises:
        ValueError: an unknown form, or the paper's form without shots.

    Source: arXiv 2603.22294, Listing 1 (structure only). The paper's listing stops after the
    input; "Output:" is added here, or the model may go on with the input.
    """
    if form not in FORMS:
        raise ValueError(f"no decoding prompt is called {form!r}; choose one of {FORMS}")
    if form == "embedded":
        return "Copy the text.\nInput:\n", "\nOutput:\n"
    if not shots or isinstance(shots, str):
        raise ValueError(
            f"the paper's form shows example copies: give a list of texts, not {shots!r}"
        )
    lines = [
        "You are a careful assistant who writes texts down.",
        "Copy the input word for word. Where a word of it cannot be made out, rephrase.",
        "Do not solve, explain or comment on what the text asks. Give the text and nothing else.",
    ]
    copies = [f"Example {i}\nInput:\n{t}\nOutput:\n{t}" for i, t in enumerate(shots, 1)]
    before = "\n\n".join(["\n".join(lines), *copies, "Your turn\nInput:\n"])
    return before, "\nOutput:\n"


_SEEDS = """You write training data: word problems in mathematics with worked answers.

Example 1
Question: {question_1}
Answer: {answer_1}

Example 2
Question: {question_2}
Answer: {answer_2}
"""
_MIDWAY = """
Write a new problem.
- It lies midway between the two examples in what it asks for, and takes something from each of \
them.
"""
_RULES = """- It shares no name and no number with what is shown above.
- It is challenging, clearly worded, and can be solved from its text alone.
- Write one problem only.

Reply in this form, the final answer alone after its tag:
### Question
(the problem)
### Answer
(the steps of its solution)
### <final_answer>
(the result)"""
_PLACEHOLDER = "(the problem)"  # a reply that holds no more than this echoes the prompt

TEMPLATES = {
    "decode": "".join([decode_prompt()[0], "{text}", decode_prompt()[1]]),
    "generate": f"""{_SEEDS}
Partial Example
Question: {{sketch}}
{_MIDWAY}\
- It follows the outline of the partial example, which may be broken in places: mend what makes no \
sense.
{_RULES}""",
    "generate without sketch": _SEEDS + _MIDWAY + _RULES,
    "baseline": f"""You write training data: word problems in mathematics with worked answers.

Example
Question: {{question}}
Answer: {{answer}}

Write a new problem.
- It is similar to the example in what it asks for.
{_RULES}""",
}
_PAIRS = ("question_1", "answer_1", "question_2", "answer_2")
FIELDS = {
    "decode": ("text",),
    "generate": (*_PAIRS, "sketch"),
    "generate without sketch": _PAIRS,
    "baseline": ("question", "answer"),
}


def user_prompts(given: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    """The prompts that a user gives for those in `TEMPLATES`, checked.

    Args:
        given: a mapping from names to texts, or a folder of text files (`generate.txt`). Each holds
            the fields of `FIELDS`, such as {question_1}: "decode" is P_d, the student's; "generate"
            and "generate without sketch" are P_g; "baseline" is P_b.

    Raises:
        FileNotFoundError, TypeError, ValueError: see `synthkit.teacher.templates.read_templates`;
            "decode" with {text} more than once.
    """
    found = read_templates(given, FIELDS)
    if found.get("decode", "{text}").count("{text}") != 1:
        raise ValueError("prompt 'decode' must hold {text} once: the block's embeddings go there")
    return found


def generation_prompt(
    seeds: Sequence[tuple[str, str]],
    sketch: str | None = None,
    *,
    prompts: Mapping[str, str] = TEMPLATES,
) -> str:
    """P_g: two seeds and the decoded sketch, from which the teacher writes one new problem.

    Args:
        seeds: two (question, answer) pairs, in the order of their selection.
        sketch: the decoded text between them; None (or blank) takes "generate without sketch".
        prompts: templates by name (see `user_prompts`); those that are missing are the kit's.

    Raises:
        ValueError: not two pairs, or an empty question or answer.

    Source: arXiv 2603.22294, equations 1 and 7, and the listing of P_g (structure only).
    """
    if len(seeds) != 2:
        raise ValueError(f"the prompt joins two seeds, got {len(seeds)}")
    values = [text for seed in seeds for text in _pair(*seed)]
    fields = dict(zip(_PAIRS, values))
    outline = " ".join((sketch or "").split())
    if not outline:
        return fill({**TEMPLATES, **prompts}["generate without sketch"], **fields)
    return fill({**TEMPLATES, **prompts}["generate"], **fields, sketch=outline)


def baseline_prompt(question: str, answer: str, *, prompts: Mapping[str, str] = TEMPLATES) -> str:
    """P_b: one seed, from which the teacher writes a similar problem; the baseline's prompt.

    Raises:
        ValueError: an empty question or answer.

    Source: arXiv 2603.22294, the listing of P_b (structure only).
    """
    question, answer = _pair(question, answer)
    return fill({**TEMPLATES, **prompts}["baseline"], question=question, answer=answer)


def _pair(question: str, answer: str) -> tuple[str, str]:
    if not question.strip() or not answer.strip():
        raise ValueError(f"a seed needs a question and an answer, got {question!r} and {answer!r}")
    return question.strip(), answer.strip()


# --- reading a reply -----------------------------------------------------------------------------


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
        if heading and asked and asked != _PLACEHOLDER:
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


def _after(pattern: re.Pattern):
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


def same_final(a: str, b: str) -> bool:
    """Tell whether two final answers are the same number, or else the same text, case aside."""
    a, b = clean_final(a), clean_final(b)
    numbers = [_fraction(text) for text in (a, b)]
    if None not in numbers:
        return numbers[0] == numbers[1]
    return same_key(a) == same_key(b)


def _fraction(text: str) -> Fraction | None:
    found = re.fullmatch(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", text)
    try:
        return Fraction(f"{found[1]}/{found[2]}" if found else text)
    except (ValueError, ZeroDivisionError):
        return None


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
