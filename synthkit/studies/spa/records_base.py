"""The base of SPA's records experiment: the embedded model after it has read records of all orders.

The embedded model has never read a record (see `synthkit.worlds.records`), and a part of sixty rows
is too little to learn to copy three values *and* to put them in one order. So that a part has only
the order to learn, the base is taught the task first, with every order among its examples. The
adapter that does it comes with the kit; `teach` makes it again.
"""

from __future__ import annotations

import json
from pathlib import Path

from ...core.files import read_json, write_bytes, write_json
from ...core.paths import data_dir
from ...lm.finetune import FinetunePreset, finetune
from ...lm.mixed_adapters import share_weights
from ...worlds import load_world

PRESET = FinetunePreset(rank=8, alpha=16, lr=3e-3, epochs=100, batch_size=32, max_updates=400)
N_ROWS = 2000
NAME = "records"


def records_base(lm, progress: bool = False):
    """A base `LM` that answers questions of the records world right, in the orders' natural shares.

    For the embedded model the adapter that comes with the kit is merged into its weights; any other
    model is taught anew (some minutes).

    Args:
        lm: a base model; it stays as it is.
    """
    folder = data_dir() / "records_base"
    made_for = read_json(folder / "made_for.json")["fingerprint"] if folder.is_dir() else None
    if made_for != lm.fingerprint:
        return teach(lm, progress=progress).merged()
    student = share_weights(lm)
    student.load_adapter(NAME, folder)
    student.set_adapter(NAME)
    return student.merged()


def teach(lm, preset: FinetunePreset = PRESET, *, seed: int = 0, progress: bool = False):
    """`lm` with an adapter trained on rows of the records world, skew `natural`."""
    rows = load_world("records", skew="natural").rows(N_ROWS, f"base-{seed}")
    return finetune(lm, rows, preset, seed=seed, progress=progress)


def write(lm, folder: str | Path, **options) -> Path:
    """Teach `lm` and write the adapter to `folder`, in peft's own format."""
    folder, student = Path(folder), teach(lm, **options)
    files = student.pack_adapter("student")
    settings = json.loads(files["adapter_config.json"])
    settings["base_model_name_or_path"] = None  # a path of this machine, and not needed
    write_json(folder / "adapter_config.json", settings)
    write_bytes(folder / "adapter_model.safetensors", files["adapter_model.safetensors"])
    write_json(folder / "made_for.json", {"name": lm.name, "fingerprint": lm.fingerprint})
    return folder
