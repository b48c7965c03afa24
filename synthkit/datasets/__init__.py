"""Real sets by path or by hub name, read, checked and brought into one form."""

from .containers import (
    as_frame,
    columns_of,
    is_list_of_texts,
    is_table,
    rows_of,
    texts_of,
    values_of,
)
from .files import FORMATS, PICKLES
from .loaders import (
    load_asdiv,
    load_clinc150,
    load_mbpp,
    load_questions,
    load_self_instruct,
    load_sentiment,
    load_texts,
    load_tool_schemas,
)
from .normalise import normalise_number
from .sharing import Provenance, save_dataset, write_rows
from .tables import MISSING, load_table
from .validation import as_dataset

__all__ = [
    "FORMATS",
    "MISSING",
    "PICKLES",
    "Provenance",
    "as_dataset",
    "as_frame",
    "columns_of",
    "is_list_of_texts",
    "is_table",
    "load_asdiv",
    "load_clinc150",
    "load_mbpp",
    "load_questions",
    "load_self_instruct",
    "load_sentiment",
    "load_table",
    "load_texts",
    "load_tool_schemas",
    "normalise_number",
    "rows_of",
    "save_dataset",
    "texts_of",
    "values_of",
    "write_rows",
]
