"""Checks of lesson 30: the promise of a dot product, huge damping, parts of a model, halves."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(falls, lesson):
    """The fall of each query's loss after a gradient step."""
    step, promised = 1e-2, lesson.scores["dot"][:, 0]
    found = np.asarray(falls(step))
    if found.shape != promised.shape:
        return f"one number per query is asked for, {len(promised)}; found shape {found.shape}."
    if not close(lesson.query_losses(lesson.reference, lesson.queries), lesson.at_end, rel=1e-2):
        return "the reference itself has moved: work on a `.clone()`, and run the lesson again."
    size = np.abs(promised).max()
    if np.abs(found - promised).max() < 0.1 * size:
        return None
    if np.abs(found + promised).max() < 0.1 * size:
        return "the sign is turned: step against the gradient, and take before minus after."
    if np.abs(found / step - promised).max() < 0.1 * size:
        return "this is the fall itself; divide it by the step."
    if np.abs(found).max() < 1e-3 * size:
        return "the losses do not change: are the weights of the clone moved (`weight.data`)?"
    return "the falls differ from the promise: is it row 0, and its part for each matrix?"


def exercise_2(found, lesson):
    """Rank correlations of heavily damped DataInf."""
    from scipy.stats import spearmanr

    def alike(a, b):
        return float(np.mean([spearmanr(*each)[0] for each in zip(a, b)]))

    names = ("dot", "cosine")
    far = lesson.grad_dot(lesson.datainf(lesson.Q, lesson.G, c=1e6), lesson.G).numpy()
    wanted = [alike(far, lesson.scores[name]) for name in names]
    values = [float(found[name]) for name in names]
    if close(values, wanted, abs=5e-3):
        return None
    if close(values[::-1], wanted, abs=5e-3):
        return "the two are swapped."
    if close(values, [alike(lesson.scores["DataInf"], lesson.scores[n]) for n in names], abs=5e-3):
        return "this is the lesson's DataInf; its damping has to be huge, `c=1e6`."
    if close(values, [alike(far.T, lesson.scores[n].T) for n in names], abs=5e-3):
        return "this ranks the queries of each row; rank the rows of each query."
    if close(values, [np.corrcoef(far.ravel(), lesson.scores[n].ravel())[0, 1] for n in names]):
        return "this is Pearson's correlation over the whole table; take Spearman's per query."
    return "correlate ranks query by query, then take the mean over the queries."


def exercise_3(ari_of, lesson):
    """ARI(style) over some of the matrices."""
    from sklearn.metrics import adjusted_rand_score as ari

    for part in ("layers.0.", "lora_B"):
        names = [name for name in lesson.Q if part in name]
        some = lesson.grad_dot({n: lesson.Q[n] for n in names}, lesson.G.only(names)).numpy()
        found, wanted = float(ari_of(part)), ari(lesson.styles, some.argmax(0))
        if close(found, wanted):
            continue
        if close(found, lesson.sorted_by["dot"]):
            return "this is the value over all matrices: keep the names that hold `part`."
        if close(found, ari(lesson.styles, some.argmin(0))):
            return "each row goes to the query that it harms most; take the arg-max."
        if close(found, ari([row["task"] for row in lesson.rows], some.argmax(0))):
            return "this is agreement with the tasks; the styles are asked for."
        return (
            f"for {part!r} it is {wanted:.2f}, and not {found:.2f}: arg-max over queries, axis 0."
        )


def exercise_4(lds_means, lesson):
    """Repeated measurements of the mean LDS."""
    found = np.asarray(lds_means(24, 4, 5), float)
    if found.ndim == 2:
        return "one LDS per query: take the mean over the queries."
    if found.shape != (4,):
        return f"`repeats` measurements are asked for, 4 here; found shape {found.shape}."
    if np.ptp(found) < 1e-12:
        return "all measurements are equal: each needs halves of its own (one generator for all)."
    toy, usual = lesson.toy_scores["block Fisher, c = 1"].numpy(), lesson.trained_on
    wanted = lesson.lds(toy, lesson.subsets, usual).mean()
    if abs(found.mean() + wanted) < 0.15:
        return "the sign is turned."
    if abs(found.mean()) < 0.3 * wanted:
        return "nearly no correlation: the losses belong to other halves than those of `lds`."
    if abs(found.mean() - wanted) > 0.15:
        return f"the mean should be near {wanted:.2f}, and is {found.mean():.2f}: which scores?"
