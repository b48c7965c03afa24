"""One hash of everything that a run depends on: data, model, options, teacher, seed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from .files import sha256_file

Put = Callable[[bytes], None]


def run_key(**parts: Any) -> str:
    """The SHA-256, in hexadecimal, of everything that a run's result depends on.

    Equal parts give equal keys, in every process; `1`, `1.0`, `True` and `"1"` are four values.
    The order of the parts does not matter, that of a mapping's entries (columns) does.

    Args:
        parts: by name, such as `data=rows, model=lm, options=preset, seed=0`: texts, numbers, None,
            dates; sequences, mappings, sets; dataclasses; arrays and tensors, by content; data
            frames and datasets, by row; a model, by its `fingerprint`; a module, by its tensors;
            a `Path`, by the bytes of the file or of all files in the folder (a text is never one).

    Raises:
        TypeError: a part holds something else; the message says where.
        FileNotFoundError: a path leads nowhere.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        _feed(digest.update, name, name)
        _feed(digest.update, parts[name], name)
    return digest.hexdigest()


def made_with(lm: Any) -> dict[str, str]:
    """The name and fingerprint of a model, as a saved method keeps them under "lm"."""
    return {"name": lm.name, "fingerprint": lm.fingerprint}


def check_model(given: Mapping[str, str], known: Mapping[str, str], what: str = "fitted") -> None:
    """Raise ValueError, with both names, when something was made with another model.

    Args:
        given: `made_with` of the model that is given now.
        known: `made_with` of the model from then.
        what: how the sentence about that model begins.
    """
    if known["fingerprint"] != given["fingerprint"]:
        raise ValueError(
            f"{what} with {known['name']} ({known['fingerprint']}), "
            f"but the model given is {given['name']} ({given['fingerprint']}); fit again"
        )


def _feed(put: Put, value: Any, where: str) -> None:
    """Put `value` into the digest, each piece after its kind and size, so no two look alike."""
    if isinstance(value, Path):
        _piece(put, "path", _contents(value).encode())
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        _piece(put, *_scalar(value))
    elif isinstance(getattr(value, "fingerprint", None), str):
        _piece(put, "model", value.fingerprint.encode())
    elif is_dataclass(value) and not isinstance(value, type):
        _piece(put, type(value).__name__, b"")
        _feed(put, {each.name: getattr(value, each.name) for each in fields(value)}, where)
    elif isinstance(value, Mapping):
        _many(put, "mapping", (part for item in value.items() for part in item), where)
    elif isinstance(value, Set):
        _piece(put, "set", b"".join(sorted(bytes.fromhex(run_key(item=item)) for item in value)))
    else:
        _feed_object(put, value, where)


def _feed_object(put: Put, value: Any, where: str) -> None:
    """Put an object of another library (array, table, ...) in; none of them is imported here."""
    if hasattr(value, "state_dict"):
        _feed(put, dict(value.state_dict()), where)
    elif hasattr(value, "detach"):
        _tensor(put, value)
    elif hasattr(value, "dtypes") and hasattr(value, "columns"):
        columns = {name: (str(value[name].dtype), value[name].tolist()) for name in value.columns}
        _feed(put, columns, where)
    elif hasattr(value, "to_pylist"):
        _feed(put, value.to_pylist(), where)
    elif hasattr(value, "tobytes") and hasattr(value, "dtype") and value.dtype.kind not in "OSUTMm":
        _piece(put, f"array {value.dtype.str} {value.shape}", value.tobytes())
    elif isinstance(value, Iterable) and not isinstance(value, Iterator):
        values = list(value)
        if set(map(type, values)) == {int}:  # token ids, of which there are many
            _piece(put, "numbers", repr(values).encode())
        else:
            _many(put, "sequence", values, where)
    elif " at 0x" not in (shown := repr(value)):  # dates, types of numbers, devices, ...
        _piece(put, type(value).__name__, shown.encode("utf-8", "surrogatepass"))
    else:
        raise TypeError(
            f"{where}: the content of a {type(value).__name__} is unknown, so a run cannot be told "
            "by it; give data, options or a name instead"
        )


def _piece(put: Put, kind: str, data: bytes) -> None:
    put(f"{kind}:{len(data)}:".encode())
    put(data)


def _scalar(value: Any) -> tuple[str, bytes]:
    if isinstance(value, bytes):
        return "bytes", value
    if isinstance(value, str):
        return "text", str.encode(value, "utf-8", "surrogatepass")
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    return ("none" if value is None else type(value).__name__), str(value).encode()


def _many(put: Put, kind: str, values: Iterable[Any], where: str) -> None:
    put(f"{kind}(".encode())
    for number, value in enumerate(values):
        put(b",")
        _feed(put, value, f"{where}[{number}]")
    put(b")")


def _tensor(put: Put, value: Any) -> None:
    import torch

    flat = value.detach().cpu().contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    _piece(put, f"tensor {value.dtype} {tuple(value.shape)}", data)


def _contents(path: Path) -> str:
    """A hash of a file's bytes, or of the names and bytes of all files in a folder."""
    if not path.is_dir():
        return sha256_file(path)
    files = {
        str(file.relative_to(path)): file for file in sorted(path.rglob("*")) if file.is_file()
    }
    return run_key(folder=[(name, sha256_file(file)) for name, file in files.items()])
