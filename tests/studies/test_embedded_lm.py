"""The committed model: what every later lesson counts on."""

import numpy as np
import pytest

from synthkit.core.files import read_json
from synthkit.core.paths import embedded_lm_dir
from synthkit.embedsdg.interpolation import copy_rate
from synthkit.lm.documents import WRITING, Corpus, instruction, surface, write_prompt
from synthkit.lm.pretrain import PRESETS, train_tokenizer
from synthkit.studies import load_result
from synthkit.studies.embedded_lm import STUDY, CapabilityPreset
from synthkit.studies.runner import run
from synthkit.worlds import load_world
from synthkit.worlds.math import read_question


def test_it_is_small_and_safe(embedded_lm):
    files = {path.name: path.stat().st_size for path in embedded_lm_dir().iterdir()}
    assert sum(files.values()) < 20e6
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in files)
    assert embedded_lm.is_embedded and embedded_lm.describe()["parameters"] < 5e6


def test_it_was_made_by_the_study_preset_with_this_corpus(embedded_lm):
    made = read_json(embedded_lm_dir() / "training.json")
    assert made["mixture"] == Corpus().mixture and made["writing"] == WRITING
    assert made["preset"] == {**PRESETS["study"].__dict__}
    corpus = Corpus()
    texts = corpus.documents(made["preset"]["tokenizer_documents"], "tokenizer")
    again = train_tokenizer(texts, made["preset"]["vocab"], made["preset"]["context"])
    assert again.get_vocab() == embedded_lm.tokenizer.get_vocab()


def test_questions_come_back_from_their_embeddings(embedded_lm):
    questions = [row["question"] for row in load_world("math", zipf=0.0).rows(24, seed="decode")]
    repaired = {"weights": "received_corrected", "rescale": "clip"}  # what EmbedSDG uses
    assert copy_rate(embedded_lm, questions, **repaired) >= 0.95
    assert copy_rate(embedded_lm, questions, rescale="colnorm") >= 0.95
    assert copy_rate(embedded_lm, questions, rescale="none") <= 0.10  # equation 4 as printed


def test_it_writes_what_is_asked_for(embedded_lm):
    families = load_world("math").families * 3
    texts = embedded_lm.generate(
        [write_prompt("math", family=f) for f in families], max_new_tokens=90, temperature=1.0
    )
    found = [read_question(text.strip()) for text in texts]
    assert np.mean([p is not None for p in found]) >= 0.85
    assert np.mean([p is not None and p.family == f for p, f in zip(found, families)]) >= 0.75


@pytest.mark.parametrize("world", ["code", "facts", "math", "reviews", "tools"])
def test_it_copies_the_texts_of_every_world(embedded_lm, world):
    texts = [surface(load_world(world), row) for row in load_world(world).rows(24, seed="copied")]
    copies = embedded_lm.generate(
        [instruction("Copy the text.", given=text) for text in texts], max_new_tokens=220
    )
    right = [copy.strip() == text.strip() for copy, text in zip(copies, texts)]
    assert np.mean(right) >= 0.85  # three misses of 24


@pytest.mark.slow
def test_the_recorded_capabilities_are_those_of_the_committed_model(embedded_lm, tmp_path):
    recorded = load_result("embedded_lm")
    assert recorded.model["fingerprint"] == embedded_lm.fingerprint
    before = {(r["measure"], r["arm"]): r["value"] for r in recorded.measurements if r["seed"] == 0}
    found = run(STUDY, CapabilityPreset(n=10), lm=embedded_lm, seeds=[0], out=tmp_path)
    now = {(r["measure"], r["arm"]): r["value"] for r in found.measurements}
    assert set(now) == set(before)
    assert all(abs(now[key] - before[key]) < 0.4 for key in before)
