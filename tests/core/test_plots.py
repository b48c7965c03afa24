"""A figure in words: what a reader who cannot see it is told."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from synthkit.core.plots import COLOURS, told

# Machado, Oliveira and Fernandes (2009): what is seen without one kind of cone, in linear RGB.
SEEN = {
    "all cones": np.eye(3),
    "no long cones": [
        [0.1523, 1.0526, -0.2049],
        [0.1145, 0.7863, 0.0992],
        [-0.0039, -0.0481, 1.0520],
    ],
    "no medium cones": [
        [0.3673, 0.8606, -0.2280],
        [0.2801, 0.6725, 0.0474],
        [-0.0118, 0.0429, 0.9690],
    ],
    "no short cones": [
        [1.2555, -0.0767, -0.1788],
        [-0.0784, 0.9308, 0.1476],
        [0.0047, 0.6914, 0.3039],
    ],
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def lab(linear):
    """CIE L*, a*, b* of linear RGB under daylight."""
    ratios = XYZ @ np.clip(linear, 0, 1) / XYZ.sum(1)
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def test_any_two_colours_stay_apart_in_grey():
    lightness = {name: lab(linear(colour))[0] for name, colour in COLOURS.items()}
    gaps = {pair: abs(lightness[pair[0]] - lightness[pair[1]]) for pair in combinations(COLOURS, 2)}
    assert min(gaps.values()) > 8.5, min(gaps, key=gaps.get)


@pytest.mark.parametrize("kind", SEEN)
def test_any_two_colours_stay_apart_for_every_kind_of_colour_vision(kind):
    seen = {name: lab(np.array(SEEN[kind]) @ linear(colour)) for name, colour in COLOURS.items()}
    gaps = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(COLOURS, 2)}
    assert min(gaps.values()) > 9, min(gaps, key=gaps.get)


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
