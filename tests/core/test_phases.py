"""The phases of a fit: each is read or made whole, and the folder is left as it was found."""

import shutil

import pytest

from synthkit.core import phases as module
from synthkit.core.phases import Phases


def value_of(saved):
    return saved.read("value").decode()


def kept(phases, name, value, identity=""):
    """A phase that makes `value`, or what was kept of it."""

    def make():
        if value is None:
            raise AssertionError("made anew")
        return value

    return phases.phase(name, make, lambda made: {"value": made.encode()}, value_of, identity)


def test_a_phase_is_read_if_it_was_finished_and_clearing_leaves_what_is_not_its_own(tmp_path):
    for folder in (tmp_path, tmp_path / "a"):  # a folder may have a phase's name
        folder.mkdir(exist_ok=True)
        (folder / "mine.txt").write_text("mine")
    with Phases(tmp_path, "key") as phases:
        kept(phases, "a", "1")
        phases.running("b").write_text("under way")
    with Phases(tmp_path, "key") as phases:
        assert kept(phases, "a", None) == "1"
        assert kept(phases, "a", "2", "of other rows") == "2"
        phases.running("b")
    with pytest.raises(ValueError, match="holds a fit with other data"):
        Phases(tmp_path, "another")
    phases.clear()
    left = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*"))
    assert left == ["a", "a/mine.txt", "mine.txt"]


@pytest.mark.parametrize("at", ["save_folder", "finish"])
def test_a_phase_is_done_only_when_it_is_whole_and_marked(tmp_path, monkeypatch, at):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, Phases(tmp_path, "key") as phases:
        patch.setattr(module if at == "save_folder" else module.ResumeLog, at, killed)
        with pytest.raises(KeyboardInterrupt):
            kept(phases, "a", "1")
    with Phases(tmp_path, "key") as phases:
        assert kept(phases, "a", "2") == "2"


def test_a_damaged_phase_says_what_to_remove_and_is_then_made_anew(tmp_path):
    with Phases(tmp_path, "key") as phases:
        kept(phases, "a", "1")
    next(tmp_path.rglob("value")).write_text("2")
    with Phases(tmp_path, "key") as phases:
        with pytest.raises(ValueError, match=r"checksum of value.*remove .*a to have it made anew"):
            kept(phases, "a", None)
        next(tmp_path.glob("a/manifest.json")).unlink()
        with pytest.raises(ValueError, match="remove"):
            kept(phases, "a", None)
        shutil.rmtree(tmp_path / "a")
        assert kept(phases, "a", "3") == "3"


def test_clearing_that_was_killed_leaves_a_folder_that_can_be_used(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with Phases(tmp_path, "key") as phases:
        for name in "ab":
            kept(phases, name, name)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            phases.clear()
    with Phases(tmp_path, "key") as phases:
        assert kept(phases, "a", "new") == "new"
        assert kept(phases, "b", "new") == "new"
    phases.clear()
    assert not tmp_path.exists()


@pytest.mark.parametrize("left", ["nothing", "a phase", "a training"])
def test_a_fit_that_fails_keeps_its_folder_only_if_something_is_in_it(tmp_path, left):
    with pytest.raises(ValueError, match="bad data"), Phases(tmp_path / "fit", "bad") as phases:
        if left == "a phase":
            kept(phases, "a", "1")
        if left == "a training":
            phases.running("a").write_text("under way")
        raise ValueError("bad data")
    assert (tmp_path / "fit").exists() == (left != "nothing")
    if left == "nothing":
        with Phases(tmp_path / "fit", "good") as phases:
            assert kept(phases, "a", "1") == "1"
    else:
        with pytest.raises(ValueError, match="other data"):
            Phases(tmp_path / "fit", "good")
