"""What holds where: small models and SmolLM2 apart, each by its weakest test."""

import pandas as pd
import pytest

from synthkit.studies import holds as view
from synthkit.studies.ledger import COLUMNS

ROWS = [
    # method, group, paper, reported, model, verdict
    ("spa", "Diverse", "a", "0.85", "embedded", "supported"),
    ("spa", "Diverse", "a", "0.85", "embedded", "refuted"),
    ("spa", "Diverse", "a", "0.85", "smollm2", "supported"),
    ("spa", "Correct", "", "", "embedded", "supported"),
    ("spa", "Correct", "", "", "smollm2", "undecided"),
    ("spa", "Correct", "", "", "smollm2", "supported"),
    ("spa", "Small only", "b", "", "embedded", "supported"),
    ("spa", "Never", "c", "", "", "not run"),
    ("difflm", "Better", "d", "", "smollm2", "refuted"),
]


@pytest.fixture
def found():
    names = ["method", "group", "paper", "reported", "model", "verdict"]
    rows = [dict.fromkeys(COLUMNS, "") | dict(zip(names, row)) for row in ROWS]
    frame = pd.DataFrame(rows)
    return view.holds(frame)


def test_a_claim_is_as_good_as_its_weakest_test_with_each_kind_of_model(found):
    assert found.set_index("claim").drop(columns="method").to_dict("index") == {
        "Diverse": {"paper": "0.85", view.WORLDS: "refuted, 1/2", view.REAL: "supported, 1/1"},
        "Correct": {"paper": "no", view.WORLDS: "supported, 1/1", view.REAL: "undecided, 1/2"},
        "Better": {"paper": "yes", view.WORLDS: "not run", view.REAL: "refuted, 0/1"},
    }


def test_a_line_per_method_and_one_that_counts(found):
    *told, counted = view.lines(found)
    assert told[0] == (
        "**SPA**, *Diverse*: with small models, refuted (1 of 2 tests support it); with SmolLM2, "
        "supported (1 of 1 test supports it)."
    )
    assert len(told) == 2
    assert counted == (
        "Verdicts on all 3 claims tested with SmolLM2: 1 supported, 1 undecided, 1 refuted."
    )


def test_the_figure_has_a_mark_for_every_claim_and_kind_of_model(found):
    (ax,) = view.figure(found).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "SPA: Diverse", "SPA: Correct", "DiffLM: Better"
    ]  # fmt: skip
    assert len(ax.lines) == 6
    assert {"refuted 1/2", "not run "} <= {text.get_text() for text in ax.texts}
