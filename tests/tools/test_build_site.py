"""The site: built without warnings, no link leads nowhere, nothing comes from another site."""

import importlib.util
import itertools
import json
import re

import build_site
import chromium
import pytest

CODE = {"cell_type": "code", "metadata": {}, "outputs": []}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# One\n\nSee `02_worlds`."},
        {**CODE, "id": "b", "source": "#| hide\nsecret"},
        {**CODE, "id": "c", "source": '#| export\n#| fig-alt: "A line."\nplot()'},
        {**CODE, "id": "d", "source": "#| default_exp x"},
    ],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


def needs(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {missing}: pip install -e '.[docs]'")


def test_a_page_hides_what_is_for_the_author_and_keeps_alternative_text():
    page = build_site.page(NOTEBOOK, "one", ["02_worlds"])
    sources = [cell["source"] for cell in page["cells"]]
    assert sources[0] == "# One\n\nSee [`02_worlds`](02_worlds.ipynb)."
    assert "../hosted/one.ipynb" in sources[1] and sources[2] == "plot()" and len(sources) == 3
    assert page["cells"][2]["metadata"]["mystnb"] == {"image": {"alt": "A line."}}


def test_links_of_the_course_lead_to_pages_of_the_site():
    text = "[a](../../README.md), [b](../assignments/), [c](a.md), [d](../assignments/a6.ipynb)"
    told = "[a](../overview.md), [b](../assignments/index.md), [c](a.md), "
    assert build_site.on_site(text) == f"{told}[d](../assignments/a6.ipynb)"
    assert build_site.on_site("[a](../../README.md#x)") == "[a](../overview.md#x)"


def test_names_in_code_are_no_links():
    text = "```python\n# `02_worlds`\n```\n`02_worlds` [`02_worlds`](x)"
    told = build_site.linked(text, ["02_worlds"])
    assert told == "```python\n# `02_worlds`\n```\n[`02_worlds`](02_worlds.ipynb) [`02_worlds`](x)"


def test_a_hosted_notebook_installs_the_kit_first():
    first = build_site.hosted(NOTEBOOK)["cells"][0]
    assert "%pip install" in first["source"] and "synthkit[lessons]" in first["source"]


def test_broken_links_and_foreign_files_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">ok</a><a href="b.html#gone">x</a><a href="c.html">x</a>'
        '<a href="https://example.org">out</a><script src="https://cdn.example.org/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    told = list(build_site.broken(tmp_path))
    assert len(told) == 3
    assert "no such place" in told[0] and "not there" in told[1] and "loads https" in told[2]


@needs("docutils")
def test_every_equation_becomes_mathml():
    spec = importlib.util.spec_from_file_location("conf", build_site.NBS / "site" / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    number = 0
    for path in [*build_site.NBS.glob("*.ipynb"), *build_site.NBS.glob("assignments/*.ipynb")]:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                text = re.sub(r"```.*?```|`[^`\n]*`", "", "".join(cell["source"]), flags=re.S)
                for tex in re.findall(r"\$\$(.+?)\$\$", text, re.S):
                    assert "<math" in conf.mathml(tex, True)
                    number += 1
    assert number > 50


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; building it fails on a warning or a broken link."""
    for name in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(name, reason="needs Sphinx: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    assert build_site.build(folder) == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_site_is_built_without_a_warning_or_a_broken_link(site):
    lesson = (site / "lessons" / "42_alignment.html").read_text(encoding="utf-8")
    assert "<math" in lesson and "MathJax" not in lesson
    assert 'alt="' in lesson and "#| " not in lesson
    interface = (site / "api" / "spa.html").read_text(encoding="utf-8")
    assert "list[Answer]" in re.sub(r"<[^>]+>", "", interface), "types are shown"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_pages_fit_a_phone_and_a_desktop_from_disk_in_light_and_dark(site):
    pages = ("index.html", "lessons/42_alignment.html", "course/teacher.html", "overview.html")
    with chromium.browser() as browser:
        for width, scheme in itertools.product((390, 1280), ("light", "dark")):
            size = {"width": width, "height": 900}
            page = browser.new_page(viewport=size, color_scheme=scheme)
            asked = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            for name in pages:
                page.goto((site / name).as_uri())
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert page.evaluate(wide) <= 1, f"{name} is wider than {width} pixels"
            assert all(address.startswith(("file:", "data:")) for address in asked)
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (max(map(int, re.findall(r"\d+", colour)[:3])) < 64) == (scheme == "dark")
        page.goto((site / "search.html").as_uri() + "?q=influence")
        page.locator("#search-results li").first.wait_for()


def test_slides_hold_headings_and_figures_and_no_exercises():
    import make_slides

    path = build_site.NBS / "42_alignment.ipynb"
    made = make_slides.slides(json.loads(path.read_text(encoding="utf-8")))
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in made.cells]
    assert kinds.count("slide") >= 8 and kinds.count("notes") >= 8
    text = "\n".join(cell.source for cell in made.cells)
    assert "## 3. By hand" in text and "<summary>Solution" not in text
    shown = [
        c for c in made.cells if any("image/png" in o.get("data", {}) for o in c.get("outputs", []))
    ]
    assert len(shown) >= 3
