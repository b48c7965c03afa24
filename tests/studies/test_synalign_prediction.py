"""Students and their scores, and skewed pools of real rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm
from synthkit.lm.finetune import FinetunePreset
from synthkit.studies.synalign import prediction as P
from synthkit.studies.synalign.pools import Labelled, labelled, skewed_pool
from synthkit.synalign.judging import total_variation

WORDS = {"sport": "ball goal team match win".split(), "food": "soup bread menu cake taste".split()}


def rows_of(n, seed=0, words=WORDS):
    rng = np.random.default_rng(seed)
    names = list(words)
    return [
        {"text": " ".join(rng.choice(words[name], 4)) + f" {i + 1000 * seed}", "label": name}
        for i, name in ((i, names[i % len(names)]) for i in range(n))
    ]


# --- rows -----------------------------------------------------------------------------------------


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="label"):
        labelled([{"text": "a"}])
    with pytest.raises(ValueError):
        labelled([])
    with pytest.raises(ValueError, match="label"):
        labelled([{"text": "a", "label": None}])


# --- scores ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
@settings(max_examples=20, deadline=None)
def test_scores_are_those_of_scikit_learn(pairs):
    from sklearn.metrics import accuracy_score, f1_score

    true, said = zip(*pairs)
    score = P.Score(tuple(f"l{x}" for x in true), tuple(f"l{x}" for x in said))
    assert score.accuracy == pytest.approx(accuracy_score(true, said))
    wanted = f1_score(true, said, labels=sorted(set(true)), average="macro", zero_division=0)
    assert score.macro_f1 == pytest.approx(wanted)


# --- the linear student ---------------------------------------------------------------------------


def test_linear_student_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(80, 3)), rng.normal(size=(50, 3))
    y, t, w = (x[:, 0] > 0).astype(int), (z[:, 0] > 0).astype(int), rng.random(80)
    model = LogisticRegression(C=2.0, max_iter=2000).fit(x, y, sample_weight=w / w.mean())
    score = P.linear_score(x, y.tolist(), z, t.tolist(), 7 * w, strength=2.0)
    assert score.predicted == tuple(model.predict(z).tolist())


def test_weights_are_repetitions_and_zero_is_absence():
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(40, 2)), rng.normal(size=(200, 2))
    y = ["a" if v > 0 else "b" for v in x[:, 0] + rng.normal(size=40)]
    t = ["a" if v > 0 else "b" for v in z[:, 0]]
    w = np.r_[np.full(20, 2.0), np.zeros(20)]
    part = P.linear_score(x[:20], y[:20], z, t, strength=20.0)  # weights keep their mean of 1
    assert P.linear_score(x, y, z, t, w, strength=10.0) == part
    twice = P.linear_score(np.vstack([x, x[:20]]), y + y[:20], z, t, strength=4.0)
    assert P.linear_score(x, y, z, t, 1 + w / 2, strength=6.0) == twice
    score = P.linear_score(x, [*y[:20], *["c"] * 20], z, [*t[:-1], "c"], w, 10.0)
    assert score.predicted == part.predicted


def test_what_cannot_be_learned_is_said():
    x = np.eye(4)
    with pytest.raises(ValueError, match="two labels to tell apart"):
        P.linear_score(x, ["a"] * 4, x, ["a"] * 4)
    with pytest.raises(ValueError, match="no label in common"):
        P.linear_score(x, [0, 1, 0, 1], x, ["0", "1", "0", "1"])
    with pytest.raises(ValueError, match="finite, not negative"):
        P.linear_score(x, [0, 1, 0, 1], x, [0, 1, 0, 1], [1, 1, np.nan, 1])


# --- the fine-tuned student -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("student")))


def test_fine_tuned_student_learns_and_leaves_the_model(lm):
    words = {"sport": ["blue"], "food": ["night"]}
    preset = FinetunePreset(lr=1e-2, epochs=15, batch_size=8)
    before = lm.fingerprint
    score = P.tuned_accuracy(lm, rows_of(24, words=words), rows_of(10, 1, words), preset, seed=0)
    assert score.accuracy == 1 and lm.fingerprint == before


def test_labels_are_scored_by_their_whole_cost(lm):
    """By hand: the sum of the tokens' costs, so that a long label does not win by its mean."""
    text = P.PROMPT.format(text="A short one.")
    for word in (" sky", " a long label of many tokens"):
        tokens = len(lm.token_ids([word])[0]) + 1
        wanted = float(lm.nll([word], prompts=[text])[0]) * tokens
        assert P._cost(lm, [text], word)[0] == pytest.approx(wanted, rel=1e-5)


def test_long_texts_are_cut(lm):
    room = lm.context - 20
    cut = P._prompt(lm, "many words in a row " * 100, room)
    assert len(lm.token_ids([cut])[0]) <= room and cut.endswith("\nLabel:")
    assert cut.startswith("Text: many words") and len(lm.token_ids([cut])[0]) > room // 2
    assert P._prompt(lm, "short", room) == P.PROMPT.format(text="short")
    with pytest.raises(ValueError, match="too few for any text"):
        P._prompt(lm, "word", 2)


# --- skewed pools ---------------------------------------------------------------------------------


def cells(n=800, seed=0):
    rng = np.random.default_rng(seed)
    labels, modes = rng.integers(2, size=n), rng.integers(6, size=n)
    texts = [f"text {i}" for i in range(n)]
    return Labelled(tuple(texts), tuple(labels.tolist())), modes.tolist()


@given(st.floats(0.05, 0.6), st.floats(0.1, 0.8), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_a_skewed_pool_is_skewed_as_asked(keep, thin, seed):
    rows, modes = cells()
    split = skewed_pool(rows, modes, keep=keep, thin=thin, seed=seed)
    parts = [set(part.texts) for part in (split.pool, split.reference, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    mode_of = dict(zip(rows.texts, modes))
    assert all(mode_of[t] == m for t, m in zip(split.pool.texts, split.pool.modes))
    full = skewed_pool(rows, modes, keep=1.0, thin=thin, seed=seed)
    assert not full.thinned and parts[0] < set(full.pool.texts)
    assert full.test == split.test and full.reference == split.reference
    for label in (0, 1):
        for mode in range(6):
            before, after = (
                sum(pair == (label, mode) for pair in zip(p.labels, p.modes))
                for p in (full.pool, split.pool)
            )
            if (label, mode) in split.thinned:
                assert after == max(1, round(keep * before))
            else:
                assert after == before
        lost = sum(
            pair in split.thinned and pair[0] == label
            for pair in zip(full.pool.labels, full.pool.modes)
        )
        assert lost > 0 and any((label, mode) not in split.thinned for mode in range(6))


def test_the_distribution_of_reference_and_test_is_kept():
    rows, modes = cells(4000)
    split = skewed_pool(rows, modes)
    assert total_variation(split.reference.modes, split.test.modes) < 0.06
    assert total_variation(split.pool.modes, split.test.modes) > 0.3
    assert total_variation(split.reference.labels, split.test.labels) < 0.002
    shares = [len(part) / 4000 for part in (split.reference, split.test)]
    assert shares == pytest.approx([0.25, 0.25], abs=0.01)


def test_copies_are_left_out():
    rows = labelled(rows_of(40))
    modes = [i % 4 for i in range(40)]
    loud = [text.upper() + "  " for text in rows.texts]
    doubled = Labelled((*rows.texts, *loud), rows.labels * 2)
    assert skewed_pool(doubled, modes * 2, seed=1) == skewed_pool(rows, modes, seed=1)


def test_pools_that_cannot_be():
    rows, modes = cells(40)
    for wrong in ({"keep": 0}, {"keep": 1.5}, {"thin": 1}, {"shares": (0.6, 0.4, 0.2)}):
        with pytest.raises(ValueError, match="keep lies in"):
            skewed_pool(rows, modes, **wrong)
    with pytest.raises(ValueError, match="39 modes for 40 rows"):
        skewed_pool(rows, modes[1:])
    lonely = Labelled((*rows.texts, "one more"), (*rows.labels, "rare"))
    with pytest.raises(ValueError, match="'rare' has 1 different"):
        skewed_pool(lonely, [*modes, 0])
