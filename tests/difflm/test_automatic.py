"""The preset "auto": what follows from a table, what a user asks for, and digits in order."""

import pandas as pd
import pytest
import torch
from tiny import tiny_table

from synthkit.difflm import DiffLM
from synthkit.difflm import autoencoder as module
from synthkit.difflm.autoencoder import Autoencoder
from synthkit.difflm.automatic import COARSE, after_reading, before_reading, seconds
from synthkit.difflm.checks import place_weights
from synthkit.difflm.format_model import new_llama
from synthkit.difflm.ordered import FALLING, order_tokens
from synthkit.difflm.part_presets import FORMATS, AutoencoderPreset
from synthkit.difflm.presets import PARTS, PRESETS, with_changes
from synthkit.difflm.pricing import beta_told, told_costs, untold
from synthkit.difflm.rows import RowCodec
from synthkit.difflm.schema import TableSchema

AUTO = PRESETS["auto"]
SHORT = {"format_steps": 6, "autoencoder_steps": 6, "diffusion_steps": 4}


def codec_of(columns: int, digits: int = 2) -> RowCodec:
    table = tiny_table(300)
    wide = {f"n{i}": table["number"] for i in range(columns - 1)} | {"x": table["x"]}
    return RowCodec(TableSchema.infer(pd.DataFrame(wide), few=2, ranks=200), piece=digits)


# --- what follows from the table -----------------------------------------------------------------


def test_it_is_the_default_and_a_narrow_table_gets_all_its_steps():
    assert DiffLM().preset == AUTO and "preset auto" in repr(DiffLM())
    made = after_reading(AUTO, codec_of(4))
    assert [getattr(made, part).steps for part in PARTS] == [
        getattr(AUTO, part).steps for part in PARTS
    ]
    assert seconds(made, codec_of(4)) < AUTO.seconds


@pytest.mark.parametrize("columns", [60, 200])
def test_a_wide_table_stays_within_its_time(columns):
    codec = codec_of(columns)
    assert seconds(AUTO, codec) > AUTO.seconds, "or there is nothing to shorten"
    made = after_reading(AUTO, codec)
    assert 0.9 * AUTO.seconds < seconds(made, codec) <= AUTO.seconds
    assert min(getattr(made, part).steps for part in PARTS) >= 1


def test_the_latent_grows_with_the_columns():
    widths = [after_reading(AUTO, codec_of(n)).autoencoder.latent for n in (2, 6, 10, 60)]
    assert widths == sorted(widths) and widths[0] < widths[1] < widths[2]


def test_numbers_of_a_small_table_take_coarser_ranks():
    assert before_reading(AUTO, 50).ranks == COARSE and before_reading(AUTO, 5000) == AUTO
    own = with_changes("auto", {"ranks": 77})
    assert before_reading(own, 50) == own


def test_what_a_user_asks_for_stays():
    own = with_changes("auto", {"latent": 5, "format_steps": 7})
    made = after_reading(own, codec_of(200))
    assert (made.autoencoder.latent, made.format.steps) == (5, 7)
    assert made.diffusion.steps < AUTO.diffusion.steps
    for name in ("fast", "study", "paper"):
        assert after_reading(PRESETS[name], codec_of(200)) == PRESETS[name]
        assert before_reading(PRESETS[name], 50) == PRESETS[name]


def test_a_language_model_gets_the_parts_of_fast_and_what_a_user_asks_for():
    made = after_reading(with_changes("auto", {"latent": 5}), None, lm="any")
    assert made.diffusion == PRESETS["fast"].diffusion
    assert made.autoencoder.latent == 5
    assert made.autoencoder.batch_size == PRESETS["fast"].autoencoder.batch_size


def test_the_report_says_what_was_picked_and_a_save_keeps_it(tmp_path):
    table = tiny_table(80)
    method = DiffLM(latent=3, **SHORT).fit(table)
    picked = method.fitted.picked()
    assert picked.items() <= method.report.facts.items()
    assert picked["latent"] == 3 == method.fitted.latents.shape[1]
    assert AUTO.autoencoder.floor <= picked["beta'"] <= AUTO.autoencoder.beta
    assert set(picked["steps"]) == {"autoencoder", "diffusion"} and "latent: 3" in repr(
        method.report
    )
    loaded = DiffLM.load(method.save(tmp_path / "fit"))
    assert loaded.fitted.picked() == picked
    pd.testing.assert_frame_equal(loaded.table(9, seed=4), method.table(9, seed=4))


# --- the price -----------------------------------------------------------------------------------


def test_the_price_rises_while_every_column_is_told():
    preset = AutoencoderPreset(beta=0.1, floor=0.02, factor=0.5, falls="told")
    assert beta_told(preset, []) == 0.02
    assert beta_told(preset, [0.9]) == 0.02
    assert beta_told(preset, [0.1]) == beta_told(preset, [0.1, 0.4]) == 0.04
    assert beta_told(preset, [0.1, 0.1, 0.9]) == 0.04
    assert beta_told(preset, [0.1, 0.1, 0.1]) == 0.1
    assert module.beta_at(preset, 3, [0.1]) == 0.04


def test_the_least_told_column_is_the_one_that_is_looked_at(monkeypatch):
    codec = codec_of(3)
    ids = codec.encode(
        pd.DataFrame({"n0": [5, 900], "n1": [900, 5], "x": ["a", "b"]}), unseen="nearest"
    )
    decoder = new_llama(codec.vocab_size, codec.length, FORMATS["fast"], 0)
    model = Autoencoder(decoder, codec, "fast", seed=0)
    with torch.no_grad():
        model.injector.map.weight.zero_()
    assert told_costs(model, ids)[1] == pytest.approx(1, abs=1e-4), "nothing is told"
    costs = {"told": (0.1, 4.0), "half": (2.0, 4.0), "free": (0.1, 0.1)}
    monkeypatch.setattr(model, "column_nats", lambda *_, weighed: costs)
    assert told_costs(model, ids) == (pytest.approx(2.2), 0.5)


def test_a_column_that_latents_do_not_tell_is_named():
    costs = {"told": (0.1, 4.0), "half": (2.0, 4.0), "sure": (0.1, 0.1), "not": (0.5, 0.52)}
    assert untold(costs) == ["not"] and untold({"told": (0.1, 4.0)}) == []
    with pytest.warns(UserWarning, match="do not tell .*'number'.*autoencoder_steps=12") as told:
        DiffLM(latent=3, **SHORT).fit(tiny_table(80))
    assert told[0].filename == __file__


# --- digits in order -----------------------------------------------------------------------------


def test_neighbouring_digits_begin_alike_and_words_stay():
    numbers = {"size": [i % 40 for i in range(300)], "few": [i % 12 for i in range(300)]}
    table = tiny_table(300).assign(**numbers)
    codec = RowCodec(TableSchema.infer(table, few=60, ranks=200), piece=2)
    field = {each.column.name: each for each in codec.fields}
    weight = torch.randn(codec.vocab_size, 32, generator=torch.Generator().manual_seed(1))
    before = weight.clone()
    order_tokens(weight, codec, 0)
    words = slice(field["x"].first, field["x"].last)
    assert torch.equal(weight[words], before[words]) and torch.equal(weight[:3], before[:3])
    for name, used in {"number": 100, "size": 40, "few": 12}.items():
        own = weight[field[name].zeros[-1] :][:used]
        near, far = ((own[k:] - own[:-k]).norm(dim=1).mean() for k in (1, used // 2))
        assert near < 0.8 * far, name
        assert own.std() == pytest.approx(1, abs=0.15)
    again = before.clone()
    order_tokens(again, codec, 0)
    assert torch.equal(again, weight)


def test_later_places_of_a_number_count_less_and_columns_alike():
    codec = codec_of(3, digits=1)
    weights = place_weights(codec, FALLING)
    field = codec.fields[0]
    assert field.width > 1
    own = weights[field.start : field.start + field.width]
    torch.testing.assert_close(own[1:], FALLING * own[:-1])
    sums = [weights[f.start : f.start + f.width].sum() for f in codec.fields]
    assert torch.tensor(sums) == pytest.approx(codec.length / len(codec.fields))


# --- rows that could not be made -----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:DiffLM. .* of 40 rows")
def test_rows_that_could_not_be_made_are_missing_and_no_others():
    method = DiffLM(latent=3, **SHORT).fit(tiny_table(80))
    every = method.table(40, seed=1)
    some = method.table(40, seed=1, max_tries=1, check=lambda row: row["x"] in "ab")
    good = every[every["x"].isin(["a", "b"])].reset_index(drop=True)
    assert 0 < len(some) < 40
    pd.testing.assert_frame_equal(some, good)
    none = method.table(40, seed=1, max_tries=1, check=lambda row: False)
    assert len(none) == 0 and list(none.columns) == list(every.columns)
