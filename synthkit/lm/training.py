"""The training loop: best state, early stop, weight average, exact resume, a way back from NaN."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..core import parallel
from ..core.checkpoints import (
    load_optimiser,
    optimiser_groups,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from ..core.identity import run_key
from .modes import seeded
from .schedule import History, Schedule

OPTIMISER = "SYNTHKIT_OPTIMISER"  # "8-bit" saves memory on a GPU
Rate = Callable[[int], float]  # from a step to its learning rate
Loss = Tensor | Iterable[Tensor]  # whole, or in parts whose sum over all processes it is


# --- what a loss is made of ----------------------------------------------------------------------


def batch_at(step: int, n: int, size: int, seed: int) -> np.ndarray:
    """Indices of the examples that a step learns from: at most `size` of `n`.

    It depends on (seed, step) alone, so that a resumed training sees what it would have seen. Each
    epoch is a fresh permutation; examples that do not fill its last batch wait for the next one.
    """
    size = min(size, n)
    epoch, place = divmod(step, n // size)
    order = np.random.default_rng((seed, epoch)).permutation(n)
    return order[place * size : (place + 1) * size]


def shares(batch: Sequence[int], parts: int = 1) -> list[np.ndarray]:
    """The parts of a batch that this process learns from, one after another; perhaps none.

    They are all of it, unless there are several processes (see `synthkit.core.parallel`): then each
    takes its turn at every row, in as many parts as keep them as small as one process has them.
    """
    own = np.asarray(batch)[parallel.rank() :: parallel.world()]
    count = math.ceil(parts / parallel.world())
    return [part for part in np.array_split(own, count) if len(part)]


def mean_over(
    batch: Sequence[int], sizes: Sequence[int], loss: Callable[[list[int]], Tensor], parts: int = 1
) -> Iterator[Tensor]:
    """The mean loss per token of a batch, in parts whose sum it is (gradient accumulation).

    Of several processes each gets its own parts: see `shares`.

    Args:
        batch: indices of its examples.
        sizes: tokens of every example that carry loss, by index.
        loss: the mean loss per token of some examples.
        parts: see `Schedule.accumulation`; rows of like length share one, the longest first.
    """
    whole = sum(int(sizes[i]) for i in batch)
    if max(parts, parallel.world()) > 1:
        batch = sorted(batch, key=lambda i: -sizes[i])
    for part in shares(batch, parts):
        yield loss(part.tolist()) * (sum(int(sizes[i]) for i in part) / whole)


def mean_over_rows(loss: Callable[..., Tensor], *columns: Tensor) -> Iterator[Tensor]:
    """The mean loss of rows, which are given as one or more tensors (n, ...), as `mean_over`."""
    n = len(columns[0])
    return mean_over(range(n), [1] * n, lambda part: loss(*(each[part] for each in columns)))


# --- the loop ------------------------------------------------------------------------------------


def train(
    module: nn.Module,
    loss_at: Callable[[int], Loss],
    schedule: Schedule,
    *,
    lr: float | Rate | None = None,
    optimiser: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None = None,
    evaluate: Callable[[], float] | None = None,
    identity: str = "",
    checkpoint: str | Path | None = None,
    progress: bool = False,
    label: str = "training",
) -> History:
    """Train the parameters of `module` that ask for a gradient.

    Several processes (see `synthkit.core.parallel`) take the steps of one: each computes its share
    of a loss, gradients are added up, and what is seen on held-out data is what the first one sees.
    The first alone writes the checkpoint, which all read. Dropout differs from that of one process.

    Args:
        module: is in train mode in a step, in eval mode at a look and afterwards.
        loss_at: the loss of a step, from its number alone (see `batch_at`), which seeds dropout; or
            the parts of the loss, of which one at a time holds a graph (see `mean_over`). Every
            process computes a loss that is whole; of one in parts, its share.
        lr: learning rate, which the schedule lets fall; default: the schedule's. A function from a
            step to its rate is taken as it is.
        optimiser: makes the optimiser of the parameters; default: `plain_adamw`. A group of them
            with a "share" learns at that multiple of the rate.
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
        FloatingPointError: a loss or a gradient was not finite; the message names the step. The
            module is in its last good state: the best one so far, or without `evaluate` that of
            the last look.
    """
    from tqdm import tqdm

    lr = schedule.lr if lr is None else lr
    if lr is None:
        raise ValueError(f"there is no learning rate for {type(module).__name__}; set lr")
    check_trainable(module)
    if checkpoint and not identity:
        raise ValueError("a checkpoint needs an identity: the hash of data, model and seed")
    rate = lr if callable(lr) else lambda step: lr * schedule.share(step)
    parallel.copy_first(module.state_dict().values())
    run = _Run(module, loss_at, schedule, rate, optimiser or plain_adamw, evaluate)
    key = ""
    if checkpoint:
        given = None if callable(lr) else lr
        parts = {"identity": identity, "schedule": schedule, "lr": given, "start": run.parameters}
        if optimiser is None and eight_bit_optimiser(run.parameters[0].device):
            parts["states"] = "8-bit"  # other states than those of the plain optimiser
        key = parallel.from_first(run_key(**parts))
    if checkpoint and parallel.from_first(Path(checkpoint).exists()):
        run.resume(checkpoint, key)
        parallel.wait()  # until all have read it
    bar = tqdm(
        desc=label, total=schedule.steps, initial=run.history.steps, unit="step",
        disable=not (progress and parallel.is_first()),
    )  # fmt: skip
    try:
        with bar:
            for _ in run.looks():
                if checkpoint and parallel.is_first():
                    run.save(checkpoint, key)
                bar.update(run.history.steps - bar.n)
    except FloatingPointError as error:
        module.load_state_dict(run.best)
        remove_checkpoint(checkpoint)  # going on from it would end here again
        step = run.history.steps
        raise FloatingPointError(
            f"{error} after step {step}, at learning rate {rate(step):g}; what is trained is back "
            f"in its state after step {run.history.best_step}. Lower the learning rate"
        ) from error
    finally:
        module.eval()
    module.load_state_dict(run.best)
    return run.history


def plain_adamw(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW without weight decay, its states in 8 bits where `eight_bit_optimiser` says so."""
    if eight_bit_optimiser(parameters[0].device):
        import bitsandbytes as bnb

        return bnb.optim.AdamW8bit(parameters, weight_decay=0.0)
    return torch.optim.AdamW(parameters, weight_decay=0.0)


def eight_bit_optimiser(device: torch.device) -> bool:
    """True on a GPU where the environment's `SYNTHKIT_OPTIMISER` is "8-bit".

    The optimiser then holds 2 bytes for each trained weight in place of 8. It is worth it where
    many are trained, as DiffLM's 200 million; a CPU has no such optimiser, and takes the plain one.

    Raises:
        ValueError: the variable is neither "8-bit" nor "32-bit".
    """
    asked = os.environ.get(OPTIMISER, "") or "32-bit"
    if asked not in ("8-bit", "32-bit"):
        raise ValueError(f"{OPTIMISER}={asked!r}: set it to 8-bit or 32-bit, or not at all")
    return asked == "8-bit" and device.type == "cuda"


def check_trainable(module: nn.Module) -> None:
    """Raise ValueError when nothing in `module` can be trained, or not in float32."""
    types = {parameter.dtype for parameter in module.parameters() if parameter.requires_grad}
    if types != {torch.float32}:
        found = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in types)) or "none"
        raise ValueError(
            f"trained parameters must be float32, found {found}: in a coarser type small updates "
            "round to nothing; call .float() on the module"
        )


class _Run:
    """A training under way: module, average, optimiser, history and best state."""

    def __init__(self, module: nn.Module, loss_at, schedule, rate: Rate, optimiser, evaluate):
        self.module, self.loss_at, self.schedule = module, loss_at, schedule
        self.rate, self.evaluate, self.history = rate, evaluate, History()
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.average = [p.detach().clone() for p in self.parameters if schedule.ema]
        self.optimiser = optimiser(self.parameters)
        self.best = self.state()
        self.looked = -1  # the steps there were at the last look

    def state(self) -> dict[str, Tensor]:
        """A copy of the module's tensors."""
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def looks(self) -> Iterator[None]:
        """Train to the end; after each look the caller is told, to save what there is."""
        schedule, history = self.schedule, self.history
        for step in range(history.steps, schedule.steps + 1):
            last = step == schedule.steps
            if (last or step % schedule.eval_every == 0) and self.looked != step:
                self.look()
                yield
            if last or (schedule.patience and history.stale() >= schedule.patience):
                return
            self.update(step)

    def update(self, step: int) -> None:
        """One step of the optimiser; FloatingPointError before anything is changed by NaN."""
        self.module.train()
        self.follow(step)
        for group in self.optimiser.param_groups:
            group["lr"] = group.get("share", 1.0) * self.rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        total, world = 0.0, parallel.world()
        with seeded(step * world + parallel.rank(), self.parameters[0].device):
            loss = self.loss_at(step)
            for part in [loss / world] if torch.is_tensor(loss) else loss:
                part.backward()
                total += part.item()
        total = parallel.add_up(total, self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.schedule.clip)
        if not (math.isfinite(total) and torch.isfinite(norm)):
            raise FloatingPointError(f"the loss is {total}, its gradient's norm {norm:.3g}")
        self.optimiser.step()
        self.history.train_losses.append(total)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """average <- decay average + (1 - decay) weights; decay = min(ema, (1 + t) / (10 + t))."""
        decay = min(self.schedule.ema, (1 + step) / (10 + step))
        for slow, fast in zip(self.average, self.parameters):
            slow.lerp_(fast, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the module has the average in place of its weights, if one is kept."""
        kept = [p.data for p in self.parameters]
        for parameter, slow in zip(self.parameters, self.average):
            parameter.data = slow
        try:
            yield
        finally:
            for parameter, data in zip(self.parameters, kept):
                parameter.data = data

    def look(self) -> None:
        """Measure the held-out loss and keep the best state."""
        history, self.looked = self.history, self.history.steps
        self.module.eval()
        with self.averaged():
            loss = parallel.from_first(self.evaluate() if self.evaluate else None)
            parallel.copy_first(self.module.buffers())  # a look may write into them
            if loss is not None:
                if not math.isfinite(loss):
                    raise FloatingPointError(f"the held-out loss is {loss}")
                history.held_out.append((history.steps, loss))
            if loss is None or history.best_loss is None or loss < history.best_loss:
                history.best_step, history.best_loss = history.steps, loss
                self.best = self.state()

    def save(self, path: str | Path, key: str) -> None:
        """Write everything to `path`, whole or not at all."""
        facts = {"looked": self.looked, **asdict(self.history)}
        average = {str(i): value for i, value in enumerate(self.average)}
        groups = {"module": self.state(), "best": self.best, "average": average}
        write_checkpoint(path, key, facts, groups | optimiser_groups(self.optimiser))

    def resume(self, path: str | Path, key: str) -> None:
        """Take the state in `path` up.

        Raises:
            ValueError: the file is no checkpoint, or that of another training.
        """
        facts, groups = read_checkpoint(path, key)
        self.looked = facts.pop("looked")
        self.history = History.of(facts)
        self.module.load_state_dict(groups.pop("module"))
        device = self.parameters[0].device
        self.best = {name: value.to(device) for name, value in groups.pop("best").items()}
        for i, value in groups.pop("average", {}).items():
            self.average[int(i)] = value.to(device)
        load_optimiser(self.optimiser, groups)
