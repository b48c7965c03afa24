"""Identity of the model that a saved method was fitted with, and its check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .saved import Saved, open_saved, save_folder


def made_with(lm: Any) -> dict[str, str]:
    """The name and fingerprint of a model, as a saved method keeps them under "lm"."""
    return {"name": lm.name, "fingerprint": lm.fingerprint}


def check_model(given: Mapping[str, str], known: Mapping[str, str], what: str = "fitted") -> None:
    """Raise ValueError, with both names, when something was made with another model.

    Args:
        given: `made_with` of the model that is given now.
        known: `made_with` of the model from then.
        what: how the sentence about that model begins.
    """
    if known["fingerprint"] != given["fingerprint"]:
        raise ValueError(
            f"{what} with {known['name']} ({known['fingerprint']}), "
            f"but the model given is {given['name']} ({given['fingerprint']}); fit again"
        )


def save_method(
    folder: str | Path, kind: str, method: Any, files: Mapping[str, bytes], **facts: Any
) -> Path:
    """Save a fitted method, whole or not at all: its preset, seed and model with what it has made.

    Args:
        method: has `preset`, `seed` and `lm`, which may be None; the model itself is not saved.
        files, facts: see `synthkit.core.saved.save_folder`.
    """
    lm = None if method.lm is None else made_with(method.lm)
    settings = {"preset": asdict(method.preset), "seed": method.seed, "lm": lm}
    return save_folder(folder, kind, files, {**settings, **facts})


def open_method(folder: str | Path, kind: str, lm: Any = None) -> Saved:
    """A saved method, checked: its files, and whether it was fitted with this model.

    Args:
        lm: the model; None to leave it unchecked.

    Raises:
        FileNotFoundError: the folder holds no save.
        ValueError: something else was saved, or by a newer synthkit; a file is damaged; or the
            method was fitted with another model.
    """
    saved = open_saved(folder, kind)
    if lm is not None and saved.facts["lm"] is not None:
        check_model(made_with(lm), saved.facts["lm"])
    return saved
