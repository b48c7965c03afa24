"""Forms: how rows or texts are written as tokens, read back, and why a draft is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..datasets import as_dataset, as_frame, is_list_of_texts
from ..lm.rows import token_counts
from ..lm.tokens import text_room
from .conditions import codes_for
from .json_pieces import JsonPieces
from .json_trie import JsonConstraint
from .presets import DiffLMPreset
from .rows import RowCodec, from_json, rows_from_json, to_json
from .schema import TableSchema
from .text_codec import TextCodec
from .trie import RowConstraint

if TYPE_CHECKING:
    from datasets import Dataset

Draft = list[int]  # the token ids of a row
CUT_OFF = "no end"


def read_material(data: Any, *, texts: bool) -> pd.DataFrame | list[str]:
    """Read the data that a fit learns from: a DataFrame, or a list of texts.

    Where `texts` can be learned, a column `text` is taken for them.
    """
    if is_list_of_texts(data):
        if not texts:
            raise ValueError(
                "texts need a language model to write them: DiffLM(lm); without one DiffLM learns "
                "tables"
            )
        return list(as_dataset(data, "text")["text"])
    frame = as_frame(data, "DiffLM's data")
    if texts and "text" in frame.columns:
        return list(as_dataset(frame[["text"]], "text")["text"])
    return frame


class RowForm:
    """Rows as the tokens of their columns: what the format model writes."""

    kind = "rows"

    def __init__(self, schema: TableSchema, piece: int = 1):
        self.schema, self.codec = schema, RowCodec(schema, piece=piece)

    def encode(self, table: pd.DataFrame) -> Tensor:
        """Token ids (n, length)."""
        return self.codec.encode(table, unseen="nearest")

    def drafts(self, ids: Tensor) -> list[Draft]:
        """The rows of ids (n, m) as lists."""
        return ids.tolist()

    def constraint(self, conditions: Mapping[str, Any] | None = None) -> RowConstraint:
        """The trie of the rows that satisfy the conditions."""
        return self.codec.constraint(conditions)

    def faults(self, drafts: Sequence[Draft]) -> list[str | None]:
        """For each draft why it is no row, or None."""
        return self.codec.why_invalid(torch.tensor(drafts))

    def frame(self, drafts: Sequence[Draft]) -> pd.DataFrame:
        """The table of drafts that are valid."""
        ids = torch.tensor(drafts, dtype=torch.long).reshape(-1, self.codec.length)
        return self.codec.decode(ids)

    def rows(self, drafts: Sequence[Draft]) -> list[dict[str, Any]]:
        """The rows of valid drafts as dictionaries."""
        return self.frame(drafts).to_dict("records")

    def typed(self, rows: Dataset) -> pd.DataFrame:
        """Rows of a sample as a table, each column in the type that it had in the fit."""
        table = as_frame(rows.select_columns(self.schema.names))
        return self.schema.restore(self.schema.codes(table, "nearest"))


class TextForm:
    """Texts as a model's tokenizer cuts them."""

    kind, schema = "text", None

    def __init__(self, codec: TextCodec):
        self.codec = codec

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids (n, m), ends included, padded on the right."""
        return self.codec.encode(texts)

    def drafts(self, ids: Tensor) -> list[Draft]:
        """Each row up to its first end token."""
        return [row[keep].tolist() for row, keep in zip(ids, self.codec.mask(ids))]

    def faults(self, drafts: Sequence[Draft]) -> list[str | None]:
        """For each draft why it is no text, or None."""
        ended = [self.codec.eos in draft for draft in drafts]
        texts = self.texts(drafts)
        return [
            CUT_OFF if not end else None if text.strip() else "empty"
            for end, text in zip(ended, texts)
        ]

    def frame(self, drafts: Sequence[Draft]) -> pd.DataFrame:
        """The table of drafts that are valid."""
        return pd.DataFrame({"text": self.texts(drafts)}, dtype=object)

    def texts(self, drafts: Sequence[Draft]) -> list[str]:
        """The drafts as texts."""
        return [self.codec.decode(torch.tensor([draft]))[0] for draft in drafts]

    rows = texts

    def typed(self, rows: Dataset) -> pd.DataFrame:
        """Rows of a sample as a table of texts."""
        return pd.DataFrame({"text": rows["text"][:]}, dtype=object)


class JsonForm(TextForm):
    """Rows as lines of JSON, for a model that reads text; the paper's form of a row."""

    kind = "json"

    def __init__(self, schema: TableSchema, codec: TextCodec):
        super().__init__(codec)
        self.schema, self.pieces = schema, JsonPieces(schema, codec.tokenizer)

    def encode(self, table: pd.DataFrame) -> Tensor:
        """Token ids (n, m), ends included, padded on the right."""
        ids = self.pieces.encode(table, eos=self.codec.eos, pad=self.codec.pad)
        if ids.shape[1] > self.codec.length:
            raise ValueError(
                f"a row takes {ids.shape[1]} tokens as JSON, but {self.codec.length} is the most "
                "that fits; fit with fewer columns or shorter words"
            )
        return ids

    def constraint(self, conditions: Mapping[str, Any] | None = None) -> JsonConstraint:
        """The trie of the rows that satisfy the conditions."""
        if conditions:
            return json_constraint(self.schema, self.codec.tokenizer, conditions, self.pieces)
        return self._all

    @cached_property
    def _all(self) -> JsonConstraint:
        return json_constraint(self.schema, self.codec.tokenizer, None, self.pieces)

    def faults(self, drafts: Sequence[Draft]) -> list[str | None]:
        """For each draft why it is no row, or None."""
        return [
            CUT_OFF if self.codec.eos not in draft else from_json(text, self.schema)[1]
            for draft, text in zip(drafts, self.texts(drafts))
        ]

    def frame(self, drafts: Sequence[Draft]) -> pd.DataFrame:
        """The table of drafts that are valid."""
        return rows_from_json(self.texts(drafts), self.schema)[0]

    rows, typed = RowForm.rows, RowForm.typed


Form = RowForm | TextForm | JsonForm


def json_constraint(schema: TableSchema, tokenizer, conditions=None, pieces=None) -> JsonConstraint:
    """The trie of valid rows as JSON, for a tokenizer and conditions."""
    codec = TextCodec(tokenizer, 2)
    marks = {"eos": codec.eos, "pad": codec.pad, "pieces": pieces}
    return JsonConstraint(schema, tokenizer, codec.vocab_size, conditions, **marks)


def make_form(
    material: pd.DataFrame | list[str], lm, preset: DiffLMPreset, target: str | None = None
) -> Form:
    """Choose the form in which the material is written as tokens: rows, JSON or texts."""
    if not isinstance(material, pd.DataFrame):
        if target is not None:
            raise ValueError(f"texts have no columns, so target={target!r} has no meaning here")
        return TextForm(text_codec(lm, material, preset))
    options = {name: getattr(preset, name) for name in ("digits", "max_categories", "few")}
    ranks = preset.ranks if lm is None else None
    schema = TableSchema.infer(material, target, ranks=ranks, **options)
    check_kinds_of_values(schema)
    if lm is None:
        return RowForm(schema, preset.piece)
    rows = [to_json(row) for row in material[schema.names].to_dict("records")]
    room = json_constraint(schema, lm.tokenizer).length
    return JsonForm(schema, text_codec(lm, rows, preset, room))


def check_kinds_of_values(schema: TableSchema) -> None:
    """Raise ValueError when a column holds values of two kinds, which no Dataset can."""
    for column in schema.columns:
        kinds = {
            "words" if isinstance(value, str)
            else "truth values" if isinstance(value, (bool, np.bool_)) else "numbers"
            for value in getattr(column, "values", ())
        }  # fmt: skip
        if len(kinds) > 1:
            raise ValueError(
                f"column {column.name!r} holds {' and '.join(sorted(kinds))}, which no Dataset "
                "can hold; make it words by astype(str)"
            )


def text_codec(lm, texts: Sequence[str], preset: DiffLMPreset, room: int = 0) -> TextCodec:
    """The codec of a model's tokenizer, with room for a quarter over the longest, or `room`."""
    lengths, most = row_lengths(lm, texts), text_room(lm, preset.autoencoder.tokens)
    longest = max(lengths)
    if longest > most:
        raise ValueError(
            f"row {lengths.index(longest)} (from 0) is {longest} tokens long, and {most} fit "
            "behind the soft tokens; leave such rows out, or shorten them"
        )
    whole = longest + 1  # with its end
    return TextCodec(lm.tokenizer, min(most + 1, max(room, whole + whole // 4)))


def row_lengths(lm, material: pd.DataFrame | Sequence[str]) -> list[int]:
    """Tokens of each text, or of each row as JSON, without its end."""
    if isinstance(material, pd.DataFrame):
        rows = material.to_dict("records")
        material = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
    return token_counts(lm, material)


def rows_at(material: pd.DataFrame | list[str], places: Sequence[int]) -> pd.DataFrame | list[str]:
    """The rows or texts at some places."""
    if isinstance(material, pd.DataFrame):
        return material if len(places) == len(material) else material.iloc[list(places)]
    return [material[i] for i in places]


def satisfied(schema: TableSchema, table: pd.DataFrame, conditions) -> np.ndarray:
    """Mask (n,) of the rows of a table that satisfy conditions."""
    both = zip(codes_for(schema, conditions), schema.codes(table, "nearest").T)
    return np.all([wanted.holds(codes) for wanted, codes in both], axis=0)
