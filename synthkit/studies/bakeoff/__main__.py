"""The bake-off from the command line.

    python -m synthkit.studies.bakeoff                       the reviews world, the embedded model
    python -m synthkit.studies.bakeoff SST-2 [MODEL] [OUT]   real texts, SmolLM2 if none is named

writes `runs/bakeoff-study`, or the folder OUT; an interrupted run goes on.
"""

from __future__ import annotations

import sys

from ...lm import load_lm
from ..real_data import read_data
from ..results import Result
from ..runner import run
from .report import study


def main(source: str = "world", model: str = "", out: str | None = None) -> Result:
    """Run the bake-off on `source`: "world", a file, or a set of the hub."""
    world = source == "world"
    data = None if world else read_data(source, ("text",), optional=("label",))
    command = "python -m synthkit.studies.bakeoff " + ("world" if world else data.name)
    lm = load_lm(model or ("embedded" if world else "smollm2"))
    return run(study(data, command=command), "study", lm=lm, out=out, progress=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
