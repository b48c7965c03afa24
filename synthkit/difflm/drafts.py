"""Drafts of rows: why one is turned away, and the file from which a sample goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.rejection import Batch
from ..core.resume import ResumeLog
from ..datasets import as_frame
from ..evaluation.contamination import HeldOut, as_held_out
from .forms import Draft, Form, satisfied
from .rows import to_json

UNMET, UNCHECKED, REPEATED = "a condition is not met", "check says no", "held out"
Test = tuple[str, Callable[[Any], bool]]  # a reason, and what holds for a row that is turned away


def judge(
    form: Form, drafts: Sequence[Draft], conditions=None, tests: Sequence[Test] = ()
) -> list[str | None]:
    """For each draft why it is turned away, or None.

    `tests` are asked in turn about rows (as dictionaries) or texts that are good so far.
    """
    reasons = form.faults(drafts)
    good = [i for i, why in enumerate(reasons) if why is None]
    if conditions and good:
        met = satisfied(form.schema, form.frame([drafts[i] for i in good]), conditions)
        for i in np.array(good)[~met]:
            reasons[i] = UNMET
        good = [i for i, holds in zip(good, met) if holds]
    if tests and good:
        for i, row in zip(good, form.rows([drafts[i] for i in good])):
            reasons[i] = next((why for why, holds in tests if holds(row)), None)
    return reasons


def row_tests(form: Form, held_out: Any = None, check: Callable | None = None) -> list[Test]:
    """Tests of rows or texts: none repeats what is held out, and `check` holds for each."""
    if not (check is None or callable(check)):
        raise TypeError(f"check is a function of a row or text, got {check!r:.60}")
    nothing = held_out is None or (isinstance(held_out, list) and not held_out)
    tests = [] if nothing else [(REPEATED, repeats(form, held_out))]
    return tests if check is None else [*tests, (UNCHECKED, lambda row: not check(row))]


def repeats(form: Form, held_out: Any) -> Callable[[Any], bool]:
    """A function of a row or text: whether it repeats what is held out.

    A row repeats another one whose values are all equal; a text is judged by `HeldOut`, which
    `held_out` may be already: then a row is read as JSON.
    """
    if form.schema is None or isinstance(held_out, HeldOut):
        unwanted = as_held_out(held_out)
        return lambda row: (row if isinstance(row, str) else to_json(row)) in unwanted
    table = as_frame(held_out, "held_out")
    if lost := [name for name in form.schema.names if name not in table.columns]:
        raise ValueError(f"held_out lacks {', '.join(lost)}; it has {', '.join(table.columns)}")
    known = {row_key(row) for row in table[form.schema.names].to_dict("records")}
    return lambda row: row_key(row) in known


def row_key(row: Mapping[str, Any]) -> tuple:
    """The values of a row such that equal ones are equal, however a table holds them."""
    plain = [value.isoformat() if hasattr(value, "isoformat") else value for value in row.values()]
    return tuple(None if pd.isna(value) else value for value in plain)


def logged_batch(
    log: ResumeLog | None, batch: Batch, decode: Callable[[Batch], tuple[list[Draft], list[float]]]
) -> tuple[list[Draft], list[float]]:
    """Drafts of a batch and their ln w from the log, or from `decode`, which are then put there."""
    if log is None:
        return decode(batch)
    place, slots = (batch.turn, batch.start), list(batch.slots)
    if place not in log.entries:
        drafts, agreement = decode(batch)
        where = {"turn": batch.turn, "start": batch.start, "slots": slots}
        log.add({**where, "drafts": drafts, "agreement": agreement})
    found = log.entries[place]
    if found["slots"] != slots:
        raise ValueError(
            f"the checkpoint holds a sample with another check: in turn {batch.turn} it drew other "
            "rows anew; give the same check, or name another file"
        )
    return found["drafts"], found["agreement"]
