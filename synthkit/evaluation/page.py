"""The report of `evaluate` as one HTML page, with drawings of its intervals."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.intervals import CONFIDENCE, Interval
from ..core.page import document, table, wide
from .measure import Measure

WIDTH, ROW = 360, 62  # of the drawing and of a measure in it, in pixels

READING = (
    "Each measure is taken twice: of the synthetic data against real data, and of other real data "
    "against the same real data, in equal size. The second is the reference. There is no other "
    "target: a score better than that of real data is as much a reason to look as a worse one.",
    f"Brackets are intervals ({CONFIDENCE:.0%}). A measure is apart when the two intervals do not "
    "touch; that is a reason to look, not a test. With many measures one or two can be apart by "
    "chance. Where no honest interval is known the page says so.",
)


@dataclass(frozen=True)
class Figure:
    """The intervals of some measures as a drawing that a notebook shows.

    Attributes:
        rows: the measures.
    """

    rows: Sequence[Measure]

    def _repr_html_(self) -> str:
        caption = "Filled circle: synthetic. Open diamond: other real data. Bars: 95 % intervals."
        return f"<figure>{svg(self.rows)}<figcaption>{caption}</figcaption></figure>"


def svg(rows: Sequence[Measure], title: str = "Synthetic against real, measure by measure") -> str:
    """A drawing of measures, each on a scale of its own, with the numbers as its description."""
    drawn = "".join(_drawn(row, ROW * i) for i, row in enumerate(rows))
    told = "; ".join(f"{r.name}: synthetic {r.cells()[3]}, real {r.cells()[4]}" for r in rows)
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {ROW * len(rows)}" width="{WIDTH}" '
        f'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(told)}</desc>{drawn}</svg>"
    )


def _drawn(row: Measure, top: float) -> str:
    """One measure: its name, the two intervals below each other, the ends of their scale."""
    low, high = _scale(row)
    parts = [
        f'<text x="4" y="{top + 15}" font-size="13" fill="currentColor">'
        f"{html.escape(row.name)} <tspan font-size='11'>({html.escape(row.reading)})"
        f"{' – apart' if row.apart else ''}</tspan></text>",
        f'<line x1="4" x2="{WIDTH - 4}" y1="{top + 46}" y2="{top + 46}" '
        'stroke="currentColor" stroke-width="0.5"/>',
        f'<text x="4" y="{top + 57}" font-size="11" fill="currentColor">{low:.3g}</text>'
        f'<text x="{WIDTH - 4}" y="{top + 57}" font-size="11" text-anchor="end" '
        f'fill="currentColor">{high:.3g}</text>',
    ]
    sides = ((row.synthetic, "synthetic", "#0072B2"), (row.baseline, "real", "#C05500"))
    for side, name, plain in sides:
        y = top + (26 if name == "synthetic" else 38)
        start, x, end = (8 + (WIDTH - 16) * (v - low) / (high - low) for v in _ends(side))
        colour = f'stroke="var(--{name}, {plain})"'
        fill = f"var(--{name}, {plain})" if name == "synthetic" else "none"
        mark = (
            f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{fill}" {colour}/>'
            if name == "synthetic"
            else f'<path d="M{x - 5:.1f} {y}l5 -5l5 5l-5 5z" fill="{fill}" {colour} '
            'stroke-width="2"/>'
        )
        parts.append(
            f'<line x1="{start:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}" {colour} '
            f'stroke-width="3"/>{mark}'
        )
    return "".join(parts)


def _ends(side: Interval) -> tuple[float, float, float]:
    """Low, mean and high; the mean alone where there is no interval."""
    if math.isnan(side.low):
        return side.mean, side.mean, side.mean
    return side.low, side.mean, side.high


def _scale(row: Measure) -> tuple[float, float]:
    """The ends of a measure's scale: what the two intervals cover, and a tenth more, but no number
    below 0 for what cannot be."""
    values = [*_ends(row.synthetic), *_ends(row.baseline)]
    room = 0.1 * (max(values) - min(values)) or 0.5 * 10**-row.digits
    low = min(values) - room
    return (low if min(values) < 0 else max(low, 0.0)), max(values) + room


def html_table(caption: str, rows: Sequence[Measure], head: Sequence[str]) -> str:
    """The measures as a table whose header cells a screen reader announces."""
    cells = [[*row.cells()[:-1], "yes" if row.apart else "no"] for row in rows]
    marked = [i for i, row in enumerate(rows) if row.apart]
    return table(caption, head, cells, header=1, marked=marked)


def page(caption: str, rows: Sequence[Measure], notes: Sequence[str], head: Sequence[str]) -> str:
    """The whole page as text."""
    apart = [row.name for row in rows if row.apart]
    found = f"{len(apart)} of {len(rows)} measures are apart from real data"
    found += f": {', '.join(apart)}." if apart else "."
    families = dict.fromkeys(row.family for row in rows)
    drawings = "".join(
        f"<section><h3>{family.capitalize()}</h3>"
        f"{svg([r for r in rows if r.family == family], f'Measures of {family}')}</section>"
        for family in families
    )
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    known = f"<section><h2>Know before reading</h2><ul>{listed}</ul></section>" if notes else ""
    told = html_table("Synthetic against real data, and real against real data", rows, head)
    body = (
        f"<p>{html.escape(caption)}.</p>\n<p><strong>{html.escape(found)}</strong></p>\n{known}\n"
        "<section><h2>In one picture</h2><figure><figcaption>Filled circle: synthetic. Open "
        "diamond: other real data. Bars: intervals. Each measure has a scale of its own."
        f'</figcaption><div class="drawings">{drawings}</div></figure></section>\n'
        f"<section><h2>All numbers</h2>{wide('All numbers', told)}</section>\n"
        "<section><h2>How to read this</h2>"
        f"{''.join(f'<p>{html.escape(each)}</p>' for each in READING)}</section>"
    )
    return document("Synthetic data beside real data", body)
