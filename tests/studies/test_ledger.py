"""The ledger: complete, linked, and the same when it is computed again from raw measurements."""

import json
from collections import defaultdict
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from typer.testing import CliRunner

from synthkit.cli import app
from synthkit.core.files import read_json, write_json
from synthkit.core.paths import data_dir
from synthkit.studies import ledger as book
from synthkit.studies.claims import VERDICTS, Gap, Level
from synthkit.studies.ledger_view import every_row, save, show, summary
from synthkit.studies.measurements import places
from synthkit.studies.papers import KINDS, groups, paper_claims
from synthkit.studies.real_claims import REAL_CLAIMS
from synthkit.studies.registry import NAMES
from synthkit.studies.results import available_results, load_result, results_dir

TABLE_1 = "-3.6 to +26.6 points"


@pytest.fixture(scope="module")
def whole():
    return book.ledger()


@pytest.fixture(scope="module")
def tests(whole):
    """The rows that a recorded run has answered."""
    return whole[whole["verdict"] != "not run"]


def test_every_claim_of_the_papers_is_there_once_or_once_a_test(whole):
    for method in NAMES:
        theirs, ours = paper_claims(method), whole[whole["method"] == method]
        assert set(ours["paper"]) - {""} == set(theirs) and len(theirs) >= 12
        named = [id for group in groups(method)[0] for id in group.claims]
        assert sorted(named) == sorted(theirs), "each claim stands in one group"
        for claim in theirs.values():
            assert claim.where and claim.sentence.endswith((".", "?"))
            assert claim.kind in KINDS and bool(claim.source) != claim.verified
    assert len(whole[whole["paper"] != ""].drop_duplicates(["method", "paper"])) >= 60
    assert not whole.duplicated(["method", "paper", "test", "place", "result"]).any()


def test_ids_and_links_of_the_studies_claims_are_good():
    for method in NAMES:
        grouped, left_out = groups(method)
        claims = [claim for judge in book.judges(method) for claim in judge.claims]
        ids = [claim.id for claim in claims]
        assert len(set(ids)) == len(ids), "an id is unique in its method"
        assert set(left_out) <= set(ids)
        theirs = set(paper_claims(method))
        for claim in claims:
            assert not claim.paper or claim.paper in theirs
            at_home = [group.about(claim.id, claim.paper) for group in grouped]
            at_home = [about for about in at_home if about is not None]
            assert len(at_home) == (claim.id not in left_out), (claim.id, at_home)
            assert set(at_home) <= theirs | {""}


def test_every_place_that_a_claim_on_real_data_names_was_recorded(tests):
    recorded = set(tests["place"])
    for claims in REAL_CLAIMS.values():
        for claim in claims:
            assert set(claim.at or recorded) <= recorded, claim.id


def test_readers_see_six_to_ten_rows_a_method(whole, capsys):
    told = summary(whole)
    counts = told.groupby("method").size()
    assert set(counts.index) == set(NAMES) and counts.between(6, 10).all()
    lessons = {path.name[:2] for path in (data_dir().parent / "nbs").glob("[0-9]*.ipynb")}
    assert not lessons or set(told["lesson"]) <= lessons
    show(told)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    assert "refuted, " in printed and "not run" in printed and " ?" in printed
    weakest = told.set_index("claim")["verdict"]
    assert weakest["Models learn more from its rows than from real rows"].startswith("refuted, 0/")


def test_no_number_without_its_model_scale_and_seeds(whole, tests):
    assert (tests[["model", "scale", "result", "seeds", "needed", "place"]] != "").all(axis=None)
    assert (tests["n"] >= 1).all() and set(tests["asked"]) == {book.BEFORE, book.AFTER}
    idle = whole[whole["verdict"] == "not run"]
    assert (idle["n"] == 0).all() and idle["ours"].isna().all()
    assert set(whole["verdict"]) == set(VERDICTS)
    assert set(tests["result"]) == {
        name for name in available_results() if load_result(name).method in NAMES
    }, "every recorded run of a method is in the ledger"


# --- computed again, from the raw rows and by another road ----------------------------------------


def numbers_of(result, measure, arm, at):
    """By seed, what a run has measured of an arm in one place."""
    wanted = {**at, "measure": measure, "arm": arm}
    found = defaultdict(lambda: np.nan)
    for row in result.measurements:
        if all(row.get(key) == value for key, value in wanted.items()) and row["value"] is not None:
            found[row["seed"]] = row["value"]
    return np.array([found[seed] for seed in result.seeds])


def again(claim, result, name, at):
    """Mean, ends and verdict of a claim, by Student's t from its table."""
    rule, fix = claim.rule, lambda name: name if isinstance(name, str) else name(result, at)
    found = numbers_of(result, fix(rule.measure), fix(rule.arm), at)
    if isinstance(rule, Gap):
        found = found - numbers_of(result, fix(rule.less or rule.measure), fix(rule.against), at)
    found = found[np.isfinite(found)]
    least = claim.least[name] if isinstance(claim.least, dict) else claim.least
    small = isinstance(rule, Level) and rule.sign < 0
    least = -least if small else least
    if len(found) < 3:
        return None, "undecided" if len(found) else "not run"
    half = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    ends = np.array([found.mean(), found.mean() - half, found.mean() + half])
    if small:
        good, bad = ends[2] <= least + 1e-9, ends[1] > least + 1e-9
    else:
        over = least + 1e-9 if claim.strict else least - 1e-9
        good, bad = ends[1] >= over, ends[2] < least - 1e-9
    return ends, "supported" if good else "refuted" if bad else "undecided"


@pytest.mark.parametrize("method", NAMES)
def test_the_verdicts_follow_from_the_raw_measurements(method, whole):
    declared = {(c.id, judge.form): c for judge in book.judges(method) for c in judge.claims}
    forms = {id: form for id, form in declared}
    rows = whole[(whole["method"] == method) & (whole["test"] != "")]
    seen = set()
    for row in rows.to_dict("records"):
        claim, result = declared[row["test"], forms[row["test"]]], load_result(row["result"])
        at = places(result, forms[row["test"]])[row["place"]]
        ends, verdict = again(claim, result, row["place"], at)
        assert row["verdict"] == verdict, row
        seen.add(verdict)
        if ends is not None:
            np.testing.assert_allclose(
                ends, [row["ours"], row["low"], row["high"]], atol=1e-9, err_msg=str(row)
            )
    assert {"supported", "undecided"} <= seen


def test_what_the_papers_data_say_of_table_1_is_so():
    cells = pd.DataFrame(read_json(data_dir() / "papers" / "embedsdg.json")["table_1"])
    gain, theirs = 100 * (cells["embedsdg"] - cells["random"]), paper_claims("embedsdg")
    assert theirs["better-than-random"].number == (
        f"{(gain > 0).sum()} of {len(cells)} cells, {gain.min():.1f} to {gain.max():+.1f} points"
    )
    assert theirs["largest-gain"].number == f"{gain.max():+.1f} points"
    assert theirs["exception"].number == f"{gain.min():.1f} points"
    over = 100 * (cells["embedsdg"] - cells["base"]).groupby(cells["benchmark"]).max()
    assert theirs["over-base"].number == (
        f"up to {over['GSM8K']:+.0f} points (GSM8K), {over['MATH']:+.0f} (MATH)"
    )


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path):
    """A folder with one recorded run, and a function that writes another one from it."""
    first = read_json(results_dir() / "embedsdg-study.json")

    def write(name, **changes):
        write_json(tmp_path / f"{name}.json", {**first, **changes})
        return tmp_path

    write("old", date="2026-01-01")
    return write


def test_the_newest_run_of_a_place_counts_and_a_second_model_has_rows_of_its_own(recorded):
    old = book.findings("embedsdg", recorded("new", date="2026-02-01", seeds=[0, 1, 2]))
    assert {found.name for found in old} == {"new"}
    folder = recorded("other", model={"name": "smollm2"})
    both = book.ledger("embedsdg", folder)
    run = both[both["test"] == "seeds"]
    assert set(run["model"]) == {"embedded", "smollm2"} and sorted(run["n"]) == [3, 5]
    only = book.ledger("softsrv", folder)
    assert set(only["verdict"]) == {"not run"} and set(only["test"]) == {""}


def test_a_real_model_on_real_data_has_its_own_claims(recorded):
    loss = {"EmbedSDG": 1.0, "random seeds, one shown": 1.2, "real rows only": 1.5}
    rows = [
        {"data": "gsm8k", "measure": "answer loss", "arm": arm, "seed": seed, "value": value}
        for arm, value in loss.items() for seed in range(3)
    ]  # fmt: skip
    folder = recorded("real", model={"name": "smollm2"}, seeds=[0, 1, 2], measurements=rows)
    found = book.ledger("embedsdg", folder)
    there = found[found["place"] == "gsm8k"].set_index("test")
    assert (there["asked"] == book.BEFORE).all() and set(there["model"]) == {"smollm2"}
    run = there["verdict"][there["verdict"] != "not run"]
    assert dict(run) == {"real-seeds": "supported", "real-gain": "supported"}
    assert there.loc["real-rare", "verdict"] == "not run"
    assert there.loc["real-seeds", "shown"] == "0.20 [0.20, 0.20], n=3"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 0}, r"wrong\.json: format is 0; it must be the format 1"),
        ({"scale": "huge"}, r"wrong\.json: scale is 'huge'"),
        ({"extra": 1}, r"wrong\.json is not a recorded result: it needs"),
        ({"measurements": [{"measure": "m", "arm": "a", "seed": 0, "value": 1.0, "moon": "new"}]},
         r"wrong\.json has rows of embedsdg with the labels moon, about which no claim is made"),
    ],
)  # fmt: skip
def test_a_wrong_or_older_file_is_named(change, told, recorded):
    with pytest.raises(ValueError, match=told):
        book.ledger("embedsdg", recorded("wrong", **change))


def good(**changes):
    claim = {"id": "a", "kind": "result", "sentence": "It works.", "where": "Table 1",
             "number": "", "verified": True}  # fmt: skip
    return {**claim, **changes}


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        (None, 'spa.json has no list "claims"'),
        ([good(), good()], "claim 1: the id 'a' is there already"),
        ([good(where="")], "where is ''; it must be its place in the paper"),
        ([good(kind="hope")], "kind is 'hope'; it must be one of result"),
        ([good(verified=False)], "source is ''; it must be given where a claim is not verified"),
        ([{"id": "a"}], "claim 0 needs id, kind"),
    ],
)
def test_papers_data_that_are_wrong_are_named(claims, told, tmp_path):
    write_json(tmp_path / "spa.json", {"claims": claims} if claims else {})
    with pytest.raises(ValueError, match=told):
        paper_claims("spa", tmp_path)


def test_a_link_to_nothing_is_an_error(monkeypatch):
    theirs = paper_claims("spa")
    theirs.pop("pass-1")
    monkeypatch.setattr(book, "paper_claims", lambda method: theirs)
    with pytest.raises(ValueError, match="'right-alone' of spa links to 'pass-1', which no paper"):
        book.ledger("spa")


def test_all_rows_are_written_and_printed(whole, tmp_path, capsys):
    csv = pd.read_csv(save(whole, tmp_path / "all.csv"), keep_default_na=False)
    rows = json.loads(save(whole, tmp_path / "all.json").read_text())
    assert list(csv) == list(book.COLUMNS) == list(rows[0]) and len(csv) == len(rows) == len(whole)
    assert [row["verdict"] for row in rows] == list(csv["verdict"]) == list(whole["verdict"])
    assert rows[-1]["ours"] is None or np.isfinite(rows[-1]["ours"])
    with pytest.raises(ValueError, match=r"written as \.csv or \.json; all\.txt is neither"):
        save(whole, tmp_path / "all.txt")
    show(every_row(whole))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_the_command_prints_one_method_or_writes_a_file(tmp_path):
    done = CliRunner().invoke(app, ["ledger", "spa"])
    assert done.exit_code == 0 and "Influence gives" in done.output and "DiffLM" not in done.output
    done = CliRunner().invoke(app, ["ledger", "spa", "--out", str(tmp_path / "spa.csv")])
    assert done.exit_code == 0 and len(pd.read_csv(tmp_path / "spa.csv")) > 40
    done = CliRunner().invoke(app, ["ledger", "magic"])
    assert done.exit_code == 2 and "no study is called 'magic'" in done.output


def test_claims_are_made_in_different_places(whole):
    told = whole[whole["test"] != ""].groupby("method")["result"].unique()
    assert any(set(a) != set(b) for a, b in combinations(told, 2))
    assert {"softsrv-real-text", "synalign-real-text", "difflm-texts"} <= set(whole["result"])
