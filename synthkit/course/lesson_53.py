"""Checks of lesson 53: copies by chance, latents for a condition, widths, rows with holes."""

from __future__ import annotations

import numpy as np

from .checks import close


def _rows(table) -> list[tuple]:
    """The rows of a table, to be compared: a missing value equals another."""
    return list(table.astype(object).where(table.notna(), None).itertuples(index=False, name=None))


def exercise_1(copies, lesson):
    """Shares of rows that equal a training row."""
    found = {name: float(copies[name]) for name in ("encoding", "diffusion", "by chance")}
    train, test = lesson.train, lesson.test
    seen = set(_rows(train))
    chance = np.mean([row in seen for row in _rows(test)])
    if max(found.values()) > 1:
        return "these are counts or percent; shares are asked for."
    if found["encoding"] < found["diffusion"]:
        return "the two are swapped: which of them starts from the training rows?"
    if not close(found["by chance"], chance, abs=2e-3):
        if close(found["by chance"], train.duplicated(keep=False).mean(), abs=2e-3):
            return "training rows that equal each other are no measure: ask it of held-out rows."
        if close(found["by chance"], train.duplicated().mean(), abs=2e-3):
            return "training rows that equal each other are no measure: ask it of held-out rows."
        return f"by chance, {chance:.3f} of the rows of `test` equal a training row."
    for name in ("encoding", "diffusion"):
        made = lesson.method.table(1000, prior=name)
        share = np.mean([row in seen for row in _rows(made)])
        if close(found[name], share, abs=5e-3):
            continue
        if close(found[name], share - chance, abs=5e-3):
            return "chance is subtracted already; give the share itself."
        if close(found[name], np.mean([row in set(_rows(test)) for row in _rows(made)]), abs=5e-3):
            return "these equal a *held-out* row; compare with `train`."
        return f"of the rows with `prior={name!r}`, {share:.3f} equal a training row."


def exercise_2(latents_near, lesson):
    """Latents around the encodings of the rows that satisfy a condition."""
    import torch

    method, train, wish = lesson.method, lesson.train, lesson.wish
    form, coder = method.fitted.form, method.fitted.autoencoder
    z = latents_near(wish, 600)
    if not isinstance(z, torch.Tensor) or tuple(z.shape) != (600, coder.preset.latent):
        return f"600 latents are asked for, a tensor of shape (600, {coder.preset.latent})."
    own = lesson.satisfied(method.fitted.schema, train, wish)
    mu, logvar = coder.encode(form.encode(train))
    others = torch.cdist(z.float(), mu)
    nearest = others.argmin(1)
    if own[nearest.numpy()].mean() < 0.3:
        return "most lie at rows that do not satisfy the condition: encode only those that do."
    nearest = others[:, own].argmin(1)
    noise = (z - mu[own][nearest]) / (0.5 * logvar[own][nearest]).exp()
    spread, sigma = float(noise.std()), float((0.5 * logvar[own]).exp().mean())
    if spread < 1e-3:
        return "there is no noise: these are the encodings themselves, and give the same rows."
    if 0.8 < spread < 1.25:
        return None
    if spread < 2.5 * sigma:
        return "too little noise: `exp(logvar)` is the variance; sigma is `exp(logvar / 2)`."
    if spread > 2:
        return "too much noise: eps has to be multiplied by the row's sigma."
    return f"the noise is {spread:.2f} sigma; draw z = mu + sigma eps, with `exp(logvar / 2)`."


def exercise_3(nats, lesson):
    """Reconstruction with a narrow and with a wide latent."""
    narrow, wide = float(nats[4]), float(nats[64])
    columns = lesson.train.shape[1]
    if max(narrow, wide) < 2:
        return f"these are nats per token or per column; a row has {columns} columns."
    if wide > 20 and wide > narrow:
        return "this is the cost with *another* row's latent: take `collapse.true`."
    if narrow < wide:
        return "the two are swapped: can four numbers hold ten columns?"
    if wide > 15:
        return "64 numbers leave less to guess: were the autoencoders trained for 80 steps?"
    if narrow - wide < 1:
        return "the widths hardly differ: does each fit have its own `latent`?"


def exercise_4(filled, lesson):
    """Synthetic rows with values that are missing where the income is low."""
    if not {"education", "income"} <= set(getattr(filled, "columns", ())):
        return "a DataFrame is asked for, as `table(800)` returns it."
    if len(filled) < 500:
        return f"{len(filled)} rows are too few to tell: draw 800."
    rest = [name for name in filled.columns if name in lesson.train and name != "education"]
    seen = set(_rows(lesson.train[rest]))
    if np.mean([row in seen for row in _rows(filled[rest])]) > 0.9:
        return "these are the real rows: fit a DiffLM to them and draw a table from it."
    holes = filled["education"].isna()
    if not holes.any():
        return "no degree is missing: was the fit to the table with holes?"
    low = filled["income"] == "<=50K"
    share, rich = holes[low].mean(), holes[~low].mean()
    if rich > share:
        return "the rich have the holes: set them where `income` is '<=50K'."
    if rich > 0.6 * share:
        return "holes are as common with a high income: set them only where it is low."
    if not 0.12 < share < 0.6:
        return f"with a low income {share:.2f} are missing; three tenths were to be set."
