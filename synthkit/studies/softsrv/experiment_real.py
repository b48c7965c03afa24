"""SoftSRV on real texts of unknown distribution: loss, match and copies can still be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...evaluation.contamination import near_copy_rates
from ...evaluation.mauve import mauve, text_features
from ...lm.tokens import text_room
from ...softsrv.presets import PRESETS
from ...softsrv.synthesizer import SoftSRV
from ...softsrv.texts import target_texts
from ..study import Case, Study, Table, Trial, Unit, log_name

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Result

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
        seeds: each draws its own samples and trains its own prompts.
    """

    n_train: int = 96
    n_stop: int = 32
    n_test: int = 64
    n_sample: int = 0
    steps: int = 100
    batch_size: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)


def split_texts(lm, real, preset: RealTextPreset, seed: int) -> tuple[list[str], ...]:
    """Three samples (train, stop, test) of the texts that fit the context, without repeats.

    Raises:
        ValueError: the texts are too few for it; the message has both numbers.
    """
    texts = list(dict.fromkeys(target_texts(real)))
    room = text_room(lm, PRESETS["study"].length)
    texts = [text for text, ids in zip(texts, lm.token_ids(texts)) if len(ids) <= room]
    sizes = (preset.n_train, preset.n_stop, preset.n_test)
    if len(texts) < sum(sizes):
        raise ValueError(f"{sum(sizes)} texts that fit are needed; found {len(texts)}")
    order = np.random.default_rng(seed).permutation(len(texts))
    ends = np.cumsum((0, *sizes))
    return tuple([texts[i] for i in order[a:b]] for a, b in pairwise(ends))


@dataclass
class RealTrial(Trial):
    """One set, frozen model and seed. The loss is in nats per character: models differ in tokens.

    Attributes:
        frozen: the model. real: the set.
    """

    frozen: Any = None
    real: Any = None

    @cached_property
    def parts(self) -> tuple[list[str], ...]:
        return split_texts(self.frozen, self.real, self.preset, self.seed)

    @property
    def tokens(self) -> np.ndarray:
        """Of each test text, its end included."""
        return np.array([len(ids) + 1 for ids in self.frozen.token_ids(self.parts[2])])

    @property
    def characters(self) -> int:
        return sum(map(len, self.parts[2]))

    def measure_unprompted(self) -> None:
        nats = self.frozen.nll(self.parts[2]).numpy() @ self.tokens
        self.add(UNPROMPTED, {"loss": nats / self.characters})

    def measure_variant(self, arm: str) -> None:
        preset, (train, stop, test) = self.preset, self.parts
        how = {**VARIANTS[arm], "steps": preset.steps, "batch_size": preset.batch_size}
        method = SoftSRV(self.frozen, preset="study", seed=self.seed, drop=(), **how)
        method.fit(train, validation=stop, progress=self.progress)
        self.add(arm, {"loss": method.loss(test) * self.tokens.sum() / self.characters})
        if preset.n_sample:
            rows = method.sample(preset.n_sample, seed=self.seed, progress=self.progress)
            texts = list(rows["text"])
            self.add(arm, {"near copies, train": near_copy_rates(texts, train)["train"].mean})
            filled = [text if text.strip() else "(empty)" for text in texts]
            match = mauve(*text_features(filled, test, seed=self.seed)).mauve
            self.add(arm, {"MAUVE": match})


def study(sets: Mapping[str, Any], models: Mapping[str, Any]) -> Study:
    """Every set with every frozen model, each with a log of its own; `runner.run` runs it.

    Args:
        sets: by name, what `SoftSRV.fit` takes (`synthkit.datasets` reads them from files).
        models: by name, frozen `synthkit.LM`s.
    """
    units = [Unit(UNPROMPTED, RealTrial.measure_unprompted, measures=("loss",))]
    for arm in VARIANTS:
        units.append(Unit(arm, partial(RealTrial.measure_variant, arm=arm), measures=("loss",)))
    cases = [
        Case(
            units,
            partial(RealTrial, frozen=lm, real=real),
            {"world": name, "frozen": model},
            {"texts": target_texts(real), "frozen": lm.fingerprint, "softsrv": PRESETS["study"]},
            log_name(name, model),
        )
        for name, real in sets.items()
        for model, lm in models.items()
    ]
    facts = {name: f"{lm.describe()['parameters']} {lm.fingerprint}" for name, lm in models.items()}
    return Study(
        "softsrv", "SoftSRV on real texts", lambda preset: cases, {"study": RealTextPreset()},
        place="",
        tables=(Table(table, overall=True),),
        notes="Loss in nats a character on held-out texts; MAUVE on TF-IDF features.",
        model={"name": " and ".join(models), **facts},
        command="run(synthkit.studies.softsrv.experiment_real.study(sets, models))",
    )  # fmt: skip


def table(result: Result) -> pd.DataFrame:
    """Mean over the seeds, a row each set, frozen model and variant."""
    frame = result.frame()
    keys = ["world", "frozen", "arm"]
    wide = frame.pivot_table("value", keys, "measure", sort=False).round(3)
    return wide.rename_axis(["set", "frozen model", "variant"]).rename_axis(None, axis=1)
