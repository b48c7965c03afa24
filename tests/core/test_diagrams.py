"""Pictures of pipelines: what is drawn where, and what is refused."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from synthkit.core.diagrams import FILLS, flow

ROW = {"a": (0, 0, "one"), "b": (1, 0, "two\nlines"), "c": (2, 0, "three"), "d": (2, 1, "words")}


@pytest.fixture
def draw(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)

    def drawn(*given, **options):
        flow(*given, **options)
        (axes,) = plt.gcf().axes
        return axes

    yield drawn
    plt.close("all")


def test_boxes_stand_on_the_grid_inside_the_figure_in_the_colour_of_their_kind(draw):
    axes = draw(ROW, "a -> b -> c", trained="b", frozen="c", words="d")
    boxes = [patch.get_bbox() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert [box.y0 for box in boxes[:3]] == [boxes[0].y0] * 3 > [boxes[3].y1] * 3
    assert boxes[0].x1 < boxes[1].x0 and boxes[2].x0 == boxes[3].x0
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert all(left < box.x0 < box.x1 < right and low < box.y0 < box.y1 < high for box in boxes)
    fills = [patch.get_facecolor() for patch in axes.patches[:4]]
    assert len(set(fills)) == len(FILLS) == 4


def test_an_arrow_joins_neighbours_at_their_sides_and_runs_below_what_it_skips(draw):
    axes = draw(ROW, "a -> b", "c -> d: down", "c -> a: back")
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 3 and len(axes.lines) == 1
    (x, _, end), (top, low, _) = axes.lines[0].get_data()
    assert end < x and low < top, "back to the left, below the row"
    assert {"down", "back"} < {text.get_text() for text in axes.texts}


def test_what_is_not_there_and_what_does_not_fit_is_refused(draw):
    with pytest.raises(KeyError, match="no box 'e'; there are a, b, c, d"):
        draw(ROW, "a -> e")
    with pytest.raises(KeyError, match="no box 'x'"):
        draw(ROW, trained="x")
    with pytest.raises(ValueError, match=r"inches wide, its box .* break its lines"):
        draw({**ROW, "a": (0, 0, "a label that is far too long for a box of a third")})
