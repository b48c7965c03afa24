"""A figure in words: what a reader who cannot see it is told."""

import matplotlib.pyplot as plt
import pytest

from synthkit.core.plots import told


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_lines_at_named_heights_are_told_by_name_and_mean(axes):
    for height, numbers in enumerate(([1.0, 2.0], [0.25, 0.25])):
        axes.plot(numbers, [height] * 2, "o")
        axes.plot(sum(numbers) / 2, height, "|")  # the same mean again is not told twice
    axes.plot([0.5, 0.5], [1.1, 1.1], "s")  # a second measure of the second arm
    axes.axvline(0.7)
    axes.set_yticks([0, 1], ["first", "second"])
    axes.set_xlabel("score")
    assert told(axes) == "score; means: first 1.5, second 0.25 and 0.5"


def test_labelled_points_are_told_by_both_means_and_others_not(axes):
    axes.plot([1, 3], [10, 20], label="an arm")
    axes.plot([5], [5])
    axes.set(xlabel="error", ylabel="AUC")
    assert told(axes) == "AUC against error; means: an arm (2, 15)"
    axes.clear()
    assert told(axes) == ""
