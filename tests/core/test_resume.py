"""A resume log goes on where a run was cut off, and gives what it holds to no other run."""

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from synthkit.core import files
from synthkit.core.resume import ResumeLog, run_key

KEY = run_key(seed=0)


def log_at(path, key=KEY, **options):
    return ResumeLog(path, key, place=("arm", "seed"), what="answers", **options)


def entry(arm, seed, value=0.5):
    return {"arm": arm, "seed": seed, "value": value}


def write(path):
    with log_at(path) as log:
        log.add(entry("a", 0))
        log.add(entry("a", 1))
        log.finish("a")
        log.add(entry("b", 0))
    return path.read_bytes()


# --- the log --------------------------------------------------------------------------------------


def full_disk(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kept", [True, False])
def test_entries_and_marks_come_back(tmp_path, kept):
    path = tmp_path / "deep" / "log.jsonl" if kept else None
    with log_at(path) as log:
        log.add(entry("a", 0, "half an emoji \ud83d"))
        log.add(entry("a", 0, "second"))
        assert not log.is_finished("a") and log.entries["a", 0]["value"] == "half an emoji \ud83d"
        log.finish("a")
        log.finish("a", 3)
    if kept:
        with log_at(path) as again:
            assert again.entries == log.entries and list(path.parent.iterdir()) != [path]
            assert again.is_finished("a") and again.is_finished("a", 3)
            assert not again.is_finished("b")
        assert list(path.parent.iterdir()) == [path]
        again.remove()
        assert not list(path.parent.iterdir())


def test_a_log_that_got_no_record_leaves_the_file_to_other_runs(tmp_path):
    for key in ("a", "b"):
        with pytest.raises(ValueError, match="refused"), ResumeLog(tmp_path / "log", key):
            raise ValueError("refused")
        assert not list(tmp_path.iterdir())


def test_cut_anywhere_it_goes_on_to_the_same_bytes(tmp_path):
    whole = write(tmp_path / "log.jsonl")
    for cut in [*range(0, len(whole), 5), len(whole) - 1]:
        path = tmp_path / "cut.jsonl"
        path.write_bytes(whole[:cut])
        with log_at(path) as log:
            if log.is_finished("a"):
                assert {("a", 0), ("a", 1)} <= set(log.entries)
        assert write(path) == whole


def test_a_flipped_bit_is_named_and_its_line_can_go(tmp_path):
    path = tmp_path / "log.jsonl"
    whole = write(path)
    lines = whole.splitlines(keepends=True)
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(bytes(damaged))
        number = whole[:at].count(b"\n") + 1
        wanted = "no log of answers" if number == 1 else f"line {number}, is damaged"
        with pytest.raises(ValueError, match=wanted):
            log_at(path)
        assert path.read_bytes() == bytes(damaged)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))  # a finished unit has lost an entry
    with log_at(path) as log:
        assert not log.is_finished("a") and list(log.entries) == [("a", 0), ("b", 0)]


def test_another_run_another_format_and_another_file_are_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    before = write(path)
    with pytest.raises(ValueError, match=r"holds answers with other data.*remove it or name"):
        log_at(path, run_key(seed=1))
    assert path.read_bytes() == before
    newer = json.loads(before.splitlines()[0])["run"] | {"format": 99}
    from synthkit.core.resume import _line

    for content, wanted in [
        (_line("run", newer), "written by a newer synthkit"),
        (b'{"key": "an older version"}\n', "no log of answers"),
        (b"\0" * 500 + b"\n", "no log of answers"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=wanted):
            log_at(path)
        assert path.read_bytes() == content


@pytest.mark.parametrize("text", ["my thesis, no line end", "a\nb", '{"a": 1}', '{"a": 1}\n{"b'])
def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="no log of"):
        ResumeLog(path, "key")
    assert path.read_text() == text
    path.unlink()
    with pytest.raises(ValueError, match="is a folder"):
        ResumeLog(tmp_path, "key")


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path, monkeypatch):
    with ResumeLog(tmp_path / "a.jsonl", "key") as log:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="the disk is full"):
            patch.setattr(os, "fsync", full_disk)
            log.add({"x": 1})
        assert not log.entries
        log.add({"x": 2})
    assert list(ResumeLog(tmp_path / "a.jsonl", "key").entries.values()) == [{"x": 2}]


def test_another_process_is_refused_and_this_one_is_not(tmp_path):
    path = tmp_path / "log.jsonl"
    lingering = log_at(path)  # as in the traceback of an error
    code = (
        "import sys; from synthkit.core.resume import ResumeLog\n"
        "try: ResumeLog(sys.argv[1], sys.argv[2], place=('arm', 'seed'), what='answers').close()\n"
        "except ValueError as error: print(error)"
    )
    with log_at(path):
        assert "in use: another process writes answers" in run(code, path, KEY)
    del lingering
    assert run(code, path, KEY) == ""


def test_a_held_log_is_free_when_its_process_is_killed(tmp_path):
    child = os.fork()
    if child == 0:
        log = log_at(tmp_path / "log.jsonl")
        log.add(entry("a", 0))
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with log_at(tmp_path / "log.jsonl") as log:
        assert list(log.entries) == [("a", 0)]
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


# --- several writers of one plain file ------------------------------------------------------------


def run(code, *arguments):
    here = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=here, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


APPEND = """
import sys; from synthkit.core.files import append_jsonl
for i in range(150): append_jsonl(sys.argv[1], {"who": sys.argv[2], "i": i, "text": "x" * 999})
"""


def test_no_line_is_lost_when_processes_and_threads_share_a_file(tmp_path):
    path = tmp_path / "cache.jsonl"
    threads = [threading.Thread(target=run, args=(APPEND, path, who)) for who in "ab"]
    threads += [
        threading.Thread(target=lambda: [files.append_jsonl(path, {"i": i}) for i in range(50)])
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files.read_jsonl(path)) == 400
    assert list(tmp_path.iterdir()) == [path]


# --- the key --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    lr: float = 0.1


class Model:
    def __init__(self, fingerprint):
        self.fingerprint = fingerprint


ALL_DIFFERENT = [
    1, 1.0, True, "1", b"1", None, [], {}, (1, 2), [12], [[1], 2], [[1, 2]], ["1", "2"], ["12"],
    {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {"b": 2}}, Options(), Options(0.2), {"lr": 0.1},
    np.arange(3), np.arange(3.0), np.arange(3)[None], torch.arange(3), torch.ones(3),
    torch.ones(3).bfloat16(), torch.ones(1, 3), torch.tensor(1), torch.device("cpu"),
    pd.DataFrame({"a": [1, None]}), pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}),
    pd.NaT, date(2020, 1, 1), date(2020, 1, 2), {1, 2}, {1, 3}, np.array(["a", None], dtype=object),
    Model("x"), Model("y"), "x", float("nan"), 0.0, -0.0, torch.nn.Linear(1, 1),
]  # fmt: skip


def test_keys_of_different_things_differ():
    keys = [run_key(part=value) for value in ALL_DIFFERENT]
    assert len(set(keys)) == len(keys)
    assert run_key(a=1, b=2) == run_key(b=2, a=1) != run_key(a=2, b=1)


def test_a_dataset_counts_by_its_rows():
    from datasets import Dataset

    rows = [{"a": "x", "b": 1}, {"a": None, "b": 2}]
    assert run_key(data=rows) == run_key(data=Dataset.from_list(rows))
    assert run_key(data=["x", None]) == run_key(data=Dataset.from_list(rows)["a"])


def test_a_path_counts_by_its_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        files.write_text(folder / "a" / "x.txt", "text")
    assert run_key(at=one) == run_key(at=two) != run_key(at=str(one))
    before = run_key(at=two)
    files.write_text(two / "a" / "x.txt", "tuxt")
    assert run_key(at=two) != before


def test_what_has_no_content_of_its_own_is_refused():
    with pytest.raises(TypeError, match=r"options\[1\]: the content of a function is unknown"):
        run_key(options={"f": lambda: 0})
    with pytest.raises(TypeError, match="a generator"):
        run_key(data=(i for i in range(3)))
