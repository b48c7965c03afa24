"""Sizes of a language model, from its config or by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LINEAR = 7  # layers a block that LoRA adapts: query, key, value, output, gate, up, down


@dataclass(frozen=True)
class Shape:
    """Sizes of a causal LM of the Llama kind (Llama, Mistral, Qwen2, Granite and the like).

    Attributes:
        vocabulary, hidden, inner, layers: V, N, the width inside an MLP, and the blocks.
        heads, kv_heads, head: heads of queries, of keys and values, and the width of one.
        tied: whether one table serves as embedding and as head.
    """

    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    tied: bool = False

    @classmethod
    def of(cls, config: Any) -> Shape:
        """The shape in a transformers config.

        Raises:
            ValueError: the config lacks a size.
        """
        config = config.get_text_config()
        names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
        if lost := [name for name in names if not getattr(config, name, None)]:
            raise ValueError(f"the config of {config.model_type!r} has no {', '.join(lost)}")
        vocabulary, hidden, layers, heads = (getattr(config, name) for name in names)
        return cls(
            vocabulary, hidden, getattr(config, "intermediate_size", None) or 4 * hidden, layers,
            heads, getattr(config, "num_key_value_heads", None) or heads,
            getattr(config, "head_dim", None) or hidden // heads,
            bool(getattr(config, "tie_word_embeddings", False)),
        )  # fmt: skip

    @property
    def query(self) -> int:
        """Width of all queries of a position."""
        return self.heads * self.head

    @property
    def key(self) -> int:
        """Width of all keys of a position, and of all values."""
        return self.kv_heads * self.head

    @property
    def linear(self) -> int:
        """Weights of the linear layers of all blocks."""
        attention = 2 * self.query + 2 * self.key
        return self.layers * self.hidden * (attention + 3 * self.inner)

    @property
    def rest(self) -> int:
        """Weights of embedding, head and norms, which are never quantised."""
        tables = 1 if self.tied else 2
        return self.vocabulary * self.hidden * tables + self.hidden * (2 * self.layers + 1)

    def lora(self, rank: int) -> int:
        """Weights of a LoRA adapter on all linear layers."""
        sides = LINEAR * self.hidden + 2 * self.query + 2 * self.key + 3 * self.inner
        return self.layers * rank * sides


# From the config.json of each model on the Hugging Face hub.
SHAPES = {
    "smollm2-135m": Shape(49_152, 576, 1536, 30, 9, 3, 64, tied=True),
    "qwen2.5-0.5b": Shape(151_936, 896, 4864, 24, 14, 2, 64, tied=True),
    "qwen2.5-1.5b": Shape(151_936, 1536, 8960, 28, 12, 2, 128, tied=True),
    "qwen2.5-7b": Shape(152_064, 3584, 18_944, 28, 28, 4, 128),
    "mistral-7b": Shape(32_768, 4096, 14_336, 32, 32, 8, 128),
    "llama-3.1-8b": Shape(128_256, 4096, 14_336, 32, 32, 8, 128),
    "granite-3.1-8b": Shape(49_155, 4096, 12_800, 40, 32, 8, 128, tied=True),
}
