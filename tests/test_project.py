"""The project as a whole: metadata, generated files, imports, types, the wheel."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import package_map
import pytest
import yaml
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it on Python 3.10

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOOKS = [
    hook["id"]
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
]


def run(*command, cwd=ROOT, path=ROOT, limit=300, **variables):
    """A finished process that finds the package in `path` and this environment's commands."""
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1", **variables}
    environment["PATH"] = os.pathsep.join([here, environment["PATH"]])
    environment.pop("IN_TEST", None)  # nbdev's sign that nothing is to be written
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=limit,
    )  # fmt: skip


def python(*arguments, **options):
    return run(sys.executable, *arguments, **options)


@pytest.fixture(scope="module")
def loaded():
    """Seconds that `import synthkit` takes, the modules it loads, and those of all public names."""
    code = (
        "import sys, time; start = time.perf_counter(); import synthkit; "
        "print(time.perf_counter() - start); print(*sys.modules); "
        "[getattr(synthkit, name) for name in synthkit.__all__]; print(*sys.modules)"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr[-1500:]
    seconds, light, whole = done.stdout.splitlines()
    return float(seconds), set(light.split()), set(whole.split())


# --- metadata -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def project(pyproject):
    return pyproject["project"]


def named(project, *extras):
    """The runtime dependencies, and those of `extras` with the extras that they name."""
    lines = list(project["dependencies"])
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            need = Requirement(line)
            lines += named(project, *need.extras) if need.name == "synthkit" else [line]
    return list(dict.fromkeys(lines))


def test_settings_repeat_pyproject(pyproject, project):
    import synthkit

    parser = configparser.ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini")
    settings = dict(parser["DEFAULT"])
    runtime = project["dependencies"]
    expected = {
        "repo": project["name"],
        "lib_name": project["name"],
        "version": synthkit.__version__,
        "min_python": project["requires-python"].removeprefix(">="),
        "license": project["license"],
        "description": project["description"],
        "author": project["authors"][0]["name"],
        "keywords": " ".join(project["keywords"]),
        "requirements": " ".join(runtime),
        "dev_requirements": " ".join(line for line in named(project, "dev") if line not in runtime),
        "console_scripts": " ".join(f"{n}={target}" for n, target in project["scripts"].items()),
    }
    nbdev = pyproject["tool"]["nbdev"]
    expected |= {key: str(nbdev[key]) for key in set(settings) & set(nbdev)}
    expected["tst_flags"] = " ".join(nbdev["tst_flags"])
    assert settings == expected
    assert synthkit.__doc__.startswith(project["description"])


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def needs_of(name):
    """What an installed distribution needs without extras; nothing if it is not installed."""
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return set()
    needs = map(Requirement, lines)
    return {plain(n.name) for n in needs if not n.marker or n.marker.evaluate({"extra": ""})}


def test_the_package_imports_what_its_metadata_names(project):
    """Runtime dependencies, or what they bring; an extra's library only where it is optional."""
    runtime = {plain(Requirement(line).name) for line in project["dependencies"]}
    brought = runtime.union(*map(needs_of, runtime))
    extras = {
        plain(Requirement(line).name)
        for name in ("minilm", "baselines", "ray")
        for line in project["optional-dependencies"][name]
    }
    homes = packages_distributions()
    for path in (ROOT / "synthkit").rglob("*.py"):
        siblings = {other.stem for other in path.parent.glob("*.py")}
        for name in imported(ast.parse(path.read_text())) - siblings - sys.stdlib_module_names:
            found = {plain(one) for one in homes.get(name, [name])}
            assert found & (brought | extras | {"synthkit"}), f"{path} imports {name}"


def imported(tree):
    """The top-level names of the modules that a source imports by absolute name when it runs."""
    names = set()
    for node in package_map.running(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def test_a_library_under_the_gpl_is_imported_in_one_place_and_said_so(loaded):
    homes = {
        path
        for path in (ROOT / "synthkit").rglob("*.py")
        if "mauve" in imported(ast.parse(path.read_text()))
    }
    (home,) = homes
    assert "GPL" in ast.get_docstring(ast.parse(home.read_text()))
    assert "mauve-text" in README and "GPL" in README
    assert not {"mauve", "faiss"} & loaded[2]


# --- the lock ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_lock_holds_every_dependency_within_its_range(project, locked):
    versions = {plain(name): version for name, version in locked.items()}
    for line in named(project, "dev"):
        need = Requirement(line)
        assert plain(need.name) in versions, f"{need.name} is not locked"
        assert need.specifier.contains(versions[plain(need.name)]), line


def test_lock_is_closed(locked):
    """What a locked package needs is locked too, as far as this environment can tell."""
    names = set(map(plain, locked))
    missing = set().union(*map(needs_of, names)) - names - {"pip", "setuptools", "wheel"}
    # Parts of CUDA come with the wheels for GPUs only, and follow from torch's own pins.
    assert not {name for name in missing if not re.match(r"nvidia|cuda|triton", name)}


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
    done = run("git", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_finds_nothing_to_change(hook, copy, tmp_path):
    git(copy, "checkout", "-q", "--", ".")
    done = run("pre-commit", "run", hook, "--all-files", "--show-diff-on-failure",
               cwd=copy, path=copy, PRE_COMMIT_HOME=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, f"run pre-commit, and commit:\n{done.stdout[-3000:]}"


def test_hooks_fetch_nothing():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    for repository in yaml.safe_load(text)["repos"]:
        assert repository["repo"] == "local"
        assert all(hook["language"] == "system" for hook in repository["hooks"])


def test_exported_modules_are_left_to_their_notebooks(pyproject):
    exported = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "synthkit").rglob("*.py")
        if "AUTOGENERATED" in path.read_text()[:1000]
    }
    assert set(pyproject["tool"]["ruff"]["extend-exclude"]) == exported | {"synthkit/_modidx.py"}


def test_readme_names_every_lesson():
    lessons = {path.name for path in (ROOT / "nbs").glob("[0-9]*.ipynb")}
    unnamed = {name for name in lessons if f"nbs/{name}" not in README}
    assert not unnamed, f"run the index again and make the README: {unnamed}"


def test_readme_shows_what_the_recorded_results_say():
    from synthkit.studies.highlights import highlights
    from synthkit.studies.holds import holds, lines
    from synthkit.studies.ledger import ledger

    book = ledger()
    sentences = [*highlights(book), *(lines(holds(book)) if len(holds(book)) else ())]
    assert len(sentences) >= 6
    for sentence in sentences:
        assert f"- {sentence}" in README, f"run the index again and make the README: {sentence}"


def test_readme_has_no_wide_table_and_no_share_above_one():
    for line in README.splitlines():
        assert line.count("|") <= 6, f"a table wider than five columns: {line}"
    assert not re.findall(r"[,[] ?-?1\.\d+[,\]]", README), "an interval of a share that passes 1"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_and_paths_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    targets += re.findall(r"`((?:synthkit|tests|nbs|data)/[\w./]+)`", text)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert targets and not missing


def test_links_of_the_index_lead_somewhere_from_its_own_folder():
    text = (ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#{]+)\)", text)
    missing = [target for target in targets if not (ROOT / "nbs" / target).exists()]
    assert targets and not missing


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"^python3 -m venv .*$", README, re.M)
    lessons = [line for line in commands if "jupyter lab" in line]
    commands = [line for line in commands if line not in lessons]
    assert len(lessons) == 1, "the first screen has one line to learn"
    assert (ROOT / lessons[0].split()[-1]).is_file()
    assert len(commands) == 2, "the first screen has one line to run and one to test"
    script = ROOT / ".ci" / "run"
    for line in commands:
        for step in line.split(" && ")[2:]:
            assert step in script.read_text(), f".ci/run lacks {step!r}"
    assert os.access(script, os.X_OK)
    done = run("bash", "-n", script)
    assert done.returncode == 0, done.stderr


# --- code -----------------------------------------------------------------------------------------


def test_docstrings_open_with_a_verb_or_a_noun():
    asking = ("What", "Whether", "Where", "Which", "How", "Why", "When", "Who")
    found = []
    for path in sorted((ROOT / "synthkit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                words = (ast.get_docstring(node) or "").split()
                if words and words[0].rstrip(",:") in asking:
                    found.append(f"{path.name}: {' '.join(words[:8])}")
    assert not found


def test_import_is_light(loaded):
    seconds, light, _ = loaded
    assert seconds < 1.0
    assert not {"torch", "transformers", "datasets", "sklearn", "matplotlib"} & light


def test_progress_bars_without_widgets_are_no_warning_in_a_notebook():
    code = (
        "import warnings; from tqdm import TqdmWarning; from tqdm.notebook import WARN_NOIPYW; "
        "IMPORT; warnings.warn(WARN_NOIPYW, TqdmWarning)"
    )
    assert "IProgress" in python("-c", code.replace("IMPORT; ", "")).stderr
    assert "IProgress" not in python("-c", code.replace("IMPORT", "import synthkit")).stderr


def test_a_type_checker_sees_the_public_names():
    import synthkit

    (guarded,) = (
        node
        for node in ast.parse(Path(synthkit.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {node.names[0].asname: node.module for node in guarded.body}
    assert seen == synthkit._HOMES
    assert set(synthkit.__all__) == {"__version__", *seen}


# --- the wheel ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    """The wheel built from a fresh copy, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    git(copy, "checkout", "-q", "--", ".")
    build = ["-m", "pip", "wheel", ".", "--no-deps", "-q", "-w", folder]
    done = python(*build, "--no-build-isolation", cwd=copy, path=copy)
    if "BackendUnavailable" in done.stderr or "setuptools.build_meta" in done.stderr:
        # an environment without setuptools: let pip fetch it as a newcomer's pip would
        done = python(*build, cwd=copy, path=copy)
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = folder.glob("*.whl")
    shutil.unpack_archive(built, folder / "unpacked", "zip")
    return folder / "unpacked"


@pytest.mark.slow
def test_wheel_holds_every_module_and_the_embedded_model(wheel, copy):
    for path in (copy / "synthkit").rglob("*.py"):
        assert (wheel / path.relative_to(copy)).is_file(), path.relative_to(copy)
    assert (wheel / "synthkit" / "py.typed").is_file(), "type checkers would not read the package"
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


@pytest.mark.slow
def test_an_editable_install_is_found_beside_the_clone(copy, tmp_path):
    """There, the folder of the clone has the package's name, and is no package."""
    clone, site = tmp_path / "synthkit", tmp_path / "site"
    git(copy, "checkout", "-q", "--", ".")
    shutil.copytree(copy, clone)
    build = ["-m", "pip", "install", "-e", ".", "--no-deps", "-q", "--target", site]
    done = python(*build, "--no-build-isolation", cwd=clone, path="")
    if "BackendUnavailable" in done.stderr or "setuptools.build_meta" in done.stderr:
        done = python(*build, cwd=clone, path="")  # as for the wheel
    assert done.returncode == 0, done.stderr[-3000:]
    code = (
        "import site, sys, sysconfig; "
        f"site.addsitedir({str(site)!r}); sys.path.append(sysconfig.get_path('purelib')); "
        "import synthkit; "
        "from synthkit import load_world; from synthkit.core.paths import data_dir; "
        "print(synthkit.__file__); print(data_dir())"
    )
    done = python("-S", "-c", code, cwd=tmp_path, path="")  # another checkout may be installed
    assert done.returncode == 0, done.stderr[-2000:]
    home, data = map(Path, done.stdout.splitlines()[-2:])
    assert (home.parent, data) == (clone / "synthkit", clone / "data")
