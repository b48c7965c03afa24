"""DiffLM's claims on tables: is the joint learned, and from where must latents come?"""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import sha256_text
from ...core.paths import embedded_lm_dir
from ...difflm.presets import with_changes
from ...difflm.synthesizer import DiffLM
from ...evaluation.table_baselines import ctgan_table, great_table, tvae_table
from ...evaluation.table_utility import utility
from ...evaluation.tables import evaluate_table, reference_rows, reference_tables
from ...worlds import load_world
from ...worlds.census import POSITIVE, joint_distance
from ..study import Case, Trial, Unit

if TYPE_CHECKING:
    import pandas as pd

    from ...worlds.census import CensusWorld

CENSUS = "census"
BAYES_OPTIMAL = "Bayes-optimal"  # its score of the target, which no classifier beats
REAL, FEW = "real", "1,000 real rows"
CLASS_CONDITIONAL, INDEPENDENT = "independent within classes", "independent columns"
DIFFUSION, NORMAL = "DiffLM", "DiffLM, latents from N(0, I)"
ENCODED, SHARP = "DiffLM, latents of training rows", "DiffLM, temperature 0.5"
# How one fitted method is sampled.
WAYS: dict[str, dict[str, Any]] = {
    DIFFUSION: {},
    NORMAL: {"prior": "normal"},
    ENCODED: {"prior": "encoding"},
    SHARP: {"temperature": 0.5},
}
UNCONSTRAINED, UNCONSTRAINED_SHARP = "DiffLM, unconstrained", "DiffLM, unconstrained at 0.5"
# Without the trie, at which temperature; 0.5 is that of the paper's code.
WITHOUT_TRIE = {UNCONSTRAINED: 1.0, UNCONSTRAINED_SHARP: 0.5}
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

    Each of the `others` is trained for as many seconds of CPU as DiffLM, or for its own default
    number of epochs where that takes less.
    """

    n_train: int = 5000  # rows of the census world
    n_test: int = 5000
    method: str = "study"  # the preset of DiffLM
    ways: tuple[str, ...] = tuple(WAYS)  # each sampled as often as there are rows to learn from
    n_free: int = 1000  # rows drawn without the trie, to count what is invalid
    ablations: bool = True  # whether a collapse is forced
    injected: tuple[str, ...] = tuple(INJECTED)  # fitted too
    mixes: bool = True  # whether real rows are mixed with synthetic ones
    utility_seeds: tuple[int, ...] = (0,)  # of the boosted trees
    others: tuple[str, ...] = ()  # arms of `OTHERS`
    seeds: tuple[int, ...] = (0, 1, 2)  # each draws its rows and trains its own method


PRESETS = {
    "fast": ExperimentPreset(
        method="fast", ways=(DIFFUSION, NORMAL), n_free=500, ablations=False, injected=(),
        mixes=False, seeds=(0,),
    ),
    "study": ExperimentPreset(),
}  # fmt: skip


# --- what is measured -----------------------------------------------------------------------------


def cases(preset: ExperimentPreset) -> list[Case]:
    """The census world. No model is asked: DiffLM trains its own."""
    world = load_world(CENSUS)
    how = {"draw": draw_census, "target": world.target, "world": world}
    trial = partial(TableTrial, name=CENSUS, **how)
    return [Case(table_units(preset, exact=True), trial, {"table": CENSUS})]


def draw_census(preset: ExperimentPreset, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test) of the census world."""
    import pandas as pd

    world, sizes = load_world(CENSUS), {"train": preset.n_train, "test": preset.n_test}
    return tuple(pd.DataFrame(world.rows(n, f"{part} {seed}")) for part, n in sizes.items())


def table_units(preset: ExperimentPreset, exact: bool = False) -> list[Unit]:
    """The units of one table; `exact` where its distribution is known."""
    units = [Unit(BAYES_OPTIMAL, add_exact)] if exact else []
    units += [
        Unit(REFERENCE, add_references, (REAL, CLASS_CONDITIONAL, INDEPENDENT)),
        Unit(FIT, add_fit, (DIFFUSION,), ("seconds",)),
        *(Unit(arm, partial(add_way, arm=arm)) for arm in preset.ways),
        Unit(COLLAPSE, partial(add_collapse, arm=DIFFUSION), (DIFFUSION,), ("KL",)),
    ]
    if preset.n_free:
        units += [Unit(arm, partial(add_unconstrained, arm=arm)) for arm in WITHOUT_TRIE]
    variants: dict[str, dict[str, Any]] = {}
    if preset.ablations:
        # Its latents say nothing, so there is nothing that a longer diffusion could learn.
        how = {"beta": 10.0, "floor": 10.0, "diffusion_steps": COLLAPSED_STEPS}
        variants[COLLAPSED] = how
    variants |= {arm: {"kind": INJECTED[arm]} for arm in preset.injected}
    units += [Unit(arm, partial(add_variant, arm=arm, **how)) for arm, how in variants.items()]
    if preset.mixes:
        units.append(Unit(MIXED, add_mixes, tuple(map(mixed_arm, MIXES))))
    return units + [Unit(arm, partial(add_other, arm=arm)) for arm in preset.others]


@dataclass
class FittedTrial(Trial):
    """A trial whose method is fitted once: an interrupted study goes on from its checkpoint."""

    name: str = ""

    def fit(self, **how) -> DiffLM:
        """The method, fitted to the trial's data; `how` is of `DiffLM.fit`."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """Of the checkpoint."""
        return self.log.path.with_name(f"fit-{self.name}-{self.seed}")

    @cached_property
    def method(self) -> DiffLM:
        return self.fit(checkpoint=self.folder)

    def finish(self) -> None:
        """Remove the checkpoint."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class TableTrial(FittedTrial):
    """One table and seed: rows to learn from and to test on, and the method fitted to them."""

    draw: Callable[[Any, int], tuple[pd.DataFrame, pd.DataFrame]] = draw_census  # (train, test)
    target: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)  # of `DiffLM`
    world: CensusWorld | None = None  # that the rows are from, where their distribution is known
    train = property(lambda self: self.tables[0])
    test = property(lambda self: self.tables[1])

    @cached_property
    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.draw(self.preset, self.seed)

    def fit(self, changes: Mapping[str, Any] | None = None, **how) -> DiffLM:
        options = {**self.options, **(changes or {})}
        method = DiffLM(preset=self.preset.method, seed=self.seed, **options)
        return method.fit(self.train, target=self.target, progress=self.progress, **how)

    def sampled(self, method: DiffLM, n: int | None = None, **how) -> pd.DataFrame:
        return method.table(n or len(self.train), seed=self.seed, progress=self.progress, **how)

    @property
    def judging(self) -> dict[str, Any]:
        """The settings by which tables are measured."""
        return {"target": self.target, "seeds": self.preset.utility_seeds}


def rows_hash(frame: pd.DataFrame) -> str:
    """The SHA-256 of a table's columns and rows, in their order; its index does not matter."""
    rows = frame.itertuples(index=False, name=None)
    return sha256_text("\n".join(map(repr, (tuple(frame.columns), *rows))))


def fixed(preset, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings of a preset that no later call may change: all but seeds and other libraries.

    DiffLM's own preset stands there with all its values, since a later version may change them.
    """
    kept = {k: v for k, v in asdict(preset).items() if k not in ("seeds", "others")}
    return {**kept, "method": asdict(with_changes(preset.method, options or {}))}


# --- the units ------------------------------------------------------------------------------------


def add_exact(trial: TableTrial) -> None:
    """AUC of the exact distribution on the test rows, the most there is; F1 as for the trees."""
    from sklearn.metrics import f1_score, roc_auc_score

    truth, chance = trial.test[trial.target] == POSITIVE, trial.world.bayes_score(trial.test)
    scores = {"f1": f1_score(truth, chance > 0.5), "auc": roc_auc_score(truth, chance)}
    trial.add(BAYES_OPTIMAL, scores)


def add_references(trial: TableTrial) -> None:
    """Real rows, and tables in which something of them is missing."""
    tables = reference_tables(trial.train, trial.target, seed=trial.preset.utility_seeds[0])
    for arm, table in {REAL: trial.test, **tables}.items():
        add_joint(trial, arm, table)
    found = reference_rows(trial.train, trial.test, **trial.judging)
    for arm, row in found.iterrows():
        add_row(trial, arm, row)


def add_fit(trial: TableTrial) -> None:
    """The CPU seconds of the fit; other libraries get them, so then no half of it is taken over."""
    if trial.preset.others:
        trial.finish()
    begun = time.process_time()
    _ = trial.method
    trial.add(DIFFUSION, {"seconds": time.process_time() - begun})


def add_way(trial: TableTrial, arm: str) -> None:
    """An arm of `WAYS`; how long the first one takes is measured, in seconds of CPU."""
    method = trial.method  # fitted before the time is taken
    begun = time.process_time()
    table = trial.sampled(method, **WAYS[arm])
    if arm == DIFFUSION:
        trial.add(arm, {"sampling seconds": time.process_time() - begun})
    score(trial, arm, table)


def add_unconstrained(trial: TableTrial, arm: str) -> None:
    """The share of rows that are valid without the trie, at the first try."""
    how = {"constrained": False, "max_tries": 1, "temperature": WITHOUT_TRIE[arm]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are too few rows
        valid = len(trial.sampled(trial.method, trial.preset.n_free, **how))
    trial.add(arm, {"valid": valid / trial.preset.n_free})


def add_variant(trial: TableTrial, arm: str, **changes) -> None:
    """Another autoencoder and diffusion around the same decoder."""
    made = trial.fit(changes, decoder=trial.method.fitted.decoder)
    add_collapse(trial, arm, made)
    score(trial, arm, trial.sampled(made))


def mixed_arm(share: float) -> str:
    """The arm of real rows with that share of synthetic ones added."""
    return f"real and {share:.0%} synthetic"


def add_mixes(trial: TableTrial) -> None:
    """The utility of real rows with synthetic rows beside them."""
    import pandas as pd

    made = trial.sampled(trial.method)
    for arm, share in ((mixed_arm(share), share) for share in MIXES):
        rows = pd.concat([trial.train, made.iloc[: round(share * len(trial.train))]])
        found = utility(rows.reset_index(drop=True), trial.test, trial.target,
                        trial.preset.utility_seeds)  # fmt: skip
        trial.add(arm, {name: found[name].mean() for name in found})


def add_other(trial: TableTrial, arm: str) -> None:
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


def measures_of(trial: TableTrial, arm: str) -> list[str]:
    """The measurements of an arm with the same seed and labels."""
    at = {**trial.log.labels, "arm": arm, "seed": trial.seed}
    rows = (row for row in trial.log.rows if at.items() <= row.items())
    return [row["measure"] for row in rows]


def score(trial: TableTrial, arm: str, table: pd.DataFrame) -> None:
    """All measures of one synthetic table."""
    add_joint(trial, arm, table)
    found = evaluate_table(trial.train, trial.test, table, **trial.judging)
    add_row(trial, arm, found.iloc[0])


def add_row(trial: TableTrial, arm: str, row) -> None:
    """The measures of a row of results."""
    trial.add(arm, {name: row[name] for name in MEASURES if name in row})


def add_joint(trial: TableTrial, arm: str, table: pd.DataFrame) -> None:
    """In the census world the joint distribution is known, and so is the distance from it."""
    if trial.world is None:
        return
    found = joint_distance(trial.world, table, seed=trial.seed)
    for name, row in found.iterrows():
        trial.add(arm, {f"joint, {name}": row["found"], f"joint, {name}, floor": row["floor"]})


def add_collapse(trial: FittedTrial, arm: str, method: DiffLM | None = None) -> None:
    """Measures of the use that a decoder makes of its latents; by default the trial's method's."""
    found = (method or trial.method).fitted.collapse
    trial.add(arm, {
        "active dimensions": found.active / found.latent,
        "KL": found.kl,
        "collapsed": float(found.collapsed),
        "shuffled-latent gap": found.shuffled_gap,
    })  # fmt: skip
