"""LoRA adapters on one model, by name: add, switch, save, load, merge. They are methods of `LM`."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.saved import MANIFEST, open_saved, save_folder
from .mixed_adapters import share_weights
from .modes import seeded

if TYPE_CHECKING:
    from .model import LM

FILES = ("adapter_config.json", "adapter_model.safetensors")  # of an adapter, in peft's format


@dataclass
class AdapterState:
    """The adapters of one model, at most one of them in use.

    Attributes:
        handle: peft's view of the model, None before the first adapter.
        active: the adapter in use, None for the base alone.
    """

    handle: Any = None
    active: str | None = None

    @property
    def names(self) -> list[str]:
        """Of all adapters, in alphabetical order."""
        return sorted(self.handle.peft_config) if self.handle is not None else []


def add_adapter(
    lm: LM,
    name: str,
    *,
    rank: int = 8,
    alpha: float = 16.0,
    targets: str | Sequence[str] = "all-linear",
    dropout: float = 0.0,
    seed: int = 0,
    config: Any = None,
) -> None:
    """Add a LoRA adapter, idle until `use_adapter`; the base weights are frozen as they are.

    Args:
        name: a new name.
        rank, alpha, targets, dropout: as in peft's `LoraConfig`.
        seed: of its random start.
        config: a peft config, instead of the four above.

    Raises:
        ValueError: an adapter of that name exists, or peft cannot use the name.
    """
    from peft import LoraConfig, TaskType

    if not name or "." in name or name in "lora_":  # it becomes part of parameter names
        raise ValueError(f"{name!r} cannot name an adapter; use a word such as 'student'")
    if name in lm._adapters.names:
        raise ValueError(f"an adapter {name!r} exists; choose another name")
    if config is None:
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            target_modules=targets if isinstance(targets, str) else list(targets),
            lora_dropout=dropout,
            task_type=TaskType.CAUSAL_LM,
        )
    with seeded(seed, lm.device):
        _insert(lm, name, config)
    lm.set_adapter(lm.active_adapter)


def _insert(lm: LM, name: str, config: Any) -> None:
    from peft import get_peft_model

    if lm._adapters.handle is not None:
        lm._adapters.handle.add_adapter(name, config)
        return
    with warnings.catch_warnings():  # peft reads a property that transformers has renamed
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        lm._adapters.handle = get_peft_model(lm.model, config, adapter_name=name)


def set_adapter(lm: LM, name: str | None) -> None:
    """Use adapter `name` from now on, and let its weights alone be trained; None is the base.

    Raises:
        KeyError: there is no such adapter.
    """
    state = lm._adapters
    if name is not None and name not in state.names:
        raise KeyError(f"no adapter {name!r}; there are {state.names}")
    if state.handle is not None and name is None:
        state.handle.base_model.disable_adapter_layers()
    elif name is not None:
        state.handle.base_model.enable_adapter_layers()
        state.handle.set_adapter(name)
    state.active = name


@contextmanager
def use_adapter(lm: LM, name: str | None) -> Iterator[LM]:
    """Use adapter `name` (None: the base alone) inside a `with` block."""
    before = lm.active_adapter
    lm.set_adapter(name)
    try:
        yield lm
    finally:
        lm.set_adapter(before)


def pack_adapter(lm: LM, name: str) -> dict[str, bytes]:
    """The files of adapter `name`, in peft's own format, by name.

    Raises:
        KeyError: there is no such adapter.
    """
    if name not in lm._adapters.names:
        raise KeyError(f"no adapter {name!r} to save")
    with tempfile.TemporaryDirectory() as work:
        options = {"selected_adapters": [name], "save_embedding_layers": False}
        lm._adapters.handle.save_pretrained(work, **options)
        made = Path(work) / name if name != "default" else Path(work)
        files = {each: (made / each).read_bytes() for each in FILES}
    config = json.loads(files["adapter_config.json"])
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # a set, whose order changes from run to run
    return {**files, "adapter_config.json": json.dumps(config, indent=1).encode()}


def save_adapter(lm: LM, name: str, folder: str | Path) -> Path:
    """Save adapter `name` in a folder of its own name under `folder`, whole or not at all.

    The files of an older save stay until the new ones are all there. They are in peft's own
    format, in the folder that begins with `data-`.

    Returns:
        The adapter's folder.

    Raises:
        KeyError: there is no such adapter.
    """
    return save_folder(Path(folder) / name, "adapter", lm.pack_adapter(name), {})


def load_adapter(lm: LM, name: str, folder: str | Path) -> None:
    """Read the adapter in `folder` (of `save_adapter`, or peft's own) under `name`, idle.

    Raises:
        FileNotFoundError: no adapter there; it is never looked for on a hub.
        ValueError: a damaged save, one of a newer synthkit, or weights that do not fit the model.
    """
    from peft import PeftConfig
    from peft.utils import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        folder = open_saved(folder, "adapter").path("adapter_config.json").parent
    for each in FILES:
        if not (folder / each).is_file():
            raise FileNotFoundError(f"no {each} in {folder}; was it save_adapter's?")
    try:
        weights = load((folder / "adapter_model.safetensors").read_bytes())
    except SafetensorError as error:
        raise ValueError(f"the adapter's weights in {folder} are damaged: {error}") from error
    lm.add_adapter(name, config=PeftConfig.from_pretrained(str(folder)))
    weights = {key: value.to(lm.device) for key, value in weights.items()}
    set_peft_model_state_dict(lm._adapters.handle, weights, adapter_name=name)


def with_lora(lm: LM, rank: int = 8, alpha: float = 16.0, seed: int = 0, **options: Any) -> LM:
    """A new `LM` on the same base weights with a fresh LoRA adapter in use.

    The adapter, "student" (or "student-2", ... beside others), is the new object's alone and
    goes with it; nothing large is copied, whatever the bits.

    Args:
        rank, alpha, seed, options: see `add_adapter`.
    """
    student, there = share_weights(lm), lm._adapters.names
    names = ("student", *(f"student-{i}" for i in range(2, len(there) + 2)))
    name = next(name for name in names if name not in there)
    student.add_adapter(name, rank=rank, alpha=alpha, seed=seed, **options)
    student.set_adapter(name)
    return student


def merged(lm: LM) -> LM:
    """A copy whose weights are the base plus the adapter in use, and which has no adapter.

    Raises:
        ValueError: no adapter is in use, or the model is quantised (rounding the sum to few
            bits would change its answers).
    """
    if lm.active_adapter is None or lm.bits:
        why = "the model is quantised" if lm.bits else "no adapter is in use"
        raise ValueError(f"nothing to merge into {lm.name!r}: {why}")
    whole = lm.clone()
    model = whole._adapters.handle.merge_and_unload(adapter_names=[whole.active_adapter])
    made = type(lm)(model, lm.tokenizer, f"{lm.name}+{lm.active_adapter}")
    made.chat = lm.chat
    return made
