"""Declaration of a study: its cases and measures, its claims, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .claims import Claim, Finding, judge, verdicts
from .measurements import Log, places

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .plans import Work
    from .results import Result


@dataclass
class Trial:
    """One case and seed; subclasses hold what its units share, each thing made once.

    Attributes:
        lm: the model that is asked or trained; None where a study needs none.
        preset: of the study.
        log: where the measurements of the unit under way go.
    """

    lm: Any
    preset: Any
    seed: int
    log: Log
    progress: bool = False

    def add(self, arm: str, measured: Mapping[str, float | None]) -> None:
        """Add measures of one arm to the unit under way."""
        for measure, value in measured.items():
            self.log.add(measure, arm, self.seed, value)

    def finish(self) -> None:
        """Clean up; called when every unit of the case is measured for this seed."""


@dataclass(frozen=True)
class Unit:
    """A part of a case that is measured in one go: after an interruption it is whole or not there.

    Attributes:
        name: in the log; mostly that of its only arm.
        measure: adds the unit's measurements to a trial.
        arms: that it measures; default: the one it is named after.
        measures: that each of its arms must have, for a run to be recorded; default: any.
        labels: of its rows, beside those of the case.
    """

    name: str
    measure: Callable[[Any], None]
    arms: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def expected(self) -> Iterator[dict[str, str]]:
        """The measurements that every seed must have."""
        for arm in self.arms or (self.name,):
            for measure in self.measures or (None,):
                yield {**self.labels, "arm": arm, **({"measure": measure} if measure else {})}


@dataclass(frozen=True)
class Case:
    """A place where the arms of a study are compared: a world, a table, a set of texts.

    Attributes:
        units: in the order in which they are measured.
        trial: from (lm, preset, seed, log, progress) to the case's `Trial`.
        labels: of all its rows.
        key: what its measurements depend on beside the preset and the model, such as its data.
        log: the name of its log in the study's folder; cases may share one.
        preset: instead of the study's.
    """

    units: Sequence[Unit]
    trial: Callable[..., Trial]
    labels: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, Any] = field(default_factory=dict)
    log: str = "measurements.jsonl"
    preset: Any = None

    def expected(self) -> Iterator[dict[str, str]]:
        """The measurements that every seed must have."""
        for unit in self.units:
            for wanted in unit.expected():
                yield {**self.labels, **wanted}


def log_name(*names: str) -> str:
    """The name of a log of its own for a case.

    Raises:
        ValueError: a name that no file can have.
    """
    for name in names:
        good = isinstance(name, str) and name.strip() and len(name.encode()) <= 100
        if not good or set(name) & set("/\\\0"):
            raise ValueError(
                "the name of a table, set or model becomes part of a file's name: a text that is "
                f"not blank, without a slash and of at most 100 bytes; found {name!r}"
            )
    return f"measurements-{'-'.join(names)}.jsonl"


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        make: from (result, place) to a frame whose index is its first column; an empty one is left
            out. From (result) alone for a table of all places.
        title: after that of the study and the place.
        notes: lines under it.
    """

    make: Callable[..., pd.DataFrame]
    title: str = ""
    notes: tuple[str, ...] = ()
    overall: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure of a report: `draw(result, place, axes)`, in every place or in those of `at`."""

    name: str
    draw: Callable[[Result, str, Axes], None]
    size: tuple[float, float] = (6.5, 3.4)
    at: tuple[str, ...] = ()


def settings(preset: Any) -> dict[str, Any]:
    """Settings of a preset that no later call may change: all but its seeds."""
    return {name: value for name, value in asdict(preset).items() if name != "seeds"}


def settings_with(methods: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """`settings`, with what `method` stands for if it is a name in `methods`."""

    def resolved(preset: Any) -> dict[str, Any]:
        method = preset.method
        return settings(preset) | {"method": methods[method] if method in methods else method}

    return resolved


@dataclass(frozen=True)
class Study:
    """Arms, measures, claims, tables and presets of one study; `runner.run` runs it.

    Attributes:
        name: on the command line. title: in print.
        cases: from a preset to the cases, which declare the arms and their measures.
        presets: by scale; each is a dataclass with `seeds`.
        place: how the labels of a row name its place, such as "{world}, {skew} skew".
        claims, tables, figures: what a report shows.
        notes: what a reader of the numbers has to know.
        instead: what there is for a scale without a preset.
        settings: from a preset to what of it the measurements depend on.
        model: facts of the model for the record; None: the study asks a language model, and they
            are its own.
        command: how it is run, for the record; default: `synthkit reproduce`.
        given: settings of this run beside its preset, for the record.
        samples: arms of which a few rows are shown, where they were kept (see `studies.real`).
        work: from a preset and the tokens per row to the parts of a run; see `studies.plans`.
    """

    name: str
    title: str
    cases: Callable[[Any], Sequence[Case]]
    presets: Mapping[str, Any]
    place: str
    claims: tuple[Claim, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: str = ""
    instead: str = "give a preset of your own"
    settings: Callable[[Any], Any] = settings
    model: Mapping[str, Any] | None = None
    command: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    work: Callable[[Any, float], list[Work]] | None = None

    def places(self, result: Result) -> list[str]:
        """The places of a run, in its order."""
        return list(places(result, self.place))

    def findings(self, result: Result) -> list[Finding]:
        """Every claim at every place of a run, with what was measured."""
        return judge(self.claims, result, places(result, self.place))

    def verdicts(self, result: Result) -> pd.DataFrame:
        """The findings as a table; see `claims.verdicts`."""
        return verdicts(self.findings(result))
