"""Reviews that a model writes, asked in several ways, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evaluation.text import distinct_n
from ...lm.finetune import FinetunePreset, finetune
from ...synalign.schemas import REVIEWS
from ...synalign.synthesizer import SynAlign
from ...worlds import load_world
from ...worlds.reviews import VALUES, read_attributes
from .baselines import attrprompt, simprompt
from .weights import LABEL, Texts

SYNALIGN, ANY_DEMONSTRATION = "SynAlign, unweighted", "random demonstrations"
SIMPLE, ATTRIBUTED = "label only (SimPrompt)", "uniform attributes (AttrPrompt)"
WRITERS = (SIMPLE, ATTRIBUTED, ANY_DEMONSTRATION, SYNALIGN)
UNREADABLE = "cannot be read"  # the attributes of a text that the world could not have written


def habitual_writer(lm, n: int, seed: int = 0):
    """The embedded model with the habits of a chat model: long, formal and enthusiastic reviews.

    Asked by the label alone, the embedded model would write by the distribution of the world that
    it was trained on, and leave nothing to align. The writer sees no real review. Half of its
    rows ask with all attributes, so that it still follows them.
    """
    rows = load_world("reviews", distribution="llm").rows(n, f"habits {seed}")
    examples = []
    for i, row in enumerate(rows):
        names = REVIEWS.names if i % 2 else (LABEL,)
        prompt = REVIEWS.write_prompt({name: row[name] for name in names})
        examples.append({"prompt": prompt, "completion": row["text"]})
    return finetune(lm, examples, FinetunePreset(epochs=3), seed=seed)


def write(lm, arm: str, real: Sequence[dict], n: int, *, per_record: int, seed: int):
    """Texts of an arm of `WRITERS`.

    The baselines see no real text, only the labels or the attributes' values. SynAlign makes its
    two calls, with demonstrations chosen in one of two ways; nothing is weighted yet.
    """
    if arm in (SIMPLE, ATTRIBUTED):
        baseline = simprompt if arm == SIMPLE else attrprompt
        return baseline(lm, n, seed=seed)
    sizes = {"picks": n // per_record, "per_record": per_record}
    select = "gp" if arm == SYNALIGN else "random"
    method = SynAlign(lm, select=select, seed=seed, **sizes)
    return method.fit(real, label=LABEL).pool(n, seed=seed)


def read_back(rows) -> list[dict[str, Any]]:
    """Written texts with the attributes that they show; the label is the one asked for."""
    found = []
    for row in rows:
        try:
            seen = read_attributes(row["text"])
        except ValueError:  # not a review that the world could write
            seen = dict.fromkeys(VALUES, UNREADABLE)
        found.append({**seen, "shown": seen[LABEL], LABEL: row["label"], "text": row["text"]})
    return found


def measure_texts(pool: Texts, rows) -> dict[str, float]:
    """Variety of written texts, and the share that are what was asked for."""
    texts, readable = pool.of("text"), [row["shown"] != UNREADABLE for row in pool.rows]
    return {
        "different texts": len(set(texts)) / len(texts),
        "distinct pairs of words": distinct_n(texts, 2),
        "combinations": len(set(pool.of(*VALUES))),
        "readable": float(np.mean(readable)),
        "label shown": float(np.mean([row["shown"] == row[LABEL] for row in pool.rows])),
    }
