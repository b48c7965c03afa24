"""The bake-off: one interface for seven ways, an equal budget that is counted, scores that tell."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from synthkit.lm.examples import encode
from synthkit.studies.bakeoff import experiment as bake
from synthkit.studies.bakeoff import tasks, ways
from synthkit.studies.bakeoff.meter import READ, TRAINED, WRITTEN, Meter
from synthkit.studies.bakeoff.report import CLAIMS, study
from synthkit.studies.bakeoff.scores import ALONE, COPIES, MMD, REPEATS, VENDI, Judge
from synthkit.studies.measurements import values
from synthkit.studies.real_data import RealData
from synthkit.studies.results import available_results, load_result
from synthkit.studies.runner import run
from synthkit.studies.view import view
from synthkit.teacher import Reply


@pytest.fixture(scope="module")
def rows():
    return list(tasks.in_words(tasks.world_data(200), tasks.world_data(200).rows))


# --- the task -------------------------------------------------------------------------------------


def test_a_class_in_front_is_written_and_read():
    row = {"text": "A dull , lifeless film .", "label": "negative"}
    assert tasks.read_labelled(tasks.labelled(row)) == row
    assert tasks.read_labelled(" Positive:  a  fine\nold film") == {
        "text": "a fine old film", "label": "positive"
    }  # fmt: skip
    for bad in ("mixed: a film of sorts", "a fine old film", "positive: too short", "", ": a b c"):
        assert tasks.read_labelled(bad) is None


def test_an_opening_and_its_answer_are_the_whole_row():
    for text in ("a dull , lifeless film .", "two words", "one"):
        row = {"text": text, "label": "negative"}
        asked = tasks.opened(row)
        assert asked["prompt"] + asked["completion"] == f"negative: {text}"
        assert asked["completion"].strip()


def test_a_mixture_takes_each_attribute_from_one_of_both(rows):
    for first, second in zip(rows[:20], rows[20:40]):
        shown = {"question_1": first["text"], "answer_1": first["label"],
                 "question_2": second["text"], "answer_2": second["label"]}  # fmt: skip
        cell = tasks.mixture(tasks.MIXED.format(**shown))
        assert all(value in (first[name], second[name]) for name, value in cell.items())
        assert (cell["sentiment"], cell["tone"]) in [
            (r["sentiment"], r["tone"]) for r in (first, second)
        ]


def test_a_person_who_knows_nothing_asks_for_all_alike():
    asked = tasks.headers("positive", 400, random.Random(0))
    tones = [prompt.partition("tone: ")[2].split("\n")[0] for prompt in asked]
    assert all("sentiment: positive" in prompt for prompt in asked)
    assert set(tones) == {"neutral", "sarcastic", "enthusiastic"}
    assert max(map(tones.count, set(tones))) < 200


def test_examples_that_are_continued_are_read(monkeypatch):
    written = Reply(" a fine old film\nSentiment: Positive", "stop")
    monkeypatch.setattr(tasks.LMTeacher, "complete", lambda self, prompts, **how: [written])
    lm = SimpleNamespace(name="m", chat=False)
    (found,) = tasks.Continuing(lm).complete(["Text:"])
    assert "### Question\na fine old film\n" in found and found.endswith("positive")
    data = RealData("sst2/train.tsv", [{"text": "x", "label": 1}], {"text": "text"})
    task = tasks.task_of(data)
    assert "a sentence of a film review, negative in tone" in task.asks("negative", 3, None)[0]
    assert tasks.in_words(data, data.rows)[0]["sentiment"] == "positive"


# --- the meter ------------------------------------------------------------------------------------


def test_tokens_are_counted_by_what_they_are_for(embedded_lm):
    lm, meter = embedded_lm, Meter(embedded_lm.model)
    try:
        with meter.spent("writing") as spent:
            lm.generate(["Write a review.\nOutput:\n"] * 3, max_new_tokens=5, temperature=1.0)
        read = 3 * (1 + len(lm.token_ids(["Write a review.\nOutput:\n"])[0]))
        assert (spent[WRITTEN], spent[READ], spent[TRAINED]) == (15, read, 0)
        assert spent["seconds, writing"] > 0
        with meter.spent("reading") as spent:
            lm.nll(["Shirt with splendid sleeve."])
        assert spent[WRITTEN] == spent[TRAINED] == 0 < spent[READ]
    finally:
        meter.remove()
    before = dict(meter.counts)
    lm.nll(["Shirt with splendid sleeve."])
    assert meter.counts == before


def test_a_view_of_the_model_counts_into_the_same_meter(embedded_lm):
    from synthkit.lm.finetune import FinetunePreset, finetune

    meter, example = Meter(embedded_lm.model), [{"text": "Shirt with splendid sleeve."}]
    try:
        with meter.spent("fitting") as spent:
            finetune(embedded_lm, example, FinetunePreset(rank=2, epochs=2))
    finally:
        meter.remove()
    tokens = len(encode(embedded_lm.tokenizer, example, embedded_lm.context)[0][0])
    assert spent[TRAINED] == 2 * tokens


# --- the scores -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(rows):
    rng = np.random.default_rng(0)
    words = sorted({word for row in rows for word in row["text"].lower().split()})
    table = {word: rng.normal(size=64) for word in words}

    def encoder(texts):
        return np.stack([np.mean([table.get(w, 0 * rng.normal(size=64))
                                  for w in t.lower().split()], 0) for t in texts])  # fmt: skip

    return Judge(encoder, rows[:60], rows[60:140], seed=0)


def test_real_texts_score_better_than_one_text_again_and_again(judge, rows):
    real, same = judge.score(rows[140:200]), judge.score([*rows[:2]] * 30)
    assert real[MMD] < same[MMD] and real[VENDI] > 3 * same[VENDI]
    assert real[REPEATS] < 0.1 < same[REPEATS] and same[COPIES] == 1.0
    assert set(judge.score(rows[:5]).values()) == {None}
    alike = [{**row, "label": "positive"} for row in rows[140:200]]
    assert judge.score(alike)[ALONE] is None


def test_weights_of_zero_leave_a_class_out(judge, rows):
    pool = rows[140:200]
    only = np.array([float(row["label"] == "positive") for row in pool])
    assert judge.weighted(pool, only / only.sum())[1] is None
    distance, accuracy = judge.weighted(pool, None)
    assert distance == pytest.approx(judge.weighted(pool, np.full(60, 1 / 60))[0])
    assert 0.3 < accuracy <= 1


# --- the study ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(embedded_lm, tmp_path_factory):
    out = tmp_path_factory.mktemp("bakeoff")
    return SimpleNamespace(out=out, result=run(study(), "study", lm=embedded_lm, out=out, limit=2))


def test_every_way_runs_and_spends_its_share(tiny):
    arms = {row["arm"] for row in tiny.result.measurements}
    assert {bake.REAL, bake.ANOTHER, *bake.WAYS, *bake.COMPOSED} <= arms
    most = 2 * 12 * 16  # drafts of a row, rows, tokens of a draft
    for arm in bake.WAYS:
        (written,) = values(tiny.result, WRITTEN, arm)
        assert 0 < written, arm
        if arm != ways.DIFFLM:  # whose drafts may be as long as the longest text that it learned
            assert written <= 1.4 * most, arm
        (trained,) = values(tiny.result, TRAINED, arm)
        assert (trained > 0) == (arm in (ways.SOFTSRV, ways.SPA_, ways.DIFFLM)), arm
    assert values(tiny.result, bake.ROWS, bake.ANOTHER) == 12
    assert not (tiny.out / "unfinished").exists()


def test_a_run_goes_on_where_it_stopped(tiny, embedded_lm):
    before = (tiny.out / "result.json").read_bytes()
    run(study(), "study", lm=embedded_lm, out=tiny.out, limit=2)
    assert (tiny.out / "result.json").read_bytes() == before


def test_claims_are_different_and_about_arms_that_are_measured(tiny):
    ids = [claim.id for claim in CLAIMS]
    assert len(set(ids)) == len(ids) == 38
    measured = {(row["measure"], row["arm"]) for row in tiny.result.measurements}
    for claim in CLAIMS:
        rule = claim.rule
        assert (rule.measure, rule.arm) in measured, claim.id
        if hasattr(rule, "against"):
            assert (rule.less or rule.measure, rule.against) in measured, claim.id


@pytest.mark.parametrize("name", [n for n in available_results() if n.startswith("bakeoff")])
def test_a_recorded_run_has_every_arm_and_an_equal_count(name):
    result = load_result(name)
    assert result.seeds == [0, 1, 2] and result.dirty is False
    n = result.preset["n_sample"]
    for arm in bake.WAYS:
        found = values(result, bake.ROWS, arm)
        assert len(found) == len(result.seeds) and (found <= n).all()
    preset = bake.WORLD_PRESET if "embedded" in name else bake.REAL_PRESET
    for field in ("n_train", "n_sample", "drafts", "max_new_tokens"):
        assert result.preset[field] == getattr(preset, field)


def test_the_figure_of_a_set_in_a_folder_is_a_file(rows, tmp_path):
    result = load_result("bakeoff-smollm2")
    assert "/" in result.preset["data"]
    found = view(study(RealData(result.preset["data"], rows, {"label": "label"})), result, tmp_path)
    assert len(found.pictures) == 1
    assert [path.name for path in tmp_path.glob("*.png")] == ["students-sst2-train.tsv.png"]
