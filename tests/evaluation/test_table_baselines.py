"""Tables by other libraries: optional, timed, and handed tables that they can read."""

import sys
import time
import types
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from synthkit.evaluation import table_baselines as B


def mixed(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        "count": rng.integers(0, 500, n),
        "colour": rng.choice(["red", "blue"], n),
    })  # fmt: skip


class Stand:
    """A model of ctgan: an epoch takes 20 ms of CPU, whatever the table."""

    made: tuple = ()

    def __init__(self, epochs):
        self.epochs = epochs
        Stand.made += (epochs,)

    def set_random_state(self, seed):
        self.seed = seed

    def fit(self, frame, discrete):
        Stand.seen, Stand.discrete = frame, discrete
        begun = time.process_time()
        while time.process_time() - begun < 0.02 * self.epochs:
            pass

    def sample(self, n):
        return self.seen.sample(n, replace=True, random_state=self.seed)


@pytest.fixture
def ctgan(monkeypatch):
    Stand.made = ()
    monkeypatch.setitem(sys.modules, "ctgan", types.SimpleNamespace(TVAE=Stand, CTGAN=Stand))


@pytest.mark.parametrize("make", [B.tvae_table, B.ctgan_table])
def test_ctgan_is_optional(monkeypatch, make):
    monkeypatch.setitem(sys.modules, "ctgan", None)
    with pytest.raises(ImportError, match=r"Business Source Licence 1\.1"):
        make(mixed())


def test_a_table_without_gaps_is_handed_over_with_its_categories_named(ctgan):
    made = B.tvae_table(mixed(), 30, epochs=2, seed=4)
    assert len(made) == 30 and Stand.made == (2,) and made.attrs["epochs"] == 2
    assert Stand.discrete == ["colour"] and not Stand.seen.isna().any(axis=None)
    assert mixed()["size"].isna().any()


def test_a_time_limit_sets_the_number_of_epochs(ctgan):
    made = B.ctgan_table(mixed(), epochs=300, seconds=0.3)
    assert 8 <= made.attrs["epochs"] <= 15  # 0.3 s at 20 ms each
    assert made.attrs["seconds"] == pytest.approx(0.3, abs=0.06)
    assert B.ctgan_table(mixed(), epochs=4, seconds=5.0).attrs["epochs"] == 4


def test_a_pace_is_start_and_rounds():
    pace = B.Pace(start=2.0, each=0.5)
    assert [pace.within(seconds) for seconds in (12.0, 2.6, 1.0)] == [20, 1, 1]


def test_a_first_fit_that_pays_for_imports_does_not_count():
    rounds = []

    def fit(n):
        begun, cost = time.process_time(), 0.01 * n + (0.2 if not rounds else 0)
        rounds.append(n)
        while time.process_time() - begun < cost:
            pass

    pace = B.Pace.of(fit)
    assert rounds == [1, 1, 3] and pace.each == pytest.approx(0.01, rel=0.3) and pace.start < 0.02
    with pytest.raises(RuntimeError, match="3 rounds took no longer than 1"):
        B.Pace.of(lambda n: [j for j in range(3_000_000 // n)])


def test_great_is_optional_and_needs_a_model(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "be_great", None)
    with pytest.raises(ImportError, match="pip install be-great"):
        B.great_table(mixed(), model=tmp_path)
    monkeypatch.setitem(sys.modules, "be_great", types.SimpleNamespace(GReaT=None))
    with pytest.raises(FileNotFoundError, match="no-model"):
        B.great_table(mixed(), model=tmp_path / "no-model")


def test_great_writes_rows_and_may_write_too_few(monkeypatch, tmp_path):
    class GReaT:
        more = -5
        asked: ClassVar[list] = []

        def __init__(self, model, max_steps, **how):
            self.steps, config = max_steps, types.SimpleNamespace(max_position_embeddings=64)
            self.model = types.SimpleNamespace(config=config, device="cpu")
            self.tokenizer = lambda rows: types.SimpleNamespace(input_ids=[r[:40] for r in rows])

        def fit(self, frame):
            self.frame, begun = frame, time.process_time()
            while time.process_time() - begun < 0.005 * self.steps:
                pass

        def sample(self, n, k, max_length, device):
            assert k == 40 and max_length == 40 + 10 + 8
            self.asked.append(n)
            return self.frame[: n + self.more]

    monkeypatch.setitem(sys.modules, "be_great", types.SimpleNamespace(GReaT=GReaT))
    made = B.great_table(mixed(), 40, model=tmp_path, epochs=2, batch_size=50)
    assert len(made) == 35 and made.attrs["epochs"] == 2
    GReaT.more = 5
    made = B.great_table(mixed(), 40, model=tmp_path, batch_size=50, seconds=0.2)
    assert len(made) == 40 and 5 <= made.attrs["epochs"] <= 12  # 40 steps of 5 ms, 4 an epoch
    assert GReaT.asked == [40, 40]


def writer(sample):
    """A fitted GReaT, as far as `_sampled` looks at it."""
    config = types.SimpleNamespace(max_position_embeddings=64)
    return types.SimpleNamespace(
        model=types.SimpleNamespace(config=config, device="cpu"),
        tokenizer=lambda rows: types.SimpleNamespace(input_ids=[[0]] * len(rows)),
        sample=sample,
    )


def test_great_is_asked_for_more_until_its_time_is_over(monkeypatch):
    clock = iter(range(0, 1000, 10))  # every call takes 10 seconds
    monkeypatch.setattr(B.time, "process_time", lambda: next(clock))
    great = writer(lambda n, **how: mixed().iloc[[0] * n])
    assert len(B._sampled(great, mixed(), 1000, None)) == 1000, "at once"
    assert len(B._sampled(great, mixed(), 1000, 30.0)) == 150, "50 rows in each 10 seconds"
    assert len(B._sampled(great, mixed(), 1000, 1000.0)) == 1000


def test_few_rows_that_great_wrote_are_lost(monkeypatch):
    drafts = []  # nine in ten are rows

    def sample(n, k, **how):
        rows = 0
        while rows < n:
            rows += k * 9 // 10
            drafts.append(k)
        return mixed().iloc[[0] * n]

    monkeypatch.setattr(B.time, "process_time", lambda: 0.1 * sum(drafts))
    made = B._sampled(writer(sample), mixed(), 5000, 300.0)
    assert 3000 <= sum(drafts) < 3200 and len(made) > 0.85 * 0.9 * sum(drafts)
