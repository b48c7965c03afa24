"""Columns that say where a synthetic row came from, the same for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

COMMON = {  # the columns that the rows of every method have, and their types
    "method": "string", "model": "string", "seed": "int64", "temperature": "float64",
    "status": "string",
}  # fmt: skip


def with_provenance(
    rows: Dataset | Mapping[str, Sequence], provenance: Mapping[str, Any]
) -> Dataset:
    """Rows with the columns of `provenance`: the method's own, then those of `COMMON`.

    A column whose name the rows have already is called `sample_...`.

    Args:
        rows: a Dataset, or columns by name.
        provenance: by name one value for all rows, or a list with one for each; without a
            `temperature` it is None, and without a `status` "kept".
    """
    from datasets import Dataset, Features, Value

    rows = rows if isinstance(rows, Dataset) else Dataset.from_dict(dict(rows))
    defaults = {**dict.fromkeys(COMMON), "status": "kept"}
    own = {name: value for name, value in provenance.items() if name not in COMMON}
    columns: dict[str, list] = {}
    types: dict[str, Any] = {}
    for name, value in {**own, **defaults, **provenance}.items():
        kind = COMMON.get(name)
        while name in rows.column_names:
            name = f"sample_{name}"
        columns[name] = value if isinstance(value, list) else [value] * len(rows)
        types |= {name: Value(kind)} if kind else {}
    features: Any = rows.features | Dataset.from_dict(columns).features | types
    data = {name: rows[name] for name in rows.column_names}
    return Dataset.from_dict({**data, **columns}, features=Features(features))
