"""MAUVE on given features against exact references, what it cannot see, and near-copy rates."""

import numpy as np
import pytest

from synthkit.evaluation.contamination import near_copy_rates
from synthkit.evaluation.mauve import MauveScore, mauve, text_features
from synthkit.worlds import load_target

# A reference of our own, on given histograms (Pillutla et al., 2021; Liu et al., 2021).


def kl(p, q):
    """KL divergences along the last axis; q is positive wherever p is."""
    seen = p > 0
    return np.sum(np.where(seen, p * np.log(np.where(seen, p, 1) / np.where(seen, q, 1)), 0), -1)


def frontier_integral(p, q, steps=20_000):
    """2 int_0^1 [w KL(p || r_w) + (1 - w) KL(q || r_w)] dw with r_w = w p + (1 - w) q."""
    w = (np.arange(steps) + 0.5) / steps
    r = np.outer(w, p) + np.outer(1 - w, q)
    return 2 * float(np.mean(w * kl(p, r) + (1 - w) * kl(q, r)))


def mauve_of(p, q, c):
    """Half the area under the divergence curve, walked from end to end, and under its mirror."""
    w = np.linspace(1e-6, 1 - 1e-6, 25)
    r = np.outer(w, p) + np.outer(1 - w, q)
    x = np.concatenate([[1], np.exp(-c * kl(q, r)), [0]])  # falls as w grows
    y = np.concatenate([[0], np.exp(-c * kl(p, r)), [1]])  # rises
    return (np.trapezoid(y[::-1], x[::-1]) + np.trapezoid(x, y)) / 2


def blobs(counts, jitter=0.0, seed=0):
    """Rows at the corners of a simplex, `counts[i]` at corner i."""
    rows = np.repeat(np.eye(len(counts)), counts, axis=0)
    return rows + jitter * np.random.default_rng(seed).normal(size=rows.shape)


def cloud(n, seed, shift=0.0, modes=20):
    """A mixture of `modes` of 20 round clusters."""
    centres = np.random.default_rng(0).normal(size=(20, 16)) * 3 + shift
    rng = np.random.default_rng(seed)
    return centres[rng.integers(modes, size=n)] + rng.normal(size=(n, 16))


@pytest.mark.parametrize("scaling", [1, 5])
@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([200, 100, 50, 50], [100, 100, 100, 100]),
        ([150, 150, 0, 0], [100, 50, 100, 50]),
        ([300, 10, 10, 10], [10, 20, 40, 260]),
    ],
)
def test_scores_of_known_histograms(p, q, scaling):
    found = mauve(blobs(p, 0.01, 1), blobs(q, 0.01, 2), clusters=4, seeds=(0,), scaling=scaling)
    left, right = np.array(p) / sum(p), np.array(q) / sum(q)
    assert found.frontier_integral == pytest.approx(frontier_integral(left, right), abs=1e-4)
    assert found.mauve == pytest.approx(mauve_of(left, right, scaling), abs=1e-6)
    smooth = [(np.array(side) + 0.5) / (sum(side) + 2) for side in (p, q)]
    assert found.frontier_integral_star == pytest.approx(frontier_integral(*smooth), abs=1e-4)
    assert found.buckets == 4 and found.scaling == scaling


def test_identical_sets_and_samples_of_one_distribution():
    same = mauve(cloud(300, 1), cloud(300, 1), seeds=(0, 1))
    assert same.mauve == pytest.approx(1) and same.frontier_integral == pytest.approx(0)
    pair = mauve(cloud(500, 1), cloud(500, 2))
    assert 0.95 < pair.mauve < 1 and pair.frontier_integral < 0.05
    assert pair.buckets == 25 and pair.n == 500 and len(pair.scores) == 5
    assert pair.mauve == pytest.approx(np.mean(pair.scores))
    assert pair.sd == pytest.approx(np.std(pair.scores, ddof=1))


@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_equal_histograms_score_one_whatever_the_order_of_ties(k):
    """As many rows at each of k corners; at a power of two the package itself answers 0.75."""
    found = mauve(blobs([600 // k] * k), blobs([600 // k] * k), clusters=k, seeds=(0, 1))
    assert found.scores == (1, 1) and found.frontier_integral == 0


def test_the_same_input_gives_the_same_score_and_threads_are_given_back():
    import faiss

    before = faiss.omp_get_max_threads()
    p, q = cloud(300, 1), cloud(300, 2)
    first = mauve(p, q, seeds=(3, 4))
    assert first == mauve(p, q, seeds=(3, 4)) and isinstance(first, MauveScore)
    assert first.scores != mauve(p, q, seeds=(5, 6)).scores
    assert faiss.omp_get_max_threads() == before and first.faiss == faiss.__version__
    assert "n=300" in str(first)


def test_a_collapsed_generator_is_scored_without_a_warning(recwarn, capfd):
    found = mauve(np.ones((300, 16)), cloud(300, 2), clusters=60, seeds=(0,))
    assert found.mauve < 0.05
    assert not recwarn.list and capfd.readouterr().err == ""


def seventh_row(value):
    return lambda p: np.where(np.arange(300)[:, None] == 7, value, p)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: p[:249], {}, "at least 250 rows.*found 249 generated"),
        (lambda p: p[:, :5], {}, "5 features and real rows 16"),
        (lambda p: p[:, 0], {}, r"got \(300,\)"),
        (seventh_row(np.nan), {}, "1 of 300 generated rows.*row 7"),
        (seventh_row(np.inf), {}, "not finite"),
        (np.array, {"clusters": 1}, "between 2 and"),
        (np.array, {"clusters": 301}, "300.*got 301"),
        (np.array, {"seeds": ()}, "seeds"),
        (np.array, {"scaling": 0}, "scaling > 0"),
    ],
)
def test_what_makes_no_score_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        mauve(change(cloud(300, 1)), cloud(300, 2), **options)


def test_constant_features_are_refused():
    """The package itself would answer 0.75."""
    for other in (np.ones((300, 4)), 2 * np.ones((300, 4))):  # lengths do not count
        with pytest.raises(ValueError, match="600 rows are equal"):
            mauve(np.ones((300, 4)), other)
    apart = mauve(blobs([300, 0]), blobs([0, 300]), clusters=2, seeds=(0,))
    assert apart.mauve < 0.02


# --- texts ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    """Train, held-out real texts, and one more real sample of a target."""
    target = load_target("code")
    return [target.texts(n, seed) for n, seed in ((300, 1), (400, 2), (400, 3))]


def test_mauve_is_blind_to_memorisation_and_sees_collapse(texts):
    train, real, other = texts
    rng = np.random.default_rng(0)
    resampled = [train[i] for i in rng.integers(len(train), size=400)]
    collapsed = [train[i] for i in rng.integers(3, size=400)]
    features = text_features(resampled, collapsed, other, real)
    copied, few, best = (
        mauve(side, features[3], clusters=20, seeds=(0, 1, 2)).mauve for side in features[:3]
    )
    assert copied > best - 0.08 and copied > 0.9, "copies look like real text"
    assert few < 0.3
    assert near_copy_rates(resampled, train)["train"].mean == 1
    assert near_copy_rates(other, train)["train"].mean < 0.9


def test_features_are_fitted_together(texts):
    train, real, _ = (side[:60] for side in texts)
    a, b = text_features(train, real, dims=10)
    assert a.shape == b.shape == (60, 10) and a.dtype == np.float32
    again = text_features(train, real, dims=10)
    assert all(np.array_equal(x, y) for x, y in zip((a, b), again))
    (alone,) = text_features(train, dims=10)
    assert not np.allclose(np.abs(alone), np.abs(a), atol=1e-3)
    norms = np.linalg.norm(text_features([*train, *real], dims=400)[0], axis=1)
    assert np.allclose(norms, 1, atol=0.02), "with all dimensions TF-IDF rows keep unit length"


@pytest.mark.parametrize(
    ("sets", "options", "message"),
    [
        ((), {}, "one or more lists"),
        ((["a"], []), {}, r"sets of \[1, 0\]"),
        (([" ", ""],), {}, "none of the 2 texts"),
        (("one text",), {}, "lists of texts"),
        ((["a"],), {"dims": 0}, "dims=0"),
    ],
)
def test_texts_without_features_are_refused(sets, options, message):
    with pytest.raises(ValueError, match=message):
        text_features(*sets, **options)
