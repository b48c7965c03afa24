"""The offline decoder: a small Llama that knows how rows are written and can read hints.

It is trained on rows whose columns were shuffled independently, so that it knows the syntax and the
marginals and nothing of how columns go together. All columns count alike, however many tokens each
takes: otherwise the digits of wide tables drown a column of two values, and hints of it may never
be read. In front of some rows stand a few vectors that tell part of the row, as a prompt would. A
pretrained language model has long learned to take up what its prompt says; a model that saw rows
alone has not, and soft tokens do not move it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.identity import run_key
from ..core.packing import Files, Read, json_bytes, read_into, read_tensors, tensor_bytes
from ..core.presets import choose_preset
from ..lm.training import batch_at, mean_over_rows, train
from .checks import check_ids, place_weights
from .ordered import FALLING, order_tokens
from .part_presets import FORMATS, FormatPreset


def format_model(
    codec,
    frame,
    preset: str | FormatPreset = "fast",
    *,
    seed: int = 0,
    shuffle: bool = True,
    checkpoint: str | Path | None = None,
    progress: bool = False,
    **changes,
):
    """A small frozen Llama that writes rows of a codec and does not know how columns go together.

    Args:
        codec: a `RowCodec`. frame: the table, or its token ids (n, length), two rows or more.
        preset: a name in `FORMATS`, or a preset; `changes` replace some of its values.
        seed: of the start, the shuffles and the hints.
        shuffle: False trains on the rows as they are, for a comparison: that decoder knows the
            joint distribution by itself, and needs no latent.
        checkpoint, progress: see `synthkit.lm.training.train`.
    """
    preset = choose_preset(preset, FORMATS, changes, "format_model")
    ids = check_ids(codec, frame if isinstance(frame, Tensor) else codec.encode(frame))
    spans = [slice(field.start, field.start + field.width) for field in codec.fields]
    trained = _HintedModel(codec, ids, preset, seed)
    weights = place_weights(codec, FALLING if preset.ordered else 1.0)
    shuffled = _Shuffles(ids, spans if shuffle else [], seed)

    def loss(rows: Tensor, hints: Tensor) -> Tensor:
        return trained.nats(rows, hints, weights).mean() / codec.length

    def loss_at(step: int) -> Iterator[Tensor]:
        rows = shuffled.at(step, preset.batch_size)
        generator = torch.Generator().manual_seed(step_seed(seed, step))
        m = int(torch.randint(preset.hints + 1, (1,), generator=generator))
        return mean_over_rows(loss, rows, trained.hints(rows, m, generator))

    train(
        trained, loss_at, preset, checkpoint=checkpoint, progress=progress,
        identity=run_key(ids=ids, preset=preset, seed=seed, spans=spans if shuffle else []),
        label="format model",
    )  # fmt: skip
    return freeze(trained.model)


OTHER_PLACES = 1 + 128  # of a begin token and a prefix


def new_llama(vocab_size: int, length: int, preset: FormatPreset, seed: int):
    """A Llama with random weights and tied embeddings, for rows of `length` tokens and a prefix.

    Embeddings begin five times as wide as a Llama's own (an sd of 0.1). Otherwise the few tokens of
    a column with two values stay so alike for so long that hints of it are never read.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocab_size, hidden_size=preset.width, num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads, num_key_value_heads=preset.heads,
        intermediate_size=max(32, preset.width * 8 // 3 // 32 * 32),
        max_position_embeddings=length + OTHER_PLACES, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(5)
    return model


def check_format_model(model, codec) -> None:
    """Raises a TypeError for what is no format model, a ValueError for one of other rows."""
    from transformers import LlamaForCausalLM

    if not isinstance(model, LlamaForCausalLM):
        raise TypeError(
            f"decoder= takes the decoder of another fit without a language model, found "
            f"{type(model).__name__}; pass fitted.decoder, or leave it out"
        )
    found = model.config.vocab_size, model.config.max_position_embeddings - OTHER_PLACES
    if found != (codec.vocab_size, codec.length):
        raise ValueError(
            f"decoder= belongs to other rows: {found[0]} tokens and rows of {found[1]}, here "
            f"{codec.vocab_size} and {codec.length}; pass the decoder of a fit to this table, or "
            "leave it out"
        )


def freeze(model: nn.Module) -> nn.Module:
    """The model in eval mode, none of its weights asking for a gradient."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return model.eval()


def shuffle_columns(ids: Tensor, spans, seed) -> Tensor:
    """Rows ids (n, L) whose columns, a slice of places each, were permuted independently."""
    rng, mixed = np.random.default_rng(seed), ids.clone()
    for span in spans:
        order = torch.from_numpy(rng.permutation(len(ids)))
        mixed[:, span] = ids[order, span]
    return mixed


class _Shuffles:
    """Batches of shuffled rows; each epoch shuffles the columns anew."""

    def __init__(self, ids: Tensor, spans, seed: int):
        self.ids, self.spans, self.seed, self._epoch, self._rows = ids, spans, seed, -1, ids

    def at(self, step: int, size: int) -> Tensor:
        """The rows (b, L) of a step, from its number alone."""
        epoch = step // max(1, len(self.ids) // size)
        if epoch != self._epoch:
            self._epoch = epoch
            self._rows = shuffle_columns(self.ids, self.spans, (self.seed, 1, epoch))
        return self._rows[batch_at(step, len(self.ids), size, self.seed)]


class _HintedModel(nn.Module):
    """The Llama with the vectors that stand for (place, token) in a hint; they are thrown away.

    A hint tells each token of the row with a probability that is drawn for each row, and the told
    ones are shared out at random among m vectors, each the sum of what it tells.
    """

    def __init__(self, codec, ids: Tensor, preset: FormatPreset, seed: int):
        super().__init__()
        self.vocab_size, self.bos = codec.vocab_size, codec.bos
        self.model = new_llama(codec.vocab_size, codec.length, preset, seed)
        if preset.ordered:
            order_tokens(self.model.get_input_embeddings().weight, codec, seed)
        self.register_buffer("known", torch.unique(self._keys(ids)), persistent=False)
        # From twice the told token's own embedding on, hints are read after far fewer steps.
        tokens = self.model.get_input_embeddings().weight[self.known % codec.vocab_size]
        self.vectors = nn.Parameter(2 * tokens.detach())  # (pairs of place and token, H)

    def _keys(self, ids: Tensor) -> Tensor:
        return ids + self.vocab_size * torch.arange(ids.shape[1])

    def hints(self, ids: Tensor, m: int, generator: torch.Generator, told=None) -> Tensor:
        """m vectors (b, m, H) that tell part of each row; `told` is the probability, or drawn."""
        b, length = ids.shape
        vectors = self.vectors[torch.searchsorted(self.known, self._keys(ids))]  # (b, L, H)
        if m == 0:
            return vectors[:, :0]
        share = torch.rand(b, 1, generator=generator) if told is None else told
        kept = torch.rand(b, length, generator=generator) < share
        place = torch.randint(m, (b, length), generator=generator)
        weights = functional.one_hot(place, m) * kept[..., None]  # (b, L, m)
        return weights.transpose(1, 2).to(vectors) @ vectors

    def nats(self, ids: Tensor, front: Tensor, weights: Tensor) -> Tensor:
        """The cross-entropy of each row (b,) behind vectors (b, m, H), its places weighed (L,)."""
        begun = torch.cat([torch.full_like(ids[:, :1], self.bos), ids[:, :-1]], 1)
        embeds = torch.cat([front, self.model.get_input_embeddings()(begun)], 1)
        logits = self.model(inputs_embeds=embeds, use_cache=False).logits[:, front.shape[1] :]
        return functional.cross_entropy(logits.mT, ids, reduction="none") @ weights


def pack_format_model(model) -> Files:
    """The files of a format model, as `from_pretrained` reads them."""
    state = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    config = {**model.config.to_dict(), "model_type": "llama"}
    return {"config.json": json_bytes(config), "model.safetensors": tensor_bytes(state)}


def unpack_format_model(read: Read):
    """The frozen model that `pack_format_model` packed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(**json.loads(read("config.json"))))
    state = read_tensors(read("model.safetensors"))
    if model.config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    return freeze(read_into(model, state))


def step_seed(seed: int, step: int) -> int:
    """Seed of what is drawn in a step of a training."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
