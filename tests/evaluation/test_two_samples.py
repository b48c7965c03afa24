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
