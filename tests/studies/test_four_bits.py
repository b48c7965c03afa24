"""The study of 4 bits: it runs with a tiny model, and the recorded run is that of its preset."""

from dataclasses import asdict, replace

import pytest
from tiny import tiny_lm

from synthkit.lm import load_lm
from synthkit.studies.four_bits import BITS, MEASURES, FourBitsPreset, parses, study
from synthkit.studies.results import load_result
from synthkit.studies.runner import run

QUESTIONS = [f"{a} or {b}, {i}?" for i, (a, b) in enumerate(zip("ABCDEFGHIJKL", "uvwxyzuvwxyz"))]
PRESET = FourBitsPreset(
    n_train=6, n_test=4, n_copied=2, n_programs=2, max_new_tokens=8, steps=2, seeds=(0,)
)


@pytest.fixture(scope="module")
def lms(tmp_path_factory):
    folder = tiny_lm(tmp_path_factory.mktemp("lm") / "tiny", max_position_embeddings=4096)
    return {arm: load_lm(folder, bits=bits, device="cpu") for arm, bits in BITS.items()}


def test_both_precisions_are_measured_on_the_same_rows(lms, tmp_path):
    result = run(study(lms, QUESTIONS, QUESTIONS), PRESET, out=tmp_path)
    found = {(row["arm"], row["measure"]): row["value"] for row in result.measurements}
    assert set(found) == {(arm, measure) for arm in BITS for measure in MEASURES}
    assert 0 < abs(found["16 bits", "loss"] - found["4 bits", "loss"]) < 1
    assert result.model["fingerprint"] != result.model["in 4 bits"]
    same = dict.fromkeys(BITS, lms["4 bits"])
    result = run(study(same, QUESTIONS, QUESTIONS), PRESET, out=tmp_path / "same")
    one, other = (
        [row["value"] for row in result.measurements if row["arm"] == arm] for arm in BITS
    )
    assert one == other


def test_too_few_short_questions_are_told(lms, tmp_path):
    few = replace(PRESET, longest=3)
    with pytest.raises(ValueError, match="10 questions of at most 3 tokens are needed; found 0"):
        run(study(lms, QUESTIONS, QUESTIONS), few, out=tmp_path)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Sure:\n```python\ndef f(x):\n    return x\n```\nIt returns x.", True),
        ("```\ndef f(x):\n    return x", True),  # cut by its limit
        ("def f(x):\n    return x", True),
        ("```python\ndef f(x):\n    return (x\n```", False),
        ("```python\nx = 1\n```", False),
        ("It returns x.", False),
    ],
)
def test_a_program_is_read_from_an_answer(answer, right):
    assert parses(answer) is right


def test_the_recorded_run_is_that_of_the_preset():
    result, preset = load_result("four_bits"), asdict(FourBitsPreset())
    assert result.seeds == list(preset.pop("seeds")) and result.model["name"] == "smollm2"
    assert preset.items() <= result.preset.items()
