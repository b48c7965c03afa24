"""What holds of every study: it runs, resumes, is recorded, is shown, and its claims are data."""

import json

import pytest

from synthkit.core.resume import ResumeLog
from synthkit.studies.claims import VERDICTS
from synthkit.studies.measurements import Log
from synthkit.studies.registry import NAMES, RECORDED, load_study
from synthkit.studies.report import show
from synthkit.studies.results import load_result


def test_a_run_measures_what_its_units_declare(tiny):
    (case, *others) = tiny.study.cases(tiny.preset)
    assert not others
    wanted = list(case.expected())
    assert wanted and len({unit.name for unit in case.units}) >= 4
    for labels in wanted:
        assert any(labels.items() <= row.items() for row in tiny.result.measurements), labels
    assert all(case.labels.items() <= row.items() for row in tiny.result.measurements)
    assert (tiny.out / "result.json").exists() and list(tiny.out.glob("*.png"))
    assert not any(path.is_dir() for path in tiny.out.iterdir())  # nothing half-done is left


def test_a_run_that_is_finished_measures_nothing_again(tiny, monkeypatch):
    before = (tiny.out / "result.json").read_bytes()
    monkeypatch.setattr(Log, "unit", None)
    assert tiny.again().measurements == tiny.result.measurements
    assert (tiny.out / "result.json").read_bytes() == before


CHEAP = {"embedsdg": "no synthetic data", "softsrv": "target", "spa": "random parts",
         "synalign": "random", "difflm": "reference tables"}  # fmt: skip


def test_a_unit_that_is_lost_is_measured_again_alike(tiny, tmp_path):
    log = tiny.out / "measurements.jsonl"
    key = json.loads(log.read_text().splitlines()[0])["run"]["key"]
    how = {"place": ("labels", "unit", "seed"), "what": "the measurements of a study"}
    with ResumeLog(log, key, **how) as whole, ResumeLog(tmp_path / log.name, key, **how) as cut:
        for place, entry in whole.entries.items():
            if place[1] != CHEAP[tiny.study.name]:
                cut.add(entry)
                cut.finish(*place)
        assert len(cut.entries) == len(whole.entries) - 1
    again = tiny.again(out=tmp_path)

    def timeless(result):
        rows = (row for row in result.measurements if "seconds" not in row["measure"])
        return sorted(json.dumps(row, sort_keys=True) for row in rows)

    assert timeless(again) == timeless(tiny.result)


def test_other_settings_are_another_run(tiny):
    from dataclasses import replace

    from synthkit.studies.runner import run

    size = next(name for name in ("n_real", "n_target", "n_rows", "n_train")
                if hasattr(tiny.preset, name))  # fmt: skip
    other = replace(tiny.preset, **{size: getattr(tiny.preset, size) + 1})
    with pytest.raises(ValueError, match=r"measurements\.jsonl holds .* with other data, settings"):
        run(tiny.study, other, seeds=[0], out=tiny.out)


def test_a_report_shows_every_place_and_claim(tiny, tmp_path, capsys):
    show(tiny.study, tiny.result, tmp_path)
    printed = " ".join(capsys.readouterr().out.split())
    for place in tiny.study.places(tiny.result):
        assert f"{tiny.study.title}, {place}" in printed
    assert "decide nothing" in printed and "claims: " in printed and "not run" in printed
    verdicts = set(tiny.study.verdicts(tiny.result)["verdict"])
    assert verdicts <= {"undecided", "not run"}
    assert all(path.stat().st_size > 1000 for path in tmp_path.glob("*.png"))


# --- the recorded results -------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_study_is_shown_and_judged(name, tmp_path, capsys):
    result, study = load_result(name), load_study(RECORDED[name])
    found = study.verdicts(result)
    assert set(found["verdict"]) <= set(VERDICTS) and (found["in the paper"] == "yes").any()
    assert not found.duplicated(["claim", "world"]).any()
    assert (found["verdict"] == "not run").mean() < 0.4
    show(study, result, tmp_path)
    printed = capsys.readouterr().out
    assert "claims: " in printed and "decide nothing" not in printed
    assert len(list(tmp_path.glob("*.png"))) >= len(study.figures)


def test_claims_are_made_where_the_study_measures():
    rules = {}
    for name in NAMES:
        study = load_study(name)
        recorded = [result for result, of in RECORDED.items() if of == name]
        places = {place for result in recorded for place in study.places(load_result(result))}
        assert {place for claim in study.claims for place in claim.at} <= places
        rules |= {f"{name} {claim.id}": str(claim.rule) for claim in study.claims}
    assert len(rules) > 80
    assert rules["softsrv match-real"] == "MAUVE of best contextual - MAUVE of real, another sample"
    assert rules["spa modes-random"] == "|adjusted Rand index, mode of random parts|"


@pytest.mark.parametrize("name", NAMES)
def test_a_scale_without_a_preset_and_an_unknown_study_are_named(name, tmp_path):
    from synthkit.studies.runner import run

    with pytest.raises(ValueError, match="fast or study, not 'paper'; with a real model"):
        run(load_study(name), "paper", out=tmp_path)
    with pytest.raises(ValueError, match="no study is called 'magic'"):
        load_study("magic")
