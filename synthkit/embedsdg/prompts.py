"""EmbedSDG's three prompts, in the kit's own words or the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ..teacher.templates import fill, read_templates

FORMS = ("paper", "embedded")

# What the copying is shown on. Any four texts of the domain will do.
SHOTS = (
    "A baker fills 6 trays with 12 buns each and sells 50. How many buns are left?",
    "Nina is 4 years older than Tom, who is 9. How old will Nina be in 3 years?",
    "A train of 8 coaches seats 45 people a coach. How many seats are empty if 310 people ride?",
    "Half of the 26 pupils of a class walk to school. How many of them do not?",
)


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


def stops_of(before: str, after: str) -> tuple[str, ...]:
    """Strings that end a decoded text: those which follow a text in the prompt.

    A model that has written its copy goes on as the prompt does: with the line that stands before
    a text ("Input:"), the one behind it ("Output:"), or the next example.

    Args:
        before, after: of `decode_prompt`, or of a prompt of the user's.
    """
    lines = [before.rstrip().rpartition("\n")[2], after.strip().partition("\n")[0]]
    stops = ["\n" + line for line in lines if line]
    parts = before.split(after) if after.strip() else []
    for left, right in pairwise(parts):  # a text, and its copy
        n = next((n for n in range(len(right), 0, -1) if left.endswith(right[:n])), 0)
        following = re.match(r"\s+\S+", right[n:])
        if n and following:
            stops.append(following[0])
    return tuple(dict.fromkeys(stops))


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
PLACEHOLDER = "(the problem)"  # a reply that holds no more than this echoes the prompt

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
