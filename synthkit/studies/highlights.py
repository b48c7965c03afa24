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
    """A difference with its interval, such as "+0.05 (95 % interval 0.02 to 0.09)"."""
    ends = f"{found.low:.{digits}f} to {found.high:.{digits}f}"
    return f"{found.mean:+.{digits}f} (95 % interval {ends})"


def _embedsdg() -> str:
    study = load_result("embedsdg-study")
    alone, random, ours = (
        f"{_mean(study, embedsdg.ACCURACY, arm):.2f}"
        for arm in (embedsdg.NO_DATA, embedsdg.BASELINE, embedsdg.METHOD)
    )
    gain = _more(difference(study, embedsdg.ACCURACY, embedsdg.METHOD, embedsdg.BASELINE))
    return (
        "**EmbedSDG** makes new questions where the student has few of its own. The student then "
        f"takes a test. Its accuracy is {alone} without new questions, {random} with questions "
        f"made from random examples, and {ours} with questions made from the sparse regions. The "
        f"last two differ by {gain}."
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
        "**SoftSRV** learns vectors that replace a written prompt. MAUVE, a score of at most 1, "
        f"says how alike two sets of texts are. Against real texts, SoftSRV's texts score "
        f"{learned}, the texts of a good written prompt {written}, and another sample of real "
        f"texts {real}. SoftSRV is ahead of the prompt by {gain}. The share of its texts that "
        f"repeat a real text except for the numbers is {copies}; in another sample of real texts, "
        f"this share is {chance}."
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
        "**SPA** splits its training rows into parts by what they teach, and trains a small "
        "adapter on each part. In this test, each prompt has six kinds of right answer. The "
        f"adapters together give {ours} of the six; adapters trained on random parts give "
        f"{random}, and a single adapter gives {alone}. SPA is ahead of random parts by {gain}. "
        f"The share of its answers that are right is {right}."
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
        "**SynAlign** gives each synthetic text a weight. Distances (MMD²) are given here in "
        f"units of the distance between two sets of real texts. A skewed synthetic set is {before} "
        f"units away from real texts without weights, and {after} with them. Students that learn "
        f"from the set predict the tone or the sentiment of a text. The weights change their "
        f"accuracy on the tone by {tone}, and on the sentiment by {mood}."
    )


def _difflm() -> str:
    study, at = load_result("difflm-study"), {"table": difflm.CENSUS}
    ours, real, apart = (
        f"{_mean(study, 'auc', arm, **at):.2f}"
        for arm in (difflm.DIFFUSION, difflm.REAL, difflm.CLASS_CONDITIONAL)
    )
    gap = _more(difference(study, "auc", difflm.REAL, difflm.DIFFUSION, **at))
    return (
        "**DiffLM** writes rows of a table. Decision trees learn from its rows and are tested on "
        f"real ones. They reach an AUC of {ours} (0.5 is guessing). Trees that learn from as many "
        f"real rows reach {real}, so DiffLM is behind by {gap}. Rows whose columns are drawn "
        f"independently within each class give {apart}."
    )


def _counted(book: pd.DataFrame) -> str:
    run = book[book["verdict"] != NOT_RUN]
    counts = [f"{(run['verdict'] == word).sum()} {word}" for word in
              (SUPPORTED, UNDECIDED, REFUTED)]  # fmt: skip
    claims = set(zip(book["method"], book["paper"].where(book["paper"] != "", book["test"])))
    asked = set(zip(run["method"], run["paper"].where(run["paper"] != "", run["test"])))
    return (
        f"**In all**, the kit lists {len(claims)} claims, the papers' and its own. Of these, "
        f"{len(asked)} were tested, in {len(run)} tests. Verdicts of the tests: "
        f"{', '.join(counts)}."
    )
