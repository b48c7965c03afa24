"""The three trainings of DiffLM in order, what they make, and its files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from torch import Tensor, nn

from ..core.identity import run_key
from ..core.packing import Files, Read, inside, json_bytes, read_tensors, tensor_bytes, under
from ..core.phases import Phases
from ..core.saved import Saved
from ..lm.fingerprint import fingerprint
from ..lm.soft_prompts import frozen
from ..lm.training import History
from .autoencoder import Autoencoder, Collapse
from .automatic import after_reading, before_reading
from .diffusion import LatentDiffusion
from .format_model import check_format_model, format_model, pack_format_model, unpack_format_model
from .forms import Form, JsonForm, RowForm, TextForm, make_form
from .presets import DiffLMPreset
from .pricing import untold
from .saving import pack_autoencoder, pack_diffusion, unpack_autoencoder, unpack_diffusion
from .schema import TableSchema
from .splits import split
from .text_codec import TextCodec

JUDGED, FEW = 1024, 32  # rows of the report on collapse, at most; with a language model


@dataclass
class FitInputs:
    """Input of a fit: a table or texts, the target, and a decoder that is trained already."""

    data: pd.DataFrame | list[str]
    target: str | None = None
    decoder: nn.Module | None = None


@dataclass
class Fitted:
    """Result of a fit."""

    form: Form  # how rows or texts are written as tokens
    autoencoder: Autoencoder  # encoder, injector and frozen decoder
    diffusion: LatentDiffusion
    latents: Tensor  # mu of the training rows, (n, d)
    collapse: Collapse  # the report on whether the latents are used
    histories: dict[str, History]  # of the trainings, by phase

    @property
    def schema(self) -> TableSchema | None:
        """The columns of the table; None for texts."""
        return self.form.schema

    @property
    def decoder(self) -> nn.Module:
        """The model that writes the rows, which no fit changes."""
        return self.autoencoder.decoder

    def picked(self) -> dict[str, Any]:
        """Choices of the fit, for the report."""
        price = self.autoencoder.price
        return {
            "latent": self.latents.shape[1],
            "beta'": price and float(f"{price:.2g}"),
            "steps": {name: history.best_step for name, history in self.histories.items()},
        }

    def digest(self) -> str:
        """A hash of all that was learned."""
        return run_key(
            latents=self.latents, autoencoder=self.autoencoder, diffusion=self.diffusion.network,
            decoder=fingerprint(self.decoder),
        )  # fmt: skip


def fit_phases(
    inputs: FitInputs, validation: FitInputs | None, lm, preset: DiffLMPreset, seed: int, *,
    encoder: Any = None, phases: Phases, progress: bool = False,
) -> Fitted:  # fmt: skip
    """Format model, autoencoder and diffusion, each from `phases` if an earlier run has made it.

    Without `validation` a share of the inputs is set aside to stop the trainings.
    """
    preset = before_reading(preset, len(inputs.data))
    form = make_form(inputs.data, lm, preset, inputs.target)
    preset = after_reading(preset, form.codec, lm=lm)
    if inputs.decoder is not None:
        check_format_model(inputs.decoder, form.codec)
    ids, stop = split_ids(form, inputs, validation, preset.validation_share, seed)
    given = inputs.decoder if lm is None else lm.model

    def options(name: str) -> dict[str, Any]:
        return {"checkpoint": phases.running(name), "progress": progress}

    def autoencoder() -> tuple[Autoencoder, History]:
        made = Autoencoder(model, form.codec, preset.autoencoder, seed=seed, encoder=encoder)
        return made, made.fit(ids, stop, seed=seed, **options("autoencoder"))

    with nullcontext() if lm is None else frozen(lm):
        model = given if given is not None else phases.phase(
            "format",
            lambda: format_model(form.codec, ids, preset.format, seed=seed, **options("format")),
            pack_format_model, lambda saved: unpack_format_model(saved.read),
        )  # fmt: skip
        made, history = phases.phase(
            "autoencoder", autoencoder, pack_trained,
            lambda saved: unpack_trained(saved.read, model, form.codec, encoder),
        )  # fmt: skip
        latents = made.encode(ids)[0]
        sizes = latents.shape[1], preset.diffusion
        diffusion = LatentDiffusion(*sizes, seed=seed, device=made.device)
        seen = None if stop is None else made.encode(stop)[0]
        diffusion.fit(latents, seen, **options("diffusion"))
        seen = (ids if stop is None or len(stop) < 64 else stop)[: JUDGED if lm is None else FEW]
        collapse = made.collapse(seen, target_labels(form, seen), seed=seed)
        if preset.autoencoder.falls == "told" and form.kind == "rows":
            warn_of_untold(untold(made.column_nats(seen, weighed=True)), preset.autoencoder.steps)
    histories = {"autoencoder": history, "diffusion": diffusion.history}
    return Fitted(form, made, diffusion, latents, collapse, histories)


def warn_of_untold(columns: Sequence[str], steps: int) -> None:
    """Warn that samples will not have the relations of these columns to the others."""
    if columns:
        warnings.warn(
            f"DiffLM: the latents do not tell {', '.join(map(repr, columns))}, so in samples the "
            "values come out as if unrelated to the other columns. Fit with more steps "
            f"(autoencoder_steps={2 * steps}), another seed, or fewer columns; `column_nats` has "
            "the costs of each column",
            stacklevel=6,
        )


def split_ids(
    form: Form, inputs: FitInputs, validation: FitInputs | None, share: float, seed: int
) -> tuple[Tensor, Tensor | None]:
    """Token ids to learn from, and those that stop the trainings: given, or a share set aside."""
    ids = form.encode(inputs.data)
    if validation is not None:
        return ids, form.encode(validation.data)
    train, rest = split(len(ids), share, seed)
    return ids[train], ids[rest] if len(rest) else None


def target_labels(form: Form, ids: Tensor) -> list | None:
    """The target of each row, where it has two values, each in 20 rows or more; else None."""
    if form.schema is None or form.schema.target is None:
        return None
    column = form.frame(form.drafts(ids))[form.schema.target]
    counts = column.value_counts()
    whole = len(column) == len(ids) and not column.isna().any()  # no row was lost on the way
    return column.tolist() if len(counts) == 2 and counts.min() >= 20 and whole else None


def pack_trained(trained: tuple[Autoencoder, History]) -> Files:
    """The files of an autoencoder and of the history of its training."""
    model, history = trained
    return {**pack_autoencoder(model), "history.json": json_bytes(asdict(history))}


def unpack_trained(read: Read, decoder, codec, encoder=None) -> tuple[Autoencoder, History]:
    """Unpack what `pack_trained` packed."""
    history = History.of(json.loads(read("history.json")))
    return unpack_autoencoder(read, decoder, codec, encoder), history


def pack_fitted(fitted: Fitted, *, with_decoder: bool) -> tuple[Files, dict[str, Any]]:
    """The files of a fit, with its decoder if that is its own, and facts about it."""
    files = {
        **under("autoencoder", pack_trained((fitted.autoencoder, fitted.histories["autoencoder"]))),
        **under("diffusion", pack_diffusion(fitted.diffusion)),
        "latents.safetensors": tensor_bytes({"latents": fitted.latents}),
    }
    if with_decoder:
        files |= under("format", pack_format_model(fitted.decoder))
    form = fitted.form
    return files, {
        "context": form.codec.length,
        "schema": None if form.schema is None else form.schema.to_json(),
        "collapse": asdict(fitted.collapse),
        "diffusion_history": asdict(fitted.histories["diffusion"]),
    }


def unpack_fitted(saved: Saved, lm, piece: int, encoder: Any = None) -> Fitted:
    """Unpack what `pack_fitted` packed; ValueError with another decoder, codec or encoder."""
    read, facts = saved.read, saved.facts
    form = form_from(facts, lm, piece)
    with nullcontext() if lm is None else frozen(lm):
        decoder = unpack_format_model(inside(read, "format")) if lm is None else lm.model
        made, history = unpack_trained(inside(read, "autoencoder"), decoder, form.codec, encoder)
    return Fitted(
        form, made, unpack_diffusion(inside(read, "diffusion"), made.device),
        read_tensors(read("latents.safetensors"))["latents"], Collapse(**facts["collapse"]),
        {"autoencoder": history, "diffusion": History.of(facts["diffusion_history"])},
    )  # fmt: skip


def form_from(facts: Mapping[str, Any], lm, piece: int) -> Form:
    """The form that a saved DiffLM was fitted with."""
    schema = facts["schema"] and TableSchema.from_json(facts["schema"])
    if lm is None:
        return RowForm(schema, piece)
    codec = TextCodec(lm.tokenizer, facts["context"])
    return TextForm(codec) if schema is None else JsonForm(schema, codec)
