"""Several processes that train as one: the same weights, losses and files, also after a kill."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_table

from synthkit import SPA, DiffLM, load_lm
from synthkit.core import parallel
from synthkit.core.saved import open_saved
from synthkit.lm.training import mean_over, shares

TESTS = Path(__file__).parents[1]
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH += ["--main_process_port", "0"]
NAMES = ("finetuned", "cut", "prompt", "table", "texts", "spa", "pretrained", "whole")


def start(launcher, *what, status=0, **more):
    """Run a module or script, by the launcher or without, on the CPU."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), **more}
    env |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *map(str, what)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert (done.returncode == 0) == (status == 0), done.stderr[-4000:]
    return done


def train(launcher, folder, *names, **more):
    folder.mkdir(exist_ok=True)
    return start(launcher, TESTS / "lm/together.py", folder, *names, **more)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process learns, by training."""
    folder = tmp_path_factory.mktemp("alone")
    train([], folder, *NAMES)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What two processes learn."""
    folder = tmp_path_factory.mktemp("both")
    train(LAUNCH, folder, *NAMES)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_learn_what_one_does(alone, both, name):
    one, two = (torch.load(folder / f"{name}.pt") for folder in (alone, both))
    assert one.keys() == two.keys() and len(one) > 1
    for key, value in one.items():
        assert_alike(two[key], value, key)


def assert_alike(found, wanted, what):
    """Equal to five digits, or five places."""
    if isinstance(wanted, str):
        assert found == wanted
    else:
        found, wanted = (torch.as_tensor(each, dtype=torch.float64) for each in (found, wanted))
        close = torch.isclose(found, wanted, rtol=1e-5, atol=1e-5, equal_nan=True)
        assert close.all(), f"{what}: {(found - wanted).abs().max()}"


@pytest.mark.slow
def test_what_they_save_is_whole_and_loads(both):
    for kind, place in (("DiffLM", "saved"), ("SPA", "saved-spa")):
        assert open_saved(both / place, kind).files
        assert len(list((both / place).iterdir())) == 2 + (both / place / ".save.lock").exists()
    assert not (both / "kept").exists() and not (both / "kept-spa").exists()
    assert len(DiffLM.load(both / "saved").sample(3)) == 3
    assert SPA.load(both / "saved-spa", load_lm(both / "lm", device="cpu")).adapters


@pytest.mark.slow
def test_the_command_line_fits_and_saves(tmp_path):
    tiny_table(60).to_csv(tmp_path / "table.csv", index=False)
    parts = ("format", "autoencoder", "diffusion")
    words = [f"{part}_{name}=2" for part in parts for name in ("steps", "eval_every")]
    words = [word for each in words for word in ("--set", each)]
    out = tmp_path / "made"
    command = ["-m", "synthkit", "fit", "difflm", "--data", tmp_path / "table.csv", "--out", out]
    done = start(LAUNCH, *command, "--preset", "fast", "--quiet", *words)
    assert done.stderr.count("<DiffLM") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "table.csv"]
    assert (out / "README.md").exists() and DiffLM.load(out).fitted.schema


@pytest.mark.slow
def test_after_a_kill_two_processes_go_on_to_the_same_result(both, tmp_path):
    """One is killed in the second training of DiffLM, when the first is on file."""
    done = train(LAUNCH, tmp_path, "table", status=1, DIES_AT="8")
    assert "SIGKILL" in done.stderr and not (tmp_path / "saved").exists()
    assert (tmp_path / "kept/autoencoder.training").exists()
    train(LAUNCH, tmp_path, "table")
    wanted = torch.load(both / "table.pt")
    for key, value in torch.load(tmp_path / "table.pt").items():
        np.testing.assert_array_equal(value, wanted[key], err_msg=key)  # NaN equals itself here


@pytest.mark.slow
def test_after_a_kill_one_process_goes_on_alone(both, tmp_path):
    train(LAUNCH, tmp_path, "finetuned", status=1, DIES_AT="3")
    assert (tmp_path / "student.training").exists()
    train([], tmp_path, "finetuned")
    wanted = torch.load(both / "finetuned.pt")
    for key, value in torch.load(tmp_path / "finetuned.pt").items():
        assert_alike(value, wanted[key], key)


@pytest.fixture
def second_of_two(monkeypatch):
    """The environment of a process that a launcher has started, which joins nobody."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_without_a_launcher_there_is_one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")  # as clusters set it
    assert (parallel.world(), parallel.rank(), parallel.is_first()) == (1, 0, True)
    point = torch.nn.Parameter(torch.ones(2))
    assert parallel.add_up(0.5, [point]) == 0.5 and parallel.from_first("x") == "x"
    parallel.copy_first([point])
    parallel.wait()


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("parts", [1, 2, 4, 9])
def test_shares_cover_a_batch_once_in_parts_that_are_no_larger(monkeypatch, world, parts):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(world))
    rng = np.random.default_rng(parts)
    sizes, nats = rng.integers(1, 9, 30), torch.from_numpy(rng.normal(size=30))

    def mean(part):
        return nats[part].sum() / sizes[part].sum()

    for n in (1, 3, 8, 21):
        batch, seen, total = rng.permutation(30)[:n], [], 0.0
        for rank in range(world):
            monkeypatch.setenv("RANK", str(rank))
            seen += [part.tolist() for part in shares(batch, parts)]
            total += sum(mean_over(batch, sizes, mean, parts))
        assert sorted(i for part in seen for i in part) == sorted(batch)
        assert max(map(len, seen)) <= np.ceil(n / parts)
        torch.testing.assert_close(total, mean(batch))


def test_what_a_launcher_cannot_share_is_refused(second_of_two, tmp_path):
    from typer.testing import CliRunner

    from synthkit.cli import app

    with pytest.raises(ValueError, match="leave device out"):
        load_lm("embedded", device="auto")
    done = CliRunner().invoke(app, ["sample", "difflm", "--data", "x.csv", "--out", "y.csv"])
    assert done.exit_code == 2 and "call synthkit sample without it" in done.output
    words = ["fit", "embedsdg", "--data", "x.csv", "--out", str(tmp_path / "made")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and "trains nothing" in done.output
