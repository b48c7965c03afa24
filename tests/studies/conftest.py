"""One tiny run of every study, shared by what is asked of it; it decides nothing."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from synthkit.difflm.presets import with_changes
from synthkit.lm.finetune import FinetunePreset
from synthkit.softsrv.presets import SoftSRVPreset
from synthkit.spa.presets import SPAPreset
from synthkit.studies.registry import NAMES, load_study
from synthkit.studies.results import Result
from synthkit.studies.runner import run

STUDENT = FinetunePreset(rank=4, epochs=1)
SMALL = {
    "embedsdg": {
        "n_real": 60, "n_synthetic": 6, "per_family": 1, "n_density": 46, "retrain": STUDENT,
        "proceed": STUDENT, "arms": ("EmbedSDG",),
    },
    "softsrv": {
        "arms": ("real, another sample", "SSNP", "SSMC, small context"), "n_target": 40,
        "n_held_out": 16, "students": ("SSNP",), "n_student": 4, "n_test": 4, "student": STUDENT,
        "method": SoftSRVPreset(steps=2, batch_size=4, length=2, max_new_tokens=8),
    },
    "spa": {
        "arms": ("one adapter, greedy", "one adapter, diverse beam", "random parts", "influence",
                 "same data, other seeds"),
        "n_rows": 24, "n_asked": 2,
        "method": SPAPreset(rank=2, reference_updates=2, part_updates=1, batch_size=4, min_size=1,
                            on_small="fill", max_new_tokens=4),
    },
    "synalign": {
        "n_real": 60, "n_pool": 80, "n_held_out": 40, "n_drawn": 40, "draws": 1, "picks": 8,
        "n_habits": 4, "n_written": 8, "per_record": 2, "n_tested": 10, "student": STUDENT,
        "retrieval": True,
    },
    "difflm": {
        "n_train": 120, "n_test": 200, "n_free": 8, "ways": ("DiffLM",),
        "method": with_changes("fast", {
            "format": replace(with_changes("fast", {}).format, steps=20),
            "autoencoder": {"steps": 6, "batch_size": 8}, "diffusion_steps": 10,
        }),
    },
}  # fmt: skip


def preset_of(name):
    return replace(load_study(name).presets["fast"], **SMALL[name])


@pytest.fixture(scope="session", params=NAMES)
def tiny(request, embedded_lm, tmp_path_factory):
    """A study, its preset, the folder of a run, the result, and the same run once more."""
    study, preset = load_study(request.param), preset_of(request.param)
    out = tmp_path_factory.mktemp(request.param)

    def again(**how):
        return run(study, preset, **{"lm": embedded_lm, "seeds": [0], "out": out, **how})

    return SimpleNamespace(study=study, preset=preset, out=out, result=again(), again=again)


def make_result(rows, seeds=(0, 1, 2)):
    """A result from rows without a method, a date and the like."""
    facts = ("", "2026-01-01", None, None, {}, 2)
    return Result("none", "", {}, "study", {}, list(seeds), list(rows), *facts)


@pytest.fixture
def recorded():
    """From {(measure, arm): numbers by seed} and labels to a result."""

    def make(numbers, seeds=(0, 1, 2), **labels):
        return make_result(
            [
                {**labels, "measure": measure, "arm": arm, "seed": seed, "value": value}
                for (measure, arm), found in numbers.items()
                for seed, value in zip(seeds, found)
            ],
            seeds,
        )

    return make
