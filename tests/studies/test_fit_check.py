"""What fits a card: from shapes alone, for every method's parts, with the settings that help."""

from dataclasses import replace

import gguf as ggml
import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from synthkit import cli
from synthkit.lm.memory import GIB, RESERVE, Held, Sampling, Training, peak_bytes, settings_that_fit
from synthkit.lm.shapes import SHAPES, Shape
from synthkit.studies.fit_check import find_shape, fit_check
from synthkit.studies.model_work import parts
from synthkit.studies.registry import NAMES
from synthkit.studies.reproduction import Request, check_options

BILLIONS = {"qwen2.5-0.5b": 0.49, "qwen2.5-1.5b": 1.54, "qwen2.5-7b": 7.62, "mistral-7b": 7.25,
            "llama-3.1-8b": 8.03, "granite-3.1-8b": 8.17, "smollm2-135m": 0.135}  # fmt: skip
SEVEN = ("qwen2.5-7b", "mistral-7b", "llama-3.1-8b")
GPU = Held(4, half=True)


def shown(*arguments):
    return CliRunner().invoke(cli.app, ["fit-check", *arguments])


@pytest.mark.parametrize("name", SHAPES)
def test_a_named_shape_has_the_weights_that_its_model_card_states(name):
    shape = SHAPES[name]
    assert (shape.linear + shape.rest) / 1e9 == pytest.approx(BILLIONS[name], rel=0.01)


@pytest.mark.parametrize("tied", [True, False])
def test_a_shape_counts_the_weights_of_a_real_model(tied):
    config = transformers.LlamaConfig(
        vocab_size=500, hidden_size=64, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=24, tie_word_embeddings=tied,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    shape = Shape.of(config)
    assert shape.linear + shape.rest == model.num_parameters()
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=3, target_modules="all-linear"))
    assert shape.lora(3) == adapted.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("name", SEVEN)
@pytest.mark.parametrize("method", NAMES)
def test_no_paper_preset_needs_more_than_24_gib_on_seven_billion_weights(method, name):
    """`generate` takes fewer rows at a time by itself; nothing else may have to change."""
    for part in parts(method, SHAPES[name], "paper"):
        settings = settings_that_fit(SHAPES[name], GPU, part.work, 24)
        assert settings is not None, part
        assert set(settings) <= ({"batch_size"} if isinstance(part.work, Sampling) else set())


@pytest.mark.parametrize("work, name", [
    (Training(32, 512, rank=16), "accumulation"), (Sampling(64, 512, 8192), "batch_size"),
    (Training(32, 512, rank=16, captured=True), "block_size"),
])  # fmt: skip
def test_the_settings_that_are_named_fit_and_the_next_larger_ones_do_not(work, name):
    shape, card = SHAPES["qwen2.5-1.5b"], 12
    settings = settings_that_fit(shape, GPU, work, card)
    assert set(settings) == {name}
    count = settings[name]
    small = {name: count} if name == "accumulation" else {"rows": count}
    large = {name: count // 2} if name == "accumulation" else {"rows": 2 * count}
    room = card * GIB - RESERVE
    assert peak_bytes(shape, GPU, replace(work, **small)) <= room
    assert peak_bytes(shape, GPU, replace(work, **large)) > room
    assert settings_that_fit(shape, GPU, work, 2000) == {}
    assert settings_that_fit(shape, GPU, work, 1.5) is None


def test_recomputing_is_named_where_one_row_does_not_fit():
    long = Training(4, 4096, rank=16)
    shape = SHAPES["mistral-7b"]
    assert peak_bytes(shape, GPU, replace(long, accumulation=4)) > 16 * GIB - RESERVE
    assert settings_that_fit(shape, GPU, long, 16) == {"accumulation": 2, "recomputing": True}


def test_the_table_of_a_config_alone(tmp_path):
    config = transformers.Qwen2Config(hidden_size=896, num_hidden_layers=2, vocab_size=1000)
    config.save_pretrained(tmp_path)
    shape, held = find_shape(tmp_path)
    assert (shape, held) == (Shape.of(config), GPU)
    table = fit_check(shape, held, methods=["spa"], cards=(8, 24), length=128)
    assert list(table.columns) == ["method", "part", "GiB", "8 GiB", "24 GiB"]
    assert list(table["part"]) == ["fit", "influence", "sample"]
    assert find_shape(tmp_path, 16)[1] == Held(None, half=True)


def test_a_named_model_that_is_not_fetched_needs_no_network(monkeypatch):
    monkeypatch.setattr("synthkit.lm.catalogue.cached", lambda name: None)
    monkeypatch.setattr("synthkit.lm.loading.read_config", None)  # would ask the hub
    assert find_shape("smollm2") == (SHAPES["smollm2-135m"], GPU)


def test_the_command_names_parts_and_settings():
    done = shown("qwen2.5-7b", "--method", "softsrv", "--card", "12")
    assert done.exit_code == 0, done.output
    assert "accumulation=" in done.output and "sample" in done.output
    assert "embedsdg" in shown("qwen2.5-0.5b", "--preset", "fast", "--length", "64").output


@pytest.mark.parametrize("arguments, words", [
    (["mistral-7b", "--card", "4"], "does not fit 4 GiB under any settings; 8 GiB would do"),
    (["mistral-7b", "--method", "sampling"], "no method is called 'sampling'"),
    (["mistral-7b", "--bits", "3"], "bits are 4 or 16 here, found 3"),
    (["./nowhere"], "names that need no file: smollm2-135m"),
])  # fmt: skip
def test_bad_input_is_one_sentence(arguments, words):
    done = shown(*arguments)
    assert done.exit_code == 2 and words in " ".join(done.stderr.split())


def test_a_quantised_gguf_file_is_not_quantised_again(tmp_path):
    path = tmp_path / "small.gguf"
    writer = ggml.GGUFWriter(path, "llama")
    for name, number in (("embedding_length", 64), ("block_count", 2), ("head_count", 2),
                         ("feed_forward_length", 96), ("context_length", 64)):  # fmt: skip
        getattr(writer, f"add_{name}")(number)
    writer.add_vocab_size(32)
    writer.add_token_list([str(i) for i in range(32)])
    weight = ggml.quants.quantize(np.ones((32, 64), np.float32), ggml.GGMLQuantizationType.Q8_0)
    writer.add_tensor("token_embd.weight", weight, raw_dtype=ggml.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shape, held = find_shape(path)
    assert (shape.hidden, shape.layers, held.bits) == (64, 2, None)
    done = shown(str(path), "--bits", "4")
    assert done.exit_code == 2 and "quantised already" in done.stderr
    with pytest.raises(ValueError, match="quantised already"):  # before anything is loaded
        check_options(Request("softsrv", model=str(path), bits=4))
