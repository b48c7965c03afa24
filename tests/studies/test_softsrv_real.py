"""SoftSRV on real questions read from files, with the embedded model and one from elsewhere."""

import pytest

from synthkit import SoftSRV, load_lm
from synthkit.datasets import load_mbpp, load_questions
from synthkit.softsrv.texts import target_texts


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
