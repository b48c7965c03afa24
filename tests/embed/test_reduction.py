"""The reducer: midpoints, saving, fingerprints, and what it refuses."""

import numpy as np
import pytest

from synthkit.embed.reduction import Reducer


@pytest.fixture(scope="module")
def Z():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(200, 24)) @ rng.normal(size=(24, 24)) + 5).astype(np.float32)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("kind, options", [("pca", {}), ("svd", {}), ("svd", {"drop_first": True})])
def test_midpoints_map_to_midpoints(Z, kind, options, k):
    reducer = Reducer(kind, k, **options).fit(Z)
    a, b = Z[:100].astype(float), Z[100:].astype(float)
    middle = reducer.transform((a + b) / 2)
    expected = (reducer.transform(a) + reducer.transform(b)) / 2
    assert np.abs(middle - expected).max() <= 1e-6 * np.abs(expected).max()


def test_pca_is_centred_and_svd_is_not(Z):
    assert np.abs(Reducer("pca").fit_transform(Z).mean(axis=0)).max() < 1e-4
    svd = Reducer("svd").fit(Z)
    assert np.abs(svd.embedding.mean(axis=0)[0]) > 5
    dropped = Reducer("svd", drop_first=True).fit(Z)
    np.testing.assert_allclose(np.abs(dropped.embedding[:, 0]), np.abs(svd.embedding[:, 1]), 1e-2)


@pytest.mark.parametrize("kind, k", [("pca", 2), ("svd", 3), ("tsne", 2), ("tsne", 3)])
def test_saved_reducer_places_points_alike(Z, kind, k):
    reducer = Reducer(kind, k, seed=3).fit(Z)
    new = Z[:7] + np.float32(0.1)
    again = Reducer.unpack(reducer.pack().__getitem__)
    placed = reducer.transform(new)
    np.testing.assert_array_equal(placed, reducer.transform(new))
    np.testing.assert_array_equal(placed, again.transform(new))
    assert again.fingerprint == reducer.fingerprint == Reducer(kind, k, seed=3).fit(Z).fingerprint


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda Z: Z[:2], "more than 2 points"),
        (lambda Z: Z[:, :1], "2 columns or more"),
        (lambda Z: np.ones_like(Z), "are the same"),
        (lambda Z: Z[:1] + np.arange(200)[:, None], "coordinate 1 of 2 has no width"),
        (lambda Z: np.where(np.arange(200)[:, None] == 7, np.nan, Z), "first is row 7"),
        (lambda Z: Z[0], "shape"),
    ],
)
def test_reducer_refuses_bad_data(Z, change, words):
    with pytest.raises(ValueError, match=words):
        Reducer("pca").fit(change(Z.astype(float)))


def test_reducer_refuses_bad_settings_and_use_before_fitting(Z):
    for arguments in ({"kind": "umap"}, {"k": 0}, {"kind": "tsne", "k": 4}, {"drop_first": True}):
        with pytest.raises(ValueError):
            Reducer(**arguments)
    with pytest.raises(RuntimeError, match="call fit"):
        Reducer().transform(Z)
    with pytest.raises(ValueError, match="fitted on 24 columns"):
        Reducer().fit(Z).transform(Z[:, :9])
