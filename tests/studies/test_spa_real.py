"""SPA on programs and on free answers with a real model: run with a tiny one, claims read off."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_lm
from typer.testing import CliRunner

from synthkit import cli, load_lm
from synthkit.core.files import read_jsonl
from synthkit.spa.influence import GradientStream
from synthkit.spa.streaming import stack
from synthkit.studies.measurements import values
from synthkit.studies.real_claims import REAL_CLAIMS
from synthkit.studies.real_data import RealData
from synthkit.studies.results import load_result
from synthkit.studies.runner import run
from synthkit.studies.spa import experiment as E
from synthkit.studies.spa import free
from synthkit.studies.spa import programs as P
from synthkit.studies.spa.real import WORLD


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_lm(tmp_path_factory.mktemp("models") / "tiny", max_position_embeddings=512)


def reproduce(*arguments):
    return CliRunner().invoke(cli.app, ["reproduce", "spa", "--data", WORLD, *map(str, arguments)])


def test_programs_are_written_executed_and_counted(model, tmp_path):
    asked = ("--model", model, "--limit", 2, "--out", tmp_path, "--quiet")
    done = reproduce(*asked)
    assert done.exit_code == 0, (done.output, done.exception)
    (folder,) = tmp_path.iterdir()
    result = load_result(folder / "result.json")
    assert "--data code-world" in result.command and result.preset["data"] == WORLD
    arms = P.PRESETS["fast"].rules
    for arm in arms:
        measured = {name: values(result, name, arm, data=WORLD) for name in P.COLUMNS.values()}
        assert 0 <= measured["diversity"][0] <= 1 and 0 <= measured["pass@1"][0] <= 1
        assert values(result, "tokens, answers", arm, data=WORLD)[0] >= 0
    assert values(result, "tokens, training", E.REFERENCE, data=WORLD)[0] > 100
    assert values(result, "tokens, scores", E.INFLUENCE, data=WORLD)[0] > 1000
    assert values(result, "largest error", P.EXACT, data=WORLD)[0] < 1e-4
    rows = read_jsonl(folder / "samples" / "influence-0.jsonl")
    assert len(rows) == 2 * 6 and set(rows[0]) == {"question", "answer", "passes", "style"}
    assert "more working styles than random parts" in (folder / "index.html").read_text()


def test_a_plan_knows_the_code_world(model):
    done = reproduce("--model", model, "--scale", "study", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "code-world has 500 rows" in done.output and E.RANDOM in done.output
    assert reproduce("--model", model, "--scale", "paper").exit_code == 2  # has no preset


def test_gradients_one_row_at_a_time_are_those_of_the_hooks(model):
    lm = load_lm(model)
    lm.add_adapter("student", seed=0)
    with torch.no_grad():
        for name, weight in lm.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.02, generator=torch.Generator().manual_seed(len(name)))
    rows = [{"question": "add a, b", "answer": "return a + b"}, {"question": "x", "answer": "y z"}]
    exact = P.exact_gradients(lm, "student", rows)
    blocks = stack(GradientStream(lm, rows, adapter="student"))
    dots = sum(each @ each.T for each in blocks.values())
    assert torch.allclose(exact @ exact.T, dots, rtol=1e-4)


def test_pass_at_k_is_the_share_over_all_choices_of_k():
    right = np.array([[True, False, False], [False, False, False], [True, True, True]])
    assert E.pass_at(1, right) == pytest.approx(right.mean())
    assert E.pass_at(2, right) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert E.pass_at(3, right) == pytest.approx(2 / 3)
    assert np.isnan(E.pass_at(4, right))


def test_every_claim_of_the_code_world_is_about_arms_of_the_study():
    arms = (*P.PRESETS["study"].rules, *P.CUTS)
    for claim in REAL_CLAIMS["spa"]:
        assert claim.rule.arm in arms and getattr(claim.rule, "against", arms[0]) in arms


def test_free_answers_are_learned_with_the_code_worlds_adapters(tmp_path, embedded_lm):
    asked = "Name a thing of {} parts."
    rows = [{"question": asked.format(i % 5), "answer": f"thing {i}"} for i in range(60)]
    found = free.study(RealData("things", rows, {"question": "q", "answer": "a"}))
    preset = found.presets["study"]
    assert preset.changes == P.PRESETS["study"].changes
    assert preset.resolved().part_updates == 4 and preset.seeds == (0, 1, 2)
    small = replace(preset.limited(2), n_train=24, changes={**preset.changes, "n_parts": 2,
                    "reference_updates": 1, "part_updates": 1, "min_size": 2})  # fmt: skip
    result = run(found, small, lm=embedded_lm, out=tmp_path, seeds=[0])
    for arm in (free.INFLUENCE, free.RANDOM):
        for measure in ("diversity", "self-BLEU", "answer loss"):
            assert np.isfinite(values(result, measure, arm)).all()
    assert {row["data"] for row in result.measurements} == {"things, few updates"}
