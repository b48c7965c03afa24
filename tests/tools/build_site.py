"""Build the site from the notebooks, without running them: pages that also work from disk.

    python tests/tools/build_site.py [FOLDER]

Needs the `docs` extra. FOLDER (default: _docs/site) is written anew. A warning of Sphinx, a link
inside the site that leads nowhere, and a file that would come from another site are errors: exit
status 1. Links to other sites are not followed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from make_readme import directives

ROOT = Path(__file__).resolve().parents[2]
NBS = ROOT / "nbs"
HIDDEN = ("hide", "default_exp")  # a cell with one of these is for the author only
ALT = re.compile(r'^"(.*)"$')
# Names that the pages and the repository's files give a file, and where the site has it.
MOVED = {"README.md": "overview.md", "CONTRIBUTING.md": "contributing.md"}
MOVED |= {"CHANGELOG.md": "changelog.md", "LICENSE": "licence.md"}
PICTURES = "tests/tools/package_map.svg", "nbs/overview.svg", "nbs/holds.png"
# Links of the course's pages that lead elsewhere on the site than in the repository.
COURSE = {f"../../{name}": f"../{place}" for name, place in MOVED.items()}
COURSE |= {"../assignments/": "../assignments/index.md", "../../synthkit/": "../api/index.md"}
HOSTED = """\
# A hosted notebook starts without the kit: install it, once a session. OWNER is whose copy you use.
%pip install -q "synthkit[lessons] @ git+https://github.com/OWNER/synthkit"
"""
GROUPS = ("The ground", "EmbedSDG", "SoftSRV", "SPA", "SynAlign", "DiffLM", "All methods")
PACKAGES = ("core", "datasets", "sandbox", "teacher", "worlds", "lm", "embed", "evaluation",
            "embedsdg", "softsrv", "spa", "synalign", "difflm")  # fmt: skip


# --- pages ----------------------------------------------------------------------------------------


def staged(folder: Path) -> None:
    """Write the sources of all pages to `folder`."""
    from synthkit.course.assignments import read_assignments
    from synthkit.course.building import plain

    shutil.copytree(NBS / "site", folder, dirs_exist_ok=True)
    lessons = sorted(NBS.glob("[0-9]*.ipynb"))
    names = {path.stem for path in lessons}
    index = (folder / "index.md").read_text(encoding="utf-8")
    put(folder / "index.md", index.replace("<!-- lessons -->", contents(lessons)))
    for path in lessons:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        write(folder / "extra" / "hosted" / path.name, hosted(notebook))
        write(folder / "lessons" / path.name, page(notebook, path.stem, names))
    for path in sorted((NBS / "course").glob("*.md")):
        text = linked(on_site(path.read_text(encoding="utf-8")), names, "../lessons/")
        put(folder / "course" / path.name, text)
    for name, assignment in read_assignments(NBS / "assignments").items():
        notebook = plain(assignment)
        write(folder / "extra" / "hosted" / f"{name}.ipynb", notebook)
        write(folder / "assignments" / f"{name}.ipynb", page(notebook, name, names, "../lessons/"))
    for name, place in MOVED.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        plainly = f"# Licence\n\n```text\n{text}\n```\n"
        put(folder / place, plainly if name == "LICENSE" else at_top(text))
    for picture in PICTURES:
        shutil.copy(ROOT / picture, folder)
    reference(folder / "api")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write(path: Path, notebook: dict) -> None:
    put(path, json.dumps(notebook, ensure_ascii=False, indent=1))


def contents(lessons: list[Path]) -> str:
    """Tables of contents of the lessons, by the first digit of their names."""
    tables = []
    for digit, caption in enumerate(GROUPS):
        rows = []
        for path in lessons:
            if path.name.startswith(str(digit)):
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                text = "\n".join(
                    "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
                )
                title = re.search(r"^# (.+)$", text, re.M)[1]
                rows.append(f"{path.stem[:2]} {title} <lessons/{path.stem}>")
        lines = "\n".join(rows)
        tables.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```")
    return "\n\n".join(tables)


def at_top(text: str) -> str:
    """A file of the repository's root as a page: its links lead to pages, or to no link."""
    for name in PICTURES:
        text = text.replace(name, Path(name).name)
    for name, place in MOVED.items():
        text = text.replace(f"]({name})", f"]({place})")
    for folder in ("course", "assignments"):
        text = text.replace(f"](nbs/{folder}/", f"]({folder}/")
    return text.replace("](nbs/", "](lessons/")


def on_site(text: str) -> str:
    """A page of the course with its links to the repository's files leading to their pages."""
    return re.sub(r"\]\(([^)#]+)", lambda link: f"]({COURSE.get(link[1], link[1])}", text)


def linked(markdown: str, names: Iterable[str], folder: str = "") -> str:
    """The text with `04_metrics` and the like made links to their lessons."""
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.M | re.S)
    pattern = re.compile(r"(?<!\[)`(\d\d_\w+)`(?!\])")

    def link(found: re.Match) -> str:
        name = found[1]
        return f"[`{name}`]({folder}{name}.ipynb)" if name in names else found[0]

    return "".join(part if part.startswith("```") else pattern.sub(link, part) for part in parts)


def hosted(notebook: dict) -> dict:
    """The notebook with a first cell that installs the kit."""
    cell = {"cell_type": "code", "id": "install", "metadata": {}, "source": HOSTED,
            "outputs": [], "execution_count": None}  # fmt: skip
    return {**notebook, "cells": [cell, *notebook["cells"]]}


def cleaned(notebook: dict, names: Iterable[str] = (), lessons: str = "") -> list[dict]:
    """A notebook's cells for readers: no hidden cells, no flags, pictures with alternative text.

    Args:
        notebook: as it is stored.
        names: of lessons that become links.
        lessons: the way to their folder.
    """
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cells.append({**cell, "source": linked(source, names, lessons)})
            continue
        flags, code = directives(source)
        if not code or any(flag in flags for flag in HIDDEN):
            continue
        metadata = dict(cell["metadata"])
        if flags.get("echo") == "false":
            metadata["tags"] = [*metadata.get("tags", []), "remove-input"]
        if alt := ALT.match(flags.get("fig-alt", "")):
            metadata["mystnb"] = {"image": {"alt": alt[1]}}
        cells.append({**cell, "source": code, "metadata": metadata})
    return cells


def page(notebook: dict, name: str, names: Iterable[str], lessons: str = "") -> dict:
    """A notebook as a page, with a link to download it; arguments as in `cleaned`."""
    cells = cleaned(notebook, names, lessons)
    way = f'<a href="../hosted/{name}.ipynb" download>Download the notebook</a>, or see '
    way += "[how to open it](../course/opening.md) where it is hosted."
    first = next(i for i, cell in enumerate(cells) if cell["cell_type"] == "markdown")
    cells.insert(first + 1, {"cell_type": "markdown", "id": "open", "metadata": {}, "source": way})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    return {**notebook, "cells": cells, "metadata": metadata}


def reference(folder: Path) -> None:
    """Write the pages of the API: the public names, and the modules of each subpackage."""
    import inspect

    import synthkit

    rows = []
    for name in synthkit._HOMES:
        thing = getattr(synthkit, name)
        kind = "class" if inspect.isclass(thing) else "func"
        first = inspect.getdoc(thing).split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        rows.append(f"| {{py:{kind}}}`{name} <{thing.__module__}.{thing.__name__}>` | {first} |")
    toc = "\n".join(PACKAGES)
    text = "# API\n\nThe names that `from synthkit import ...` gives; each leads to its page.\n\n"
    text += "| name | |\n|---|---|\n" + "\n".join(rows)
    put(
        folder / "index.md",
        f"{text}\n\n```{{toctree}}\n:caption: Subpackages\n:maxdepth: 2\n\n{toc}\n```\n",
    )
    for package in PACKAGES:
        own = f".. automodule:: synthkit.{package}\n   :members:\n   :ignore-module-all:\n"
        parts = [f"# synthkit.{package}\n\n```{{eval-rst}}\n{own}```\n"]
        for path in sorted((ROOT / "synthkit" / package).glob("*.py")):
            if path.stem in ("__init__", "child", "guard", "judge"):
                continue  # the sandbox's parts run as a script of their own
            dotted = f"synthkit.{package}.{path.stem}"
            parts.append(
                f"## {path.stem}\n\n```{{eval-rst}}\n.. automodule:: {dotted}\n   :members:\n```\n"
            )
        put(folder / f"{package}.md", "\n".join(parts))


# --- links ----------------------------------------------------------------------------------------


class Links(HTMLParser):
    """The addresses that a page links to or loads, and the anchors that it offers."""

    def __init__(self, text: str):
        super().__init__()
        self.to: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, pairs: list) -> None:
        values = dict(pairs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.to.append(values["href"])
        elif tag in ("img", "script", "link", "source") and values.get("rel") != "canonical":
            self.loaded += [values[key] for key in ("src", "href") if values.get(key)]


def broken(folder: Path) -> Iterator[str]:
    """Sentences on links that lead nowhere, and on files that would come from another site."""
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    for path, links in pages.items():
        where = path.relative_to(folder)
        for address in [*links.to, *links.loaded]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in links.loaded and parts.scheme != "data":
                    yield f"{where} loads {address}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{where} links to {address}, which is not there"
            elif parts.fragment and target in pages:
                if unquote(parts.fragment) not in pages[target].anchors:
                    yield f"{where} links to {address}: no such place on that page"


# --- the build ------------------------------------------------------------------------------------


def build(out: Path) -> int:
    """Build the site in `out`; the exit status."""
    from sphinx.cmd.build import build_main

    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="site-") as work:
        staged(Path(work))
        if out.exists():
            shutil.rmtree(out)
        cache = Path(work) / "_build"
        options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(cache)]
        if status := build_main([*options, work, str(out)]):
            return status
    wrong = list(broken(out))
    print(*wrong, sep="\n", file=sys.stderr)
    print(
        f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages, {len(wrong)} broken links"
    )
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the site from the notebooks.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "_docs" / "site")
    return build(parser.parse_args().folder.resolve())


if __name__ == "__main__":
    sys.exit(main())
