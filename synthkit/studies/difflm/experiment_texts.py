"""DiffLM on programs and tool schemas: does a frozen model write what a latent tells it to?"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.files import sha256_text
from ...difflm.synthesizer import DiffLM, TriesUsedUp, text_codec, with_changes
from ..measurements import Log, in_order, mean, study_key, values
from .experiment import DIFFUSION, NORMAL, add_collapse, check_names, fixed, keep_fit, kept_fit
from .experiment_text_sets import JUDGED, KINDS, TextSet, measure, world_set

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
    "rise of a wrong latent", "active dimensions", SURPRISE,
)  # fmt: skip


@dataclass(frozen=True)
class TextsPreset:
    """Sizes of the experiment.

    Attributes:
        n_train: texts to learn from; DiffLM sets a share of them aside to stop in time.
        n_held: held-out texts that every arm is compared with.
        n_sample: texts in an arm, and in that of real texts, which are held out as well.
        longest: tokens of a text at most, its end included; longer ones are left out and counted.
            None: what the model's context holds behind the soft tokens.
        method: the preset of DiffLM. changes: single values of it, see `with_changes`.
        max_tries: how often a text without an end is drawn anew; all drafts are counted.
        seeds: each splits its set and trains its own method.

    Raises:
        ValueError: a number that is not positive.
    """

    n_train: int = 1200
    n_held: int = 150
    n_sample: int = 150
    longest: int | None = None
    method: str = "fast"
    changes: Mapping[str, Any] = field(default_factory=dict)
    max_tries: int = 5
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self):
        for name in ("n_train", "n_held", "n_sample", "max_tries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


# Tried on further programs of the code world: latents begin to matter after some 200 steps.
QUICK = {
    "steps": 600, "lr": 5e-3, "eval_every": 60, "batch_size": 16, "latent": 32, "tokens": 8,
    "width": 128, "beta": 1e-3, "floor": 5e-4, "diffusion_steps": 600,
}  # fmt: skip
PRESETS = {
    "fast": TextsPreset(
        n_train=240,
        n_held=40,
        n_sample=40,
        changes={**QUICK, "steps": 60, "eval_every": 20, "diffusion_steps": 200},
        seeds=(0,),
    ),
    "study": TextsPreset(changes=QUICK),
}


def split_texts(
    lm, about: TextSet, preset: TextsPreset, seed: int
) -> tuple[list[str], list[str], list[str], int]:
    """Texts to learn from, an arm of real ones, and held-out ones; how many are too long.

    Raises:
        ValueError: every text is too long, or too few are left.
    """
    tokens = with_changes(preset.method, preset.changes).autoencoder.tokens
    room = lm.context - tokens - (lm.bos_id is not None)
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
class TextTrial:
    """One set and seed with a frozen model: its parts, and the method fitted to them.

    Attributes:
        log: with the label `set`.
    """

    name: str
    about: TextSet
    lm: Any
    preset: TextsPreset
    seed: int
    log: Log
    progress: bool = False

    @cached_property
    def parts(self) -> tuple[list[str], list[str], list[str], int]:
        return split_texts(self.lm, self.about, self.preset, self.seed)

    @property
    def folder(self) -> Path:
        """Of the fitted method, until all is measured."""
        return self.log.path.with_name(f"fit-{self.name}-{self.seed}")

    @cached_property
    def method(self) -> DiffLM:
        """Fitted, and kept on disk so that an interrupted experiment does not fit it again."""
        options = {"preset": self.preset.method, "seed": self.seed, **self.preset.changes}
        method, folder = DiffLM(self.lm, **options), self.folder
        facts = {"seed": self.seed, "rows": texts_hash(self.parts[0])}
        kept = kept_fit(folder, method, facts, self.lm)
        if kept is not None:
            return kept[0]
        begun = time.process_time()
        method.fit(self.parts[0], checkpoint=folder / "running", progress=self.progress)
        keep_fit(folder, method, {**facts, "seconds": time.process_time() - begun})
        return method

    def add(self, arm: str, measured: Mapping[str, float]) -> None:
        for name, value in measured.items():
            self.log.add(name, arm, self.seed, value)

    def score(self, arm: str, texts: Sequence[str]) -> None:
        train, _, held, _ = self.parts
        self.add(arm, measure(texts, self.about, train, held))


def texts_hash(texts: Sequence[str]) -> str:
    """The SHA-256 of some texts, in their order."""
    return sha256_text(json.dumps(list(texts)))


def run_set(trial: TextTrial) -> None:
    """The real texts, the frozen model and every arm of DiffLM, unless they are finished."""
    for arm in (REAL, FROZEN, *WAYS):
        if not trial.log.done(arm, trial.seed):
            with trial.log.unit(arm, trial.seed):
                measure_arm(trial, arm)
    shutil.rmtree(trial.folder, ignore_errors=True)


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
        add_collapse(trial, DIFFUSION, trial.method)


def unguided(trial: TextTrial) -> list[str]:
    """What the frozen model writes from its begin, in the room that DiffLM gives a text.

    A model without a begin token starts behind an end, as between two documents.
    """
    lm, preset = trial.lm, with_changes(trial.preset.method, trial.preset.changes)
    begin = lm.embed_ids([lm.eos_id if lm.bos_id is None else lm.bos_id])
    room = text_codec(lm, trial.parts[0], preset).length
    return lm.generate(
        inputs_embeds=[begin] * trial.preset.n_sample, max_new_tokens=room, temperature=1.0,
        seed=trial.seed, progress=trial.progress,
    )  # fmt: skip


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
    try:
        method.table(preset.n_sample, trial.seed, check=keep, **options)
    except TriesUsedUp:
        pass  # what was kept is judged all the same, and the report counts the rest
    return kept, sum(method.report.values()) - len(kept)


def world_sets(preset: TextsPreset) -> dict[str, TextSet]:
    """The two worlds, each three times as many texts as a seed needs, so that seeds differ."""
    need = preset.n_train + preset.n_sample + preset.n_held
    return {name: world_set(name, 3 * need) for name in KINDS}


def reproduce(
    sets: Mapping[str, TextSet] | None = None,
    lm=None,
    preset: str | TextsPreset = "fast",
    *,
    presets: Mapping[str, TextsPreset] | None = None,
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/difflm-texts",
    progress: bool = False,
) -> Result:
    """Every set and seed, recorded in `out/result.json`; it goes on if interrupted.

    Each set has a log of its own in `out`, keyed by what it is measured with: texts, their kind,
    model, preset. Further seeds and sets can be added to the same `out`; anything else needs
    another folder, a set's own `category` and `right` too, which no key can tell.

    Args:
        sets: by name; files are read by `synthkit.datasets`, as in
            `TextSet(load_mbpp(path)["code"], "code")` or
            `TextSet(load_tool_schemas(path)["text"], "tools")`. None: the two worlds.
        lm: the frozen decoder; None is the embedded model.
        preset: of `PRESETS`, by name or itself.
        presets: by the name of a set, one of its own instead.

    Raises:
        ValueError: an unknown preset, a preset for a set that is not there, a name that no file can
            have, other settings than those that `out` was measured with, or a set that is too small
            or too long; see `split_texts`.
        RuntimeError: code, where no process can be limited; see `synthkit.sandbox`.
    """
    from ...lm import load_lm
    from ..results import record

    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; choose one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    lm = load_lm() if lm is None else lm
    sets, presets = world_sets(chosen) if sets is None else sets, dict(presets or {})
    if unknown := ", ".join(sorted(set(presets) - set(sets))):
        raise ValueError(f"there is a preset for {unknown}, but the sets are {', '.join(sets)}")
    seeds, out = list(chosen.seeds if seeds is None else seeds), Path(out)
    check_names(sets, "set")
    with ExitStack() as stack:
        logs = {}
        for name, about in sets.items():  # all of them, before anything is measured
            own = presets.get(name, chosen)
            key = study_key(
                texts=about.texts, kind=about.kind, model=lm.fingerprint,
                preset=fixed(own, own.changes),
            )  # fmt: skip
            log = Log(out / f"measurements-{name}.jsonl", key, set=name)
            logs[name] = stack.enter_context(log)
        for seed, (name, about) in product(seeds, sets.items()):
            own = presets.get(name, chosen)
            run_set(TextTrial(name, about, lm, own, seed, logs[name], progress))
        rows = in_order(logs.values(), seeds)
        told = {**asdict(chosen), "presets": {name: asdict(own) for name, own in presets.items()}}
        return record(
            out / "result.json",
            method="difflm",
            command="synthkit.studies.difflm.experiment_texts.reproduce(sets, lm)",
            preset=told,
            scale=preset if isinstance(preset, str) else "study",
            model={**lm.describe(), "fingerprint": lm.fingerprint},
            seeds=seeds,
            measurements=rows,
            notes=" ".join((NOTES, *left_out(rows, sets))),
            expected=[
                {"set": name, "arm": arm, "measure": JUDGED}
                for name, arm in product(sets, (REAL, FROZEN, *WAYS))
            ],
        )


NOTES = (
    "Shares: valid, runs, sound and right of all texts that were judged, novel and distinct of the "
    "valid ones; coverage of the categories of held-out texts, and total variation from their law."
)


def left_out(measured: Sequence[Mapping], sets: Mapping[str, TextSet]) -> list[str]:
    """A sentence a set: how many of its texts are too long for the model or the preset."""
    rows = {row["set"]: row["value"] for row in measured if row["measure"] == TOO_LONG}
    return [
        f"{name}: {rows[name]:.0f} of {len(about.texts)} texts are too long and left out."
        for name, about in sets.items()
    ]


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
