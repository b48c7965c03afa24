"""Prompts with named fields, given as texts or as a folder of text files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_FIELD = re.compile(r"\{\{(\w+)\}\}|\{([A-Za-z_]\w*)\}")  # {{name}} stands for {name} itself


def fill(template: str, **values: str) -> str:
    """The template with its fields replaced; nothing inside a value is taken for a field."""
    return _FIELD.sub(lambda found: values[found[2]] if found[2] else f"{{{found[1]}}}", template)


def fields_of(template: str) -> list[str]:
    """The fields of a template, in order, as often as they stand there."""
    return [found[2] for found in _FIELD.finditer(template) if found[2]]


def read_templates(
    given: Mapping[str, str] | str | Path | None, fields: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Templates that a user gives, checked.

    Args:
        given: a mapping from names to texts, or a folder that holds NAME.txt for some of the names;
            None: no template.
        fields: the names there are, and the fields that each template has.

    Raises:
        FileNotFoundError: no such folder, or none of the files in it.
        TypeError: a template is no text.
        ValueError: an unknown name, or a template with a field too many or too few.
    """
    if given is None:
        return {}
    if isinstance(given, (str, Path)):
        given = _from_folder(Path(given), fields)
    if not isinstance(given, Mapping):
        raise TypeError(f"prompts are a mapping or a folder, got {type(given).__name__}")
    for name, template in given.items():
        if name not in fields:
            raise ValueError(f"no prompt is called {name!r}; the prompts are {', '.join(fields)}")
        if not isinstance(template, str):
            raise TypeError(f"prompt {name!r} must be a text, got {type(template).__name__}")
        found, wanted = fields_of(template), fields[name]
        listed = ", ".join(f"{{{field}}}" for field in wanted)
        for field in (*found, *wanted):
            if field not in wanted:
                raise ValueError(
                    f"prompt {name!r} holds an unknown field {{{field}}}; its fields are {listed} "
                    f"(write {{{{{field}}}}} for the characters themselves)"
                )
            if field not in found:
                raise ValueError(f"prompt {name!r} lacks {{{field}}}; its fields are {listed}")
    return dict(given)


def _from_folder(folder: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder of prompts; give a folder or a mapping")
    files = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if not files:
        expected = ", ".join(f"{name}.txt" for name in names)
        raise FileNotFoundError(f"{folder} holds no prompt; it may hold {expected}")
    texts = {name: path.read_text(encoding="utf-8-sig") for name, path in files.items()}
    return {name: text.removesuffix("\n") for name, text in texts.items()}  # an editor's last one
