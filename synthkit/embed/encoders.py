"""Texts to unit vectors: TF-IDF with an SVD, a language model's own, or a sentence encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.packing import Read
from .base import Embedder
from .sentence import SentenceEmbedder
from .tfidf import TfidfEmbedder


class LMEmbedder(Embedder):
    """The language model's own view of a text.

    Args:
        lm: a `synthkit.LM`.
        kind: "input_mean", the mean of the text's input embeddings (a bag of words), or
            "hidden_mean", the mean of its last hidden states; see
            `synthkit.lm.contexts.Context`.
        batch_size: texts a forward pass.

    Raises:
        ValueError: no model, or an unknown kind.
    """

    KINDS = ("input_mean", "hidden_mean")

    def __init__(self, lm: Any, kind: str = "input_mean", batch_size: int = 64):
        if lm is None:
            raise ValueError("the embedder 'lm' reads a model: give one with lm=load_lm()")
        if kind not in self.KINDS:
            raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(self.KINDS)}")
        self.lm, self.kind, self.batch_size = lm, kind, batch_size

    @property
    def settings(self) -> dict[str, Any]:
        return {"embedder": "lm", "kind": self.kind, "batch_size": self.batch_size}

    def _vectors(self, texts: list[str]) -> Any:
        from ..lm.contexts import Context

        return Context(self.lm, self.kind)(texts, batch_size=self.batch_size).numpy()


class FunctionEmbedder(Embedder):
    """Any function from a list of n texts to an (n, d) array; what it returns is checked."""

    def __init__(self, function: Callable[[list[str]], Any]):
        self.function = function

    @property
    def settings(self) -> dict[str, Any]:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return {"embedder": "function", "name": name}

    def _vectors(self, texts: list[str]) -> Any:
        return self.function(texts)


def load_embedder(spec: Any = "tfidf", lm: Any = None) -> Embedder:
    """An embedder from a short name, its settings, or something that embeds.

    Args:
        spec: "tfidf"; "lm" (needs `lm`); "minilm"; a hub name or a local folder of a
            sentence-transformers model; a mapping from `.settings`; a function from texts to an
            (n, d) array; an object with `encode`; or an embedder, which is returned as it is.
        lm: the model that "lm" reads.

    Raises:
        ValueError: "lm" without a model, settings of an unknown kind, or settings of a function.
        TypeError: `spec` is none of these.
    """
    if isinstance(spec, Embedder):
        return spec
    if isinstance(spec, Mapping):
        return _from_settings(dict(spec), lm)
    if isinstance(spec, Path) or (isinstance(spec, str) and spec not in ("tfidf", "lm")):
        return SentenceEmbedder(spec)
    if isinstance(spec, str):
        return TfidfEmbedder() if spec == "tfidf" else LMEmbedder(lm)
    if callable(getattr(spec, "encode", None)):
        return FunctionEmbedder(spec.encode)
    if callable(spec):
        return FunctionEmbedder(spec)
    raise TypeError(
        "an embedder is 'tfidf', 'lm', 'minilm', a name or folder of a sentence encoder, or a "
        f"function from texts to an (n, d) array; got {type(spec).__name__}"
    )


def _from_settings(settings: dict[str, Any], lm: Any) -> Embedder:
    """The embedder that wrote `settings`; one that must be fitted is not fitted yet."""
    kind = settings.pop("embedder", None)
    if kind == "function":
        raise ValueError(
            f"the vectors came from the function {settings.get('name')!r}, which no settings can "
            "bring back: give the function itself"
        )
    kinds = {"tfidf": TfidfEmbedder, "sentence": SentenceEmbedder}
    if kind not in (*kinds, "lm"):
        raise ValueError(
            f"settings of an embedder name tfidf, lm or sentence under 'embedder', got {kind!r}"
        )
    try:
        return LMEmbedder(lm, **settings) if kind == "lm" else kinds[kind](**settings)
    except TypeError as error:
        raise ValueError(f"settings that no {kind!r} embedder has: {error}") from None


def unpack_embedder(read: Read, lm: Any = None) -> Embedder:
    """The embedder whose `pack` made the files that `read` reads; a TF-IDF comes back fitted.

    Only what the files themselves hold comes back, or what reads the model that the caller gives:
    a file that names an encoder would name code that is run.

    Args:
        lm: the model that an "lm" embedder reads.

    Raises:
        ValueError: a sentence encoder or a function, which the caller has to give.
    """
    about = json.loads(read("embedder.json"))
    settings = about["settings"]
    if settings["embedder"] not in ("tfidf", "lm"):
        name = settings.get("name_or_folder", settings.get("name"))
        raise ValueError(
            f"the vectors came from the {settings['embedder']} {name!r}, which a saved folder only "
            "names and never loads: give it yourself as encoder="
        )
    embedder = load_embedder(settings, lm)
    if isinstance(embedder, TfidfEmbedder):
        embedder.restore(read)
    embedder._width = about["width"]
    return embedder
