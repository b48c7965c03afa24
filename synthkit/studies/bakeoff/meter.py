"""Tokens that pass through a model: written, read, and trained on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

WRITTEN, READ, TRAINED = "tokens written", "tokens read", "tokens trained"


class Meter:
    """Counts the tokens that pass through `model` and through all views and copies of it.

    Written: one for each row of a decoding step, also of a row that waits for others to end. Read:
    of prompts and of texts that are scored or embedded, padding included. Trained: with gradients.

    Attributes:
        counts: by `WRITTEN`, `READ` and `TRAINED`.
    """

    def __init__(self, model: nn.Module):
        counts: Counter[str] = Counter()
        decoding = [False]  # whether the model was called for the next token of rows under way

        def begin(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> None:
            decoding[0] = bool(kwargs.get("use_cache")) and kwargs.get("logits_to_keep") == 1

        def count(decoder: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> None:
            step, decoding[0] = decoding[0], False
            if "forward" in decoder.__dict__:  # a stand-in: these states have been counted
                return
            given = kwargs.get("inputs_embeds")
            given = kwargs.get("input_ids", args[0] if args else None) if given is None else given
            rows, positions = given.shape[:2]
            if torch.is_grad_enabled():
                counts[TRAINED] += rows * positions
                return
            counts[WRITTEN] += rows * step
            if positions > 1 or not step:
                counts[READ] += rows * positions

        # Losses call the decoder by itself, so it counts. Plain functions, so that the copies of a
        # model count into the same place.
        self._handles = [
            model.register_forward_pre_hook(begin, with_kwargs=True),
            model.get_decoder().register_forward_pre_hook(count, with_kwargs=True),
        ]
        self.counts = counts

    @contextmanager
    def spent(self, what: str) -> Iterator[dict[str, float]]:
        """Tokens, and CPU seconds of the process as "seconds, `what`", of a `with` block."""
        before, start, found = self.counts.copy(), time.process_time(), {}
        yield found
        found |= {name: self.counts[name] - before[name] for name in (WRITTEN, READ, TRAINED)}
        found[f"seconds, {what}"] = time.process_time() - start

    def remove(self) -> None:
        """Stop counting."""
        for handle in self._handles:
            handle.remove()
