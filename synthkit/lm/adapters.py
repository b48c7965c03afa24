"""LoRA adapters on one model, by name: add, switch, save, load."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn


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
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
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

    def save(self, name: str, folder: str | Path) -> Path:
        """Write adapter `name` under `folder`, in a folder of its own name, which is returned.

        Raises:
            KeyError: there is no such adapter.
        """
        if name not in self.names:
            raise KeyError(f"no adapter {name!r} to save")
        self.handle.save_pretrained(
            str(folder), selected_adapters=[name], save_embedding_layers=False
        )
        return Path(folder) / name if name != "default" else Path(folder)

    def load(self, name: str, folder: str | Path) -> None:
        """Read the adapter in `folder` (what `save` returned) under `name`, idle.

        Raises:
            FileNotFoundError: no adapter there.
        """
        from peft import PeftConfig
        from peft.utils import load_peft_weights, set_peft_model_state_dict

        if not (Path(folder) / "adapter_config.json").is_file():
            raise FileNotFoundError(f"no adapter_config.json in {folder}; was it save_adapter's?")
        self.add(name, config=PeftConfig.from_pretrained(str(folder)))
        device = self.model.get_input_embeddings().weight.device
        weights = load_peft_weights(str(folder), device=str(device))
        set_peft_model_state_dict(self.handle, weights, adapter_name=name)
