"""The methods under contract: how to make each with the least data, and what is special of it."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.template_method import MarkovChain
from tiny import tiny_table

from synthkit import SPA, DiffLM, EmbedSDG, SoftSRV, SynAlign
from synthkit.core.synthesizer import Synthesizer
from synthkit.teacher import FunctionTeacher


@dataclass(frozen=True)
class Case:
    """A method under contract.

    Attributes:
        kind: its class.
        rows: the least data, as dictionaries.
        columns: those of `rows` that `fit` needs, one of texts last; () where it takes any.
        model: the kind of a `tiny_lm` that it gets, such as "llama"; None: it gets none.
        options: of the constructor, so that all is fast.
        fit, sample: options of these.
        load: options of `load`: what no file can hold, such as a teacher.
        data: the columns of a sample that are data, which must not repeat what is held out.
        own: some of the method's own columns of provenance.
        writer: what stands in `model`; None: the model's name.
        long: a row that exceeds the model's context; None where no row can.
        gaps: True where a missing value is data.
        validation: True where data of that name stops a training.
    """

    kind: type
    rows: list[dict[str, Any]]
    columns: tuple[str, ...] = ()
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[str, ...] = ("text",)
    own: tuple[str, ...] = ()
    writer: str | None = None
    long: dict[str, Any] | None = None
    gaps: bool = False
    validation: bool = True

    def make(self, lm: Any = None, **options: Any) -> Any:
        """The method, not fitted."""
        return self.kind(lm, **{**self.options, **self.load, **options})

    @property
    def takes_texts(self) -> bool:
        """True if a list of texts is data for this method."""
        return set(self.columns) == {"text"} == set(self.rows[0])


TEXTS = [
    f"{name} {verb} {number} {thing} ."
    for name, thing in (("Anna", "pens"), ("Ben", "cups"), ("Cem", "eggs"))
    for verb in ("has", "buys", "sells")
    for number in ("two", "nine")
]
WORDS = sorted({word for text in TEXTS for word in text.split()})
QUESTIONS = [
    {"question": f"{a} or {b} and {i}?", "answer": f"{b} it is"}
    for i, (a, b) in enumerate((a, b) for a in "ABCDEFGH" for b in "xyz")
]
LONG = "why " * 600
SHORT = {"steps": 2, "eval_every": 1}  # a training
SMALL = SHORT | {"width": 8, "layers": 1, "heads": 1}


def compose(prompt: str, repeat: int = 0) -> str:
    """A text of the real ones' words, drawn by the prompt."""
    return " ".join(random.Random(f"{repeat} {prompt}").choices(WORDS, k=9)) + "."


def ask(prompt: str, repeat: int = 0) -> str:
    """A question and its answer in the form that EmbedSDG asks for."""
    question = f"### Question\nHow many? {compose(prompt, repeat)}"
    return f"{question}\n### Answer\n1 + 1 = 2\n### <final_answer>\n2"


METHODS = {
    "MarkovChain": Case(
        MarkovChain,
        [{"text": text} for text in TEXTS],
        columns=("text",),
        long={"text": LONG},
        validation=False,
    ),
    "EmbedSDG": Case(
        EmbedSDG,
        QUESTIONS,
        columns=("answer", "question"),
        model="llama",
        options={"windows": 3, "k": 2, "sketch": "skip", "max_rounds": 2},
        load={"teacher": FunctionTeacher(ask, "asker")},
        data=("question",),
        own=("answer", "seeds", "region", "prompt_sha"),
        writer="asker",
        long={"question": LONG, "answer": "x"},
        validation=False,
    ),
    "SoftSRV": Case(
        SoftSRV,
        [{"text": text} for text in TEXTS],
        columns=("text",),
        model="llama",
        options=SHORT
        | {"kind": "ssnp", "length": 2, "max_new_tokens": 6, "max_rounds": 2}
        | {"drop": ("contaminated",)},  # what the tiny model writes has no end
        own=("kind", "context"),
        long={"text": LONG},
    ),
    "SPA": Case(
        SPA,
        QUESTIONS,
        columns=("answer", "question"),
        model="llama",
        options={"n_parts": 2, "reference_updates": 3, "part_updates": 2, "batch_size": 4}
        | {"rank": 2, "min_size": 1, "on_small": "fill", "max_new_tokens": 6},
        fit={"queries": QUESTIONS[:2]},
        data=("question", "answer"),
        own=("adapter", "partition"),
        long={"question": LONG, "answer": "x"},
        validation=False,
    ),
    "SynAlign": Case(
        SynAlign,
        [{"text": text, "label": str(i % 2)} for i, text in enumerate(TEXTS)],
        columns=("text",),
        options={"describe": "read", "picks": 8, "pool": 2.0, "retries": 0},
        load={"teacher": FunctionTeacher(compose, "composer")},
        own=("record", "weight"),
        writer="composer",
    ),
    "DiffLM": Case(
        DiffLM,
        tiny_table(60).to_dict("records"),
        options={"autoencoder": SMALL | {"latent": 2, "tokens": 1}, "max_tries": 3}
        | {"format": SMALL | {"hints": 1}, "diffusion": SHORT | {"hidden": 4, "blocks": 1}},
        data=("x", "y", "number"),
        own=("prior", "tries"),
        writer="format model",
        gaps=True,
    ),
    "DiffLM as JSON": Case(
        DiffLM,
        tiny_table(60).assign(number=lambda table: table["number"] // 100).to_dict("records"),
        model="llama",
        options={"autoencoder": SMALL | {"latent": 2, "tokens": 1}, "max_tries": 3}
        | {"format": SMALL | {"hints": 1}, "diffusion": SHORT | {"hidden": 4, "blocks": 1}},
        data=("x", "y", "number"),
        own=("prior", "tries"),
        gaps=True,
        long={"x": LONG, "y": "p", "number": 1},
    ),
}
CASES = {name: case for name, case in METHODS.items() if issubclass(case.kind, Synthesizer)}


def case_of(path: str) -> Case:
    """The `CASE` that a file defines: a method from outside, under the same contract."""
    spec = importlib.util.spec_from_file_location("sixth_method", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pickles find it there
    spec.loader.exec_module(module)
    if not isinstance(getattr(module, "CASE", None), Case):
        raise ValueError(f"{path} defines no CASE of the class Case of tests/contract/methods.py")
    return module.CASE


if "SYNTHKIT_METHOD" in os.environ:  # tests/tools/grade_project.py sets it
    CASES = {"SixthMethod": case_of(os.environ["SYNTHKIT_METHOD"])}
