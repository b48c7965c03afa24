"""GGUF files, converted once into ordinary model folders that the cache keeps by their content."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from ..core.files import locked, make_folder, sha256_file, write_json
from ..core.paths import cache_dir
from .modes import quiet_bars

MAGIC = b"GGUF"  # the first bytes of such a file
FORMAT = "gguf-1"  # a folder of the cache; the number rises with a change of the conversion
_DTYPES = {"F32": torch.float32, "F64": torch.float32, "BF16": torch.bfloat16}
_PLAIN = ("F32", "F64", "F16", "BF16")  # types of weights that are not quantised
_EXTRA = 32 << 20  # bytes allowed for the tokenizer and the config
# Names that llama.cpp has for splits in which each digit stands alone; transformers knows none.
_SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell")


@dataclass(frozen=True)
class Header:
    """Facts of a GGUF file: its architecture, the name of the rule that splits text before tokens
    are formed, its tensors' names, the type of most weights (such as "Q4_K"), and the bytes and
    the type of a converted copy."""

    architecture: str
    split: str
    tensors: frozenset[str]
    kind: str
    bytes: int
    dtype: torch.dtype


def is_gguf(path: Path) -> bool:
    """True for a file that begins as a GGUF file does, whatever its name."""
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        return handle.read(len(MAGIC)) == MAGIC


def folder_of(sha256: str) -> Path:
    """The folder in the cache for the file of this hash; it exists once the file is converted."""
    return cache_dir() / FORMAT / sha256


def convert(path: str | Path, *, sha256: str | None = None) -> Path:
    """Convert a GGUF file to a model folder in the cache, or find the folder made before.

    Quantised and 16-bit weights are stored as float16, float32 and bfloat16 as they are. The folder
    appears whole or not at all; processes that want the same file wait for the one that converts.

    Args:
        path: the file; its name does not matter.
        sha256: the hash that the file must have.

    Returns:
        A folder for `load_lm`.

    Raises:
        ValueError: no GGUF file, a truncated or damaged one, one part of several, another hash,
            or a model that transformers cannot read from GGUF.
        OSError: no room in the cache, or it cannot be written.
        RuntimeError: the package gguf is missing.
    """
    path = Path(path)
    digest = sha256_file(path)
    if sha256 is not None and digest != sha256:
        raise ValueError(
            f"{path.name} has the SHA-256 {digest}, where {sha256} is expected: it is another "
            "file, or a damaged one; fetch it again"
        )
    folder = folder_of(digest)
    if folder.is_dir():
        return folder
    header = read_header(path)
    check_room(header.bytes)
    folder.parent.mkdir(exist_ok=True)
    with locked(folder):
        if not folder.is_dir():
            _write(folder, *_read(path, header), {"file": path.name, "sha256": digest})
    return folder


def read_header(path: Path) -> Header:
    """Read the header of a GGUF file, and see that its tensors are all there.

    Raises:
        ValueError, RuntimeError: as `convert`.
    """
    if not is_gguf(path):
        with open(path, "rb") as handle:
            raise ValueError(f"{path} is no GGUF file: it begins with {handle.read(8)!r}")
    if find_spec("gguf") is None:
        raise RuntimeError(
            "reading a GGUF file needs the package gguf: python -m pip install 'gguf>=0.16'"
        )
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        architecture = reader.fields["general.architecture"].contents()
        split = reader.fields.get("tokenizer.ggml.pre")
    except Exception as error:  # whatever numpy says of bytes that are not there
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path} is truncated or damaged ({path.stat().st_size:,} bytes; {reason}); "
            "copy or download it again"
        ) from error
    parts = reader.fields.get("split.count")
    if parts is not None and parts.contents() > 1:
        raise ValueError(
            f"{path} is one of {parts.contents()} parts; merge them first "
            "(llama-gguf-split --merge), and name the merged file"
        )
    return Header(architecture, split.contents() if split else "", *_sizes(reader.tensors))


def is_quantised(path: Path) -> bool:
    """True for a GGUF file most of whose weights are quantised."""
    return read_header(path).kind not in _PLAIN


def check_bits(path: Path, bits: int | None) -> None:
    """Raise ValueError where `bits` are asked for of a GGUF file that is quantised already."""
    if bits and is_quantised(path):
        raise ValueError(
            f"the weights of {path.name} are quantised already, and {bits} bits would round them "
            "again: leave bits out, or name the model that it was made of"
        )


def _sizes(tensors) -> tuple[frozenset[str], str, int, torch.dtype]:
    """Names, the type that holds the most weights, bytes of the copy, and the copy's type."""
    counts: dict[str, int] = {}
    for tensor in tensors:
        name = tensor.tensor_type.name
        counts[name] = counts.get(name, 0) + int(tensor.n_elements)
    most = max(counts, key=lambda name: counts[name], default="F16")
    dtype = _DTYPES.get(most, torch.float16)
    size = sum(counts.values()) * dtype.itemsize + _EXTRA
    return frozenset(tensor.name for tensor in tensors), most, size, dtype


def check_room(wanted: int) -> None:
    """See that the cache can take `wanted` bytes.

    Raises:
        OSError: it cannot; the message says how many are free, and how to name another folder.
    """
    cache = cache_dir()
    make_folder(cache)
    free = shutil.disk_usage(cache).free
    if free < wanted:
        raise OSError(
            f"no room in the cache {cache}: {wanted / 1e6:,.0f} MB are wanted and "
            f"{free / 1e6:,.0f} MB free; free some, or set SYNTHKIT_CACHE to another folder"
        )


def _read(path: Path, header: Header) -> tuple[nn.Module, object]:
    """The model, with plain weights, and the tokenizer."""
    import transformers

    where = {"gguf_file": path.name, "local_files_only": True}
    options = {"dtype": header.dtype, "output_loading_info": True}
    if hasattr(transformers, "GgufConfig"):  # earlier releases always unpack the weights
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    try:
        with quiet_bars():
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                path.parent, **where, **options
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **where)
            model = _plain(model)
    except Exception as error:  # each architecture fails in its own way
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"{path} holds a model of the architecture {header.architecture!r}, which transformers "
            f"cannot read from GGUF ({type(error).__name__}: {reason}); take the model's "
            "safetensors folder or its hub id instead"
        ) from error
    _check_weights(path, model, sorted(info["missing_keys"]))
    if header.split in _SINGLE_DIGITS:
        tokenizer.backend_tokenizer.pre_tokenizer = _single_digits()
    if "rope_freqs.weight" in header.tensors:
        warnings.warn(
            f"{path.name} scales its rotary frequencies (rope_freqs.weight), which transformers "
            "does not read from GGUF: long texts suffer; the hub's model keeps the scaling",
            stacklevel=4,
        )
    return model, tokenizer


def _single_digits():
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


def _plain(model: nn.Module) -> nn.Module:
    """The same model without its quantisation entry, with which it would not be saved."""
    settings = model.config.to_dict()
    settings.pop("quantization_config", None)
    with torch.device("meta"):
        plain = type(model)(type(model.config).from_dict(settings))
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain


def _check_weights(path: Path, model: nn.Module, missing: list[str]) -> None:
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} tensors of its model, such as {missing[:3]}; "
            "take a whole file"
        )
    bad = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if bad:
        raise ValueError(
            f"{path} is damaged: {len(bad)} tensors are not finite, such as {bad[:3]}; "
            "copy or download it again"
        )


def _write(folder: Path, model: nn.Module, tokenizer, facts: dict) -> None:
    """Save model and tokenizer beside `folder`, bring them to the disk, and give them its name."""
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # what a killed process left
    try:
        with quiet_bars():
            model.save_pretrained(new)
        tokenizer.save_pretrained(new)
        write_json(new / "source.json", facts)
        for file in new.iterdir():
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())
        os.replace(new, folder)
    except Exception as error:  # safetensors has an error of its own for a full disk
        raise OSError(
            f"cannot write the converted model to {folder} ({type(error).__name__}: {error}); "
            "nothing was kept: free some space, or set SYNTHKIT_CACHE to another folder"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
