"""Two samples of vectors: against definitions written out, and on samples of known kinds."""

import numpy as np
import pytest

from synthkit.evaluation.two_samples import (
    c2st_linear,
    gaussian_kernel,
    mmd,
    mmd_p_value,
    neighbour_ratio,
    two_nearest,
    vendi,
)


def normal(n, seed, shift=0.0, d=3):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def test_mmd_is_its_definition():
    x, y = normal(7, 0), normal(7, 1, 0.5)
    k = gaussian_kernel(x, y)
    distances = [((a - b) ** 2).sum() for i, a in enumerate([*x, *y]) for b in [*x, *y][:i]]
    assert k[0, 9] == pytest.approx(np.exp(-((x[0] - y[2]) ** 2).sum() / np.median(distances) / 2))
    own = [sum(k[i, j] for i in side for j in side if i != j) for side in (range(7), range(7, 14))]
    assert mmd(x, y) == pytest.approx(sum(own) / 42 - 2 * k[:7, 7:].mean(), abs=1e-6)


def test_single_precision_changes_no_digit_that_a_report_shows():
    x, y = normal(400, 0), normal(400, 1, 0.1)
    rows = np.concatenate([x, y])
    squared = ((rows[:, None] - rows) ** 2).sum(axis=2)
    k = np.exp(squared / (-2 * np.median(squared[np.triu_indices(800, 1)])))
    assert gaussian_kernel(x, y) == pytest.approx(k, abs=1e-5)
    own = (k[:400, :400].sum() + k[400:, 400:].sum() - 800) / (400 * 399)
    assert mmd(x, y) == pytest.approx(own - 2 * k[:400, 400:].mean(), abs=1e-6)
    shares = np.linalg.eigvalsh(k / 800)
    shares = shares[shares > 1e-12]
    assert vendi(k) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)
    assert vendi(gaussian_kernel(x, y)) == pytest.approx(vendi(k), rel=1e-4)


@pytest.mark.parametrize("offset", [0, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("unit", [1, 1e-30, 1e-170, 1e19, 1e150, 1e298])
def test_neither_unit_nor_place_of_the_features_matters(offset, unit):
    x, y = normal(30, 0), normal(30, 1, 0.3)
    far = (x + offset) * unit, (y + offset) * unit
    assert mmd(*far) == pytest.approx(mmd(x, y), abs=1e-6)
    assert mmd_p_value(*far, n=99) == mmd_p_value(x, y, n=99)
    assert vendi(gaussian_kernel(far[0])) == pytest.approx(vendi(gaussian_kernel(x)), rel=1e-5)
    if unit == 1:
        assert two_nearest(*far) == pytest.approx(two_nearest(x, y), rel=1e-5)


def test_the_width_is_the_median_of_an_even_number_of_distances_too():
    x, y = np.array([[0.0], [1.0]]), np.array([[3.0], [7.0]])
    assert gaussian_kernel(x, y)[0, 1] == pytest.approx(np.exp(-1 / (9 + 16)))


def test_ties_of_equal_rows_are_ties():
    x = np.repeat(normal(2, 0), 15, axis=0)
    assert mmd_p_value(x, x) == 1  # no exchange makes the samples more alike
    x, y = normal(30, 0) > 0, normal(30, 1, 0.3) > 0
    k, rng, own = gaussian_kernel(x, y).astype(float), np.random.default_rng(0), np.arange(60) < 30
    np.fill_diagonal(k, 0)

    def squared(side):
        inner = k[side][:, side].sum() + k[~side][:, ~side].sum()
        return inner / (30 * 29) - 2 * k[side][:, ~side].mean()

    found = np.array([squared(each) for each in [own, *(rng.permutation(own) for _ in range(500))]])
    assert mmd_p_value(x, y) == pytest.approx(np.mean(found >= found[0] - 1e-9))


@pytest.mark.parametrize(
    "rows, words",
    [
        (np.full((4, 2), np.nan), "4 of 8"),
        (np.full((4, 2), np.inf), "4 of 8"),
        (np.ones(4), r"got \(8,\)"),
        (np.ones((4, 0)), r"got shape \(8, 0\)"),
    ],
)
def test_features_that_are_no_finite_rows_are_refused(rows, words):
    for measure in (mmd, mmd_p_value, two_nearest):
        with pytest.raises(ValueError, match=words):
            measure(rows, np.ones(rows.shape))


def test_the_permutation_test_is_even_for_equal_samples_and_sure_for_others():
    values = [mmd_p_value(normal(40, s), normal(40, 1000 + s), n=50) for s in range(60)]
    assert 0.3 < np.mean(values) < 0.7 and np.mean(np.array(values) <= 0.1) < 0.25
    assert mmd_p_value(normal(40, 0), normal(40, 1, 2.0), n=99) == 0.01


@pytest.mark.parametrize("measure", [mmd, mmd_p_value])
def test_constant_features_are_equal_and_unequal_sizes_refused(measure):
    assert measure(np.ones((4, 2)), np.ones((4, 2))) == (0 if measure is mmd else 1)
    with pytest.raises(ValueError, match="got 4 and 3"):
        measure(normal(4, 0), normal(3, 0))


def test_the_vendi_score_counts_unlike_entries():
    assert vendi(np.eye(5)) == pytest.approx(5) and vendi(np.ones((5, 5))) == pytest.approx(1)
    assert vendi(np.kron(np.eye(3), np.ones((4, 4)))) == pytest.approx(3)


def test_a_linear_classifier_tells_shifted_rows_and_not_equal_ones():
    assert c2st_linear(normal(200, 0), normal(200, 1)) == pytest.approx(0.5, abs=0.08)
    assert c2st_linear(normal(200, 0), normal(200, 1, 3.0)) > 0.98


def test_two_nearest_and_their_ratio():
    others = np.array([[0.0], [1.0], [4.0], [4.0]])
    near = two_nearest(np.array([[0.0], [5.0], [4.0]]), others)
    assert near == pytest.approx(np.array([[0, 1], [1, 1], [0, 0]]))
    assert neighbour_ratio(near).tolist() == [0, 1, 1]
    own = two_nearest(others, others, np.arange(4))
    assert own[0] == pytest.approx([1, 4]) and own[2] == pytest.approx([0, 3])


def test_two_nearest_of_two_and_of_too_few():
    assert two_nearest(np.zeros((1, 1)), np.array([[3.0], [2.0]])).tolist() == [[2, 3]]
    with pytest.raises(ValueError, match="3 or more others are needed, got 2"):
        two_nearest(np.zeros((2, 1)), np.zeros((2, 1)), np.arange(2))
