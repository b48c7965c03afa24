"""DiffLM's claims on tables: is the joint law learned, and from where must latents come?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import read_json, sha256_text, write_json
from ...core.paths import embedded_lm_dir
from ...difflm.synthesizer import DiffLM, TriesUsedUp, with_changes
from ...evaluation.table_baselines import ctgan_table, great_table, tvae_table
from ...evaluation.table_utility import utility
from ...evaluation.tables import evaluate_table, reference_rows, reference_tables
from ...worlds import load_world
from ...worlds.census import POSITIVE, joint_distance
from ..measurements import Log

if TYPE_CHECKING:
    import pandas as pd

    from ...worlds.census import CensusWorld

CENSUS = "census"
BAYES = "the exact law"  # its score of the target, which no classifier beats
REAL, FEW, WITHIN, INDEPENDENT = (
    "real",
    "1,000 real rows",
    "independent within classes",
    "independent columns",
)
DIFFUSION, NORMAL = "DiffLM", "DiffLM, latents from N(0, I)"
ENCODED, SHARP = "DiffLM, latents of training rows", "DiffLM, temperature 0.5"
# How one fitted method is sampled.
WAYS: dict[str, dict[str, Any]] = {
    DIFFUSION: {},
    NORMAL: {"prior": "normal"},
    ENCODED: {"prior": "encoding"},
    SHARP: {"temperature": 0.5},
}
FREE, FREE_SHARP = "DiffLM, free sampling", "DiffLM, free sampling at 0.5"
# Without the trie, at which temperature; 0.5 is that of the paper's code.
FREELY = {FREE: 1.0, FREE_SHARP: 0.5}
COLLAPSED, COLLAPSED_STEPS = "DiffLM, collapse forced", 200  # steps of its diffusion
# Arms with the latent let in another way than by soft tokens; see `autoencoder.KINDS`.
INJECTED = {"DiffLM, memory": "memory", "DiffLM, embedding": "embedding"}
# Other libraries, each optional; GReaT tunes the embedded model, which is small too.
OTHERS: dict[str, Callable[..., pd.DataFrame]] = {
    "TVAE": tvae_table,
    "CTGAN": ctgan_table,
    "GReaT": lambda *args, **how: great_table(*args, model=embedded_lm_dir(), **how),
}
FEWEST_ROWS = 100  # of another library's table; with fewer, nothing can be said of it
# Units of measurements that are no arms.
FIT, REFERENCE, COLLAPSE, MIXED = "the fit", "reference tables", "use of the latents", "mixed rows"
MIXES = (0.25, 0.5, 0.75, 1.0)  # synthetic rows added, as shares of the real ones
MEASURES = (
    "shape_error", "auc", "f1", "rmse", "r2", "pair_error", "pair_error_real_bins", "c2st",
    "nearer_train", "copies", "natural_copies", "invalid", "rare_coverage",
)  # fmt: skip


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        n_train, n_test: rows of the census world.
        method: the preset of DiffLM.
        ways: arms of `WAYS` that are sampled, each as many rows as there are to learn from.
        n_free: rows drawn without the trie, to count what is invalid; 0 for none.
        ablations: whether a collapse is forced.
        injected: arms of `INJECTED` that are fitted too.
        mixes: whether real rows are mixed with synthetic ones.
        utility_seeds: of the boosted trees.
        others: arms of `OTHERS`, each trained for as many seconds of CPU as DiffLM, or for its own
            default number of epochs where that takes less.
        seeds: each draws its rows and trains its own method.
    """

    n_train: int = 5000
    n_test: int = 5000
    method: str = "study"
    ways: tuple[str, ...] = tuple(WAYS)
    n_free: int = 1000
    ablations: bool = True
    injected: tuple[str, ...] = tuple(INJECTED)
    mixes: bool = True
    utility_seeds: tuple[int, ...] = (0,)
    others: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)


PRESETS = {
    "fast": ExperimentPreset(
        method="fast",
        ways=(DIFFUSION, NORMAL),
        n_free=500,
        ablations=False,
        injected=(),
        mixes=False,
        seeds=(0,),
    ),
    "study": ExperimentPreset(),
}


@dataclass
class Trial:
    """One table and seed: rows to learn from and to test on, and the method fitted to them.

    Attributes:
        log: with the label `table`.
        options: of `DiffLM`, such as `{"ranks": None}` for numbers on a grid.
        world: the one that the rows are from, where their law is known.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    preset: ExperimentPreset
    seed: int
    log: Log
    options: dict[str, Any]
    progress: bool = False
    world: CensusWorld | None = None

    @property
    def folder(self) -> Path:
        """Of the fitted method, until all is measured."""
        return self.log.path.with_name(f"fit-{self.name}-{self.seed}")

    @cached_property
    def method(self) -> DiffLM:
        """Fitted, and kept on disk so that an interrupted experiment does not fit it again."""
        method = self.unfitted()
        facts = {"seed": self.seed, "target": self.target, "rows": rows_hash(self.train)}
        kept = kept_fit(self.folder, method, facts)
        if kept is None:
            if self.preset.others:  # they get the time of a whole fit: none may go on from a half
                shutil.rmtree(self.folder / "running", ignore_errors=True)
            begun = time.process_time()
            self.fit(method, checkpoint=self.folder / "running")
            kept = method, time.process_time() - begun
            keep_fit(self.folder, method, {**facts, "seconds": kept[1]})
        if not self.done(FIT):
            with self.unit(FIT):
                self.add(DIFFUSION, {"seconds": kept[1]})
        return kept[0]

    def unfitted(self, **changes) -> DiffLM:
        return DiffLM(preset=self.preset.method, seed=self.seed, **(self.options | changes))

    def fit(self, method: DiffLM, checkpoint: Path | None = None, decoder=None) -> DiffLM:
        how = {"checkpoint": checkpoint, "decoder": decoder, "progress": self.progress}
        return method.fit(self.train, target=self.target, **how)

    def variant(self, **changes) -> DiffLM:
        """Another autoencoder and diffusion around the decoder of the method."""
        return self.fit(self.unfitted(**changes), decoder=self.method.decoder)

    def sampled(self, method: DiffLM, n: int | None = None, **how) -> pd.DataFrame:
        return method.table(n or len(self.train), self.seed, progress=self.progress, **how)

    def add(self, arm: str, measured: Mapping[str, float]) -> None:
        for measure, value in measured.items():
            self.log.add(measure, arm, self.seed, value)

    def done(self, unit: str) -> bool:
        return self.log.done(unit, self.seed)

    def unit(self, unit: str) -> AbstractContextManager[None]:
        return self.log.unit(unit, self.seed)

    @property
    def judging(self) -> dict[str, Any]:
        """How tables are measured."""
        return {"target": self.target, "seeds": self.preset.utility_seeds}


def keep_fit(folder: Path, method: DiffLM, facts: Mapping[str, Any]) -> None:
    """Write a fit to `folder`, and `facts`: what it was fitted to, and the seconds it took."""
    method.save(folder / "method")
    write_json(folder / "facts.json", dict(facts))  # last: it says that all is there


def kept_fit(
    folder: Path, method: DiffLM, facts: Mapping[str, Any], lm=None
) -> tuple[DiffLM, float] | None:
    """The fit that an interrupted experiment left in `folder` and its seconds, or None.

    Raises:
        ValueError: it has other settings than `method`, or was fitted to something else than
            `facts` say.
    """
    told = folder / "facts.json"
    known = read_json(told) if told.is_file() else {}
    if "seconds" not in known:  # cut off before all was there, or by an older version
        return None
    changed = [name for name in facts if known.get(name) != facts[name]]
    kept = None if changed else type(method).load(folder / "method", lm)
    if kept is None or kept.preset != method.preset:
        raise ValueError(
            f"{folder.name} holds a fit with other {', '.join(changed) or 'settings'}; remove it, "
            "or choose another folder"
        )
    return kept, known["seconds"]


def rows_hash(frame: pd.DataFrame) -> str:
    """The SHA-256 of a table's columns and rows, in their order; its index does not matter."""
    rows = frame.itertuples(index=False, name=None)
    return sha256_text("\n".join(map(repr, (tuple(frame.columns), *rows))))


def fixed(preset, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What of a preset no later call may change: all but seeds and other libraries.

    DiffLM's own preset stands there with all its values, `options` included, since a later version
    may give its name other ones.
    """
    kept = {k: v for k, v in asdict(preset).items() if k not in ("seeds", "others")}
    return {**kept, "method": asdict(with_changes(preset.method, options or {}))}


def check_names(names: Iterable[str], what: str = "table") -> None:
    """Raise ValueError unless every name can be part of the name of a file."""
    for name in names:
        good = isinstance(name, str) and name.strip() and len(name.encode()) <= 100
        if not good or set(name) & set("/\\\0"):
            raise ValueError(
                f"the name of a {what} becomes part of a file's name: a text that is not blank, "
                f"without a slash and of at most 100 bytes; found {name!r}"
            )


def run_table(trial: Trial) -> None:
    """The reference tables and every arm, unless they are finished in the log."""
    for unit, measure in units(trial).items():
        if not trial.done(unit):
            with trial.unit(unit):
                measure()
    shutil.rmtree(trial.folder, ignore_errors=True)


def units(trial: Trial) -> dict[str, Callable[[], None]]:
    """The units of a trial's measurements; each adds its own."""
    preset = trial.preset
    found: dict[str, Callable[[], None]] = {}
    if trial.world is not None:
        found[BAYES] = partial(add_exact, trial)
    found[REFERENCE] = partial(add_references, trial)
    for arm in preset.ways:
        found[arm] = partial(add_way, trial, arm)
    found[COLLAPSE] = partial(add_own_collapse, trial)
    if preset.n_free:
        found |= {arm: partial(add_free, trial, arm) for arm in FREELY}
    if preset.ablations:
        # Its latents say nothing, so there is nothing that a longer diffusion could learn.
        how = {"beta": 10.0, "floor": 10.0, "diffusion_steps": COLLAPSED_STEPS}
        found[COLLAPSED] = partial(add_variant, trial, COLLAPSED, **how)
    for arm in preset.injected:
        found[arm] = partial(add_variant, trial, arm, kind=INJECTED[arm])
    if preset.mixes:
        found[MIXED] = partial(add_mixes, trial)
    return found | {arm: partial(add_other, trial, arm) for arm in preset.others}


def add_references(trial: Trial) -> None:
    """Real rows, and tables in which something of them is missing."""
    tables = reference_tables(trial.train, trial.target, seed=trial.preset.utility_seeds[0])
    for arm, table in {REAL: trial.test, **tables}.items():
        add_joint(trial, arm, table)
    found = reference_rows(trial.train, trial.test, **trial.judging)
    for arm, row in found.iterrows():
        add_row(trial, arm, row)


def add_way(trial: Trial, arm: str) -> None:
    """An arm of `WAYS`."""
    score(trial, arm, timed_sample(trial, arm))


def add_own_collapse(trial: Trial) -> None:
    add_collapse(trial, DIFFUSION, trial.method)


def add_variant(trial: Trial, arm: str, **changes) -> None:
    """Another autoencoder and diffusion around the same decoder."""
    made = trial.variant(**changes)
    add_collapse(trial, arm, made)
    score(trial, arm, trial.sampled(made))


def timed_sample(trial: Trial, arm: str) -> pd.DataFrame:
    """An arm of `WAYS`; how long the first one takes is measured, in seconds of CPU."""
    method = trial.method  # fitted before the time is taken
    begun = time.process_time()
    table = trial.sampled(method, **WAYS[arm])
    if arm == DIFFUSION:
        trial.add(arm, {"sampling seconds": time.process_time() - begun})
    return table


def add_other(trial: Trial, arm: str) -> None:
    """A table by another library, made in the time that DiffLM took."""
    seconds = trial.log.found("seconds", DIFFUSION, trial.seed)
    if seconds is None:
        raise ValueError(
            f"{arm} gets the time that {DIFFUSION} took, which {trial.log.path.name} does not hold "
            f"for table {trial.name!r} and seed {trial.seed}; choose another folder, or leave "
            "`others` empty"
        )
    table = OTHERS[arm](trial.train, seconds=seconds, seed=trial.seed)
    if len(table) >= FEWEST_ROWS:
        score(trial, arm, table)
    else:  # nothing can be said of it, for any seed that this happens to
        trial.add(arm, dict.fromkeys(measures_of(trial, REAL)))
    trial.add(arm, {**table.attrs, "rows": len(table) / len(trial.train)})


def measures_of(trial: Trial, arm: str) -> list[str]:
    """The measurements of an arm with the same seed and labels."""
    at = {**trial.log.labels, "arm": arm, "seed": trial.seed}
    rows = (row for row in trial.log.rows if at.items() <= row.items())
    return [row["measure"] for row in rows]


def score(trial: Trial, arm: str, table: pd.DataFrame) -> None:
    """All measures of one synthetic table."""
    add_joint(trial, arm, table)
    found = evaluate_table(trial.train, trial.test, table, **trial.judging)
    add_row(trial, arm, found.iloc[0])


def add_row(trial: Trial, arm: str, row) -> None:
    trial.add(arm, {name: row[name] for name in MEASURES if name in row})


def add_exact(trial: Trial) -> None:
    """How well the exact law predicts the target of the test rows: the most that can be taught.

    F1 is that of the class that is likelier, as for the trees; a threshold chosen for F1 may do
    better.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    truth, chance = trial.test[trial.target] == POSITIVE, trial.world.bayes_score(trial.test)
    trial.add(BAYES, {"f1": f1_score(truth, chance > 0.5), "auc": roc_auc_score(truth, chance)})


def add_joint(trial: Trial, arm: str, table: pd.DataFrame) -> None:
    """In the census world the joint law is known, and so is the distance from it."""
    if trial.world is None:
        return
    found = joint_distance(trial.world, table, seed=trial.seed)
    for name, row in found.iterrows():
        trial.add(arm, {f"joint, {name}": row["found"], f"joint, {name}, floor": row["floor"]})


def add_collapse(trial: Trial, arm: str, method: DiffLM) -> None:
    """What a wrong latent costs, and how many dimensions are used."""
    found = method.collapse
    trial.add(arm, {
        "active dimensions": found.active / found.latent,
        "KL": found.kl,
        "collapsed": float(found.collapsed),
        "rise of a wrong latent": found.rise,
    })  # fmt: skip


def add_free(trial: Trial, arm: str) -> None:
    """The share of rows that are valid without the trie, at the first try."""
    how = {"legal": False, "max_tries": 1, "temperature": FREELY[arm]}
    try:
        trial.sampled(trial.method, trial.preset.n_free, **how)
        valid = 1.0
    except TriesUsedUp:
        wrong = sum(n for reason, n in trial.method.report.items() if reason != "kept")
        valid = 1 - wrong / trial.preset.n_free
    trial.add(arm, {"valid": valid})


def mixed_arm(share: float) -> str:
    """The arm of real rows with that share of synthetic ones added."""
    return f"real and {share:.0%} synthetic"


def add_mixes(trial: Trial) -> None:
    """What real rows teach with synthetic rows beside them."""
    import pandas as pd

    made = trial.sampled(trial.method)
    for arm, share in ((mixed_arm(share), share) for share in MIXES):
        rows = pd.concat([trial.train, made.iloc[: round(share * len(trial.train))]])
        found = utility(rows.reset_index(drop=True), trial.test, trial.target,
                        trial.preset.utility_seeds)  # fmt: skip
        trial.add(arm, {name: found[name].mean() for name in found})


def run_seed(lm, preset: ExperimentPreset, seed: int, log: Log, progress: bool = False) -> None:
    """The census world for one seed. No model is asked: DiffLM trains its own."""
    import pandas as pd

    world = load_world(CENSUS)
    train, test = (
        pd.DataFrame(world.rows(n, f"{part} {seed}"))
        for n, part in ((preset.n_train, "train"), (preset.n_test, "test"))
    )
    labelled = log.labelled(table=CENSUS)
    run_table(Trial(CENSUS, train, test, world.target, preset, seed, labelled, {}, progress, world))


def expected(
    preset: ExperimentPreset, table: str = CENSUS, world: bool = True
) -> list[dict[str, str]]:
    """The measurements that every seed must have of one table; a world's law is known as well."""
    arms = [REAL, WITHIN, INDEPENDENT, *preset.ways, *preset.injected, *preset.others]
    arms += [BAYES] if world else []
    arms += FREELY if preset.n_free else ()
    arms += [COLLAPSED] if preset.ablations else []
    arms += map(mixed_arm, MIXES) if preset.mixes else ()
    return [{"table": table, "arm": arm} for arm in arms]


def reproduce(
    scale: str = "fast",
    seeds: Sequence[int] | None = None,
    out: str | Path = "runs/difflm-fast",
    progress: bool = False,
):
    """Run the experiment at one scale and write `result.json` and figures to `out`.

    An interrupted run continues: what is measured of an arm is on disk when the arm is whole.
    Further seeds can be added to the same `out`.

    Raises:
        ValueError: `out` holds measurements with other settings, or a scale without an experiment;
            the paper's needs a real model, for which there is
            `DiffLM(load_lm(...), preset="paper")`.
    """
    from ..runner import run_study
    from .report import show

    def each(lm, preset, seed: int, log: Log) -> None:
        run_seed(lm, preset, seed, log, progress)

    return run_study(
        "difflm", PRESETS, each, show, scale=scale, seeds=seeds, out=out, progress=progress,
        fixed=fixed, expected=expected,
        notes="Rows of the census world. The frozen decoder is a format model that was trained on "
        "columns shuffled independently, not the embedded model. AUC, F1: boosted trees taught by "
        "the table, tested on real rows. Errors in %, pair errors without thresholds.",
        instead='with a real model, see DiffLM(load_lm(...), preset="paper")',
    )  # fmt: skip
