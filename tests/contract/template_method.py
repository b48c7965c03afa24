"""A sixth method, to copy for coursework: texts from a chain of words (Shannon, 1948, section 3)."""

import json
from collections import Counter
from dataclasses import dataclass
from random import Random

from synthkit.core.arguments import as_temperature, derive_seed
from synthkit.core.synthesizer import Synthesizer
from synthkit.datasets import as_dataset
from synthkit.evaluation.contamination import as_held_out


@dataclass(frozen=True)
class ChainPreset:
    max_words: int = 40  # of a text
    max_tries: int = 3  # drafts for each row that is wanted


class MarkovChain(Synthesizer):
    """Texts in which one word follows another as often as in the real ones."""

    presets = {"fast": ChainPreset(), "study": ChainPreset(), "paper": ChainPreset()}
    needs_model = uses_validation = False

    def _read(self, data, too_long="error"):
        texts = [text.split() for text in as_dataset(data, "text")["text"]]
        return [texts[i] for i in self._fitting([*map(len, texts)], self.preset.max_words, too_long)]

    def _fit(self, texts, validation, *, phases, progress):
        return phases.phase("chain", lambda: count(texts), lambda c: self._pack(c)[0], self._unpack)

    def _sample(self, n, *, seed, held_out, checkpoint, progress, temperature=1.0):
        kept, unwanted, how = [], as_held_out(held_out), {"temperature": as_temperature(temperature)}
        with self._log(checkpoint, ("draft",), chain=self.fitted, seed=seed, **how) as log:
            for draft in range(n * self.preset.max_tries):
                if (draft,) not in log.entries:
                    text = self._write(temperature, Random(derive_seed(seed, draft)))
                    log.add({"draft": draft, "text": text})
                text = log.entries[draft,]["text"]
                if text in unwanted:
                    self.report.rejected["held out"] += 1
                else:
                    kept.append(text)
                if len(kept) == n:
                    break
        return {"text": kept}, how

    def _write(self, temperature, random):
        words = [""]
        while len(words) <= self.preset.max_words and (len(words) == 1 or words[-1]):
            after = self.fitted[words[-1]]
            powers = [(k / max(after.values())) ** (1 / max(temperature, 0.01)) for k in after.values()]
            words += random.choices(list(after), powers)
        return " ".join(words).strip()

    def _pack(self, state):
        return {"chain.json": json.dumps(state).encode()}, {}

    def _unpack(self, saved):
        return json.loads(saved.read("chain.json"))

    def _about(self, state):
        return f"{sum(state[''].values())} texts"


def count(texts):
    chain = {}  # from a word to how often which one follows; "" is the begin and the end
    for words in texts:
        for word, following in zip(["", *words], [*words, ""]):
            chain.setdefault(word, Counter())[following] += 1
    return chain
