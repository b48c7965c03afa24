"""Plan of a run before it begins: steps, tokens, calls of a teacher, hours, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lm.memory import GIB, RESERVE, Held, peak_bytes
from ..lm.shapes import Shape
from .model_work import Part

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_A_TIME = 16  # that a card writes together


@dataclass(frozen=True)
class Work:
    """One part of a run.

    Attributes:
        what: such as "SSMC, training".
        steps: updates. trained: tokens that a gradient goes through.
        read: tokens that are only read. written: tokens that are sampled.
        calls: prompts put to a teacher.
        operations: floating-point operations of other networks than the model.
    """

    what: str
    steps: int = 0
    trained: float = 0
    read: float = 0
    written: float = 0
    calls: int = 0
    operations: float = 0


@dataclass(frozen=True)
class Card:
    """Speed of a device, as far as a plan needs it.

    Attributes:
        flops: floating-point operations per second that trainings and reading reach.
        bandwidth: bytes per second that sampling reads weights with.
        memory: in GB; 0: not stated.
    """

    name: str
    flops: float
    bandwidth: float
    memory: int = 0


# A third of the peak rate in bfloat16, and half of the peak bandwidth. The CPU's are measured on
# one core: SmolLM2-135M trains 110 and writes 60 tokens a second there.
CARDS = {
    card.name: card
    for card in (
        Card("CPU core", 110 * 6 * 135e6, 60 / ROWS_AT_A_TIME * 135e6 * 4),
        Card("RTX 4090", 55e12, 0.5e12, 24),
        Card("A100", 104e12, 1.0e12, 80),
    )
}


@dataclass(frozen=True)
class Plan:
    """The parts of a run with a model.

    Attributes:
        work: the parts, for one seed. seeds: how many there are.
        model: its name. shape: of it. bits: of its weights; None: 16 on a card, 32 on a CPU.
        memory: the parts that use the model, see `model_work.parts`.
        assumed: what the numbers rest on, in sentences.
    """

    work: Sequence[Work]
    model: str
    shape: Shape
    bits: int | None = None
    seeds: int = 1
    assumed: Sequence[str] = ()
    memory: Sequence[Part] = ()

    @property
    def parameters(self) -> int:
        """The numbers in its weights."""
        return self.shape.linear + self.shape.rest

    def peaks(self) -> pd.DataFrame:
        """Most GiB that each part of the method takes: of a card in 16 bits, of a CPU in 32."""
        import pandas as pd

        rows = []
        for part in self.memory:
            held = [Held(4 if self.bits == 4 else None, half=half) for half in (True, False)]
            card, cpu = (peak_bytes(self.shape, each, part.work) / GIB for each in held)
            rows.append({"part": part.name, "GiB, card": card + RESERVE / GIB, "GiB, CPU": cpu})
        return pd.DataFrame(rows).set_index("part")

    def hours(self, work: Work, card: Card) -> float:
        """Hours of one part on a card: 6 operations per parameter and trained token, 2 per token
        that is read, and one pass over the weights per token of 16 rows that are written together.
        """
        own = self.parameters * (6 * work.trained + 2 * work.read)
        operations = work.operations + own
        width = (self.bits or (16 if card.memory else 32)) / 8
        passes = work.written / ROWS_AT_A_TIME
        return (operations / card.flops + passes * self.parameters * width / card.bandwidth) / 3600

    def table(self, cards: Sequence[str] = tuple(CARDS)) -> pd.DataFrame:
        """A row per part and one of all seeds, with steps, tokens, calls, hours on each card."""
        import pandas as pd

        rows = []
        for work in self.work:
            row = {"part": work.what, "steps": work.steps, "tokens trained": work.trained,
                   "read": work.read, "written": work.written,
                   "teacher calls": work.calls}  # fmt: skip
            rows.append(row | {f"h, {name}": self.hours(work, CARDS[name]) for name in cards})
        frame = pd.DataFrame(rows).set_index("part")
        frame.loc[f"all, {self.seeds} seed{'s' * (self.seeds > 1)}"] = frame.sum() * self.seeds
        return frame

    def __str__(self) -> str:
        tables = (self.table(), self.peaks())
        return "\n".join([*(f"{table.map(short)}\n" for table in tables), *self.assumed])


def short(value: float) -> str:
    """A number as a table prints it: 41k tokens, 0.02 hours."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * size or (value >= size and letter != "k"):
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
