"""Test questions that must not be repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthkit.evaluation.contamination import HeldOut, question_key

TEXT = "A shed holds 5 bicycles and 3 loose wheels. How many wheels are in the shed?"


def test_a_key_ignores_case_and_white_space_and_nothing_else():
    assert question_key("  How\nMANY? ") == question_key("how many?") == "how many?"
    assert question_key("how many ?") != question_key("how many?")


def test_identical_questions_are_found_whatever_n():
    for n in (None, 3, 8, 99):
        assert " " + TEXT.upper() in HeldOut([TEXT], n=n)


def test_a_shared_run_of_n_words_is_found_and_a_shorter_one_is_not():
    held_out = HeldOut(["one two three four five six"], n=4)
    assert "zero two three four five zero" in held_out
    assert "zero two three four zero five six" not in held_out
    assert "zero two three four five zero" not in HeldOut(["one two three four five six"], n=None)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_every_test_question_is_held_out(questions):
    held_out = HeldOut(questions)
    assert all(question in held_out for question in questions)


def test_nothing_is_held_out_of_an_empty_test():
    assert TEXT not in HeldOut([])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="positive or None, got 0"):
        HeldOut([TEXT], n=0)
    with pytest.raises(TypeError, match="not one string"):
        HeldOut(TEXT)


def test_embedsdg_still_offers_the_names():
    from synthkit.embedsdg import prompts

    assert prompts.HeldOut is HeldOut and prompts.question_key is question_key
