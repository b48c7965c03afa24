"""Synthetic data as a folder that can be shared: rows, and a card that says where they are from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..core.files import make_folder, write_bytes, write_jsonl, write_text

if TYPE_CHECKING:
    from datasets import Dataset

CARD, ROWS = "README.md", "data/train-00000-of-00001.parquet"
ENDINGS = (".jsonl", ".csv", ".parquet")
UNKNOWN = "not stated; look it up at the source before you share these rows"
# What holds of all rows that a model wrote.
LIMITS = (
    "A language model wrote these rows. They can be wrong, and they can repeat what the model or "
    "the source holds, personal data among it: read some before you use or share them.",
    "They stand for the source as far as the method carries; `synthkit evaluate` measures how far.",
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class Provenance:
    """Facts of some synthetic rows that the rows themselves do not carry.

    Attributes:
        source: the name of the real data. licence: theirs, such as "mit" or a sentence.
        settings: of the method, by name. command: that made the rows.
        limits: sentences on what is known to go wrong, beside `LIMITS`.
        rejected: what was turned away, in words.
    """

    source: str = ""
    licence: str = ""
    settings: Mapping[str, Any] | None = None
    command: str = ""
    limits: Sequence[str] = ()
    rejected: str = ""


def write_rows(rows: Dataset, path: str | Path) -> Path:
    """Write rows to a .jsonl, .csv or .parquet file, whole or not at all.

    Lists and dictionaries in a row become JSON texts in a csv file.

    Raises:
        ValueError: another ending. OSError: see `synthkit.core.files.write_bytes`.
    """
    path = Path(path)
    check_ending(path)
    if path.suffix == ".jsonl":
        return write_jsonl(path, rows.to_list())
    if path.suffix == ".csv":
        return write_text(path, _as_csv(rows))
    return write_bytes(path, _as_parquet(rows))


def check_ending(path: Path) -> None:
    """Raise ValueError for a file that `write_rows` cannot write."""
    if path.suffix not in ENDINGS:
        raise ValueError(
            f"rows are written as {', '.join(ENDINGS)}, or into a folder, whose name has no "
            f"ending; found {path.name}"
        )


def save_dataset(rows: Dataset, folder: str | Path, about: Provenance = Provenance()) -> Path:
    """Write rows and their card into a folder as the Hugging Face hub wants it.

    `datasets.load_dataset(FOLDER)` reads it, and `huggingface_hub.upload_folder` shares it.

    Args:
        rows: of a method's `sample`, with its columns of provenance.

    Raises:
        OSError: see `synthkit.core.files.write_bytes`; the card is written last.
    """
    folder = Path(folder)
    make_folder(folder)
    write_bytes(folder / ROWS, _as_parquet(rows))
    write_text(folder / CARD, card(rows, folder.resolve().name, about))
    return folder


def card(rows: Dataset, name: str, about: Provenance) -> str:
    """The card of a synthetic data set: facts for the hub in YAML, then provenance and limits.

    Args:
        name: of the set. about: what the rows do not say; who made them is read from the rows.
    """
    made = {key: _values(rows, key) for key in ("method", "model", "seed", "temperature")}
    head = {
        "pretty_name": name,
        "tags": ["synthetic", "synthkit", *(value.lower() for value in made["method"])],
        "size_categories": [next((size for n, size in _SIZES if len(rows) < n), "n>1M")],
        "configs": [{"config_name": "default",
                     "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
    }  # fmt: skip
    facts = {
        "method": ", ".join(made["method"]),
        "model that wrote the rows": ", ".join(made["model"]) or "none: the method trained its own",
        "seeds": ", ".join(made["seed"]),
        "temperature": ", ".join(made["temperature"]) or "see the method",
        "rows": f"{len(rows):,}",
        "turned away": about.rejected or "nothing",
        "real data it was fitted to": about.source or "not stated",
        "licence of the real data": about.licence or UNKNOWN,
        "settings": json.dumps(about.settings or {}, default=str),
        "made by": f"synthkit {__version__}" + (f", `{about.command}`" if about.command else ""),
    }
    columns = "\n".join(f"- `{column}`" for column in rows.column_names)
    return (
        f"---\n{_yaml(head)}---\n\n# {name}\n\nSynthetic data, written by a published method. "
        f"Nothing in it is a record of the real world.\n\n"
        f"{told(facts, (*LIMITS, *about.limits))}\n\n## Columns\n\n{columns}\n\n## Use\n\n"
        f"```python\nfrom datasets import load_dataset\n\nrows = load_dataset(FOLDER_OR_NAME, "
        f'split="train")\n```\n'
    )


def told(facts: Mapping[str, str], limits: Sequence[str]) -> str:
    """Provenance as a table in Markdown, and known limits as a list."""
    lines = "\n".join(f"| {fact} | {_cell(value)} |" for fact, value in facts.items())
    known = "\n".join(f"- {limit}" for limit in limits)
    return f"## Provenance\n\n| fact | value |\n|---|---|\n{lines}\n\n## Known limits\n\n{known}"


def _values(rows: Dataset, column: str) -> list[str]:
    """The different values of a column of provenance, as texts; it may be called `sample_...`."""
    found = [name for name in rows.column_names if name.removeprefix("sample_") == column]
    values = dict.fromkeys(rows[found[-1]]) if found else {}
    return [str(value) for value in values if value is not None]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _yaml(head: Mapping[str, Any]) -> str:
    """YAML of flat facts: a JSON value is one, on one line."""
    return "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in head.items()
    )


def _as_parquet(rows: Dataset) -> bytes:
    written = io.BytesIO()
    rows.to_parquet(written)
    return written.getvalue()


def _as_csv(rows: Dataset) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(rows.column_names)
    for row in rows.to_list():
        values = row.values()
        writer.writerow(
            json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
            for value in values
        )
    return written.getvalue()
