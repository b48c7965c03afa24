"""A method's settings by the name of a scale, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

Preset = TypeVar("Preset")


def choose_preset(
    preset: str | Preset, presets: Mapping[str, Preset], changes: Mapping[str, Any], owner: str
) -> Preset:
    """The preset of that name, or the one that is given, with `changes`.

    Args:
        preset: a name in `presets`, or a preset (a frozen dataclass) itself.
        presets: the method's presets by name, all of one class.
        changes: other values of some of its fields.
        owner: the method, for the errors.

    Raises:
        ValueError: no preset has this name, or the method has no such option.
        TypeError: a preset of another class.
    """
    kind = type(next(iter(presets.values())))
    if isinstance(preset, str):
        if preset not in presets:
            raise ValueError(f"no preset {preset!r}; choose one of {', '.join(presets)}")
        preset = presets[preset]
    if not isinstance(preset, kind):
        raise TypeError(
            f"preset is a name ({', '.join(presets)}) or a {kind.__name__}, "
            f"not a {type(preset).__name__}"
        )
    if unknown := set(changes) - {field.name for field in fields(kind)}:
        raise ValueError(f"{owner} has no option {', '.join(sorted(unknown))}")
    return replace(preset, **changes)
