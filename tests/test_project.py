"""The project as a whole: metadata, generated files, clean notebooks, imports, the wheel."""

import ast
import base64
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import package_map
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it on Python 3.10

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.stem[0].isdigit()]
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read_notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path):
    return [cell for cell in read_notebook(path)["cells"] if cell["cell_type"] == "code"]


def is_shown(cell):
    """Whether a reader sees the cell: neither hidden nor only a directive."""
    source = "".join(cell["source"])
    body = [line for line in source.split("\n") if line.strip() and not line.startswith("#|")]
    return not re.search(r"^#\|\s*hide\b", source, re.M) and bool(body)


def output_data(cell):
    return [output.get("data", {}) for output in cell.get("outputs", [])]


def python(*arguments, cwd=None, path=ROOT, limit=300):
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd or path, env=environment, capture_output=True, text=True, timeout=limit,
    )  # fmt: skip


# --- metadata -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def settings():
    parser = configparser.ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini")
    return parser["DEFAULT"]


def test_settings_repeat_the_project_table(pyproject, settings):
    import synthkit

    project = pyproject["project"]
    assert settings["lib_name"] == project["name"]
    assert settings["version"] == synthkit.__version__
    assert settings["description"] == project["description"]
    assert settings["license"] == project["license"]
    assert settings["author"] == project["authors"][0]["name"]
    assert settings["keywords"].split() == project["keywords"]
    assert f">={settings['min_python']}" == project["requires-python"]
    assert settings["requirements"].split() == project["dependencies"]
    assert settings["dev_requirements"].split() == project["optional-dependencies"]["dev"]
    scripts = [f"{name}={target}" for name, target in project["scripts"].items()]
    assert settings["console_scripts"].split() == scripts


def test_settings_repeat_the_nbdev_table(pyproject, settings):
    nbdev = pyproject["tool"]["nbdev"]
    for key in ("lib_path", "nbs_path", "doc_path", "readme_nb"):
        assert settings[key] == nbdev[key], key
    for key in ("recursive", "put_version_in_init", "clean_ids", "jupyter_hooks"):
        assert settings.getboolean(key) == nbdev[key], key
    assert settings["tst_flags"].split() == nbdev["tst_flags"]


def test_package_docstring_begins_with_the_description(pyproject):
    import synthkit

    assert synthkit.__doc__.startswith(pyproject["project"]["description"])


def test_torch_is_bounded_so_that_pip_chooses_its_wheel(pyproject):
    assert any(re.match(r"torch>=.*,<", line) for line in pyproject["project"]["dependencies"])


# --- the lock ------------------------------------------------------------------------------------


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_lock_holds_every_dependency_within_its_range(pyproject):
    from packaging.requirements import Requirement

    project = pyproject["project"]
    versions = {plain(name): version for name, version in locked().items()}
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        need = Requirement(line)
        assert plain(need.name) in versions, f"{need.name} is not locked"
        assert need.specifier.contains(versions[plain(need.name)]), line


def test_lock_pins_plain_versions_only():
    for name, version in locked().items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
        assert re.fullmatch(r"\d[\w.]*", version), f"{name}=={version}: no local tags, no addresses"


def test_lock_is_closed():
    """What a locked package needs is locked too, as far as this environment can tell."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement

    names = {plain(name) for name in locked()}
    missing = set()
    for name in names:
        try:
            needs = [Requirement(line) for line in distribution(name).requires or []]
        except PackageNotFoundError:
            continue
        for need in needs:
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and plain(need.name) not in {*names, "pip", "setuptools", "wheel"}:
                missing.add(f"{need.name} (for {name})")
    # Parts of CUDA come with the wheels for GPUs only, and follow from torch's own pins.
    assert not {line for line in missing if not re.match(r"nvidia|cuda|triton", line)}


# --- generated files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files of the checkout that git does not ignore, as a repository of their own."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout, to know which files belong to the project")
    folder = tmp_path_factory.mktemp("copy")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    return folder


def git(folder, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_export_and_clean_leave_nothing_to_change(copy):
    for module in ("nbdev.doclinks:nbdev_export", "nbdev.clean:nbdev_clean"):
        package, name = module.split(":")
        run = f"import os; os.environ.pop('IN_TEST', 0); from {package} import {name}; {name}()"
        done = python("-c", run, path=copy)
        assert done.returncode == 0, done.stderr[-2000:]
    lines = git(copy, "status", "--porcelain").splitlines()
    changed = [line[3:] for line in lines if line[1] != " "]
    assert not changed, f"run nbdev-export and nbdev-clean, and commit: {changed}"


def test_readme_is_made_from_the_index():
    done = python("tests/tools/make_readme.py", "--check")
    assert done.returncode == 0, done.stderr


def test_readme_names_every_lesson_and_shows_the_studies():
    from synthkit.studies.results import overview

    text = (ROOT / "README.md").read_text()
    unnamed = [path.name for path in LESSONS if f"nbs/{path.name}" not in text]
    assert not unnamed, f"run the index again and make the README: {unnamed}"
    studies = overview().query("scale == 'study'")
    accuracies = studies[studies["measure"] == "accuracy (retrain)"]
    for row in accuracies.itertuples():
        shown = f"| {row.measure} | {row.arm} | {row.mean:.3f} | {row.low:.3f} | {row.high:.3f} |"
        assert shown in text, f"run the index again and make the README: {shown}"


def test_links_in_the_readme_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.M)
    assert len(commands) == 2, "the first screen has one line to run and one to test"
    script = (ROOT / ".ci" / "run").read_text()
    for line in commands:
        install = line.split(" && ", 2)[2]
        for step in install.split(" && "):
            assert step in script, f".ci/run lacks {step!r}"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# --- notebooks ------------------------------------------------------------------------------------


@each_notebook
def test_notebook_is_clean(path):
    notebook = read_notebook(path)
    assert path.stat().st_size <= 400_000, "at most 400 KB a notebook"
    assert "widgets" not in notebook["metadata"]
    for cell in code_cells(path):
        assert cell["execution_count"] is None
        for output in cell["outputs"]:
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
def test_notebook_has_stored_outputs(path):
    cells = code_cells(path)
    assert any(cell["outputs"] for cell in cells), "run tests/tools/run_notebooks.py"


@each_notebook
def test_figures_are_small_and_explained(path):
    cells = read_notebook(path)["cells"]
    for i, cell in enumerate(cells):
        pictures = [data["image/png"] for data in output_data(cell) if "image/png" in data]
        for picture in pictures:
            size = len(base64.b64decode("".join(picture)))
            assert size <= 60_000, f"cell {i}: {size} bytes"
        if pictures:
            after = next((other for other in cells[i + 1 :] if "".join(other["source"])), None)
            assert after and after["cell_type"] == "markdown", (
                f"cell {i}: say what the figure shows"
            )
            assert not "".join(after["source"]).startswith("#"), f"cell {i}: a heading says nothing"


@each_notebook
def test_prose_and_code_alternate(path):
    row, worst = 0, 0
    for cell in read_notebook(path)["cells"]:
        if cell["cell_type"] != "code":
            row = 0
        elif is_shown(cell):
            row += 1
            worst = max(worst, row)
    assert worst <= 3, f"{worst} code cells in a row without prose"


def code_lines(source):
    """Lines of a cell that are code to be read: no blanks, imports, comments or docstrings."""
    source = re.sub(r"^\s*[%!].*$", "pass", source, flags=re.M)
    tree = ast.parse(source)
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            prose |= set(range(node.lineno, node.end_lineno + 1))
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            text = body[0].value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                prose |= set(range(text.lineno, text.end_lineno + 1))
    return [
        line
        for number, line in enumerate(source.split("\n"), 1)
        if number not in prose and line.strip() and not line.lstrip().startswith("#")
    ]


@each_notebook
def test_code_cells_are_short(path):
    long = []
    for cell in code_cells(path):
        lines = code_lines("".join(cell["source"]))
        if len(lines) > 40:
            long.append(f"{len(lines)} lines of code, beginning {lines[0]!r}")
            one_class = lines[0].startswith(("@", "class ")) and len(lines) <= 80
            assert one_class, long[-1]
    assert len(long) <= 1, f"one class of up to 80 lines, and no more: {long}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_has_its_parts(path):
    cells = read_notebook(path)["cells"]
    first = "".join(cells[0]["source"])
    assert re.match(r"# .+\n\n> .+", first), "a title and a promise of one sentence come first"
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for word in ("| **Hardware** |", "**Stored outputs**", "Exercises", "Recap"):
        assert word in prose, f"no {word}"
    assert prose.count("<details>") == prose.count("</details>") >= 3
    assert "TODO" not in path.read_text()


# --- code -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["check", "."], ["format", "--check", "synthkit", "tests"]])
def test_ruff(command, pyproject):
    exported = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "synthkit").rglob("*.py")
        if "AUTOGENERATED" in path.read_text()[:1000]
    ]
    # An exported module is laid out by its notebook, so only its content is checked.
    skip = ["--exclude", ",".join(exported)] if command[0] == "format" and exported else []
    done = python("-m", "ruff", *command, *skip, "--no-cache")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


HEAVY = {"torch", "transformers", "datasets", "sklearn", "matplotlib"}


def test_docstrings_open_with_a_verb_or_a_noun():
    asking = ("What", "Whether", "Where", "Which", "How", "Why", "When", "Who")
    found = []
    for path in sorted((ROOT / "synthkit").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "AUTOGENERATED" in source[:1000] or "studies" in path.parts:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                words = (ast.get_docstring(node) or "").split()
                if words and words[0].rstrip(",:") in asking:
                    found.append(f"{path.name}: {' '.join(words[:8])}")
    assert not found


def test_import_is_light():
    code = (
        "import sys, time; start = time.perf_counter(); import synthkit; "
        "print(time.perf_counter() - start, *sys.modules)"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    seconds, *names = done.stdout.split()
    assert float(seconds) < 1.0
    assert not HEAVY & set(names)


def test_public_names_are_there():
    code = "import synthkit; [getattr(synthkit, name) for name in synthkit.__all__]"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr[-1500:]


def test_arrows_run_one_way():
    wrong = package_map.against_the_arrows(package_map.imports())
    assert not wrong, "\n".join(wrong)


def test_no_imports_run_in_a_circle():
    assert not package_map.circle(package_map.imports())


def test_the_rules_of_arrows_can_fail():
    found = package_map.imports()
    assert "synthkit.worlds.math" in found["synthkit.lm.pretrain"]
    upwards = {"synthkit.core.files": {"synthkit.lm"}, "synthkit.spa": {"synthkit.difflm.rows"}}
    assert len(package_map.against_the_arrows(upwards)) == 2
    assert package_map.circle({"a": {"b"}, "b": {"a"}})


# --- the wheel ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    """The wheel built from a fresh copy, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    git(copy, "checkout", "-q", "--", ".")
    done = python("-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q",
                  "-w", folder, path=copy)  # fmt: skip
    if "BackendUnavailable" in done.stderr or "setuptools.build_meta" in done.stderr:
        # an environment without setuptools: let pip fetch it as a newcomer's pip would
        done = python("-m", "pip", "wheel", ".", "--no-deps", "-q", "-w", folder, path=copy)
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = folder.glob("*.whl")
    shutil.unpack_archive(built, folder / "unpacked", "zip")
    return folder / "unpacked"


@pytest.mark.slow
def test_wheel_holds_every_module_and_the_embedded_model(wheel, copy):
    for path in (copy / "synthkit").rglob("*.py"):
        assert (wheel / path.relative_to(copy)).is_file(), path.relative_to(copy)
    model = wheel / "synthkit" / "_data" / "embedded_lm"
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (model / name).is_file(), f"the wheel lacks embedded_lm/{name}"
    for path in (copy / "data").rglob("*.json"):
        assert (wheel / "synthkit" / "_data" / path.relative_to(copy / "data")).is_file(), path
    for stray in ("tests", "nbs", "data", "shared"):
        assert not (wheel / stray).exists(), f"{stray} does not belong in the wheel"


@pytest.mark.slow
def test_wheel_works_on_its_own(wheel, tmp_path):
    code = (
        "import synthkit, pathlib; from synthkit import load_lm; "
        "print(pathlib.Path(synthkit.__file__).parent); "
        "print(repr(load_lm(device='cpu').generate(['Question: 2 + 3?'], max_new_tokens=8)))"
    )
    done = python("-c", code, cwd=tmp_path, path=wheel)
    assert done.returncode == 0, done.stderr[-2000:]
    home, reply = done.stdout.splitlines()[-2:]
    assert Path(home) == wheel / "synthkit" and len(ast.literal_eval(reply)[0]) > 0


def test_shell_script_parses():
    script = ROOT / ".ci" / "run"
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert shlex.split(script.read_text().splitlines()[0].removeprefix("#!"))[-1] == "bash"
