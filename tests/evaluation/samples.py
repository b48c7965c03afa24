"""Tables that the tests of tables share."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from synthkit.datasets import load_table
from synthkit.evaluation.table_utility import Trees
from synthkit.worlds import load_world
from synthkit.worlds.census_tables import PARENTS

WORLD = load_world("census")
ONE = (Trees(0.1, 16),)  # one setting: nothing to choose, so faster


def mixed(n=200, seed=0):
    """A table of every kind of column, with missing values."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(10, 3, n).round(2),
            "count": rng.integers(0, 50, n),
            "colour": rng.choice(["red", "green", 'a "b", c'], n, p=[0.6, 0.37, 0.03]),
            "flag": rng.random(n) < 0.3,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    frame.loc[::9, "size"] = np.nan
    frame.loc[::7, "colour"] = None
    frame.loc[::11, "day"] = pd.NaT
    return frame


def numbers(*values):
    return pd.DataFrame({"x": list(values)})


def real_halves(shared_data, name, n):
    frame = load_table(shared_data / name / "train.csv").sample(2 * n, random_state=0)
    return frame[:n].reset_index(drop=True), frame[n:].reset_index(drop=True)


def bayes_auc():
    """The exact area under the ROC curve of the census world's best score for the income."""
    weight = WORLD.marginal(*PARENTS["income"], "income").reshape(-1, 2)  # (cells, two classes)
    score = WORLD.tables["income"].reshape(-1, 2)[:, 1].round(12)
    answer, scores = np.repeat([0, 1], len(score)), np.tile(score, 2)
    return roc_auc_score(answer, scores, sample_weight=weight.T.ravel())
