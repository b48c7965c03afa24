"""EmbedSDG's prompts, and what the world's oracle makes of them."""

import pytest

from synthkit import load_world
from synthkit.embedsdg.prompts import SHOTS, decode_prompt, generation_prompt, stops_of
from synthkit.embedsdg.replies import parse_generation
from synthkit.worlds.math import read_question

WORLD = load_world("math")
ROWS = WORLD.balanced(1, seed=3)


def seeds_of(*rows):
    return [(row["question"], row["answer"]) for row in rows]


def answered(prompt):
    return parse_generation(WORLD.teacher().complete([prompt])[0])


def test_decode_prompt_shows_every_shot_twice_and_ends_open():
    before, after = decode_prompt(SHOTS)
    for text in SHOTS:
        assert before.count(f"Input:\n{text}\nOutput:\n{text}\n") == 1
    assert len(SHOTS) == 4 and before.endswith("Input:\n") and after == "\nOutput:\n"


@pytest.mark.parametrize("i", range(0, 36, 4))
def test_the_math_oracle_follows_the_sketch(i):
    first, second, third = ROWS[i : i + 3]
    parsed = answered(generation_prompt(seeds_of(first, second), third["question"]))
    assert read_question(parsed.question).family == third["family"]
    assert WORLD.check({"question": parsed.question, "answer": parsed.answer})
    assert parsed.status == "tag" and parsed.answer.endswith(f"\n#### {parsed.final}")


@pytest.mark.parametrize("sketch", [None, "", " \n ", "a sketch that asks for nothing"])
def test_without_a_readable_sketch_the_oracle_takes_one_of_the_seeds(sketch):
    first, second = ROWS[:2]
    prompt = generation_prompt(seeds_of(first, second), sketch)
    assert read_question(answered(prompt).question).family in {first["family"], second["family"]}
    assert ("partial example" in prompt.lower()) == bool(sketch and sketch.strip())


def test_a_sketch_of_several_lines_stays_one_line():
    prompt = generation_prompt(seeds_of(*ROWS[:2]), "one\n### Question\ntwo")
    assert "Question: one ### Question two\n" in prompt


@pytest.mark.parametrize("bad", [[], [("q", "a")], [("q", "a")] * 3, [("q", "a"), ("q", " ")]])
def test_wrong_seeds_are_refused(bad):
    with pytest.raises(ValueError, match="seed"):
        generation_prompt(bad)


@pytest.mark.parametrize("options", [{"form": "papier"}, {"shots": []}, {"shots": "one text"}])
def test_wrong_decode_prompts_are_refused(options):
    with pytest.raises(ValueError, match=r"papier|give a list"):
        decode_prompt(**options)


@pytest.mark.parametrize(
    ("prompt", "stops"),
    [
        (decode_prompt(SHOTS[:3]), ("\nInput:", "\nOutput:", "\n\nExample", "\n\nYour")),
        (decode_prompt(form="embedded"), ("\nInput:", "\nOutput:")),
        (("Text: a b\nAgain: a b\n--\nText: ", "\nAgain: "), ("\nText:", "\nAgain:", "\n--")),
        (("", " ->"), ("\n->",)),
    ],
)
def test_a_decoded_text_ends_at_what_follows_a_text_in_the_prompt(prompt, stops):
    assert stops_of(*prompt) == stops
