"""SoftSRV's filter: every status, their order, what is remembered, and the table of rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthkit.core.texts import count_words, same_key
from synthkit.evaluation.contamination import HeldOut
from synthkit.softsrv.filters import (
    COLUMNS,
    CONTAMINATED,
    DROPPED,
    DUPLICATE,
    EMPTY,
    KEPT,
    NEAR_COPY,
    STATUSES,
    UNTERMINATED,
    Filter,
    as_rows,
)

TRAIN = ["Ana waits 3 weeks and 6 days.", "Ben lives in Hove and has 4 boxes."]
NEW = "Carla buys 9 plums in Lund."


def status(text, *, accept=None, **options):
    return (accept or Filter(TRAIN)).judge(text, **options).status


@pytest.mark.parametrize("text", ["", "  \n", "\t"])
def test_a_text_without_a_word_is_empty(text):
    assert status(text) == EMPTY and status(text + ".") == KEPT


def test_a_test_text_is_contaminated_each_time_it_comes():
    accept = Filter(TRAIN, held_out=HeldOut([NEW], n=None))
    assert [status(NEW.upper(), accept=accept) for _ in range(2)] == [CONTAMINATED] * 2


def test_a_repeated_text_and_a_training_text_are_duplicates():
    accept = Filter(TRAIN)
    assert [status(text, accept=accept) for text in (NEW, NEW.lower(), f" {TRAIN[0]}")] == [
        KEPT,
        DUPLICATE,
        DUPLICATE,
    ]


def test_what_is_turned_away_does_not_make_the_next_one_a_duplicate():
    accept = Filter(TRAIN)
    assert status(NEW, accept=accept, ended=False) == UNTERMINATED
    assert status(NEW, accept=accept) == KEPT


def test_near_copies_mask_numbers_and_are_noted_for_both_sides():
    other_numbers = "Ana waits 8 weeks and 22 days."
    own, elsewhere = (Filter(TRAIN).judge(other_numbers, own=text) for text in TRAIN)
    assert (own.near_copy_own, own.near_copy_train, own.status) == (True, True, NEAR_COPY)
    assert (elsewhere.near_copy_own, elsewhere.near_copy_train) == (False, True)
    assert elsewhere.status == KEPT
    assert status(other_numbers, accept=Filter(TRAIN, near_copy="train"), own=TRAIN[1]) == NEAR_COPY


def test_the_first_status_that_fits_is_given():
    """The order: contaminated, empty, unterminated, duplicate, near copy."""
    held_out = HeldOut(["x", *TRAIN], n=None)
    accept = Filter(TRAIN, held_out=held_out, min_words=2)
    assert status("x", accept=accept, ended=False) == CONTAMINATED
    assert status("y", accept=accept, ended=False) == EMPTY
    assert status(NEW, accept=accept, ended=False) == UNTERMINATED
    assert status(TRAIN[0], own=TRAIN[0]) == DUPLICATE
    assert set(STATUSES) == {*DROPPED, NEAR_COPY, KEPT}


def test_with_nothing_to_drop_everything_passes_with_its_status():
    accept = Filter(TRAIN, drop=())
    texts = [("", True), (NEW, False), (NEW, True), (TRAIN[0], True)]
    found = [accept.judge(text, ended=ended).status for text, ended in texts]
    assert found == [EMPTY, UNTERMINATED, DUPLICATE, DUPLICATE]
    assert [name for name in STATUSES if not accept.keeps(name)] == [CONTAMINATED]


@given(st.lists(st.text(max_size=12), max_size=12))
def test_kept_texts_are_all_different_and_long_enough(texts):
    accept = Filter(TRAIN, min_words=2)
    kept = [text for text in texts if accept.keeps(accept.judge(text).status)]
    keys = [same_key(text) for text in kept]
    assert len(set(keys)) == len(keys) and all(count_words(text) >= 2 for text in kept)


def test_rows_have_the_same_columns_and_types_whatever_is_missing():
    table = as_rows([dict.fromkeys(COLUMNS) | {"text": NEW, "near_copy_train": False}], kind="k")
    assert table.column_names == list(COLUMNS)
    assert (table[0]["answer"], table["teacher"][0]) == (None, None)
    assert {name: kind.dtype for name, kind in table.features.items()} == COLUMNS
    assert as_rows([]).features == table.features
