"""Test questions that must not be repeated, and near copies of training texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthkit.evaluation.contamination import HeldOut, masked, near_copy_rates, question_key

TEXT = "A shed holds 5 bicycles and 3 loose wheels. How many wheels are in the shed?"


def test_a_key_ignores_case_and_white_space_and_nothing_else():
    assert question_key("  How\nMANY? ") == question_key("how many?") == "how many?"
    assert question_key("how many ?") != question_key("how many?")


def test_a_shared_run_of_n_words_is_found_and_a_shorter_one_is_not():
    held_out = HeldOut(["one two three four five six"], n=4)
    assert "zero two three four five zero" in held_out
    assert "zero two three four zero five six" not in held_out
    assert "zero two three four five zero" not in HeldOut(["one two three four five six"], n=None)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_every_test_question_is_held_out(questions):
    held_out = HeldOut(questions)
    assert all(question in held_out for question in questions)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="positive or None, got 0"):
        HeldOut([TEXT], n=0)
    with pytest.raises(TypeError, match="not one string"):
        HeldOut(TEXT)


def test_masks():
    assert masked("Ana buys 12 books at 3.50 each.") == masked("ana buys 7 books  at 4 each.")
    assert masked("Ana buys 12 books.") != masked("Ben buys 12 books.")


def test_near_copies_by_hand():
    train = ["Ana has 3 dimes.", "Ben has 4 dimes.", "It rains."]
    made = ["Ana has 9 dimes.", "Ben has 4 dimes.", "It snows.", "Zoe has 3 dimes."]
    own = [train[0], train[0], train[2], train[1]]
    rates = near_copy_rates(made, train, own)
    assert rates["train"].mean == 0.5 and rates["own"].mean == 0.25 and rates["own"].n == 4
    partly = near_copy_rates(made, train, [train[0], None, None, None])
    assert partly["own"].mean == 1 and partly["own"].n == 1
    assert set(near_copy_rates(made, train)) == {"train"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], ["a"]), "got 0 and 1"),
        ((["a"], []), "got 1 and 0"),
        ((["a", "b"], ["a"], ["a"]), "1 texts for 2"),
        ((["a"], ["a"], [None]), "no text at all"),
    ],
)
def test_rates_of_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        near_copy_rates(*arguments)
