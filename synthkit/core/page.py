"""One HTML page: no script, no other file, for light and dark screens and for paper."""

from __future__ import annotations

import base64
import html
from collections.abc import Container, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #555; --paper: #fff; --rule: #767676;
  --band: #f2f4f7; --synthetic: #005a8f; --real: #a34700; }
@media (prefers-color-scheme: dark) { :root { --ink: #eaeaea; --soft: #b8b8b8; --paper: #15171a;
  --rule: #8a8f98; --band: #20242a; --synthetic: #6cc0f0; --real: #f0a830; }
  img { filter: invert(1) hue-rotate(180deg); } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --paper: #fff;
  --rule: #767676; --band: #fff; --synthetic: #005a8f; --real: #a34700; }
  img { filter: none; } .wide { overflow: visible; }
  tr, svg, img, figure { break-inside: avoid; } }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin-bottom: .5rem; }
a { color: var(--synthetic); }
.wide { overflow-x: auto; margin: 1rem 0; } .wide:focus { outline: 2px solid var(--synthetic); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--rule);
  white-space: nowrap; font-weight: normal; vertical-align: top; }
.told th, .told td { white-space: normal; min-width: 4.5rem; }
thead th { font-weight: bold; } tr.apart { background: var(--band); }
tr.apart th, tr.apart td:last-child { font-weight: bold; }
figure { margin: 1rem 0; } .drawings { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figcaption, footer, .note { color: var(--soft); } img { max-width: 100%; height: auto; }
svg { width: 100%; max-width: 30rem; height: auto; }
"""


def document(title: str, body: str) -> str:
    """The whole page as text.

    Args:
        title: plain text, also the page's one heading of the first level.
        body: HTML, whose headings begin at the second level.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{html.escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, header: int = 0,
    marked: Container[int] = (),
) -> str:  # fmt: skip
    """A table of plain texts whose header cells a screen reader announces.

    Args:
        header: the column that names a row. marked: numbers of rows to stand out.
    """
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = []
    for i, row in enumerate(rows):
        cells = [f"<td>{html.escape(cell)}</td>" for cell in row]
        cells[header] = f'<th scope="row">{html.escape(row[header])}</th>'
        mark = ' class="apart"' if i in marked else ""
        body.append(f"<tr{mark}>{''.join(cells)}</tr>")
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{names}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def wide(label: str, content: str, *, told: bool = False) -> str:
    """A part that scrolls sideways where the screen is narrow, also by keyboard.

    Args:
        label: its name, which a screen reader announces. told: cells are sentences, and wrap.
    """
    kind = "wide told" if told else "wide"
    name = html.escape(label, quote=True)
    return f'<div class="{kind}" role="region" aria-label="{name}" tabindex="0">{content}</div>'


def picture(svg: bytes, alt: str, width: int) -> str:
    """A drawing (SVG) inside the page, dark on light and turned over on a dark screen.

    Args:
        alt: the text in its place. width: in pixels.
    """
    data = base64.b64encode(svg).decode("ascii")
    text = html.escape(alt, quote=True)
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{text}" width="{width}">'
