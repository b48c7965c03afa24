"""What a saved method remembers of the model it was fitted with, and how that is checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .storage import read_json


def made_with(lm) -> dict[str, str]:
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


def read_settings(folder: str | Path, name: str, lm=None) -> dict[str, Any]:
    """The settings of a saved method, if it is one and was fitted with this model.

    Args:
        folder: made by the method's `save`.
        name: the settings' file in it.
        lm: the model; None to leave it unchecked.

    Raises:
        FileNotFoundError: the folder holds no such file.
        ValueError: the method was fitted with another model, or the file is not JSON.
    """
    folder = Path(folder)
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder} holds no {name}; give a folder made by save")
    settings = read_json(folder / name)
    if lm is not None:
        check_model(made_with(lm), settings["lm"])
    return settings
