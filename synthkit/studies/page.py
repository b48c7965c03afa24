"""Runs as one HTML page: a line per method, every table whole, claims, figures inside the page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import write_text
from ..core.page import document, picture, table, wide
from .claims import RULE, run_only

if TYPE_CHECKING:
    import pandas as pd

    from .view import Headline, Shown, View

HEAD = ("method", "the paper says", "seen here", "lesson")


def save_page(path: Path, views: Sequence[View], failed: Sequence[str] = ()) -> Path:
    """Write the page of some runs; see `page`.

    Raises:
        OSError: it could not be written; see `synthkit.core.files.write_bytes`.
    """
    return write_text(path, page(views, failed))


def page(views: Sequence[View], failed: Sequence[str] = ()) -> str:
    """The page as text.

    Args:
        failed: a sentence for each run that ended in an error.
    """
    titles = [each.title for each in views]
    title = f"{titles[0]}: a run" if len(titles) == 1 else "The methods, side by side"
    lines = [each.headline for each in views if each.headline]
    rows = summary_rows(lines)
    summed = wide("In one line each", table("In one line each", HEAD, rows), told=True)
    trouble = "".join(f"<p><strong>{html.escape(each)}</strong></p>" for each in failed)
    links = "".join(
        f'<li><a href="#run-{i}">{html.escape(each.title)}</a>: {html.escape(each.about)}</li>'
        for i, each in enumerate(views)
    )
    body = "\n".join(_section(each, f"run-{i}") for i, each in enumerate(views))
    return document(title, f"<ul>{links}</ul>\n{trouble}{summed if rows else ''}\n{body}")


def summary_rows(lines: Iterable[Headline]) -> list[tuple[str, str, str, str]]:
    """A row per method, under `HEAD`."""
    return [(each.method, each.paper, each.seen, each.lesson) for each in lines]


def _section(view: View, id: str) -> str:
    parts = [f'<h2 id="{id}">{html.escape(view.title)}</h2>']
    if view.notes:
        parts.append(f'<p class="note">{html.escape(view.notes)}</p>')
    parts += [_table(each) for each in view.tables]
    for each in view.pictures:
        drawn = picture(each.svg, each.alt, each.width)
        parts.append(
            f"<figure>{drawn}<figcaption>{html.escape(each.caption)}</figcaption></figure>"
        )
    if view.samples:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in view.samples)
        parts.append(f"<h3>Some rows that were written</h3><ul>{items}</ul>")
    if view.tally:
        run = run_only(view.claims)
        told = table("Claims", list(run), [_cells(row) for row in run.to_numpy().tolist()])
        parts.append(f"<h3>Claims</h3><p>{html.escape(view.tally)} {html.escape(RULE)}</p>")
        parts.append(wide(f"Claims of {view.title}", told, told=True) if len(run) else "")
    return f"<section>{''.join(parts)}</section>"


def _table(shown: Shown) -> str:
    named = shown.frame if any(shown.frame.index.names) else shown.frame.rename_axis("row")
    frame: pd.DataFrame = named.reset_index()
    head = list(map(str, frame))
    rows = [_cells(row) for row in frame.astype(object).to_numpy().tolist()]
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in shown.notes)
    return wide(shown.title, table(shown.title, head, rows)) + notes


def _cells(row: Sequence[Any]) -> list[str]:
    return ["-" if value is None or value != value else str(value) for value in row]
