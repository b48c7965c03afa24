"""Six sentences on what the recorded studies found, with every number computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.intervals import Interval
from .claims import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED
from .difflm import experiment as difflm
from .embedsdg import report as embedsdg
from .measurements import difference, values
from .results import Result, load_result
from .softsrv import experiment as softsrv
from .spa import report as spa
from .spa.testbeds import TESTBEDS
from .synalign import experiment as synalign
from .synalign import weights

if TYPE_CHECKING:
    import pandas as pd


def highlights(book: pd.DataFrame) -> list[str]:
    """A sentence in Markdown per method, from its recorded study, and one that counts all claims.

    Args:
        book: the ledger, see `ledger.ledger`.

    Raises:
        FileNotFoundError: a recorded result is missing. ValueError: a measure of it is.
    """
    return [_embedsdg(), _softsrv(), _spa(), _synalign(), _difflm(), _counted(book)]


def _mean(result: Result, measure: str, arm: str, **labels: str) -> float:
    there = values(result, measure, arm, **labels)
    if not np.isfinite(there).any():
        raise ValueError(f"{result.method} has no {measure} of {arm} at {labels}")
    return float(np.nanmean(there))


def _more(found: Interval, digits: int = 2) -> str:
    """A difference with its interval, such as "+0.05, 95 % interval 0.02 to 0.09"."""
    ends = f"{found.low:.{digits}f} to {found.high:.{digits}f}"
    return f"{found.mean:+.{digits}f}, 95 % interval {ends}"


def _embedsdg() -> str:
    study = load_result("embedsdg-study")
    alone, random, ours = (
        f"{_mean(study, embedsdg.ACCURACY, arm):.2f}"
        for arm in (embedsdg.NO_DATA, embedsdg.BASELINE, embedsdg.METHOD)
    )
    gain = _more(difference(study, embedsdg.ACCURACY, embedsdg.METHOD, embedsdg.BASELINE))
    return (
        "**EmbedSDG** asks for new questions where a student's own are few. The student "
        f"answers {alone} of a test right without them, {random} with questions made from "
        f"random examples, and {ours} with questions made from the thin places ({gain})."
    )


def _softsrv() -> str:
    study, at = load_result("softsrv-study"), {"world": "math"}
    written, learned, real = (
        f"{_mean(study, 'MAUVE', arm, **at):.2f}"
        for arm in (softsrv.ENGINEERED, "SSMC", softsrv.REAL)
    )
    copies, chance = (
        f"{_mean(study, 'near copies, train', arm, **at):.2f}" for arm in ("SSMC", softsrv.REAL)
    )
    gain = _more(difference(study, "MAUVE", "SSMC", softsrv.ENGINEERED, **at))
    return (
        "**SoftSRV** learns vectors that take the place of a written prompt. On a scale "
        f"(MAUVE) on which another sample of real texts has {real}, its texts have {learned} "
        f"and those of a good written prompt {written} ({gain}); {copies} of its texts repeat "
        f"a real one up to the numbers in it, where {chance} is chance."
    )


def _spa() -> str:
    study, at = load_result("spa-study"), TESTBEDS[spa.FIRST]
    ours, random, alone = (
        f"{_mean(study, 'working modes', arm, **at):.1f}"
        for arm in (spa.INFLUENCE, spa.RANDOM, spa.GREEDY)
    )
    right = f"{_mean(study, 'pass@1', spa.INFLUENCE, **at):.2f}"
    gain = _more(difference(study, "working modes", spa.INFLUENCE, spa.RANDOM, **at), 1)
    return (
        "**SPA** cuts its training rows into parts by what they teach, and trains a small "
        f"adapter on each. Of six kinds of right answer to a prompt its adapters give {ours}, "
        f"those of random parts {random} ({gain}), and one adapter {alone}; {right} of the "
        "answers are right."
    )


def _synalign() -> str:
    study, at = load_result("synalign-study"), {"part": synalign.SKEWED}
    before, after = (
        f"{_mean(study, 'MMD2 / noise floor', arm, **at):.1f}"
        for arm in (weights.UNWEIGHTED, weights.TILTING)
    )
    tone, mood = (
        _more(difference(study, f"accuracy, {task}", weights.TILTING, weights.UNWEIGHTED, **at))
        for task in ("tone", "sentiment")
    )
    return (
        f"**SynAlign** weights synthetic texts. Weights bring a skewed set from {before} to "
        f"{after} times the distance (MMD²) that two sets of real texts have from each other. "
        f"By them the accuracy of a student of the texts' tone changes by {tone}, of their "
        f"sentiment by {mood}."
    )


def _difflm() -> str:
    study, at = load_result("difflm-study"), {"table": difflm.CENSUS}
    ours, real, apart = (
        f"{_mean(study, 'auc', arm, **at):.2f}"
        for arm in (difflm.DIFFUSION, difflm.REAL, difflm.CLASS_CONDITIONAL)
    )
    gap = _more(difference(study, "auc", difflm.DIFFUSION, difflm.REAL, **at))
    return (
        "**DiffLM** writes rows of a table. Decision trees that learn from its rows reach an "
        f"AUC of {ours} on real rows (0.5 is guessing), trees that learn from as many real "
        f"rows {real} ({gap}), and from columns that are drawn one by one within each class "
        f"{apart}."
    )


def _counted(book: pd.DataFrame) -> str:
    run = book[book["verdict"] != NOT_RUN]
    counts = [f"{(run['verdict'] == word).sum()} {word}" for word in
              (SUPPORTED, UNDECIDED, REFUTED)]  # fmt: skip
    claims = set(zip(book["method"], book["paper"].where(book["paper"] != "", book["test"])))
    asked = set(zip(run["method"], run["paper"].where(run["paper"] != "", run["test"])))
    return (
        f"**In all** {len(claims)} claims, of the papers and of the kit, are written down. "
        f"{len(asked)} of them were tested, in {len(run)} tests: {', '.join(counts)}."
    )
