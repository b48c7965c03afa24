"""Turn the stories260K checkpoint (a plain binary file) into a Hugging Face folder."""

import struct
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_SPACE = "\u2581"  # how sentencepiece writes a blank


def convert(source: Path, target: Path, *, permute: bool = True) -> Path:
    """Write the model and tokenizer of `source` (stories260K.bin, tok512.bin) to `target`.

    `permute=False` leaves the query and key rows interleaved, which is wrong: for tests.
    """
    model = read_model(Path(source) / "stories260K.bin", permute=permute)
    model.save_pretrained(target)
    read_tokenizer(Path(source) / "tok512.bin", model.config.vocab_size).save_pretrained(target)
    return Path(target)


def read_model(path: Path, *, permute: bool = True) -> LlamaForCausalLM:
    """The model: seven int32 sizes, then float32 tensors in a fixed order."""
    raw = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, context = struct.unpack("<7i", raw[:28])
    values = torch.from_numpy(np.frombuffer(raw, "<f4", offset=28).copy())
    kv_dim = dim // heads * kv_heads
    at = 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal at
        size = int(np.prod(shape))
        at += size
        return values[at - size : at].view(shape)

    def half_split(rows: torch.Tensor, n: int) -> torch.Tensor:
        """Interleaved rotary pairs as first halves then second halves, per head."""
        if not permute:
            return rows
        return rows.view(n, -1, 2, dim).transpose(1, 2).reshape(rows.shape)

    table = take(vocab, dim)
    stacks = {
        "input_layernorm": take(layers, dim),
        "self_attn.q_proj": take(layers, dim, dim),
        "self_attn.k_proj": take(layers, kv_dim, dim),
        "self_attn.v_proj": take(layers, kv_dim, dim),
        "self_attn.o_proj": take(layers, dim, dim),
        "post_attention_layernorm": take(layers, dim),
        "mlp.gate_proj": take(layers, hidden, dim),
        "mlp.down_proj": take(layers, dim, hidden),
        "mlp.up_proj": take(layers, hidden, dim),
    }
    state = {"model.embed_tokens.weight": table, "lm_head.weight": table}
    state["model.norm.weight"] = take(dim)
    for name, stack in stacks.items():
        for i, weight in enumerate(stack):
            if name.endswith(("q_proj", "k_proj")):
                weight = half_split(weight, heads if name.endswith("q_proj") else kv_heads)
            state[f"model.layers.{i}.{name}.weight"] = weight
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=dim,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=context,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model


def read_pieces(path: Path, vocab: int) -> list[tuple[str, float]]:
    """(piece, score) of each token; bytes are written <0xAB>, blanks as sentencepiece does."""
    raw = path.read_bytes()
    pieces, at = [], 4
    for _ in range(vocab):
        score, length = struct.unpack_from("<fi", raw, at)
        piece = raw[at + 8 : at + 8 + length].decode("utf-8")
        pieces.append((piece.replace(" ", _SPACE), score))
        at += 8 + length
    pieces[:3] = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    return pieces


def read_tokenizer(path: Path, vocab: int = 512) -> PreTrainedTokenizerFast:
    """The sentencepiece-BPE tokenizer: merges ranked by the score of the piece they make."""
    pieces = read_pieces(path, vocab)
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    merges = []
    for piece, _ in sorted(pieces[3:], key=lambda entry: -entry[1]):
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        cuts = [cut for cut in cuts if cut[0] in ids and cut[1] in ids]
        merges += sorted(cuts, key=lambda cut: (ids[cut[0]], ids[cut[1]]))
    tokenizer = Tokenizer(
        models.BPE(vocab=ids, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
