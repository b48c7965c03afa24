"""SoftSRV's claims, on three targets whose distribution is known: match, copies, use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...lm.finetune import FinetunePreset
from ...softsrv.baselines import lora_generator, repeat_texts, template
from ...softsrv.synthesizer import SoftSRV
from ...worlds import load_target
from ...worlds.targets import Target
from ..study import Case, Trial, Unit
from .scoring import score_student, score_texts

# The variants of the method; a context of 8 numbers passes less of a text than one of N.
VARIANTS: dict[str, dict[str, Any]] = {
    "SSNP": {"kind": "ssnp"},
    "SSMP8": {"kind": "ssmp", "k": 8},
    "SSMC, small context": {"kind": "ssmc", "context": "random", "dim": 8},
    "SSMC": {"kind": "ssmc"},
}
REAL, REPEATED = "real, another sample", "target texts repeated"
TEMPLATE, ENGINEERED = "template", "engineered template"
EXAMPLES = "template with examples"  # where the model's format shows any
LORA = "LoRA generator"
ARMS = (REAL, REPEATED, TEMPLATE, ENGINEERED, EXAMPLES, *VARIANTS, LORA)
# Sweeps, in the first world: widths of a random context, and temperatures.
DIAL = (2, 32)
TEMPERATURES = (0.5, 0.7, 1.3)
SWEPT = ("SSNP", "SSMC, small context")


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        worlds: the domains; each has a target, a narrow and skewed part of it.
        arms: sources of text that are compared. students: those that a student is trained on.
        n_target: texts of the target that the method may see (the paper's smallest set has 384).
        n_held_out: texts of which one half stops the training and the other measures the loss.
        n_synthetic: texts drawn from every arm, and real ones they are compared with.
        n_student: rows that a student is trained on, from an arm's well-formed texts.
        n_test: questions the student answers.
        student: how it is trained.
        method: the preset of SoftSRV.
        sizes: numbers of target texts of a sweep; sweeps: whether the sweeps are run.
        seeds: data seeds; each draws its own target texts and trains its own prompts.
    """

    worlds: tuple[str, ...] = ("math", "code", "facts")
    arms: tuple[str, ...] = ARMS
    students: tuple[str, ...] = (REAL, REPEATED, ENGINEERED, EXAMPLES, *VARIANTS)
    n_target: int = 384
    n_held_out: int = 256
    n_synthetic: int = 1000
    n_student: int = 200
    n_test: int = 200
    student: FinetunePreset = field(default_factory=lambda: FinetunePreset(epochs=4))
    method: str = "study"
    sizes: tuple[int, ...] = (24, 1500)
    sweeps: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)


PRESETS = {
    "fast": ExperimentPreset(
        worlds=("math",),
        arms=(REAL, ENGINEERED, "SSNP", "SSMC, small context"),
        students=(),
        n_target=200,
        n_held_out=64,
        n_synthetic=250,
        method="fast",
        sizes=(),
        sweeps=False,
        seeds=(0,),
    ),
    "study": ExperimentPreset(),
}


# --- what is measured -----------------------------------------------------------------------------


def cases(preset: ExperimentPreset) -> list[Case]:
    """A case for each world; the sweeps are run in the first."""
    found = []
    for world in preset.worlds:
        units = [Unit("target", measure_target)]
        for arm in arms_of(preset, world):
            taught = ("student loss",) if arm in preset.students else ()
            units.append(Unit(arm, partial(run_arm, arm=arm), measures=("MAUVE", *taught)))
        if preset.sweeps and world == preset.worlds[0]:
            units += sweeps(preset)
        found.append(Case(units, partial(TargetTrial, world=world), {"world": world}))
    return found


def arms_of(preset: ExperimentPreset, world: str) -> list[str]:
    """The preset's arms that one world has: examples, where its prompts show any."""
    shows = load_target(world).shows_examples
    return [arm for arm in preset.arms if arm != EXAMPLES or shows]


def sweeps(preset: ExperimentPreset) -> list[Unit]:
    """Sweeps over context width, number of texts, temperature and mixed contexts."""
    fits: dict[str, dict[str, Any]] = {}
    for width in DIAL:
        options = {"kind": "ssmc", "context": "random", "dim": width}
        fits[f"context of {width}"] = {"options": options}
    for size in preset.sizes:
        for name in SWEPT:
            fits[f"{name}, {size} texts"] = {"options": VARIANTS[name], "size": size}
    drawn: dict[str, dict[str, Any]] = {}
    for name in SWEPT:
        for t in TEMPERATURES:
            drawn[f"{name}, temperature {t}"] = {"name": name, "temperature": t}
        if name != "SSNP":
            drawn[f"{name}, mixed contexts"] = {"name": name, "mixed": True}
    return [
        *(Unit(arm, partial(fit_and_score, arm=arm, **how)) for arm, how in fits.items()),
        *(Unit(arm, partial(vary_sampling, arm=arm, **how)) for arm, how in drawn.items()),
    ]


@dataclass
class TargetTrial(Trial):
    """One world and seed: independent samples of its target.

    Attributes:
        fitted: methods by arm, so that the sweeps can use them again.
    """

    world: str = ""
    fitted: dict[str, SoftSRV] = field(default_factory=dict)

    @cached_property
    def target(self) -> Target:
        return load_target(self.world)

    @cached_property
    def texts(self) -> list[str]:
        """Texts that the method may see, and further ones for the sweep over sizes."""
        n = max(self.preset.n_target, *self.preset.sizes, 0)
        return self.target.texts(n, f"train-{self.seed}")

    @property
    def train(self) -> list[str]:
        return self.texts[: self.preset.n_target]

    @cached_property
    def held_out(self) -> tuple[list[str], list[str]]:
        """Texts that end the training, and others that measure the loss."""
        texts = self.target.texts(self.preset.n_held_out, f"held-out-{self.seed}")
        return texts[: len(texts) // 2], texts[len(texts) // 2 :]

    @cached_property
    def reference(self) -> list[str]:
        """The texts that MAUVE compares with."""
        return self.target.texts(self.preset.n_synthetic, f"reference-{self.seed}")

    def score(self, arm: str, texts: list[str], own: list[str] | None, train: list[str]) -> None:
        self.add(arm, score_texts(self.target, texts, self.reference, train, own, self.seed))


def measure_target(trial: TargetTrial) -> None:
    """-log p of the texts that measure the loss, in nats a text and a token (the end counts)."""
    texts = trial.held_out[1]
    nats = -sum(trial.target.log_prob(text) for text in texts)
    tokens = sum(len(ids) + 1 for ids in trial.lm.token_ids(texts))
    trial.add("target", {"entropy per text": nats / len(texts), "entropy": nats / tokens})


def run_arm(trial: TargetTrial, arm: str) -> None:
    """Texts of one arm, scored, and a student that is trained on them."""
    preset = trial.preset
    texts, own = make_texts(trial, arm)
    trial.score(arm, texts, own, trial.train)
    if arm in preset.students:
        test = trial.target.rows(preset.n_test, f"test-{trial.seed}")
        how = (preset.n_student, preset.student, trial.seed, trial.progress)
        trial.add(arm, score_student(trial.lm, trial.target, texts, test, *how))


def make_texts(trial: TargetTrial, arm: str) -> tuple[list[str], list[str] | None]:
    """`n_synthetic` texts of an arm, unfiltered, and the text each was conditioned on, if any."""
    target, train, n, seed = trial.target, trial.train, trial.preset.n_synthetic, trial.seed
    if arm == REAL:
        return target.texts(n, f"second-{seed}"), None
    if arm == REPEATED:
        return list(repeat_texts(train, n, seed=seed)["text"]), None
    if arm in (TEMPLATE, ENGINEERED, EXAMPLES):
        prompts = [target.zero_shot_prompt()]
        if arm != TEMPLATE:
            prompts = target.engineered_prompts(n, train if arm == EXAMPLES else None, seed)
        how = {"drop": (), "seed": seed, "extract": target.extract}
        return list(template(trial.lm, prompts, train, **how).sample(n)["text"]), None
    if arm == LORA:
        options = {"preset": trial.preset.method, "drop": (), "seed": seed}
        made = lora_generator(trial.lm, train, progress=trial.progress, **options)
        trial.add(arm, {"loss": made.loss(trial.held_out[1])})
        return list(made.sample(n)["text"]), None
    return draw_texts(fit(trial, arm, train, VARIANTS[arm]), n, seed)


def fit(trial: TargetTrial, arm: str, train: list[str], options: dict[str, Any]) -> SoftSRV:
    """SoftSRV fitted to `train`; its loss on the tested texts is measured."""
    stop, tested = trial.held_out
    method = SoftSRV(trial.lm, preset=trial.preset.method, seed=trial.seed, drop=(), **options)
    method.fit(train, validation=stop, progress=trial.progress)
    count = method.fitted.prompt.parameter_count
    trial.add(arm, {"loss": method.loss(tested), "parameters": count})
    trial.fitted[arm] = method
    return method


def draw_texts(method: SoftSRV, n: int, seed: int, **how) -> tuple[list[str], list[str] | None]:
    """`n` texts as they come, and the target text whose context each was given."""
    rows = method.sample(n, seed=seed, **how)
    if method.preset.kind == "ssnp" or "contexts" in how:
        return list(rows["text"]), None
    at = dict(zip(method.fitted.rows, method.fitted.texts))
    return list(rows["text"]), [at[i] for i in rows["context"]]


def fit_and_score(
    trial: TargetTrial, arm: str, options: dict[str, Any], size: int | None = None
) -> None:
    """An arm of the sweeps over contexts and sizes."""
    train = trial.texts[: size or trial.preset.n_target]
    method = fit(trial, arm, train, options)
    trial.score(arm, *draw_texts(method, trial.preset.n_synthetic, trial.seed), train)


def vary_sampling(trial: TargetTrial, arm: str, name: str, mixed: bool = False, **how) -> None:
    """One fit, sampled at another temperature, or from contexts half-way between two texts."""
    method = trial.fitted.get(name) or fit(trial, name, trial.train, VARIANTS[name])
    if mixed:
        z = method.fitted.contexts.numpy()
        pairs = np.random.default_rng(trial.seed).integers(len(z), size=(len(z), 2))
        how["contexts"] = (z[pairs[:, 0]] + z[pairs[:, 1]]) / 2
    texts, own = draw_texts(method, trial.preset.n_synthetic, trial.seed, **how)
    trial.score(arm, texts, own, trial.train)
