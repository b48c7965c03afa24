"""The bake-off as a study: claims that were made before the run, tables and a figure."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...core.intervals import mean_interval
from ..claims import Claim, Gap, Level
from ..measurements import means, values
from ..plans import Work
from ..real import real_study
from ..real_data import RealData
from ..study import Figure, Study, Table
from . import experiment as bake
from .meter import READ, TRAINED, WRITTEN
from .scores import ALONE, BESIDE, C2ST, COPIES, DISTINCT, MMD, REPEATS, VENDI
from .tasks import WORLD, task_of, world_data
from .ways import DIFFLM, SOFTSRV, TEMPLATE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..results import Result

QUALITY = {
    "rows": bake.ROWS, "alone": ALONE, "beside real": BESIDE, "MMD^2": MMD, "C2ST": C2ST,
    "pairs": DISTINCT, "Vendi": VENDI, "copies": COPIES, "repeats": REPEATS,
}  # fmt: skip
COST = {
    "usable": bake.SHARE, "written": WRITTEN, "read": READ, "trained": TRAINED,
    "s, fitting": "seconds, fitting", "s, writing": "seconds, writing",
}  # fmt: skip
WEIGHED = {
    f"{name}{mark}": f"{measure}, {when}"
    for measure, name in (("MMD^2", "MMD^2"), ("accuracy", "accuracy"))
    for when, mark in ((bake.POOL, ""), (bake.WEIGHTED, ", weighted"))
} | {"in use": bake.IN_USE}
_more = partial(Claim, strict=True)


def _of_ways(id: str, text: str, measure: str, against: str, sign: int = 1) -> list[Claim]:
    """A claim for each method against one arm; with a sign of -1 the lower number is better."""
    return [
        _more(f"{id}: {arm}", f"{arm} {text}",
              Gap(measure, arm, against) if sign > 0 else Gap(measure, against, arm))
        for arm in bake.METHODS
    ]  # fmt: skip


def _claims() -> tuple[Claim, ...]:
    gap = [
        claim
        for arm in bake.WAYS
        for claim in (
            _more(f"weights: {arm}", f"SynAlign's weights bring {arm}'s texts nearer",
                  Gap(f"MMD^2, {bake.POOL}", arm, arm, less=f"MMD^2, {bake.WEIGHTED}")),
            _more(f"weights-students: {arm}", f"a student of {arm}'s weighted texts does better",
                  Gap(f"accuracy, {bake.WEIGHTED}", arm, arm, less=f"accuracy, {bake.POOL}")),
        )
    ]  # fmt: skip
    return (
        *_of_ways("template", "teaches more than the template", ALONE, TEMPLATE),
        *_of_ways("nearer", "comes nearer to real texts than the template", MMD, TEMPLATE, -1),
        *_of_ways("real", "teaches as much as other real texts or more", ALONE, bake.ANOTHER),
        *(
            _more(f"beside: {arm}", f"{arm} helps beside the real texts",
                  Gap(BESIDE, arm, bake.REAL, less=ALONE))
            for arm in (TEMPLATE, *bake.METHODS)
        ),
        *gap,
        _more("places-varied", "sparse places give more varied texts than random ones",
              Gap(VENDI, bake.AT_PLACES, bake.AT_RANDOM)),
        _more("places-taught", "sparse places teach more than random ones",
              Gap(ALONE, bake.AT_PLACES, bake.AT_RANDOM)),
        _more("parts-varied", "parts by influence of DiffLM's texts vary more than random parts",
              Gap(DISTINCT, bake.OF_DIFFLM, bake.OF_DIFFLM_RANDOM)),
        _more("parts-nearer", "SPA of DiffLM's texts comes nearer than these",
              Gap(MMD, DIFFLM, bake.OF_DIFFLM)),
        Claim("copies", "SoftSRV copies at most one text in ten",
              Level(COPIES, SOFTSRV, sign=-1), -0.1),
    )  # fmt: skip


CLAIMS = _claims()
ORDER = (bake.REAL, bake.ANOTHER, *bake.WAYS, *bake.COMPOSED)
SIDES = ((ALONE, "o", "blue", -0.13), (BESIDE, "s", "orange", 0.13))  # marker, colour, height


def quality(result: Result, place: str) -> pd.DataFrame:
    """Means over the seeds of what the arms' texts are worth."""
    return means(result, QUALITY, ORDER, data=place)


def cost(result: Result, place: str) -> pd.DataFrame:
    """Means over the seeds of what each way took."""
    return means(result, COST, (*bake.WAYS, *bake.COMPOSED), data=place)


def weighed(result: Result, place: str) -> pd.DataFrame:
    """Means over the seeds before and after SynAlign's weights."""
    return means(result, WEIGHED, bake.WAYS, data=place)


def draw(result: Result, place: str, axes: Axes) -> None:
    """A student's accuracy by way, with its interval; a band for other real texts."""
    from ...core.plots import COLOURS

    arms = (bake.ANOTHER, *bake.WAYS)
    for y, arm in enumerate(arms):
        for measure, marker, colour, up in SIDES:
            found = values(result, measure, arm, data=place)
            label = measure.partition(", ")[2] if y == 0 else None
            axes.plot(found, [y + up] * len(found), marker, color=COLOURS[colour], alpha=0.45,
                      label=label)  # fmt: skip
            if len(found) > 1:
                axes.plot(mean_interval(found).mean, y + up, "|", color=COLOURS[colour],
                          markersize=16, mew=2.5)  # fmt: skip
    known = values(result, ALONE, bake.REAL, data=place)
    axes.axvline(known.mean(), color="black", linestyle="--", lw=1)
    axes.set_yticks(range(len(arms)), arms)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy of a student on real texts (dashed: the real rows alone)")
    axes.legend(loc="lower right")


def work(preset: bake.BakeOffPreset, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed."""
    drafts = preset.drafts * preset.n_sample
    written = drafts * min(row, preset.max_new_tokens)
    return [Work(arm, read=drafts * row, written=written) for arm in bake.WAYS]


def study(data: RealData | None = None, *, command: str = "") -> Study:
    """The bake-off on one set; `runner.run(study, "study", lm=lm)` runs it.

    Args:
        data: real texts with a sentiment, for a model that can be asked; None: the reviews world,
            for the embedded model.
    """
    data = world_data() if data is None else data
    preset = bake.WORLD_PRESET if data.name == WORLD else bake.REAL_PRESET
    made = real_study(
        "bakeoff", "Bake-off", data, partial(bake.BakeOffTrial, task=task_of(data)), bake.units,
        {"study": preset}, {"alone": ALONE},
        samples=bake.WAYS,
        notes="Accuracy of a linear student on the model's mean hidden states; MMD^2 there too. "
        "C2ST by words. Near copies: of the real rows that the way saw. Seconds of CPU time.",
        work=work,
        command=command,
    )  # fmt: skip
    tables = (
        Table(quality, notes=("MMD^2 and C2ST: to real texts; alone, beside real: a student.",)),
        Table(cost, "what it took"),
        Table(weighed, "SynAlign's weights over every way's drafts"),
        *made.tables[1:],
    )
    figures = (Figure("students", draw, (6.5, 3.8)),)
    return replace(made, claims=CLAIMS, tables=tables, figures=figures)
