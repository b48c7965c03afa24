"""User text is plain characters; what is missing, or does not fit, is named."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import tiny_lm, tiny_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from synthkit import SPA, load_lm
from synthkit.difflm.text_codec import TextCodec
from synthkit.embed.encoders import LMEmbedder
from synthkit.lm.finetune import accuracy, encode, finetune
from synthkit.lm.tokens import plain_ids, special_tokens

NAMES = ("<eos>", "<bos>", "<pad>")
TEXT = "a<eos>b<pad> and <bos>c"


def test_the_name_of_a_special_token_is_plain_characters(lm):
    marks = set(special_tokens(lm.tokenizer))
    (ids,) = lm.token_ids([TEXT])
    assert len(marks) == 3 and not marks & set(ids) and lm.tokenizer.decode(ids) == TEXT
    (with_bos,) = lm.token_ids([TEXT], special=True)
    assert with_bos == [lm.bos_id, *ids]
    _, labels, _ = lm.training_batch([TEXT], prompts=[TEXT])
    assert (labels == lm.eos_id).sum() == 1 and labels[0, -1] == lm.eos_id
    codec = TextCodec(lm.tokenizer, 64)
    assert codec.decode(codec.encode([TEXT])) == [TEXT]
    ((ids, labels),) = encode(lm.tokenizer, [{"prompt": TEXT, "completion": TEXT}], lm.context)
    assert ids.count(lm.eos_id) == labels.count(lm.eos_id) == 1 and ids.count(lm.bos_id) == 1
    plain, held = LMEmbedder(lm)(["a and c", "a<eos> and c"])
    assert not np.allclose(plain, held)


def test_a_prompt_with_an_end_token_goes_on_to_its_last_word(lm):
    seen = []
    handle = lm.model.get_input_embeddings().register_forward_hook(
        lambda module, inputs, output: seen.extend(inputs[0].flatten().tolist())
    )
    lm.generate([TEXT], max_new_tokens=1)
    handle.remove()
    assert lm.eos_id not in seen and seen.count(lm.bos_id) == 1


def test_a_tokenizer_that_cannot_spell_a_special_token_says_so():
    words = {"<unk>": 0, "<end>": 1, "a": 2}
    whole = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=whole, unk_token="<unk>", eos_token="<end>"
    )
    assert plain_ids(tokenizer, ["a b"]) == [[2, 0]]
    with pytest.raises(ValueError, match="text 1 holds '<end>'"):
        plain_ids(tokenizer, ["a", "a <end> a"])


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  ", pd.NA, ["x"]])
def test_a_missing_answer_is_named_by_its_row(lm, missing):
    rows = [{"question": f"Add {a} and 3.", "answer": str(a + 3)} for a in range(11)]
    rows[7] = {**rows[7], "answer": missing}
    with pytest.raises(ValueError, match=r"'answer' of row 7"):
        finetune(lm, rows)
    with pytest.raises((ValueError, TypeError), match=r"row 7"):
        SPA(lm, n_parts=2, partition="random", part_updates=1, min_size=1).fit(rows)
    with pytest.raises(ValueError, match=r"'final' of row 1"):
        accuracy(lm, [{"question": "?", "final": "4"}, {"question": "?", "final": missing}])


def test_numbers_are_answers(lm):
    rows = [{"question": "1 + 1?", "answer": 2}, {"question": "1 + 1?", "answer": np.int64(2)}]
    first, second = encode(lm.tokenizer, rows, lm.context)
    assert first == second


def test_a_tokenizer_larger_than_the_weights_is_refused(tmp_path):
    folder = tiny_lm(tmp_path / "llama")
    assert load_lm(folder, device="cpu")
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<added>"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match="without one are '<added>'"):
        load_lm(folder, device="cpu")
    config = json.loads((folder / "config.json").read_text())
    assert load_lm(tiny_lm(tmp_path / "wide", vocab_size=config["vocab_size"] + 64), device="cpu")
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ raise_exception('no user') }}", "no user"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ nothing.at.all }}", "undefined"),
        ("a system's line", "once"),
    ],
)
def test_a_template_that_fails_is_told_and_is_not_needed_without_chat(template, told, lm, folder):
    other = load_lm(folder, device="cpu")
    other.tokenizer.chat_template = template
    assert other.generate(["Anna"], max_new_tokens=4) == lm.generate(["Anna"], max_new_tokens=4)
    with pytest.raises(ValueError, match=f"the chat template of .*{told}"):
        other.generate(["Anna"], max_new_tokens=4, chat=True)
