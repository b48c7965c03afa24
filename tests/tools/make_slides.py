"""Make slides of lessons for a lecture: reveal.js, by nbconvert, without running anything.

    python tests/tools/make_slides.py 42 [NAME ...] [--out FOLDER] [--reveal ADDRESS]

Headings begin slides; figures, tables, equations and short cells stay. Long prose becomes speaker
notes (press S), long code is left out and its output kept, and exercises are left out. The page
loads reveal.js, and nothing else, from ADDRESS: a public server, or a folder beside the slides
(`npm pack reveal.js` fetches one). Needs the extras `lessons` and `docs`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from build_site import ROOT, cleaned
from run_notebooks import find

LINES, WORDS = 14, 45  # of code, and of a paragraph, that fit a slide
HEIGHT = 23  # lines of a slide
REVEAL = "https://unpkg.com/reveal.js@4.6.1"
TEMPLATE = """\
{% extends 'reveal/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block footer_js %}
<style>.reveal { font-size: 26px } .reveal table { font-size: 18px }
.reveal img { max-height: 60vh }
.reveal h1 { font-size: 1.7em } .reveal h2 { font-size: 1.4em } .reveal h3 { font-size: 1.2em }
.reveal section { text-align: left } .jp-InputPrompt, .jp-OutputPrompt { display: none }</style>
<script src="{{ resources.reveal.url_prefix }}/dist/reveal.js"></script>
<script src="{{ resources.reveal.url_prefix }}/plugin/notes/notes.js"></script>
<script>
Reveal.initialize({hash: true, slideNumber: "c/t", width: 1100, height: 720, center: false,
                   plugins: [RevealNotes]});
</script>
{% endblock %}
"""
_PLAIN = ("|", "-", "*", ">", "$", "<", "`", "1", "#", "!")  # what is no paragraph of prose


def slides(notebook: dict) -> nbformat.NotebookNode:
    """The notebook with cells cut for slides, each with its place among them."""
    made = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    wanted = True
    for cell in cleaned(notebook):
        if cell["cell_type"] == "code":
            if wanted:
                made.cells.append(_code(cell))
            continue
        for part in re.split(r"(?m)^(?=#{1,3} )", cell["source"]):
            if part.startswith(("# ", "## ")):
                wanted = not re.match(r"#+ [\d. ]*Exercises", part)
            if wanted and part.strip():
                made.cells += list(_prose(part))
    _break(made.cells)
    return made


def _break(cells: list[nbformat.NotebookNode]) -> None:
    """Begin a slide below where the cells so far fill one."""
    used = 0
    for cell in cells:
        place = cell.metadata["slideshow"]
        if place["slide_type"] in ("notes", "skip"):
            continue
        size = _size(cell)
        if place["slide_type"] == "-" and used + size > HEIGHT:
            place["slide_type"] = "subslide"
        used = size if place["slide_type"] != "-" else used + size


def _size(cell: nbformat.NotebookNode) -> int:
    """Lines that a cell takes on a slide, about."""
    if cell.cell_type == "markdown":
        return sum(1 + len(line) // 95 for line in cell.source.splitlines())
    size = 0 if "remove-input" in cell.metadata["tags"] else cell.source.count("\n") + 2
    for output in cell.outputs:
        data = output.get("data", {"text/plain": output.get("text", "")})
        text = data.get("text/plain", "")
        size += 16 if "image/png" in data else 1 + "".join(text).count("\n")
    return size


def _code(cell: dict) -> nbformat.NotebookNode:
    fresh = nbformat.v4.new_code_cell(cell["source"], outputs=nbformat.from_dict(cell["outputs"]))
    tags = list(cell["metadata"].get("tags", []))
    if len(cell["source"].splitlines()) > LINES:
        tags.append("remove-input")
    kind = "skip" if "remove-input" in tags and not cell["outputs"] else "-"
    fresh.metadata.update({"tags": tags, "slideshow": {"slide_type": kind}})
    return fresh


def _prose(part: str) -> Iterator[nbformat.NotebookNode]:
    """A heading with what is short under it, and the rest as notes."""
    shown, notes = [], []
    for paragraph in re.split(r"\n\s*\n(?=\S)", part.strip()):
        long = len(paragraph.split()) > WORDS and not paragraph.startswith(_PLAIN)
        (notes if long else shown).append(paragraph)
    kind = "slide" if part.startswith(("# ", "## ")) else "-"
    kind = "subslide" if part.startswith("### ") else kind
    for paragraphs, place in ((shown, kind), (notes, "notes")):
        if paragraphs:
            yield nbformat.v4.new_markdown_cell(
                "\n\n".join(paragraphs), metadata={"slideshow": {"slide_type": place}}
            )


def with_mathml(markdown: str) -> str:
    """The text with its equations as the site has them, outside code."""
    spec = importlib.util.spec_from_file_location("conf", ROOT / "nbs" / "site" / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)

    def draw(found: re.Match) -> str:
        if found[1]:
            return found[1]
        return re.sub(r"\s*\n\s*", " ", conf.mathml(found[2] or found[3], bool(found[2])))

    code, display, inline = r"(```.*?```|`[^`\n]*`)", r"\$\$(.+?)\$\$", r"\$([^$\n]+)\$"
    return re.sub(f"{code}|{display}|{inline}", draw, markdown, flags=re.S)


def write(path: Path, out: Path, reveal: str) -> Path:
    """Write the slides of one lesson; the file."""
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    hide = {"enabled": True, "remove_input_tags": {"remove-input"}}
    exporter = SlidesExporter(config=Config({"TagRemovePreprocessor": hide}))
    exporter.reveal_url_prefix = reveal
    exporter.raw_template = TEMPLATE
    made = slides(nbformat.read(path, as_version=4))
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
    body, _ = exporter.from_notebook_node(made, {"metadata": {"name": path.stem}})
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{path.stem}.slides.html"
    file.write_text(body, encoding="utf-8")
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description="Make slides of lessons.")
    parser.add_argument("names", nargs="+", help="lessons, or the start of their names")
    parser.add_argument("--out", type=Path, default=ROOT / "_docs" / "slides")
    parser.add_argument("--reveal", default=REVEAL, help="where reveal.js is, such as reveal.js")
    arguments = parser.parse_args()
    for path in find(arguments.names):
        print(write(path, arguments.out, arguments.reveal))


if __name__ == "__main__":
    main()
