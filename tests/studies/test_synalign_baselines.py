"""Baselines of SynAlign: ways to write, and ways to weigh."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from synthkit.studies.synalign.baselines import attrprompt, simprompt
from synthkit.studies.synalign.weights import density_ratio_weights, ratio_weights
from synthkit.synalign.pool import COLUMNS
from synthkit.synalign.schemas import REVIEWS
from synthkit.teacher import FunctionTeacher, TeacherError


def writer(text=lambda prompt: "fine"):
    return FunctionTeacher(text, "stand-in")


def test_label_only_prompts_hold_the_class_and_nothing_else():
    asked = []
    rows = simprompt(writer(lambda prompt: asked.append(prompt) or "fine"), 7)
    assert asked[0] == "Write a review.\nsentiment: positive\nOutput:\n"
    assert tuple(rows.column_names) == COLUMNS and len(rows) == 7
    assert Counter(rows["label"]) == {"positive": 4, "negative": 3}
    assert rows["demonstration"][:] == [-1] * 7 and rows["call"][:] == list(range(7))
    assert set(map(len, map(json.loads, rows["record"]))) == {1}


def test_attributes_are_drawn_independently_and_evenly():
    rows, again, other = (attrprompt(writer(), 1200, seed=seed) for seed in (1, 1, 2))
    records = pd.DataFrame(map(json.loads, rows["record"]))
    assert set(records.columns) == set(REVIEWS.names)
    for attribute in REVIEWS.attributes[2:]:
        shares = records[attribute.name].value_counts(normalize=True)
        assert len(shares) == len(attribute.values)
        assert np.abs(shares - 1 / len(attribute.values)).max() < 0.07
    both = records.groupby("sentiment")["tone"].value_counts(normalize=True)
    assert np.abs(both - 0.25).max() < 0.09
    assert again["record"][:] == rows["record"][:] != other["record"][:]


def test_texts_that_cannot_be_used_are_left_out_with_a_warning():
    answers = iter(["one", "", "three", *[""] * 9])
    with pytest.warns(UserWarning, match="1 of 3 texts cannot be used"):
        assert simprompt(writer(lambda prompt: next(answers)), 3)["call"][:] == [0, 2]
    with pytest.raises(TeacherError, match="no text to any of 2 prompts: empty"):
        simprompt(writer(lambda prompt: ""), 2)


def test_ratio_weights_give_the_real_shares():
    cells, real = ["x"] * 6 + ["y"] * 3 + ["z"], ["x"] * 2 + ["y"] * 8
    w = ratio_weights(cells, real)
    assert w[:6].sum() == pytest.approx(0.2) and w[6:9].sum() == pytest.approx(0.8) and w[9] == 0
    with pytest.warns(UserWarning, match="30% of the real texts"):
        ratio_weights(["x", "y"], ["x"] * 7 + ["v"] * 3)
    with pytest.raises(ValueError, match="no cell of the 1 real texts"):
        ratio_weights(["x"], ["v"])


def test_density_ratio_is_near_the_true_ratio():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (3000, 1)), rng.normal(1, 1, (3000, 1))
    w = density_ratio_weights(x, y, C=100.0)
    wanted = np.exp(x[:, 0] - 0.5)  # N(1, 1) over N(0, 1)
    assert np.corrcoef(np.log(w), np.log(wanted))[0, 1] > 0.999
    assert w @ x[:, 0] == pytest.approx(1, abs=0.15)
