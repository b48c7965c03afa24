"""The alignment step of SynAlign: exact references, certificates, properties and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.synalign import alignment as al
from synthkit.synalign import kernels
from synthkit.synalign.checks import METHODS
from synthkit.synalign.exploration import median_distance
from synthkit.synalign.judging import total_variation
from synthkit.synalign.solvers import interior_point


def mixture(n, clusters, seed, d=16, spread=0.5):
    """n unit vectors around the first `clusters` of 12 fixed centres, (n, d)."""
    centres = np.random.default_rng(99).normal(size=(12, d)) / np.sqrt(d)
    rng = np.random.default_rng(seed)
    points = centres[rng.integers(clusters, size=n)] + spread * rng.normal(size=(n, d)) / np.sqrt(d)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def middle(*sets):
    return median_distance(np.vstack(sets))


@pytest.fixture(scope="module")
def sets():
    """(synthetic, real): 200 points of 12 clusters, 150 of the first 8."""
    return mixture(200, 12, 2), mixture(150, 8, 1)


@pytest.fixture(scope="module")
def objective(sets):
    return al.Objective.between(*sets, middle(*sets))


@pytest.fixture(scope="module")
def exact(objective):
    return al.solve_exact(objective, tol=1e-10)


# --- the distance ---------------------------------------------------------------------------------


def test_kernel_and_mmd_are_those_of_scikit_learn(sets):
    from sklearn.metrics.pairwise import rbf_kernel

    x, y = sets
    sigma, w = 0.8, np.random.default_rng(0).dirichlet(np.ones(len(x)))
    gamma = 1 / (2 * sigma**2)
    assert np.allclose(al.gaussian_kernel(x, y, sigma), rbf_kernel(x, y, gamma), atol=1e-12)
    xx, xy, yy = rbf_kernel(x, x, gamma), rbf_kernel(x, y, gamma), rbf_kernel(y, y, gamma)
    wanted = w @ xx @ w - 2 * w @ xy.mean(1) + yy.mean()
    assert al.mmd2(x, y, w, bandwidth=sigma) == pytest.approx(wanted, abs=1e-12)
    assert al.mmd2(x, y, 7 * w, bandwidth=sigma) == pytest.approx(wanted, abs=1e-12)


def test_blocks_change_nothing(sets, monkeypatch):
    whole = al.kernel_mean(*sets, 1.0)
    monkeypatch.setattr(kernels, "_ENTRIES", 1000)
    assert np.allclose(al.kernel_mean(*sets, 1.0), whole, atol=1e-14)


def test_equal_sets_are_at_distance_zero_and_a_common_shift_is_none(sets):
    x, y = sets
    assert al.mmd2(x, x[::-1]) == pytest.approx(0, abs=1e-14) == al.mmd2(x, np.vstack([x, x]))
    near = al.mmd2(x, y, bandwidth=1.0)
    assert al.mmd2(x + 1e6, y + 1e6, bandwidth=1.0) == pytest.approx(near, rel=1e-6)
    assert al.mmd2(x, y + 0.2, bandwidth=1.0) > near > 1e-3


def test_random_features_estimate_the_kernel(sets):
    x, y = sets[0][:20], sets[1][:20]
    truth = al.gaussian_kernel(x, y, 1.0)
    draws = np.array(
        [al.random_features(x, 1.0, 64, seed) @ al.random_features(y, 1.0, 64, seed).T
         for seed in range(60)]
    )  # fmt: skip
    error = draws.std(0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - truth) < 5 * error + 1e-12).all()
    assert np.allclose((al.random_features(x, 1.0, 64) ** 2).sum(1), 1)
    exact, near = (al.mmd2(*sets, bandwidth=1.0, features=D) for D in (0, 8192))
    assert near == pytest.approx(exact, rel=0.1)
    with pytest.raises(ValueError, match="pairs of cosine and sine"):
        al.random_features(x, 1.0, 63)


def test_noise_floor_is_what_samples_give():
    found = [al.mmd2(mixture(60, 8, 2 * s), mixture(90, 8, 2 * s + 1), bandwidth=1.0)
             for s in range(40)]  # fmt: skip
    floor = al.noise_floor(mixture(1000, 8, 1000), 60, 90, 1.0)
    assert np.mean(found) == pytest.approx(floor, rel=0.15)


# --- the quadratic programme ----------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(-3, 3), st.lists(st.floats(-4, 4), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_two_atoms_have_a_formula(a, b, real):
    if abs(a - b) < 0.1:
        return
    two, points = np.array([[a], [b]]), np.array(real)[:, None]
    objective = al.Objective.between(two, points, 1.0)
    b_a, b_b = objective.b
    k = objective.columns()[0, 1]
    wanted = np.clip(0.5 + (b_a - b_b) / (2 * (1 - k)), 0, 1)
    assert al.solve_exact(objective).weights[0] == pytest.approx(wanted, abs=1e-4)


def test_exact_is_the_optimum_of_a_library_and_has_its_conditions(objective, exact):
    """SLSQP of scipy on a part: kernel mean matching with B = inf and epsilon = 0."""
    from scipy.optimize import minimize

    K, b = objective.columns()[:40, :40], objective.b[:40]
    ones = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
    found = minimize(
        lambda w: 1e3 * (w @ K @ w - 2 * w @ b), np.full(40, 1 / 40),
        jac=lambda w: 2e3 * (K @ w - b), bounds=[(0, None)] * 40, constraints=ones,
        method="SLSQP", options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    w = interior_point(K, b)
    assert w @ K @ w - 2 * w @ b == pytest.approx(found.fun / 1e3, abs=1e-9)
    assert np.allclose(w, found.x, atol=1e-3)
    slope = objective.columns() @ exact.weights - objective.b
    held = exact.weights > 1e-5
    assert np.ptp(slope[held]) < 1e-7, "one level on the support"
    assert slope.min() > slope[held].mean() - 1e-7, "no text lies below it"
    few = al.solve_exact(objective, first=10)
    assert few.steps > 1 and few.gap <= 1e-9
    assert few.value == pytest.approx(exact.value, abs=1e-9)
    w = np.zeros(200)
    w[exact.weights.argmin()] = 1
    bad = objective.solution(w)
    assert bad.gap > 100 * max(exact.gap, 1e-9) and bad.gap >= bad.value - exact.value


def test_every_solver_is_certified_and_near_the_optimum(objective, exact):
    assert 0 <= exact.gap <= 1e-9 or abs(exact.gap) < 1e-12
    found = al.solve_adam(objective)
    above = found.value - exact.value
    assert -1e-10 <= above <= 1e-6
    assert found.gap >= above - 1e-12, "the certificate bounds the excess"
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()


def test_copies_share_their_weight_and_real_texts_match_themselves(sets, exact):
    x, y = sets
    assert al.solve_exact(al.Objective.between(np.vstack(sets), y, 1.0)).value < 1e-8
    doubled = al.Objective.between(np.vstack([x, x[:50]]), y, middle(*sets))
    found = al.solve_exact(doubled)
    together = found.weights[:200].copy()
    together[:50] += found.weights[200:]
    assert found.gap < 1e-8 and np.allclose(together, exact.weights, atol=1e-4)


@pytest.mark.parametrize("solve", [al.solve_exact, al.solve_adam])
def test_solvers_take_one_text_and_equal_texts(solve):
    y = np.array([[0.0], [1.0]])
    assert solve(al.Objective.between(np.zeros((1, 1)), y, 1.0)).weights == pytest.approx([1])
    same = solve(al.Objective.between(np.zeros((5, 1)), y, 1.0))
    assert same.weights.sum() == pytest.approx(1) and same.gap == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("width", [0.3, 30.0])
def test_a_pool_of_few_texts_with_many_copies_is_solved(sets, width):
    x = np.repeat(sets[0][:5], 120, axis=0)
    found = al.solve_exact(al.Objective.between(x, sets[1], width))
    few = al.solve_exact(al.Objective.between(sets[0][:5], sets[1], width))
    assert abs(found.gap) < 1e-6 and found.value == pytest.approx(few.value, abs=1e-6)
    assert (found.weights >= 0).all() and found.weights.sum() == pytest.approx(1)


# --- tilting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [200, 9000])  # of many texts, a part says where to begin
def test_tilting_solves_its_dual(sets, n):
    features, real = al.feature_map(mixture(n, 12, 5), sets[1], 1.0, 16)
    w = al.tilt(features, real.mean(0), 1e-2)
    slope = (real.mean(0) - w @ features) / 1e-2  # what the optimality condition says lambda is
    wanted = np.exp(features @ slope - (features @ slope).max())
    assert np.allclose(w, wanted / wanted.sum(), rtol=5e-3)


def test_tilting_has_the_largest_entropy_of_its_mean(sets):
    features, real = al.feature_map(*sets, 1.0, 8)
    w = al.tilt(features, real.mean(0), 1e-4)
    rng, entropy = np.random.default_rng(0), -(w @ np.log(w))
    fixed = np.column_stack([features, np.ones(len(w))])
    for _ in range(20):  # move along directions that keep mean and sum
        step = rng.normal(size=len(w)) * w
        step -= fixed @ np.linalg.lstsq(fixed, step, rcond=None)[0]
        other = w + 0.1 * w.min() / np.abs(step).max() * step
        assert -(other @ np.log(other)) < entropy


def test_ridge_runs_from_equal_weights_to_the_match(sets):
    features, real = al.feature_map(*sets, 1.0, 32)
    target = real.mean(0)
    found = [al.tilt(features, target, ridge) for ridge in (1e4, 1, 1e-2, 1e-4)]
    apart = [np.linalg.norm(w @ features - target) for w in found]
    sizes = [al.effective_size(w) for w in found]
    assert np.allclose(found[0], 1 / 200, rtol=1e-3)
    assert apart == sorted(apart, reverse=True) and sizes == sorted(sizes, reverse=True)
    with pytest.raises(ValueError, match="ridge must be positive"):
        al.tilt(features, target, 0)


def test_mean_matching_ignores_the_scale_of_the_encoder(sets):
    x, y = sets
    small, large = (al.align(c * x, c * y, features=0, ridge=1e-2) for c in (1e-3, 1e3))
    assert np.allclose(small, large, rtol=1e-3)
    usual, large = (al.align(c * x, c * y, ridge=1e-2) for c in (1, 1e3))
    assert np.allclose(usual, large, rtol=1e-3), "sigma follows the scale as well"


def test_ridge_is_chosen_on_held_out_folds():
    pool, many = mixture(400, 12, 3), mixture(600, 6, 4)
    features, real = al.feature_map(pool, many, 1.0, 128)
    few = [al.choose_ridge(features, real[20 * i : 20 * i + 20]) for i in range(5)]
    assert np.median(few) > al.choose_ridge(features, real)
    scores = al.ridge_scores(features, real[:20])
    assert scores.shape == (5, len(al.RIDGES)) and (scores > 0).all()
    assert al.ridge_scores(features, real[:3], (1.0,)).shape == (3, 1)
    with pytest.raises(ValueError, match="takes two of them"):
        al.choose_ridge(features, real[:1])


# --- align ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_nears_held_out_texts(sets, method):
    x, y = sets
    w = al.align(x, y, method=method)
    held_out = mixture(500, 8, 77)
    assert w.shape == (200,) and w.dtype == np.float64
    assert w.sum() == pytest.approx(1) and (w >= 0).all()
    assert al.mmd2(x, held_out, w, bandwidth=1.0) < 0.7 * al.mmd2(x, held_out, bandwidth=1.0)
    assert np.array_equal(w, al.align(x, y, method=method)), "the same seed, the same weights"


TEXTS = {
    "synthetic": ["Wow! What a joy!", "It was a true delight.", "Oh great.", "Never again."] * 5,
    "real": ["Oh great.", "Never again.", "Enough is enough.", "Oh great, of course."] * 4,
}


def test_every_kind_of_texts_and_of_numbers_is_taken(sets):
    import pandas as pd
    import torch
    from datasets import Dataset

    def embed(texts):
        return np.array([[len(text), text.count("!")] for text in texts], dtype=np.float32)

    texts = list(TEXTS.values())
    w = al.align(*texts)
    wanted = np.array(["Oh" in text or "Never" in text for text in TEXTS["synthetic"]])
    assert w[wanted].sum() > 0.6 and al.mmd2(*texts, w) < al.mmd2(*texts)
    tables = [Dataset.from_dict({"text": each}) for each in texts]
    frames = [pd.DataFrame({"text": each}) for each in texts]
    for sides, options in ((tables, {}), (frames, {}), (texts, {"encoder": "tfidf"})):
        assert np.array_equal(al.align(*sides, **options), w)
    vectors = [embed(each) for each in texts]
    assert np.allclose(al.align(*texts, encoder=embed), al.align(*vectors))
    x, y = sets[0][:30], sets[1][:30]
    w = al.align(x, y, ridge=0.01)
    for kind in (torch.tensor, np.ndarray.tolist):
        assert np.allclose(al.align(kind(x), kind(y), ridge=0.01), w)


# --- labels ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labels():
    """Labels of 200 synthetic and 150 real texts: "a" is a quarter and two thirds."""
    return ["a"] * 50 + ["b"] * 150, ["a"] * 100 + ["b"] * 50


@pytest.mark.parametrize("method", ["tilting", "exact"])
def test_weights_within_the_class_keep_the_real_prior(sets, labels, method):
    (x, y), sigma = sets, middle(*sets)
    w = al.align(x, y, labels=labels, method=method, bandwidth=sigma)
    assert w[:50].sum() == pytest.approx(2 / 3) and w.sum() == pytest.approx(1)
    assert total_variation(*labels, w) == pytest.approx(0, abs=1e-9)
    assert total_variation(*labels) == pytest.approx(2 / 3 - 1 / 4)
    if method == "exact":
        alone = al.align(x[:50], y[:100], method="exact", bandwidth=sigma)
        assert np.allclose(w[:50], 2 / 3 * alone, atol=1e-6)


def test_a_class_is_never_pushed_to_zero_and_labels_are_read_by_name():
    """Pooled weights drop the class that is hard to match; weights within the class cannot."""
    from datasets import Dataset

    rng = np.random.default_rng(0)
    y = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(9, 1, (50, 2))])
    x = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(-30, 1, (50, 2))])
    labels = ["near"] * 50 + ["far"] * 50
    assert al.align(x, y, bandwidth=2.0, method="exact")[50:].sum() < 0.5
    within = al.align(x, y, labels=(labels, labels), bandwidth=2.0, method="exact")
    assert within[50:].sum() == pytest.approx(0.5)
    columns = {"text": ["Wow", "Oh no", "Wow, oh"] * 4, "kind": ["W", "O", "W"] * 4}
    tables = [Dataset.from_dict(columns), Dataset.from_dict(columns).select(range(8))]
    w = al.align(*tables, labels="kind")
    assert total_variation(tables[0]["kind"], tables[1]["kind"], w) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match=r"synthetic has no column 'label'.*text.*kind"):
        al.align(*tables, labels="label")


def test_missing_label_is_an_error_and_an_unused_one_a_warning(sets):
    x, y = sets[0][:6], sets[1][:4]
    with pytest.raises(ValueError, match=r"no synthetic text has the label\(s\) \['b'\].*1 of 4"):
        al.align(x, y, labels=(["a"] * 6, ["a", "a", "a", "b"]))
    with pytest.warns(UserWarning, match="2 synthetic texts have labels that no real text has"):
        w = al.align(x, y, labels=(["a"] * 4 + ["c"] * 2, ["a"] * 4))
    assert (w[4:] == 0).all()
    with pytest.warns(UserWarning, match=r"1 of 2 classes have fewer than 2 real texts.*'b'"):
        w = al.align(x, y, labels=(["a"] * 3 + ["b"] * 3, ["a", "a", "a", "b"]))
    assert np.allclose(w[3:], 0.25 / 3)
    with pytest.raises(ValueError, match="6 and 3 labels for 6 synthetic and 4"):
        al.align(x, y, labels=(["a"] * 6, ["a"] * 3))


# --- drawing --------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 1e3), min_size=1, max_size=40).filter(lambda w: sum(w) > 1e-3),
    st.integers(1, 500),
    st.integers(0, 10),
)
@settings(max_examples=200, deadline=None)
def test_systematic_counts_lie_within_one(weights, m, seed):
    drawn = al.systematic_resample(weights, m, seed)
    counts = np.bincount(drawn, minlength=len(weights))
    share = np.array(weights) / np.sum(weights)
    assert len(drawn) == m and (np.abs(counts - m * share) < 1 + 1e-6).all()
    assert (counts[share == 0] == 0).all()


def test_systematic_resampling_is_unbiased():
    w = np.array([0.05, 0.15, 0.8])
    counts = [np.bincount(al.systematic_resample(w, 3, seed), minlength=3) for seed in range(2000)]
    assert np.allclose(np.mean(counts, axis=0), 3 * w, atol=0.05)
    with pytest.raises(ValueError, match="m counts the texts"):
        al.systematic_resample(w, 0)


# --- report, baselines, witness -------------------------------------------------------------------


def test_report(sets):
    x, y = sets
    held_out, w = mixture(300, 8, 5), al.align(x, y)
    report = al.alignment_report(x, held_out, w, fitted=150, bandwidth=1.0)
    assert report.mmd2 == pytest.approx(al.mmd2(x, held_out, w, bandwidth=1.0))
    assert report.unweighted == pytest.approx(al.mmd2(x, held_out, bandwidth=1.0))
    assert report.ratio == report.mmd2 / report.unweighted < 0.7
    assert report.floor == pytest.approx(al.noise_floor(held_out, 150, 300, 1.0))
    assert report.effective == al.effective_size(w) and report.largest == w.max()


def test_the_effective_size_is_kishs():
    assert al.effective_size([2.0] * 7 + [0.0]) == pytest.approx(7)
    assert al.effective_size([3, 1, 1, 1]) == pytest.approx(36 / 12)  # (sum w)^2 / sum w^2


def test_witness_points_to_the_missing_mode():
    x, y = mixture(300, 6, 1), mixture(300, 8, 2)
    w = al.align(x, y, method="exact")
    h = al.witness(x, y, w)
    lost = mixture(300, 6, 3)
    away = np.sqrt(((y[:, None] - lost) ** 2).sum(-1)).min(1)  # distance to the modes there are
    top = h.argsort()[::-1][:30]
    assert away[top].mean() > np.quantile(away, 0.7)
    centred = al.Objective.between(x, y, middle(x, y))
    gap, value = centred.solution(w).gap, centred.solution(w).value
    assert gap < 1e-6 < value, "optimal, and not good"
    assert h.mean() == pytest.approx(  # the mean over the real texts is c - b'w
        centred.c - centred.b @ w, abs=1e-9
    )


# --- bad input ------------------------------------------------------------------------------------

X, Y = mixture(200, 12, 2), mixture(150, 8, 1)
BAD = Y.copy()
BAD[7, 3], BAD[9, 0] = np.nan, np.inf


@pytest.mark.parametrize("call", [al.align, al.mmd2])
@pytest.mark.parametrize(
    ("synthetic", "real", "words"),
    [
        (X, BAD, r"2 of 150 real points.*first is row 7"),
        (X, Y[:, :8], r"16 columns and real ones 8.*same encoder"),
        (X[0], Y, r"synthetic points must have shape \(n, d\)"),
        (X[:0], Y, "synthetic points must hold numbers"),
        (["a text", "another"], Y, "one side holds texts"),
        (np.ones((9, 2)), np.ones((9, 2)), "the same"),
        (["the same text"] * 20, ["the same text"] * 20, "the same"),
    ],
)
def test_bad_points_are_named(call, synthetic, real, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call(synthetic, real)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: al.align(np.ones((40, 16)), Y), "all 40 synthetic points are the same"),
        (lambda: al.align(X, Y[:1]), "1 real text: give two"),
        (lambda: al.align(X, Y, bandwidth=0.0), "bandwidth is a distance"),
        (lambda: al.align(X, Y, method="sinkhorn"), "no method is called 'sinkhorn'; choose one"),
        (lambda: al.align(X, Y, method="exact", ridge=1.0), "ridge belongs to 'tilting'"),
        (lambda: al.align(*TEXTS.values(), encoder="lm"), "lm=load_lm"),
        (lambda: al.mmd2(X, Y, [0.5, 0.5]), "one number for each of 200"),
        (lambda: al.mmd2(X, Y, [-1.0] * 200), "not negative"),
        (lambda: al.mmd2(X, Y, [0.0] * 200), "not all 0"),
        (lambda: al.mmd2(X, Y, [np.nan] * 200), "finite"),
    ],
)
def test_bad_options_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_collapse_and_a_narrow_kernel_are_told_and_good_weights_are_silent(sets, recwarn):
    al.align(*sets)
    texts = {n: [f"word{i} thing{i % 7} kind{i % 5}" for i in range(n)] for n in (10, 20, 40)}
    for each in texts.values():
        al.align(each, each, ridge=1.0)
    assert not [each for each in recwarn if "collapsed" in str(each.message)]
    for each in texts.values():  # among few texts, too
        with pytest.warns(UserWarning, match="the weights have collapsed"):
            assert al.align(each, [each[0]] * 10).max() > 0.9
    far = np.vstack([mixture(400, 3, 1), -mixture(2, 8, 2)])
    with pytest.warns(UserWarning, match="the weights have collapsed"):
        al.align(far, -mixture(50, 8, 3), method="exact")
    with pytest.warns(UserWarning, match="too narrow"):
        w = al.align(*sets, method="exact", bandwidth=0.01)
    assert al.effective_size(w) > 150, "blind weights stay near equal"
