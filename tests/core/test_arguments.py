"""Seeds, counts and models of a wrong kind are refused at once, in words, by every method."""

import numpy as np
import pytest

from synthkit import SPA, DiffLM, EmbedSDG, SoftSRV, SynAlign
from synthkit.core.arguments import as_count, as_seed
from synthkit.datasets import as_dataset, as_frame


class Named:
    """All that a constructor asks of a model."""

    fingerprint, eos_id = "0123456789abcdef", 0


def test_numbers_of_numpy_become_int_and_none_the_default():
    assert type(as_seed(np.int64(3))) is int and as_seed(None, 7) == 7
    assert type(as_count(np.int32(3))) is int


@pytest.mark.parametrize("read", [as_dataset, as_frame])
def test_half_a_character_is_named_with_its_row(read):
    with pytest.raises(ValueError, match=r"column 'b': row 1 .* half a character.*'x\\ud83d'"):
        read([{"a": "é", "b": "y"}, {"a": "🙂", "b": "x\ud83d"}])


@pytest.mark.parametrize(
    ("method", "option"),
    [(EmbedSDG, "max_uses"), (SoftSRV, "steps"), (SPA, "rank"), (SynAlign, "picks"),
     (DiffLM, "batch"), (DiffLM, "diffusion_steps")],
)  # fmt: skip
@pytest.mark.parametrize("value", ["x", None, float("nan"), [], True])
def test_an_option_of_another_kind_is_refused_at_once(method, option, value):
    with pytest.raises(TypeError, match=r"must be a( whole)? number, got"):
        method(Named(), **{option: value})
