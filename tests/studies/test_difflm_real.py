"""DiffLM's runs on real rows and of its default: what is measured, with tiny models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny import tiny_lm, tiny_table

from synthkit.core.files import write_jsonl
from synthkit.difflm.presets import with_changes
from synthkit.lm import load_lm
from synthkit.studies.difflm import default as D
from synthkit.studies.difflm import longer
from synthkit.studies.difflm import real as R
from synthkit.studies.difflm import shift as S
from synthkit.studies.runner import run

FEW = {"format_steps": 6, "autoencoder_steps": 6, "diffusion_steps": 4}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("models") / "tiny"))


def of(result, arm):
    frame = result.frame()
    frame = frame[frame["arm"] == arm]
    return dict(zip(frame["measure"], frame["value"]))


def test_a_table_is_compared_with_the_format_model_in_no_more_time(lm, tmp_path, monkeypatch):
    monkeypatch.setattr(R, "AUTO", replace(R.AUTO, seconds=0.01))
    path = tmp_path / "table.csv"
    tiny_table(120).to_csv(path, index=False)
    preset = R.STUDY.limited(12)
    data = R.read(path, columns={"target": "y"})
    with pytest.warns(UserWarning, match="no end"):  # a tiny model does not know JSON
        result = run(R.study(data), preset, lm=lm, out=tmp_path / "run")
    arms = {R.REAL, R.WITHIN, R.DIFFUSION, R.FREE, R.ENCODED, R.FORMAT}
    assert arms <= set(result.frame()["arm"])
    ours = of(result, R.DIFFUSION)
    assert ours["valid"] == 1 and {"AUC", "C2ST", "nearer to train", "seconds"} <= set(ours)
    assert of(result, R.FORMAT)["near copies, train"] <= 1


def test_programs_are_judged_by_the_sandbox_and_all_lines_end_alike(lm, tmp_path):
    rows = [{"code": f"def f{i}(x):\r\n  return x + {i}"} for i in range(30)]
    data = R.read(write_jsonl(tmp_path / "programs.jsonl", rows), columns={})
    assert "\r" not in data.rows[0]["text"]
    study = R.study(data)
    assert study.presets["study"] is R.PROGRAMS
    result = run(study, R.PROGRAMS.limited(8), lm=lm, out=tmp_path / "run")
    real = of(result, R.REAL)
    assert real["parses"] == real["runs"] == 1 and real["near copies, train"] == 1
    assert of(result, R.ALONE)["parses"] == 0


def test_tools_are_judged_by_their_schema(lm, tmp_path):
    sizes = {"type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [{"name": f"f{i}", "description": "d", "parameters": sizes} for i in range(30)]
    data = R.read(write_jsonl(tmp_path / "BFCL.json", [{"function": t} for t in tools]), columns={})
    assert R.kind_of(data) == "tools" and R.study(data).presets["study"] is R.TOOLS
    preset = replace(R.TOOLS.limited(8), longest=None)
    result = run(R.study(data), preset, lm=lm, out=tmp_path / "run")
    assert of(result, R.REAL)["parses"] == of(result, R.REAL)["sound"] == 1
    assert of(result, R.ALONE)["parses"] == 0


def test_lines_that_end_in_a_sentiment_are_texts_and_no_table(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"a film of {i} hours\t{i % 2}\n" for i in range(30)))
    data = R.read(path, columns={})
    assert data.rows[0] == {"text": "a film of 0 hours"} and R.kind_of(data) is None
    assert R.study(data).presets["study"] is R.PROGRAMS


@pytest.mark.parametrize(
    "first",
    [
        {"function": "len"},
        {"function": {"name": "f", "parameters": None}},
        {"Documentation": None},
        {"Documentation": "42"},
        {"API": 41.2, "depth": 3},
        {"formula": "H2O", "mass": 18},
    ],
    ids=str,
)
def test_rows_with_the_name_of_a_tool_set_s_column_alone_are_no_tools(tmp_path, first):
    assert R.known_texts(write_jsonl(tmp_path / "rows.jsonl", [first])) == []


def test_a_column_that_is_named_is_read_of_tools_too(tmp_path):
    rows = [{"API": f"a{i}", "Description": f"text {i}"} for i in range(3)]
    path = write_jsonl(tmp_path / "apis.jsonl", rows)
    assert R.read(path, columns={"text": "Description"}).rows[0] == {"text": "text 0"}
    assert R.read(path, columns={}).rows[0]["text"] == '{"name":"a0","description":"text 0"}'


@pytest.mark.parametrize("first", ["5.1\t3.5\t0", "0\t1", "7\t1"])
def test_numbers_before_0_or_1_are_a_table(tmp_path, first):
    path = tmp_path / "numbers.tsv"
    path.write_text(first + "\n")
    assert R.known_texts(path) == []


@pytest.mark.parametrize(
    ("rows", "name", "usual"),
    [
        ([{"code": f"def f{i}(x):\n  return x + {i}"} for i in range(30)], "256", R.PROGRAMS),
        ([{"size": i / 7, "kind": "gh"[i % 2]} for i in range(30)], "400", R.STUDY),
    ],
    ids=["programs", "rows"],
)
def test_the_longer_study_is_the_usual_one_in_a_place_of_its_own(tmp_path, rows, name, usual):
    study = longer.study(R.read(write_jsonl(tmp_path / "real.jsonl", rows), columns={}))
    (preset,) = study.presets.values()
    assert preset.changes["autoencoder_steps"] == 4 * usual.changes["autoencoder_steps"]
    assert preset.n_sample == usual.n_sample and preset.compared == usual.compared
    assert [case.labels for case in study.cases(preset)] == [{"data": f"real.jsonl, {name} steps"}]


def test_a_made_table_holds_words_and_whole_numbers_and_is_new_with_each_seed():
    table = D.make_table(200, 0, **D.MADE["twelve columns"])
    kinds = table.dtypes.astype(str)
    assert (kinds == "int64").sum() == 3 and (kinds == "float64").sum() == 6
    assert len(table.columns) == 13 and set(table["label"]) == {"yes", "no"}
    words = [name for name in table if set(table[name]) <= set(D.WORDS)]
    assert len(words) == 3
    assert not table.equals(D.make_table(200, 1, **D.MADE["twelve columns"]))


def test_the_default_stands_beside_tvae_and_says_so_where_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(D, "MADE", {"six columns": D.MADE["six columns"]})
    preset = D.DefaultPreset(120, 100, with_changes("fast", FEW), (0,))
    monkeypatch.setattr(D, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="TVAE is left out: it needs the package ctgan"):
        result = run(D.study(), preset, out=tmp_path / "without")
    assert D.TVAE not in set(result.frame()["arm"])

    monkeypatch.setattr(D, "find_spec", lambda name: True)
    monkeypatch.setattr(D, "tvae_table", lambda rows, seed: rows.sample(frac=1, random_state=seed))
    result = run(D.study(), preset, out=tmp_path / "with")
    ours, tvae = of(result, R.DIFFUSION), of(result, D.TVAE)
    assert np.isfinite([ours[D.TIMES], tvae["AUC"], ours["AUC"]]).all()
    assert ours[D.TIMES] == pytest.approx(ours["seconds"] / tvae["seconds"], rel=0.1)


def test_the_public_tables_are_read_by_name(tmp_path):
    for name in D.PUBLIC:
        (tmp_path / name).mkdir()
        tiny_table(30).to_csv(tmp_path / name / "train.csv", index=False)
    found = D.read(tmp_path)
    assert list(found) == list(D.PUBLIC)
    frame, target = found["magic"]
    assert target == frame.columns[-1] and len(D.draw_rows(10, 0, frame)) == 10


def test_under_a_shift_one_part_is_learned_and_both_are_judged(tmp_path):
    rng = np.random.default_rng(0)
    age, x = rng.integers(18, 80, 900), rng.normal(size=900)
    label = np.where((x > 0) ^ (age > 49), "yes", "no")  # the other part says the opposite
    frame = pd.DataFrame({"age": age, "x": x.round(2), "label": label})
    found = S.study(frame, "age", name="people")
    preset = S.ShiftPreset(200, 100, with_changes("fast", FEW), (0,))
    trial = S.ShiftTrial(None, preset, 0, None, frame=frame, column="age", target="label")
    train, own, there, other = trial.parts
    median = frame["age"].median()
    assert (train["age"] <= median).all() and (own["age"] <= median).all()
    assert (other["age"] > median).all() and (there["age"] > median).all()
    assert [len(part) for part in trial.parts] == [200, 100, 200, 100]
    result = run(found, preset, out=tmp_path)
    scores = result.frame().pivot_table("value", "arm", "measure")
    assert set(scores.index) == {S.REAL, S.THERE, S.WITHIN, S.DIFFUSION}
    assert scores.loc[S.REAL, S.OWN] > 0.95 and scores.loc[S.REAL, S.OTHER] < 0.2
    assert scores.loc[S.THERE, S.OTHER] > 0.95
    assert np.allclose(scores[S.DROP], scores[S.OWN] - scores[S.OTHER])
    assert {row["data"] for row in result.measurements} == {"people, from low to high age"}
    with pytest.raises(ValueError, match="no column of numbers named 'label'; found age, x"):
        S.study(frame, "label", name="people")
    with pytest.raises(ValueError, match=r"'x', has [0-9]+ values; a target has up to 20"):
        S.study(frame[["label", "age", "x"]], "age", name="people")
    with pytest.raises(ValueError, match="needs 3100 rows; cut at the median of 'age' one has 4"):
        run(found, replace(preset, n_train=3000), out=tmp_path / "large")
