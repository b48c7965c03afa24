"""Baselines of SPA: one adapter sampled, a diverse beam, adapters on the same data."""

import pytest
import torch
from tiny import tiny_lm

from synthkit import SPA, load_lm
from synthkit.spa import baselines

ROWS = [
    {"question": f"{a} or {b}?", "answer": f"{b} it is", "side": b} for a in "ABCDEF" for b in "xyz"
]
ASKED = ["A or u?", "G or x?"]
SMALL = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64}
QUICK = {
    "reference_updates": 4, "part_updates": 3, "batch_size": 6, "rank": 2, "alpha": 4.0,
    "min_size": 1, "on_small": "fill", "max_new_tokens": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama", **SMALL), device="cpu")


@pytest.fixture(scope="module")
def fitted(lm):
    """One fitted SPA; tests read it and never change it."""
    return SPA(lm, n_parts=3, **QUICK).fit(ROWS, queries=ROWS[:3])


@pytest.fixture(scope="module")
def without_reference(lm):
    return SPA(lm, partition="oracle", **QUICK).fit(ROWS, factor="side")


def fingerprint(spa, name):
    with spa.adapted.use_adapter(name):
        return spa.adapted.fingerprint


def test_a_single_adapter_is_the_reference_adapter(lm, fitted):
    one = baselines.single_adapter(lm, ROWS, **QUICK)
    assert fingerprint(one, "part-0").split() and one.partition.rule == "same data"
    named = [
        {key.replace(name, ""): w for key, w in spa.adapted.model.named_parameters() if name in key}
        for spa, name in ((one, "part-0"), (fitted, "reference"))
    ]
    assert named[0] and all(torch.equal(named[0][key], named[1][key]) for key in named[0])
    few = baselines.single_adapter(lm, ROWS, updates=1, **QUICK)
    assert few.fitted.histories["part-0"].steps == 1 and list(one.partition.sizes) == [18]


def test_sampling_one_adapter(fitted, without_reference):
    cold = baselines.sampled(fitted, ASKED, 4, temperature=0.0).to_pandas()
    assert (cold.groupby("prompt")["text"].nunique() == 1).all()
    hot = baselines.sampled(fitted, ASKED, 4, temperature=1.5).to_pandas()
    assert (hot.groupby("prompt")["text"].nunique() > 1).all()
    narrow = baselines.sampled(fitted, ASKED, 4, temperature=1.5, top_p=1e-6)
    assert list(narrow["text"]) == list(cold["text"]), "a nucleus of one token is greedy"
    with pytest.raises(ValueError, match="has 3 adapters and no reference"):
        baselines.sampled(without_reference, ASKED, 2)


def test_groups_take_turns():
    logits = torch.tensor([[[3.0, 2.9, 2.0, 0.0]] * 3])  # one prompt, three groups
    on = torch.ones(1, 3, dtype=torch.bool)
    assert baselines.take_turns(logits, on, 0.0).tolist() == [0, 0, 0]
    assert baselines.take_turns(logits, on, 0.5).tolist() == [0, 1, 0]
    assert baselines.take_turns(logits, on, 5.0).tolist() == [0, 1, 2]
    ended = torch.tensor([[False, True, True]])
    assert baselines.take_turns(logits, ended, 5.0).tolist() == [0, 0, 1]


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_first_beam_is_greedy_and_the_others_are_not(fitted, batch_size):
    lm, heads = fitted.adapted, fitted.fitted.form.prompts(ASKED)[1]
    options = {"max_new_tokens": 6, "batch_size": batch_size}
    with lm.use_adapter("reference"):
        greedy = [text.strip() for text in lm.generate(heads, max_new_tokens=6)]
        found = baselines.diverse_beam(lm, heads, 4, strength=3.0, **options)
        same = baselines.diverse_beam(lm, heads, 4, strength=0.0, **options)
    assert [group[0] for group in found] == greedy == [group[0] for group in same]
    assert all(len(set(group)) == 4 for group in found)
    assert all(len(set(group)) == 1 for group in same)


def test_beams_of_an_spa_are_rows_like_a_sample(fitted, without_reference):
    rows = baselines.diverse_beams(fitted, ASKED, 3, strength=3.0)
    assert rows.column_names == fitted.answer(ASKED).column_names
    assert list(rows["prompt"]) == [ASKED[0]] * 3 + [ASKED[1]] * 3
    assert list(rows["draw"]) == [0, 1, 2] * 2 and set(rows["adapter"]) == {"reference"}
    heads = fitted.fitted.form.prompts(ASKED)[1]
    with fitted.adapted.use_adapter("reference"):
        found = baselines.diverse_beam(fitted.adapted, heads, 3, strength=3.0, max_new_tokens=6)
    assert list(rows["text"]) == [text for group in found for text in group]
    with pytest.raises(ValueError, match="no reference"):
        baselines.diverse_beams(without_reference, ASKED, 2)


def test_a_beam_ends_at_the_limit_and_at_the_end_of_the_context(fitted):
    lm, heads = fitted.adapted, fitted.fitted.form.prompts(ASKED)[1]
    greedy = [text.strip() for text in lm.generate(heads, max_new_tokens=3)]
    assert [texts[0] for texts in baselines.diverse_beam(lm, heads, 1, max_new_tokens=3)] == greedy
    long = ["A " * 60]
    greedy = [text.strip() for text in lm.generate(long, max_new_tokens=500)]
    assert [texts[0] for texts in baselines.diverse_beam(lm, long, 2, max_new_tokens=500)] == greedy


def test_a_beam_ends_at_the_end_token(fitted, monkeypatch):
    lm, ids = fitted.adapted, iter([[5, 6], [2, 5], [5, 2], [2, 2]])
    assert lm.eos_id == 2
    monkeypatch.setattr(baselines, "take_turns", lambda *_: torch.tensor(next(ids)))
    with torch.no_grad():
        rows = [lm.embed_ids(lm.with_bos(lm.token_ids(["A"])[0]))]
        assert baselines.beams(lm, rows, 2, 0.5, 9) == [[[5], [6, 5]]]


@pytest.mark.parametrize(
    ("prompts", "wrong", "message"),
    [
        (ASKED, {"n": 0}, "needs n >= 1 groups and strength >= 0"),
        (ASKED, {"n": 2, "strength": -1.0}, "needs n >= 1 groups and strength >= 0"),
        (["A " * 300], {"n": 2}, "prompt 0 with one new token takes"),
    ],
)
def test_wrong_beams_are_refused(lm, prompts, wrong, message):
    with pytest.raises(ValueError, match=message):
        baselines.diverse_beam(lm, prompts, **wrong)
