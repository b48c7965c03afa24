"""The frame of a study: resumed runs give the bytes of whole ones, and holes are not recorded."""

import json
import random
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from synthkit.core.resume import ResumeLog
from synthkit.studies.claims import Claim, Gap, Level
from synthkit.studies.measurements import Log, difference, means, places, told, values
from synthkit.studies.results import load_result
from synthkit.studies.runner import run
from synthkit.studies.study import Case, Study, Trial, Unit, log_name, settings_with


@dataclass(frozen=True)
class Preset:
    """Sizes of a study that measures nothing."""

    size: int = 1
    method: str = "fast"
    seeds: tuple[int, ...] = (0, 1)


def add_two(trial, arm):
    trial.add(arm, {"first": hash_of(arm, trial.seed), "second": None})
    trial.add(arm, {"third": trial.preset.size + 0.25})


def hash_of(*parts):
    return random.Random(repr(parts)).random()


def cases(preset):
    units = [
        Unit("a", partial(add_two, arm="a"), measures=("first", "third")),
        Unit("two", lambda t: [add_two(t, arm) for arm in "bc"], ("b", "c")),
        Unit("a", partial(add_two, arm="a"), labels={"part": "more"}),
    ]
    return [Case(units, Trial, {"world": world}, {}, log_name(world)) for world in ("x", "y")]


STUDY = Study(
    "none", "Nothing", cases, {"fast": Preset()}, place="{world}",
    claims=(
        Claim("higher", "{arm} is above b", Gap("first", "a", "b"), -2.0),
        Claim("size", "the size", Level("third", "a"), {"x": 1.0}, paper="size"),
        Claim("minus", "minus its size", Level("third", "b", sign=-1, absolute=True), at=("y",)),
    ),
    settings=settings_with({"fast": 3}),
)  # fmt: skip
LM = SimpleNamespace(fingerprint="0123456789abcdef", describe=lambda: {"name": "none"})


class Kill(BaseException):
    """What ends a process, for a test."""


def kill_after(monkeypatch, calls, where):
    """Raise `Kill` at the given call of a method, before or after its work is done."""
    owner, name, late = where
    left, work = [calls], getattr(owner, name)

    def dying(self, *args, **kwargs):
        left[0] -= 1
        if late:
            work(self, *args, **kwargs)
        if left[0] == 0:
            raise Kill
        return None if late else work(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, dying)


PLACES = ((Log, "add", True), (Log, "add", False), (ResumeLog, "finish", False),
          (ResumeLog, "finish", True), (ResumeLog, "add", True))  # fmt: skip
FILES = ("result.json", "measurements-x.jsonl", "measurements-y.jsonl")


def test_a_study_that_was_cut_off_gives_the_bytes_of_one_that_was_not(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(STUDY, lm=LM, out=whole)
    rng, killed = random.Random(0), 0
    for place in PLACES * 3:
        with pytest.MonkeyPatch.context() as patch:
            kill_after(patch, rng.randint(1, 3), place)
            try:
                run(STUDY, lm=LM, out=cut)
            except Kill:
                killed += 1
    run(STUDY, lm=LM, out=cut)
    assert killed >= 5
    for name in FILES:
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


def test_a_result_holds_what_was_run_seed_by_seed(tmp_path):
    found = run(STUDY, lm=LM, out=tmp_path, progress=True)
    assert load_result(tmp_path / "result.json") == found
    assert [(row["seed"], row["world"]) for row in found.measurements[:: 12]] == [
        (0, "x"), (0, "y"), (1, "x"), (1, "y")]  # fmt: skip
    assert found.command == "synthkit reproduce none --scale fast" and found.seeds == [0, 1]
    assert found.model == {"name": "none", "fingerprint": LM.fingerprint}
    more = run(STUDY, lm=LM, seeds=[0, 1, 2], out=tmp_path)  # further seeds are no other study
    assert [row for row in more.measurements if row["seed"] < 2] == found.measurements
    own = run(STUDY, Preset(seeds=(5,)), lm=LM, out=tmp_path / "own")
    assert (own.scale, own.seeds) == ("study", [5])


def test_measurements_of_another_preset_model_or_version_are_not_taken_over(tmp_path):
    def again(study=STUDY, preset="fast", lm=LM):
        return run(study, preset, lm=lm, seeds=[0], out=tmp_path)

    again()
    for change in (
        {"preset": Preset(size=2)},
        {"study": replace(STUDY, settings=settings_with({"fast": 4}))},
        {"study": replace(STUDY, cases=lambda p: [replace(c, key={"k": 1}) for c in cases(p)])},
        {"lm": SimpleNamespace(**{**vars(LM), "fingerprint": "fedcba9876543210"})},
    ):
        with pytest.raises(ValueError, match=r"x\.jsonl holds .* with other data, settings, model"):
            again(**change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthkit.studies.measurements.__version__", "9.9.9")
        with pytest.raises(ValueError, match="with other data, settings, model"):
            again()
    log = tmp_path / FILES[1]
    lines = log.read_bytes()
    log.write_bytes(lines.replace(b'"value": 0.', b'"value": 1.', 1))
    with pytest.raises(ValueError, match="is damaged: its checksum does not fit"):
        again()
    log.write_text(json.dumps({"measure": "first", "value": 0.1}) + "\n")  # of an older version
    with pytest.raises(ValueError, match="is no log of the measurements of a study"):
        again()
    log.write_bytes(lines)
    assert again(study=replace(STUDY, title="Something"))


def test_a_study_that_lost_an_arm_is_not_recorded(tmp_path, monkeypatch):
    real, forgotten = Log.__init__, {1}

    def forgetful(self, *args, **labels):
        real(self, *args, **labels)
        self.rows = [row for row in self.rows if row["arm"] != "c" or row["seed"] not in forgotten]

    run(STUDY, lm=LM, out=tmp_path)
    (tmp_path / "result.json").unlink()
    monkeypatch.setattr(Log, "__init__", forgetful)
    for seed in (1, 0):  # then no seed has it
        forgotten.add(seed)
        with pytest.raises(ValueError, match=r"result\.json would have \d+ hole.*'c'.*seed"):
            run(STUDY, lm=LM, out=tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_units_declare_what_every_seed_must_have():
    (x, _) = cases(Preset())
    assert list(x.expected()) == [
        {"world": "x", "arm": "a", "measure": "first"},
        {"world": "x", "arm": "a", "measure": "third"},
        {"world": "x", "arm": "b"}, {"world": "x", "arm": "c"},
        {"world": "x", "part": "more", "arm": "a"},
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "a\\b", "", " ", "a\0", 3, "x" * 101])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(ValueError, match="becomes part of a file's name"):
        log_name("fine", name)


# --- the log and what is read back ----------------------------------------------------------------


def test_a_log_tells_its_labels_apart_and_keeps_the_first(tmp_path):
    log = Log(tmp_path / "m.jsonl")
    math, code = log.labelled(world="math"), log.labelled(world="code")
    math.add("loss", "SSNP", 0, 0.5)
    assert math.found("loss", "SSNP", 0) == 0.5 and code.found("loss", "SSNP", 0) is None
    math.add("loss", "SSNP", 0, 0.7)
    math.add("loss", "SSNP", 1, float("nan"))
    wanted = [0.5, None]  # that there is no value is said
    assert [row["value"] for row in Log(log.path).rows] == wanted == [r["value"] for r in code.rows]


def test_values_are_in_the_order_of_the_seeds_and_of_one_place(recorded):
    found = recorded({("loss", "a"): (2.0, 1.0)}, seeds=(1, 0), world="math")
    found.seeds[:] = [0, 1, 2]
    found.measurements.append({**found.measurements[0], "world": "code", "seed": 2})
    numbers = values(found, "loss", "a", world="math")
    assert numbers[:2].tolist() == [1.0, 2.0] and np.isnan(numbers[2])
    assert places(found, "in {world}") == {
        "in math": {"world": "math"},
        "in code": {"world": "code"},
    }
    with pytest.raises(ValueError, match="0 seeds have both"):
        difference(found, "loss", "a", "b", world="math")


def test_means_leave_out_what_has_no_number(recorded):
    found = recorded({("m", "a"): (1.0, 2.0, 4.0), ("n", "b"): (None, None, None)})
    frame = means(found, {"M": "m", "N": "n"}, ("b", "a"))
    assert frame.to_dict() == {"M": {"a": 2.333}} and means(found, {"M": "m"}).index[0] == "a"
    assert told(values(found, "m", "a")).endswith("n=3") and told(np.array([np.nan])) == "-"
    assert told(np.array([0.5])) == "+0.500"


def test_claims_are_made_where_they_say(tmp_path):
    run(STUDY, lm=LM, seeds=[0, 1, 2], out=tmp_path)
    table = STUDY.verdicts(load_result(tmp_path / "result.json"))
    assert list(zip(table["claim"], table["world"])) == [
        ("a is above b", "x"), ("the size", "x"), ("a is above b", "y"), ("minus its size", "y"),
    ]  # fmt: skip
    assert list(table["verdict"]) == ["supported", "supported", "supported", "refuted"]
    assert list(table["in the paper"]) == ["no", "yes", "no", "no"]
