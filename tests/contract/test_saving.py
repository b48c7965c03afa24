"""Saves of every method and part: whole or not there, checked, versioned, of the same model."""

import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import tiny_lm, tiny_table

import synthkit.core.saved
from synthkit import SPA, DiffLM, EmbedSDG, SoftSRV, SynAlign, load_lm, load_world
from synthkit.difflm.diffusion import LatentDiffusion
from synthkit.difflm.saving import pack_diffusion, unpack_diffusion
from synthkit.embed.encoders import TfidfEmbedder, read_embedder
from synthkit.embed.reduction import Reducer
from synthkit.lm.prompt_tuning import load_soft_prompt, save_soft_prompt

SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "head_dim": 8}
ROWS = [
    {"question": f"{a} or {b} and {i}?", "answer": f"{b} it is", "side": i % 2}
    for i, (a, b) in enumerate((a, b) for a in "ABCDEFGH" for b in "xyz")
]
TEXTS = [row["question"] for row in ROWS]
QUICK = {"part_updates": 2, "batch_size": 4, "rank": 2, "min_size": 1}
DIFF = {"steps": 2, "eval_every": 1, "width": 8, "layers": 1, "heads": 1}
TABLE = {
    "autoencoder": DIFF | {"latent": 2, "tokens": 1}, "format": DIFF | {"hints": 1, "heads": 1},
    "diffusion": {"steps": 2, "eval_every": 1, "hidden": 4, "blocks": 1},
}  # fmt: skip


def fit(name, lm, seed):
    """A quick fit; another seed has other data, too."""
    rows = ROWS[seed : 20 + seed]
    if name == "EmbedSDG":
        return EmbedSDG(lm, seed=seed, windows=2).fit(rows)
    if name == "SoftSRV":
        quick = {"steps": 2, "eval_every": 1, "length": 2}
        return SoftSRV(lm, kind="ssnp", seed=seed, **quick).fit(TEXTS[seed : 20 + seed])
    if name == "SPA":
        return SPA(lm, partition="oracle", seed=seed, **QUICK).fit(rows, factor="side")
    if name == "SynAlign":
        real = load_world("reviews").rows(24, seed=seed)
        return SynAlign(describe="read", picks=6, seed=seed).fit(real)
    return DiffLM(seed=seed, **TABLE).fit(tiny_table(60, seed))


def digest(method):
    """All that a loaded method holds, so that two fits or a mixture of them are told apart."""
    if isinstance(method, EmbedSDG):
        kept = method.map.points.tolist(), method.map.questions, method.map.counts.tolist()
    elif isinstance(method, SoftSRV):
        state = {k: v.tolist() for k, v in method.fitted.prompt.state_dict().items()}
        kept = state, method.fitted.contexts.tolist(), method.fitted.texts
    elif isinstance(method, SPA):
        weights = [
            (name, value.tolist())
            for name, value in method.adapted.model.named_parameters()
            if "lora_" in name
        ]
        kept = weights, method.partition.labels.tolist(), sorted(method.fitted.histories)
    elif isinstance(method, SynAlign):
        fit, real = method.fitted, method.fitted.real
        words, picks = fit.embedder(real.texts[:1]).tolist(), fit.plan.picks.tolist()
        kept = real.texts, real.vectors.tolist(), fit.records, picks, words
    else:
        fitted = method.fitted
        decoder = [value.sum().item() for value in fitted.decoder.parameters()]
        kept = fitted.digest(), decoder, fitted.schema.to_json(), str(fitted.histories)
    return json.dumps([kept, method.seed], default=str)


CLASSES = {
    "EmbedSDG": EmbedSDG,
    "SoftSRV": SoftSRV,
    "SPA": SPA,
    "SynAlign": SynAlign,
    "DiffLM": DiffLM,
}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("lm") / "one", **SMALL))


@pytest.fixture(scope="module", params=CLASSES)
def method(request, lm):
    """Two fits of a method, what loads one, and their digests."""
    name = request.param
    model = None if name in ("DiffLM", "SynAlign") else lm
    both = [fit(name, model, seed) for seed in (0, 1)]
    return SimpleNamespace(
        name=name, one=both[0], two=both[1], digests=[digest(each) for each in both],
        load=lambda folder: CLASSES[name].load(folder, *([] if model is None else [model])),
    )  # fmt: skip


class Killed(BaseException):
    """As from outside: nothing catches it."""


def test_a_save_that_is_killed_at_any_write_leaves_the_old_fit_or_the_new_one(
    method, tmp_path, monkeypatch
):
    one, two = method.digests
    assert one != two, "the two fits must differ"
    folder, writes = tmp_path / "fit", []
    real = {name: getattr(synthkit.core.saved, name) for name in ("write_bytes", "write_json")}

    def counted(name, stop, before):
        def write(*args, **options):
            writes.append(name)
            if len(writes) == stop and before:
                raise Killed
            real[name](*args, **options)
            if len(writes) == stop:
                raise Killed

        return write

    method.two.save(tmp_path / "count")
    n_writes = sum(1 for path in (tmp_path / "count").rglob("*") if path.is_file())
    assert method.load(method.two.save(tmp_path / "count")) and n_writes >= 3
    seen = set()
    for stop in range(1, n_writes + 1):
        for before in (True, False):
            method.one.save(folder)
            writes.clear()
            with monkeypatch.context() as patch, pytest.raises(Killed):
                for name in real:
                    patch.setattr(synthkit.core.saved, name, counted(name, stop, before))
                method.two.save(folder)
            if stop in (1, n_writes - 1, n_writes):
                seen.add(found := digest(method.load(folder)))
                assert found in (one, two)
    method.two.save(folder)
    assert digest(method.load(folder)) == two and seen == {one, two}
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert len(kept) == n_writes, "nothing of a killed save stays"


def test_a_flipped_byte_in_any_file_and_a_newer_format_are_refused_in_words(method, tmp_path):
    folder = method.one.save(tmp_path / "fit")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        assert path.suffix in (".json", ".jsonl", ".safetensors"), "no pickle"
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 2}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(ValueError, match=r"damaged|update"):
                method.load(folder)
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match="damaged"):
            method.load(folder)
        path.write_bytes(whole)
    manifest = folder / "manifest.json"
    newer = json.loads(manifest.read_text()) | {"format": 99, "synthkit": "9.0"}
    manifest.write_text(json.dumps(newer))
    with pytest.raises(ValueError, match=r"saved by synthkit 9\.0.*this is .*update"):
        method.load(folder)


def test_a_folder_of_something_else_or_of_nothing_is_refused(method, tmp_path):
    with pytest.raises(FileNotFoundError, match="give a folder made by save"):
        method.load(tmp_path / "none")
    folder = (
        Reducer("pca", 2).fit(np.random.default_rng(0).normal(size=(9, 4))).save(tmp_path / "r")
    )
    with pytest.raises(ValueError, match=f"holds 'reducer' where '{method.name}'"):
        method.load(folder)


def test_a_save_repeats_byte_for_byte_and_a_loaded_method_saves_the_same(method, tmp_path):
    def files(folder):
        found = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder): path.read_bytes() for path in found}

    first = files(method.one.save(tmp_path / "a"))
    assert files(method.one.save(tmp_path / "b")) == first
    assert files(method.load(tmp_path / "a").save(tmp_path / "c")) == first


def test_no_save_and_no_load_unpickles(method, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("pickle")

    for name in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert digest(method.load(method.one.save(tmp_path))) == method.digests[0]


# --- what a folder names and never loads ---------------------------------------------------------


def encoder(texts):
    return np.array([[len(text), text.count("e") + 1, 1.0] for text in texts])


def test_only_the_caller_names_an_encoder(lm, tmp_path, monkeypatch):
    real = load_world("reviews").rows(24, seed=0)
    fitted = SynAlign(describe="read", picks=6, embedder=encoder).fit(real)
    folder = fitted.save(tmp_path / "own")
    with pytest.raises(ValueError, match=r"function 'encoder'.*give it yourself as embedder="):
        SynAlign.load(folder)
    again = SynAlign.load(folder, embedder=encoder).fitted.real
    assert np.array_equal(again.vectors, fitted.fitted.real.vectors)
    with pytest.raises(ValueError, match="elsewhere than the embedder of the fit"):
        SynAlign.load(folder, embedder=lambda texts: encoder(texts)[:, ::-1])

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # importing it is an error
    content = {"settings": {"embedder": "sentence", "name_or_folder": "evil/code"}, "width": 3}
    method = SynAlign(describe="read", picks=6).fit(real)
    packed = {"embedder.json": json.dumps(content).encode()}
    monkeypatch.setattr(type(method.fitted.embedder), "pack", lambda self: packed)
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
    reducer = Reducer("svd", 2, drop_first=True).fit(Z)
    again = Reducer.load(reducer.save(tmp_path / "reducer"))
    assert np.array_equal(again.transform(Z[:3]), reducer.transform(Z[:3]))
    embedder = TfidfEmbedder().fit(TEXTS)
    assert np.array_equal(read_embedder(embedder.save(tmp_path / "e"))(TEXTS), embedder(TEXTS))
    diffusion = LatentDiffusion(2, steps=2, eval_every=1, hidden=4, blocks=1).fit(Z[:, :2])
    same = unpack_diffusion(pack_diffusion(diffusion).__getitem__)
    assert torch.equal(same.sample(5, seed=1), diffusion.sample(5, seed=1))
    prompt = fit("SoftSRV", lm, 0).fitted.prompt
    loaded = load_soft_prompt(save_soft_prompt(prompt, tmp_path / "p", lm), lm)
    assert all(map(torch.equal, loaded.state_dict().values(), prompt.state_dict().values()))
