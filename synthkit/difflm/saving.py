"""The parts of a DiffLM as files, and back; the decoder is only named."""

from __future__ import annotations

import json
from dataclasses import asdict

from torch import nn

from ..core.packing import Files, Read, json_bytes, read_into, read_tensors, tensor_bytes
from .autoencoder import Autoencoder
from .diffusion import Denoiser, LatentDiffusion, Scale
from .part_presets import AutoencoderPreset, DiffusionPreset


def pack_autoencoder(model: Autoencoder) -> Files:
    """The files of encoder and injector: settings (JSON) and weights (safetensors)."""
    about = {"preset": asdict(model.preset), "made_for": model.made_for, "price": model.price}
    weights = tensor_bytes(model.state_dict())
    return {"autoencoder.json": json_bytes(about), "autoencoder.safetensors": weights}


def unpack_autoencoder(read: Read, decoder: nn.Module, codec, encoder=None) -> Autoencoder:
    """The autoencoder that `pack_autoencoder` packed, around the same parts."""
    about = json.loads(read("autoencoder.json"))
    preset, known = AutoencoderPreset(**about["preset"]), about["made_for"]
    model = Autoencoder(decoder, codec, preset, seed=known["seed"], encoder=encoder)
    if known != model.made_for:
        raise ValueError(f"trained for {known}, but what is given is {model.made_for}; fit again")
    model.price = about.get("price")
    return read_into(model, read_tensors(read("autoencoder.safetensors"))).eval()


def pack_diffusion(model: LatentDiffusion) -> Files:
    """The files of a fitted diffusion model: settings (JSON), network and scale (safetensors)."""
    state = {f"network.{name}": value for name, value in model.fitted.state_dict().items()}
    state |= {"mean": model.scale.mean, "sd": model.scale.sd}
    about = {"d": model.d, "seed": model.seed, "preset": asdict(model.preset)}
    return {"diffusion.json": json_bytes(about), "diffusion.safetensors": tensor_bytes(state)}


def unpack_diffusion(read: Read, device="cpu") -> LatentDiffusion:
    """The model that `pack_diffusion` packed."""
    about = json.loads(read("diffusion.json"))
    preset = DiffusionPreset(**about["preset"])
    model = LatentDiffusion(about["d"], preset, seed=about["seed"], device=device)
    state = read_tensors(read("diffusion.safetensors"))
    model.scale = Scale(state.pop("mean"), state.pop("sd"), preset.sigma_data)
    weights = {name.removeprefix("network."): value for name, value in state.items()}
    network = read_into(Denoiser(model.d, preset.hidden, preset.blocks), weights)
    model.network = network.requires_grad_(False).eval().to(model.device)
    return model
