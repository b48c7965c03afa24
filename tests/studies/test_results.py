"""Recorded runs: written whole, read back equal, refused when wrong."""

import json
import math
import subprocess
from dataclasses import asdict, dataclass

import pytest

from synthkit.studies import results
from synthkit.studies.results import load_result, record
from synthkit.studies.tables import overview, side_by_side, summarise


@dataclass(frozen=True)
class Preset:
    rank: int = 8


def rows():
    return [
        {"seed": s, "arm": arm, "measure": "accuracy", "value": v + s / 100}
        for arm, v in (("sparse", 0.5), ("random", 0.4))
        for s in range(3)
    ]


def write(path, **changes):
    options = {
        "method": "embedsdg",
        "command": "synthkit reproduce embedsdg --scale study",
        "preset": Preset(),
        "scale": "study",
        "model": {"name": "embedded", "parameters": 2_000_000},
        "seeds": [0, 1, 2],
        "measurements": rows(),
        "notes": "a test",
    }
    return record(path, **(options | changes))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "data_dir", lambda: tmp_path)
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def test_a_run_is_read_back_as_it_was_written(folder):
    written = write(folder / "one.json")
    assert load_result("one") == written == load_result(folder / "one.json")
    assert results.available_results() == ["one"]
    assert written.preset == {"rank": 8} and len(written.frame()) == 6
    assert {"python", "synthkit", "torch", "transformers"} <= set(written.versions)
    assert written.cores >= 1 and len(written.date) == 10


def test_a_result_with_holes_is_refused(folder):
    path = folder / "one.json"
    with pytest.raises(
        ValueError, match=r"1 hole: .*'random', measure 'accuracy', seed 2\. Measure"
    ):
        write(path, measurements=rows()[:-1])
    wanted = [{"arm": "dense", "measure": "accuracy"}, {"arm": "random"}]
    with pytest.raises(ValueError, match=r"3 holes: arm 'dense', measure 'accuracy', seed 0"):
        write(path, expected=wanted)
    assert not path.exists()
    none = [{"seed": s, "arm": "dense", "measure": "accuracy", "value": None} for s in range(3)]
    found = write(path, measurements=rows() + none, expected=wanted)  # that there is none is said
    assert load_result(path) == found


def test_nothing_names_the_machine(folder, repo):
    import socket

    write(folder / "one.json", model="embedded")
    text = (folder / "one.json").read_text()
    assert str(repo) not in text and str(folder) not in text
    host = socket.gethostname()
    assert len(host) < 4 or f'"{host}' not in text


def test_commit_is_that_of_the_checkout(folder, repo):
    written = write(folder / "one.json")
    head = subprocess.run(
        ["git", "rev-parse", "--verify", "HEAD"], cwd=repo, capture_output=True, text=True
    )
    if head.returncode:  # no checkout, or one without any commit yet
        assert written.commit is None and written.dirty is None
    else:
        assert written.commit == head.stdout.strip() and isinstance(written.dirty, bool)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"measurements": []}, "at least one measurement"),
        ({"measurements": [{"value": math.nan}]}, "measurements.0.value is nan"),
        ({"measurements": [{"value": math.inf}]}, "measurements.0.value is inf"),
        ({"measurements": [{"value": [1]}]}, "value is a list"),
        ({"measurements": [{"arm": "sparse"}]}, "no number"),
        ({"measurements": [{"value": 1}, {}]}, "measurement 1"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"scale": "huge"}, "'huge'"),
        ({"notes": "kept in /home/someone/runs"}, "notes holds a path"),
        ({"command": "synthkit pretrain ~/models/one"}, "command holds a path"),
        ({"model": "C:\\models\\one"}, "model.name holds a path"),
    ],
)
def test_a_bad_run_is_refused_and_nothing_is_written(folder, changes, named):
    with pytest.raises(ValueError, match=named):
        write(folder / "one.json", **changes)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["1 / 2 of them", "a/b testing", "nats/token", "ratio 3/4", "Qwen/Qwen2.5-0.5B"]
)
def test_a_slash_is_not_a_path(folder, text):
    assert write(folder / "one.json", notes=text).notes == text


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("format", 2, "format is 2"),
        ("scale", "big", "'big'"),
        ("date", "yesterday", "'yesterday'"),
        ("commit", "abc", "'abc'"),
        ("cores", "two", "cores"),
        ("measurements", [{"value": {"mean": 1}}], "value is a dict"),
        ("extra", 1, "is not a recorded result"),
    ],
)
def test_a_changed_file_is_refused(folder, key, value, named):
    document = asdict(write(folder / "one.json"))
    (folder / "one.json").write_text(json.dumps(document | {key: value}))
    with pytest.raises(ValueError, match=named):
        load_result("one")


def test_summarise_by_hand():
    table = summarise(rows(), ["measure", "arm"], "value")
    assert list(table["arm"]) == ["sparse", "random"] and list(table["n"]) == [3, 3]
    half = 4.302653 * 0.01 / math.sqrt(3)  # t with 2 degrees of freedom, spread 0.01
    first = table.iloc[0]
    assert first["mean"] == pytest.approx(0.51)
    assert (first["low"], first["high"]) == pytest.approx((0.51 - half, 0.51 + half), abs=1e-6)


def test_summarise_names_what_is_wrong():
    with pytest.raises(ValueError, match="no column score; found"):
        summarise(rows(), "arm", "score")
    with pytest.raises(ValueError, match="not finite"):
        summarise([{"arm": "a", "v": math.inf}], "arm", "v")


def test_overview_reads_the_long_form_only(folder):
    assert len(overview()) == 0
    write(folder / "one.json")
    write(folder / "wide.json", measurements=[{"seed": 0, "accuracy": 0.5}])
    table = overview()
    assert list(table["arm"]) == ["sparse", "random"]
    assert set(table["result"]) == {"one"} and set(table["model"]) == {"embedded"}


def test_overview_keeps_arms_with_other_labels_apart(folder):
    cells = [("records", "mild", 0.5), ("records", "strong", 0.7), ("code", "strong", 0.9)]
    rows = [
        {"world": world, "skew": skew, "measure": "m", "arm": "a", "seed": 0, "value": value}
        for world, skew, value in cells
    ]
    write(folder / "one.json", measurements=rows, seeds=[0])
    found = dict(zip(overview()["arm"], overview()["mean"]))
    assert found == {"a (records, mild)": 0.5, "a (records, strong)": 0.7, "a (code, strong)": 0.9}


def test_arms_side_by_side(folder):
    rows = [
        {"world": world, "measure": "m", "arm": "a", "seed": seed, "value": value}
        for world, values in (("math", (0.4, 0.6)), ("code", (0.9, None)))
        for seed, value in enumerate(values)
    ]
    write(folder / "one.json", measurements=rows, seeds=[0, 1])
    columns = {name: {"measure": "m", "world": name} for name in ("math", "code", "facts")}
    frame = side_by_side(load_result("one"), columns, ["a", "unknown"])
    assert list(frame.columns) == ["arm", "math", "code", "facts"] and len(frame) == 1
    line = frame.iloc[0]
    assert line["math"].startswith("0.50 [") and line["code"] == "0.90" and line["facts"] == "-"


def test_every_recorded_result_is_sound():
    for name in results.available_results():
        assert load_result(name).measurements
