"""A journal keeps what a run has made, and gives it to nobody else."""

import pytest

from synthkit.journal import Journal

PLACE = ("turn", "slot")


def entry(turn, slot, text):
    return {"turn": turn, "slot": slot, "text": text}


def test_entries_come_back_by_their_place(tmp_path):
    path = tmp_path / "j.jsonl"
    one = Journal(path, "k", PLACE)
    one.add(entry(0, 1, "a"))
    one.add(entry(1, 0, "b"))
    again = Journal(path, "k", PLACE)
    assert again.known == one.known == {(0, 1): entry(0, 1, "a"), (1, 0): entry(1, 0, "b")}


def test_the_first_entry_at_a_place_stays(tmp_path):
    path = tmp_path / "j.jsonl"
    one = Journal(path, "k", PLACE)
    one.add(entry(0, 0, "first"))
    one.add(entry(0, 0, "second"))
    assert Journal(path, "k", PLACE).known[0, 0]["text"] == "first"
    assert len(path.read_text().splitlines()) == 2


def test_a_torn_last_line_is_made_again(tmp_path):
    path = tmp_path / "j.jsonl"
    one = Journal(path, "k", PLACE)
    one.add(entry(0, 0, "a"))
    one.add(entry(0, 1, "b"))
    path.write_bytes(path.read_bytes()[:-9])
    again = Journal(path, "k", PLACE)
    assert list(again.known) == [(0, 0)]
    again.add(entry(0, 1, "c"))
    assert Journal(path, "k", PLACE).known[0, 1]["text"] == "c"


def test_a_file_of_another_run_is_refused_and_stays(tmp_path):
    path = tmp_path / "j.jsonl"
    Journal(path, "k", PLACE).add(entry(0, 0, "a"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"j\.jsonl holds other answers; remove it or name"):
        Journal(path, "l", PLACE, "other answers")
    assert path.read_bytes() == before


def test_without_a_file_entries_are_kept_in_memory():
    one = Journal(None, "k", PLACE)
    one.add(entry(0, 0, "a"))
    assert one.known[0, 0]["text"] == "a" and one.path is None
