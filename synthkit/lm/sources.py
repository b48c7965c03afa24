"""Sources of models: names, folders, GGUF files and hub ids, told apart."""

from __future__ import annotations

from pathlib import Path

from ..core.paths import embedded_lm_dir
from .catalogue import MODELS, obtain
from .gguf import convert, is_gguf


def source_of(name_or_path: str | Path) -> tuple[str, bool]:
    """Say where a model is: what to load, and whether that is a local folder.

    A named model comes from the cache, else from the hub; a GGUF file is converted first.

    Raises:
        FileNotFoundError, ValueError: see `synthkit.lm.loading.load_lm`.
    """
    if isinstance(name_or_path, str) and not name_or_path.strip():
        raise ValueError("the model's name is empty; give a folder, a GGUF file or a hub id")
    if name_or_path == "embedded":
        folder = embedded_lm_dir()
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"the embedded model is not at {folder}; name a hub id or a local folder instead"
            )
        return str(folder), True
    if name_or_path in MODELS:
        return str(obtain(str(name_or_path), ["hub"])), True
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        _check_folder(path)
        return str(path), True
    if is_gguf(path) or (path.is_file() and path.suffix.lower() == ".gguf"):
        return str(convert(path)), True
    text = str(name_or_path)
    looks_local = (
        isinstance(name_or_path, Path)
        or path.exists()
        or path.suffix.lower() == ".gguf"
        or text.startswith(("/", ".", "~"))
        or "\\" in text
        or text.count("/") > 1
    )
    if looks_local:
        found = "a file" if path.exists() else "nothing"
        raise FileNotFoundError(
            f"no model at {text!r} (found {found}); give the folder that `save_pretrained` wrote, "
            "a GGUF file, or a hub id such as 'organisation/model'"
        )
    return text, False


def _check_folder(path: Path) -> None:
    names = sorted(entry.name for entry in path.iterdir())
    if "config.json" not in names:
        hint = "give the folder that `save_pretrained` wrote"
        if {"adapter_config.json", "manifest.json"} & set(names):
            hint = "for an adapter load its base model, then call lm.load_adapter"
        if any(name.endswith(".gguf") for name in names):
            hint = "name the GGUF file itself"
        raise FileNotFoundError(f"no config.json in {path}; found {names[:8]}; {hint}")
    if not any(name.endswith(".safetensors") for name in names):
        raise ValueError(
            f"no safetensors weights in {path}; found {names[:8]}; "
            "other formats can run code when read: save the model again as safetensors"
        )


def name_of(name_or_path: str | Path) -> str:
    if name_or_path == "embedded" or name_or_path in MODELS:
        return str(name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path.stem if path.suffix.lower() == ".gguf" else path.name
    return path.resolve().name if path.is_dir() else str(name_or_path)
