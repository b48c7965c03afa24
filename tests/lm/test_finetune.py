"""Fine-tuning: masking, batches, adapters, resuming, scores."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit.lm.finetune import (
    FinetunePreset,
    accuracy,
    batches,
    collate,
    encode,
    final_answer,
    finetune,
)

PRESET = FinetunePreset(rank=4, alpha=8, lr=1e-2, epochs=2, batch_size=4)
ROWS = [{"question": f"What is {i} + 1?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"}
        for i in range(12)]  # fmt: skip


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    from synthkit import load_lm

    folder = tmp_path_factory.mktemp("tiny")
    tiny_lm(folder, "llama")
    return load_lm(folder)


def weights(lm):
    return {n: p.detach().clone() for n, p in lm.model.named_parameters() if "lora_" not in n}


def test_rows_come_in_any_table(lm):
    import pandas as pd

    options = {"preset": replace(PRESET, max_updates=2), "seed": 1}
    assert (
        finetune(lm, pd.DataFrame(ROWS), **options).losses == finetune(lm, ROWS, **options).losses
    )


def test_the_prompt_carries_no_loss_and_the_end_does(lm):
    (ids, labels), *_ = encode(lm.tokenizer, ROWS, lm.context)
    kept = [i for i in labels if i >= 0]
    assert len(ids) == len(labels) and kept[-1] == lm.tokenizer.eos_token_id
    assert lm.tokenizer.decode(kept[:-1]).strip() == ROWS[0]["answer"]
    assert labels[: len(labels) - len(kept)] == [-100] * (len(labels) - len(kept))


def test_three_kinds_of_rows_are_learned_from(lm):
    kinds = [{"prompt": "a", "completion": "b"}, {"text": "a b"}, ROWS[0]]
    assert len(encode(lm.tokenizer, kinds, lm.context)) == 3
    with pytest.raises(ValueError, match="found label"):
        encode(lm.tokenizer, [{"label": 1}], lm.context)


def test_bad_examples_are_named(lm):
    with pytest.raises(ValueError, match="no examples"):
        finetune(lm, [], PRESET)
    with pytest.raises(ValueError, match=r"example 1 has \d+ tokens"):
        encode(lm.tokenizer, [{"text": "a"}, {"text": "word " * 5000}], lm.context)


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


def test_the_base_is_untouched_and_the_loss_falls(lm):
    before = weights(lm)
    student = finetune(lm, ROWS, FinetunePreset(rank=4, alpha=8, lr=2e-2, epochs=12, batch_size=4))
    after = weights(lm)
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert lm.active_adapter is None and student.active_adapter is not None
    assert np.mean(student.losses[-3:]) < 0.8 * student.losses[0]
    trained = weights(student)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), trained.values()))


def test_the_same_seed_gives_the_same_student(lm):
    first, second = (finetune(lm, ROWS, PRESET, seed=3).losses for _ in range(2))
    assert first == second != finetune(lm, ROWS, PRESET, seed=4).losses


def test_a_student_goes_on_and_stays_as_it_was(lm):
    student = finetune(lm, ROWS, PRESET)
    kept = student.nll([ROWS[0]["question"]])
    further = finetune(student, ROWS, PRESET, seed=1)
    assert further.losses[0] < student.losses[0]
    assert torch.equal(student.nll([ROWS[0]["question"]]), kept)
    assert not torch.equal(further.nll([ROWS[0]["question"]]), kept)


def test_an_interrupted_training_ends_the_same(lm, tmp_path, monkeypatch):
    whole = finetune(lm, ROWS, PRESET, seed=2)
    file = tmp_path / "state.pt"
    calls = []
    import sys

    from synthkit.lm import finetune as _  # noqa: F401  (the module is shadowed by its function)

    module = sys.modules["synthkit.lm.finetune"]
    real = module._update

    def dies(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_update", dies)
    with pytest.raises(KeyboardInterrupt):
        finetune(lm, ROWS, PRESET, seed=2, checkpoint=file, checkpoint_every=2)
    monkeypatch.setattr(module, "_update", real)
    kept = file.read_bytes()
    for examples, options in (
        ([*ROWS[:-1], ROWS[0]], {"seed": 2}),  # as many examples, and as many updates
        (ROWS, {"seed": 2, "preset": replace(PRESET, lr=1e-3)}),
        (ROWS, {"seed": 3}),
    ):
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            finetune(lm, examples, **{"preset": PRESET, **options}, checkpoint=file)
    for damaged in (b"", b"text", bytes(999), kept[:-5], kept[:50] + b"?" + kept[51:]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.pt is no checkpoint, or a damaged one"):
            finetune(lm, ROWS, PRESET, seed=2, checkpoint=file)
    file.write_bytes(kept)
    resumed = finetune(lm, ROWS, PRESET, seed=2, checkpoint=file, checkpoint_every=2)
    assert resumed.losses == whole.losses and file.exists(), "it goes when the student is saved"
    monkeypatch.setattr(module, "_update", None)  # nothing is trained again
    again = finetune(lm, ROWS, PRESET, seed=2, checkpoint=file)
    assert all(torch.equal(a, b) for a, b in zip(adapters(again), adapters(whole)))


def adapters(student):
    return [weight for name, weight in student.model.named_parameters() if "lora_" in name]


def test_a_rate_that_explodes_is_named(lm):
    rows = [{"text": "a b c"}]
    broken = lm.clone()
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="learning rate"):
        finetune(broken, rows, PRESET)


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


def test_training_in_four_bits_learns_too(tmp_path):
    from synthkit import load_lm

    tiny_lm(tmp_path, "llama")
    quantised = load_lm(tmp_path, bits=4)
    student = finetune(quantised, ROWS, FinetunePreset(4, 8, 2e-2, 10, 4), autocast=False)
    assert student.losses[-1] < 0.9 * student.losses[0]


@pytest.mark.parametrize("bits", [4, 8])
def test_students_of_a_quantised_base_share_it_and_nothing_else(tmp_path, bits):
    import gc
    import weakref

    from synthkit import load_lm

    tiny_lm(tmp_path, "llama")
    base, asked = load_lm(tmp_path, bits=bits, device="cpu"), [row["question"] for row in ROWS[:4]]
    before, places = base.nll(asked), {w.data_ptr() for w in base.model.parameters()}
    students = [finetune(base, ROWS, PRESET, seed=1, autocast=False) for _ in range(3)]
    answers = [student.nll(asked) for student in students]
    assert torch.equal(answers[0], answers[1]) and torch.equal(answers[0], answers[2])
    assert not torch.equal(answers[0], before) and torch.equal(base.nll(asked), before)
    assert base.active_adapter is None and base.describe()["adapters"] == []
    further = finetune(students[0], ROWS, PRESET, seed=2, autocast=False)
    assert not torch.equal(further.nll(asked), answers[0])
    assert torch.equal(students[0].nll(asked), answers[0]), "a student that is trained on stays"
    named = further.model.named_parameters()
    assert all(w.data_ptr() in places for name, w in named if "lora_" not in name)
    gone = weakref.ref(further.model)
    del further, named
    gc.collect()
    assert gone() is None, "an adapter goes with its student"
    assert torch.equal(base.nll(asked), before)
