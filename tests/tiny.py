"""Small stand-ins: random causal LMs with a tokenizer in a folder, and a table with a pattern."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

KINDS = ("llama", "qwen2", "granite", "gemma2", "gemma3")
TEXTS = [
    "Anna has 12 apples and buys 7 more at the market.",
    "How many are there now?",
    "The train leaves at nine, and arrives two hours later in the rain.",
    "A short one.",
    "Question: is the sky blue?\nAnswer: yes, on most days it is blue, and at night it is black.",
]
_CLASSES = {
    "llama": ("LlamaConfig", "LlamaForCausalLM"),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM"),
    "granite": ("GraniteConfig", "GraniteForCausalLM"),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM"),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM"),
}
_OWN = {
    "granite": {
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "attention_multiplier": 0.125,
        "logits_scaling": 4.0,
    },
    "gemma2": {
        "head_dim": 16,
        "sliding_window": 8,
        "query_pre_attn_scalar": 16,
        "tie_word_embeddings": False,  # tied, a random one repeats its input for ever
    },
    "gemma3": {
        "head_dim": 16,
        "sliding_window": 8,
        "query_pre_attn_scalar": 16,
        "tie_word_embeddings": False,
    },
}


@cache
def _trained_bpe() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer.to_str()


# Prompts with completions of many lengths, and two that ask about them.
ROWS = [
    {"prompt": "Anna has", "completion": " 12 apples and buys 7 more at the market."},
    {"prompt": "How many", "completion": " are there now?"},
    {"prompt": "The train leaves", "completion": " at nine, and arrives two hours later."},
    {"prompt": "A short", "completion": " one."},
    {
        "prompt": "Is the sky blue?",
        "completion": " yes, on most days it is blue, and black at night",
    },
    {"prompt": "The market", "completion": " has 12 apples."},
    {"prompt": "The rain", "completion": " leaves at night."},
]
QUERIES = [
    {"prompt": "Anna buys", "completion": " 7 apples."},
    {"prompt": "The train", "completion": " arrives later in the rain."},
]


def tiny_tokenizer(bos: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most 384 pieces; with `bos` it puts <bos> in front of a text."""
    tokenizer = Tokenizer.from_str(_trained_bpe())
    names = {"eos_token": "<eos>", "pad_token": "<pad>"}
    if bos:
        names["bos_token"] = "<bos>"
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A",
            pair="<bos> $A $B",
            special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))],
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def tiny_lm(folder: Path, kind: str = "llama", *, seed: int = 0, bos=None, **overrides) -> Path:
    """Write a random model of `kind` and its tokenizer to `folder`; returns the folder.

    Qwen2 gets no BOS token, as in life. `overrides` go into the config.
    """
    bos = kind != "qwen2" if bos is None else bos
    tokenizer = tiny_tokenizer(bos)
    config_name, model_name = _CLASSES[kind]
    options = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,  # wide, so that greedy text does not stick to one token
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        **_OWN.get(kind, {}),
        **overrides,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, model_name)(getattr(transformers, config_name)(**options))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


CHAT = "{% for m in messages %}<bos>{{ m['content'] }}<eos>{% endfor %}"


def tiny_chat_lm(folder: Path, template: str = CHAT, *, positions: int = 4096) -> Path:
    """A `tiny_lm` of LLaMA's kind with a chat template, and room for long prompts."""
    tiny_lm(folder, max_position_embeddings=positions)
    (folder / "chat_template.jinja").write_text(template)
    return folder


def tiny_table(n: int, seed: int = 0) -> pd.DataFrame:
    """Three columns: y is a copy of x, and the number is low or high with it."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, n)
    number = np.where(x < 2, rng.integers(0, 200, n), rng.integers(800, 1000, n))
    names = {"x": list("abcd"[i] for i in x), "y": list("pqrs"[i] for i in x)}
    return pd.DataFrame({**names, "number": number})


def constrained_rows(constraint, n, seed=0):
    """Rows (n, `constraint.length`) drawn token by token, each valid token equally likely."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(constraint.length):
        weights = constraint.allowed(ids).float()
        ids = torch.cat([ids, torch.multinomial(weights, 1, generator=generator)], 1)
    return ids


def points_in_clusters() -> np.ndarray:
    """Three clusters in the plane, (600, 2), wider along the second axis than along the first."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(600, 2)) * [1, 3] + 4 * rng.integers(3, size=(600, 1))
