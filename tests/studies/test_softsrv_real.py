"""SoftSRV on real questions read from files, with the embedded model and one from elsewhere."""

from dataclasses import replace

import pytest

from synthkit import SoftSRV, load_lm
from synthkit.datasets import load_mbpp, load_questions
from synthkit.softsrv.texts import target_texts
from synthkit.studies.measurements import Log
from synthkit.studies.real_data import RealData
from synthkit.studies.runner import run
from synthkit.studies.softsrv import longer, questions, real, targets


@pytest.fixture(scope="module", params=["embedded", "stories260K"])
def frozen(request, tmp_path_factory):
    if request.param == "embedded":
        return load_lm("embedded")
    from stories260k import convert

    shared_data = request.getfixturevalue("shared_data")
    return load_lm(convert(shared_data / "stories260K", tmp_path_factory.mktemp("stories")))


@pytest.fixture(scope="module", params=["gsm8k", "mbpp"])
def texts(request, shared_data):
    """28 short texts of a real set."""
    if request.param == "gsm8k":
        rows = load_questions(shared_data / "gsm8k" / "train.jsonl", limit=120)
    else:
        rows = load_mbpp(shared_data / "mbpp" / "mbpp.jsonl")
    return sorted(target_texts(rows), key=len)[:28]


@pytest.mark.parametrize("kind", ["ssnp", "ssmc"])
def test_a_soft_prompt_learns_real_questions(frozen, texts, kind):
    method = SoftSRV(frozen, kind=kind, steps=8, batch_size=4, drop=())
    method.fit(texts[:16], validation=texts[16:20])
    alone = frozen.nll(texts[20:]).mean()
    assert 0 < method.loss(texts[20:]) < alone


def test_real_questions_are_sampled_saved_and_loaded(frozen, texts, tmp_path):
    sizes = {"steps": 4, "batch_size": 8, "max_new_tokens": 12}
    method = SoftSRV(frozen, drop=(), **sizes).fit(texts[:16], validation=texts[16:20])
    method.save(tmp_path / "fitted")
    again = SoftSRV.load(tmp_path / "fitted", frozen)
    assert again.sample(3, seed=1)["text"] == method.sample(3, seed=1)["text"]


# --- the study on a real model --------------------------------------------------------------------


def trial_of(tmp_path, embedded_lm, **changes):
    """A trial of the study's preset in the small, on texts that all differ."""
    rows = [{"text": f"Ann has {i} pens and buys {i % 7} more. How many?"} for i in range(60)]
    data = RealData("pens", rows, {"text": "text"})
    sizes = {"n_train": 20, "n_stop": 4, "n_test": 12, "n_sample": 12, "n_loss": 8, **changes}
    preset = replace(real.PRESETS["study"], longest=None, **sizes)
    log = Log(tmp_path / "m.jsonl")
    return real.SoftSRVTrial(embedded_lm, preset, 0, log, data=data, about="a question")


def test_the_other_real_sample_meets_no_part(tmp_path, embedded_lm):
    trial = trial_of(tmp_path, embedded_lm)
    texts = [row["text"] for part in (*trial.parts, trial.spare) for row in part]
    assert len(set(texts)) == len(texts) == 60
    assert [len(part) for part in trial.parts] == [20, 4, 12] and len(trial.tested) == 8


def test_examples_of_a_template_are_learned_texts_and_differ(tmp_path, embedded_lm, monkeypatch):
    trial, asked = trial_of(tmp_path, embedded_lm), []

    class Writer:
        def sample(self, n, **how):
            return {"text": ["Ann has 2 pens."] * n, "status": ["kept"] * n}

    monkeypatch.setattr(
        real, "template", lambda lm, prompts, *a, **b: asked.append(prompts) or Writer()
    )
    monkeypatch.setattr(trial, "score", lambda *given: None)
    trial.measure_template(real.EXAMPLES)
    (prompts,) = asked
    assert len(set(prompts)) == len(prompts) == real.FEW_SHOT_PROMPTS
    for prompt in prompts:
        assert sum(text in prompt for text in trial.texts(0)) >= trial.preset.shots
        assert not any(text in prompt for text in trial.texts(2))


def test_the_variant_that_is_held_against_templates_is_chosen_by_loss(recorded):
    numbers = {("loss", "SSNP"): (2.1,) * 3, ("loss", "SSMC"): (2.0,) * 3}
    numbers |= {("MAUVE", "SSNP"): (0.9,) * 3, ("MAUVE", "SSMC"): (0.5,) * 3}
    assert real.best_variant(recorded(numbers, data="x"), {"data": "x"}) == "SSMC"
    assert real.best_variant(recorded(numbers, data="x"), {"data": "y"}) == "SSNP"


def test_the_longer_study_is_the_study_in_a_place_of_its_own(tmp_path, embedded_lm):
    rows = [{"text": f"Ann has {i} pens and buys {i % 7} more. How many?"} for i in range(60)]
    found = longer.study(RealData("pens", rows, {"text": "text"}))
    preset, usual = found.presets["study"], real.PRESETS["study"]
    assert preset.changes["steps"] == 4 * usual.changes["steps"]
    assert preset.changes["lr_constant"] == usual.changes["lr_constant"]
    result = run(found, preset.limited(4), lm=embedded_lm, out=tmp_path, seeds=[0])
    assert {row["data"] for row in result.measurements} == {"pens, 160 steps"}
    assert {"SSNP", "SSMC"} < {row["arm"] for row in result.measurements}


def test_a_study_of_other_targets_has_every_way_of_writing(tmp_path, embedded_lm):
    rows = [{"text": f"Ann has {i} pens and buys {i % 7} more. How many?"} for i in range(60)]
    found = targets.study(RealData("pens", rows, {"text": "text"}))
    usual = real.PRESETS["study"]
    assert found.presets["study"].changes == usual.changes
    preset = replace(found.presets["study"].limited(4), refined=12)
    result = run(found, preset, lm=embedded_lm, out=tmp_path, seeds=[0])
    ways = {*real.VARIANTS, real.TEMPLATE, real.EXAMPLES, real.TUNED, real.REFINED}
    written = result.frame().query("measure == 'rows written'")
    assert set(written["arm"]) == ways and (written["value"] == 4).all()
    losses = result.frame().query("measure == 'loss'").set_index("arm")["value"]
    assert {*real.VARIANTS, real.TUNED} <= set(losses.index)
    assert {row["data"] for row in result.measurements} == {"pens, more ways"}


def test_the_open_questions_change_one_thing_at_a_time(tmp_path, embedded_lm, monkeypatch):
    rows = [{"text": f"Ann has {i} pens and buys {i % 7} more. How many?"} for i in range(60)]
    found = questions.study(RealData("pens", rows, {"text": "text"}))
    assert found.presets["study"].changes == real.PRESETS["study"].changes
    learned = {}

    class Spy(real.SoftSRV):
        def fit(self, texts, **how):
            learned[self.preset.context, len(texts)] = self.preset
            return super().fit(texts, **how)

    monkeypatch.setattr(real, "SoftSRV", Spy)
    monkeypatch.setitem(questions.WAYS[questions.FEWER], "n_texts", 4)
    monkeypatch.setitem(questions.WAYS[questions.FEW], "n_texts", 6)
    preset = replace(found.presets["study"].limited(4), n_train=8)
    result = run(found, preset, lm=embedded_lm, out=tmp_path, seeds=[0])
    kinds = [(context, n) for context, n in learned]
    assert kinds == [
        ("input_mean", 8), ("input_mean", 6), ("input_mean", 4), ("hidden_mean", 8), ("learned", 8)
    ]  # fmt: skip
    assert {preset.dim for preset in learned.values()} == {None, 64}
    losses = result.frame().query("measure == 'loss'")
    assert set(losses["arm"]) == set(questions.WAYS)
    assert losses["value"].nunique() == len(questions.WAYS)
    assert {row["data"] for row in result.measurements} == {"pens, open questions"}
