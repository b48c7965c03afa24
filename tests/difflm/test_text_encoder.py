"""DiffLM with a pretrained encoder, as in the paper: what it reads, keeps and refuses."""

import pytest
import torch
from tiny import tiny_lm, tiny_tokenizer
from transformers import BertConfig, BertModel

from synthkit import DiffLM, load_lm
from synthkit.difflm.text_codec import TextCodec
from synthkit.difflm.text_encoder import TextEncoder

TEXTS = [f"{name} has {n} apples." for name in ("Anna", "Ben") for n in range(12)]
SMALL = {
    "preset": "fast", "reads": "text", "latent": 4, "tokens": 2, "alike": "tokens",
    "autoencoder": {"steps": 40, "eval_every": 20, "lr": 1e-2, "batch_size": 8},
    "diffusion": {"steps": 4, "eval_every": 2, "hidden": 8, "blocks": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """The folder of a random BERT that has dropout."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=400, intermediate_size=16, max_position_embeddings=64, **sizes)
    folder = tmp_path_factory.mktemp("bert")
    BertModel(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("lm")))


def test_it_reads_the_text_and_trains_a_copy(lm, bert):
    codec, model = TextCodec(lm.tokenizer, 40), BertModel.from_pretrained(bert)
    encoder = TextEncoder(model, tiny_tokenizer(), codec, latent=3).eval()
    ids = codec.encode(TEXTS[:4])
    wide = torch.nn.functional.pad(ids, (0, 5), value=codec.pad)
    torch.testing.assert_close(encoder(ids), encoder(wide))
    pooled = model.eval()(**tiny_tokenizer()(TEXTS[:4], return_tensors="pt", padding=True))
    expected = encoder.head(pooled.pooler_output).chunk(2, 1)
    torch.testing.assert_close(encoder(ids), expected)
    assert encoder.model is not model and all(p.requires_grad for p in encoder.parameters())


def test_a_fit_repeats_comes_back_from_its_folder_and_names_its_encoder(lm, bert, tmp_path):
    method = DiffLM(lm, encoder=bert, **SMALL).fit(TEXTS)
    again = DiffLM(lm, encoder=bert, **SMALL).fit(TEXTS)
    assert torch.equal(method.fitted.latents, again.fitted.latents), "dropout is seeded by the step"
    start = BertModel.from_pretrained(bert).pooler.dense.weight
    assert not torch.equal(method.fitted.autoencoder.encoder.model.pooler.dense.weight, start)
    folder = method.save(tmp_path / "fit")
    loaded = DiffLM.load(folder, lm, encoder=bert)
    codec = loaded.fitted.form.codec
    assert torch.allclose(loaded.fitted.autoencoder.encode(codec.encode(TEXTS[:2]))[0],
                          method.fitted.autoencoder.encode(codec.encode(TEXTS[:2]))[0])  # fmt: skip
    with pytest.raises(ValueError, match="give its folder as encoder="):
        DiffLM.load(folder, lm)
    other = BertModel.from_pretrained(bert)
    torch.nn.init.zeros_(other.pooler.dense.weight)
    with pytest.raises(ValueError, match="fit again"):
        DiffLM.load(folder, lm, encoder=(other, tiny_tokenizer()))


def test_what_it_cannot_begin_with_is_refused_in_words(lm, bert):
    with pytest.raises(ValueError, match="bert-base-uncased"):
        DiffLM(lm, preset="paper").fit(TEXTS)
    with pytest.raises(ValueError, match="reads='text'"):
        DiffLM(lm, encoder=bert, **SMALL | {"reads": "tokens"}).fit(TEXTS)
    with pytest.raises(FileNotFoundError, match="no folder"):
        DiffLM(lm, encoder=bert / "none", **SMALL).fit(TEXTS)
    with pytest.raises(ValueError, match="without a language model"):
        DiffLM(None, encoder=bert, **SMALL).fit([{"a": i, "b": i % 3} for i in range(60)])
