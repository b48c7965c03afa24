"""A map gives the same rows, in order, here and on a cluster, and loses none."""

import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from scale.squares import Square
from tiny import tiny_lm
from typer.testing import CliRunner

from synthkit import load_lm
from synthkit.cli import app
from synthkit.core.files import write_jsonl
from synthkit.lm.finetune import FinetunePreset, finetune
from synthkit.scale import Ask, Embed, Generate, Gradients, map_rows
from synthkit.scale.cluster import cluster
from synthkit.spa.influence import GradientStream
from synthkit.teacher import FunctionTeacher

ROWS = [{"text": f"number {i}", "prompt": f"say {i} and"} for i in range(23)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_lm(tmp_path_factory.mktemp("model")))


def test_rows_keep_their_order_and_columns(tmp_path):
    made = map_rows(ROWS, Square(str(tmp_path / "log")), batch_size=4, part=10)
    assert made["square"][:] == [i**2 for i in range(23)]
    assert [{name: row[name] for name in ROWS[0]} for row in made] == ROWS


def test_an_interrupted_map_goes_on_behind_its_last_whole_part(tmp_path):
    how = {"out": tmp_path / "out", "batch_size": 4, "part": 10}
    stage = Square(str(tmp_path / "log"))
    whole = map_rows(ROWS, stage, **how)
    (tmp_path / "out" / "part-00001.parquet").unlink()
    Path(stage.log).write_text("")
    assert map_rows(ROWS, stage, **how).to_list() == whole.to_list()
    assert Path(stage.log).read_text().split() == ["10", "14", "18"]
    with pytest.raises(ValueError, match="holds another map"):
        map_rows(ROWS[1:], stage, **how)


def test_generation_does_not_depend_on_batches_and_parts(model):
    options = {"max_new_tokens": 5, "temperature": 1.0, "seed": 3}
    asked = [{"prompt": row["prompt"]} for row in ROWS]
    made = map_rows(asked, Generate(model=model, options=options), batch_size=4, part=9)
    alone = load_lm(model).generate([row["prompt"] for row in ROWS], **options)
    assert made["text"][:] == list(map(str, alone))


def test_vectors_answers_and_gradients_are_those_of_the_package(model, tmp_path):
    vectors = map_rows(ROWS, Embed(model=model), batch_size=5)["embedding"][:]
    assert np.shape(vectors) == (23, load_lm(model).hidden_size)
    answers = map_rows(ROWS, Ask(partial(FunctionTeacher, str.upper, "loud")), batch_size=5)
    assert answers["answer"][2] == "SAY 2 AND"
    rows = [{"question": row["text"], "answer": "yes"} for row in ROWS[:6]]
    student = finetune(load_lm(model), rows, FinetunePreset(max_updates=2, batch_size=3))
    folder = student.save_adapter(student.active_adapter, tmp_path / "adapter")
    found = map_rows(rows, Gradients(adapter=Path(folder), model=model, project=2), batch_size=3)
    lm = load_lm(model)
    lm.load_adapter("own", folder)
    blocks = GradientStream(lm, rows, adapter="own", project=2).gradients(range(6))
    exact = np.concatenate([block.flatten(1).numpy() for block in blocks.values()], axis=1)
    assert np.allclose(found["gradient"][:], exact, atol=1e-6)


def test_what_is_missing_is_named(tmp_path):
    stage = Square(str(tmp_path / "log"))
    with pytest.raises(ValueError, match="no rows to map"):
        map_rows([], stage)
    with pytest.raises(ValueError, match="have a column 'square' already"):
        map_rows([{"square": 1}], stage)
    with pytest.raises(ValueError, match=r"no text in column 'prompt' of row 0 .* found .* text"):
        map_rows([{"text": "a"}], Ask(partial(FunctionTeacher, str.upper, "loud")))
    with pytest.raises(ValueError, match="TF-IDF learns from all texts"):
        map_rows(ROWS, Embed("tfidf"))


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ConnectionError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        map_rows(ROWS, Square(str(tmp_path / "log")), ray="127.0.0.1:1")


@pytest.fixture(scope="module")
def local():
    """A Ray cluster of this machine, which later maps share."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        # Workers import the stage of this module, and what the module imports.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        with cluster("local"):
            yield {"ray": "local", "workers": 2, "batch_size": 4}


@pytest.mark.slow
def test_a_cluster_gives_the_same_rows_and_20_killed_workers_lose_none(local, tmp_path):
    rows = [{"text": f"number {i}"} for i in range(100)]
    here = map_rows(rows, Square(str(tmp_path / "here")))
    stage = Square(str(tmp_path / "there"), kill_at=tuple(range(0, 100, 5)))
    there = map_rows(rows, stage, part=40, out=tmp_path / "out", **local)
    assert len(list(tmp_path.glob("there.*"))) == 20
    assert there.to_list() == here.to_list() and there.features == here.features
    firsts = Path(stage.log).read_text().split()
    assert set(firsts) == {str(i) for i in range(0, 100, 4)} and len(firsts) == 25 + 20


@pytest.mark.slow
def test_vectors_of_a_cluster_are_those_of_this_process(local, model):
    here = map_rows(ROWS, Embed(model=model), batch_size=4)
    there = map_rows(ROWS, Embed(model=model), **local)
    assert there.features == here.features
    assert np.allclose(there["embedding"][:], here["embedding"][:], atol=1e-6)


@pytest.mark.slow
def test_a_cluster_says_what_went_wrong(local, tmp_path, monkeypatch):
    log = str(tmp_path / "log")
    with pytest.raises(ValueError, match=r"^row 9 is bad$"):
        map_rows(ROWS, Square(log, fail_at=9), **local)
    monkeypatch.setattr("synthkit.scale.cluster.RETRIES", 1)
    with pytest.raises(RuntimeError, match="a batch ended its worker 2 times"):
        map_rows(ROWS, Square(log, kill_at=(9,), always=True), **local)
    with pytest.raises(ValueError, match=r"9999 workers need 4999\.5 CPUs, and the cluster has"):
        map_rows(ROWS, Square(log), ray="local", workers=9999)


def test_the_command_maps_a_file(tmp_path, model):
    texts = write_jsonl(tmp_path / "texts.jsonl", ROWS[:5])
    out = tmp_path / "vectors"
    done = CliRunner().invoke(app, ["map", "embed", str(texts), str(out), "--model", model])
    assert done.exit_code == 0 and "5 rows with the column embedding" in done.output
    assert len(Dataset.from_parquet(str(out / "part-00000.parquet"))) == 5
    asked = ["map", "gradients", str(texts), str(out), "--model", model]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code and "--adapter FOLDER" in refused.output
