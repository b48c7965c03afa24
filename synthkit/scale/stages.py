"""The costly steps: each is a recipe that travels to a worker, is opened once, and maps batches.

A recipe holds names and options, never a model, so it is small and can be sent to any machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

Rows = Sequence[Mapping[str, Any]]
Opened = Callable[[Rows, Sequence[int]], Sequence[Any]]


class Stage(ABC):
    """A step that adds one column; a row's value depends on the row and its number alone.

    Attributes:
        column: the one that is added.
    """

    column: ClassVar[str]

    @abstractmethod
    def open(self) -> Opened:
        """A function from rows and their numbers to what the column holds; loads what it needs."""

    def identity(self) -> Any:
        """All that the column depends on beside the rows, for `core.identity.run_key`."""
        return self


def checked(values: Any, rows: Rows) -> list[Any]:
    """The values that a stage made of the rows; ValueError if they are more or fewer."""
    values = list(values)
    if len(values) != len(rows):
        raise ValueError(f"a stage gave {len(values)} values for {len(rows)} rows")
    return values


def _texts(rows: Rows, column: str) -> list[str]:
    missing = [i for i, row in enumerate(rows) if not isinstance(row.get(column), str)]
    if missing:
        raise ValueError(
            f"no text in column {column!r} of row {missing[0]} of the batch; found the columns "
            f"{', '.join(rows[missing[0]])}"
        )
    return [row[column] for row in rows]


@dataclass(frozen=True)
class Embed(Stage):
    """Vectors of texts.

    Attributes:
        encoder: "lm", or a name or folder of a sentence encoder (see `embed.load_embedder`).
        model: that "lm" reads. text: the column that is read.
    """

    encoder: str = "lm"
    model: str | None = None
    text: str = "text"
    column: ClassVar[str] = "embedding"

    def open(self) -> Opened:
        from ..embed.encoders import load_embedder
        from ..lm import load_lm

        if self.encoder == "tfidf":
            raise ValueError("TF-IDF learns from all texts at once; name another encoder")
        embed = load_embedder(self.encoder, load_lm(self.model) if self.encoder == "lm" else None)
        return lambda rows, numbers: list(embed(_texts(rows, self.text)))


@dataclass(frozen=True)
class Generate(Stage):
    """Texts that a model writes behind prompts.

    Attributes:
        model, bits: of `load_lm`. adapter: a folder with a saved LoRA adapter.
        prompt: the column that is read. chat: put prompts into the model's chat template.
        options: of `LM.generate`, such as `{"max_new_tokens": 64, "temperature": 1.0, "seed": 0}`.
    """

    model: str | None = None
    bits: int | None = None
    adapter: Path | None = None
    prompt: str = "prompt"
    chat: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    column: ClassVar[str] = "text"

    def open(self) -> Opened:
        from ..lm import load_lm

        lm = load_lm(self.model, bits=self.bits)
        if self.adapter is not None:
            lm.load_adapter("own", self.adapter)

        def write(rows: Rows, numbers: Sequence[int]) -> list[str]:
            how = {**self.options, "chat": self.chat, "row_ids": numbers}
            return [str(text) for text in lm.generate(_texts(rows, self.prompt), **how)]

        return write


@dataclass(frozen=True)
class Gradients(Stage):
    """Gradients of each example's loss on a LoRA adapter, projected to few numbers.

    Attributes:
        adapter: a folder with a saved LoRA adapter. model, bits: of `load_lm`.
        project: numbers left of the longer side of each matrix. seed: of the projection.
        reduction: of a row's loss over its tokens, "mean" or "sum".
    """

    adapter: Path
    model: str | None = None
    bits: int | None = None
    project: int | None = 16
    seed: int = 0
    reduction: str = "mean"
    column: ClassVar[str] = "gradient"

    def open(self) -> Opened:
        import torch

        from ..lm import load_lm
        from ..spa.influence import GradientStream

        lm = load_lm(self.model, bits=self.bits)
        lm.load_adapter("own", self.adapter)
        how: Any = {"project": self.project, "seed": self.seed, "reduction": self.reduction}

        def differentiate(rows: Rows, numbers: Sequence[int]) -> list[Any]:
            stream = GradientStream(lm, list(rows), adapter="own", **how)
            blocks = stream.gradients(range(len(rows)))
            return list(torch.cat([block.flatten(1) for block in blocks.values()], 1).numpy())

        return differentiate


@dataclass(frozen=True)
class Ask(Stage):
    """Answers of a teacher.

    Attributes:
        teacher: a function without arguments that opens it, such as
            `functools.partial(HTTPTeacher, "MODEL", "http://host:8000/v1")`. Keys are read from the
            worker's own environment and do not travel.
        prompt: the column that is read.
    """

    teacher: Callable[[], Any]
    prompt: str = "prompt"
    column: ClassVar[str] = "answer"

    def open(self) -> Opened:
        from ..teacher import as_teacher

        teacher = as_teacher(self.teacher())
        return lambda rows, numbers: list(map(str, teacher.complete(_texts(rows, self.prompt))))

    def identity(self) -> Any:
        from ..teacher import as_teacher, teacher_identity

        return self.prompt, teacher_identity(as_teacher(self.teacher()))
