"""SoftSRV's claims, measured on three targets whose law is known: match, copies, use."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...lm.finetune import FinetunePreset
from ...softsrv.baselines import lora_generator, repeat_texts, template
from ...softsrv.synthesizer import PRESETS as METHOD_PRESETS
from ...softsrv.synthesizer import SoftSRV
from ...worlds import load_target
from ...worlds.targets import Target
from ..measurements import Log
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


@dataclass(frozen=True)
class Run:
    """One world and seed: what is drawn from the target, and where the measurements go.

    Attributes:
        train: the texts the method may see, and further ones for the sweep over sizes.
        stop, tested: held-out texts that end the training, and that measure the loss.
        reference, second: two samples that MAUVE compares with, and with each other.
        test: rows that a student answers.
        fitted: methods by arm, so that the sweeps can use them again.
    """

    lm: Any
    preset: ExperimentPreset
    target: Target
    seed: int
    log: Log
    progress: bool
    train: list[str]
    stop: list[str]
    tested: list[str]
    reference: list[str]
    second: list[str]
    test: list[dict]
    fitted: dict[str, SoftSRV] = field(default_factory=dict)

    def done(self, unit: str) -> bool:
        return self.log.done(unit, self.seed)

    def unit(self, unit: str) -> AbstractContextManager[None]:
        return self.log.unit(unit, self.seed)

    def add(self, arm: str, measured: dict[str, float]) -> None:
        for measure, value in measured.items():
            self.log.add(measure, arm, self.seed, value)

    def score(self, arm: str, texts: list[str], own: list[str] | None, train: list[str]) -> None:
        found = score_texts(self.target, texts, self.reference, train, own, self.seed)
        self.add(arm, found)


def draw(
    lm, preset: ExperimentPreset, target: Target, seed: int, log: Log, progress: bool = False
) -> Run:
    """Independent samples of one target."""
    held_out = target.texts(preset.n_held_out, f"held-out-{seed}")
    half = len(held_out) // 2
    return Run(
        lm, preset, target, seed, log, progress,
        train=target.texts(max(preset.n_target, *preset.sizes, 0), f"train-{seed}"),
        stop=held_out[:half],
        tested=held_out[half:],
        reference=target.texts(preset.n_synthetic, f"reference-{seed}"),
        second=target.texts(preset.n_synthetic, f"second-{seed}"),
        test=target.rows(preset.n_test, f"test-{seed}"),
    )  # fmt: skip


def run_world(
    lm, preset: ExperimentPreset, world: str, seed: int, log: Log, progress: bool = False
) -> None:
    """All arms of one world and seed; those that are finished in `log` stay."""
    target = load_target(world)
    run = draw(lm, preset, target, seed, log.labelled(world=world), progress)
    if not run.done("target"):
        with run.unit("target"):
            run.add("target", entropy(lm, target, run.tested))
    for arm in arms_of(preset, world):
        if not run.done(arm):
            with run.unit(arm):
                run_arm(run, arm)
    if preset.sweeps and world == preset.worlds[0]:
        run_sweeps(run)


def arms_of(preset: ExperimentPreset, world: str) -> list[str]:
    """The preset's arms that one world has: examples, where its prompts show any."""
    shows = load_target(world).shows_examples
    return [arm for arm in preset.arms if arm != EXAMPLES or shows]


def run_arm(run: Run, arm: str) -> None:
    """Texts of one arm, scored, and a student that is trained on them."""
    preset = run.preset
    texts, own = make_texts(arm, run)
    run.score(arm, texts, own, run.train[: preset.n_target])
    if arm in preset.students:
        size, how = preset.n_student, preset.student
        found = score_student(
            run.lm, run.target, texts, run.test, size, how, run.seed, run.progress
        )
        run.add(arm, found)


def entropy(lm, target: Target, texts: Sequence[str]) -> dict[str, float]:
    """-log p of the texts that measure the loss, in nats a text and a token (the end counts)."""
    nats = -sum(target.log_prob(text) for text in texts)
    tokens = sum(len(ids) + 1 for ids in lm.token_ids(texts))
    return {"entropy per text": nats / len(texts), "entropy": nats / tokens}


def make_texts(arm: str, run: Run) -> tuple[list[str], list[str] | None]:
    """`n_synthetic` texts of an arm, unfiltered, and the text each was conditioned on, if any."""
    train, n, seed = run.train[: run.preset.n_target], run.preset.n_synthetic, run.seed
    if arm == REAL:
        return run.second, None
    if arm == REPEATED:
        return list(repeat_texts(train, n, seed=seed)["text"]), None
    if arm in (TEMPLATE, ENGINEERED, EXAMPLES):
        shown = train if arm == EXAMPLES else None
        prompts = (
            [run.target.zero_shot_prompt()]
            if arm == TEMPLATE
            else run.target.engineered_prompts(n, shown, seed)
        )
        extract = run.target.extract
        made = template(run.lm, prompts, train, drop=(), seed=seed, extract=extract)
        return list(made.sample(n)["text"]), None
    if arm == LORA:
        options = {"preset": run.preset.method, "drop": (), "seed": seed}
        made = lora_generator(run.lm, train, progress=run.progress, **options)
        run.add(arm, {"loss": made.loss(run.tested)})
        return list(made.sample(n)["text"]), None
    return draw_texts(fit(arm, run, train, VARIANTS[arm]), n, seed)


def fit(arm: str, run: Run, train: list[str], options: dict[str, Any]) -> SoftSRV:
    """SoftSRV fitted to `train`; its loss on the tested texts is measured."""
    method = SoftSRV(run.lm, preset=run.preset.method, seed=run.seed, drop=(), **options)
    method.fit(train, held_out=run.stop, progress=run.progress)
    count = method.fitted.prompt.parameter_count
    run.add(arm, {"loss": method.loss(run.tested), "parameters": count})
    run.fitted[arm] = method
    return method


def draw_texts(method: SoftSRV, n: int, seed: int, **how) -> tuple[list[str], list[str] | None]:
    """`n` texts as they come, and the target text whose context each was given."""
    rows = method.sample(n, seed=seed, **how)
    if method.kind == "ssnp" or "contexts" in how:
        return list(rows["text"]), None
    at = dict(zip(method.fitted.rows, method.texts))
    return list(rows["text"]), [at[i] for i in rows["context"]]


# --- sweeps, in the first world ------------------------------------------------------------------


def run_sweeps(run: Run) -> None:
    """How much the context passes, how many texts there are, temperature, mixed contexts."""
    train = run.train[: run.preset.n_target]
    for width in DIAL:
        arm, options = f"context of {width}", {"kind": "ssmc", "context": "random", "dim": width}
        _fit_and_score(arm, run, train, options)
    for size in run.preset.sizes:
        for name in SWEPT:
            _fit_and_score(f"{name}, {size} texts", run, run.train[:size], VARIANTS[name])
    for name in SWEPT:
        _vary_sampling(name, run, train)


def _fit_and_score(arm: str, run: Run, train: list[str], options: dict[str, Any]) -> None:
    if not run.done(arm):
        with run.unit(arm):
            texts, own = draw_texts(fit(arm, run, train, options), run.preset.n_synthetic, run.seed)
            run.score(arm, texts, own, train)


def _vary_sampling(name: str, run: Run, train: list[str]) -> None:
    """One fit, sampled at several temperatures and from contexts half-way between two texts."""
    arms = {f"{name}, temperature {t}": {"temperature": t} for t in TEMPERATURES}
    if name != "SSNP":
        arms[f"{name}, mixed contexts"] = {"contexts": None}
    for arm, how in arms.items():
        if run.done(arm):
            continue
        with run.unit(arm):
            method = run.fitted.get(name) or fit(name, run, train, VARIANTS[name])
            if "contexts" in how:
                z = method.fitted.contexts.numpy()
                pairs = np.random.default_rng(run.seed).integers(len(z), size=(len(z), 2))
                how = {"contexts": (z[pairs[:, 0]] + z[pairs[:, 1]]) / 2}
            texts, own = draw_texts(method, run.preset.n_synthetic, run.seed, **how)
            run.score(arm, texts, own, train)


def expected(preset: ExperimentPreset) -> list[dict[str, str]]:
    """The measurements that every seed must have."""
    found = []
    for world in preset.worlds:
        arms = arms_of(preset, world)
        found += [{"world": world, "arm": arm, "measure": "MAUVE"} for arm in arms]
        taught = [arm for arm in arms if arm in preset.students]
        found += [{"world": world, "arm": arm, "measure": "student loss"} for arm in taught]
    return found


def reproduce(
    scale: str = "fast",
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/softsrv-fast",
    progress: bool = False,
):
    """Run the experiment at one scale and write `result.json` and figures to `out`.

    An interrupted run continues: what is measured of an arm is on disk when the arm is whole.

    Raises:
        ValueError: a scale without an experiment; the paper's needs a real model, for which there
            is `SoftSRV(load_lm(...), preset="paper")`.
    """
    from ..runner import run_study, with_method
    from .report import show

    def each(lm, preset, seed: int, log: Log) -> None:
        for world in preset.worlds:
            run_world(lm, preset, world, seed, log, progress)

    return run_study(
        "softsrv", PRESETS, each, show, scale=scale, seeds=seeds, out=out, progress=progress,
        fixed=with_method(METHOD_PRESETS), expected=expected,
        notes="The frozen model and the students are the embedded model; answers come from the "
        "target's oracle. MAUVE on TF-IDF features, a mean over five clusterings.",
        instead='with a real model, see SoftSRV(load_lm(...), preset="paper")',
    )  # fmt: skip
