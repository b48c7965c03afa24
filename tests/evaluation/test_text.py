"""The metrics against independent implementations, on sets with a known fault, on bad input."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_world
from synthkit.evaluation.text import (
    accuracy,
    contaminated,
    distinct_n,
    exact_duplicates,
    jensen_shannon,
    near_duplicates,
    ngrams,
    novelty,
    one_nn_accuracy,
    rate,
    self_bleu,
    words,
)

TEXT = st.lists(st.sampled_from("a b c d e".split()), min_size=1, max_size=9).map(" ".join)
TEXTS = st.lists(TEXT, min_size=2, max_size=7)


@pytest.fixture(scope="module")
def questions():
    return load_world("math").sample(300, seed=0)["question"][:]


# texts and words


def test_words_keep_numbers_whole_or_mask_them():
    assert words("It's 1,250.50!", mask_digits=True) == ["it", "'", "s", "#", "!"]
    assert words("Öl 12kg") == ["öl", "12kg"]


@given(st.lists(st.text(max_size=2), max_size=9), st.integers(1, 5))
def test_ngrams_are_every_run(tokens, n):
    grams = ngrams(tokens, n)
    assert len(grams) == max(0, len(tokens) - n + 1)
    assert all(gram == tuple(tokens[i : i + n]) for i, gram in enumerate(grams))


# diversity


def test_distinct_n_by_hand():
    assert distinct_n(["a b a b", "a b"], 1) == pytest.approx(2 / 6)
    assert distinct_n(["a b a b", "a b"], 2) == pytest.approx(2 / 4)
    with pytest.raises(ValueError, match="none of the 1 texts has 4 words"):
        distinct_n(["a b c"], 4)


def brute_force_bleu(hypothesis, references, n):
    """BLEU as its paper writes it, references compared one by one."""
    hypothesis, references = hypothesis.split(), [text.split() for text in references]
    precisions = []
    for k in range(1, min(n, len(hypothesis)) + 1):
        grams = Counter(zip(*(hypothesis[i:] for i in range(k))))
        clipped = 0
        for gram, count in grams.items():
            most = max(list(zip(*(r[i:] for i in range(k)))).count(gram) for r in references)
            clipped += min(count, most)
        precisions.append((clipped if clipped else 0.1) / sum(grams.values()))
    c = len(hypothesis)
    r = sorted((abs(len(ref) - c), len(ref)) for ref in references)[0][1]
    penalty = 1.0 if c > r else math.exp(1 - r / c)
    return penalty * math.prod(precisions) ** (1 / len(precisions))


@settings(deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_self_bleu_is_the_brute_force_one(texts, n):
    expected = [
        brute_force_bleu(text, texts[:i] + texts[i + 1 :], n) for i, text in enumerate(texts)
    ]
    assert self_bleu(texts, n) == pytest.approx(expected)


# copies


def test_exact_duplicates_flag_all_but_the_first():
    texts = ["A b", "a  B", "c", "a b"]
    assert exact_duplicates(texts).tolist() == [False, True, False, True]
    assert exact_duplicates(texts, keep_first=False).tolist() == [True, True, False, True]
    assert exact_duplicates(texts, ["C"]).tolist() == [False, False, True, False]


@settings(deadline=None, max_examples=40)
@given(TEXTS, st.sampled_from([0.3, 0.5, 1.0]), st.integers(1, 3))
def test_near_duplicates_are_the_pairwise_ones(texts, threshold, n):
    def jaccard(a, b):
        x, y = (set(ngrams(t.split(), n)) or {tuple(t.split())} for t in (a, b))
        return len(x & y) / len(x | y)

    overlap = np.array([[jaccard(a, b) for b in texts] for a in texts])
    near = overlap >= threshold - 1e-12
    earlier = np.array([near[i, :i].any() for i in range(len(texts))])
    others = np.array([np.delete(near[i], i).any() for i in range(len(texts))])
    options = {"threshold": threshold, "n": n}
    assert near_duplicates(texts, **options).tolist() == earlier.tolist()
    assert near_duplicates(texts, keep_first=False, **options).tolist() == others.tolist()
    against = near_duplicates(texts, texts[:1], **options)
    assert against.tolist() == near[:, 0].tolist()


def test_near_duplicates_cross_block_borders():
    texts = [" ".join(f"w{i}x{j}" for j in range(7)) for i in range(1100)]
    texts[1050] = texts[3]
    assert np.flatnonzero(near_duplicates(texts)).tolist() == [1050]
    assert np.flatnonzero(near_duplicates(texts, keep_first=False)).tolist() == [3, 1050]


def test_masking_finds_swapped_numbers():
    real = ["Tara buys 6 big red pears for 20 dollars at the market"]
    swap = ["Tara buys 19 big red pears for 3 dollars at the market"]
    assert not near_duplicates(swap, real).any()
    assert near_duplicates(swap, real, mask_digits=True).all()
    with pytest.raises(ValueError, match="got 80"):
        near_duplicates(swap, real, threshold=80)


def test_contamination_needs_a_whole_run():
    test = ["one two three four five six seven eight nine"]
    leak = "well, two three four five six seven eight nine"
    almost = "well, two three four five six seven eight ten"
    assert contaminated([leak, almost], test, n=8).tolist() == [True, False]
    assert contaminated(["two three"], test, n=8).tolist() == [False]
    assert contaminated(["short test"], ["Short test"], n=8).tolist() == [True]
    assert contaminated(["a 5 b"], ["a 6 b"], n=3, mask_digits=True).all()


# novelty and fidelity


def test_novelty_is_the_distance_to_the_nearest(questions):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    a, b = questions[:40], questions[40:120]
    rows = TfidfVectorizer(tokenizer=words, token_pattern=None, ngram_range=(1, 2)).fit(a + b)
    neighbours = NearestNeighbors(n_neighbors=1, metric="cosine").fit(rows.transform(b))
    expected = neighbours.kneighbors(rows.transform(a))[0].ravel()
    assert novelty(a, b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("unit", ["word", "char"])
def test_novelty_ends_of_the_scale(unit):
    result = novelty(["red pears", "zzz qqq"], ["red pears", "blue hats"], unit=unit)
    assert result == pytest.approx([0, 1], abs=1e-9)


def test_novelty_leaves_the_text_itself_out(questions):
    assert novelty(questions[:50]).min() >= 0 and novelty(questions[:50]).mean() > 0.1
    assert novelty(["same words", "same words", "other"])[:2] == pytest.approx([0, 0], abs=1e-9)
    with pytest.raises(ValueError, match="another one"):
        novelty(["alone"])
    with pytest.raises(ValueError, match="'word' or 'char', got 'byte'"):
        novelty(["a"], ["b"], unit="byte")


@given(TEXTS, TEXTS)
def test_jensen_shannon_is_a_bounded_symmetric_distance(a, b):
    distance = jensen_shannon(a, b)
    assert 0 <= distance <= 1 + 1e-12
    assert distance == pytest.approx(jensen_shannon(b, a))
    assert jensen_shannon(a, a) == pytest.approx(0, abs=1e-7)


def test_jensen_shannon_is_scipys():
    from scipy.spatial.distance import jensenshannon

    ours = jensen_shannon(["a a b", "c"], ["a d d"])
    assert ours == pytest.approx(jensenshannon([2, 1, 1, 0], [1, 0, 0, 2], base=2))
    assert jensen_shannon(["a"], ["b"]) == pytest.approx(1)
    with pytest.raises(ValueError, match="run of 3 words"):
        jensen_shannon(["a b"], ["a b c"], n=3)


def test_one_nn_tells_alike_apart_and_copied(questions):
    a, b = questions[:150], questions[150:]
    assert one_nn_accuracy(a, b) == pytest.approx(0.5, abs=0.12)
    assert one_nn_accuracy(a, [text.replace("e", "ee") for text in b]) > 0.9
    distinct = list(dict.fromkeys(a))
    assert one_nn_accuracy(distinct, distinct) == pytest.approx(0, abs=0.02)


def test_one_nn_shares_the_vote_of_ties():
    # Four equal texts: each has three nearest neighbours, one of them on its own side.
    assert one_nn_accuracy(["a b", "a b"], ["a b", "a b"]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="got 1 and 2"):
        one_nn_accuracy(["a"], ["a", "b"])


# accuracy


def test_accuracy_of_one_run_and_of_several():
    assert accuracy([1, 0, 1, 1]) == rate([1, 0, 1, 1])
    runs = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]])
    interval = accuracy(runs)
    assert interval.n == 3 and interval.mean == pytest.approx(8 / 12)
    assert accuracy(lambda seed: runs[seed], seeds=[0, 1, 2]) == interval
    assert accuracy(lambda seed: float(runs[seed].mean()), seeds=[0, 1, 2]) == interval


@pytest.mark.parametrize(
    ("correct", "message"),
    [
        ([0.5, 1.0], "must be 0 or 1"),
        ([math.nan, 1.0], "must be 0 or 1"),
        ([], "0 or 1"),
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        (lambda seed: 1.0, "needs seeds"),
        (np.ones((1, 5)), "at least 2 numbers, got 1"),
    ],
)
def test_accuracy_refuses_what_is_not_one(correct, message):
    with pytest.raises(ValueError, match=message):
        accuracy(correct)
