"""A method's settings by the name of a scale, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Preset = TypeVar("Preset", bound="DataclassInstance")


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
        TypeError: a preset of another class, or a value of another kind than the option's.
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
    known = [field.name for field in fields(kind)]
    if unknown := sorted(set(changes) - set(known)):
        raise ValueError(
            f"{owner} has no option {', '.join(unknown)}; its options are {', '.join(known)}"
        )
    check_kinds(kind, changes)
    return replace(preset, **changes)


_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}


def check_kinds(kind: type, changes: Mapping[str, Any]) -> None:
    """Raise TypeError when a value is of another kind than the annotation of its field allows.

    Args:
        kind: a dataclass; only fields of numbers, texts, truth values and None are looked at.
        changes: values by the names of its fields.
    """
    hints = get_type_hints(kind)
    for name, value in changes.items():
        allowed = get_args(hints[name]) or (hints[name],)
        plain = set(allowed) <= {*_WORDS, type(None)}
        if plain and not any(_is(value, each) for each in allowed):
            words = " or ".join(_WORDS.get(each, "None") for each in allowed)
            found = f"{value!r:.60} ({type(value).__name__})"
            raise TypeError(f"{name} must be {words}, got {found}")


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, Real)  # NaN is for the preset to refuse
    return isinstance(value, Integral if kind is int else kind)
