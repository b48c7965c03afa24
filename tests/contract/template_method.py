"""A sixth method, to copy for coursework: texts from a chain of words (Shannon, 1948)."""

import json
from collections import Counter
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from synthkit.core.arguments import as_number, derive_seed
from synthkit.core.synthesizer import Synthesizer
from synthkit.datasets import as_dataset
from synthkit.evaluation.contamination import as_held_out


@dataclass(frozen=True)
class ChainPreset:
    max_words: int = 40  # of a text
    max_tries: int = 3  # drafts for each row that is wanted


class MarkovChain(Synthesizer):
    """Texts in which one word follows another as often as in the real ones."""

    presets = MappingProxyType(dict.fromkeys(["fast", "study", "paper"], ChainPreset()))
    needs_model = uses_validation = False

    def _read(self, data, too_long="error"):
        texts = [text.split() for text in as_dataset(data, "text")["text"]]
        fits = self._fitting(
            [len(words) for words in texts],
            self.preset.max_words,
            too_long,
            unit="words",
            remedy="raise max_words",
        )
        return [texts[i] for i in fits]

    def _fit(self, texts, validation, *, phases, progress):
        return phases.phase("chain", lambda: count(texts), lambda c: self._pack(c)[0], self._unpack)

    def _sample(self, n, *, seed, held_out, checkpoint, progress, temperature=1.0):
        kept, unwanted = [], as_held_out(held_out)
        parts = {"chain": self.fitted, "seed": seed, "preset": self.preset}
        parts["temperature"] = temperature = as_number(temperature, "temperature")
        with self._log(checkpoint, ("draft",), **parts) as log:
            for draft in range(n * self.preset.max_tries):
                if (draft,) not in log.entries:
                    text = write(
                        self.fitted, temperature, self.preset.max_words,
                        Random(derive_seed(seed, draft)),
                    )  # fmt: skip
                    log.add({"draft": draft, "text": text})
                text = log.entries[draft,]["text"]
                if text is None:
                    self.report.rejected["no end"] += 1
                elif text in unwanted:
                    self.report.rejected["held out"] += 1
                else:
                    kept.append(text)
                if len(kept) == n:
                    break
        return {"text": kept}, {"temperature": temperature}

    def _pack(self, chain):
        return {"chain.json": json.dumps(chain).encode()}, {}

    def _unpack(self, saved):
        return json.loads(saved.read("chain.json"))

    def _about(self, chain):
        return f"{sum(chain[''].values())} texts"


def count(texts):
    chain = {}  # from a word to how often which one follows; "" is the begin and the end
    for words in texts:
        for word, following in zip(["", *words], [*words, ""]):
            chain.setdefault(word, Counter())[following] += 1
    return chain


def write(chain, temperature, max_words, random):
    words = [""]
    while len(words) == 1 or words[-1]:
        if len(words) > max_words + 1:
            return None
        after, power = chain[words[-1]], 1 / max(temperature, 0.01)
        weights = [(number / max(after.values())) ** power for number in after.values()]
        words += random.choices(list(after), weights)
    return " ".join(words).strip()
