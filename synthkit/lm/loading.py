"""Loading a causal LM and its tokenizer, and saying plainly what is wrong with one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..core import parallel
from .catalogue import MODELS, cached, hub_out_of_reach
from .gguf import check_bits, is_gguf
from .modes import quiet_bars
from .precision import VARIABLE as PRECISION
from .precision import fast_bfloat16
from .products import in_one_piece, use_fast_products
from .quantisation import disable_packed_cpu_layout, hint_at_slow_cpu, quantisation_config
from .room import check_gpu
from .sources import name_of, source_of
from .tokens import special_tokens

if TYPE_CHECKING:
    from .model import LM


def load_lm(
    name_or_path: str | Path | None = None,
    *,
    bits: int | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
) -> LM:
    """Load a causal LM and its tokenizer.

    Args:
        name_or_path: a folder; a GGUF file, which is converted once and kept in the cache by its
            content (`synthkit.lm.gguf`); a hub id such as `"Qwen/Qwen2.5-0.5B"`; `"embedded"`, the
            kit's own model; or a name of `synthkit get-model --list` such as `"smollm2"`: from the
            cache, else from the hub. None is the environment's `SYNTHKIT_MODEL`, and without that
            the embedded model. Folders and files are read without any network access.
        bits: None, 4 (NF4, double quantisation) or 8.
        device: `"cpu"`, `"cuda"`, ... or `"auto"` to spread the model over all GPUs. None takes a
            GPU if there is one; of several processes (`synthkit.core.parallel`) each its own.
        dtype: type of the weights that are not quantised. None is float32 on a CPU, and what the
            checkpoint holds elsewhere; "auto" is bfloat16 where the device computes fast in it
            (see `synthkit.lm.precision`), else float32. In float32, texts are the same on any CPU
            but for near ties. `SYNTHKIT_PRECISION` takes the place of None on a CPU, except for
            the embedded model.
        revision: branch, tag or commit on the hub.

    Weights are read from safetensors only, and no code from the checkpoint is run.

    Raises:
        FileNotFoundError: the folder, the file, or the folder's config.json is missing.
        ValueError: not a causal LM, weights that cannot be read or are incomplete, a tokenizer with
            more tokens than the weights have embeddings, bad `bits`, or a GGUF file that is
            damaged, of an architecture that transformers cannot read, or quantised already where
            `bits` are asked for.
        ConnectionError: the hub did not give the model.
        OSError: no room in the cache for a converted model.
        RuntimeError: no such device, a GPU without room for the weights, or bitsandbytes or gguf is
            needed and cannot work.
    """
    from .model import LM

    if name_or_path is None:
        name_or_path = os.environ.get("SYNTHKIT_MODEL") or "embedded"
    if is_gguf(Path(name_or_path).expanduser()):
        check_bits(Path(name_or_path).expanduser(), bits)
    source, local = source_of(name_or_path)
    device = _device(device)
    asked = dtype is None and name_or_path != "embedded" and os.environ.get(PRECISION)
    if dtype == "auto" or (asked and str(device).startswith("cpu")):
        dtype = torch.bfloat16 if fast_bfloat16(device) else torch.float32
    if not isinstance(dtype, torch.dtype | None):
        raise ValueError(f'dtype must be a torch.dtype, "auto" or None, found {dtype!r}')
    on_cpu = str(device).startswith("cpu")
    compute = dtype or (torch.float32 if on_cpu else torch.bfloat16)
    quantised = quantisation_config(bits, compute)
    fetch = _fetch(local)
    if revision is not None:
        fetch["revision"] = revision
    config = _config(source, local, fetch)
    _check_causal(source, config)
    stored = getattr(config, "quantization_config", None)
    if stored and bits is not None and not _stored_bits(stored) == bits:
        raise ValueError(f"{source!r} is stored quantised ({stored}); load it with bits=None")
    if str(device).startswith("cuda"):
        check_gpu(config, bits, torch.device(device), source)
    options = {"dtype": dtype or (torch.float32 if on_cpu else "auto"), "use_safetensors": True}
    if quantised is not None and not stored:
        options["quantization_config"] = quantised
    if not on_cpu:
        options["device_map"] = "auto" if device == "auto" else {"": str(device)}
    model = _model(source, config, fetch | options)
    tokenizer = _tokenizer(source, fetch)
    _check_vocabulary(source, model, tokenizer)
    hint_at_slow_cpu(model)
    return LM(model, tokenizer, name=name_of(name_or_path))


def read_config(name_or_path: str | Path):
    """The config of a model, without its weights; a named model that is not cached is not fetched.

    Raises:
        FileNotFoundError, ValueError, ConnectionError: see `load_lm`.
    """
    named = MODELS.get(str(name_or_path))
    source, local = source_of((cached(named.name) or named.hub) if named else name_or_path)
    return _config(source, local, _fetch(local))


def _fetch(local: bool) -> dict:
    """Options of reading a model; without a network, what the hub's cache holds is all there is."""
    return {"local_files_only": local or bool(hub_out_of_reach()), "trust_remote_code": False}


def _device(device: str | torch.device | None) -> str | torch.device:
    if parallel.world() > 1 and str(device) == "auto":
        raise ValueError(
            "device='auto' spreads one model over all GPUs, but a launcher gives each process a "
            "GPU of its own: leave device out, or start one process"
        )
    if parallel.world() > 1 and str(device) in ("None", "cuda"):
        return parallel.own_device()
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if str(device) == "auto":
        return "auto" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"unknown device {device!r}; try 'cpu', 'cuda' or 'auto'") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"device {str(device)!r} asked for, but torch sees no GPU; use 'cpu'")
    return device


def _config(source: str, local: bool, fetch: dict):
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, **fetch)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        if local:
            raise ValueError(f"cannot use config.json in {source}: {reason}") from error
        raise ConnectionError(
            f"the Hugging Face hub did not give {source!r} ({type(error).__name__}: {reason}); "
            "check the name and the connection, or pass a local folder, which needs no network"
        ) from error


def _check_causal(source: str, config) -> None:
    """Refuse what is no decoder-only language model, before its weights are read."""
    from transformers import AutoModelForCausalLM

    kinds = getattr(config, "architectures", None) or []
    causal = type(config) in AutoModelForCausalLM._model_mapping
    if kinds:
        endings = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
        causal = causal and any(kind.endswith(endings) for kind in kinds)
    else:  # an encoder's config says that it is no decoder
        causal = causal and getattr(config, "is_decoder", None) is not False
    if getattr(config, "is_encoder_decoder", False) or not causal:
        raise ValueError(
            f"{source!r} is not a causal language model: model_type "
            f"{config.model_type!r}, architectures {kinds or 'not named'}; "
            "use a decoder-only model (Llama, Qwen, Granite, Gemma, GPT-2, ...)"
        )


def _stored_bits(stored) -> int | None:
    entries = stored if isinstance(stored, dict) else stored.to_dict()
    return 4 if entries.get("load_in_4bit") else 8 if entries.get("load_in_8bit") else None


def _model(source: str, config, options: dict) -> nn.Module:
    from transformers import AutoModelForCausalLM

    try:
        with quiet_bars():
            model, info = AutoModelForCausalLM.from_pretrained(
                source, config=config, output_loading_info=True, **options
            )
    except Exception as error:  # safetensors, torch and transformers each raise their own
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"cannot load the weights of {source!r} ({type(error).__name__}: {reason}); "
            "copy or save the model again"
        ) from error
    wrong = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if wrong:
        raise ValueError(
            f"the weights of {source!r} do not fit its config: {len(wrong)} tensors are missing or "
            f"of another shape, such as {wrong[:3]}; save the whole model again"
        )
    disable_packed_cpu_layout(model)
    return use_fast_products(in_one_piece(model)).eval()


def _tokenizer(source: str, fetch: dict):
    from transformers import AutoTokenizer

    try:
        names = [entry.name for entry in Path(source).glob("*")]
        if names and not any("token" in n or "vocab" in n or n.endswith(".model") for n in names):
            raise FileNotFoundError("no tokenizer file")  # early releases of 5 make up an empty one
        return AutoTokenizer.from_pretrained(source, **fetch)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"no usable tokenizer in {source!r} ({type(error).__name__}: {reason}); "
            "save the tokenizer into the model's folder"
        ) from error


def _check_vocabulary(source: str, model: nn.Module, tokenizer) -> None:
    """Refuse a tokenizer that writes tokens for which the model has no embedding."""
    rows = model.get_input_embeddings().num_embeddings
    used = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
    idle = set(special_tokens(tokenizer)) | {tokenizer.unk_token_id}  # no text reaches these
    beyond = {
        token: name
        for name, token in tokenizer.get_vocab().items()
        if token >= rows and (token in used or token not in idle)
    }
    if beyond:
        shown = ", ".join(repr(beyond[token]) for token in sorted(beyond)[:3])
        raise ValueError(
            f"the tokenizer of {source!r} has tokens up to {max(beyond)}, but the weights hold "
            f"{rows} embeddings; without one are {shown}. Save the tokenizer that the model was "
            "trained with, or call model.resize_token_embeddings and save both"
        )
