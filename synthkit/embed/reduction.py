"""From hidden size to a plane or a box: PCA, truncated SVD, t-SNE behind `fit` and `transform`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from ..core.arguments import finite_rows
from ..core.packing import Files, Read, array_bytes, json_bytes, read_arrays

KINDS = ("pca", "svd", "tsne")
_TSNE_FRONT = 50  # t-SNE sees at most this many principal components


class Reducer:
    """A map from N to K coordinates that is fitted once and then places new points.

    - `pca`: centred, not scaled. Affine, so the midpoint of two points maps to the midpoint.
    - `svd`: truncated SVD, not centred. Linear, so midpoints map to midpoints as well. In an
      anisotropic space the first component is close to the mean vector: `drop_first=True` fits one
      more and leaves the first out.
    - `tsne`: openTSNE on up to 50 principal components, one thread, so that a seed repeats.
      Interpolation (FFT) in 2-D from 1,000 points on, else Barnes-Hut. Midpoints do *not* map to
      midpoints, and densities on the map are not densities of the data.

    EmbedSDG (arXiv 2603.22294) equation (3); `k` is the paper's K.

    Args:
        kind: one of "pca", "svd", "tsne".
        k: the number of coordinates kept; "tsne" takes 2 or 3.
        seed: of the randomised solvers and of t-SNE.
        drop_first: leave out the first component ("svd" only).
        perplexity: of t-SNE; lowered to (n - 1) / 3 for small n.

    Raises:
        ValueError: an unknown kind, or a setting the kind does not take.
    """

    def __init__(
        self,
        kind: str = "pca",
        k: int = 2,
        seed: int = 0,
        *,
        drop_first: bool = False,
        perplexity: float = 30.0,
    ):
        if kind not in KINDS:
            raise ValueError(f"no reducer is called {kind!r}; choose one of {', '.join(KINDS)}")
        if k < 1 or (kind == "tsne" and k not in (2, 3)):
            raise ValueError(f"k counts coordinates (t-SNE: 2 or 3), got k={k} for {kind!r}")
        if drop_first and kind != "svd":
            raise ValueError(f"drop_first belongs to 'svd'; {kind!r} has no component to drop")
        self.kind, self.k, self.seed = kind, k, seed
        self.drop_first, self.perplexity = drop_first, perplexity
        self._state: dict[str, np.ndarray] = {}
        self._tsne: Any = None  # the openTSNE embedding, rebuilt from the state after loading

    def fit(self, Z: np.ndarray) -> Reducer:
        """Fit on the rows of `Z` (n, N); returns self.

        Raises:
            ValueError: not an (n, N) array of finite numbers, too few points or too few columns
                for k coordinates, or data that is constant along one of the k coordinates.
        """
        Z = finite_rows(Z, "points")
        wanted = self.k + self.drop_first
        if len(Z) <= wanted or Z.shape[1] < wanted:
            raise ValueError(
                f"{wanted} components need more than {wanted} points and {wanted} columns or more; "
                f"got {len(Z)} points of {Z.shape[1]} columns: add texts or lower k"
            )
        spread = np.ptp(Z, axis=0).max()
        if spread == 0:
            raise ValueError(
                f"all {len(Z)} points are the same: there is no axis to spread them on; "
                "check that the texts differ"
            )
        fit = {"pca": self._fit_pca, "svd": self._fit_svd, "tsne": self._fit_tsne}[self.kind]
        self._state = fit(Z)
        width = np.ptp(self.embedding, axis=0)  # (k,)
        flat = np.flatnonzero(width <= 1e-10 * spread)
        if len(flat):
            self._state, self._tsne = {}, None
            raise ValueError(
                f"coordinate {flat[0]} of {self.k} has no width ({width[flat[0]]:.1e}): the data "
                f"varies in fewer than {self.k} directions; lower k or add different texts"
            )
        return self

    def transform(self, Z: np.ndarray) -> np.ndarray:
        """Place the rows of `Z` (n, N) on the fitted map: (n, k) float64.

        For t-SNE these are *new* points laid among the fitted ones, which stay where they are; the
        fitted points' own places are in `embedding`.

        Raises:
            RuntimeError: the reducer is not fitted.
            ValueError: the wrong number of columns, or a number that is not finite.
        """
        Z = finite_rows(Z, "points")
        columns = self._fitted("components").shape[1]
        if Z.shape[1] != columns:
            raise ValueError(f"fitted on {columns} columns, asked to place {Z.shape[1]}")
        if self.kind != "tsne":
            return self._project(Z)
        return np.array(self._map().transform(self._project(Z)), dtype=np.float64)

    def fit_transform(self, Z: np.ndarray) -> np.ndarray:
        """`fit(Z)`, then the fitted points' own places (n, k)."""
        return self.fit(Z).embedding

    @property
    def embedding(self) -> np.ndarray:
        """The places (n, k) of the points the reducer was fitted on."""
        return self._fitted("embedding")

    @property
    def explained(self) -> np.ndarray:
        """The share of the variance on each kept component, (k,) (t-SNE: of its front end)."""
        return self._fitted("explained")

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the settings and everything that was fitted."""
        digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        self._fitted("embedding")
        for name in sorted(self._state):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self._state[name]).tobytes())
        return digest.hexdigest()[:12]

    def pack(self) -> Files:
        """The reducer as files: settings (JSON) and arrays (safetensors)."""
        self._fitted("embedding")
        arrays = array_bytes(**self._state)
        return {"reducer.json": json_bytes(self._settings()), "reducer.safetensors": arrays}

    @classmethod
    def unpack(cls, read: Read) -> Reducer:
        """The reducer whose `pack` made the files that `read` reads."""
        reducer = cls(**json.loads(read("reducer.json")))
        reducer._state = read_arrays(read("reducer.safetensors"))
        return reducer

    def _settings(self) -> dict[str, Any]:
        names = ("kind", "k", "seed", "drop_first", "perplexity")
        return {name: getattr(self, name) for name in names}

    def _fitted(self, name: str) -> np.ndarray:
        if not self._state:
            raise RuntimeError(f"this {self.kind} reducer is not fitted: call fit(Z) first")
        return self._state[name]

    def _project(self, Z: np.ndarray) -> np.ndarray:
        return (Z - self._fitted("mean")) @ self._fitted("components").T  # (n, components)

    def _fit_pca(self, Z: np.ndarray, k: int | None = None) -> dict[str, np.ndarray]:
        from sklearn.decomposition import PCA

        pca = PCA(k or self.k, random_state=self.seed).fit(Z)
        return _linear(Z, pca.mean_, pca.components_, pca.explained_variance_ratio_)

    def _fit_svd(self, Z: np.ndarray) -> dict[str, np.ndarray]:
        from sklearn.decomposition import TruncatedSVD

        first = int(self.drop_first)
        svd = TruncatedSVD(self.k + first, random_state=self.seed).fit(Z)
        explained = svd.explained_variance_ratio_[first:]
        return _linear(Z, np.zeros(Z.shape[1]), svd.components_[first:], explained)

    def _fit_tsne(self, Z: np.ndarray) -> dict[str, np.ndarray]:
        from openTSNE import TSNE

        state = self._fit_pca(Z, min(_TSNE_FRONT, Z.shape[1], len(Z) - 1))
        state["front"] = state["embedding"]  # (n, <= 50)
        tsne = TSNE(
            n_components=self.k,
            perplexity=self._perplexity(len(Z)),
            negative_gradient_method=self._method(len(Z)),
            random_state=self.seed,
            n_jobs=1,  # more threads change the last bits
        )
        self._tsne = tsne.fit(state["front"])
        state["embedding"] = np.array(self._tsne, dtype=np.float64)
        return state

    def _method(self, n: int) -> str:
        # openTSNE's FFT does 2-D at most, and costs seconds whatever n is
        return "fft" if self.k == 2 and n >= 1000 else "bh"

    def _perplexity(self, n: int) -> float:
        return min(self.perplexity, (n - 1) / 3)

    def _map(self) -> Any:
        """The openTSNE embedding; rebuilt from the stored places, without optimising again."""
        if self._tsne is None:
            from openTSNE import TSNEEmbedding
            from openTSNE.affinity import PerplexityBasedNN

            front = self._fitted("front")
            affinities = PerplexityBasedNN(
                front, self._perplexity(len(front)), n_jobs=1, random_state=self.seed
            )
            self._tsne = TSNEEmbedding(
                self.embedding.copy(),
                affinities,
                negative_gradient_method=self._method(len(front)),
                random_state=self.seed,
                n_jobs=1,
            )
        return self._tsne


def _linear(
    Z: np.ndarray, mean: np.ndarray, components: np.ndarray, explained: np.ndarray
) -> dict[str, np.ndarray]:
    """The state of a linear map; rows lie in a row, so that a loaded copy rounds alike."""
    state = {"mean": mean, "components": np.ascontiguousarray(components), "explained": explained}
    state["embedding"] = (Z - mean) @ state["components"].T
    return state
