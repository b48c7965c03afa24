"""Pretraining: formats, mixture, tokenizer, exact resuming."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_lm
from synthkit.lm import documents as D
from synthkit.lm import precision
from synthkit.lm import pretrain as P
from synthkit.worlds import WORLDS

TINY = replace(
    P.PRESETS["fast"], steps=6, drill_steps=2, writing_steps=2, tokenizer_documents=200,
    tokens_per_step=512, warmup=2,
)  # fmt: skip
CORPUS = D.Corpus()


@pytest.fixture(scope="module")
def tokenizer():
    return P.train_tokenizer(CORPUS.documents(300), 600, 256)


def test_documents_are_seeded_and_every_world_is_in_the_mixture():
    first = list(CORPUS.documents(400, seed=1))
    assert first == list(CORPUS.documents(400, seed=1)) != list(CORPUS.documents(400, seed=2))
    assert {key.split("/")[0] for key in D.MIXTURE} == {*WORLDS, "arithmetic", "nonsense"}


def test_no_answer_of_a_word_problem_is_ever_read():
    """The skills of the math world are the student's to learn: only bare sums have answers."""
    rng, sums = random.Random(0), Counter()
    for form in ("plain", "written", "copied", "rephrased", "imitated"):
        for _ in range(200):
            assert "####" not in getattr(D, form)(CORPUS.worlds["math"], rng)
    for text in CORPUS.documents(4000, seed=3):
        if "####" in text:
            question = text.split("\n")[0].removeprefix("Question: ")
            assert not any(c.isalpha() for c in question.replace("then", "")), text
            sums["sums"] += 1
    assert sums["sums"] > 300


def test_arithmetic_is_right():
    rng = random.Random(0)
    for text in [D.arithmetic(rng) for _ in range(500)] + [D.drill(rng) for _ in range(200)]:
        lines = text.split("Answer: ")[1].split("\n")
        for line in lines[:-1]:
            left, right = line.split(" = ")
            assert eval(left.replace("/", "//")) == int(right) >= 0
        assert lines[-1] == "#### " + lines[-2].split(" = ")[1]


def test_any_text_survives_the_tokenizer(tokenizer):
    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=60))
    def survives(text):
        for special in P.SPECIAL:
            text = text.replace(special, "")
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == 1 and tokenizer.decode(ids, skip_special_tokens=True) == text

    survives()
    assert all(sum(c.isdigit() for c in piece) <= 1 for piece in tokenizer.get_vocab())


def test_a_batch_depends_on_seed_and_step_alone(tokenizer):
    a, b, other = (P.step_batch(CORPUS, tokenizer, TINY, seed, 5) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, other)
    assert P.step_batch(CORPUS, tokenizer, TINY, 0, 2).shape == (4, 128)
    assert P.step_batch(CORPUS, tokenizer, TINY, 0, 3).shape == (2, 256)


def test_the_stages_follow_each_other():
    stages = [P.stage_of(step, TINY) for step in range(10)]
    assert [name for name, _ in stages] == ["reading"] * 6 + ["drill"] * 2 + ["writing"] * 2
    assert [done for _, done in stages[6:]] == [0, 0.5, 0, 0.5]
    with pytest.raises(ValueError, match="no such step"):
        P.stage_of(10, TINY)


@pytest.mark.parametrize("length, peak", P.PRESETS["study"].stages.values())
def test_every_stage_has_a_learning_rate_that_rises_and_falls(length, peak):
    rates = [P.learning_rate(i, length, peak, P.PRESETS["study"].warmup) for i in range(length)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(peak) and top < 250
    assert rates[0] < 0.02 * peak and rates[-1] == pytest.approx(0.05 * peak, rel=0.01)
    assert all(b < a for a, b in zip(rates[top + 1 :], rates[top + 2 :]))


def test_a_stage_reads_its_own_documents():
    rng = random.Random(0)
    drilled = [D.step_document(CORPUS, rng, "drill", 0.5) for _ in range(300)]
    bare = [text.startswith("Question: ") and " then " in text for text in drilled]
    assert 0.5 < sum(bare) / len(bare) < 0.9  # the sums of the mixture look the same
    asked = [D.step_document(CORPUS, rng, "writing", 0.5) for _ in range(300)]
    assert sum(text.startswith("Write a ") for text in asked) > 80


def test_bfloat16_is_chosen_by_a_trial_not_by_what_the_cpu_lists(monkeypatch):
    monkeypatch.delenv("SYNTHKIT_PRECISION", raising=False)
    assert precision.fast_bfloat16("cuda:0")
    for listed, gain in ((False, 9.0), (True, 0.5), (True, 1.1), (True, 1.5)):
        monkeypatch.setattr(precision, "lists_bfloat16", lambda listed=listed: listed)
        monkeypatch.setattr(precision, "bfloat16_gain", lambda *shape, gain=gain: gain)
        assert precision.fast_bfloat16("cpu") is (listed and gain > 1.2)
    for name in ("float32", "bfloat16"):
        monkeypatch.setenv("SYNTHKIT_PRECISION", name)
        found = {precision.fast_bfloat16(device) for device in ("cpu", "cuda")}
        assert found == {name != "float32"}
    monkeypatch.setenv("SYNTHKIT_PRECISION", "half")
    with pytest.raises(ValueError, match="half"):
        precision.fast_bfloat16("cpu")


@pytest.mark.parametrize("cut", [4, 7])
def test_a_stopped_training_ends_exactly_like_a_whole_one(tmp_path, monkeypatch, cut):
    options = {"progress": False, "checkpoint_every": 2}
    whole = P.pretrain(tmp_path / "whole", TINY, **options)
    assert len(whole) == 10
    real = P.step_batch

    def dies(corpus, tokenizer, preset, seed, step):
        if step == cut:
            raise KeyboardInterrupt
        return real(corpus, tokenizer, preset, seed, step)

    with monkeypatch.context() as patch:
        patch.setattr(P, "step_batch", dies)
        with pytest.raises(KeyboardInterrupt):
            P.pretrain(tmp_path / "cut", TINY, **options)
    with pytest.raises(ValueError, match="belongs to a training with other"):
        P.pretrain(tmp_path / "cut", TINY, seed=1, **options)
    assert P.pretrain(tmp_path / "cut", TINY, **options) == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    names = [{file.name for file in (tmp_path / name).iterdir()} for name in ("whole", "cut")]
    assert names[0] == names[1] and not any("training" in Path(n).suffix for n in names[0])
    lm = load_lm(tmp_path / "cut")
    assert lm.is_embedded and lm.context == TINY.context
    assert isinstance(lm.generate(["Question:"], max_new_tokens=3)[0], str)
