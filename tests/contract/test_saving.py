"""What a saved folder only names is never loaded, and every part comes back as it was."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_lm

from synthkit import SoftSRV, SynAlign, load_lm, load_world
from synthkit.difflm.diffusion import LatentDiffusion
from synthkit.difflm.saving import pack_diffusion, unpack_diffusion
from synthkit.lm.prompt_tuning import load_soft_prompt, save_soft_prompt

SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "head_dim": 8}
TEXTS = [
    f"{a} or {b} and {i}?" for i, (a, b) in enumerate((a, b) for a in "ABCDEFGH" for b in "xyz")
]


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("lm") / "one", **SMALL))


def encoder(texts):
    return np.array([[len(text), text.count("e") + 1, 1.0] for text in texts])


def test_only_the_caller_names_an_encoder(lm, tmp_path, monkeypatch):
    real = load_world("reviews").rows(24, seed=0)
    fitted = SynAlign(describe="read", picks=6, encoder=encoder).fit(real)
    folder = fitted.save(tmp_path / "own")
    with pytest.raises(ValueError, match=r"function 'encoder'.*give it yourself as encoder="):
        SynAlign.load(folder)
    again = SynAlign.load(folder, encoder=encoder).fitted.real
    assert np.array_equal(again.vectors, fitted.fitted.real.vectors)
    with pytest.raises(ValueError, match="elsewhere than the encoder of the fit"):
        SynAlign.load(folder, encoder=lambda texts: encoder(texts)[:, ::-1])

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # importing it is an error
    content = {"settings": {"embedder": "sentence", "name_or_folder": "evil/code"}, "width": 3}
    method = SynAlign(describe="read", picks=6).fit(real)
    packed = {"embedder.json": json.dumps(content).encode()}
    monkeypatch.setattr(type(method.fitted.encoder), "pack", lambda self: packed)
    with pytest.raises(ValueError, match="'evil/code', which a saved folder only names"):
        SynAlign.load(method.save(tmp_path / "evil"))

    quick = {"steps": 2, "eval_every": 1, "length": 2, "context": "encoder"}
    soft = SoftSRV(lm, kind="ssmp", encoder=encoder, **quick).fit(TEXTS).save(tmp_path / "soft")
    assert SoftSRV.load(soft, lm, encoder=encoder).fitted.texts
    with pytest.raises(ValueError, match="another context than the encoder of the fit"):
        SoftSRV.load(soft, lm, encoder=lambda texts: encoder(texts) + 1)
    with pytest.raises(ValueError, match="encoder= goes with"):
        SoftSRV.load(soft, lm)


def test_a_missing_adapter_is_never_looked_for_elsewhere(lm, tmp_path, monkeypatch):
    import huggingface_hub

    for name in ("hf_hub_download", "file_exists"):
        monkeypatch.setattr(huggingface_hub, name, lambda *args, **options: 1 / 0)
    student = lm.clone()
    student.add_adapter("one")
    made = student.save_adapter("one", tmp_path)
    plain = tmp_path / "plain"  # as peft itself writes it
    plain.mkdir()
    for name, data in student.pack_adapter("one").items():
        (plain / name).write_bytes(data)
    for place in (made, plain):
        other = lm.clone()
        other.load_adapter("two", place)
        assert other.describe()["adapters"] == ["two"]
    (plain / "adapter_model.safetensors").unlink()
    for place in (plain, tmp_path / "none", Path("org/name")):
        with pytest.raises(FileNotFoundError, match="no adapter_"):
            lm.clone().load_adapter("two", place)
    weights = next(made.rglob("adapter_model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"~")
    with pytest.raises(ValueError, match="damaged"):
        lm.clone().load_adapter("two", made)


# --- parts ---------------------------------------------------------------------------------------


def test_every_part_comes_back_as_it_was(lm, tmp_path):
    Z = np.random.default_rng(0).normal(size=(30, 5))
    diffusion = LatentDiffusion(2, steps=2, eval_every=1, hidden=4, blocks=1).fit(Z[:, :2])
    same = unpack_diffusion(pack_diffusion(diffusion).__getitem__)
    assert torch.equal(same.sample(5, seed=1), diffusion.sample(5, seed=1))
    quick = {"steps": 2, "eval_every": 1, "length": 2}
    prompt = SoftSRV(lm, kind="ssnp", **quick).fit(TEXTS).fitted.prompt
    loaded = load_soft_prompt(save_soft_prompt(prompt, tmp_path / "p", lm), lm)
    assert all(map(torch.equal, loaded.state_dict().values(), prompt.state_dict().values()))
