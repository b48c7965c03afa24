"""A check of influence scores: adapters trained without some rows, and two agreements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...core.resume import ResumeLog, run_key
from ...lm.training import Schedule, batch_at, train
from ...spa.influence import METHODS, example_losses, influence_scores
from ...spa.streaming import as_pairs, plan_blocks

SCHEDULE = Schedule(steps=60, lr=3e-3, eval_every=60, patience=None)


@dataclass(frozen=True)
class Fidelity:
    """Agreement of scores with retraining, for n rows and q queries; see `fidelity`.

    Attributes:
        scores: (q, n) by method, positive = helpful. lds: (q,) by method.
        rises: (q,) by method: the rise of each query's loss without the rows that help it most.
        random_rises: (r, q) the same without as many random rows, r times.
        kept, losses: (s, n) the subsets of `lds`, and (s, q) the loss of each query after them.
    """

    scores: dict[str, np.ndarray]
    lds: dict[str, np.ndarray]
    rises: dict[str, np.ndarray]
    random_rises: np.ndarray
    kept: np.ndarray
    losses: np.ndarray


def train_adapter(
    lm, rows, kept: Sequence[bool] | None = None, *, rank: int = 8, alpha: float = 16.0,
    schedule: Schedule = SCHEDULE, batch_size: int = 16, seed: int = 0,
):  # fmt: skip
    """A copy of `lm` with a LoRA adapter, "student", trained on the kept rows.

    Whatever is kept, the start, the order of batches and each row's place in them are the same:
    a row that is left out weighs nothing in its batch. So two results differ by the rows alone.

    Args:
        rows: question/answer, prompt/completion or text rows.
        kept: (n,) which rows count; default: all.
        schedule: of AdamW; it must name a learning rate. batch_size: rows a step, kept or not.

    Raises:
        ValueError: no rows, none kept, a `kept` of another length, or a row over the context.
        FloatingPointError: the loss was not finite.
    """
    pairs = as_pairs(rows)
    plan_blocks(lm, pairs, batch_size)  # names a row that is too long before anything is trained
    kept = np.ones(len(pairs), dtype=bool) if kept is None else np.asarray(kept, dtype=bool)
    if kept.shape != (len(pairs),) or not kept.any():
        raise ValueError(
            f"kept says for each of the {len(pairs)} rows whether it counts, and one must; found "
            f"shape {kept.shape} with {int(kept.sum())} kept"
        )
    student = lm.with_lora(rank=rank, alpha=alpha, seed=seed)
    weights = nn.ParameterList(w for w in student.model.parameters() if w.requires_grad)
    share = min(batch_size, len(pairs)) * kept.mean()  # rows that a batch holds on average

    def loss_at(step: int) -> torch.Tensor:
        batch = [i for i in batch_at(step, len(pairs), batch_size, seed) if kept[i]]
        if not batch:
            return sum((weight * 0).sum() for weight in weights)
        return example_losses(student, [pairs[i] for i in batch])[0].sum() / share

    with student.evaluating():
        train(weights, loss_at, schedule)
    return student


def query_losses(lm, queries) -> np.ndarray:
    """Nats per token (q,) of each query's completion after its prompt, with the adapter in use."""
    prompts, completions = zip(*as_pairs(queries))
    return lm.nll(completions, prompts=prompts).numpy()


def count_of(share: float, n: int) -> int:
    """Number of rows that a share of n is; ValueError where that is none, or all."""
    if not 0 < (count := round(share * n)) < n:
        raise ValueError(f"{share:g} of {n} rows is {count}: some rows must stay and some must go")
    return count


def random_subsets(n: int, count: int, share: float = 0.5, seed: int = 0) -> np.ndarray:
    """`count` random subsets of n rows, bool (count, n), each of round(share * n) rows."""
    size = count_of(share, n)
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n) < size for _ in range(count)]).reshape(count, n)


def retrained_losses(
    lm, rows, queries, kept, *, checkpoint: str | Path | None = None, progress=False, **training
) -> np.ndarray:
    """Each query's loss (s, q) after a training on each of the subsets `kept` (s, n).

    Args:
        checkpoint: a log (see `ResumeLog`) with the losses of each training as it ends. A later
            call with the same model, rows, queries and settings trains what is missing.
        progress: show a bar. lm, rows, training: of `train_adapter`.

    Raises:
        ValueError: bad rows or subsets, or a checkpoint of other rows, queries or settings.
    """
    from tqdm import tqdm

    kept = np.asarray(kept, dtype=bool)
    key = run_key(
        model=lm.fingerprint, rows=as_pairs(rows), queries=as_pairs(queries), training=training
    )
    names = [run_key(kept=each) for each in kept]
    what = "the losses of trainings without some rows"
    with ResumeLog(checkpoint, key, place=("training",), what=what) as log:
        for name, each in tqdm(list(zip(names, kept)), disable=not progress, unit="training"):
            if (name,) not in log.entries:
                losses = query_losses(train_adapter(lm, rows, each, **training), queries)
                log.add({"training": name, "losses": losses.tolist()})
        return np.array([log.entries[name,]["losses"] for name in names])


def fidelity(
    lm, rows, queries, *, methods: Sequence[str] = ("datainf", "ekfac"), subsets: int = 60,
    removed: float = 0.1, controls: int = 4, seed: int = 0, checkpoint: str | Path | None = None,
    progress: bool = False, **training,
) -> Fidelity:  # fmt: skip
    """Scores at a reference adapter, judged by trainings from the same start without some rows.

    It takes 1 + subsets + controls + len(methods) * q trainings (equal ones are done once).

    Args:
        methods: of `influence_scores`.
        subsets: random halves of the rows, for `lds`.
        removed: the share of rows whose loss is measured, most helpful or (`controls`) random.
        lm, rows, queries, checkpoint, progress, training: of `retrained_losses`.

    Raises:
        ValueError: fewer than four subsets, a bad share, method or option.
    """
    n, training = len(rows), training | {"seed": seed}
    if subsets < 4:
        raise ValueError(f"a rank correlation needs at least four subsets, found {subsets}")
    if unknown := [name for name in methods if name not in METHODS]:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, found {unknown[0]!r}")
    halves = random_subsets(n, subsets, 0.5, seed)
    random = random_subsets(n, controls, 1 - round(removed * n) / n, seed + 1)
    reference = train_adapter(lm, rows, **training)
    scores = {name: influence_scores(reference, rows, queries, method=name) for name in methods}
    without = {name: without_most_helpful(found, removed) for name, found in scores.items()}
    groups = [np.ones((1, n), dtype=bool), halves, random, *without.values()]
    losses = retrained_losses(
        lm, rows, queries, np.concatenate(groups), checkpoint=checkpoint, progress=progress,
        **training,
    )  # fmt: skip
    whole, of_halves, of_random, *own = np.split(losses, np.cumsum([len(g) for g in groups])[:-1])
    return Fidelity(
        scores=scores,
        lds={name: lds(found, halves, of_halves) for name, found in scores.items()},
        rises={name: np.diagonal(each - whole) for name, each in zip(scores, own)},
        random_rises=of_random - whole,
        kept=halves,
        losses=of_halves,
    )


def without_most_helpful(scores: np.ndarray, share: float = 0.1) -> np.ndarray:
    """For each query, bool (q, n): all rows but the share with the highest scores (q, n)."""
    count = count_of(share, scores.shape[1])
    kept = np.ones(scores.shape, dtype=bool)
    np.put_along_axis(kept, np.argsort(-scores, axis=1, kind="stable")[:, :count], False, axis=1)
    return kept


def lds(scores: np.ndarray, kept: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Linear datamodelling score (q,): do summed scores rank models trained on subsets?

    That is, for each query, Spearman's correlation over subsets of the sum of the kept rows' scores
    and minus the loss.

    Args:
        scores: (q, n), positive = helpful.
        kept: (s, n) of bool, the subsets that were trained on.
        losses: (s, q), each query's loss after each of these trainings.

    Raises:
        ValueError: shapes do not fit, fewer than four subsets, or a constant side.

    Source: Park et al., TRAK (arXiv 2303.14186), section 2.
    """
    _check_shapes(np.asarray(scores), np.shape(kept), np.shape(losses))
    return _spearman(np.asarray(kept, dtype=float) @ np.asarray(scores).T, -np.asarray(losses))


def leave_one_out(
    scores: np.ndarray, removed: Sequence[int], rises: np.ndarray
) -> tuple[np.ndarray, float]:
    """Scores against retraining without single rows: Spearman (q,), and the share of right signs.

    Args:
        scores: (q, n), positive = helpful.
        removed: (m,) the rows that were left out, one a training.
        rises: (m, q), each query's loss without the row, minus its loss with all rows.

    Raises:
        ValueError: shapes do not fit, fewer than four rows, or a constant side.
    """
    scores, rises = np.asarray(scores), np.asarray(rises)
    _check_shapes(scores, (len(removed), *scores.shape[1:]), rises.shape)
    chosen = scores[:, list(removed)].T  # (m, q)
    return _spearman(chosen, rises), float((np.sign(chosen) == np.sign(rises)).mean())


def _check_shapes(scores: np.ndarray, kept: tuple, losses: tuple) -> None:
    if scores.ndim != 2 or kept[1:] != scores.shape[1:] or losses != (kept[0], len(scores)):
        raise ValueError(
            f"scores {scores.shape} need subsets (s, rows) and losses (s, queries) of the same s "
            f"trainings; found {kept} and {losses}"
        )
    if kept[0] < 4:
        raise ValueError(f"a rank correlation needs at least four trainings, found {kept[0]}")


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation (q,) of the columns of x and y, (s, q) each."""
    from scipy.stats import spearmanr

    if (np.ptp(x, 0) == 0).any() or (np.ptp(y, 0) == 0).any():
        raise ValueError("scores or losses are constant: a rank correlation needs variation")
    return np.array([spearmanr(*each).statistic for each in zip(x.T, y.T)])
