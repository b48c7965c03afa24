"""LoRA adapters on one model, by name: add, switch, save, load."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ..core.saved import MANIFEST, open_saved, save_folder
from .modes import seeded

FILES = ("adapter_config.json", "adapter_model.safetensors")  # of an adapter, in peft's format


class Adapters:
    """The adapters of one model, at most one of them in use.

    Args:
        model: a transformers model; peft changes it in place when the first adapter is added.

    Attributes:
        handle: peft's view of the model, None before the first adapter.
        active: the adapter in use, None for the base alone.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self.handle = None
        self.active: str | None = None

    @property
    def names(self) -> list[str]:
        """Of all adapters, in alphabetical order."""
        return sorted(self.handle.peft_config) if self.handle is not None else []

    def add(
        self,
        name: str,
        *,
        rank: int = 8,
        alpha: float = 16.0,
        targets: str | Sequence[str] = "all-linear",
        dropout: float = 0.0,
        seed: int = 0,
        config=None,
    ) -> None:
        """Add an idle adapter; arguments and errors are those of `LM.add_adapter`."""
        from peft import LoraConfig, TaskType

        if not name or "." in name or name in "lora_":  # it becomes part of parameter names
            raise ValueError(f"{name!r} cannot name an adapter; use a word such as 'student'")
        if name in self.names:
            raise ValueError(f"an adapter {name!r} exists; choose another name")
        if config is None:
            config = LoraConfig(
                r=rank,
                lora_alpha=alpha,
                target_modules=targets if isinstance(targets, str) else list(targets),
                lora_dropout=dropout,
                task_type=TaskType.CAUSAL_LM,
            )
        device = self.model.get_input_embeddings().weight.device
        with seeded(seed, device):
            self._insert(name, config)
        self.use(self.active)

    def _insert(self, name: str, config) -> None:
        from peft import get_peft_model

        if self.handle is not None:
            self.handle.add_adapter(name, config)
            return
        with warnings.catch_warnings():  # peft reads a property that transformers has renamed
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
            self.handle = get_peft_model(self.model, config, adapter_name=name)

    def use(self, name: str | None) -> None:
        """Use adapter `name` from now on, and let its weights alone be trained; None is the base.

        Raises:
            KeyError: there is no such adapter.
        """
        if name is not None and name not in self.names:
            raise KeyError(f"no adapter {name!r}; there are {self.names}")
        if self.handle is not None and name is None:
            self.handle.base_model.disable_adapter_layers()
        elif name is not None:
            self.handle.base_model.enable_adapter_layers()
            self.handle.set_adapter(name)
        self.active = name

    def pack(self, name: str) -> dict[str, bytes]:
        """The files of adapter `name` in peft's own format.

        Raises:
            KeyError: there is no such adapter.
        """
        if name not in self.names:
            raise KeyError(f"no adapter {name!r} to save")
        with tempfile.TemporaryDirectory() as work:
            self.handle.save_pretrained(work, selected_adapters=[name], save_embedding_layers=False)
            made = Path(work) / name if name != "default" else Path(work)
            files = {each: (made / each).read_bytes() for each in FILES}
        config = json.loads(files["adapter_config.json"])
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()  # a set, whose order changes from run to run
        return {**files, "adapter_config.json": json.dumps(config, indent=1).encode()}

    def save(self, name: str, folder: str | Path) -> Path:
        """Save adapter `name` in a folder of its own name under `folder`, whole or not at all.

        Returns:
            That folder.

        Raises:
            KeyError: there is no such adapter.
        """
        return save_folder(Path(folder) / name, "adapter", self.pack(name), {})

    def load(self, name: str, folder: str | Path) -> None:
        """Read the adapter in `folder` (what `save` returned, or peft wrote) under `name`, idle.

        Raises:
            FileNotFoundError: no adapter there; it is never looked for elsewhere.
            ValueError: the save is damaged, or by a newer synthkit, or the weights do not fit the
                model.
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
        self.add(name, config=PeftConfig.from_pretrained(str(folder)))
        device = self.model.get_input_embeddings().weight.device
        weights = {key: value.to(device) for key, value in weights.items()}
        set_peft_model_state_dict(self.handle, weights, adapter_name=name)
