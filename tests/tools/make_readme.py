"""Make README.md from nbs/index.ipynb, without running it.

    python tests/tools/make_readme.py [--check]

Markdown cells are taken as they are. Of a code cell, the code and its text outputs become fenced
blocks; outputs in Markdown are taken as they are. `#| hide` drops a cell, `#| echo: false` its
code, `#| output: false` its outputs. A figure of a cell with `#| label: NAME` is written to
`nbs/NAME.png`, with `#| fig-alt` as its alternative text. Relative links start from `nbs/` in the
notebook, and from the root in the README. A PNG in `nbs/` that no label makes is removed. With
`--check` nothing is written or removed, and the exit status is 1 if anything would be.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "nbs" / "index.ipynb"
README = ROOT / "README.md"
NOTE = "<!-- Made from nbs/index.ipynb by tests/tools/make_readme.py: edit the notebook. -->"
_LINK = re.compile(r"\]\((?![\w+.-]+:|[#/])([^)\s]+)\)")
_DIRECTIVE = re.compile(r"^#\|\s*([\w-]+)\s*:?\s*(.*?)\s*$")


def directives(source: str) -> tuple[dict[str, str], str]:
    """The `#|` lines at the head of a cell, and the rest of its code."""
    lines = source.split("\n")
    found = {}
    while lines and (match := _DIRECTIVE.match(lines[0])):
        found[match[1]] = match[2]
        lines.pop(0)
    return found, "\n".join(lines).strip("\n")


def fenced(text: str, language: str) -> str:
    """A fenced block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def moved(markdown: str) -> str:
    """The text with its relative links leading from the root instead of from `nbs/`."""
    return _LINK.sub(lambda link: f"]({normpath(f'{INDEX.parent.name}/{link[1]}')})", markdown)


def figures(notebook: dict) -> dict[Path, bytes]:
    """The figures of cells that have a label, by the file where each belongs."""
    found = {}
    for cell in notebook["cells"]:
        label = directives("".join(cell["source"]))[0].get("label")
        for output in cell["outputs"] if label else ():
            if "image/png" in (data := output.get("data", {})):
                found[INDEX.with_name(f"{label}.png")] = base64.b64decode(data["image/png"])
    return found


def outputs(cell: dict, flags: dict[str, str]) -> Iterator[str]:
    """The outputs of a code cell as Markdown.

    Raises:
        ValueError: the cell stored an error.
    """
    for output in cell["outputs"]:
        kind = output["output_type"]
        if kind == "error":
            raise ValueError(f"a cell of {INDEX.name} stored an error: {output['ename']}")
        if kind == "stream" and output["name"] == "stdout":
            yield fenced("".join(output["text"]), "text")
        data = output.get("data", {})
        if "text/markdown" in data:
            yield moved("".join(data["text/markdown"]).strip("\n"))
        elif "image/png" in data and "label" in flags:
            alt = flags["fig-alt"].strip('"')
            yield moved(f"![{alt}]({flags['label']}.png)")
        elif "text/plain" in data:
            yield fenced("".join(data["text/plain"]), "text")


def readme(notebook: dict) -> str:
    """The whole of README.md."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(moved(source.strip("\n")))
            continue
        flags, code = directives(source)
        if "hide" in flags or not code:
            continue
        if flags.get("echo") != "false":
            parts.append(fenced(code, "python"))
        if flags.get("output") != "false":
            parts.extend(outputs(cell, flags))
    return "\n\n".join([*filter(None, parts), NOTE]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Make README.md from nbs/index.ipynb.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args().check
    notebook = json.loads(INDEX.read_text(encoding="utf-8"))
    files = {README: readme(notebook).encode(), **figures(notebook)}
    files |= {path: None for path in INDEX.parent.glob("*.png") if path not in files}
    there = {path: path.read_bytes() if path.is_file() else None for path in files}
    stale = [path for path in files if files[path] != there[path]]
    for path in stale:
        name, new = path.relative_to(ROOT), files[path]
        if check:
            print(f"{name} is stale: run python tests/tools/make_readme.py", file=sys.stderr)
        elif new is None:
            path.unlink()
            print(f"{name} is removed")
        else:
            path.write_bytes(new)
            print(f"{name} is new")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
