"""A small retriever: linear maps on frozen embeddings, tuned on synthetic queries by InfoNCE."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

Pair = tuple[str, str]  # a query, and a document that answers it


# --- pairs ----------------------------------------------------------------------------------------


def label_pairs(
    texts: Sequence[str], labels: Sequence[Hashable], seed: int = 0
) -> tuple[list[Pair], list[Hashable]]:
    """Each text as a query with another text of its label as document, and the pairs' labels.

    A text that is alone with its label is left out. ValueError: no label has two texts.
    """
    of_label: dict[Hashable, list[int]] = {}
    for i, label in enumerate(labels):
        of_label.setdefault(label, []).append(i)
    rng, pairs, groups = random.Random(f"pairs-{seed}"), [], []
    for i, label in enumerate(labels):
        others = [j for j in of_label[label] if texts[j] != texts[i]]
        if others:
            pairs.append((texts[i], texts[rng.choice(others)]))
            groups.append(label)
    if not pairs:
        raise ValueError(f"none of the {len(of_label)} labels has two different texts to pair")
    return pairs, groups


def relevant_by(
    query_labels: Sequence[Hashable], document_labels: Sequence[Hashable]
) -> list[set[int]]:
    """The documents relevant to each query: those with its label."""
    of_label: dict[Hashable, set[int]] = {}
    for j, label in enumerate(document_labels):
        of_label.setdefault(label, set()).add(j)
    return [of_label.get(label, set()) for label in query_labels]


# --- the bi-encoder -------------------------------------------------------------------------------


@dataclass(frozen=True)
class RetrieverPreset:
    """Settings by which a retriever is tuned.

    Attributes:
        temperature: tau of InfoNCE.
        lr: of Adam; decay: how hard both maps are pulled to the identity.
        batch_size: pairs of an update; the other documents of a batch are the negatives.
        epochs: at most so many passes; patience: passes without a better held-out loss.
        held_out: the share of pairs that end the training.
    """

    temperature: float = 0.05
    lr: float = 3e-3
    decay: float = 1e-4
    batch_size: int = 64
    epochs: int = 15
    patience: int = 3
    held_out: float = 0.2


class Retriever:
    """Two linear maps on frozen embeddings, one for queries and one for documents.

    A query scores a document by the cosine of W_q e(q) and W_d e(d). Both maps start as the
    identity, so that an untuned retriever is the encoder itself.

    Args:
        encoder: from texts to vectors (n, d).
        seed: of the held-out pairs and the batches.

    Attributes:
        losses: held-out InfoNCE before the training and after each pass, in nats.
        best: the pass whose maps are kept; 0: tuning did not help.
    """

    def __init__(self, encoder: Callable, preset: RetrieverPreset | None = None, seed: int = 0):
        self.encoder, self.seed = encoder, seed
        self.preset = preset or RetrieverPreset()
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        self.losses: list[float] = []
        self.best = 0

    def fit(self, pairs: Sequence[Pair], groups: Sequence[Hashable]) -> Retriever:
        """Tune both maps on (query, document) pairs, 10 or more; see `info_nce` for groups."""
        if len(pairs) < 10 or len(groups) != len(pairs):
            raise ValueError(
                "a retriever is tuned on 10 pairs or more, with a group each; got "
                f"{len(pairs)} pairs and {len(groups)} groups"
            )
        codes = {group: i for i, group in enumerate(dict.fromkeys(groups))}
        vectors = (self.encoder(list(side)) for side in zip(*pairs))
        state = _tune(*vectors, np.array([codes[g] for g in groups]), self.preset, self.seed)
        self._maps, self.losses, self.best = state
        return self

    def _mapped(self, texts: Sequence[str], which: int) -> np.ndarray:
        vectors = self.encoder(list(texts)).astype(float)
        if self._maps is not None:
            vectors = vectors @ self._maps[which].T
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def rank(self, queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
        """Indices of the documents of each query from best to worst, (q, n); ties by index."""
        scores = self._mapped(queries, 0) @ self._mapped(documents, 1).T
        return np.argsort(-scores.round(12), axis=1, kind="stable")


def _tune(queries: np.ndarray, documents: np.ndarray, groups: np.ndarray, preset, seed: int):
    """((W_q, W_d) of the best pass, the held-out losses, that pass)."""
    import torch

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(groups))
    out = max(2, round(preset.held_out * len(order)))
    held, train = order[:out], order[out:]
    q, d = (
        torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)) for x in (queries, documents)
    )
    maps = [torch.eye(q.shape[1]).requires_grad_() for _ in range(2)]
    optimiser = torch.optim.Adam(maps, lr=preset.lr)
    with torch.no_grad():
        losses = [float(info_nce(q[held], d[held], groups[held], preset.temperature))]
    kept, best = [each.detach().clone() for each in maps], 0
    for epoch in range(1, preset.epochs + 1):
        for batch in _batches(rng.permutation(train), preset.batch_size):
            loss = info_nce(q[batch] @ maps[0].T, d[batch] @ maps[1].T, groups[batch],
                            preset.temperature)  # fmt: skip
            apart = sum(((each - torch.eye(len(each))) ** 2).sum() for each in maps)
            optimiser.zero_grad(set_to_none=True)
            (loss + preset.decay * apart).backward()
            optimiser.step()
        with torch.no_grad():
            mapped = (x[held] @ each.T for x, each in zip((q, d), maps))
            losses.append(float(info_nce(*mapped, groups[held], preset.temperature)))
        if losses[-1] < losses[best]:
            kept, best = [each.detach().clone() for each in maps], epoch
        if epoch - best >= preset.patience:
            break
    return tuple(each.numpy().astype(float) for each in kept), losses, best


def _batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Pieces of `order`; a last one of a single pair, which has no negatives, is left out."""
    pieces = (order[start : start + size] for start in range(0, len(order), size))
    return (piece for piece in pieces if len(piece) > 1)


def info_nce(
    queries: torch.Tensor,  # (n, d)
    documents: torch.Tensor,  # (n, d); row i belongs to query i
    groups: Any,  # (n,): documents of one group are no negatives of each other
    temperature: float,
) -> torch.Tensor:
    """Mean of -log softmax_i(cos(q_i, d_j) / tau), both ways round (van den Oord et al., 2018)."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    groups = torch.as_tensor(groups)
    scores = normalize(queries, dim=1) @ normalize(documents, dim=1).T / temperature
    same = (groups[:, None] == groups[None]) & ~torch.eye(len(groups), dtype=torch.bool)
    scores = scores.masked_fill(same, float("-inf"))
    wanted = torch.arange(len(groups))
    return (cross_entropy(scores, wanted) + cross_entropy(scores.T, wanted)) / 2
