"""The base class of all methods: arguments, checkpoints, provenance, saves and reports, once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from . import parallel
from .arguments import as_count, as_model, as_seed, check_keywords
from .identity import check_model, made_with, run_key
from .packing import Files
from .phases import Phases
from .presets import choose_preset
from .provenance import with_provenance
from .reports import Report, TooFewRows
from .resume import ResumeLog
from .saved import Saved, open_saved, save_folder

if TYPE_CHECKING:
    from datasets import Dataset
    from typing_extensions import Self


class Synthesizer(ABC):
    """A method that is fitted to real data and writes synthetic data.

    A subclass names its `presets` and writes six short methods: `_read`, `_fit`, `_sample`,
    `_pack`, `_unpack` and `_about`; `tests/contract/template_method.py` is one to copy. Options of
    `_read` and `_sample` reach them from `fit` and `sample` by keyword. A method whose options an
    editor should show gives `fit` and `sample` a signature of its own that ends in `super()`.

    Args:
        lm: the language model (a `synthkit.LM`); it is never changed.
        preset: "fast", "study", "paper" or a preset of the method's own.
        seed: of every choice of the fit, and the default of `sample`.
        options: single values that replace those of the preset.

    Attributes:
        presets: frozen dataclasses by scale, all of one class.
        needs_model: False where `lm` may be None.
        uses_validation: False where no training is stopped by data given as `validation`.
        report: the `Report` of the last `fit` or `sample`; hooks add to it. None before.

    Raises:
        TypeError: no language model. ValueError: an unknown preset or option, an impossible value.
    """

    presets: ClassVar[Mapping[str, Any]]
    needs_model: ClassVar[bool] = True
    uses_validation: ClassVar[bool] = True

    def __init__(self, lm: Any = None, *, preset: Any = "fast", seed: int = 0, **options: Any):
        self.lm = as_model(lm, self.name) if self.needs_model or lm is not None else None
        self.seed = as_seed(seed)
        self.preset = self._choose_preset(preset, options)
        self.report: Report | None = None
        self._state: Any = None
        self._phases = Phases()

    @property
    def name(self) -> str:
        """The method's name: that of its class."""
        return type(self).__name__

    @property
    def fitted(self) -> Any:
        """Result of `fit`; ValueError where it has not been called."""
        if self._state is None:
            raise ValueError(f"{self.name} is not fitted yet: call fit(data) first, or load a fit")
        return self._state

    def fit(
        self, data: Any, *, validation: Any = None, too_long: str = "error",
        checkpoint: str | Path | None = None, progress: bool = False, **options: Any,
    ) -> Self:  # fmt: skip
        """Learn from `data`; a fit that fails leaves the earlier one as it was.

        The processes of a launcher share its trainings: see `synthkit.core.parallel`.

        Args:
            data: a list of texts or dictionaries, a Dataset or a column of one, a DataFrame, a
                pyarrow table.
            validation: other data of that kind, which stops a training in time.
            too_long: "skip" leaves out rows that the model's context does not hold, with a warning.
            checkpoint: a folder from which an interrupted fit goes on; `save` empties it.
            progress: show bars.
            options: the method's own, for `_read`.

        Raises:
            TypeError: no data of these kinds.
            ValueError: no rows, a missing column, an empty or too long text (the message says
                where), or a checkpoint of another fit.
        """
        if too_long not in ("error", "skip"):
            raise ValueError(f"too_long must be 'error' or 'skip', got {too_long!r}")
        if too_long == "skip":
            options["too_long"] = too_long
        check_keywords(self._read, options, f"{self.name}.fit")
        report = self.report = Report(self.name, "fit")
        material = self._read(data, **options)
        report.asked, report.delivered = len(data), len(data) - report.rejected.total()
        stop = None
        if validation is not None and self.uses_validation:
            stop = self._read(validation, **options)
        elif validation is not None:
            report.warn("no training is stopped here, so validation= is not used")
        key = "" if checkpoint is None else self._fit_key(material, stop)
        with Phases(checkpoint, key, f"a fit of {self.name}") as phases:
            state = self._fit(material, stop, phases=phases, progress=progress)
        self._state, self._phases = state, phases
        return self

    def sample(
        self, n: int, *, seed: int | None = None, held_out: Any = None,
        checkpoint: str | Path | None = None, progress: bool = False, strict: bool = False,
        **options: Any,
    ) -> Dataset:  # fmt: skip
        """`n` synthetic rows; the same seed gives the same rows.

        Args:
            n: rows wanted.
            seed: None is the constructor's.
            held_out: data that must not be repeated: texts, a table, or a `HeldOut`.
            checkpoint: a file from which an interrupted call goes on.
            progress: show bars.
            strict: raise an error where there are fewer rows than `n`; else this is a warning.
            options: the method's own, for `_sample`.

        Returns:
            The data's columns, the method's own, and `method`, `model` (that wrote the row),
            `seed`, `temperature` and `status`; one whose name the data has already is called
            `sample_...`.

        Raises:
            TypeError, ValueError: not fitted, `n` below 1, a seed out of range, or a checkpoint of
                another sample.
            TooFewRows: with `strict`.
        """
        check_keywords(self._sample, options, f"{self.name}.sample")
        n, seed, _ = as_count(n), as_seed(seed, self.seed), self.fitted
        report = self.report = Report(self.name, "sample", n)
        path = None if checkpoint is None else Path(checkpoint)
        rows, own = self._sample(
            n, seed=seed, held_out=held_out, checkpoint=path, progress=progress, **options
        )
        common = {"method": self.name, "model": self.lm and self.lm.name, "seed": seed}
        rows = with_provenance(rows, {**common, **own})
        report.delivered = len(rows)
        if len(rows) < n:
            why = f" ({report.reasons()})" if report.rejected else ""
            short = f"{len(rows)} of {n} rows{why}; allow more tries, or give more real data"
            if strict:
                raise TooFewRows(f"{self.name}: {short}", rows, report)
            report.warn(short)
        return rows

    def save(self, folder: str | Path) -> Path:
        """Save the fit in `folder`, whole or not at all; the language model is not saved.

        Every process of a launcher calls; the first one writes.
        """
        files, facts = self._pack(self.fitted)
        lm = None if self.lm is None else made_with(self.lm)
        settings = {"preset": asdict(self.preset), "seed": self.seed, "lm": lm}
        save_folder(folder, self.name, files, {**settings, **facts})
        self._phases.clear()
        parallel.wait()  # the first one clears
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path, lm: Any = None, **options: Any) -> Self:
        """A fitted method from `folder`.

        Args:
            lm: the model that it was fitted with.
            options: of the constructor, for what no file can hold, such as a teacher.

        Raises:
            FileNotFoundError: the folder holds no save.
            ValueError: it holds something else, a newer format or a damaged file, or the method
                was fitted with another model (both are named).
        """
        if lm is not None:
            as_model(lm, cls.__name__)
        saved = open_saved(folder, cls.__name__)
        cls._check_model(lm, saved.facts["lm"])
        preset = type(next(iter(cls.presets.values())))(**saved.facts["preset"])
        method = cls(lm, preset=preset, seed=saved.facts["seed"], **options)
        method._state = method._unpack(saved)
        return method

    def __repr__(self) -> str:
        scale = next((name for name, each in self.presets.items() if each == self.preset), "own")
        model = "without a model" if self.lm is None else f"on {self.lm.name}"
        state = "not fitted" if self._state is None else f"fitted to {self._about(self._state)}"
        return f"<{self.name} {model}, preset {scale}, seed {self.seed}: {state}>"

    # --- what a method writes -----------------------------------------------------------------

    @abstractmethod
    def _read(self, data: Any, **options: Any) -> Any:
        """The material of a fit, checked: all that it depends on beside preset, seed and model."""

    @abstractmethod
    def _fit(self, material: Any, validation: Any, *, phases: Phases, progress: bool) -> Any:
        """The state that `material` gives; `phases` keeps what is finished of it."""

    @abstractmethod
    def _sample(
        self, n: int, *, seed: int, held_out: Any, checkpoint: Path | None, progress: bool,
        **options: Any,
    ) -> tuple[Dataset | Mapping[str, Sequence], dict[str, Any]]:  # fmt: skip
        """At most `n` rows, and columns of provenance: one value for all rows, or a list."""

    @abstractmethod
    def _pack(self, state: Any) -> tuple[Files, dict[str, Any]]:
        """The state as files, and as facts, which are JSON values."""

    @abstractmethod
    def _unpack(self, saved: Saved) -> Any:
        """The state that `_pack` packed."""

    @abstractmethod
    def _about(self, state: Any) -> str:
        """A short description of what was fitted to, such as "80 texts"."""

    # --- what a method may change or use ------------------------------------------------------

    def _choose_preset(self, preset: Any, options: Mapping[str, Any]) -> Any:
        return choose_preset(preset, self.presets, options, self.name)

    def _fit_key(self, material: Any, validation: Any) -> str:
        """The key that tells this fit from all others, for its checkpoint."""
        return run_key(
            method=self.name, preset=self.preset, seed=self.seed, model=self.lm,
            material=material, validation=validation,
        )  # fmt: skip

    @classmethod
    def _check_model(cls, lm: Any, known: Mapping[str, str] | None) -> None:
        """Raise ValueError when a fit belongs to another model, to one, or to none."""
        if known is not None and lm is not None:
            return check_model(made_with(lm), known, f"this {cls.__name__} was fitted")
        if known is not None:
            raise ValueError(
                f"this {cls.__name__} was fitted with {known['name']}: give that model as lm"
            )
        if lm is not None:
            raise ValueError(
                f"this {cls.__name__} was fitted without a model, found {lm.name}: leave lm out"
            )

    def _log(self, checkpoint: Path | None, place: Sequence[str], **parts: Any) -> ResumeLog:
        """A log of a sample's drafts by `place`; `parts`: all that the drafts depend on."""
        key = "" if checkpoint is None else run_key(method=self.name, model=self.lm, **parts)
        what = f"the drafts of a sample of {self.name}"
        return ResumeLog(checkpoint, key, place=tuple(place), what=what)

    def _fitting(
        self, lengths: Sequence[int], room: int, too_long: str = "error", unit: str = "tokens",
        remedy: str = "",
    ) -> list[int]:  # fmt: skip
        """Numbers of the rows that are at most `room` tokens long.

        Args:
            too_long: "error", or "skip" to leave out the others, with a warning.
            unit: of the lengths. remedy: what else helps, for the error: "raise max_words".

        Raises:
            ValueError: a row is too long, or all are.
        """
        assert self.report is not None, "fit and sample begin with a report"
        fits = [i for i, length in enumerate(lengths) if length <= room]
        if n_long := len(lengths) - len(fits):
            first = next(i for i, length in enumerate(lengths) if length > room)
            told = f"row {first} (from 0) is {lengths[first]} {unit} long, and {room} fit"
            if too_long == "error" or not fits:
                ways = f"shorten it, {remedy}{', ' * bool(remedy)}or leave out such rows"
                raise ValueError(f"{told}; {ways}: too_long='skip'")
            self.report.rejected["too long"] += n_long
            self.report.warn(f"{told}; {n_long} of {len(lengths)} rows are left out as too long")
        return fits
