"""A fitted DiffLM as files, and back."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.fitted import save_method
from ..core.packing import (
    Files,
    Read,
    inside,
    json_bytes,
    read_tensors,
    tensor_bytes,
    under,
)
from ..core.saved import Saved
from ..lm.soft_prompts import frozen
from ..lm.training import History
from .autoencoder import Autoencoder, Collapse, pack_autoencoder, unpack_autoencoder
from .diffusion import pack_diffusion, unpack_diffusion
from .format_model import pack_format_model, unpack_format_model

if TYPE_CHECKING:
    from .synthesizer import DiffLM


def pack_trained(trained: tuple[Autoencoder, History]) -> Files:
    """The files of an autoencoder and of the history of its training."""
    model, history = trained
    return {**pack_autoencoder(model), "history.json": json_bytes(asdict(history))}


def unpack_trained(read: Read, decoder, codec, encoder=None) -> tuple[Autoencoder, History]:
    """Unpack what `pack_trained` packed."""
    history = History.of(json.loads(read("history.json")))
    return unpack_autoencoder(read, decoder, codec, encoder), history


def save_difflm(method: DiffLM, folder: str | Path) -> Path:
    """See `DiffLM.save`."""
    fitted, form = method.fitted, method.fitted.form
    trained = fitted.autoencoder, fitted.histories["autoencoder"]
    files = {
        **under("autoencoder", pack_trained(trained)),
        **under("diffusion", pack_diffusion(fitted.diffusion)),
        "latents.safetensors": tensor_bytes({"latents": fitted.latents}),
    }
    if method.lm is None:
        files |= under("format", pack_format_model(fitted.autoencoder.decoder))
    return save_method(
        folder,
        "DiffLM",
        method,
        files,
        form=form.kind,
        context=form.codec.length,
        schema=None if form.schema is None else form.schema.to_json(),
        collapse=asdict(fitted.collapse),
        diffusion_history=asdict(fitted.histories["diffusion"]),
    )


def read_fit(saved: Saved, lm, codec, encoder=None) -> dict[str, Any]:
    """Read what `save_difflm` saved of a fit: the values of `Fitted` except its form.

    Raises:
        ValueError: another decoder, codec or encoder.
    """
    read = saved.read
    with nullcontext() if lm is None else frozen(lm):
        decoder = unpack_format_model(inside(read, "format")) if lm is None else lm.model
        made, history = unpack_trained(inside(read, "autoencoder"), decoder, codec, encoder)
    late = History.of(saved.facts["diffusion_history"])
    return {
        "autoencoder": made,
        "diffusion": unpack_diffusion(inside(read, "diffusion"), made.device),
        "latents": read_tensors(read("latents.safetensors"))["latents"],
        "collapse": Collapse(**saved.facts["collapse"]),
        "histories": {"autoencoder": history, "diffusion": late},
    }
