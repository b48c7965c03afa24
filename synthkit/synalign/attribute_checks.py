"""Attributes, schemas, records and the settings of the two calls, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .parsing import Record, plain

if TYPE_CHECKING:
    from .attributes import Schema


def checked_values(name: str, values: Sequence[str] | None) -> tuple[str, ...] | None:
    """The values of an attribute as a tuple, or None for free text.

    Raises:
        ValueError: a name that a `key: value` line cannot hold, no values, or two that differ only
            in what `plain` takes away.
    """
    if not plain(name) or re.search(r"[:=\n{},]", name):
        raise ValueError(f"an attribute needs a name, without : = , or braces: {name!r}")
    if values is None:
        return None
    keys = {plain(value) for value in values}
    if not all(keys) or not keys or len(keys) < len(values):
        raise ValueError(f"{name}: give different values, or None; got {values}")
    return tuple(values)


def check_schema(schema: Schema) -> None:
    """Raise ValueError for equal names, or a template without its slot."""
    names = schema.names
    if not names or len({plain(name) for name in names}) < len(names):
        raise ValueError(f"{schema.name}: attributes need different names, got {names}")
    for slot, template in (("{text}", schema.describe), ("{record}", schema.write)):
        if template.count(slot) != 1:
            raise ValueError(f"{schema.name}: a template must hold {slot} once, got {template!r}")


def checked_record(record: Mapping[str, str], schema: Schema) -> Record:
    """The record in valid spelling and the schema's order.

    Raises:
        TypeError: not a mapping.
        ValueError: an attribute that the schema does not have, or a value that is not valid.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record maps attributes to values, got {type(record).__name__}")
    for name, value in record.items():
        if (attribute := schema.attribute(name)) is None:
            have = ", ".join(schema.names)
            raise ValueError(f"a {schema.name} has no attribute {name!r}; it has {have}")
        if attribute.canonical(value) is None:
            raise ValueError(f"{name} is {value!r}; it must be one of {attribute.values}")
    asked = [each for each in schema.attributes if each.name in record]
    return {each.name: each.canonical(record[each.name]) for each in asked}


def check_describing(teacher: Any, schema: Schema, retries: int) -> None:
    """Raise ValueError for negative retries, or attributes that nobody can tell."""
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, got {retries}")
    hidden = [name for name in schema.names if name not in schema.observable]
    if teacher is None and hidden:
        raise ValueError(f"a teacher is needed: {', '.join(hidden)} cannot be seen in a text")


def sources_of(
    records: Sequence[Record | None], labels: Sequence | None, per_record: int, retries: int,
    least: float,
) -> list[dict[str, Any]]:  # fmt: skip
    """Of each text to write its `source`, the record's index, and its `label`, if there are any."""
    if not any(record is not None for record in records):
        raise ValueError(f"none of the {len(records)} records can be written from")
    if labels is not None and len(labels) != len(records):
        raise ValueError(f"{len(records)} records have {len(labels)} labels: give one per record")
    if per_record < 1 or retries < 0 or not 0 <= least <= 1:
        raise ValueError(
            "per_record is at least 1, retries at least 0, least a share from 0 to 1; "
            f"got {per_record}, {retries} and {least}"
        )
    kept = [i for i, each in enumerate(records) if each is not None for _ in range(per_record)]
    return [{"source": i} | ({} if labels is None else {"label": labels[i]}) for i in kept]
