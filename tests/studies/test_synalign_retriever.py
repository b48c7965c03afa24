"""The retriever, its offline metrics by hand, and interleaving under a click model."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.studies.synalign import ranking as M
from synthkit.studies.synalign import retriever as R

LONG = R.RetrieverPreset(lr=1e-2, epochs=30, patience=4)


# --- metrics --------------------------------------------------------------------------------------

# Two queries over five documents. The first finds its documents at ranks 2 and 4, the second its
# only one at rank 1.
RANKED = [[3, 0, 2, 1, 4], [4, 3, 2, 1, 0]]
RELEVANT = [{0, 1}, {4}]


def test_metrics_by_hand():
    assert M.recall_at_k(RANKED, RELEVANT, 1).tolist() == [0, 1]
    assert M.recall_at_k(RANKED, RELEVANT, 2).tolist() == [0.5, 1]
    assert M.recall_at_k(RANKED, RELEVANT, 4).tolist() == [1, 1]
    assert M.mrr(RANKED, RELEVANT).tolist() == [0.5, 1]
    assert M.mrr(RANKED, RELEVANT, k=1).tolist() == [0, 1]
    gain = 1 / np.log2(3) + 1 / np.log2(5)  # ranks 2 and 4
    ideal = 1 + 1 / np.log2(3)  # ranks 1 and 2
    assert M.ndcg(RANKED, RELEVANT) == pytest.approx([gain / ideal, 1])
    assert M.ndcg(RANKED, RELEVANT, k=2) == pytest.approx([1 / np.log2(3) / ideal, 1])


def test_gains_are_scikit_learns():
    from sklearn.metrics import ndcg_score

    truth = np.array([[float(j in wanted) for j in range(5)] for wanted in RELEVANT])
    scores = np.array([[-list(ranking).index(j) for j in range(5)] for ranking in RANKED])
    for k in (2, 3, 5):
        assert M.ndcg(RANKED, RELEVANT, k).mean() == pytest.approx(ndcg_score(truth, scores, k=k))


def test_queries_without_answers_are_refused():
    for metric in (M.mrr, M.ndcg, lambda a, b: M.recall_at_k(a, b, 2)):
        with pytest.raises(ValueError, match="no relevant document"):
            metric(RANKED, [{0}, set()])


# --- pairs ----------------------------------------------------------------------------------------


def test_pairs_share_a_label_and_never_a_text():
    texts, labels = [f"t{i // 2}" for i in range(24)], [i % 5 for i in range(24)]
    texts, labels = [*texts, "alone"], [*labels, "rare"]
    pairs, groups = R.label_pairs(texts, labels, seed=3)
    of = {(text, label) for text, label in zip(texts, labels)}
    assert len(pairs) == len(groups) == 24
    for (query, document), group in zip(pairs, groups):
        assert query != document and {(query, group), (document, group)} <= of
    with pytest.raises(ValueError, match="two different texts"):
        R.label_pairs(["a", "a", "b"], [0, 0, 1])


def test_relevance_by_label():
    assert R.relevant_by(["a", "c", "z"], ["a", "b", "a", "c"]) == [{0, 2}, {3}, set()]


# --- the loss -------------------------------------------------------------------------------------


def test_info_nce_by_hand():
    import torch

    q, d = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    s = np.array([[1, 2**-0.5], [0, 2**-0.5]]) / 0.5
    rows = -np.log(np.exp(np.diag(s)) / np.exp(s).sum(1)).mean()
    columns = -np.log(np.exp(np.diag(s)) / np.exp(s).sum(0)).mean()
    found = float(R.info_nce(q, d, np.array([0, 1]), 0.5))
    assert found == pytest.approx((rows + columns) / 2, rel=1e-5)
    assert float(R.info_nce(q, d, np.array([0, 0]), 0.5)) == pytest.approx(0, abs=1e-6)


# --- the bi-encoder -------------------------------------------------------------------------------


def synonyms(n, seed=0, d=12):
    """Queries and documents whose vectors agree only after a rotation of the documents' space."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d))
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(d, d)))[0]
    known = {f"q{seed}-{i}": m for i, m in enumerate(meaning)}
    known |= {f"d{seed}-{i}": turn @ m for i, m in enumerate(meaning)}
    return known, [(f"q{seed}-{i}", f"d{seed}-{i}") for i in range(n)]


@pytest.fixture(scope="module")
def space():
    known, train = synonyms(200)
    more, test = synonyms(40, seed=1)
    known |= more
    return (lambda texts: np.array([known[t] for t in texts])), train, test


def test_tuning_finds_the_map(space):
    embed, train, test = space
    queries, documents = zip(*test)
    wanted = [{i} for i in range(len(test))]
    plain = R.Retriever(embed)
    tuned = R.Retriever(embed, LONG).fit(train, range(200))
    before, after = (M.mrr(each.rank(queries, documents), wanted).mean() for each in (plain, tuned))
    assert before < 0.4 and after > 0.9
    assert tuned.losses[tuned.best] == min(tuned.losses) < tuned.losses[0]
    again = R.Retriever(embed, LONG).fit(train, range(200))
    assert again.losses == tuned.losses
    assert (again.rank(queries, documents) == tuned.rank(queries, documents)).all()
    other = R.Retriever(embed, LONG, seed=1).fit(train, range(200))
    assert other.losses != tuned.losses


def test_untuned_is_the_cosine_and_ranks_every_document(space):
    embed, _, test = space
    queries, documents = zip(*test)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in map(embed, (queries, documents))]
    wanted = np.argsort(-(unit[0] @ unit[1].T), axis=1)
    found = R.Retriever(embed).rank(queries, documents)
    assert (found[:, 0] == wanted[:, 0]).mean() > 0.95  # float32 may turn a tie
    assert all(sorted(ranking) == list(range(len(test))) for ranking in found)


def test_tuning_that_cannot_help_is_not_kept():
    points = np.random.default_rng(0).normal(size=(60, 12))

    def embed(texts):  # a query and its document are the same point already
        return points[[int(text[1:]) for text in texts]]

    pairs = [(f"q{i}", f"d{i}") for i in range(60)]
    harsh = R.RetrieverPreset(lr=0.5, patience=2, epochs=6)
    same = R.Retriever(embed, harsh).fit(pairs, range(60))
    assert same.best == 0 and len(same.losses) == 3  # stops after its patience
    queries, documents = zip(*pairs)
    assert M.mrr(same.rank(queries, documents), [{i} for i in range(60)]).min() == 1


def test_bad_pairs_are_refused(space):
    embed, train, _ = space
    for pairs, groups in ((train[:3], range(3)), (train, range(2))):
        with pytest.raises(ValueError, match="10 pairs or more, with a group each; got"):
            R.Retriever(embed).fit(pairs, groups)


# --- interleaving ---------------------------------------------------------------------------------


@given(st.permutations(range(7)), st.permutations(range(7)), st.integers(1, 7), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_draft_is_fair(a, b, k, seed):
    shown, teams = M.team_draft(a, b, k, random.Random(seed))
    assert len(shown) == len(set(shown)) == k
    assert abs(teams.count(0) - teams.count(1)) <= 1
    for i, side in enumerate(teams):  # each pick is the side's best one not there yet
        ranking = (a, b)[side]
        assert shown[i] == next(d for d in ranking if d not in shown[:i])


def test_the_better_ranking_wins_and_equal_ones_tie():
    rng = np.random.default_rng(0)
    wanted = [set(rng.choice(20, 3, replace=False).tolist()) for _ in range(60)]
    good = [sorted(range(20), key=lambda d, w=w: d not in w) for w in wanted]
    bad = [ranking[::-1] for ranking in good]
    won = M.interleave(good, bad, wanted, seed=1)
    assert won.low > 0.8 and won.n == 60
    assert M.interleave(bad, good, wanted, seed=1).high < 0.2
    same = M.interleave(good, good, wanted, seed=1)
    assert same.low < 0.5 < same.high
    assert M.interleave(good, bad, wanted, seed=1) == won


def test_users_who_click_at_random_prefer_nobody():
    wanted = [{0}] * 200
    good, bad = [[0, 1, 2, 3]] * 200, [[3, 2, 1, 0]] * 200
    blind = M.Clicks(relevant=0.3, other=0.3)
    share = M.interleave(good, bad, wanted, k=4, clicks=blind)
    assert share.low < 0.5 < share.high


def test_clicks_follow_the_model():
    rng = random.Random(0)
    sure = M.Clicks(relevant=1.0, other=0.0, leave=1.0)
    assert sure.draw([5, 6, 7], {6, 7}, rng) == [1]
    assert M.Clicks(1.0, 0.0, 0.0).draw([5, 6, 7], {6, 7}, rng) == [1, 2]
    assert M.Clicks(0.0, 0.0).draw([5], {5}, rng) == []
