"""Files are written whole or not at all, and an interrupted run loses at most its last line."""

import errno
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.core import files

FULL = OSError(errno.ENOSPC, "No space left on device")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # a lone surrogate is no UTF-8
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def _raise(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.text("abc", min_size=1), JSON), max_size=4))
def test_rows_come_back_as_they_went(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    files.write_jsonl(path, iter(rows))
    for row in rows:
        files.append_jsonl(path, row)
    assert files.read_jsonl(path) == rows + rows


def test_text_and_json_round_trip_in_a_new_folder(tmp_path):
    path = files.write_text(tmp_path / "new" / "a.txt", "one\r\ntwo é")
    assert path.read_bytes() == "one\r\ntwo é".encode()
    assert files.read_json(files.write_json(tmp_path / "a.json", {"é": [1.5]})) == {"é": [1.5]}
    assert files.sha256_file(path) == files.sha256_text("one\r\ntwo é")
    # the published digest of the three letters abc
    assert files.sha256_text("abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_an_overwritten_file_keeps_its_permissions(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "old")
    path.chmod(0o640)
    assert files.write_text(path, "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, call):
    path = files.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, call, _raise(FULL))
    with pytest.raises(
        OSError, match=r"disk is full; 3,000 bytes.*old file is untouched"
    ) as caught:
        files.write_text(path, "x" * 3000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_append_takes_back_what_it_wrote(tmp_path, monkeypatch):
    path = files.write_jsonl(tmp_path / "a.jsonl", [{"a": 1}])
    monkeypatch.setattr(os, "fsync", _raise(FULL))
    with pytest.raises(OSError, match="disk is full"):
        files.append_jsonl(path, {"a": 2})
    assert files.read_jsonl(path) == [{"a": 1}]


@pytest.mark.parametrize("cut", range(1, len('{"a": "é"}'.encode())))
def test_a_torn_last_line_is_named_dropped_and_mended(tmp_path, cut):
    path = files.write_jsonl(tmp_path / "a.jsonl", [{"a": 1}])
    with open(path, "ab") as handle:
        handle.write('{"a": "é"}'.encode()[:cut])
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: .*tolerate_torn=True"):
        files.read_jsonl(path)
    assert files.read_jsonl(path, tolerate_torn=True) == [{"a": 1}]
    files.append_jsonl(path, {"a": 3})
    assert files.read_jsonl(path) == [{"a": 1}, {"a": 3}]


def test_a_last_line_that_no_append_has_torn_is_never_cut(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\nmy notes')
    with pytest.raises(ValueError, match="ends in 'my notes'"):
        files.append_jsonl(path, {"b": 2})
    with pytest.raises(ValueError, match="line 2"):
        files.read_jsonl(path, tolerate_torn=True)
    assert path.read_text() == '{"a": 1}\nmy notes'


def test_a_whole_last_line_without_line_end_is_kept(tmp_path):
    path = files.write_text(tmp_path / "a.jsonl", '\ufeff{"a": 1}\r\n\n{"a": "x\u2028y"}')
    assert files.read_jsonl(path) == [{"a": 1}, {"a": "x\u2028y"}]
    files.append_jsonl(path, {"a": 3})
    assert len(files.read_jsonl(path)) == 3


@pytest.mark.parametrize("line", ["{'a': 1}", "[1]", '{"a": 1} {"b": 2}', "12"])
def test_a_bad_line_is_named_and_shown_even_where_torn_lines_are_tolerated(tmp_path, line):
    path = files.write_text(tmp_path / "bad.jsonl", f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    with pytest.raises(ValueError, match=r"bad\.jsonl, line 2: ") as caught:
        files.read_jsonl(path, tolerate_torn=True)
    assert repr(line) in str(caught.value)


def test_what_is_not_json_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(TypeError, match="row 1 cannot be written"):
        files.write_jsonl(path, [{"a": 1}, {"a": object()}])
    with pytest.raises(ValueError, match="row 0 cannot be written"):
        files.write_jsonl(path, [{"a": float("nan")}])
    with pytest.raises(TypeError, match="must be a mapping"):
        files.append_jsonl(path, [1])
    assert not path.exists()
    broken = files.write_text(tmp_path / "b.json", '{"a": 1,\n oops}')
    with pytest.raises(ValueError, match=r"b\.json, line 2: not JSON.*oops"):
        files.read_json(broken)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.read_text())


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_a_killed_write_left_goes_with_the_next_one(tmp_path, call):
    path = tmp_path / "a.txt"
    if (child := os.fork()) == 0:
        setattr(os, call, lambda *_: os.kill(os.getpid(), 9))
        files.write_text(path, "first")
    os.waitpid(child, 0)
    assert list(tmp_path.iterdir()), "the kill has left a temporary file"
    files.write_text(path, "second")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "second"
