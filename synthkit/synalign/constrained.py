"""Records that are valid by construction: a local model's answer is decoded by the schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..teacher.base import LMTeacher
from ..teacher.replies import as_teacher

if TYPE_CHECKING:
    from .attributes import Schema


def by_schema(teacher: Any, schema: Schema) -> Any:
    """The teacher, bound to answer with a valid record where it is a local chat model.

    Only its choices among the valid values are the model's own. A model without a chat template is
    left alone: it answers in the form that it was trained on, if at all.
    """
    teacher = as_teacher(teacher)
    if not (isinstance(teacher, LMTeacher) and teacher.chat):
        return teacher
    from ..lm.forms import Form

    form = Form(teacher.lm, record_parts(schema))
    options = {**teacher.options, "allowed": form, "max_new_tokens": form.longest}
    return LMTeacher(teacher.lm, chat=True, **options)


def record_parts(schema: Schema) -> list[list[str] | None]:
    """The records of a schema as parts of a `Form`: one flat JSON object, values as they may be."""
    parts: list[list[str] | None] = []
    before = "{"
    for attribute in schema.attributes:
        parts.append([f'{before}{_quoted(attribute.name)}: "'])
        values = attribute.values
        parts.append(None if values is None else [_quoted(value)[1:] for value in values])
        before = '", ' if values is None else ", "  # a listed value ends in its quotation mark
    return [*parts, ['"}' if before == '", ' else "}"]]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
