"""SoftSRV on real questions read from files, with the embedded model and one from elsewhere."""

from dataclasses import replace

import pytest

from synthkit import SoftSRV, load_lm
from synthkit.datasets import load_mbpp, load_questions
from synthkit.studies.measurements import Log
from synthkit.studies.runner import measure, run
from synthkit.studies.softsrv import experiment_real as R

SMALL = R.RealTextPreset(n_train=16, n_stop=4, n_test=8, n_sample=0, steps=8, batch_size=4)
INVENTED = [f"Lily has {i} red balls and finds {i + 2} more. How many has she?" for i in range(40)]


@pytest.fixture(scope="module", params=["embedded", "stories260K"])
def frozen(request, tmp_path_factory):
    if request.param == "embedded":
        return load_lm("embedded")
    from stories260k import convert

    shared_data = request.getfixturevalue("shared_data")
    return load_lm(convert(shared_data / "stories260K", tmp_path_factory.mktemp("stories")))


@pytest.fixture(scope="module", params=["gsm8k", "mbpp"])
def real(request, shared_data):
    if request.param == "gsm8k":
        return load_questions(shared_data / "gsm8k" / "train.jsonl", limit=120)
    return load_mbpp(shared_data / "mbpp" / "mbpp.jsonl")


def measured(frozen, real, preset, folder):
    """The rows of one set, model and seed."""
    log = Log(folder / "m.jsonl")
    (case,) = R.study({"set": real}, {"model": frozen}).cases(preset)
    measure(case, None, preset, 0, log)
    return log.rows


def test_a_soft_prompt_learns_real_questions(frozen, real, tmp_path):
    rows = measured(frozen, real, SMALL, tmp_path)
    loss = {row["arm"]: row["value"] for row in rows if row["measure"] == "loss"}
    assert set(loss) == {R.UNPROMPTED, *R.VARIANTS}
    assert all(0 < loss[arm] < loss[R.UNPROMPTED] for arm in R.VARIANTS)


def test_real_questions_are_sampled_saved_and_loaded(frozen, real, tmp_path):
    train, stop, _ = R.split_texts(frozen, real, SMALL, 0)
    sizes = {"steps": 4, "batch_size": 8, "max_new_tokens": 12}
    method = SoftSRV(frozen, drop=(), **sizes).fit(train, validation=stop)
    method.save(tmp_path / "fitted")
    again = SoftSRV.load(tmp_path / "fitted", frozen)
    assert again.sample(3, seed=1)["text"] == method.sample(3, seed=1)["text"]


# --- without the sets -----------------------------------------------------------------------------


def test_the_samples_share_no_text_and_too_few_are_refused(embedded_lm):
    parts = R.split_texts(embedded_lm, INVENTED * 2, SMALL, 0)
    assert [len(part) for part in parts] == [16, 4, 8]
    assert len({text for part in parts for text in part}) == 28
    assert parts != R.split_texts(embedded_lm, INVENTED, SMALL, 1)
    with pytest.raises(ValueError, match="28 texts that fit are needed; found 20"):
        R.split_texts(embedded_lm, INVENTED[:20], SMALL, 0)


def test_texts_beyond_the_context_are_left_out(embedded_lm):
    rows = ["long " * 3000, *INVENTED[:28]]
    assert sum(map(len, R.split_texts(embedded_lm, rows, SMALL, 0))) == 28


def test_a_run_is_recorded_and_goes_on_where_it_stopped(embedded_lm, tmp_path, monkeypatch):
    preset = replace(SMALL, steps=2)
    result = run(R.study({"own": INVENTED}, {"a": embedded_lm}), preset, seeds=[0], out=tmp_path)
    assert list(R.table(result).index.names) == ["set", "frozen model", "variant"]
    assert len(R.table(result)) == 1 + len(R.VARIANTS)
    assert embedded_lm.fingerprint in result.model["a"]
    monkeypatch.setattr(R, "SoftSRV", None)  # nothing is fitted again
    monkeypatch.setattr(
        R, "split_texts", lambda *a: (INVENTED[:16], INVENTED[16:20], INVENTED[20:28])
    )
    again = run(R.study({"own": INVENTED}, {"a": embedded_lm}), preset, seeds=[0], out=tmp_path)
    assert again.measurements == result.measurements


def test_with_samples_match_and_copies_are_measured(embedded_lm, tmp_path, monkeypatch):
    monkeypatch.setattr(R, "VARIANTS", {"SSNP": {"kind": "ssnp", "max_new_tokens": 8}})
    texts = [f"{name} has {i} balls." for i in range(100) for name in ("Lily", "Tom", "Ann")]
    preset = replace(SMALL, n_train=20, n_stop=4, n_test=250, n_sample=250, steps=2)
    rows = measured(embedded_lm, texts, preset, tmp_path)
    measures = {row["measure"] for row in rows if row["arm"] == "SSNP"}
    assert measures == {"loss", "near copies, train", "MAUVE"}
