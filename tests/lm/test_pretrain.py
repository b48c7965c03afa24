"""Pretraining: formats, mixture, tokenizer, exact resuming."""

import random
import time
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.lm import precision
from synthkit.lm import pretrain as P
from synthkit.worlds import WORLDS

TINY = replace(
    P.PRESETS["fast"], steps=6, drill_steps=2, writing_steps=2, tokenizer_documents=200,
    tokens_per_step=512, warmup=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus():
    return P.Corpus()


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return P.train_tokenizer(corpus.documents(300), 600, 256)


def test_formats():
    text = P.instruction("Do it.", "done", given="this", task="sum", style="loop")
    assert text == "Do it.\ntask: sum\nstyle: loop\nInput:\nthis\nOutput:\ndone"
    assert P.write_prompt("math", family="ants").endswith("family: ants\nOutput:\n")


def test_documents_are_seeded_and_every_world_is_in_the_mixture(corpus):
    first = list(corpus.documents(400, seed=1))
    assert first == list(corpus.documents(400, seed=1)) != list(corpus.documents(400, seed=2))
    assert {key.split("/")[0] for key in P.MIXTURE} == {*WORLDS, "arithmetic", "nonsense"}


def test_no_answer_of_a_word_problem_is_ever_read(corpus):
    """The skills of the math world are the student's to learn: only bare sums have answers."""
    rng = random.Random(0)
    for form in ("plain", "written", "copied", "rephrased", "imitated"):
        for _ in range(200):
            assert "####" not in P._FORMS[form](corpus.worlds["math"], rng)
    questions = Counter()
    for text in corpus.documents(4000, seed=3):
        if "####" in text:
            question = text.split("\n")[0].removeprefix("Question: ")
            assert not any(c.isalpha() for c in question.replace("then", "")), text
            questions["sums"] += 1
    assert questions["sums"] > 300


def test_arithmetic_is_right():
    rng = random.Random(0)
    for _ in range(500):
        text = P.arithmetic(rng)
        lines = text.split("Answer: ")[1].split("\n")
        for line in lines[:-1]:
            left, right = line.replace("/", "//").split(" = ")
            x, sign, y = left.split()
            assert P._SIGNS[sign.replace("//", "/")](int(x), int(y)) == int(right) >= 0
        assert lines[-1] == "#### " + lines[-2].split(" = ")[1]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text):
    tokenizer = test_any_text_survives_the_tokenizer.tokenizer
    for special in P.SPECIAL:
        text = text.replace(special, "")
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == 1 and tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.fixture(autouse=True)
def _share(tokenizer):
    test_any_text_survives_the_tokenizer.tokenizer = tokenizer


def test_digits_are_never_merged(tokenizer):
    assert all(sum(c.isdigit() for c in piece) <= 1 for piece in tokenizer.get_vocab())


def test_a_batch_depends_on_seed_and_step_alone(corpus, tokenizer):
    a, b = (P.step_batch(corpus, tokenizer, TINY, 0, 5) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, P.step_batch(corpus, tokenizer, TINY, 1, 5))
    assert P.step_batch(corpus, tokenizer, TINY, 0, 2).shape == (4, 128)
    assert P.step_batch(corpus, tokenizer, TINY, 0, 3).shape == (2, 256)


def test_copies_come_first_and_again_later():
    assert P.extra_copies(0.0) == pytest.approx(0.7)
    assert P.extra_copies(0.3) == 0.0 and P.extra_copies(0.5) == 0.25


def test_the_stages_follow_each_other():
    stages = [P.stage_of(step, TINY) for step in range(10)]
    assert [name for name, _ in stages] == ["reading"] * 6 + ["drill"] * 2 + ["writing"] * 2
    assert [done for _, done in stages[6:]] == [0, 0.5, 0, 0.5]


@pytest.mark.parametrize("start", [0, 6000, 7200])
def test_every_stage_has_a_learning_rate_that_rises_and_falls(start):
    study = P.PRESETS["study"]
    name = P.stage_of(start, study)[0]
    length, peak = {
        "reading": (study.steps, study.lr),
        "drill": (study.drill_steps, study.drill_lr),
        "writing": (study.writing_steps, study.writing_lr),
    }[name]
    rates = [P.learning_rate(start + i, study) for i in range(length)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(peak) and top < 250
    assert rates[0] < 0.02 * peak and rates[-1] == pytest.approx(0.05 * peak, rel=0.01)
    assert all(b < a for a, b in zip(rates[top + 1 :], rates[top + 2 :]))


def test_a_stage_reads_its_own_documents(corpus):
    rng = random.Random(0)
    drilled = [P.step_document(corpus, rng, "drill", 0.5) for _ in range(300)]
    bare = [text.startswith("Question: ") and " then " in text for text in drilled]
    assert 0.5 < sum(bare) / len(bare) < 0.9  # the sums of the mixture look the same
    asked = [P.step_document(corpus, rng, "writing", 0.5) for _ in range(300)]
    assert sum(text.startswith("Write a ") for text in asked) > 80


def test_bfloat16_is_chosen_by_a_trial_not_by_what_the_cpu_lists(monkeypatch):
    monkeypatch.delenv("SYNTHKIT_PRECISION", raising=False)
    assert precision.fast_bfloat16("cuda:0")
    for listed, gain, wanted in (
        (False, 9.0, False),
        (True, 0.5, False),
        (True, 1.1, False),
        (True, 1.5, True),
    ):
        monkeypatch.setattr(precision, "lists_bfloat16", lambda listed=listed: listed)
        monkeypatch.setattr(precision, "bfloat16_gain", lambda *shape, gain=gain: gain)
        assert precision.fast_bfloat16("cpu") is wanted
    for name in ("float32", "bfloat16"):
        monkeypatch.setenv("SYNTHKIT_PRECISION", name)
        assert (
            precision.fast_bfloat16("cpu") is precision.fast_bfloat16("cuda") is (name != "float32")
        )
    monkeypatch.setenv("SYNTHKIT_PRECISION", "half")
    with pytest.raises(ValueError, match="half"):
        precision.fast_bfloat16("cpu")


def test_the_trial_is_short():
    precision.bfloat16_gain(64, 128)  # torch sets things up
    start = time.perf_counter()
    assert precision.bfloat16_gain(192, 512) > 0
    assert time.perf_counter() - start < 5  # a busy machine; 0.3 s on an idle one


def test_a_stopped_training_ends_exactly_like_a_whole_one(tmp_path, monkeypatch):
    whole = P.pretrain(tmp_path / "whole", TINY, progress=False, checkpoint_every=2)
    real = P.training_step

    def dies(model, optimiser, ids, lr, autocast):
        if lr == P.learning_rate(4, TINY):
            raise KeyboardInterrupt
        return real(model, optimiser, ids, lr, autocast)

    monkeypatch.setattr(P, "training_step", dies)
    with pytest.raises(KeyboardInterrupt):
        P.pretrain(tmp_path / "cut", TINY, progress=False, checkpoint_every=2)
    monkeypatch.setattr(P, "training_step", real)
    state = tmp_path / "cut" / "checkpoint.pt"
    with pytest.raises(ValueError, match=r"checkpoint\.pt belongs to a training with other"):
        P.pretrain(tmp_path / "cut", TINY, seed=1, progress=False)
    whole_state = state.read_bytes()
    for damaged in (b"", b"hello", bytes(5000), whole_state[:-9], whole_state[:99]):
        state.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checkpoint\.pt is no checkpoint, or a damaged one"):
            P.pretrain(tmp_path / "cut", TINY, progress=False)
    state.write_bytes(whole_state)
    resumed = P.pretrain(tmp_path / "cut", TINY, progress=False, checkpoint_every=2)
    assert resumed == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    names = [{file.name for file in (tmp_path / name).iterdir()} for name in ("whole", "cut")]
    assert names[0] == names[1] and "checkpoint.pt" not in names[0]


def test_a_short_training_too_is_on_disk_as_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(P, "_write_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        P.pretrain(tmp_path, TINY, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(P, "training_step", None)  # nothing is trained again
    assert len(P.pretrain(tmp_path, TINY, progress=False)) == TINY.steps + TINY.drill_steps + (
        TINY.writing_steps
    )


def test_what_it_writes_is_an_ordinary_model(tmp_path):
    from synthkit import load_lm

    P.pretrain(tmp_path, TINY, progress=False)
    lm = load_lm(tmp_path)
    assert lm.is_embedded and lm.context == TINY.context
    assert isinstance(lm.generate(["Question:"], max_new_tokens=3)[0], str)
