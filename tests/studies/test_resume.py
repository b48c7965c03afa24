"""Studies that are cut off at several places and resumed give the bytes of uninterrupted ones.

The frame, the units and their order are the studies' own; what is slow in a unit (trainings,
samples, distances) is replaced by numbers that follow from the unit.
"""

import json
import random
import time
from collections import Counter
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from synthkit.core.files import sha256_text
from synthkit.core.resume import ResumeLog
from synthkit.studies.measurements import Log

METHODS = ("embedsdg", "softsrv", "spa", "synalign", "difflm")
SCALE = "fast"
LOST = {"embedsdg": "EmbedSDG", "softsrv": "SSMP8", "spa": "influence", "difflm": "DiffLM, memory",
        "synalign": "SynAlign, aligned"}  # fmt: skip


def number(*what):
    """A number between 0 and 1 that follows from `what`."""
    return int(sha256_text(repr(what))[:6], 16) / 16**6


def embedsdg(E, patch):
    method = SimpleNamespace(fit=lambda data: method)
    patch("finetune", lambda *a, **k: SimpleNamespace())
    patch("EmbedSDG", lambda *a, **k: method)
    patch("accuracy", lambda student, rows: np.ones(len(rows)))
    patch("_density", lambda method, data: None)

    def score(log, student, data, arm, seed, protocol):
        for measure in ("rare accuracy", "answer NLL", "accuracy"):
            log.add(f"{measure} ({protocol})", arm, seed, number(measure, arm, seed, protocol))

    def rows(arm, method, data, preset, seed, log):
        log.add("entropy of families (nats)", arm, seed, number(arm, seed))
        return []

    patch("_score", score)
    patch("make_rows", rows)
    patch("_relate", lambda log, *a: log.add("per-example Spearman", "student", a[-1], 0.5))
    preset = E.PRESETS["study"]
    return replace(preset, n_real=20, n_density=8, per_family=1, seeds=(0, 1))


def softsrv(E, patch):
    patch("entropy", lambda lm, target, texts: {"entropy": number(texts), "entropy per text": 1.0})
    patch("score_texts", lambda target, texts, *a: {"near copies": number(texts), "MAUVE": 0.5})
    patch("score_student", lambda lm, target, texts, *a: {"student loss": number(texts), "of": 1})

    def fit(arm, run, train, options):
        run.add(arm, {"loss": number(arm, run.seed), "parameters": 4})
        run.fitted[arm] = SimpleNamespace(fitted=SimpleNamespace(contexts=_Contexts()), arm=arm)
        return run.fitted[arm]

    patch("fit", fit)
    patch("draw_texts", lambda method, n, seed, **how: ([f"{method.arm} {seed} {how}"], None))
    patch("template", lambda *a, **k: SimpleNamespace(sample=lambda n: {"text": ["written"]}))
    made = SimpleNamespace(sample=lambda n: {"text": ["by LoRA"]}, loss=lambda texts: 0.25)
    patch("lora_generator", lambda *a, **k: made)
    sizes = {"n_target": 8, "n_held_out": 4, "n_synthetic": 8, "n_test": 2, "sizes": (4,)}
    return replace(E.PRESETS["study"], worlds=("math", "code"), seeds=(0, 1), **sizes)


class _Contexts:
    def numpy(self):
        return np.ones((3, 2))


def spa(E, patch):
    def in_parts(study, arm, partition):
        study.add(arm, {"KL": number("KL", arm, study.seed), "parts": 6})
        return arm

    patch("records_base", lambda lm: lm)
    patch("answer_alone", lambda study, arm: arm)
    patch("answer_in_parts", in_parts)
    patch("influence_scores", lambda *a, **k: np.eye(12, 40))
    patch("bm25_scores", lambda *a: np.eye(6, 40))
    patch("make_partition", lambda *a, **k: None)
    patch("single_adapter", lambda *a, **k: SimpleNamespace(adapted=None, adapters=["a"]))
    patch("measure_answers", lambda ground, arm: {"diversity": number(arm), "pass@1": 1.0})

    def fidelity(lm, rows, queries, *, methods, **options):
        some = {name: np.full(6, number(name, options["seed"])) for name in methods}
        return SimpleNamespace(lds=some, rises=some, random_rises=np.zeros((2, 6)))

    patch("fidelity", fidelity)
    return replace(E.PRESETS["study"], n_rows=40, n_asked=2, n_fidelity=20, seeds=(0, 1))


def synalign(E, patch):
    placed = SimpleNamespace(points=np.eye(4), rows=[{}] * 4)
    placed.of = lambda *names: [0] * 4
    patch("coverage", lambda *a: {"largest distance": 1.0, "mean distance": 0.5})
    patch("SELECTIONS", dict.fromkeys(E.SELECTIONS, lambda x, k, seed: [0]))
    patch("weigh", lambda arm, pool, real: np.full(4, number(arm)))
    patch("measure_weights", lambda trial, pool, real, held_out, w: {"TV tone": w[0], "of": 1.0})
    patch("student_accuracy", lambda *a: {"accuracy, tone": 0.5})
    patch("measure_texts", lambda pool, rows: {"readable": number(rows)})
    patch("read_back", lambda rows: rows)
    patch("WRITERS", {arm: lambda trial, arm=arm: [{"text": arm}] * 4 for arm in E.WRITERS})
    score = SimpleNamespace(right=np.ones(4, bool), macro_f1=0.5, accuracy=0.25)
    patch("tuned_accuracy", lambda *a: score)
    patch("systematic_resample", lambda w, n, seed=0: range(2))
    patch("named", lambda rows: rows)
    patch("run_retriever", lambda trial: retrieve(trial))
    patch("Trial.placed", lambda self, *sets: (placed,) * (len(sets) + 1))

    def retrieve(trial):
        if not trial.done(E.RETRIEVER, E.RETRIEVER):
            with trial.unit(E.RETRIEVER, E.RETRIEVER):
                for arm in E.SEARCHED:
                    trial.add(E.RETRIEVER, arm, {"MRR": number(arm), "nDCG@10": 0.5})

    return replace(E.PRESETS["study"], n_real=4, n_pool=4, n_held_out=4, n_tested=4, seeds=(0, 1))


def difflm(E, patch):
    class Method:
        preset, report = "stand-in", Counter(kept=3, cut=1)
        collapse = SimpleNamespace(active=2, latent=4, kl=1.5, collapsed=False, rise=0.75)
        decoder = "a decoder"

        def __init__(self, **options):
            self.options = options

        def fit(self, data, **how):
            return self

        def save(self, folder):
            folder.mkdir(parents=True, exist_ok=True)

        @classmethod
        def load(cls, folder, lm=None):
            return cls()

        def table(self, n, seed, **how):
            if how.get("legal") is False:
                raise E.TriesUsedUp(1, n, 1, self.report)
            return pd.DataFrame({"income": [number(n, seed, sorted(how.items()))] * n})

    found = pd.DataFrame({"auc": [0.9], "shape_error": [1.0]})
    patch("DiffLM", Method)
    patch("add_exact", lambda trial: trial.add(E.BAYES, {"f1": 0.7, "auc": 0.9}))
    patch("reference_tables", lambda train, target, seed: {E.WITHIN: train, E.INDEPENDENT: train})
    rows = pd.concat([found] * 3).set_index(pd.Index([E.REAL, E.WITHIN, E.INDEPENDENT]))
    patch("reference_rows", lambda *a, **k: rows)
    patch("evaluate_table", lambda train, test, table, **k: found * table.iloc[0, 0])
    patch("utility", lambda rows, *a: pd.DataFrame({"auc": [len(rows) / 100]}))
    far = pd.DataFrame({"found": [0.1], "floor": [0.05]}, index=["pairs"])
    patch("joint_distance", lambda *a, **k: far)
    other = pd.DataFrame({"income": [0.5] * 150})
    patch("OTHERS", {"TVAE": lambda train, seconds, seed: other})
    preset = replace(E.PRESETS["study"], n_train=20, n_test=20, seeds=(0, 1))
    return replace(preset, others=("TVAE",))


@pytest.fixture(params=METHODS)
def study(request, monkeypatch):
    """A function (folder) that runs one method's study, and its experiment's module."""
    name = request.param
    E = import_module(f"synthkit.{name}.experiment")
    lm = SimpleNamespace(fingerprint="0123456789abcdef", describe=lambda: {"name": "none"})
    monkeypatch.setattr("synthkit.lm.load_lm", lambda: lm)
    monkeypatch.setattr(f"synthkit.{name}.report.show", lambda *a: None)
    monkeypatch.setattr(time, "process_time", lambda: 7.0)

    def patch(target, value):
        monkeypatch.setattr(f"synthkit.{name}.experiment.{target}", value)

    preset = globals()[name](E, patch)
    patch("PRESETS", {SCALE: preset})
    return SimpleNamespace(
        name=name, lm=lm, preset=preset, lost=LOST[name],
        run=lambda out, **how: E.reproduce(SCALE, out=out, **how),
    )  # fmt: skip


class Kill(BaseException):
    """What ends a process, for a test."""


def kill_after(monkeypatch, calls, where):
    """Raise `Kill` at the given call of a method, before or after its work is done."""
    owner, name, late = where
    left, work = [calls], getattr(owner, name)

    def dying(self, *args, **kwargs):
        left[0] -= 1
        if late:
            work(self, *args, **kwargs)
        if left[0] == 0:
            raise Kill
        return None if late else work(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, dying)


PLACES = ((Log, "add", True), (Log, "add", False), (ResumeLog, "finish", False),
          (ResumeLog, "finish", True), (ResumeLog, "add", True))  # fmt: skip


def test_a_study_that_was_cut_off_gives_the_bytes_of_one_that_was_not(study, tmp_path):
    study.run(tmp_path / "whole")
    rng, killed = random.Random(study.name), 0
    for place in PLACES * 3:
        with pytest.MonkeyPatch.context() as patch:
            kill_after(patch, rng.randint(1, 4), place)
            try:
                study.run(tmp_path / "cut")
            except Kill:
                killed += 1
    study.run(tmp_path / "cut")
    assert killed >= 5
    for name in ("result.json", "measurements.jsonl"):
        whole, cut = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "cut"))
        assert whole == cut
    again = (tmp_path / "cut" / "result.json").read_bytes()
    study.run(tmp_path / "cut")  # nothing is left to do
    assert (tmp_path / "cut" / "result.json").read_bytes() == again


def test_measurements_of_another_preset_model_or_version_are_not_taken_over(study, tmp_path):
    study.run(tmp_path, seeds=[0])
    log = tmp_path / "measurements.jsonl"
    other = next(n for n in ("n_real", "n_target", "n_rows", "n_train") if hasattr(study.preset, n))
    with pytest.MonkeyPatch.context() as patch:
        changed = replace(study.preset, **{other: getattr(study.preset, other) + 1})
        patch.setattr(f"synthkit.{study.name}.experiment.PRESETS", {SCALE: changed})
        with pytest.raises(ValueError, match=r"measurements\.jsonl holds .* with other data, sett"):
            study.run(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthkit.studies.measurements.__version__", "9.9.9")
        with pytest.raises(ValueError, match="with other data, settings, model"):
            study.run(tmp_path)
    study.lm.fingerprint, was = "fedcba9876543210", study.lm.fingerprint
    with pytest.raises(ValueError, match="with other data, settings, model"):
        study.run(tmp_path)
    study.lm.fingerprint = was
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines).replace(b'"value": 0.', b'"value": 1.', 1))
    with pytest.raises(ValueError, match="is damaged: its checksum does not fit"):
        study.run(tmp_path)
    rows = json.loads(lines[1].split(b'"entry": ')[1].rstrip()[:-1])["rows"]
    stale = "".join(json.dumps({**row, "value": 0.123}) + "\n" for row in rows)
    log.write_text(stale)  # as older versions wrote it
    with pytest.raises(ValueError, match="is no log of the measurements of a study"):
        study.run(tmp_path)
    log.write_bytes(b"".join(lines))
    assert study.run(tmp_path, seeds=[0, 1]).seeds == [0, 1]  # further seeds are no other study


def test_a_study_that_lost_an_arm_is_not_recorded(study, tmp_path, monkeypatch):
    study.run(tmp_path)
    (tmp_path / "result.json").unlink()
    real, lost, forgotten = Log.__init__, study.lost, {1}

    def forgetful(self, *args, **labels):
        real(self, *args, **labels)
        self.rows = [row for row in self.rows if row["arm"] != lost or row["seed"] not in forgotten]

    monkeypatch.setattr(Log, "__init__", forgetful)
    with pytest.raises(ValueError, match=rf"result\.json would have \d+ hole.*{lost}.*seed 1"):
        study.run(tmp_path)
    forgotten.add(0)  # now no seed has it
    with pytest.raises(ValueError, match=rf"result\.json would have \d+ hole.*{lost}.*seed 0"):
        study.run(tmp_path)
    assert not (tmp_path / "result.json").exists()
