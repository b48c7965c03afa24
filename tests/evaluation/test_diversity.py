"""Diversity, right answers and KL between adapters, against enumeration and against definitions."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.evaluation import diversity as D

PROMPTS = ["Anna has", "How many are", "The train leaves at nine,"]
REFERENCES = [" 12 apples", " there now? A short one.", " and it rains"]
groups_of_one_size = st.integers(2, 6).flatmap(
    lambda m: st.lists(
        st.lists(st.sampled_from(["a", "b", "c d", ""]), min_size=m, max_size=m),
        min_size=1, max_size=5,
    )
)  # fmt: skip


# --- answers --------------------------------------------------------------------------------------


@given(groups_of_one_size)
def test_diversity_is_the_share_of_pairs_that_differ(groups):
    wanted = [np.mean([a != b for a, b in itertools.combinations(group, 2)]) for group in groups]
    assert D.pair_diversity(groups) == pytest.approx(wanted)
    assert D.unique_fraction(groups) == pytest.approx([len(set(g)) / len(g) for g in groups])


def test_only_right_answers_that_differ_count():
    groups = [["a", "a", "b", "c"], ["a", "b", "c", "d"]]
    ok = [[True, True, True, False], [False] * 4]
    assert D.distinct_working(groups, ok).tolist() == [2, 0]
    assert D.distinct_working([["a"]], np.array([[True]])).tolist() == [1]


@pytest.mark.parametrize("measure", [D.pair_diversity, D.unique_fraction])
def test_groups_that_cannot_be_measured_are_refused(measure):
    with pytest.raises(ValueError, match="no groups"):
        measure([])
    with pytest.raises(ValueError, match="group 0 has 2 answers, group 1 has 3"):
        measure([["a", "b"], ["a", "b", "c"]])
    with pytest.raises(ValueError, match="at least 2 answers, found 1"):
        measure([["a"], ["b"]])
    with pytest.raises(TypeError, match="group 1 must be a list of texts"):
        measure([["a", "b"], "ab"])
    with pytest.raises(TypeError, match="answer 1 of group 0 is no text"):
        measure([["a", None]])


def test_truths_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"2 answers, but ok has shape \(1, 3\)"):
        D.distinct_working([["a", "b"]], [[1, 1, 0]])
    with pytest.raises(ValueError, match="as long as the others"):
        D.distinct_working([["a", "b"], ["a", "b"]], [[1, 1], [1]])
    for bad in ([], [1, 0], [[2, 0]], [[0.5, 1.0]], [["yes", "no"]], [[]]):
        with pytest.raises(ValueError, match="table of truth values"):
            D.distinct_working([["a", "b"]], bad)


# --- adapters -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A tiny model with the adapters "one", "two" and "zero", which changes nothing."""
    lm = load_lm(tiny_lm(tmp_path_factory.mktemp("tiny")))
    for seed, name in enumerate(("one", "two", "zero")):
        lm.add_adapter(name, seed=seed)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in lm.model.named_parameters():
            if "lora_B" in name and ".zero." not in name:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.02)
    return lm


def by_hand(lm, first, second, prompts, references):
    """KL(first || second) a token, one reference at a time and without padding."""
    nats, tokens = 0.0, 0
    for prompt, reference in zip(prompts, references):
        head = lm.with_bos(lm.token_ids([prompt])[0])
        row = [*head, *lm.token_ids([reference])[0], lm.eos_id]
        logs = []
        for name in (first, second):
            with lm.use_adapter(name), torch.no_grad():
                logits = lm.model(input_ids=torch.tensor([row])).logits[0, len(head) - 1 : -1]
            logs.append(logits.double().log_softmax(-1))
        nats += (logs[0].exp() * (logs[0] - logs[1])).sum().item()
        tokens += len(row) - len(head)
    return nats / tokens


def test_kl_equals_its_definition_in_both_directions(lm):
    names = ["one", "two", None]
    matrix = D.average_kl(lm, names, PROMPTS, REFERENCES)
    assert matrix.shape == (3, 3) and (np.diag(matrix) == 0).all()
    for i, j in itertools.permutations(range(3), 2):
        wanted = by_hand(lm, names[i], names[j], PROMPTS, REFERENCES)
        assert wanted > 1e-4 and matrix[i, j] == pytest.approx(wanted, rel=1e-4)
    assert not np.allclose(matrix, matrix.T, rtol=1e-3)
    assert D.mean_kl(matrix) == pytest.approx(matrix[~np.eye(3, dtype=bool)].mean())


def test_batches_play_no_part(lm, monkeypatch):
    whole = D.average_kl(lm, ["one", "two"], PROMPTS, REFERENCES)
    assert D.average_kl(lm, ["one", "two"], PROMPTS, REFERENCES, batch_size=1) == pytest.approx(
        whole, rel=1e-4
    )
    monkeypatch.setattr(D, "_CELLS", 1)
    assert D.average_kl(lm, ["one", "two"], PROMPTS, REFERENCES) == pytest.approx(whole, rel=1e-4)


def test_the_adapter_in_use_and_the_mode_stay_as_they_are(lm):
    lm.model.train()
    for name in ("two", None):
        lm.set_adapter(name)
        D.average_kl(lm, ["one", "zero"], PROMPTS, REFERENCES)
        assert lm.active_adapter == name and lm.model.training
    lm.set_adapter("two")
    with pytest.raises(ValueError, match="context"):
        D.average_kl(lm, ["one", "zero"], PROMPTS[:1], ["A short one. " * 100])
    assert lm.active_adapter == "two"
    lm.set_adapter(None)
    lm.model.eval()


def test_weights_that_are_not_finite_are_named(lm, tmp_path):
    broken = lm.clone()
    with torch.no_grad():
        for name, weight in broken.model.named_parameters():
            if "lora_B.two." in name:
                weight.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="not finite"):
        D.average_kl(broken, ["one", "two"], PROMPTS, REFERENCES)


def test_bad_input_of_kl_is_refused(lm):
    for adapters in (["one"], [], "one"):
        with pytest.raises(ValueError, match="at least two of"):
            D.average_kl(lm, adapters, PROMPTS, REFERENCES)
    with pytest.raises(KeyError, match="no adapter 'three'"):
        D.average_kl(lm, ["one", "three"], PROMPTS, REFERENCES)
    with pytest.raises(ValueError, match="3 prompts and 2 references"):
        D.average_kl(lm, ["one", "two"], PROMPTS, REFERENCES[:2])
    with pytest.raises(ValueError, match="0 prompts and 0 references"):
        D.average_kl(lm, ["one", "two"], [], [])
    with pytest.raises(ValueError, match="text 1 is empty"):
        D.average_kl(lm, ["one", "two"], PROMPTS, [" x", "", " y"])
    for matrix in (np.zeros((1, 1)), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="K >= 2"):
            D.mean_kl(matrix)
