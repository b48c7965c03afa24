"""EmbedSDG's prompts, the reader of the teacher's replies, and the filter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_world
from synthkit.embedsdg.prompts import (
    MISSING,
    SHOTS,
    HeldOut,
    Parsed,
    baseline_prompt,
    clean_final,
    decode_prompt,
    generation_prompt,
    jaccard,
    parse_generation,
    question_key,
    reject_reason,
    same_final,
)
from synthkit.worlds.math import read_question

WORLD = load_world("math")
RNG_ROWS = WORLD.balanced(1, seed=3)
REPLY = "### Question\nHow many?\n### Answer\n3 * 4 = 12\n12 + 5 = 17\n### <final_answer>\n17"


def seeds_of(*rows):
    return [(row["question"], row["answer"]) for row in rows]


# --- prompts -------------------------------------------------------------------------------------


def test_decode_prompt_shows_every_shot_twice_and_ends_open():
    before, after = decode_prompt(SHOTS)
    for text in SHOTS:
        assert before.count(f"Input:\n{text}\nOutput:\n{text}\n") == 1
    assert len(SHOTS) == 4 and before.endswith("Input:\n") and after == "\nOutput:\n"


def test_decode_prompt_of_the_embedded_model_is_its_training_format():
    from synthkit.lm.documents import instruction

    before, after = decode_prompt(form="embedded")
    assert before + "a text" + after == instruction("Copy the text.", given="a text")


@pytest.mark.parametrize("options", [{"form": "papier"}, {"shots": []}, {"shots": "one text"}])
def test_decode_prompt_refuses(options):
    with pytest.raises(ValueError):
        decode_prompt(**options)


@pytest.mark.parametrize("i", range(0, 36, 4))
def test_the_math_oracle_follows_the_sketch(i):
    first, second, third = RNG_ROWS[i : i + 3]
    prompt = generation_prompt(seeds_of(first, second), third["question"])
    parsed = parse_generation(WORLD.teacher().complete([prompt])[0])
    assert read_question(parsed.question).family == third["family"]
    assert WORLD.check({"question": parsed.question, "answer": parsed.answer})
    assert parsed.status == "tag" and parsed.answer.endswith(f"\n#### {parsed.final}")


@pytest.mark.parametrize("sketch", [None, "", " \n ", "a sketch that asks for nothing"])
def test_without_a_readable_sketch_the_oracle_takes_one_of_the_seeds(sketch):
    first, second = RNG_ROWS[:2]
    prompt = generation_prompt(seeds_of(first, second), sketch)
    parsed = parse_generation(WORLD.teacher().complete([prompt])[0])
    assert read_question(parsed.question).family in {first["family"], second["family"]}
    assert ("partial example" in prompt.lower()) == bool(sketch and sketch.strip())


def test_baseline_prompt_names_one_seed():
    row = RNG_ROWS[5]
    parsed = parse_generation(
        WORLD.teacher().complete([baseline_prompt(row["question"], row["answer"])])[0]
    )
    assert read_question(parsed.question).family == row["family"]


def test_a_sketch_of_several_lines_stays_one_line():
    prompt = generation_prompt(seeds_of(*RNG_ROWS[:2]), "one\n### Question\ntwo")
    assert "Question: one ### Question two\n" in prompt


@pytest.mark.parametrize("bad", [[], [("q", "a")], [("q", "a")] * 3, [("q", "a"), ("q", " ")]])
def test_generation_prompt_refuses(bad):
    with pytest.raises(ValueError):
        generation_prompt(bad)


# --- reading replies -----------------------------------------------------------------------------

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
    seeds = seeds_of(*RNG_ROWS[:2])
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
    from time import perf_counter

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


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("1,000", "1000.0", True), ("0.5", "1/2", True), (r"\frac{1}{2}", ".5", True),
        ("$5", "5 dollars", True), ("5", "6", False), ("Yes", "yes", True), ("1/0", "0", False),
        ("2 pi", "2", False),
    ],
)  # fmt: skip
def test_same_final(a, b, same):
    assert same_final(a, b) is same


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
    with pytest.raises(ValueError, match="positive"):
        HeldOut([TEXT], n=0)


def test_jaccard():
    assert jaccard("a b c", "a b c") == 1 and jaccard("a b c", "d e f") == 0
    assert jaccard("a b c d e f", "a b c d e g") == pytest.approx(1 / 3)
