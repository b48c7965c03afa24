"""The form of the notebooks: short cells, prose between them, clean and small outputs."""

import ast
import base64
import json
import re
from pathlib import Path

import pytest
from lessons.stored import VARIES
from make_readme import directives

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.stem[0].isdigit()]
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)

ANSWERING = (
    "Replace each `...` with your answer and run the cell. `check` replies in one line: it says "
    "that the answer is right, or it names the likely mistake. A function must return its value. "
    "A cell without an answer raises no error."
)
LONGEST_CELL, LONGEST_CLASS, LARGEST_SHARE = 25, 80, 2 / 3
MOST_VARYING = 1 / 5  # of the cells with outputs


def cells_of(path, kind=None):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        {**cell, "source": "".join(cell["source"])}
        for cell in cells
        if kind in (None, cell["cell_type"])
    ]


def code_lines(source):
    """Lines of a cell that are code to be read: no blanks, imports, comments or docstrings."""
    source = re.sub(r"^\s*[%!].*$", "pass", source, flags=re.M)
    prose = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            prose |= set(range(first.lineno, first.end_lineno + 1))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            prose |= set(range(node.lineno, node.end_lineno + 1))
    return [
        line
        for number, line in enumerate(source.split("\n"), 1)
        if number not in prose and line.strip() and not line.lstrip().startswith("#")
    ]


def has_flag(source, flag):
    return re.search(rf"^#\|\s*{flag}\b", source, re.M) is not None


def raw_lines(source):
    """All lines of a cell behind its flags: docstrings, comments, imports and blanks as well."""
    return re.sub(r"\A(?:#\|.*\n?)+", "", source).split("\n")


def faults_of_size(cells):
    """What is too long in a list of code cells' sources.

    A cell holds at most 25 lines, whatever is in them; one with a class may have 80. At most two
    thirds of the code are exported: the rest shows what it does.
    """
    code = [code_lines(source) for source in cells]
    sizes = [len(raw_lines(source)) for source in cells]
    classes = [
        i for i, one in enumerate(code) if one and one[0].startswith(("class ", "@dataclass"))
    ]
    longest = dict.fromkeys(range(len(cells)), LONGEST_CELL)
    longest |= {i: LONGEST_CLASS for i in sorted(classes, key=lambda i: sizes[i])[-1:]}
    faults = [
        f"{size} lines, where {longest[i]} may be, beginning {code[i][0]!r}"
        for i, size in enumerate(sizes)
        if size > longest[i]
    ]
    whole = sum(map(len, code))
    part = sum(len(one) for one, cell in zip(code, cells) if has_flag(cell, "exporti?"))
    if part > LARGEST_SHARE * whole:
        faults.append(f"{part} of {whole} lines of code are exported: show more, or export less")
    return faults


@each_notebook
def test_cells_are_short_and_a_third_of_the_code_is_shown(path):
    faults = faults_of_size([cell["source"] for cell in cells_of(path, "code")])
    assert not faults, "\n".join(faults)


def test_the_rule_of_sizes_can_fail():
    def body(n):
        return "\n".join(["    # why", *["    a = 1"] * (n - 1)])

    function, last = f"#| export\ndef f():\n{body(25)}", f"#| export\nclass Last:\n{body(79)}"
    shown = ["\n".join(["print(1)"] * 20)] * 3
    assert not faults_of_size([last, *shown])
    assert len(faults_of_size([last, function, *shown])) == 1
    assert len(faults_of_size([last.replace("Last", "First"), last, *shown * 2])) == 1
    assert len(faults_of_size([last + "\n", *shown])) == 1
    assert "are exported" in faults_of_size([last, shown[0]])[0]


@each_lesson
def test_lesson_has_its_parts(path):
    first, *others = (cell["source"] for cell in cells_of(path, "markdown"))
    assert re.match(r"# .+\n\n> .+", first), "a title and a promise of one sentence come first"
    prose = "\n".join([first, *others])
    for word in ("| **Hardware** |", "**Stored outputs**", "Exercises", "Recap"):
        assert word in prose, f"no {word}"
    assert prose.count("<details>") == prose.count("</details>") >= 3
    assert "TODO" not in path.read_text(encoding="utf-8")


@each_notebook
def test_prose_and_code_alternate(path):
    row = 0
    for cell in cells_of(path):
        if cell["cell_type"] != "code":
            row = 0
        elif code_lines(cell["source"]) and not has_flag(cell["source"], "hide"):
            row += 1
        assert row <= 3, f"four code cells in a row without prose, to {cell['source'][:60]!r}"


@each_notebook
def test_every_picture_says_in_words_what_it_shows(path):
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                alt = output["metadata"].get("image/png", {}).get("alt", "")
                assert len(alt) > 40, f"no #| fig-alt, or stored before it: {cell['source'][:60]!r}"
                assert alt in cell["source"]


@each_notebook
def test_a_cell_that_varies_says_why_and_shows_something(path):
    varies = [cell for cell in cells_of(path, "code") if "varies" in directives(cell["source"])[0]]
    for cell in varies:
        assert cell["outputs"] and VARIES.search(cell["source"])[1], cell["source"][:80]
    shown = [cell for cell in cells_of(path, "code") if cell["outputs"]]
    assert len(varies) <= MOST_VARYING * len(shown), "too few outputs are compared"


@each_notebook
def test_notebook_is_clean(path):
    assert path.stat().st_size <= 400_000, "at most 400 KB a notebook"
    assert "widgets" not in json.loads(path.read_text(encoding="utf-8"))["metadata"]
    outputs = [output for cell in cells_of(path, "code") for output in cell["outputs"]]
    assert outputs, "no stored outputs: run tests/tools/run_notebooks.py"
    assert all(one["execution_count"] is None for one in cells_of(path, "code"))
    for output in outputs:
        assert output["output_type"] != "error", output.get("evalue")
        assert output.get("name") != "stderr", "".join(output["text"])[:200]
        assert output.get("execution_count") is None
        assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


@each_notebook
def test_notebook_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text and str(Path.home()) + "/" not in text
    found = re.search(r"(?<![\w.:/-])/(?:home|work|tmp|root|Users|usr|opt|mnt)/[\w.-]+", text)
    assert not found, f"an absolute path: {found and found[0]}"


@each_notebook
def test_figures_are_small_and_explained(path):
    cells = cells_of(path)
    for i, cell in enumerate(cells):
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        pictures = [one["image/png"] for one in data if "image/png" in one]
        for picture in pictures:
            size = len(base64.b64decode("".join(picture)))
            assert size <= 60_000, f"cell {i}: {size} bytes"
        if pictures:
            after = next((other for other in cells[i + 1 :] if other["source"]), cell)
            explained = after["cell_type"] == "markdown" and not after["source"].startswith("#")
            assert explained, f"cell {i}: say under the figure what it shows"


@each_lesson
def test_exercises_begin_with_how_to_answer(path):
    text = "\n".join(cell["source"] for cell in cells_of(path, "markdown"))
    assert re.search(rf"^## \d+\. Exercises\n+{re.escape(ANSWERING)}$", text, re.M)


@each_lesson
def test_a_drawn_picture_comes_first_and_every_section_has_its_number(path):
    cells = cells_of(path)
    titles = [
        line
        for cell in cells
        if cell["cell_type"] == "markdown"
        for line in re.sub(r"```.*?```", "", cell["source"], flags=re.S).split("\n")
        if line.startswith("## ")
    ]
    assert [title.split(".")[0] for title in titles] == [f"## {k + 1}" for k in range(len(titles))]
    assert titles[0] == "## 1. In one picture"
    (place,) = (i for i, cell in enumerate(cells) if titles[0] in cell["source"])
    assert "flow(" in cells[place + 1]["source"]
    assert any("image/png" in output.get("data", {}) for output in cells[place + 1]["outputs"])
