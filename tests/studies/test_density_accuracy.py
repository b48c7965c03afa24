"""The relation of density and accuracy: seen where it is, not where it is not."""

import numpy as np
import pytest
from tiny import points_in_clusters

from synthkit.embedsdg.grid import Grid
from synthkit.embedsdg.sparsity import count_windows, density_at
from synthkit.studies.embedsdg.density_accuracy import density_accuracy


@pytest.fixture(scope="module")
def points():
    return points_in_clusters()


@pytest.fixture(scope="module")
def grid(points):
    return Grid.fit(points, 15)


def test_a_true_relation_is_seen_and_binning_inflates_it(points, grid):
    density = density_at(points, points, grid)
    rank = density.argsort().argsort() / len(density)
    correct = np.random.default_rng(0).random(600) < 0.3 + 0.5 * rank
    found = density_accuracy(density, correct, points, grid, n_permutations=500)
    assert 0.1 < found.example_rho < 0.5 and found.example_p < 0.01
    assert found.binned_spearman > found.example_rho + 0.2
    assert np.isnan(found.within_rho)


def test_no_relation_is_not_seen(points, grid):
    correct = np.random.default_rng(1).random(600) < 0.5
    found = density_accuracy(
        density_at(points, points, grid), correct, points, grid, n_permutations=500
    )
    assert abs(found.example_rho) < 0.12 and found.example_p > 0.01


def test_a_group_confound_vanishes_within_groups(points, grid):
    density = density_at(points, points, grid)
    groups = np.where(density > np.median(density), "common", "rare")
    correct = np.random.default_rng(2).random(600) < np.where(groups == "common", 0.9, 0.4)
    found = density_accuracy(density, correct, points, grid, groups=groups, n_permutations=200)
    assert found.example_rho > 0.3 and abs(found.within_rho) < 0.12


def test_cells_do_not_overlap_and_hold_five_test_points():
    points = np.random.default_rng(0).uniform(size=(300, 2))
    grid = Grid(((0, 1), (0, 1)), (3, 3), 1)
    density = points[:, 0]
    found = density_accuracy(density, points[:, 0] > 0.5, points, grid, n_permutations=100)
    assert (count_windows(points, grid) >= 5).all() and found.cell_rho > 0.8


def test_density_accuracy_refuses_bad_input(points, grid):
    density, correct = np.arange(600), np.arange(600) % 2
    with pytest.raises(ValueError, match="lengths"):
        density_accuracy(density[1:], correct, points, grid)
    with pytest.raises(ValueError, match="at least 45"):
        density_accuracy(density[:30], correct[:30], points[:30], grid)
    with pytest.raises(ValueError, match="constant"):
        density_accuracy(density, np.ones(600), points, grid)
