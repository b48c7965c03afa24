"""Paths of the files that come with the kit, and of the cache of what it fetches or converts."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """The folder that holds the embedded model, the papers' numbers and the recorded results.

    In a checkout it is `data/` beside the package; an installed wheel carries it as
    `synthkit/_data`.

    Raises:
        FileNotFoundError: neither folder is there (a broken installation).
    """
    for folder in (_PACKAGE / "_data", _PACKAGE.parent / "data"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"no data folder beside {_PACKAGE.name!r} or inside it; "
        "reinstall synthkit, or work from a full checkout"
    )


def embedded_lm_dir() -> Path:
    """The folder of the embedded language model (config, tokenizer, safetensors)."""
    return data_dir() / "embedded_lm"


def cache_dir() -> Path:
    """The folder of fetched and converted models: `SYNTHKIT_CACHE`, or the system's place for one.

    It may not exist yet.
    """
    from platformdirs import user_cache_dir

    named = os.environ.get("SYNTHKIT_CACHE")
    return Path(named or user_cache_dir("synthkit", appauthor=False)).expanduser().resolve()
