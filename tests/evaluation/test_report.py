"""The report of `evaluate`: texts and tables of known faults, and data that allow no measure."""

import json
import math
import random
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import WORLD, mixed

from synthkit import load_world
from synthkit.core.intervals import no_interval
from synthkit.evaluation.measure import Measure, next_draw
from synthkit.evaluation.report import evaluate, evaluate_files

FAMILIES = ("fidelity", "diversity", "novelty", "utility", "privacy")


def apart(report):
    return {row.name for row in report.rows if row.apart}


@pytest.fixture(scope="module")
def questions():
    return load_world("math").sample(300, seed=0)["question"][:]


# texts


def test_fresh_text_is_left_alone_and_a_copier_is_seen():
    world = load_world("math")
    real = world.sample(240, seed=1)
    fresh = evaluate(real, world.sample(120, seed=2), text="question")
    assert len(apart(fresh)) <= 2
    copies = random.Random(0).choices(real["question"][:], k=120)
    copied = evaluate(real, copies, text="question")
    assert copied["exact copies"].synthetic.mean == 1 and copied["exact copies"].apart
    assert copied["nearest real text"].synthetic.mean == pytest.approx(0, abs=1e-9)
    assert not copied["word JSD"].apart
    assert copied["1-NN accuracy"].synthetic.mean < 0.45
    assert any("equals a real one" in note for note in copied.notes)


@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "splits"), [(19, 50, 5), (50, 9, 5), (50, 50, 1)]
)
def test_too_little_is_refused(questions, n_real, n_synthetic, splits):
    with pytest.raises(ValueError, match="needs 20 real and 10 synthetic entries and 2 splits"):
        evaluate(questions[:n_real], questions[:n_synthetic], splits=splits)


def test_large_sets_have_mauve_and_small_ones_say_why_not(questions):
    world = load_world("math")
    real, made = (world.sample(500, seed=seed)["question"][:] for seed in (3, 4))
    report = evaluate(real, made, splits=2)
    assert report["MAUVE"].baseline.mean > 0.8 and report.size == 250
    assert not any("Small sample" in note for note in report.notes)
    small = evaluate(questions[:60], questions[60:100], splits=2)
    told = " ".join(small.notes)
    assert "Small sample: 30 texts a side" in told and "MAUVE is left out" in told


def test_a_test_set_is_the_reference_and_shows_leaks(questions):
    test = [" ".join(f"w{i}x{j}" for j in range(9)) for i in range(120)]
    made = questions[100:130] + test[:20]
    report = evaluate(questions[:100], made, test, splits=3)
    assert report.reference == "the test texts" and report.size == 50
    leaks = report["contamination"]
    assert leaks.synthetic.mean == 0.4 and leaks.baseline.mean == 0 and leaks.apart
    few = evaluate(questions[:100], made, test[:30], splits=3)
    assert few.reference == "random halves of the real texts" and few["contamination"]


def test_utility_of_labelled_texts_names_a_missing_class():
    def rows(kinds, n=40):
        return pd.DataFrame({
            "text": [f"{word} number {i % 7} here" for word in kinds for i in range(n)],
            "label": [word for word in kinds for _ in range(n)],
        })  # fmt: skip

    report = evaluate(rows("abc"), rows("ab"), rows("abc", 20), target="label", splits=2)
    tstr = report["TSTR accuracy"]
    assert tstr.synthetic.mean == pytest.approx(2 / 3) and tstr.baseline.mean == 1 and tstr.apart
    assert any("lack 1 of the test's classes: c" in note for note in report.notes)
    with pytest.raises(ValueError, match="no column 'other' to predict; found text, label"):
        evaluate(rows("ab"), rows("ab"), target="other")
    with pytest.raises(ValueError, match="is the column of texts"):
        evaluate(rows("ab"), rows("ab"), target="text")
    for gap in (None, float("nan"), " "):  # would be a class of its own
        with pytest.raises(ValueError, match="column 'label': 1 of 80 rows do not hold a label"):
            evaluate(rows("ab"), rows("ab").assign(label=[gap, *"b" * 79]), target="label")


def test_texts_that_are_all_equal_or_of_one_word_lose_measures_and_say_so():
    report = evaluate(["same"] * 40, ["same"] * 40, splits=2)
    left_out = {note.split(" is left out")[0] for note in report.notes if "left out" in note}
    assert left_out == {"word-pair JSD", "MAUVE", "distinct-2", "Utility"}
    assert not apart(report)
    assert report["Vendi score"].synthetic.mean == pytest.approx(1, abs=1e-5)
    assert report["MMD²"].synthetic.mean == 0 and report["MMD p-value"].synthetic.mean == 1


def test_copies_of_texts_beyond_the_limit_are_seen(questions):
    report = evaluate(questions, questions[-50:], limit=60, splits=2)
    assert report.n_real == 60 and report["exact copies"].synthetic.mean == 1
    assert any("At most 60 texts of each set" in note for note in report.notes)


# tables


@pytest.fixture(scope="module")
def fresh():
    train, test, made = (WORLD.frame(n, seed) for n, seed in ((900, 0), (900, 1), (700, 2)))
    return evaluate(train, made, test, target="income", splits=3)


def test_a_fresh_table_is_left_alone(fresh):
    assert {row.family for row in fresh.rows} == set(FAMILIES)
    assert len(apart(fresh)) <= 2 and fresh.kind == "rows" and fresh.reference == "the test rows"
    assert abs(fresh["C2ST AUC"].synthetic.mean - 0.5) < 0.06
    assert fresh["MMD p-value"].synthetic.mean > 0.01
    tstr = fresh["TSTR auc"]
    assert abs(tstr.synthetic.mean - tstr.baseline.mean) < 0.05 and 0 < tstr.synthetic.low


def test_a_copier_of_rows_is_seen_by_privacy_and_novelty_alone():
    train, test = WORLD.frame(600, 0), WORLD.frame(600, 1)
    copier = train.sample(400, random_state=0)
    report = evaluate(train, copier, test, splits=3)
    assert {"exact copies", "nearest real row", "DCR share"} <= apart(report)
    assert report["DCR share"].synthetic.mean > 0.65
    assert abs(report["DCR share"].baseline.mean - 0.5) < 0.1
    assert "shape error" not in apart(report)
    assert any("equals a real one" in note for note in report.notes)


def test_shuffled_columns_are_seen_by_fidelity():
    train, test = WORLD.frame(600, 0), WORLD.frame(600, 1)
    shuffled = pd.DataFrame({
        name: train[name].sample(frac=1, random_state=i).to_numpy()
        for i, name in enumerate(train)
    })  # fmt: skip
    report = evaluate(train, shuffled, test, target="income", splits=6)
    assert {"C2ST AUC", "TSTR auc"} <= apart(report)
    assert "shape error" not in apart(report)
    p_value = report["MMD p-value"]
    assert p_value.synthetic.mean < 0.1 < p_value.baseline.mean


def test_a_table_that_lacks_a_class_and_a_column_of_its_own_is_told():
    made = mixed(120, 2).assign(colour="red", method="ours")
    report = evaluate(mixed(120), made, mixed(120, 1), target="colour", splits=2)
    told = " ".join(report.notes)
    assert "lacks 2 of the classes of colour" in told and "left out: method" in told
    assert report["TSTR auc"].synthetic.mean == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="size"), r"no column \['size'\] in a table"),
        (lambda f: f[:9], "got 60 real, 9 synthetic"),
        (lambda f: f["size"].tolist(), "a table must be"),
        (lambda f: f.assign(size=[[1]] * 60), "column 'size' of a table holds values of type list"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        evaluate(mixed(60), change(mixed(60, 1)))


def test_a_class_of_one_test_row_stays_in_every_draw():
    test = mixed(120, 1).assign(y=["b"] + ["a"] * 119)
    real, made = (mixed(60, seed).assign(y=["a"] * 59 + ["b"]) for seed in (0, 2))
    tstr = evaluate(real, made, test, target="y", splits=2)["TSTR accuracy"]
    assert tstr.synthetic.mean > 0.9 and tstr.synthetic.n == 5


def test_constant_and_identifying_columns_are_told():
    real, made = mixed(80), mixed(80, 1)
    for frame, start in ((real, 0), (made, 60)):
        frame["id"] = [f"n{i}" for i in range(start, start + 80)]
        frame["one"] = 1
    report = evaluate(real, made, splits=2)
    assert report["identifiers"].synthetic.mean == 0.25 and report["identifiers"].apart
    told = " ".join(report.notes)
    assert "of no weight: one" in told and "identify a row: id" in told
    assert "DCR share is left out: it needs test data" in told and "Utility is left out" in told
    constant = pd.DataFrame({"x": [1] * 40})
    report = evaluate(constant, constant, splits=2)
    assert report["MMD²"].synthetic.mean == 0 and not apart(report)
    assert report["Vendi score"].synthetic.mean == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="a column to compare is needed"):
        evaluate(real, made, without=list(real))


# the report itself


def test_a_report_prints_renders_and_serialises(questions):
    report = evaluate(questions[:60], questions[60:100], splits=3)
    lines = str(report).splitlines()
    assert "40 synthetic against 60 real texts" in lines[0]
    assert len(lines) == 3 + len(report.rows) + len(report.notes)
    starts = {line.index(row.reading) for line, row in zip(lines[3:], report.rows)}
    assert len(starts) == 1  # aligned
    shown = report._repr_html_()
    assert shown.count('scope="col"') == 6 and shown.count('scope="row"') == len(report.rows)
    with pytest.raises(KeyError, match="no measure 'MAUVE'; there are word JSD"):
        report["MAUVE"]
    families = [row.family for row in report.rows]
    assert families == sorted(families, key=FAMILIES.index)


def test_json_holds_no_number_that_json_does_not_know(fresh, tmp_path):
    plain = json.loads(fresh.save_json(tmp_path / "report.json").read_text())
    by_name = {row["name"]: row for row in plain["rows"]}
    assert by_name["MMD p-value"]["synthetic"]["low"] is None
    assert by_name["shape error"]["synthetic"] == asdict(fresh["shape error"].synthetic)
    assert plain["notes"] == list(fresh.notes) and plain["caption"] == fresh.caption


def test_without_an_interval_nothing_is_apart():
    sides = no_interval(0.001, 9), no_interval(0.9, 9)
    row = Measure("fidelity", "p", "small = differ", *sides, 3)
    assert not row.apart and row.cells()[3:] == ["0.001 (no interval)", "0.900 (no interval)", ""]


def test_the_interval_of_another_draw_holds_it():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        sample, another = rng.normal(size=40), rng.normal(size=20).mean()
        parts = [rng.permutation(sample)[:20].mean() for _ in range(10)]
        found = next_draw(parts, 0.5, -math.inf, math.inf)
        held += found.low <= another <= found.high
    assert 180 <= held <= 200


def test_files_of_texts_and_tables(tmp_path, questions):
    real, made = tmp_path / "real.txt", tmp_path / "made.csv"
    real.write_text("\n".join(questions[:40]))
    pd.DataFrame({"text": questions[40:80]}).to_csv(made, index=False)
    out = {"html": tmp_path / "page.html", "json": tmp_path / "numbers.json"}
    report = evaluate_files(real, made, splits=2, **out)
    assert report.n_real == report.n_synthetic == 40 and all(map(type(real).exists, out.values()))
    with pytest.raises(ValueError, match="no column"):
        evaluate_files(_table(tmp_path), tmp_path / "real.txt", target=None)


def _table(folder):
    mixed(40).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"
