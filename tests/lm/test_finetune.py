"""Fine-tuning: masking, batches, adapters, resuming, scores."""

import gc
import random
import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_lm
from synthkit.lm.examples import (
    answer_loss,
    as_prompt_and_completion,
    batches,
    collate,
    encode,
    final_answer,
)
from synthkit.lm.finetune import FinetunePreset, accuracy, finetune
from synthkit.lm.losses import mean_loss
from synthkit.lm.modes import recomputed

PRESET = FinetunePreset(rank=4, alpha=8, lr=1e-2, epochs=2, batch_size=4)
ROWS = [{"question": f"What is {i} + 1?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"}
        for i in range(12)]  # fmt: skip
ASKED = [row["question"] for row in ROWS[:4]]


def weights(lm, adapters):
    """Copies of the adapters' weights, or of all others."""
    named = lm.model.named_parameters()
    return [w.detach().clone() for name, w in named if ("lora_" in name) == adapters]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_rows_come_in_any_table(lm):
    options = {"preset": replace(PRESET, max_updates=2), "seed": 1}
    frame = pd.DataFrame(ROWS)
    assert finetune(lm, frame, **options).losses == finetune(lm, ROWS, **options).losses


def test_the_prompt_carries_no_loss_and_the_end_does(lm):
    (ids, labels), *_ = encode(lm.tokenizer, ROWS, lm.context)
    kept = [i for i in labels if i >= 0]
    assert len(ids) == len(labels) and kept[-1] == lm.tokenizer.eos_token_id
    assert lm.tokenizer.decode(kept[:-1]).strip() == ROWS[0]["answer"]
    assert labels[: len(labels) - len(kept)] == [-100] * (len(labels) - len(kept))


def test_three_kinds_of_rows_are_learned_from_and_others_named(lm):
    kinds = [{"prompt": "a", "completion": "b"}, {"text": "a b"}, ROWS[0]]
    assert len(encode(lm.tokenizer, kinds, lm.context)) == 3
    for rows, message in [
        ([{"label": 1}], "found label"),
        ([{"text": "a"}, {"text": "word " * 5000}], r"example 1 has \d+ tokens"),
        ([], "no examples"),
    ]:
        with pytest.raises(ValueError, match=message):
            encode(lm.tokenizer, rows, lm.context)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_holds_every_example_once(n, size, seed):
    encoded = [([0] * (1 + i % 7), [0]) for i in range(n)]
    cut = batches(encoded, size, random.Random(seed))
    assert sorted(i for batch in cut for i in batch) == list(range(n))
    assert max(map(len, cut)) <= size


def test_padding_is_masked(lm):
    encoded = [([5, 6, 7], [-100, 6, 7]), ([5], [5])]
    ids, mask, labels = collate(encoded, [0, 1], pad=0, device="cpu")
    assert ids.tolist() == [[5, 6, 7], [5, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert labels.tolist() == [[-100, 6, 7], [5, -100, -100]]


def test_the_loss_is_the_mean_nats_of_the_answers_tokens(lm):
    encoded = encode(lm.tokenizer, ROWS, lm.context)
    prompts, answers = zip(*map(as_prompt_and_completion, ROWS))
    sizes = torch.tensor([sum(label >= 0 for label in labels) for _, labels in encoded])
    nats = (lm.nll(answers, prompts=prompts) * sizes).sum() / sizes.sum()
    batch = collate(encoded, range(len(ROWS)), lm.eos_id, "cpu")
    with torch.no_grad():
        torch.testing.assert_close(answer_loss(lm.model, *batch), nats)


@pytest.mark.parametrize("bits", [None, 4])
def test_the_base_is_untouched_and_the_loss_falls(folder, lm, bits):
    base = load_lm(folder, bits=bits) if bits else lm
    before = weights(base, adapters=False)
    preset = FinetunePreset(rank=4, alpha=8, lr=2e-2, epochs=12, batch_size=4)
    student = finetune(base, ROWS, preset, autocast=False)
    assert same(before, weights(base, adapters=False))
    assert same(before, weights(student, adapters=False))
    assert base.active_adapter is None and student.active_adapter is not None
    assert np.mean(student.losses[-3:]) < (0.9 if bits else 0.8) * student.losses[0]


def test_the_same_seed_gives_the_same_student(lm):
    first, second = (finetune(lm, ROWS, PRESET, seed=3).losses for _ in range(2))
    assert first == second != finetune(lm, ROWS, PRESET, seed=4).losses


def test_memory_is_saved_without_another_student(lm):
    student = finetune(lm, ROWS, PRESET, autocast=False)
    saving = replace(PRESET, accumulation=3, recomputing=True)
    other = finetune(lm, ROWS, saving, autocast=False)
    np.testing.assert_allclose(other.losses, student.losses, rtol=1e-4)
    torch.testing.assert_close(student.nll(ASKED), other.nll(ASKED), rtol=1e-3, atol=1e-3)


def noted(held, tensor):
    held.append(tensor)
    return tensor


@pytest.mark.parametrize("training", [True, False])
def test_what_is_computed_again_is_the_same(lm, training):
    student = lm.with_lora(seed=1)
    encoded, grads, kept = encode(lm.tokenizer, ROWS, lm.context), [], {False: [], True: []}
    student.model.train(training)
    for on, held in kept.items():
        hooks = torch.autograd.graph.saved_tensors_hooks(partial(noted, held), lambda t: t)
        with recomputed(student.model, on), hooks:
            loss = answer_loss(student.model, *collate(encoded, range(4), 0, "cpu"))
        student.model.zero_grad()
        loss.backward()
        grads.append([w.grad.clone() for w in student.model.parameters() if w.requires_grad])
    assert same(*grads) and len(kept[True]) < len(kept[False]) / 2
    assert not any("forward" in vars(layer) for layer in student.model.modules())


def test_a_student_goes_on_and_stays_as_it_was(lm):
    student = finetune(lm, ROWS, PRESET)
    kept = student.nll(ASKED)
    further = finetune(student, ROWS, PRESET, seed=1)
    assert further.losses[0] < student.losses[0]
    assert torch.equal(student.nll(ASKED), kept)
    assert not torch.equal(further.nll(ASKED), kept)


def dies_at(call):
    """`mean_loss`, with an interruption at that call."""
    calls = []

    def dies(*batch, **inputs):
        calls.append(batch)
        if len(calls) == call:
            raise KeyboardInterrupt
        return mean_loss(*batch, **inputs)

    return dies


def test_an_interrupted_training_ends_the_same(lm, tmp_path, monkeypatch):
    whole, file = finetune(lm, ROWS, PRESET, seed=2), tmp_path / "state"
    kept = {"checkpoint": file, "checkpoint_every": 2}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(finetune.__globals__, "mean_loss", dies_at(5))
        finetune(lm, ROWS, PRESET, seed=2, **kept)
    for examples, options in (
        ([*ROWS[:-1], ROWS[0]], {"seed": 2}),  # as many examples, and as many updates
        (ROWS, {"seed": 2, "preset": replace(PRESET, lr=1e-3)}),
        (ROWS, {"seed": 3}),
    ):
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            finetune(lm, examples, **{"preset": PRESET, **options}, **kept)
    resumed = finetune(lm, ROWS, PRESET, seed=2, **kept)
    assert resumed.losses == whole.losses and file.exists(), "it goes when the student is saved"
    monkeypatch.setitem(finetune.__globals__, "mean_loss", None)  # nothing is trained again
    again = finetune(lm, ROWS, PRESET, seed=2, **kept)
    assert same(weights(again, adapters=True), weights(whole, adapters=True))


def test_a_resumed_training_computes_as_it_began(lm, tmp_path, monkeypatch):
    """The trial of precisions may end otherwise on a busy machine; the first one counts."""
    monkeypatch.setenv("SYNTHKIT_PRECISION", "bfloat16")
    options = {"checkpoint": tmp_path / "state", "checkpoint_every": 1}
    whole = finetune(lm, ROWS, PRESET)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(finetune.__globals__, "mean_loss", dies_at(3))
        finetune(lm, ROWS, PRESET, **options)
    monkeypatch.setenv("SYNTHKIT_PRECISION", "float32")
    assert finetune(lm, ROWS, PRESET, **options).losses == whole.losses
    assert finetune(lm, ROWS, PRESET).losses != whole.losses


def test_a_rate_that_explodes_is_named(lm):
    broken = lm.clone()
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"after step 0.*Lower the learning rate"):
        finetune(broken, [{"text": "a b c"}], PRESET)


@pytest.mark.parametrize(
    "text, final",
    [
        ("3 + 4 = 7\n#### 7", "7"),
        ("#### 1,080", "1080"),
        ("#### 3\n#### -4.5", "-4.5"),
        ("seven", None),
        ("", None),
    ],
)
def test_final_answers(text, final):
    assert final_answer(text) == final


def test_accuracy_compares_final_answers():
    class Parrot:
        def generate(self, prompts, **options):
            return [" 2 + 2 = 4\n#### 4" for _ in prompts]

    rows = [{"question": "?", "final": "4"}, {"question": "?", "final": "5"}]
    assert accuracy(Parrot(), rows).tolist() == [True, False]
    with pytest.raises(KeyError):
        accuracy(Parrot(), [{"question": "?"}])


@pytest.mark.parametrize("bits", [4, 8])
def test_students_of_a_quantised_base_share_it_and_nothing_else(folder, bits):
    base = load_lm(folder, bits=bits, device="cpu")
    before, places = base.nll(ASKED), {w.data_ptr() for w in base.model.parameters()}
    students = [finetune(base, ROWS, PRESET, seed=1, autocast=False) for _ in range(3)]
    answers = [student.nll(ASKED) for student in students]
    assert torch.equal(answers[0], answers[1]) and torch.equal(answers[0], answers[2])
    assert not torch.equal(answers[0], before) and torch.equal(base.nll(ASKED), before)
    assert base.active_adapter is None and base.describe()["adapters"] == []
    further = finetune(students[0], ROWS, PRESET, seed=2, autocast=False)
    assert not torch.equal(further.nll(ASKED), answers[0])
    assert torch.equal(students[0].nll(ASKED), answers[0]), "a student that is trained on stays"
    named = further.model.named_parameters()
    assert all(w.data_ptr() in places for name, w in named if "lora_" not in name)
    gone = weakref.ref(further.model)
    del further, named
    gc.collect()
    assert gone() is None, "an adapter goes with its student"
    assert torch.equal(base.nll(ASKED), before)
