"""Tables by other libraries, to stand beside our own: TVAE, CTGAN and GReaT, each optional.

Every function fits with its library's default settings (GReaT: others, for small models), or for a
given time, so that methods can be compared at equal time; what was spent is in the table's `attrs`.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .table_columns import column_kinds

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pace:
    """Cost of a training: `start` seconds, and `each` for an epoch or a step."""

    start: float
    each: float

    @classmethod
    def of(cls, fit: Callable[[int], object], few: int = 1, more: int = 3) -> Pace:
        """Measured in seconds of this process's CPU: a short fit, again, and one a little longer.

        The first fit pays for imports and the like, so it does not count.

        Raises:
            RuntimeError: the longer fit took no longer.
        """
        took = []
        for n in (few, few, more):
            begun = time.process_time()
            fit(n)
            took.append(time.process_time() - begun)
        _, short, long = took
        if long <= short:
            raise RuntimeError(
                f"{more} rounds took no longer than {few}; give epochs= instead of seconds="
            )
        each = (long - short) / (more - few)
        return cls(max(short - few * each, 0.0), each)

    def within(self, seconds: float) -> int:
        """Count the epochs or steps that fit into `seconds`; at least one."""
        return max(1, math.floor((seconds - self.start) / self.each))


def _by_ctgan(
    name: str, frame: pd.DataFrame, n: int | None = None, *, epochs: int = 300,
    seconds: float | None = None, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """A table by a model of the package `ctgan`; missing numbers are set to the column's median.

    The package has the Business Source Licence 1.1, so the kit does not depend on it.

    Args:
        name: of the model. n: rows; as many as `frame` has by default.
        epochs: at most; the package's default is 300.
        seconds: of CPU that the fit may take: as many epochs as fit into them. None: all.

    Raises:
        ImportError: `ctgan` is not installed.
    """
    try:
        import ctgan
    except ImportError as error:
        raise ImportError(
            f"{name} needs the package ctgan (Business Source Licence 1.1: read it first); "
            f"pip install ctgan, or leave {name} out"
        ) from error
    kinds = column_kinds(frame)
    numbers = [column for column, kind in kinds.items() if kind == "number"]
    gaps = [column for column in numbers if frame[column].isna().any()]
    filled = frame.assign(**{c: frame[c].astype(float).fillna(frame[c].median()) for c in gaps})
    discrete = [column for column in kinds if column not in numbers]

    def fitted(rounds: int):
        model = getattr(ctgan, name)(epochs=rounds)
        model.set_random_state(seed)
        model.fit(filled, discrete)
        return model

    if seconds is not None:
        epochs = min(epochs, Pace.of(fitted).within(seconds))
    begun = time.process_time()
    model = fitted(epochs)
    took = time.process_time() - begun
    table = model.sample(len(frame) if n is None else n)
    table.attrs = {"epochs": epochs, "seconds": took}
    return table


tvae_table, ctgan_table = partial(_by_ctgan, "TVAE"), partial(_by_ctgan, "CTGAN")


def great_table(
    frame: pd.DataFrame, n: int | None = None, *, model: str | Path, epochs: int = 100,
    seconds: float | None = None, lr: float = 1e-3, batch_size: int = 32, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """A table by GReaT, a language model that is fine-tuned on rows as sentences (`be-great`).

    GReaT writes freely and throws away what is no row, so the table can be shorter than `n`: it
    gives up after some batches without any, and where `seconds` are given, when sampling has taken
    as long again.

    Args:
        model: folder of a causal language model and its tokenizer.
        epochs: at most. seconds: of CPU that the fit may take, in steps of `batch_size` rows.
        lr: learning rate; the package's own, 5e-5, is for models a hundred times as large.

    Raises:
        ImportError: `be-great` is not installed.
        FileNotFoundError: no such folder.
    """
    try:
        from be_great import GReaT
    except ImportError as error:
        raise ImportError("GReaT needs: pip install be-great, or leave GReaT out") from error
    from transformers import set_seed

    if not Path(model).is_dir():
        raise FileNotFoundError(f"GReaT needs a model's folder, and there is none at {model}")
    n = len(frame) if n is None else n
    with tempfile.TemporaryDirectory() as folder:

        def fitted(steps: int):
            set_seed(seed)
            great = GReaT(
                str(model), experiment_dir=folder, batch_size=batch_size, max_steps=steps,
                learning_rate=lr, save_strategy="no", logging_strategy="no",
            )  # fmt: skip
            great.fit(frame)
            return great

        steps = epochs * math.ceil(len(frame) / batch_size)
        if seconds is not None:
            steps = min(steps, Pace.of(fitted, 2, 12).within(seconds))
        begun = time.process_time()
        great = fitted(steps)
        took = time.process_time() - begun
    table = _sampled(great, frame, n, seconds)
    table.attrs = {"epochs": steps * batch_size / len(frame), "seconds": took}
    return table


FEWEST = 50  # rows that GReaT is asked for at a time, at least


def _sampled(great, frame: pd.DataFrame, n: int, seconds: float | None) -> pd.DataFrame:
    """At most `n` rows of a fitted GReaT, and no further call once `seconds` of CPU are spent.

    It writes drafts by batches of `k` and hands out no more rows than a call asks for: few calls
    for many rows each lose few that took their time to write.
    """
    import pandas as pd

    how = {"max_length": _room(great, frame), "device": str(great.model.device)}
    parts, begun, part = [], time.process_time(), n if seconds is None else min(n, FEWEST)
    while True:
        parts.append(great.sample(part, k=min(part, 100), **how).iloc[:part])
        have, spent = sum(map(len, parts)), time.process_time() - begun
        if seconds is None or have >= n or len(parts[-1]) < part or spent >= seconds:
            return pd.concat(parts).reset_index(drop=True)
        soon = have * (seconds - spent) / (2 * max(spent, 1e-9))  # half of the time left
        part = min(n - have, max(FEWEST, int(soon)))


def _room(great, frame: pd.DataFrame) -> int:
    """Tokens for a row as a sentence: a quarter more than the longest training row needs."""
    rows = (
        ", ".join(f"{name} is {value}" for name, value in zip(frame.columns, row))
        for row in frame.itertuples(index=False, name=None)
    )
    longest = max(map(len, great.tokenizer(list(rows)).input_ids))
    return min(great.model.config.max_position_embeddings, longest + longest // 4 + 8)
