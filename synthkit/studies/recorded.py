"""Reports of runs that were recorded before: by name, by file, by folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .measurements import UNLABELLED, means
from .page import save_page
from .registry import NAMES, load_study
from .report import print_view
from .results import Result, available_results, load_result
from .study import Study, Table
from .view import View, view

if TYPE_CHECKING:
    import pandas as pd

RESULT = "result.json"


def find(source: str) -> list[tuple[str, Result, Path]]:
    """The results that a word stands for, each with its name and the folder of what is beside it.

    Args:
        source: the name of a recorded result of the kit, a result's file, the folder of a run, or a
            folder of such folders.

    Raises:
        FileNotFoundError: none is there; the message says what was looked for.
        ValueError: a file is no result.
    """
    path = Path(source)
    if path.is_file():
        return [(path.parent.name, load_result(path), path.parent)]
    if path.is_dir():
        files = [path / RESULT] if (path / RESULT).is_file() else sorted(path.glob(f"*/{RESULT}"))
        if not files:
            raise FileNotFoundError(f"neither {path} nor a folder in it holds a {RESULT}")
        return [(file.parent.name, load_result(file), file.parent) for file in files]
    if source in available_results():
        return [(source, load_result(source), Path())]
    raise FileNotFoundError(
        f"{source} is no file, no folder and no recorded result; there is "
        f"{', '.join(available_results())}"
    )


def study_of(result: Result) -> Study:
    """The study that shows a result: the method's own, the one on real data, or a plain one."""
    labels = {key for row in result.measurements for key in row} - UNLABELLED
    if result.method not in NAMES:
        return _plain(result, labels)
    from .ledger import judges
    from .real_claims import PLACE

    own = load_study(result.method)
    fitting = [each for each in judges(result.method) if each.labels == labels]
    if fitting and fitting[0].form == own.place:
        return own
    if fitting and fitting[0].form == PLACE:
        from .real_data import RealData
        from .reproduction import Request

        columns = result.preset.get("data_columns") or {}
        stub = RealData(str(result.preset.get("data", "")), [dict.fromkeys(columns, "")], columns)
        real = Request(result.method).module.study(stub)
        return replace(real, claims=fitting[0].claims)
    claims = tuple(claim for each in fitting for claim in each.claims)
    return replace(_plain(result, labels), claims=claims, title=own.title)


def _plain(result: Result, labels: set[str]) -> Study:
    """A study that shows the mean of every measure."""
    order = [key for key in result.measurements[0] if key in labels]
    place = ", ".join(f"{{{name}}}" for name in order)
    table = Table(partial(_every_measure, form=place))
    return Study(
        result.method, result.method, lambda preset: [], {}, place=place, tables=(table,),
        notes=result.notes,
    )  # fmt: skip


def _every_measure(result: Result, place: str, form: str) -> pd.DataFrame:
    from .measurements import places

    at = places(result, form)[place]
    rows = (row for row in result.measurements if at.items() <= row.items())
    columns = dict.fromkeys(row["measure"] for row in rows)
    return means(result, {name: name for name in columns}, **at)


def report(sources: Sequence[str], page: Path | None = None) -> list[View]:
    """Print the report of recorded runs, and write their page.

    Args:
        sources: see `find`.
        page: the file to write; None: none.

    Raises:
        Errors of `find`, and OSError where the page could not be written.
    """
    found = [each for source in sources for each in find(source)]
    views = []
    for _, result, folder in found:
        shown = view(study_of(result), result, folder, keep=False)
        print_view(shown)
        views.append(shown)
    if page is not None:
        save_page(page, views)
    return views
