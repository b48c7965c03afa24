"""The study of memory on a GPU: its plan and its work, as far as they need none."""

import pytest
import torch

from synthkit.lm.memory import Held, Sampling, Training, settings_that_fit
from synthkit.lm.modes import frozen
from synthkit.lm.quantisation import bits_of
from synthkit.lm.shapes import SHAPES, Shape
from synthkit.studies import gpu_memory

TINY = Shape(300, 32, 64, 2, 4, 2, 8, tied=True)


@pytest.mark.parametrize("model", gpu_memory.MODELS)
def test_the_plan_has_a_training_and_a_sampling_of_each_kind_that_fit(model):
    held = Held(4, half=True)
    found = gpu_memory.plan(SHAPES[model], held, 24)
    works = [part.work for part in found]
    assert len(set(works)) == len(works) >= 5
    assert {part.method for part in found} >= {"embedsdg", "softsrv", "spa", "synalign"}
    assert {bool(work.rank) for work in works if isinstance(work, Training)} == {True, False}
    for work in works:
        assert settings_that_fit(SHAPES[model], held, work, 24) == {}


@pytest.mark.parametrize("bits", [None, 4])
def test_a_random_model_of_a_shape_trains_and_samples(bits):
    lm = gpu_memory.random_lm(TINY, bits, "cpu")
    assert (bits_of(lm.model), Shape.of(lm.model.config)) == (bits, TINY)
    student = lm.with_lora(rank=2)
    before = [p.detach().clone() for p in student.model.parameters() if p.requires_grad]
    gpu_memory.training_work(student, Training(2, 16, rank=2, accumulation=2))()
    after = [p for p in student.model.parameters() if p.requires_grad]
    assert any(not torch.equal(old, new) for old, new in zip(before, after))
    with frozen(lm):
        gpu_memory.training_work(lm, Training(2, 16, others=4 * 32, recomputing=True))()
    gpu_memory.sampling_work(lm, Sampling(3, 8, 4))()


def test_without_a_gpu_it_says_so():
    with pytest.raises(ValueError, match="no shape is called 'gpt-9'"):
        gpu_memory.run(["gpt-9"])
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="fit-check"):
            gpu_memory.run()
