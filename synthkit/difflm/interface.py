"""Interface of DiffLM: the options of `fit` and `sample`, what it reads, and its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.identity import run_key
from ..core.packing import Files
from ..core.saved import Saved
from ..core.synthesizer import Synthesizer
from ..lm.tokens import text_room
from .fitting import FitInputs, Fitted, pack_fitted, unpack_fitted
from .forms import read_material, row_lengths, rows_at
from .presets import PRESETS, DiffLMPreset, with_changes
from .text_encoder import encoder_identity

if TYPE_CHECKING:
    from datasets import Dataset
    from typing_extensions import Self


class TableMethod(Synthesizer):
    """A method for tables and texts, without the fit and the sample themselves; see `DiffLM`."""

    presets, needs_model = PRESETS, False

    def __init__(self, lm: Any = None, *, encoder: Any = None, preset: str | DiffLMPreset = "auto",
                 seed: int = 0, **options: Any):  # fmt: skip
        super().__init__(lm, preset=preset, seed=seed, **options)
        self._encoder = encoder

    def fit(
        self, data: Any, *, validation: Any = None, target: str | None = None, decoder: Any = None,
        too_long: str = "error", checkpoint: str | Path | None = None, progress: bool = False,
        **unknown: Any,
    ) -> Self:  # fmt: skip
        """Learn a table or texts: format model (without `lm`), autoencoder, diffusion.

        Args:
            data: a table, or texts. With `lm`, a column `text` is taken for texts, and other
                columns are left out.
            target: the column that a model trained on the table would predict.
            validation: other data that stops the trainings in time; None sets a share aside.
            decoder: the `fitted.decoder` of another fit to the same table, which is then not
                trained again; without `lm` only.
            too_long: "error" or "skip", for rows that the model's context does not hold.
            checkpoint: a folder from which an interrupted fit goes on; `save` empties it.

        Raises:
            TypeError, ValueError: no table or list of texts; too few rows; texts without `lm`; a
                decoder with it, or one of other rows; what `TableSchema.infer` refuses; a
                checkpoint of another fit.
            FloatingPointError: a loss stopped being a number.
        """
        own = {"target": target, "decoder": decoder, "too_long": too_long}
        common = {"validation": validation, "checkpoint": checkpoint, "progress": progress}
        return super().fit(data, **common, **own, **unknown)  # which names them

    def sample(
        self, n: int, *, seed: int | None = None, held_out: Any = None,
        temperature: float | None = None, conditions: Mapping[str, Any] | None = None,
        prior: str = "diffusion", constrained: bool = True,
        check: Callable[[Any], bool] | None = None, max_tries: int | None = None,
        checkpoint: str | Path | None = None, progress: bool = False, strict: bool = False,
        **unknown: Any,
    ) -> Dataset:  # fmt: skip
        """`n` synthetic rows or texts, with `prior` and `tries` beside the common provenance.

        Args:
            seed: None is the constructor's; the same seed gives the same rows.
            temperature: 1 is the distribution that was learned, lower values sharpen it; None is
                the preset's.
            conditions: of tables, by column; see `synthkit.difflm.conditions.codes_for`.
            prior: where latents come from; see `synthkit.difflm.synthesizer.draw_latents`.
            constrained: rows are drawn from the trie of valid rows, so that each is valid; False
                draws freely and turns away what is not. Texts are always free.
            check: a function of a text, or of a row as a dictionary, that says whether to keep it.
            max_tries: how often one row is drawn; None is the preset's.
            held_out: rows or texts that must not be repeated.
            checkpoint: a file of drafts, from which an interrupted call goes on.
            strict: raise an error where rows are missing after all tries; else this is a warning.

        Raises:
            ValueError: not fitted, n < 1, a condition that nothing satisfies, an unknown prior.
            TooFewRows: with `strict`.
        """
        own = {"temperature": temperature, "conditions": conditions, "prior": prior, "check": check}
        own |= {"constrained": constrained, "max_tries": max_tries, "held_out": held_out}
        common = {"checkpoint": checkpoint, "progress": progress, "strict": strict}
        return super().sample(n, seed=seed, **common, **own, **unknown)

    def table(self, n: int, **options: Any) -> pd.DataFrame:
        """`sample` as a DataFrame, each column in its pandas type, without provenance."""
        return self.fitted.form.typed(self.sample(n, **options))

    def column_nats(self, data: Any) -> pd.DataFrame:
        """Cost of each column with the rows' own latents and with those of other rows.

        A column for which both are about alike is not told by the latent: in samples it is as good
        as independent of the others. A lower `beta` or more steps may help.

        Returns:
            Nats per row, (columns, 2).

        Raises:
            TypeError: no table, or a fit with a language model, which writes rows as texts.
            ValueError: a column is missing, or fewer than two rows.
        """
        if self.fitted.form.kind != "rows":
            raise TypeError("with a language model rows are texts, which have no columns of tokens")
        ids = self.fitted.form.encode(read_material(data, texts=False))
        costs = self.fitted.autoencoder.column_nats(ids)
        return pd.DataFrame(costs, index=["own latent", "another row's"]).T

    def _choose_preset(self, preset: Any, options: Mapping[str, Any]) -> Any:
        return with_changes(preset, options)

    def _read(self, data: Any, target=None, decoder=None, too_long: str = "error") -> FitInputs:
        if decoder is not None and self.lm is not None:
            raise ValueError("the language model is the decoder here; leave decoder= out")
        material = read_material(data, texts=self.lm is not None)
        if self.lm is not None:
            room = text_room(self.lm, self.preset.autoencoder.tokens)
            fitting = self._fitting(row_lengths(self.lm, material), room, too_long)
            material = rows_at(material, fitting)
        return FitInputs(material, target, decoder)

    def _fit_key(self, inputs: FitInputs, validation: FitInputs | None) -> str:
        own = super()._fit_key(inputs, validation)
        return run_key(fit=own, encoder=encoder_identity(self._encoder))

    def _pack(self, fitted: Fitted) -> tuple[Files, dict[str, Any]]:
        return pack_fitted(fitted, with_decoder=self.lm is None)

    def _unpack(self, saved: Saved) -> Fitted:
        return unpack_fitted(saved, self.lm, self.preset.piece, self._encoder)

    def _about(self, fitted: Fitted) -> str:
        what = "texts" if fitted.schema is None else f"rows of {len(fitted.schema.names)} columns"
        return f"{len(fitted.latents)} {what}"
