"""A pretrained encoder in place of the kit's own, as in the paper; it reads a row as text."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..lm.fingerprint import fingerprint


class TextEncoder(nn.Module):
    """q(z | x) by a copy of a pretrained model that is trained further, such as BERT.

    The decoder's tokens are turned into text by its `TextCodec`, which the encoder's own tokenizer
    cuts anew, at most `length` tokens. One linear layer without bias makes mu and log sigma^2 of
    the pooled state: the model's pooler if it has one, else the state of the first token.

    Source: the released code of DiffLM (arXiv 2411.03250).
    """

    def __init__(self, model: nn.Module, tokenizer, codec, latent: int, length: int = 512):
        super().__init__()
        self.model = deepcopy(model).float()
        self.tokenizer, self.codec, self.length = tokenizer, codec, length
        self.head = nn.Linear(model.config.hidden_size, 2 * latent, bias=False)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2, (n, d) each, of ids (n, m); the text says where a row ends."""
        made = self.tokenizer(
            self.codec.decode(ids), padding=True, truncation=True, max_length=self.length,
            return_tensors="pt",
        ).to(self.head.weight.device)  # fmt: skip
        out = self.model(**made)
        pooled = getattr(out, "pooler_output", None)
        seen = out.last_hidden_state[:, 0] if pooled is None else pooled
        mean, log_variance = self.head(seen).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


def load_text_encoder(given: Any) -> tuple[nn.Module, Any]:
    """A pretrained encoder and its tokenizer: the pair, or of a folder or name of transformers.

    Code that comes with a model is never run.
    """
    if isinstance(given, tuple) and len(given) == 2:
        return given
    if not isinstance(given, (str, Path)):
        raise TypeError(
            "encoder is a folder, a name, or the pair (model, tokenizer) of transformers; got "
            f"{type(given).__name__}"
        )
    from transformers import AutoModel, AutoTokenizer

    place = Path(given)
    if not place.is_dir() and (isinstance(given, Path) or place.is_absolute()):
        raise FileNotFoundError(f"there is no folder {place} with an encoder in it")
    model = AutoModel.from_pretrained(given, trust_remote_code=False)
    return model, AutoTokenizer.from_pretrained(given, trust_remote_code=False)


def encoder_identity(given: Any) -> Any:
    """Identity of a pretrained encoder, for `synthkit.core.resume.run_key`."""
    if isinstance(given, tuple):
        return fingerprint(given[0])
    return None if given is None else Path(given) if Path(given).is_dir() else str(given)


def text_encoder(given: Any, reads: str, codec, latent: int) -> TextEncoder | None:
    """The encoder that a preset asks for by `reads`: None for the kit's own, "tokens"."""
    if reads == "tokens":
        if given is not None:
            raise ValueError("an encoder is given, but not asked for: set reads='text'")
        return None
    if given is None:
        raise ValueError(
            "reads='text' starts from a pretrained encoder (bert-base-uncased in the paper): give "
            "its folder as encoder=, or train one from nothing with reads='tokens' and lr=1e-3"
        )
    if not hasattr(codec, "tokenizer"):
        raise ValueError("a pretrained encoder reads texts; without a language model rows are none")
    return TextEncoder(*load_text_encoder(given), codec, latent)
