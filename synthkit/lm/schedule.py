"""Settings of a training, and the record of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """Settings of a training.

    Attributes:
        steps: updates at most.
        lr: learning rate; None where the caller chooses it.
        decay_from: the share of the steps after which the rate falls in a straight line to zero.
        eval_every: steps between two looks at the held-out loss (and two checkpoints).
        patience: looks in a row without a better loss before it stops; None never stops early.
        clip: largest norm of a gradient.
        ema: the most that a running average of the weights keeps of itself in a step. The average
            is what is looked at and kept; 0 keeps the weights themselves.
        accumulation: parts that a batch is cut into, one after another in memory; see `mean_over`.
        recomputing: a model's layers keep only their inputs and compute the rest again for the
            gradient: less memory, a third more time; see `synthkit.lm.modes.recomputed`.

    Raises:
        ValueError: a value that is not positive, or a share outside 0 to 1.
    """

    steps: int = 500
    lr: float | None = None
    decay_from: float = 0.5
    eval_every: int = 50
    patience: int | None = 4
    clip: float = 1.0
    ema: float = 0.0
    accumulation: int = 1
    recomputing: bool = False

    def __post_init__(self):
        for name in ("steps", "lr", "eval_every", "patience", "clip", "accumulation"):
            check_positive(name, getattr(self, name))
        for name in ("decay_from", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, from 0 to 1; found {getattr(self, name)!r}")

    def share(self, step: int) -> float:
        """The share of the learning rate that is used at `step`, counted from 0."""
        falling = self.steps * (1 - self.decay_from)
        return min(1.0, (self.steps - step) / falling) if falling else 1.0


def check_positive(name: str, value: float | None) -> None:
    """Raise ValueError, naming the setting, when a value that is set is not positive."""
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be positive, found {value!r}")


@dataclass
class History:
    """Record of a training.

    Attributes:
        train_losses: the loss of each step.
        held_out: (step, loss) of each look; empty without held-out data.
        best_step: after how many steps the kept state was reached.
        best_loss: its held-out loss; None without held-out data.
    """

    train_losses: list[float] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float | None = None

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return len(self.train_losses)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> History:
        """The history that `asdict` made into `facts`, as JSON brings them back."""
        return cls(**{**facts, "held_out": [tuple(look) for look in facts["held_out"]]})

    def stale(self) -> int:
        """Looks since the best one."""
        return sum(step > self.best_step for step, _ in self.held_out)
