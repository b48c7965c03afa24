"""Run the lessons in a real kernel and store their outputs.

    python tests/tools/run_notebooks.py [NAME ...] [--check]

NAME is a notebook's name or the start of it ("04", "04_metrics"); without names every notebook of
`nbs/` is run. A notebook with a failing cell is left untouched, and the exit status is 1. Cells
flagged `#| eval: false`, `#| slow` or `#| gpu` are not run and keep the outputs they have.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from lessons.stored import remember  # noqa: E402

NBS = ROOT / "nbs"
LIMIT = 300.0  # seconds a notebook
SKIPPED = re.compile(r"^#\|\s*(eval:\s*false|slow|gpu)\b", re.MULTILINE)


class Client(NotebookClient):
    """Runs the cells that the lesson runs by default."""

    async def async_execute_cell(self, cell, cell_index, **kwargs):
        if SKIPPED.search(cell.source):
            return cell
        return await super().async_execute_cell(cell, cell_index, **kwargs)


def find(names: list[str]) -> list[Path]:
    """The notebooks that `names` mean, in reading order; every one when there are no names."""
    there = sorted(NBS.glob("*.ipynb"))
    wanted = set()
    for name in (Path(name).name.removesuffix(".ipynb") for name in names):
        exact = [path for path in there if path.stem == name]
        hits = exact or [path for path in there if path.stem.startswith(name)]
        if not hits:
            sys.exit(f"no notebook is called {name!r}; nbs/ has {', '.join(p.stem for p in there)}")
        wanted.update(hits)
    return [path for path in there if path in wanted or not names]


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh run from top to bottom.

    Raises:
        CellExecutionError: a cell failed.
        CellTimeoutError: the notebook took longer than `LIMIT` seconds.
    """
    notebook = nbformat.read(path, as_version=4)
    deadline = time.monotonic() + LIMIT
    client = Client(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(NBS)}},
        timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
        record_timing=False,
        coalesce_streams=True,
    )
    return client.execute()


def notes(notebook: nbformat.NotebookNode) -> list[str]:
    """What a reader should not meet in stored outputs: warnings, and paths of this machine."""
    found = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {output.text.strip()[:100]!r}")
            if any(str(folder) in str(output) for folder in (ROOT, Path.home(), sys.prefix)):
                found.append(f"cell {number} shows a path of this machine")
    return found


ALT = re.compile(r'^#\|\s*fig-alt:\s*"(.*)"\s*$', re.MULTILINE)
COLOURS = 128  # of a stored figure; lines and text look alike with more


def repacked(png: str) -> str:
    """A PNG in base64 with few colours and in few bytes, where that makes it smaller."""
    from PIL import Image

    packed = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
            image = image.convert("RGB")
        few = image.quantize(COLOURS, dither=Image.Dither.NONE) if image.mode == "RGB" else image
        few.save(packed, "PNG", optimize=True)
    return min(png, base64.b64encode(packed.getvalue()).decode(), key=len)


def store(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write the notebook without execution counts or metadata noise, the way nbdev-clean does.

    A picture carries the text of its cell's `#| fig-alt`, where converters to HTML look for it.
    """
    from nbdev.clean import nbdev_clean

    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
        for output in cell.get("outputs", []):
            if "image/png" in (data := output.get("data", {})):
                data["image/png"] = repacked(data["image/png"])
                if alt := ALT.search(cell.source):
                    output["metadata"]["image/png"] = {"alt": alt[1]}
    nbformat.write(notebook, path)
    nbdev_clean(str(path))
    remember(path.stem)


def run(path: Path, check: bool) -> bool:
    """Run one notebook, and store it unless `check`; whether every cell succeeded."""
    start = time.monotonic()
    try:
        notebook = execute(path)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(
            f"{path.stem}: FAILED after {time.monotonic() - start:.1f} s, left untouched\n{error}"
        )
        return False
    print(f"{path.stem}: {time.monotonic() - start:.1f} s", flush=True)
    for note in notes(notebook):
        print(f"  note: {note}")
    if not check:
        store(path, notebook)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the lessons and store their outputs.")
    parser.add_argument("names", nargs="*", help="notebooks, or the start of their names")
    parser.add_argument("--check", action="store_true", help="run, but store nothing")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the test of the lessons has it
    # tqdm reports missing notebook widgets as a warning; stored outputs hold no widgets anyway.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # the checkout, installed or not
    os.chdir(NBS)  # nbdev finds its settings from here
    return 0 if all([run(path, arguments.check) for path in find(arguments.names)]) else 1


if __name__ == "__main__":
    sys.exit(main())
