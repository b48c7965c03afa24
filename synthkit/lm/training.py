"""A training that keeps its best state, stops in time, and goes on exactly where it was cut off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.checkpoints import (
    load_optimiser,
    optimiser_groups,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from ..core.identity import run_key


@dataclass(frozen=True)
class Schedule:
    """Settings of a training by AdamW without weight decay.

    Attributes:
        steps: updates at most.
        lr: learning rate; None where the caller chooses it.
        decay_from: the share of the steps after which the rate falls in a straight line to zero.
        eval_every: steps between two looks at the held-out loss (and two checkpoints).
        patience: looks in a row without a better loss before it stops; None never stops early.
        clip: largest norm of a gradient.

    Raises:
        ValueError: a value that is not positive, or a share outside 0 to 1.
    """

    steps: int = 500
    lr: float | None = None
    decay_from: float = 0.5
    eval_every: int = 50
    patience: int | None = 4
    clip: float = 1.0

    def __post_init__(self):
        shares = ("decay_from",)
        for name, value in asdict(self).items():
            if value is not None and name not in shares and not value > 0:
                raise ValueError(f"{name} must be positive, found {value!r}")
        if not 0 <= self.decay_from <= 1:
            raise ValueError(f"decay_from is a share, from 0 to 1; found {self.decay_from!r}")

    def share(self, step: int) -> float:
        """The share of the learning rate that is used at `step`, counted from 0."""
        falling = self.steps * (1 - self.decay_from)
        return min(1.0, (self.steps - step) / falling) if falling else 1.0


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


def batch_at(step: int, n: int, size: int, seed: int) -> np.ndarray:
    """Indices of the examples that a step learns from: at most `size` of `n`.

    It depends on (seed, step) alone, so that a resumed training sees what it would have seen. Each
    epoch is a fresh permutation; examples that do not fill its last batch wait for the next one.
    """
    size = min(size, n)
    epoch, place = divmod(step, n // size)
    order = np.random.default_rng((seed, epoch)).permutation(n)
    return order[place * size : (place + 1) * size]


def train(
    module: nn.Module,
    loss_at: Callable[[int], Tensor],
    schedule: Schedule,
    *,
    lr: float | None = None,
    evaluate: Callable[[], float] | None = None,
    identity: str = "",
    checkpoint: str | Path | None = None,
    progress: bool = False,
    label: str = "training",
) -> History:
    """Train the parameters of `module` that ask for a gradient.

    Args:
        module: is in train mode in a step, in eval mode at a look and afterwards.
        loss_at: the loss of a step, from its number alone (see `batch_at`).
        lr: learning rate; default: the schedule's.
        evaluate: the held-out loss. The state that does best on it is kept, the first one
            included; without it the last state is.
        identity: says what `loss_at` and `evaluate` depend on: data, frozen model, seed (see
            `synthkit.core.resume.run_key`). Schedule and start are added to it; a checkpoint of
            another training is refused.
        checkpoint: a file written at each look. A call with the same arguments goes on from it,
            and ends as if it had never been cut off. It stays, with the end of the training in
            it, until the caller has the result on disk and calls `remove_checkpoint`.
        progress: show a bar.
        label: what stands before the bar.

    Raises:
        ValueError: no learning rate, nothing to train, a parameter that is not float32, a
            checkpoint of another training or a damaged one, or one without an identity.
        FloatingPointError: a loss or a gradient was not finite. The module is in its last good
            state: the best one so far, or without `evaluate` that of the last look.
    """
    from tqdm import tqdm

    lr = schedule.lr if lr is None else lr
    if lr is None:
        raise ValueError(f"there is no learning rate for {type(module).__name__}; set lr")
    check_trainable(module)
    if checkpoint and not identity:
        raise ValueError("a checkpoint needs an identity: the hash of data, model and seed")
    run = Run(module, lr)
    if checkpoint:
        run.key = run_key(identity=identity, schedule=schedule, lr=lr, start=run.parameters)
    if checkpoint and Path(checkpoint).exists():
        run.resume(checkpoint)
    bar = tqdm(
        desc=label, total=schedule.steps, initial=run.history.steps, disable=not progress,
        unit="step",
    )  # fmt: skip
    try:
        with bar:
            _steps(run, loss_at, schedule, lr, evaluate, checkpoint, bar)
    except FloatingPointError as error:
        module.load_state_dict(run.best)
        remove_checkpoint(checkpoint)  # going on from it would end here again
        raise FloatingPointError(
            f"{error} after step {run.history.steps}, at learning rate {lr:g}; what is trained is "
            f"back in its state after step {run.history.best_step}. Lower the learning rate"
        ) from error
    finally:
        module.eval()
    module.load_state_dict(run.best)
    return run.history


def check_trainable(module: nn.Module) -> None:
    """Raise ValueError when nothing in `module` can be trained, or not in float32."""
    types = {parameter.dtype for parameter in module.parameters() if parameter.requires_grad}
    if types != {torch.float32}:
        found = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in types)) or "none"
        raise ValueError(
            f"trained parameters must be float32, found {found}: in a coarser type small updates "
            "round to nothing; call .float() on the module"
        )


def _steps(run: Run, loss_at, schedule: Schedule, lr: float, evaluate, checkpoint, bar) -> None:
    for step in range(run.history.steps, schedule.steps + 1):
        if step % schedule.eval_every == 0 or step == schedule.steps:
            run.look(evaluate, checkpoint)
            if schedule.patience and run.history.stale() >= schedule.patience:
                return
        if step < schedule.steps:
            run.update(loss_at, step, lr * schedule.share(step), schedule.clip)
            bar.update()


class Run:
    """A training under way: module, optimiser, history and best state, all kept in one file."""

    def __init__(self, module: nn.Module, lr: float, key: str = ""):
        self.module, self.key, self.history = module, key, History()
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=lr, weight_decay=0.0)
        self.best = self.state()
        self.looked = -1  # the steps there were at the last look

    def state(self) -> dict[str, Tensor]:
        """A copy of the module's tensors."""
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def update(self, loss_at: Callable[[int], Tensor], step: int, lr: float, clip: float) -> None:
        """One step of AdamW; FloatingPointError before anything is changed by NaN."""
        self.module.train()
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        loss = loss_at(step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise FloatingPointError(f"the loss is {loss.item()}, its gradient's norm {norm:.3g}")
        self.optimiser.step()
        self.history.train_losses.append(loss.item())

    def look(self, evaluate: Callable[[], float] | None, checkpoint: str | Path | None) -> None:
        """Measure the held-out loss, keep the best state, write the checkpoint: once a step."""
        history = self.history
        if self.looked == history.steps:  # it was done before an interruption
            return
        self.module.eval()
        loss = evaluate() if evaluate else None
        if loss is not None and not math.isfinite(loss):
            raise FloatingPointError(f"the held-out loss is {loss}")
        self.looked = history.steps
        if loss is not None:
            history.held_out.append((history.steps, loss))
        if loss is None or history.best_loss is None or loss < history.best_loss:
            history.best_step, history.best_loss, self.best = history.steps, loss, self.state()
        if checkpoint:
            self.save(checkpoint)

    def save(self, path: str | Path) -> None:
        """Write everything to `path`, whole or not at all."""
        facts = {"looked": self.looked, **asdict(self.history)}
        groups = {"module": self.state(), "best": self.best, **optimiser_groups(self.optimiser)}
        write_checkpoint(path, self.key, facts, groups)

    def resume(self, path: str | Path) -> None:
        """Take the state in `path` up.

        Raises:
            ValueError: the file is no checkpoint, or that of another training.
        """
        facts, groups = read_checkpoint(path, self.key)
        self.looked = facts.pop("looked")
        facts["held_out"] = [(step, loss) for step, loss in facts["held_out"]]
        self.history = History(**facts)
        self.module.load_state_dict(groups.pop("module"))
        device = self.parameters[0].device
        self.best = {name: value.to(device) for name, value in groups.pop("best").items()}
        load_optimiser(self.optimiser, groups)
