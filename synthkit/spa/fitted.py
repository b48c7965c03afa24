"""A fitted SPA: adapters, partition and scores, their phases of a fit, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..core.identity import check_model, made_with
from ..core.packing import Files, array_bytes, json_bytes, read_arrays, under
from ..core.phases import Phases
from ..core.resume import run_key
from ..core.saved import Saved
from ..lm.fingerprint import fingerprint
from ..lm.mixed_adapters import share_weights
from ..lm.training import History
from .influence import influence_scores
from .inputs import PartitionInputs
from .partition import Partition
from .presets import SPAPreset
from .rows import Form, as_rows
from .streaming import Pair


@dataclass(frozen=True)
class Fitted:
    """Result of a fit of SPA.

    Attributes:
        lm: a view of the base with the adapters. base: name and fingerprint of the base.
        form: of the rows. asked: their different prompts.
        partition: the parts of the rows.
        histories: of each training, by adapter.
        scores: (q, n) influence or BM25+; None where the rule takes none.
    """

    lm: Any
    base: dict[str, str]
    form: Form
    asked: list[str]
    partition: Partition
    histories: dict[str, History]
    scores: np.ndarray | None = None

    @property
    def adapters(self) -> list[str]:
        """The names of the parts' adapters."""
        return [f"part-{part}" for part in range(self.partition.n_parts)]


# --- the base ------------------------------------------------------------------------------------


def base_of(lm) -> dict[str, str]:
    """Name and fingerprint of a base model; ValueError when an adapter is in use on it."""
    if lm.active_adapter is not None:
        raise ValueError(
            f"adapter {lm.active_adapter!r} is in use on {lm.name!r}, and SPA adapts the base "
            "alone: call set_adapter(None), or merge it into the weights first"
        )
    return made_with(lm)


def check_base(lm, known: Mapping[str, str]) -> None:
    """Raise ValueError, with both names, when adapters belong to another base than `lm`."""
    check_model(base_of(lm), known, "the adapters were fitted")


def weights_of(state: Fitted) -> dict[str, str]:
    """The fingerprint of each part's adapter on its base."""
    return {name: fingerprint(state.lm.model, name) for name in state.adapters}


# --- phases --------------------------------------------------------------------------------------


def key_without_cut(lm, inputs: PartitionInputs, preset: SPAPreset, seed: int) -> str:
    """Key of a fit without the way its rows are cut, which may be tried in several ways.

    An adapter that is on file is told by its own rows beside.
    """
    free = (
        "n_parts", "partition", "normalisation", "sign", "query_rule", "ties", "min_size",
        "on_small",
    )  # fmt: skip
    settings = {name: value for name, value in asdict(preset).items() if name not in free}
    return run_key(
        base=lm, rows=inputs.pairs, queries=inputs.queries, preset=settings, seed=seed
    )  # fmt: skip


def kept_adapter(
    phases: Phases, lm, name: str, pairs: Sequence[Pair], updates: int, preset: SPAPreset,
    seed: int, train: Callable[..., History],
) -> History:  # fmt: skip
    """Adapter `name` of `lm`: from `phases` if that very one is there, else made by `train`.

    Args:
        train: called with `identity` and `checkpoint` of `synthkit.lm.training.train`.
    """
    names = ("rank", "alpha", "lr", "batch_size", "decay_from", "clip", "save_every")
    settings = {each: getattr(preset, each) for each in names}
    base = fingerprint(lm.model)
    key = run_key(base=base, rows=pairs, updates=updates, settings=settings, seed=seed)

    def pack(history: History) -> Files:
        return {**lm.pack_adapter(name), "history.json": json_bytes(asdict(history))}

    def unpack(saved: Saved) -> History:
        lm.load_adapter(name, saved.path("adapter_config.json").parent)
        return History.of(json.loads(saved.read("history.json")))

    def make() -> History:
        return train(identity=key, checkpoint=phases.running(name))

    return phases.phase(name, make, pack, unpack, key)


def kept_scores(
    phases: Phases, lm, rows: Sequence[Pair], queries: Sequence[Pair], preset: SPAPreset, seed: int
) -> np.ndarray:
    """Influence (q, n) of the rows on the queries at the reference adapter, made or read."""
    names = ("method", "damping", "reduction", "project", "block_size")
    options = {each: getattr(preset, each) for each in names}
    with lm.use_adapter("reference"):
        key = run_key(model=lm, rows=rows, queries=queries, options=options, seed=seed)
        return phases.phase(
            "scores", lambda: influence_scores(
                lm, as_rows(rows), as_rows(queries), seed=seed, **options
            ),
            lambda scores: {"scores.safetensors": array_bytes(scores=scores)},
            lambda saved: read_arrays(saved.read("scores.safetensors"))["scores"], key,
        )  # fmt: skip


# --- files ---------------------------------------------------------------------------------------


def pack_fitted(state: Fitted) -> tuple[Files, dict[str, Any]]:
    """A fit as files, adapters in peft's own format, and as facts."""
    files = {"asked.json": json_bytes(state.asked)}
    for name in state.histories:
        files |= under(f"adapters/{name}", state.lm.pack_adapter(name))
    if state.scores is not None:
        files["scores.safetensors"] = array_bytes(scores=state.scores)
    partition = {field.name: getattr(state.partition, field.name) for field in fields(Partition)}
    return files, {
        "form": asdict(state.form),
        "partition": {**partition, "labels": state.partition.labels.tolist()},
        "histories": {name: asdict(each) for name, each in state.histories.items()},
    }


def unpack_fitted(saved: Saved, base) -> Fitted:
    """The fit that `pack_fitted` packed, on a view of its base model."""
    facts, lm = saved.facts, share_weights(base)
    for name in facts["histories"]:
        lm.load_adapter(name, saved.path(f"adapters/{name}"))
    scores = None
    if "scores.safetensors" in saved.files:
        scores = read_arrays(saved.read("scores.safetensors"))["scores"]
    return Fitted(
        lm, facts["lm"], Form(**facts["form"]), json.loads(saved.read("asked.json")),
        Partition(**{**facts["partition"], "labels": np.array(facts["partition"]["labels"])}),
        {name: History.of(each) for name, each in facts["histories"].items()}, scores,
    )  # fmt: skip
