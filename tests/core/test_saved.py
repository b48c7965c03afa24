"""What is saved is whole or not there, and a damaged or newer folder is refused in words."""

import errno
import os

import pytest

from synthkit.core import files, saved
from synthkit.core.saved import open_saved, save_folder

ONE = {"weights": b"\x00\x01" * 40, "adapters/part0/weights": b"one"}
TWO = {"weights": b"\x02\x03" * 50, "adapters/part1/weights": b"two"}


def save(folder, files, **facts):
    return save_folder(folder, "softsrv", files, {"é": [1.5, None], **facts})


def tree(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def content(folder):
    found = open_saved(folder, "softsrv")
    return {name: found.read(name) for name in found.files}


def test_files_and_facts_come_back(tmp_path):
    found = open_saved(save(tmp_path / "new", ONE, seed=3), "softsrv")
    assert {name: found.read(name) for name in found.files} == ONE
    assert found.facts == {"é": [1.5, None], "seed": 3} and found.kind == "softsrv"
    assert (found.path("adapters/part0") / "weights").read_bytes() == b"one"
    with pytest.raises(ValueError, match=r"holds no adapters/part1, only weights"):
        found.path("adapters/part1")


def test_a_later_save_replaces_the_older_one_and_leaves_other_files(tmp_path):
    files.write_text(tmp_path / "notes.txt", "mine")
    files.write_text(tmp_path / "data-raw" / "mine.txt", "mine")
    save(tmp_path, ONE)
    save(tmp_path, TWO)
    again, kept = tree(tmp_path), {"notes.txt", "data-raw/mine.txt", "manifest.json"}
    assert content(tmp_path) == TWO and len(again) == len(TWO) + len(kept)
    save(tmp_path, TWO)
    assert tree(tmp_path) == again
    saved.remove_saved(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data-raw", "notes.txt"]


@pytest.mark.parametrize("call", ["replace", "fsync", "rmdir", "unlink"])
def test_killed_at_any_moment_it_holds_the_older_or_the_newer_save(tmp_path, call):
    save(tmp_path / "whole", TWO)
    for moment in range(20):
        folder = save(tmp_path / f"{call}{moment}", ONE)
        if (child := os.fork()) == 0:
            dies_at(call, moment)
            save(folder, TWO)
            os._exit(0)
        ended = os.waitpid(child, 0)[1] == 0
        assert content(folder) in (ONE, TWO)
        save(folder, TWO)
        assert tree(folder) == tree(tmp_path / "whole")
        if ended:
            return
    raise AssertionError(f"there are more than 20 calls of {call}")


def dies_at(call, moment):
    real, calls = getattr(os, call), iter(range(1000))

    def count(*args, **kwargs):
        if next(calls) == moment:
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)

    setattr(os, call, count)


@pytest.mark.parametrize("before", [None, ONE])
def test_a_full_disk_leaves_no_part_of_a_save(tmp_path, monkeypatch, before):
    if before:
        save(tmp_path, before)
    old, room = tree(tmp_path), iter([None])  # for one file

    def fsync(handle):
        if next(room, "none"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="disk is full"):
        save(tmp_path, TWO)
    assert tree(tmp_path) == old


def test_every_damage_is_refused(tmp_path):
    folder = save(tmp_path, ONE)
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        whole = path.read_bytes()
        flips = [whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :] for at in range(len(whole))]
        for damaged in (b"", whole[:-2], whole + b"\0", b"\0" * len(whole), *flips):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"damaged|newer|update|is wanted"):
                open_saved(folder, "softsrv")
        path.unlink()
        with pytest.raises((ValueError, FileNotFoundError), match=path.name):
            open_saved(folder, "softsrv")
        path.write_bytes(whole)
    assert content(folder) == ONE


@pytest.mark.parametrize(("by", "advice"), [(1, "update it"), (-1, "fit and save again")])
def test_another_format_or_kind_and_no_save_are_refused(by, advice, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"holds no manifest\.json"):
        open_saved(tmp_path, "softsrv")
    save(tmp_path, ONE)
    with pytest.raises(ValueError, match="holds 'softsrv' where 'spa' is wanted"):
        open_saved(tmp_path, "spa")
    monkeypatch.setattr(saved, "FORMAT", saved.FORMAT + by)
    save(tmp_path, TWO)
    monkeypatch.undo()
    told = rf"saved by synthkit .* \(format {saved.FORMAT + by}\); this is .*: {advice}"
    with pytest.raises(ValueError, match=told):
        open_saved(tmp_path, "softsrv")


@pytest.mark.parametrize("name", ["../a", "/a", "", "a/../../b", "c:a", "a\\b"])
def test_a_name_stays_in_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="is no name of a file"):
        save(tmp_path, {name: b""})
    assert not list(tmp_path.iterdir())
