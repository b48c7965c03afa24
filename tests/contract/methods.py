"""The methods under contract: how to make each with the least data, and what is special of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.template_method import MarkovChain

TEXTS = [
    f"{name} {verb} {number} {thing} ."
    for name, thing in (("Anna", "pens"), ("Ben", "cups"), ("Cem", "eggs"))
    for verb in ("has", "buys", "sells")
    for number in ("two", "nine")
]


@dataclass(frozen=True)
class Case:
    """A method under contract.

    Attributes:
        make: from keyword options (`seed`, `preset`, presets' fields) to an unfitted method; with a
            model it is called with `lm` first.
        rows: the least data, as dictionaries.
        columns: those of `rows` that `fit` needs; () where it takes any.
        model: the kind of a `tiny_lm` that the method needs, such as "llama"; None: it needs none.
        fit, sample: options of these that make them fast.
        load: options of `load`, such as the teacher.
        own: the columns of a sample beside the data's and the common ones.
        data: the columns of a sample that are data, which must not repeat what is held out.
        writer: what stands in `model`; None: the model's name.
        long: a row that exceeds the model's context; None where no row can.
        gaps: True where a missing value is data.
        validation: True where data of that name stops a training.
    """

    make: Callable[..., Any]
    rows: list[dict[str, Any]]
    columns: tuple[str, ...] = ()
    model: str | None = None
    fit: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    data: tuple[str, ...] = ("text",)
    writer: str | None = None
    long: dict[str, Any] | None = None
    gaps: bool = False
    validation: bool = True

    @property
    def texts(self) -> bool:
        """True if a list of texts is data for this method."""
        return set(self.columns) == {"text"} == set(self.rows[0])


CASES = {
    "MarkovChain": Case(
        MarkovChain,
        [{"text": text} for text in TEXTS],
        columns=("text",),
        long={"text": "word " * 41},
        validation=False,
    ),
}
