"""Diversity of the answers to one prompt, the share that is right, and how far adapters
differ from each other.

A group holds the answers that one prompt got. Two answers are the same when their texts are, white
space at both ends apart. The measures of diversity say nothing about truth: read them beside
`distinct_working`.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..lm import LM

_CELLS = 2**26  # the most (adapters x rows x length x vocabulary) log-probabilities held at once


def pair_diversity(groups: Sequence[Sequence[str]]) -> np.ndarray:
    """For each group, the share (n,) of pairs of answers that differ: 0 all equal, 1 all different.

    1 - (duplicate pairs) / (pairs). With m answers of u kinds, equally many of each, this is
    (1 - 1/u) m / (m - 1): two kinds among eight answers give 0.571.

    Raises:
        ValueError: no groups, groups of different sizes, or of fewer than two answers.
        TypeError: a group is one string, or an answer is no string.

    Source: SPA (arXiv 2411.06722), the diversity score.
    """
    trimmed = _trimmed(groups, least=2)
    pairs = math.comb(len(trimmed[0]), 2)
    same = [sum(math.comb(count, 2) for count in Counter(group).values()) for group in trimmed]
    return 1 - np.array(same) / pairs


def unique_fraction(groups: Sequence[Sequence[str]]) -> np.ndarray:
    """For each group, different answers over answers (n,): between 1 / m and 1.

    It is another number than `pair_diversity`: two kinds among eight answers give 0.25. Errors are
    those of `pair_diversity`.
    """
    trimmed = _trimmed(groups, least=2)
    return np.array([len(set(group)) / len(group) for group in trimmed])


def distinct_working(groups: Sequence[Sequence[str]], ok: Sequence[Sequence[bool]]) -> np.ndarray:
    """For each group, how many different right answers it holds (n,) of int.

    Args:
        groups: (n, m) answers.
        ok: (n, m) whether each is right.

    Raises:
        ValueError: the shapes differ, `ok` holds other values than truth values, groups of
            different sizes, or none.
        TypeError: a group is one string, or an answer is no string.
    """
    trimmed = _trimmed(groups, least=1)
    flags = _truths(ok, "ok")
    if flags.shape != (len(trimmed), len(trimmed[0])):
        raise ValueError(
            f"ok says of each answer whether it is right: {len(trimmed)} groups of "
            f"{len(trimmed[0])} answers, but ok has shape {flags.shape}"
        )
    return np.array(
        [len({text for text, right in zip(group, row) if right})
         for group, row in zip(trimmed, flags)]
    )  # fmt: skip


def average_kl(
    lm: LM,
    adapters: Sequence[str | None],
    prompts: Sequence[str],
    references: Sequence[str],
    *,
    batch_size: int = 32,
) -> np.ndarray:
    """KL(P_i || P_j) between adapters, in nats per answer token, as M[i, j] of (K, K).

    Every adapter reads the same reference answers, so that all see the same contexts. The KL is
    taken over the full vocabulary at each token of an answer and at its EOS, and averaged over
    these tokens. M[i, j] and M[j, i] are the two directions; `mean_kl` sums M up in one number.

    Args:
        lm: the model with the adapters; which one is in use stays as it is.
        adapters: names, None for the base alone.
        prompts, references: what is given and the answer after it, one each.
        batch_size: most answers in a forward pass.

    Raises:
        ValueError: fewer than two adapters, no references, an empty one, or counts that differ.
        KeyError: there is no such adapter.
        FloatingPointError: the log-probabilities of an adapter are not finite.

    Source: SPA (arXiv 2411.06722), the average KL; over which tokens it goes is our choice.
    """
    import torch

    from ..lm.rows import batches

    _check_adapters(lm, adapters)
    if not len(references) or len(prompts) != len(references):
        raise ValueError(
            f"give a prompt for each reference answer, and at least one; found {len(prompts)} "
            f"prompts and {len(references)} references"
        )
    heads, bodies = lm.token_ids(prompts), lm.text_ids(references)
    lengths = [len(head) + len(body) + 2 for head, body in zip(heads, bodies)]
    width = len(adapters) * lm.model.config.get_text_config().vocab_size
    total, tokens = torch.zeros(len(adapters), len(adapters), dtype=torch.float64), 0
    with lm.evaluating(), torch.no_grad(), lm.use_adapter(lm.active_adapter):
        for batch in batches(lengths, batch_size, lambda m: width * m, _CELLS):
            embeds, labels, mask = lm.training_batch(
                [references[i] for i in batch], prompts=[prompts[i] for i in batch]
            )
            logs = [_log_probabilities(lm, name, embeds, labels, mask) for name in adapters]
            tokens += len(logs[0])
            for i, p in enumerate(logs):
                for j, q in enumerate(logs):
                    if i != j:
                        total[i, j] += (p.exp() * (p - q)).sum(1, dtype=torch.float64).sum().cpu()
    if not torch.isfinite(total).all():
        raise FloatingPointError("log-probabilities are not finite; check how they were trained")
    return (total / tokens).clamp(min=0).numpy()


def mean_kl(matrix: np.ndarray) -> float:
    """The mean of a (K, K) matrix of `average_kl` over all pairs, both directions."""
    k = len(matrix)
    if np.shape(matrix) != (k, k) or k < 2:
        raise ValueError(f"a (K, K) matrix with K >= 2 is needed, found {np.shape(matrix)}")
    return float(matrix.sum() - np.trace(matrix)) / (k * (k - 1))


def _log_probabilities(lm: LM, adapter: str | None, embeds, labels, mask):
    """(tokens, V) of the answer's tokens in a batch, as `adapter` predicts them."""
    from ..lm.decoding import positions, supported
    from ..lm.rows import IGNORED

    lm.set_adapter(adapter)
    extra = supported(lm.model, position_ids=positions(mask), use_cache=False)
    logits = lm.model(inputs_embeds=embeds, attention_mask=mask, **extra).logits
    answer = (labels[:, 1:] != IGNORED).to(logits.device)
    return logits[:, :-1][answer].float().log_softmax(-1)


def _check_adapters(lm: LM, adapters: Sequence[str | None]) -> None:
    known = lm.describe()["adapters"]
    if isinstance(adapters, str) or len(adapters) < 2:
        raise ValueError(f"adapters are compared in pairs: name at least two of {known}")
    missing = [name for name in adapters if name is not None and name not in known]
    if missing:
        raise KeyError(f"no adapter {missing[0]!r}; there are {known}")


def _trimmed(groups: Sequence[Sequence[str]], least: int) -> list[list[str]]:
    """The groups without white space at both ends of the answers, after checks."""
    trimmed = []
    for i, group in enumerate(groups):
        if isinstance(group, str):
            raise TypeError(f"group {i} must be a list of texts, found {group!r:.100}")
        for j, text in enumerate(group):
            if not isinstance(text, str):
                raise TypeError(f"answer {j} of group {i} is no text: {text!r:.100}")
        trimmed.append([unicodedata.normalize("NFC", text.strip()) for text in group])
    if not trimmed:
        raise ValueError("there are no groups of answers to measure")
    sizes = sorted({len(group) for group in trimmed})
    if len(sizes) > 1:
        odd = next(i for i, group in enumerate(trimmed) if len(group) != len(trimmed[0]))
        raise ValueError(
            f"groups must be of one size, or diversities cannot be compared: group 0 has "
            f"{len(trimmed[0])} answers, group {odd} has {len(trimmed[odd])}"
        )
    if sizes[0] < least:
        raise ValueError(f"a group needs at least {least} answers, found {sizes[0]}")
    return trimmed


def _truths(table: Sequence[Sequence[bool]], name: str) -> np.ndarray:
    """`table` as an (n, m) array of bool with n and m at least 1, after checks."""
    sizes = sorted({np.size(row) for row in table})
    if len(sizes) > 1:
        raise ValueError(f"each row of {name} must be as long as the others, found {sizes}")
    array = np.asarray(table)
    if array.ndim != 2 or not array.size or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"{name} must be an (n, m) table of truth values, found shape {array.shape} of "
            f"{array.dtype}"
        )
    return array.astype(bool)
