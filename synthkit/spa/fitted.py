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
from ..core.synthesizer import Synthesizer
from ..lm.fingerprint import fingerprint
from ..lm.mixed_adapters import share_weights
from ..lm.schedule import History
from .influence import influence_scores
from .inputs import CUT, PartitionInputs
from .partition import Partition
from .presets import SPAPreset
from .rows import Form
from .streaming import Pair


@dataclass(frozen=True)
class Fitted:
    """Result of a fit of SPA.

    Attributes:
        lm: a view of the base with the adapters. base: name and fingerprint of the base.
        form: of the rows. asked: their different prompts. partition: their parts.
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


def check_learned(lm, name: str) -> None:
    """Raise RuntimeError when an adapter is at its start still, as no gradient came through."""
    ends = (w for key, w in lm.model.named_parameters() if f".lora_B.{name}." in key)
    if not any(w.any() for w in ends):
        raise RuntimeError(
            f"adapter {name!r} has learned nothing: no gradient reached it. Load the model again "
            "with synthkit.load_lm; a 4-bit layer may have been repacked by an earlier pass"
        )


# --- phases --------------------------------------------------------------------------------------


def kept_adapter(
    phases: Phases, lm, name: str, pairs: Sequence[Pair], updates: int, preset: SPAPreset,
    seed: int, train: Callable[..., History],
) -> History:  # fmt: skip
    """Adapter `name` of `lm`: from `phases` if that very one is there, else made by `train`.

    Args:
        train: called with `identity` and `checkpoint` of `synthkit.lm.training.train`.
    """
    lora = preset.rank, preset.alpha, preset.batch_size, preset.schedule(updates)
    key = run_key(base=fingerprint(lm.model), rows=pairs, lora=lora, seed=seed)

    def pack(history: History) -> Files:
        return {**lm.pack_adapter(name), "history.json": json_bytes(asdict(history))}

    def unpack(saved: Saved) -> History:
        lm.load_adapter(name, saved.path("adapter_config.json").parent)
        return History.of(json.loads(saved.read("history.json")))

    def make() -> History:
        return train(identity=key, checkpoint=phases.running(name))

    return phases.phase(name, make, pack, unpack, key)


def kept_scores(
    phases: Phases, lm, inputs: PartitionInputs, preset: SPAPreset, seed: int
) -> np.ndarray:
    """Influence (q, n) of the rows on the queries at the reference adapter, made or read."""
    names = ("method", "damping", "reduction", "project", "block_size")
    options = {each: getattr(preset, each) for each in names} | {"seed": seed}
    with lm.use_adapter("reference"):
        return phases.phase(
            "scores", lambda: influence_scores(lm, inputs.pairs, inputs.queries, **options),
            lambda scores: {"scores.safetensors": array_bytes(scores=scores)}, _read_scores,
            run_key(model=lm, rows=inputs.pairs, queries=inputs.queries, options=options),
        )  # fmt: skip


def _read_scores(saved: Saved) -> np.ndarray:
    return read_arrays(saved.read("scores.safetensors"))["scores"]


# --- files ---------------------------------------------------------------------------------------


class AdapterParts(Synthesizer):
    """The part of SPA that keeps fits: their keys and files, and what is in them."""

    uses_validation = False
    adapted = property(lambda self: self.fitted.lm, doc="The view of the base with the adapters.")
    adapters = property(lambda self: self.fitted.adapters, doc="Names of the parts' adapters.")
    partition = property(lambda self: self.fitted.partition, doc="The parts of the rows.")

    def _fit_key(self, inputs, validation) -> str:
        # Without the way the rows are cut, which may be tried in several ways: an adapter that is
        # on file is told by its own rows beside.
        settings = {name: value for name, value in asdict(self.preset).items() if name not in CUT}
        made = {"rows": inputs.pairs, "queries": inputs.queries, "preset": settings}
        return run_key(base=self.lm, **made, seed=self.seed)

    def _pack(self, state):
        check_base(self.lm, state.base)
        files = {"asked.json": json_bytes(state.asked)}
        for name in state.histories:
            files |= under(f"adapters/{name}", state.lm.pack_adapter(name))
        if state.scores is not None:
            files["scores.safetensors"] = array_bytes(scores=state.scores)
        parts = {field.name: getattr(state.partition, field.name) for field in fields(Partition)}
        return files, {
            "form": asdict(state.form),
            "partition": {**parts, "labels": state.partition.labels.tolist()},
            "histories": {name: asdict(each) for name, each in state.histories.items()},
        }

    def _unpack(self, saved) -> Fitted:
        facts, lm = saved.facts, share_weights(self.lm)
        for name in facts["histories"]:
            lm.load_adapter(name, saved.path(f"adapters/{name}"))
        parts = {**facts["partition"], "labels": np.array(facts["partition"]["labels"])}
        histories = {name: History.of(each) for name, each in facts["histories"].items()}
        scores = _read_scores(saved) if "scores.safetensors" in saved.files else None
        asked, form = json.loads(saved.read("asked.json")), Form(**facts["form"])
        return Fitted(lm, facts["lm"], form, asked, Partition(**parts), histories, scores)

    def _about(self, state) -> str:
        return f"{len(state.partition.labels)} rows in {state.partition.n_parts} parts"
