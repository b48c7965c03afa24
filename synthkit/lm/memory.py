"""Memory that a language model needs at work, from its shape alone: training and sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .choosing import CELLS
from .losses import CHUNK, LARGE

GIB = 2**30
RESERVE = GIB  # of a GPU: CUDA's context, libraries, and gaps between tensors
CARDS = (8, 12, 16, 24)  # GiB
LINEAR = 7  # layers a block that LoRA adapts: query, key, value, output, gate, up, down
NF4 = 0.5 + 1 / 64 + 4 / 16_384  # bytes a weight: double quantisation has scales of scales


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


@dataclass(frozen=True)
class Held:
    """How the numbers of a model are held.

    Attributes:
        bits: of the linear layers, 4 (NF4); None: as the rest.
        half: whether the rest, and what is computed, takes 16 bits, as on a GPU; else 32.
    """

    bits: int | None = None
    half: bool = False

    @property
    def element(self) -> int:
        """Bytes of a number that is not quantised."""
        return 2 if self.half else 4


@dataclass(frozen=True)
class Training:
    """A training, as far as memory goes: rows (batch_size), tokens a row, and what is trained.

    Attributes:
        rank: of LoRA on all linear layers; 0: the model is frozen, and its inputs ask for a
            gradient (soft prompts).
        others: trained numbers besides; 4 bytes each.
        states: bytes that the optimiser holds for each trained number: 8, or 2 in 8 bits.
        autocast: whether 16 bits are computed under torch.autocast.
        captured: influence in place of training: what goes in and out of each LoRA matrix is kept,
            then each row's own gradient; nothing is optimised.
        gradient: numbers of a row's gradient; None: all weights of the adapter.
        vectors: other gradients that are held.
        accumulation, recomputing: see `synthkit.lm.schedule.Schedule`.
    """

    rows: int
    length: int
    rank: int = 0
    others: int = 0
    states: float = 8
    autocast: bool = False
    captured: bool = False
    gradient: int | None = None
    vectors: int = 0
    accumulation: int = 1
    recomputing: bool = False


@dataclass(frozen=True)
class Sampling:
    """A sampling, as far as memory goes.

    Attributes:
        rows: rows at a time. length, new: tokens given to each, and written.
        rank, adapters: of LoRA on all linear layers, and how many there are.
        shown: whether all attention weights are looked at (no cache, nothing written).
        others: bytes held besides.
    """

    rows: int
    length: int
    new: int
    rank: int = 0
    adapters: int = 1
    shown: bool = False
    others: float = 0.0


Work = Training | Sampling


def weight_bytes(shape: Shape, held: Held) -> float:
    """Bytes of the weights, and of the largest layer as it is unpacked where it is quantised."""
    each = NF4 if held.bits else held.element
    unpacked = shape.hidden * shape.inner * held.element if held.bits else 0
    return shape.linear * each + shape.rest * held.element + unpacked


def peak_bytes(shape: Shape, held: Held, work: Work) -> float:
    """Most bytes of tensors at a time, weights included, while `work` is done."""
    if isinstance(work, Sampling):
        return weight_bytes(shape, held) + work.others + _sampling(shape, held, work)
    trained = shape.lora(work.rank) + work.others
    if work.captured:
        own = 4 * (trained if work.gradient is None else work.gradient)
        held_rows = own * (2 * work.rows + work.vectors)  # a block, and the next one
        return weight_bytes(shape, held) + 4 * trained + _step(shape, held, work) + held_rows
    step = trained * (4 + work.states + 4)  # weights, optimiser, and the best state so far
    gradients = 4 * trained if work.accumulation > 1 else 0  # those of the parts before
    update = 4 * trained + (8 * trained if held.half else 0)  # GPUs update all tensors at once
    busy = max(_step(shape, held, work) + gradients, update)
    return weight_bytes(shape, held) + step + busy


# --- a step of a training -------------------------------------------------------------------------
# The terms follow the forward of transformers' Llama under peft's LoRA, as autograd keeps it.


def _step(shape: Shape, held: Held, work: Training) -> float:
    """Activations of one forward and backward pass of a part of the batch."""
    tokens = -(-work.rows // work.accumulation) * work.length
    large = shape.vocabulary >= LARGE
    logits = (min(tokens, CHUNK // shape.vocabulary) if large else tokens) * shape.vocabulary
    floor = (20 if work.rank else 26) * shape.hidden * tokens
    head = max(12 * logits + (8 * shape.hidden * tokens if large else 0), floor)
    layer, busy = _kept(shape, held, work) * tokens, _busy(shape, held, work) * tokens
    if not work.recomputing:
        return shape.layers * layer + max(head, busy)
    inputs = shape.layers * shape.hidden * held.element * tokens
    return inputs + max(head, layer + busy)


def _kept(shape: Shape, held: Held, work: Training) -> float:
    """Bytes a token that one block keeps for the gradient; rows are padded, so there is a mask."""
    size, n, inner = held.element, shape.hidden, shape.inner
    grouped = 1 < shape.kv_heads < shape.heads
    keys = shape.query if grouped else shape.key  # a mask makes attention repeat them
    attention = size * (2 * shape.query + 2 * keys + work.length) + 4 * shape.heads
    kept = 4 * 2 * n + attention + size * 3 * inner  # norms are computed in float32
    if not work.rank:
        return kept
    cast = 4 if held.half and not work.autocast else 2 if held.half and not held.bits else 0
    if cast:  # each LoRA layer has its own copy of its input
        kept += cast * (5 * n + shape.query + inner)
    else:
        kept += size * (2 * n + inner)
    kept += (cast or size) * LINEAR * work.rank
    if work.captured:  # outputs, and their gradients
        outputs = shape.query + 2 * shape.key + 2 * n + 2 * inner
        kept += 2 * (cast or size) * (outputs + LINEAR * work.rank)
    return kept


def _busy(shape: Shape, held: Held, work: Training) -> float:
    """Bytes a token that the gradient of one block needs besides what was kept."""
    if not held.half:
        return (8 if work.rank else 12) * shape.inner + 2 * shape.hidden
    if work.rank and not work.autocast:
        return 8 * shape.inner + 4 * shape.hidden
    return 6 * shape.inner + (10 if work.rank else 3) * shape.hidden


# --- sampling -------------------------------------------------------------------------------------


def _sampling(shape: Shape, held: Held, work: Sampling) -> float:
    adapter = 4 * shape.lora(work.rank) * work.adapters
    return adapter + work.rows * row_bytes(shape, held, work)


def row_bytes(shape: Shape, held: Held, work: Sampling) -> float:
    """Bytes that each row of a sampling needs: its cache, and reading it or choosing a token."""
    size = held.element
    wide = 16 if work.rank else 3 * size  # LoRA computes in float32
    reading = work.length * (wide * shape.inner + 5.5 * size * shape.hidden + work.length)
    if work.shown:
        return reading + work.length**2 * shape.heads * (2 * size + 8)
    cache = 2 * size * shape.layers * shape.key
    at_once = work.rows if held.half else CELLS // shape.vocabulary  # a CPU draws for a few rows
    choosing = (size + 20 * min(1, max(1, at_once) / work.rows)) * shape.vocabulary
    one = size * shape.key * (work.length + work.new)  # a layer's keys while they grow
    return cache * work.length + max(reading, choosing, cache * work.new + one + choosing)
