"""SoftSRV on real texts, whose law nobody knows: loss, match and copies can still be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from ...evaluation.contamination import near_copy_rates
from ...evaluation.mauve import mauve, text_features
from ...softsrv.synthesizer import PRESETS, SoftSRV, fitting, target_texts
from ..measurements import Log, study_key

UNPROMPTED = "no prompt"
VARIANTS: dict[str, dict[str, Any]] = {
    "SSNP": {"kind": "ssnp"},
    "SSMC": {"kind": "ssmc"},
}


@dataclass(frozen=True)
class RealTextPreset:
    """Sizes of the run on real texts.

    Attributes:
        n_train, n_stop, n_test: texts that are trained on, that end the training, and that
            measure the loss.
        n_sample: texts drawn from each variant for MAUVE and near copies; 0 for none. MAUVE needs
            250 of them, and as many test texts.
        steps, batch_size: of the soft prompt's training.
    """

    n_train: int = 96
    n_stop: int = 32
    n_test: int = 64
    n_sample: int = 0
    steps: int = 100
    batch_size: int = 8


def split_texts(lm, real, preset: RealTextPreset, seed: int) -> tuple[list[str], ...]:
    """Three samples (train, stop, test) of the texts that fit the context, without repeats.

    Raises:
        ValueError: the texts are too few for it; the message has both numbers.
    """
    texts = list(dict.fromkeys(target_texts(real)))
    texts = [texts[i] for i in fitting(lm, texts, SoftSRV(lm).preset.length, too_long="skip")]
    sizes = (preset.n_train, preset.n_stop, preset.n_test)
    if len(texts) < sum(sizes):
        raise ValueError(f"{sum(sizes)} texts that fit are needed; found {len(texts)}")
    order = np.random.default_rng(seed).permutation(len(texts))
    ends = np.cumsum((0, *sizes))
    return tuple([texts[i] for i in order[a:b]] for a, b in pairwise(ends))


def measure(lm, real, preset: RealTextPreset, seed: int, log: Log, progress: bool = False) -> None:
    """Each variant fitted to one set with one frozen model; what is finished in `log` stays.

    The loss is in nats per character, because the frozen models cut texts into different tokens.
    """
    train, stop, test = split_texts(lm, real, preset, seed)
    tokens = np.array([len(ids) + 1 for ids in lm.token_ids(test)])  # the end counts
    characters = sum(map(len, test))
    if not log.done(UNPROMPTED, seed):
        with log.unit(UNPROMPTED, seed):
            log.add("loss", UNPROMPTED, seed, lm.nll(test).numpy() @ tokens / characters)
    for arm, options in VARIANTS.items():
        if log.done(arm, seed):
            continue
        sizes = {"steps": preset.steps, "batch_size": preset.batch_size}
        with log.unit(arm, seed):
            method = SoftSRV(lm, preset="study", seed=seed, drop=(), **options, **sizes)
            method.fit(train, held_out=stop, progress=progress)
            log.add("loss", arm, seed, method.loss(test) * tokens.sum() / characters)
            if preset.n_sample:
                rows = method.sample(preset.n_sample, seed=seed, progress=progress)
                _score(log, arm, seed, list(rows["text"]), test, train)


def _score(log: Log, arm: str, seed: int, texts, test, train) -> None:
    """Match with the test texts, and near copies of the training texts."""
    log.add("near copies, train", arm, seed, near_copy_rates(texts, train)["train"].mean)
    filled = [text if text.strip() else "(empty)" for text in texts]
    log.add("MAUVE", arm, seed, mauve(*text_features(filled, test, seed=seed)).mauve)


def reproduce(
    sets: Mapping[str, Any],
    models: Mapping[str, Any],
    *,
    preset: RealTextPreset | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    out: str | Path = "runs/softsrv-real-text",
    progress: bool = False,
):
    """Every set with every frozen model, recorded in `out/result.json`; it goes on if interrupted.

    Args:
        sets: by name, what `SoftSRV.fit` takes (`synthkit.datasets` reads them from files).
        models: by name, frozen `synthkit.LM`s.
    """
    from ..results import record

    preset, out = preset or RealTextPreset(), Path(out)
    facts = {name: f"{lm.describe()['parameters']} {lm.fingerprint}" for name, lm in models.items()}
    texts = {name: target_texts(real) for name, real in sets.items()}
    key = study_key(sets=texts, models=facts, preset=preset, method=PRESETS["study"])
    with Log(out / "measurements.jsonl", key) as log:
        for seed, name, (model, lm) in product(seeds, sets, models.items()):
            labelled = log.labelled(world=name, frozen=model)
            measure(lm, sets[name], preset, seed, labelled, progress)
        return record(
            out / "result.json",
            method="softsrv",
            command="synthkit.studies.softsrv.experiment_real.reproduce(sets, models)",
            preset=asdict(preset),
            scale="study",
            model={"name": " and ".join(models), **facts},
            seeds=seeds,
            measurements=[row for row in log.rows if row["seed"] in seeds],
            notes="Loss in nats a character on held-out texts; MAUVE on TF-IDF features.",
            expected=[
                {"world": name, "frozen": model, "arm": arm, "measure": "loss"}
                for name, model, arm in product(sets, models, (UNPROMPTED, *VARIANTS))
            ],
        )


def table(result) -> Any:
    """Mean over the seeds, a row each set, frozen model and variant (a `pandas.DataFrame`)."""
    frame = result.frame()
    keys = ["world", "frozen", "arm"]
    wide = frame.pivot_table("value", keys, "measure", sort=False).round(3)
    return wide.rename_axis(["set", "frozen model", "variant"]).rename_axis(None, axis=1)
