"""The reader of a teacher's replies, and the filter."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_world
from synthkit.embedsdg.prompts import generation_prompt
from synthkit.embedsdg.replies import (
    MISSING,
    Parsed,
    clean_final,
    jaccard,
    parse_generation,
    reject_reason,
)
from synthkit.evaluation.contamination import HeldOut, question_key

REPLY = "### Question\nHow many?\n### Answer\n3 * 4 = 12\n12 + 5 = 17\n### <final_answer>\n17"
BODY = "### Question\nHow many?\n### Answer\n3 * 4 = 12\n"


@pytest.mark.parametrize(
    ("text", "final", "status"),
    [
        (REPLY, "17", "tag"),
        (BODY + "<FINAL_ANSWER> $1,200.50 </final_answer>", "1200.50", "tag"),
        (BODY + "**<final_answer>**: 12 apples", "12", "tag"),
        (BODY + "### Final Answer: **12**", "12", "final answer"),
        (BODY + "### Final answer\n\n1/2", "1/2", "final answer"),
        (BODY + "So the final answer is 12.", "12", "final answer"),
        (BODY + "### 12", "12", "last heading"),
        (BODY + "### <12>", "12", "last heading"),
        (BODY + "### 12\nI hope this helps with 3 more!", "12", "last heading"),
        (BODY + "### Note\nnothing", "12", "last number"),
        (BODY + "#### 12", "12", "gsm8k"),
        (BODY + r"It is \boxed{\frac{1}{2}}, done", r"\frac{1}{2}", "boxed"),
        (BODY + "and that is -12.5 in all", "-12.5", "last number"),
        ("**Question:** How many?\n**Answer:** 3 * 4 = 12", "12", "last number"),
        ("## question\nHow many?\n## ANSWER:\n3 * 4 = 12\n#### 12", "12", "gsm8k"),
        ("Problem: How many?\nSolution: 3 * 4 = 12\n### 12", "12", "last heading"),
        (REPLY.replace("\n", "\r\n"), "17", "tag"),
        ("```\n" + REPLY + "\n```", "17", "tag"),
        ("<think>### Question\nx\n### Answer\n9</think>" + REPLY, "17", "tag"),
        ("Question: old?\nAnswer: 1\n\n" + REPLY, "17", "tag"),
        (REPLY + "\n\n### Question\nAnd one more that is cut o", "17", "tag"),
    ],
)
def test_final_and_its_path(text, final, status):
    parsed = parse_generation(text)
    assert (parsed.question, parsed.final, parsed.status) == ("How many?", final, status)
    assert parsed.complete and parsed.answer.split("\n")[-1] == f"#### {final}"
    if status != "last number":
        assert "<" not in parsed.answer and parsed.answer.count("###") == 1


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "empty"),
        ("I cannot help with that.", "refused"),
        ("### Answer\n12", "missing question"),
        ("### Question\n### Answer\n12", "missing question"),
        ("### Question\nHow many?", "missing answer"),
        ("### Question\nHow many?\n### Answer\n", "missing answer"),
        ("### Question\nHow many?\n### Answer\nno idea", "no final"),
    ],
)
def test_incomplete_replies(text, status):
    parsed = parse_generation(text)
    assert parsed.status == status and not parsed.complete and status in MISSING
    assert reject_reason(parsed, []) == status


def test_an_echo_of_the_prompt_gives_no_new_problem():
    rows = load_world("math").balanced(1, seed=3)[:2]
    seeds = [(row["question"], row["answer"]) for row in rows]
    parsed = parse_generation(generation_prompt(seeds, "How many?"))
    assert parsed.question != "(the problem)"
    assert reject_reason(parsed, [question for question, _ in seeds]) is not None


def test_worked_lines_are_kept_and_finals_are_not_doubled():
    text = BODY + "12 + 5 = 17\n#### 17\n### <final_answer>\n17\n"
    assert parse_generation(text).answer == "3 * 4 = 12\n12 + 5 = 17\n#### 17"


@given(st.text(alphabet="#<>*/_ \n:$\\{}.,%=-019 aFQquestionAnswer", max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_without_an_error(text):
    parsed = parse_generation(text)
    assert parsed.complete == bool(parsed.final) and isinstance(parsed, Parsed)


def test_long_runs_of_marks_take_no_quadratic_time():
    start = perf_counter()
    for mark in (" ", "#", "*", "9", "9,", "<", "final answer ", "\\boxed{", "\n"):
        parse_generation("### Question\nq\n### Answer\n" + mark * 20_000)
    assert perf_counter() - start < 5


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("$1,234", "1234"), ("50%", "50"), ("**7**", "7"), ("x = 5", "5"), ("42 apples.", "42"),
        ("3 cents each", "3"), ("2 pi", "2 pi"), ("2x+1", "2x+1"), ("$1.50", "1.50"),
        ("yes", "yes"), ("  ", ""), ("1 of 3", "1 of 3"),
    ],
)  # fmt: skip
def test_clean_final(raw, clean):
    assert clean_final(raw) == clean


# --- the filter ----------------------------------------------------------------------------------

TEXT = "A shed holds 5 bicycles and 3 loose wheels. How many wheels are in the shed?"


def parsed(question):
    return Parsed(question, "1 + 1 = 2\n#### 2", "2", "tag")


def test_copies_of_a_seed_are_rejected_and_new_numbers_are_not():
    assert reject_reason(parsed(TEXT.upper()), [TEXT]) == "near-copy of a seed"
    assert reject_reason(parsed(TEXT[:-1] + " now?"), ["x y", TEXT]) == "near-copy of a seed"
    assert reject_reason(parsed(TEXT.replace("5", "7")), [TEXT]) is None
    assert reject_reason(parsed(TEXT.replace("5", "7")), [TEXT], threshold=0.3) is not None


def test_duplicates_and_contamination():
    new = parsed(TEXT)
    assert reject_reason(new, []) is None
    assert reject_reason(new, [], previous={question_key("  " + TEXT.lower())}) == "duplicate"
    templated = [TEXT.replace("5", "9")]  # shares the run "how many wheels are in the shed ?"
    assert reject_reason(new, [], held_out=HeldOut(templated, n=8)) == "contamination"
    assert reject_reason(new, [], held_out=HeldOut(templated, n=None)) is None
    assert reject_reason(new, [], held_out=HeldOut([TEXT + " "], n=None)) == "contamination"


def test_jaccard():
    assert jaccard("a b c", "a b c") == 1 and jaccard("a b c", "d e f") == 0
    assert jaccard("a b c d e f", "a b c d e g") == pytest.approx(1 / 3)
