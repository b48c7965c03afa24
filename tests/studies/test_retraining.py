"""Whether influence scores are true: trainings without some rows, and two agreements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import QUERIES, ROWS, tiny_lm

from synthkit.lm import load_lm
from synthkit.lm.training import Schedule
from synthkit.spa import METHODS, influence_scores
from synthkit.studies.spa import retraining
from synthkit.studies.spa.retraining import (
    fidelity,
    lds,
    leave_one_out,
    query_losses,
    random_subsets,
    retrained_losses,
    train_adapter,
    without_most_helpful,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


# --- agreements ----------------------------------------------------------------------------------


def test_agreements_on_losses_that_are_linear():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 10))
    kept = rng.random((20, 10)) < 0.5
    np.testing.assert_allclose(lds(scores, kept, -(kept @ scores.T)), 1)
    ranks, right = leave_one_out(scores, [1, 3, 5, 7], scores[:, [1, 3, 5, 7]].T * 0.1)
    np.testing.assert_allclose(ranks, 1)
    assert right == 1
    rises = scores[:, [1, 3, 5, 7]].T.copy()
    rises[0] *= -1
    assert leave_one_out(scores, [1, 3, 5, 7], rises)[1] == 0.75


@pytest.mark.parametrize(
    ("scores", "kept", "losses", "words"),
    [
        ((5,), (6, 5), (6, 2), "need"),
        ((2, 5), (6, 4), (6, 2), "need"),
        ((2, 5), (6, 5), (2, 6), "need"),
        ((2, 5), (3, 5), (3, 2), "at least four trainings, found 3"),
        ((2, 5), (6, 5), (6, 2), "constant"),
    ],
)
def test_agreements_refuse_what_does_not_fit(scores, kept, losses, words):
    with pytest.raises(ValueError, match=words):
        lds(*map(np.ones, (scores, kept, losses)))


# --- against retraining: a language model ---------------------------------------------------------

SHORT = Schedule(steps=30, lr=1e-2, eval_every=30, patience=None)
TRAINING = {"rank": 4, "schedule": SHORT, "batch_size": 4}
BRIEF = TRAINING | {"schedule": Schedule(steps=6, lr=1e-2, eval_every=6, patience=None)}


def test_a_row_that_is_left_out_has_no_say(base):
    kept = np.arange(len(ROWS)) != 2
    a = train_adapter(base, ROWS, kept, **BRIEF)
    other = [*ROWS[:2], {"prompt": "something", "completion": " else entirely"}, *ROWS[3:]]
    b = train_adapter(base, other, kept, **BRIEF)
    assert a.fingerprint == b.fingerprint
    assert train_adapter(base, other, **BRIEF).fingerprint != b.fingerprint
    assert train_adapter(base, ROWS, kept, **BRIEF, seed=1).fingerprint != a.fingerprint


def test_an_adapter_learns_and_the_base_stays(base):
    before = base.fingerprint
    student = train_adapter(base, ROWS, **TRAINING)
    assert base.fingerprint == before and base.active_adapter is None
    assert student.active_adapter == "student"
    assert (query_losses(student, ROWS) < query_losses(base, ROWS)).all()
    one = np.arange(len(ROWS)) == 4  # most batches hold no kept row at all
    alone = train_adapter(base, ROWS, one, **TRAINING)
    assert query_losses(alone, ROWS)[4] < query_losses(student, ROWS)[4]


def test_training_refuses_what_cannot_be(base):
    for kept in (np.zeros(7, bool), np.ones(6, bool), np.ones((7, 1), bool)):
        with pytest.raises(ValueError, match="for each of the 7 rows"):
            train_adapter(base, ROWS, kept, **TRAINING)
    with pytest.raises(ValueError, match="no rows"):
        train_adapter(base, [], **TRAINING)
    with pytest.raises(ValueError, match="row 0 takes"):
        train_adapter(base, [{"text": "long " * 200}], **TRAINING)


def test_a_rows_twin_is_its_most_helpful_row_and_is_missed(base):
    """The query stands among the rows: every method finds it, and it is missed when it is gone."""
    student = train_adapter(base, ROWS, **TRAINING)
    for twin in (0, 4):
        for method in METHODS:
            scores = influence_scores(student, ROWS, [ROWS[twin]], method=method)[0]
            assert scores.argmax() == twin and scores[twin] > 0, method
    kept = np.arange(len(ROWS)) != 4
    without = train_adapter(base, ROWS, kept, **TRAINING)
    rise = query_losses(without, ROWS) - query_losses(student, ROWS)
    assert rise.argmax() == 4 and rise[4] > 0


def test_subsets():
    found = random_subsets(11, 6, 0.7, seed=3)
    assert found.shape == (6, 11) and found.dtype == bool and (found.sum(1) == 8).all()
    assert np.array_equal(found, random_subsets(11, 6, 0.7, seed=3))
    assert not np.array_equal(found, random_subsets(11, 6, 0.7, seed=4))
    for share in (0.0, 1.0, 0.01):
        with pytest.raises(ValueError, match="some must go"):
            random_subsets(11, 2, share)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.floats(0.05, 0.95), st.integers(0, 10**6))
def test_the_most_helpful_share_goes(n, share, seed):
    scores = np.random.default_rng(seed).integers(0, 5, (3, n)).astype(float)
    count = round(share * n)
    if not 0 < count < n:
        with pytest.raises(ValueError, match="some must go"):
            without_most_helpful(scores, share)
        return
    for own, kept in zip(scores, without_most_helpful(scores, share)):
        assert (~kept).sum() == count and own[~kept].min() >= own[kept].max()


def test_retraining_goes_on_where_it_was_cut_off(base, tmp_path, monkeypatch):
    trained, inner = [], retraining.train_adapter
    monkeypatch.setattr(
        retraining, "train_adapter", lambda *a, **k: trained.append(a[2]) or inner(*a, **k)
    )
    kept = np.array([[1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0]], bool)
    path = tmp_path / "losses.jsonl"
    wanted = retrained_losses(base, ROWS, QUERIES, kept, checkpoint=path, **BRIEF)
    assert wanted.shape == (3, 2) and len(trained) == 2, "equal subsets are trained once"
    assert np.array_equal(wanted[0], wanted[2]) and not np.array_equal(wanted[0], wanted[1])
    student = inner(base, ROWS, kept[1], **BRIEF)
    np.testing.assert_allclose(wanted[1], query_losses(student, QUERIES), rtol=1e-6)
    run, first, second = path.read_text().splitlines(keepends=True)
    path.write_text(run + first + second[:20])  # as an interruption leaves it
    again = retrained_losses(base, ROWS, QUERIES, kept, checkpoint=path, **BRIEF)
    assert np.array_equal(again, wanted) and len(trained) == 3
    for queries, changes in ((QUERIES, {"seed": 1}), (QUERIES[:1], {})):
        with pytest.raises(ValueError, match=r"losses\.jsonl holds .* with other data, settings"):
            retrained_losses(base, ROWS, queries, kept, checkpoint=path, **BRIEF | changes)


def test_fidelity_is_its_parts(base, tmp_path):
    found = fidelity(
        base, ROWS, QUERIES, methods=("dot", "datainf"), subsets=4, removed=0.3, controls=1,
        seed=2, checkpoint=tmp_path / "losses.jsonl", **BRIEF,
    )  # fmt: skip
    reference = train_adapter(base, ROWS, seed=2, **BRIEF)
    whole = query_losses(reference, QUERIES)
    for method in ("dot", "datainf"):
        scores = influence_scores(reference, ROWS, QUERIES, method=method)
        np.testing.assert_allclose(found.scores[method], scores)
        np.testing.assert_allclose(found.lds[method], lds(scores, found.kept, found.losses))
    kept = np.argsort(np.argsort(-found.scores["dot"][1])) >= 2  # two of seven are removed
    student = train_adapter(base, ROWS, kept, seed=2, **BRIEF)
    rise = (query_losses(student, QUERIES) - whole)[1]
    np.testing.assert_allclose(found.rises["dot"][1], rise, rtol=1e-4, atol=1e-6)
    assert found.random_rises.shape == (1, 2) and found.losses.shape == (4, 2)
    for options, message in (
        ({"subsets": 3}, "at least four subsets"),
        ({"removed": 1.0}, "some must go"),
        ({"methods": ["lissa"], "subsets": 4}, "method must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            fidelity(base, ROWS, QUERIES, **options, **BRIEF)
