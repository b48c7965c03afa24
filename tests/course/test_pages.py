"""The pages of the course: their code runs, their commands exist, their numbers hold."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from synthkit.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "nbs/course").glob("*.md")}
CARDS = {
    path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "nbs").glob("[0-9]*.ipynb")
}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.M | re.S)


def lines_of(block):
    return [line for line in block.splitlines() if line.strip()]


def method_of_the_guide():
    (block,) = (block for block in blocks("adapting", "python") if "class Crossover" in block)
    return block


@pytest.mark.slow
def test_the_guides_code_runs_in_one_session(tmp_path):
    code = "\n\n".join(blocks("adapting", "python"))
    (tmp_path / "guide.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("SYNTHKIT_MODEL", None)
    done = subprocess.run([sys.executable, "guide.py"], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=400)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    english, german = re.search(r"English ([\d.]+), German ([\d.]+) nats", done.stdout).groups()
    assert float(german) > 2 * float(english), "the page says that the model has read English only"


def test_the_world_has_thirty_lines_and_the_method_sixty():
    (world,) = (block for block in blocks("adapting", "python") if "class CoinWorld" in block)
    of_the_class = world[world.index("COINS =") : world.index("world = CoinWorld()")]
    assert len(lines_of(of_the_class)) <= 30
    assert len(lines_of(method_of_the_guide())) <= 60


COMMANDS = sorted(
    {line for page in PAGES for block in blocks(page, "bash") for line in block.splitlines()
     if line.startswith("synthkit ")}
)  # fmt: skip


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_and_its_options_exist(line):
    words = line.split()[1:]
    depth = 2 if words[0] == "course" else 1
    done = CliRunner().invoke(app, [*words[:depth], "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    told = re.sub(r"\x1b\[[\d;]*m", "", done.output)
    for option in (word for word in words if word.startswith("--")):
        assert option in told, f"{line}: no option {option}"


def test_tools_that_the_pages_name_exist():
    text = "\n".join(PAGES.values())
    named = set(re.findall(r"(?:tests|nbs)/[\w/]+\.\w+", text))
    assert named and [path for path in named if not (ROOT / path).exists()] == []


def test_links_lead_somewhere_in_the_repository():
    links = {
        (page, link)
        for page, text in PAGES.items()
        for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    }
    missing = [each for each in links if not (ROOT / "nbs" / "course" / each[1]).exists()]
    assert len(links) > 20 and not missing


@pytest.mark.parametrize("page", ["six_weeks", "twelve_weeks"])
def test_a_syllabus_names_lessons_that_exist_and_every_week(page):
    named = set(re.findall(r"`(\d\d_\w+)`", PAGES[page]))
    assert named <= set(CARDS)
    weeks = [int(week) for week in re.findall(r"^\| (\d+) \|", PAGES[page], re.M)]
    assert weeks == list(range(1, {"six_weeks": 7, "twelve_weeks": 13}[page]))
    if page == "twelve_weeks":
        assert {name for name in CARDS if int(name[:2]) < 60} <= named
        assert all(f"a{k}.ipynb" in PAGES[page] for k in range(1, 7))


def test_the_hours_are_those_of_the_lessons():
    minutes = [re.search(r"\*\*Minutes\*\* \| (\d+) to read", text) for text in CARDS.values()]
    total = sum(int(found[1]) for found in minutes if found)
    told = int(re.search(r"take about (\d+) hours to read", PAGES["teacher"])[1])
    assert abs(total / 60 - told) <= 1.5, f"the lessons' cards say {total} minutes"


def test_commands_of_the_install_page_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (install,) = blocks("student", "bash")
    assert "export PIP_EXTRA_INDEX_URL" in readme and "export PIP_EXTRA_INDEX_URL" in install
    address = re.search(r"PIP_EXTRA_INDEX_URL=(\S+)", readme)[1]
    assert address in install
    for page in (readme, PAGES["student"]):
        assert "Retrying" in page and "unset PIP_EXTRA_INDEX_URL" in page


# --- the project ----------------------------------------------------------------------------------

CASE = """
from contract.methods import TEXTS, Case

CASE = Case({}, [{{"text": text}} for text in TEXTS], columns=("text",), validation=False)
"""
BAD = {
    "no CASE": ("x = 1\n", "defines no CASE"),
    "does not import": ("import nothing_of_that_name\n", "nothing_of_that_name"),
    "is no Python": ("def f(:\n", "invalid syntax"),
    "ends the process": ("import os\nos._exit(0)\n", "no test ran"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_a_project_that_cannot_be_run_gets_no_points_and_a_reason(case, tmp_path):
    source, why = BAD[case]
    told = grade(tmp_path, source)
    assert "0.0 of 10 points" in told and why in told


@pytest.mark.slow
def test_the_guides_method_keeps_the_whole_contract(tmp_path):
    told = grade(tmp_path, method_of_the_guide() + CASE.format("Crossover"))
    assert "10.0 of 10 points" in told, told


@pytest.mark.slow
def test_a_method_that_forgets_its_seed_loses_points(tmp_path):
    source = method_of_the_guide().replace("Random(derive_seed(seed, draft))", "Random()")
    told = grade(tmp_path, source + CASE.format("Crossover"), "-k", "seed")
    assert "fails: test_" in told and "10.0 of 10" not in told


def grade(folder, source, *options):
    (folder / "method.py").write_text(source)
    tool = ROOT / "tests" / "tools" / "grade_project.py"
    done = subprocess.run([sys.executable, tool, folder / "method.py", *options],
                          capture_output=True, text=True, timeout=600, cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
