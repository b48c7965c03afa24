"""Embedders: unit vectors from texts, whatever makes them, and clear words when they cannot."""

import hashlib
import importlib
import json
import logging
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TEXTS, tiny_lm

from synthkit.embed import sentence
from synthkit.embed.base import unit_rows
from synthkit.embed.encoders import (
    FunctionEmbedder,
    LMEmbedder,
    SentenceEmbedder,
    TfidfEmbedder,
    load_embedder,
    unpack_embedder,
)
from synthkit.embed.sentence import minilm_folder
from synthkit.worlds import load_world


@pytest.fixture(scope="module")
def reviews():
    return load_world("reviews").sample(300, seed=0)


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    from synthkit.lm import load_lm

    return load_lm(tiny_lm(tmp_path_factory.mktemp("lm")), device="cpu")


def lengths(texts):
    """A stand-in encoder: three numbers a text."""
    return [[len(text), text.count("e") + 1, 1] for text in texts]


def is_unit(vectors, n):
    assert vectors.dtype == np.float32 and vectors.shape[0] == n
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    return True


# --- TF-IDF ---------------------------------------------------------------------------------------


def test_tfidf_is_the_truncated_svd_of_scikit_learn(reviews):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    from synthkit.evaluation.text import words

    texts = reviews["text"]
    rows = TfidfVectorizer(tokenizer=words, token_pattern=None, ngram_range=(1, 2))
    rows = rows.fit_transform(texts)
    plain = TruncatedSVD(15, random_state=3).fit_transform(rows)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    ours = TfidfEmbedder(dims=16, seed=3).fit(texts)(texts)
    np.testing.assert_allclose(ours[:, :-1] @ ours[:, :-1].T, plain @ plain.T, atol=1e-3)


def test_a_seed_gives_the_same_bytes_and_the_order_of_a_batch_does_not_matter(reviews):
    first, second = (TfidfEmbedder(seed=1).fit(reviews) for _ in range(2))
    np.testing.assert_array_equal(first(reviews), second(reviews))
    texts = reviews["text"]
    np.testing.assert_allclose(first(texts[:7]), first(texts)[:7], atol=1e-6)


def test_an_unknown_text_is_at_a_right_angle_to_every_fitted_one(reviews, caplog):
    embedder = TfidfEmbedder(16).fit(reviews)
    with caplog.at_level(logging.WARNING):
        vectors = embedder(["qwertz uiop", *reviews["text"]])
    assert is_unit(vectors, 301)
    np.testing.assert_allclose(vectors[1:] @ vectors[0], 0, atol=1e-6)
    assert "1 of 301 texts share no word" in caplog.text


def test_equal_texts_and_a_single_word_are_fitted_too():
    assert TfidfEmbedder().fit(["a b"] * 5)(["a b"] * 2).shape == (2, 2)
    same, other = TfidfEmbedder().fit(["a"])(["a", "b"])
    assert same @ other == 0 and abs(same[0]) == pytest.approx(1)


# --- bad texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda: TfidfEmbedder().fit(TEXTS), lambda: load_embedder(lengths)]
)
@pytest.mark.parametrize("act", ["fit", "__call__"])
@pytest.mark.parametrize(
    "texts, error, words",
    [
        ([], ValueError, "is empty"),
        (["a", " \n"], ValueError, r"row 1 is empty"),
        (["a", None], TypeError, "row 1 is NoneType"),
        ("one string", TypeError, "not one string"),
        (np.nan, TypeError, "found float"),
    ],
)
def test_bad_texts_are_named(make, act, texts, error, words):
    with pytest.raises(error, match=words):
        getattr(make(), act)(texts)


# --- bad vectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made, words",
    [
        (lambda texts: [[1.0, np.nan]] * len(texts), "not finite for 2 of 2 texts"),
        (lambda texts: [[1.0, 2.0], [np.inf, 0.0]], "not finite for 1 of 2 texts, .* text 1"),
        (lambda texts: [1.0, 2.0], r"shape \(2,\)"),
        (lambda texts: np.ones((3, 4)), r"shape \(3, 4\) for 2 texts; it must be \(2, d\)"),
        (lambda texts: np.ones((2, 0)), r"shape \(2, 0\)"),
        (lambda texts: [[1.0], [2.0, 3.0]], "no .* array of numbers"),
        (lambda texts: [["x"], ["y"]], "no .* array of numbers"),
        (lambda texts: None, "shape"),
        (lambda texts: [[1.0, 0.0], [0.0, 0.0]], "only zeros for text 1"),
    ],
)
def test_bad_vectors_are_named(made, words):
    with pytest.raises(ValueError, match=words):
        load_embedder(made)(["a", "b"])


def test_two_widths_are_refused():
    embedder = load_embedder(lambda texts: np.ones((len(texts), len(texts))))
    embedder(["a", "b"])
    with pytest.raises(ValueError, match="2 columns before and 3 now"):
        embedder(["a", "b", "c"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3).filter(any),
        min_size=1,
        max_size=5,
    )
)
def test_unit_rows_point_where_the_vectors_point(rows):
    vectors = unit_rows(rows, len(rows))
    assert is_unit(vectors, len(rows))
    for row, unit in zip(np.array(rows), vectors):
        scaled = row / np.abs(row).max()
        np.testing.assert_allclose(scaled / np.linalg.norm(scaled), unit, atol=1e-6)


# --- the language model's own ---------------------------------------------------------------------


def test_lm_input_mean_is_a_bag_of_words(lm):
    embedder = LMEmbedder(lm)
    vectors = embedder.fit(TEXTS)(TEXTS)
    assert is_unit(vectors, len(TEXTS)) and vectors.shape[1] == lm.hidden_size
    mean = lm.embed_tokens(TEXTS[:1])[0].mean(0).numpy()
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_lm_hidden_mean_sees_the_order(lm):
    bag, ordered = (
        embedder([" and the", " the and"])
        for embedder in (LMEmbedder(lm), LMEmbedder(lm, "hidden_mean", batch_size=1))
    )
    np.testing.assert_allclose(bag[0], bag[1], atol=1e-6)
    assert is_unit(ordered, 2) and ordered[0] @ ordered[1] < 0.999


def test_lm_embedder_needs_a_model():
    with pytest.raises(ValueError, match="lm=load_lm"):
        load_embedder("lm")


# --- sentence encoders ----------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch):
    """A stand-in for sentence-transformers that notes what it was asked to load."""

    class SentenceTransformer:
        loaded: list = []  # noqa: RUF012

        def __init__(self, place, device=None):
            if "missing" in place:
                raise OSError(f"{place} is not a local folder and no model on the hub\nmore")
            self.loaded.append((place, device))

        def encode(self, texts, batch_size, show_progress_bar):
            assert not show_progress_bar
            return np.array(lengths(texts), dtype=np.float32)

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = SentenceTransformer
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    return SentenceTransformer


def test_a_sentence_encoder_is_loaded_once_and_late(library):
    embedder = SentenceEmbedder("some/encoder", device="cpu")
    assert library.loaded == []
    vectors = embedder.fit(TEXTS)(TEXTS)
    embedder(TEXTS[:2])
    assert is_unit(vectors, len(TEXTS)) and library.loaded == [("some/encoder", "cpu")]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match="pip install sentence-transformers"):
        SentenceEmbedder("some/encoder")(["a"])


def test_a_missing_model_is_named(library, tmp_path):
    with pytest.raises(OSError, match=r"'missing/one' \(no such folder.*Give a local folder"):
        SentenceEmbedder("missing/one")(["a"])
    folder = tmp_path / "missing"
    folder.mkdir()
    with pytest.raises(OSError, match="holds no model"):
        SentenceEmbedder(folder)(["a"])


# --- the encoder that comes as a package ----------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for the package of MiniLM, three bytes of weights in a folder of their own."""
    home = tmp_path / "stand_in_minilm"
    model = home / "models" / "mini"
    model.mkdir(parents=True)
    (home / "__init__.py").write_text("raise RuntimeError('must not be run to find a folder')")
    (model / "model.safetensors").write_bytes(b"abc")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sentence, "MINILM_PACKAGE", home.name)
    monkeypatch.setattr(sentence, "MINILM_SHA256", hashlib.sha256(b"abc").hexdigest())
    importlib.invalidate_caches()
    return model


def test_minilm_is_found_in_its_package_and_checked(package, library):
    assert minilm_folder() == package
    assert is_unit(load_embedder("minilm")(TEXTS), len(TEXTS))
    assert library.loaded[-1][0] == str(package)


def test_minilm_with_other_weights_is_refused(package, library):
    (package / "model.safetensors").write_bytes(b"abd")
    with pytest.raises(OSError, match="do not use them"):
        load_embedder("minilm")(["a"])


def test_minilm_without_weights_or_package_is_named(package, monkeypatch):
    (package / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"holds no model\.safetensors"):
        minilm_folder()
    monkeypatch.setattr(sentence, "MINILM_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ImportError, match=r"synthkit\[minilm\]"):
        minilm_folder()


# --- load_embedder --------------------------------------------------------------------------------


def test_every_way_to_name_an_embedder(lm, tmp_path):
    ready = TfidfEmbedder(8)
    encoder = types.SimpleNamespace(encode=lengths)
    found = {
        TfidfEmbedder: load_embedder("tfidf"),
        LMEmbedder: load_embedder("lm", lm),
        SentenceEmbedder: load_embedder("org/name"),
        FunctionEmbedder: load_embedder(encoder),
    }
    assert all(type(embedder) is kind for kind, embedder in found.items())
    assert load_embedder(ready) is ready and type(load_embedder()) is TfidfEmbedder
    assert load_embedder(tmp_path).name == str(tmp_path)
    np.testing.assert_array_equal(load_embedder(encoder)(TEXTS), load_embedder(lengths)(TEXTS))


def test_settings_are_json_and_make_the_same_embedder_again(lm):
    for embedder in (
        TfidfEmbedder(7, seed=3),
        LMEmbedder(lm, "hidden_mean", batch_size=3),
        SentenceEmbedder("org/name", 8, "cpu"),
    ):
        kept = json.loads(json.dumps(embedder.settings))
        again = load_embedder(kept, lm)
        assert type(again) is type(embedder) and again.settings == embedder.settings == kept
    assert repr(TfidfEmbedder(7)) == "TfidfEmbedder(dims=7, seed=0)"


def test_a_function_cannot_be_rebuilt_from_its_name():
    kept = load_embedder(lengths).settings
    assert kept == {"embedder": "function", "name": "lengths"}
    with pytest.raises(ValueError, match=r"'lengths'.*give the function itself"):
        load_embedder(kept)


@pytest.mark.parametrize(
    "spec, error, words",
    [
        (3, TypeError, "got int"),
        (None, TypeError, "got NoneType"),
        ({"dims": 3}, ValueError, "got None"),
        ({"embedder": "word2vec"}, ValueError, "got 'word2vec'"),
        ({"embedder": "tfidf", "size": 3}, ValueError, "size"),
        ({"embedder": "lm"}, ValueError, "lm=load_lm"),
    ],
)
def test_a_bad_spec_is_named(spec, error, words):
    with pytest.raises(error, match=words):
        load_embedder(spec)


# --- on file --------------------------------------------------------------------------------------


def unpacked(embedder, lm=None):
    return unpack_embedder(embedder.pack().__getitem__, lm)


def test_a_tfidf_comes_back_equal_fitted_and_without_a_text(reviews, monkeypatch):
    fitted = TfidfEmbedder(16, seed=5).fit(reviews)
    fresh = [*load_world("reviews", distribution="llm").sample(40, seed=1)["text"], "qwertz uiop"]
    wanted = fitted(fresh)
    monkeypatch.setattr(TfidfEmbedder, "fit", None)  # so that nobody fits it again
    again = unpacked(fitted)
    assert again.is_fitted and again.settings == fitted.settings
    np.testing.assert_array_equal(again(fresh), wanted)
    assert again.pack() == fitted.pack()
    kept = fitted.pack()["embedder.words.json"].decode()
    assert not any(text in kept for text in reviews["text"])


def test_an_lm_embedder_keeps_its_settings_and_reads_the_model_that_is_given(lm):
    plain = LMEmbedder(lm, "hidden_mean", 3)
    vectors = plain(TEXTS)
    again = unpacked(plain, lm)
    assert again.settings == plain.settings and again._width == plain._width
    np.testing.assert_array_equal(again(TEXTS), vectors)


@pytest.mark.parametrize("embedder", [SentenceEmbedder("org/name"), load_embedder(lengths)])
def test_a_folder_names_an_encoder_and_never_loads_it(embedder):
    named = "(sentence 'org/name'|function 'lengths')"
    with pytest.raises(ValueError, match=f"{named}, which a saved folder only names"):
        unpacked(embedder)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.text("ab\u00e9\u4e2d\u0130\n\"' .", min_size=1).filter(str.strip), min_size=1, max_size=6
    )
)
def test_any_vocabulary_survives_the_file(texts):
    fitted = TfidfEmbedder(4).fit(texts)
    np.testing.assert_array_equal(unpacked(fitted)(texts), fitted(texts))


def test_only_a_fitted_tfidf_is_packed():
    assert not TfidfEmbedder().is_fitted
    with pytest.raises(RuntimeError, match=r"call fit\(texts\) first"):
        TfidfEmbedder().pack()
