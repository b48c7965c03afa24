"""Memory that a language model needs at work, from its shape alone: training and sampling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .choosing import CELLS
from .losses import CHUNK, LARGE
from .shapes import LINEAR, Shape

GIB = 2**30
RESERVE = GIB  # of a GPU: CUDA's context, libraries, and gaps between tensors
CARDS = (8, 12, 16, 24)  # GiB
NF4 = 0.5 + 1 / 64 + 4 / 16_384  # bytes a weight: double quantisation has scales of scales


@dataclass(frozen=True)
class Held:
    """The form in which the numbers of a model are held.

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
        whole: whether all logits exist at once, whatever the vocabulary.
        besides: bytes a token that another module keeps.
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
    whole: bool = False
    besides: float = 0.0
    accumulation: int = 1
    recomputing: bool = False


@dataclass(frozen=True)
class Sampling:
    """A sampling, as far as memory goes.

    Attributes:
        rows: rows at a time. length, new: tokens given to each, and written.
        rank, adapters: of LoRA on all linear layers, and how many there are.
        shown: whether all attention weights are looked at (no cache, nothing written).
        besides: bytes held besides.
    """

    rows: int
    length: int
    new: int
    rank: int = 0
    adapters: int = 1
    shown: bool = False
    besides: float = 0.0


Work = Training | Sampling


def weight_bytes(shape: Shape, held: Held) -> float:
    """Bytes of the weights, and of the largest layer as it is unpacked where it is quantised."""
    each = NF4 if held.bits else held.element
    unpacked = shape.hidden * shape.inner * held.element if held.bits else 0
    return shape.linear * each + shape.rest * held.element + unpacked


def peak_bytes(shape: Shape, held: Held, work: Work) -> float:
    """Most bytes of tensors at a time, weights included, while `work` is done."""
    fixed = weight_bytes(shape, held)
    if isinstance(work, Sampling):
        adapters = 4 * shape.lora(work.rank) * work.adapters
        return fixed + work.besides + adapters + work.rows * row_bytes(shape, held, work)
    trained = shape.lora(work.rank) + work.others
    if work.captured:
        own = 4 * (trained if work.gradient is None else work.gradient)
        held_rows = own * (2 * work.rows + work.vectors)  # a block, and the next one
        return fixed + 4 * trained + _step(shape, held, work) + held_rows
    step = trained * (4 + work.states + 4)  # weights, optimiser, and the best state so far
    gradients = 4 * trained if work.accumulation > 1 else 0  # those of the parts before
    update = 4 * trained + (8 * trained if held.half else 0)  # GPUs update all tensors at once
    busy = max(_step(shape, held, work) + gradients, update)
    return fixed + step + busy


# --- a step of a training -------------------------------------------------------------------------
# The terms follow the forward of transformers' Llama under peft's LoRA, as autograd keeps it.


def _step(shape: Shape, held: Held, work: Training) -> float:
    """Activations of one forward and backward pass of a part of the batch."""
    tokens = -(-work.rows // work.accumulation) * work.length
    large = shape.vocabulary >= LARGE and not work.whole
    logits = (min(tokens, CHUNK // shape.vocabulary) if large else tokens) * shape.vocabulary
    floor = (20 if work.rank else 26) * shape.hidden * tokens
    head = max(12 * logits + (8 * shape.hidden * tokens if large else 0), floor)
    layer, busy = _kept(shape, held, work) * tokens, _busy(shape, held, work) * tokens
    besides = work.besides * tokens
    if not work.recomputing:
        return besides + shape.layers * layer + max(head, busy)
    inputs = shape.layers * shape.hidden * held.element * tokens
    return besides + inputs + max(head, layer + busy)


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


# --- what fits ------------------------------------------------------------------------------------


def settings_that_fit(
    shape: Shape, held: Held, work: Work, card: float
) -> dict[str, int | bool] | None:
    """The least change of settings with which `work` fits a card; {} for none, None if none does.

    Args:
        card: its memory in GiB, of which `RESERVE` is left free.
    """
    room = card * GIB - RESERVE
    for settings, easier in _easier(work):
        if peak_bytes(shape, held, easier) <= room:
            return settings
    return None


def _easier(work: Work) -> Iterator[tuple[dict[str, int | bool], Work]]:
    """Settings that take less and less memory, and the work under them; the first cost least."""
    if isinstance(work, Sampling) or work.captured:
        name = "block_size" if isinstance(work, Training) else "batch_size"
        for rows in _halves(work.rows):
            settings = {name: rows} if rows < work.rows else {}
            yield settings, replace(work, rows=rows)
        return
    for recomputing in (False, True) if not work.recomputing else (True,):
        own = {"recomputing": True} if recomputing > work.recomputing else {}
        for rows in _halves(-(-work.rows // work.accumulation)):
            parts = max(work.accumulation, -(-work.rows // rows))
            more = {"accumulation": parts} if parts > work.accumulation else {}
            yield more | own, replace(work, accumulation=parts, recomputing=recomputing)


def _halves(rows: int) -> Iterator[int]:
    yield rows
    while rows > 1:
        rows //= 2
        yield rows
