"""DiffLM on programs and tool schemas: does a frozen model write what a latent tells it to?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...difflm.forms import text_codec
from ...difflm.presets import with_changes
from ...difflm.synthesizer import DiffLM
from ...lm.tokens import text_room
from ..measurements import mean, values
from ..study import Case, Study, Table, Unit, log_name
from .experiment import DIFFUSION, NORMAL, FittedTrial, add_collapse, fixed
from .text_sets import JUDGED, KINDS, TextSet, measure, world_set

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Result

REAL, FROZEN = "held-out texts", "frozen model alone"
ENCODED = "DiffLM, latents of training texts"
# How the fitted method is sampled.
WAYS: dict[str, dict[str, Any]] = {
    DIFFUSION: {},
    NORMAL: {"prior": "normal"},
    ENCODED: {"prior": "encoding"},
}
TURNED_AWAY, TOO_LONG = "turned away", "left out, too long"
# Of the frozen model on held-out texts: what it cannot foresee, no few soft tokens make it write.
SURPRISE = "nats a token, unguided"
SHARES = (
    "valid", "runs", "sound", "right", "novel", "distinct", "coverage", "category distance",
    "shuffled-latent gap", "active dimensions", SURPRISE,
)  # fmt: skip


@dataclass(frozen=True)
class TextsPreset:
    """Sizes of the experiment.

    Texts of more than `longest` tokens (None: than what the model's context holds behind the soft
    tokens), their ends included, are left out and counted.
    """

    n_train: int = 1200  # texts to learn from; DiffLM sets a share of them aside
    n_held: int = 150  # held-out texts that every arm is compared with
    n_sample: int = 150  # texts in an arm, and in that of real texts, which are held out as well
    longest: int | None = None
    method: str = "fast"  # the preset of DiffLM
    changes: Mapping[str, Any] = field(default_factory=dict)  # of it, see `with_changes`
    max_tries: int = 5  # how often a text without an end is drawn anew
    seeds: tuple[int, ...] = (0, 1, 2)  # each splits its set and trains its own method

    def __post_init__(self):
        for name in ("n_train", "n_held", "n_sample", "max_tries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


# Tried on further programs of the code world: latents begin to matter after some 200 steps.
QUICK = {
    "autoencoder_steps": 600, "autoencoder_lr": 5e-3, "autoencoder_eval_every": 60,
    "autoencoder_batch_size": 16, "autoencoder_width": 128, "latent": 32, "tokens": 8,
    "beta": 1e-3, "floor": 5e-4, "diffusion_steps": 600,
}  # fmt: skip
PRESETS = {
    "fast": TextsPreset(240, 40, 40, seeds=(0,), changes={
        **QUICK, "autoencoder_steps": 60, "autoencoder_eval_every": 20, "diffusion_steps": 200,
    }),
    "study": TextsPreset(changes=QUICK),
}  # fmt: skip


def split_texts(
    lm, about: TextSet, preset: TextsPreset, seed: int
) -> tuple[list[str], list[str], list[str], int]:
    """Texts to learn from, an arm of real ones, and held-out ones; how many are too long."""
    tokens = with_changes(preset.method, preset.changes).autoencoder.tokens
    room = text_room(lm, tokens) + 1  # with its end
    room = room if preset.longest is None else min(room, preset.longest)
    lengths = np.array([len(ids) + 1 for ids in lm.token_ids(about.texts)])  # and the end
    fit = np.flatnonzero(lengths <= room)
    need = preset.n_train + preset.n_sample + preset.n_held
    if not len(fit):
        raise ValueError(
            f"all {len(lengths)} texts are too long: the shortest has {lengths.min()} tokens, and "
            f"at most {room} are allowed (the context is {lm.context}); shorten the texts, or take "
            "another model"
        )
    if len(fit) < need:
        raise ValueError(
            f"{need} texts are needed, found {len(fit)} that are short enough (of {len(lengths)}); "
            "give more, or a TextsPreset of smaller sizes"
        )
    order = np.random.default_rng(seed).permutation(fit)[:need]
    train, real, held = np.split(order, [preset.n_train, preset.n_train + preset.n_sample])
    parts = ([about.texts[i] for i in part] for part in (train, real, held))
    return (*parts, len(lengths) - len(fit))


@dataclass
class TextTrial(FittedTrial):
    """One set and seed with a frozen model: its parts, and the method fitted to them."""

    about: TextSet | None = None

    @cached_property
    def parts(self) -> tuple[list[str], list[str], list[str], int]:
        return split_texts(self.lm, self.about, self.preset, self.seed)

    def fit(self, **how) -> DiffLM:
        options = {"preset": self.preset.method, "seed": self.seed, **self.preset.changes}
        return DiffLM(self.lm, **options).fit(self.parts[0], progress=self.progress, **how)

    def score(self, arm: str, texts: Sequence[str]) -> None:
        train, _, held, _ = self.parts
        self.add(arm, measure(texts, self.about, train, held))


def measure_arm(trial: TextTrial, arm: str) -> None:
    """An arm's texts, judged, and what is known of it alone."""
    if arm == REAL:
        trial.add(REAL, {TOO_LONG: trial.parts[-1]})
        trial.score(REAL, trial.parts[1])
    elif arm == FROZEN:
        trial.score(FROZEN, unguided(trial))
        trial.add(FROZEN, {SURPRISE: float(trial.lm.nll(trial.parts[2]).mean())})
    else:
        texts, turned_away = guided(trial, arm)
        trial.add(arm, {TURNED_AWAY: turned_away})
        trial.score(arm, texts)
    if arm == DIFFUSION:
        add_collapse(trial, DIFFUSION)


def unguided(trial: TextTrial) -> list[str]:
    """Texts that the frozen model writes alone, in the room that DiffLM gives one."""
    preset = with_changes(trial.preset.method, trial.preset.changes)
    room = text_codec(trial.lm, trial.parts[0], preset).length
    how = {"max_new_tokens": room, "seed": trial.seed, "progress": trial.progress}
    return written_alone(trial.lm, trial.preset.n_sample, **how)


def written_alone(lm, n: int, **how: Any) -> list[str]:
    """`n` texts that a model writes from its begin; `how` is of `generate`.

    A model without a begin token starts behind an end, as between two documents.
    """
    begin = lm.embed_ids([lm.eos_id if lm.bos_id is None else lm.bos_id])
    return lm.generate(inputs_embeds=[begin] * n, temperature=1.0, **how)


def guided(trial: TextTrial, arm: str) -> tuple[list[str], int]:
    """DiffLM's texts, and how many drafts were turned away: those without an end, or blank.

    Every other draft is kept, valid or not. Where the tries do not suffice there are fewer texts.
    """
    kept: list[str] = []

    def keep(text: str) -> bool:
        kept.append(text)
        return True

    method, preset = trial.method, trial.preset
    options = {"max_tries": preset.max_tries, "progress": trial.progress, **WAYS[arm]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are too few texts
        method.sample(preset.n_sample, seed=trial.seed, check=keep, **options)
    return kept, method.report.rejected.total()


def world_sets(preset: TextsPreset) -> dict[str, TextSet]:
    """The two worlds, each three times as many texts as a seed needs, so that seeds differ."""
    need = preset.n_train + preset.n_sample + preset.n_held
    return {name: world_set(name, 3 * need) for name in KINDS}


NOTES = (
    "Shares: valid, runs, sound and right of all texts that were judged, novel and distinct of the "
    "valid ones; coverage of the categories of held-out texts, and total variation from their "
    "distribution."
)


def study(
    sets: Mapping[str, TextSet] | None = None, presets: Mapping[str, TextsPreset] | None = None
) -> Study:
    """Every set, each with a log of its own; `runner.run` runs it.

    Further seeds and sets can be added to the same folder; anything else needs another one, a set's
    own `category` and `right` too, which no key can tell.

    Args:
        sets: by name; files are read by `synthkit.datasets`, as in
            `TextSet(load_mbpp(path)["code"], "code")` or
            `TextSet(load_tool_schemas(path)["text"], "tools")`. None: the two worlds.
        presets: by the name of a set, one of its own.
    """
    presets = dict(presets or {})
    if unknown := ", ".join(sorted(set(presets) - set(KINDS if sets is None else sets))):
        known = ", ".join(KINDS if sets is None else sets)
        raise ValueError(f"there is a preset for {unknown}, but the sets are {known}")

    def cases(preset: TextsPreset) -> list[Case]:
        arms, found = (REAL, FROZEN, *WAYS), []
        units = [Unit(arm, partial(measure_arm, arm=arm), measures=(JUDGED,)) for arm in arms]
        for name, about in (world_sets(preset) if sets is None else sets).items():
            trial = partial(TextTrial, name=name, about=about)
            key = {"texts": about.texts, "kind": about.kind}
            found.append(Case(units, trial, {"set": name}, key, log_name(name), presets.get(name)))
        return found

    return Study(
        "difflm", "DiffLM on texts", cases, PRESETS,
        place="{set}",
        tables=(Table(table, overall=True),),
        notes=NOTES,
        settings=lambda preset: fixed(preset, preset.changes),
        command="run(synthkit.studies.difflm.experiment_texts.study(sets), lm=lm)",
        given={"presets": presets},
    )  # fmt: skip


def table(result: Result) -> pd.DataFrame:
    """Means over the seeds, a row each set and arm; columns that no arm has are left out.

    `texts` and `turned away` are counts over all seeds, the rest are shares (see `measure`).
    """
    import pandas as pd

    keys = dict.fromkeys((row["set"], row["arm"]) for row in result.measurements)
    lines = []
    for name, arm in keys:
        counts = {"texts": JUDGED, TURNED_AWAY: TURNED_AWAY}
        line: dict[str, Any] = {"set": name, "arm": arm}
        line |= {k: np.nansum(values(result, m, arm, set=name)) for k, m in counts.items()}
        line |= {share: mean(values(result, share, arm, set=name)) for share in SHARES}
        lines.append(line)
    columns = ["set", "arm", "texts", TURNED_AWAY, *SHARES]
    frame = pd.DataFrame(lines, columns=columns).set_index(["set", "arm"])
    frame[["texts", TURNED_AWAY]] = frame[["texts", TURNED_AWAY]].astype(int)
    return frame.dropna(axis=1, how="all")
