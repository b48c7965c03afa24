"""DiffLM as a whole: presets, forms, conditions, tries, resuming, saving; tables and texts."""

import json
import math
from collections import Counter
from dataclasses import asdict
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm, tiny_tokenizer
from torch import nn

from synthkit.core.files import read_jsonl
from synthkit.difflm import synthesizer as module
from synthkit.difflm.columns import Number, Ranked
from synthkit.difflm.rows import to_json
from synthkit.difflm.schema import TableSchema
from synthkit.difflm.synthesizer import (
    CUT_OFF,
    OFF_LATENT,
    PRESETS,
    PRIORS,
    UNCHECKED,
    UNMET,
    Asked,
    Choice,
    DiffLM,
    DiffLMPreset,
    Fitted,
    JsonForm,
    RowForm,
    TextForm,
    TriesUsedUp,
    batch_of,
    collect,
    derive_seed,
    draw_latents,
    log_agreement,
    make_form,
    read_material,
    sample_log,
    satisfied,
    split,
    with_changes,
)
from synthkit.difflm.text_codec import TextCodec
from synthkit.lm import load_lm

# --- presets -------------------------------------------------------------------------------------


def test_presets_are_three_and_the_paper_has_its_own_constants():
    assert set(PRESETS) == {"fast", "study", "paper"}
    paper = PRESETS["paper"]
    assert (paper.autoencoder.latent, paper.autoencoder.tokens) == (1024, 32)
    assert (paper.diffusion.hidden, paper.diffusion.sample_steps) == (4096, 50)
    assert PRESETS["fast"].autoencoder.steps < PRESETS["study"].autoencoder.steps


def test_changes_find_the_part_they_belong_to():
    changes = {"latent": 8, "steps": 3, "diffusion_steps": 5, "format_width": 32, "batch": 7}
    made = with_changes("fast", changes)
    assert (made.autoencoder.latent, made.autoencoder.steps) == (8, 3)
    assert (made.diffusion.steps, made.format.width, made.batch) == (5, 32, 7)
    fast = PRESETS["fast"]
    assert made.diffusion.hidden == fast.diffusion.hidden and made.digits == fast.digits
    assert fast.batch != 7 and fast.autoencoder.latent != 8


def test_a_part_may_be_given_whole_or_as_a_mapping():
    part = PRESETS["study"].diffusion
    assert with_changes("fast", {"diffusion": part}).diffusion == part
    made = with_changes("fast", {"diffusion": {"steps": 9}, "diffusion_hidden": 11}).diffusion
    assert (made.steps, made.hidden, made.blocks) == (9, 11, PRESETS["fast"].diffusion.blocks)


def test_a_preset_survives_json():
    preset = with_changes("fast", {"latent": 8, "digits": None})
    assert DiffLMPreset(**json.loads(json.dumps(asdict(preset)))) == preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "DiffLM has no option colour"),
        ({"diffusion_colour": 1}, "DiffLM has no option colour .diffusion"),
        ({"format_steps": 0}, "steps must be positive"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"few": 0}, "few must be at least 1"),
        ({"max_tries": 0}, "max_tries must be at least 1"),
        ({"held_out_share": 1.0}, r"held_out_share must lie in \[0, 1\), got 1.0"),
    ],
)
def test_impossible_values_are_refused_before_any_work(change, message):
    with pytest.raises(ValueError, match=message):
        DiffLM(**change)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="no preset 'huge'; choose one of fast, study, paper"):
        DiffLM(preset="huge")
    with pytest.raises(TypeError, match="a DiffLMPreset, not a dict"):
        DiffLM(preset={"latent": 8})


# --- material ------------------------------------------------------------------------------------

ROWS = [{"a": i % 3, "b": "xy"[i % 2], "text": f"line {i}"} for i in range(30)]


def test_a_table_comes_as_a_frame_a_dataset_or_dictionaries():
    frame = pd.DataFrame(ROWS)
    for data in (frame, Dataset.from_list(ROWS), ROWS):
        found = read_material(data, texts=False)
        pd.testing.assert_frame_equal(found, frame, check_dtype=False)


def test_texts_come_as_a_list_or_in_a_column_when_a_model_can_write_them():
    texts = [row["text"] for row in ROWS]
    for data in (texts, tuple(texts), pd.DataFrame(ROWS), Dataset.from_list(ROWS), ROWS):
        assert read_material(data, texts=True) == texts
    plain = pd.DataFrame(ROWS)[["a", "b"]]
    assert read_material(plain, texts=True) is plain


@pytest.mark.parametrize(
    ("data", "texts", "error", "message"),
    [
        (["a", "b"], False, ValueError, "texts need a language model"),
        (["a", " "], True, ValueError, "row 1"),
        ("a text", True, TypeError, "found str"),
        ([], True, ValueError, "data set is empty"),
        (3, False, TypeError, "found int"),
        ([{"text": "a"}, {"text": None}], True, ValueError, "row 1"),
    ],
)
def test_what_is_neither_table_nor_texts_is_refused(data, texts, error, message):
    with pytest.raises(error, match=message):
        read_material(data, texts=texts)


@given(st.integers(2, 60), st.floats(0, 0.99), st.integers(0, 5))
def test_the_split_loses_nothing_and_leaves_two_to_learn_from(n, share, seed):
    train, held = split(n, share, seed)
    assert sorted([*train, *held]) == list(range(n)) and len(train) >= 2
    assert abs(len(held) - share * n) <= 1 or len(train) == 2
    assert (np.diff(train) > 0).all() and (np.diff(held) > 0).all()


def test_one_row_is_too_few():
    with pytest.raises(ValueError, match="two rows or texts at least, found 1"):
        split(1, 0.1, 0)


# --- forms ---------------------------------------------------------------------------------------

TABLE = pd.DataFrame(
    {
        "age": [20, 35, 41, 59, 20, 33] * 10,
        "sex": ["f", "m", None, "f", "m", "m"] * 10,
        "gain": [0.0, 1.5, -2.5, 0.0, 10.25, np.nan] * 10,
        "one": ["same"] * 60,
        'odd "name", {x}': ['a "b", {c}', "d\ne"] * 30,
    }
)
SCHEMA = TableSchema.infer(TABLE, few=2)


@pytest.fixture(scope="module")
def rows_form():
    return RowForm(SCHEMA)


@pytest.fixture(scope="module")
def json_form():
    return JsonForm(SCHEMA, TextCodec(tiny_tokenizer(), 200))


@pytest.fixture(scope="module", params=["rows", "json"])
def form(request, rows_form, json_form):
    return {"rows": rows_form, "json": json_form}[request.param]


def test_a_table_survives_its_form(form):
    drafts = form.drafts(form.encode(TABLE))
    assert form.judge(drafts) == [None] * len(TABLE)
    pd.testing.assert_frame_equal(form.frame(drafts), TABLE)


CONDITIONS = [
    {"sex": "f"},
    {"sex": None},
    {"age": (30, 45)},
    {"age": {20, 59}, "sex": {"f", None}},
    {"gain": (None, 0)},
    {"gain": None},
    {"one": "same"},
]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=" and ".join)
def test_both_forms_turn_away_the_same_rows(form, conditions):
    reasons = form.judge(form.drafts(form.encode(TABLE)), conditions)
    met = satisfied(SCHEMA, TABLE, conditions)
    assert reasons == [None if good else UNMET for good in met]
    assert 0 < met.sum() and (met.all() == (conditions == {"one": "same"}))


def test_satisfied_is_what_a_reader_would_say():
    assert (
        satisfied(SCHEMA, TABLE, {"age": (30, 45)}).tolist() == TABLE.age.between(30, 45).tolist()
    )
    assert satisfied(SCHEMA, TABLE, {"gain": None}).tolist() == TABLE.gain.isna().tolist()


def test_check_is_asked_about_rows_that_are_good_so_far(form):
    asked = []

    def check(row):
        asked.append(row)
        return row["age"] > 30

    reasons = form.judge(form.drafts(form.encode(TABLE[:6])), {"sex": {"f", "m"}}, check)
    assert reasons == [UNCHECKED, None, UNMET, None, UNCHECKED, None]
    assert len(asked) == 5 and set(asked[0]) == set(TABLE.columns)


def test_reasons_of_tokens_that_are_no_row(rows_form):
    ids = rows_form.encode(TABLE[:3])
    ids[1, 0] = rows_form.codec.eos
    reasons = rows_form.judge(rows_form.drafts(ids))
    assert reasons == [None, "age: a token of another column", None]


def test_reasons_of_texts_that_are_no_row(json_form):
    codec = json_form.codec
    good = to_json(TABLE.to_dict("records")[0])
    texts = [good, good.replace("20", "99"), good[:-1], "[1]", good.replace('"f"', '"?"')]
    drafts = [
        [*ids, codec.eos] for ids in codec.tokenizer(texts, add_special_tokens=False).input_ids
    ]
    drafts.append(drafts[0][:-1])
    assert json_form.judge(drafts) == [
        None, "age: outside the range", "not JSON", "not an object", "sex: unknown value", CUT_OFF,
    ]  # fmt: skip


def test_texts_are_kept_when_they_end_and_say_something():
    form = TextForm(TextCodec(tiny_tokenizer(), 50))
    ids = form.encode(["A short one.", " ", "no", "Anna"])
    drafts = form.drafts(ids)
    drafts[2] = drafts[2][:-1]
    assert form.judge(drafts) == [None, "empty", CUT_OFF, None]
    assert form.judge(drafts, check=lambda text: "short" in text)[3] == UNCHECKED
    assert form.frame(drafts)["text"].tolist() == ["A short one.", " ", "no", "Anna"]


def test_a_check_gets_a_text_even_where_a_table_has_a_column_text():
    form = RowForm(TableSchema.infer(pd.DataFrame({"text": ["a", "b"] * 5})))
    drafts = form.drafts(form.encode(pd.DataFrame({"text": ["a", "b"]})))
    assert form.judge(drafts, check=lambda row: row["text"] == "a") == [None, UNCHECKED]


# --- the latents ---------------------------------------------------------------------------------


class Made(nn.Module):
    """Latents as a fitted diffusion gives them: one number, +1 or -1."""

    def __init__(self):
        super().__init__()
        self.network = nn.ParameterDict({"scale": torch.ones(1)})

    def sample(self, n, seed=0, progress=False):
        generator = torch.Generator().manual_seed(seed)
        return 2.0 * torch.randint(2, (n, 1), generator=generator) - 1


def test_the_three_priors():
    own = torch.arange(6.0).reshape(3, 2)
    for prior in PRIORS[:2]:
        twice = [draw_latents(prior, 7, 3, torch.zeros(2, 1), Made()) for _ in range(2)]
        assert torch.equal(*twice) and twice[0].shape == (7, 1)
    found = draw_latents("encoding", 7, 3, own, None)
    assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in own.tolist()}
    assert Counter(found[:, 0].tolist()).most_common()[-1][1] >= 2  # in turn, none left out
    many = draw_latents("normal", 20_000, 0, own, None)
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02
    with pytest.raises(ValueError, match=r"prior must be one of .*; got 'x'"):
        draw_latents("x", 1, 0, own, None)


def test_seeds_are_mixed_without_meeting():
    seeds = {derive_seed(seed, turn, start) for seed, turn, start in product(range(9), repeat=3)}
    assert len(seeds) == 9**3 and max(seeds) < 2**31 and min(seeds) >= 0


# --- conditions: the weight of a latent ----------------------------------------------------------

SEASONS = pd.DataFrame({"coat": ["no", "yes"] * 4, "gloves": ["no", "no", "yes", "yes"] * 2})
COAT, GLOVES = {1: 0.9, -1: 0.1}, {1: 0.8, -1: 0.05}  # P(yes | latent)


class Wardrobe(nn.Module):
    """A decoder whose two columns are independent given its latent, and that may slip.

    Args:
        slip: the probability of a token of another column.
    """

    def __init__(self, codec, slip=0.0):
        super().__init__()
        self.codec, self.slip, self.calls = codec, slip, 0
        self.scale = nn.Parameter(torch.ones(1))
        self.injector, self.device = None, "cpu"
        self.config = SimpleNamespace(get_text_config=lambda: None)

    @property
    def decoder(self):
        return self

    def law(self, z, place):
        field, table = self.codec.fields[place], (COAT, GLOVES)[place]
        law = torch.full((len(z), self.codec.vocab_size), self.slip / (self.codec.vocab_size - 2))
        yes = torch.tensor([table[int(sign)] for sign in z[:, 0].sign().tolist()])
        law[:, field.first] = (1 - self.slip) * (1 - yes)
        law[:, field.first + 1] = (1 - self.slip) * yes
        return law

    def logits(self, ids, z):
        return torch.stack([self.law(z, place) for place in range(2)], 1).log()

    def generate(self, z, *, legal=None, temperature=1.0, seed=0):
        self.calls += 1
        generator, ids = torch.Generator().manual_seed(seed), torch.zeros(len(z), 0).long()
        for place in range(2):
            law = self.law(z, place) ** (1 / temperature if temperature else 99)
            if legal is not None:
                law = law * legal.allowed(ids)
            ids = torch.cat([ids, torch.multinomial(law, 1, generator=generator)], 1)
        return ids


@pytest.fixture(autouse=True)
def logits_of_a_wardrobe(monkeypatch):
    own = module.row_logits

    def row_logits(decoder, injector, z, ids, bos):
        if isinstance(decoder, Wardrobe):
            return decoder.logits(ids, z)
        return own(decoder, injector, z, ids, bos)

    monkeypatch.setattr(module, "row_logits", row_logits)


def dressed(slip=0.0, **changes):
    """A DiffLM whose parts are the two stand-ins."""
    form = RowForm(TableSchema.infer(SEASONS))
    method = DiffLM(**changes)
    method._fitted = Fitted(form, Wardrobe(form.codec, slip), Made(), torch.ones(3, 1), None, {})
    return method


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_weight_turns_forced_rows_into_rows_of_the_model(sign, temperature):
    """For every row that satisfies: (its probability when forced) x w = its own probability."""
    codec = RowForm(TableSchema.infer(SEASONS)).codec
    ids = codec.encode(SEASONS[:4])
    model, z = Wardrobe(codec, 0.1), torch.full((4, 1), float(sign))
    logits, free = model.logits(ids, z), codec.legal()
    for conditions in ({"coat": "yes"}, {"gloves": "no"}, {"coat": "yes", "gloves": "yes"}):
        wanted = codec.legal(conditions)

        def log_law(legal):
            total = torch.zeros(4)
            for t in range(2):
                scores = (logits[:, t] / temperature).masked_fill(~legal.allowed(ids[:, :t]), -1e9)
                total += scores.log_softmax(1).gather(1, ids[:, t : t + 1])[:, 0]
            return total

        met = wanted.holds(ids)
        weight = log_agreement(logits, ids, wanted, free, temperature)
        torch.testing.assert_close(
            (log_law(wanted) + weight)[met].float(), log_law(free)[met], atol=1e-5, rtol=0
        )
        assert met.any() and (weight < 0).all()


def test_without_a_condition_every_row_has_weight_one():
    codec = RowForm(TableSchema.infer(SEASONS)).codec
    ids, z = codec.encode(SEASONS), torch.ones(8, 1)
    legal = codec.legal()
    found = log_agreement(Wardrobe(codec).logits(ids, z), ids, legal, codec.legal())
    assert found.tolist() == [0.0] * 8


def test_at_temperature_zero_the_likeliest_token_decides():
    codec = RowForm(TableSchema.infer(SEASONS)).codec
    ids, z = codec.encode(SEASONS[1:3]), torch.tensor([[1.0], [-1.0]])
    wanted = codec.legal({"coat": "yes"})
    found = log_agreement(Wardrobe(codec).logits(ids, z), ids, wanted, codec.legal(), 0.0)
    assert found[0] == 0 and found[1] == -1e6


def test_conditions_give_the_conditional_distribution_and_the_count_is_told():
    method = dressed()
    found = method.table(4000, 0, conditions={"coat": "yes"})
    assert set(found.coat) == {"yes"}
    truth = (0.9 * 0.8 + 0.1 * 0.05) / (0.9 + 0.1)
    assert abs((found.gloves == "yes").mean() - truth) < 4 * math.sqrt(truth * (1 - truth) / 4000)
    asked = method.report["kept"] + method.report[OFF_LATENT]
    assert method.report["kept"] == 4000 and set(method.report) == {"kept", OFF_LATENT}
    assert abs(method.report["kept"] / asked - 0.5) < 0.03  # P(coat)


def test_the_opposite_condition_and_two_at_once():
    method = dressed()
    summer = method.table(3000, 1, conditions={"coat": "no"})
    truth = 0.1 * 0.8 + 0.9 * 0.05
    assert abs((summer.gloves == "yes").mean() - truth) < 0.03
    both = method.table(50, 1, conditions={"coat": "no", "gloves": "yes"})
    assert set(both.coat) == {"no"} and set(both.gloves) == {"yes"}


def test_free_sampling_under_conditions_agrees_with_the_trie():
    method = dressed(slip=0.2)
    free = method.table(3000, 2, conditions={"coat": "yes"}, legal=False, max_tries=200)
    assert set(free.coat) == {"yes"}
    assert abs((free.gloves == "yes").mean() - 0.725) < 0.04
    assert method.report[UNMET] > 0 and OFF_LATENT not in method.report
    assert any("another column" in why for why in method.report)


def test_when_tries_end_the_best_of_them_is_settled_for():
    method = dressed()
    found = method.table(2000, 0, conditions={"coat": "yes"}, max_tries=1)
    assert set(found.coat) == {"yes"}
    report = method.report
    assert report["settled for"] == report[OFF_LATENT] > 0
    assert report["kept"] + report["settled for"] == 2000


# --- tries ---------------------------------------------------------------------------------------


def test_free_sampling_counts_reasons_and_every_row_is_valid():
    method = dressed(slip=0.3)
    found = method.sample(500, 0, legal=False)
    wrong = {why: n for why, n in method.report.items() if why != "kept"}
    assert method.report["kept"] == 500 and sum(wrong.values()) > 100
    assert set(found["coat"]) | set(found["gloves"]) == {"yes", "no"}
    tries = np.array(found["tries"])
    assert tries.sum() == 500 + sum(wrong.values()) and tries.max() > 1


def test_with_the_trie_the_first_try_is_right():
    method = dressed(slip=0.3)
    assert set(method.sample(100, 0)["tries"]) == {1} and dict(method.report) == {"kept": 100}


def test_tries_that_are_used_up_say_why():
    method = dressed(slip=0.9, max_tries=2)
    with pytest.raises(
        TriesUsedUp, match=r"of 50 rows are missing after 2 tries each .*column"
    ) as e:
        method.sample(50, 0, legal=False)
    assert sum(e.value.reasons.values()) > 50 and method.report.total() > 50
    with pytest.raises(TriesUsedUp, match=r"1 of 1 rows.*check says no"):
        method.sample(1, 0, check=lambda row: False)


def test_a_larger_number_of_tries_helps():
    method = dressed(slip=0.6)
    assert len(method.sample(50, 0, legal=False, max_tries=200)) == 50


def test_check_keeps_what_it_likes():
    found = dressed().table(60, 0, check=lambda row: row["coat"] == row["gloves"])
    assert (found.coat == found.gloves).all() and len(found) == 60


def test_collect_redraws_only_what_was_turned_away():
    seen = []

    def latents(m, turn):
        seen.append(("latents", m, turn))
        return torch.zeros(m, 1)

    def decode(z, turn, start):
        seen.append(("decode", len(z), turn, start))
        return [[turn, start + i] for i in range(len(z))], [0.0] * len(z)

    choice = Choice(lambda drafts: [None if turn or i % 2 else "odd" for turn, i in drafts], 0)
    kept = collect(5, latents, decode, choice, batch=2)
    assert [each.draft for each in kept] == [[1, 0], [0, 1], [1, 1], [0, 3], [1, 2]]
    assert [each.tries for each in kept] == [2, 1, 2, 1, 2]
    assert seen == [
        ("latents", 5, 0), ("decode", 2, 0, 0), ("decode", 2, 0, 2), ("decode", 1, 0, 4),
        ("latents", 3, 1), ("decode", 2, 1, 0), ("decode", 1, 1, 2),
    ]  # fmt: skip
    assert choice.report == {"odd": 3, "kept": 5}


# --- the same bytes, and a sample that goes on ---------------------------------------------------


def test_the_same_seed_gives_the_same_rows_and_another_does_not():
    method = dressed(seed=5)
    first, again = method.sample(40, 1), method.sample(40, 1)
    assert first.to_dict() == again.to_dict()
    assert method.table(40, 1).equals(method.table(40, 1))
    assert not method.table(40, 1).equals(method.table(40, 2))
    assert method.table(40).equals(method.table(40, 5))


def test_a_sample_that_was_killed_goes_on(tmp_path, monkeypatch):
    whole = dressed(0.3, batch=16).sample(100, 3, legal=False)
    path, method = tmp_path / "sample.jsonl", dressed(0.3, batch=16)
    write = module.write_rows
    calls = []

    def dying(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return write(*args)

    monkeypatch.setattr(module, "write_rows", dying)
    with pytest.raises(KeyboardInterrupt):
        method.sample(100, 3, legal=False, checkpoint=path)
    assert len(read_jsonl(path)) == 1 + 3
    with open(path, "a") as handle:
        handle.write('{"turn": 0, "sta')  # torn by the kill
    after = dressed(0.3, batch=16)
    monkeypatch.setattr(module, "write_rows", write)
    assert after.sample(100, 3, legal=False, checkpoint=path).to_dict() == whole.to_dict()
    batches = 7 + -(-sum(t > 1 for t in whole["tries"]) // 16)
    assert after.fitted.autoencoder.calls >= batches - 3
    assert after.fitted.autoencoder.calls == len(read_jsonl(path)) - 4
    once_more = dressed(0.3, batch=16)
    assert once_more.sample(100, 3, legal=False, checkpoint=path).to_dict() == whole.to_dict()
    assert once_more.fitted.autoencoder.calls == 0 and once_more.report == after.report


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4}, {"n": 99}, {"temperature": 0.5}, {"prior": "normal"}, {"legal": False},
        {"conditions": {"coat": "yes"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_of_another_sample_is_refused(tmp_path, other):
    path, asked = tmp_path / "s.jsonl", {"n": 100, "seed": 3}
    dressed().sample(**asked, checkpoint=path)
    with pytest.raises(ValueError, match="holds the drafts of a sample with other"):
        dressed().sample(**{**asked, **other}, checkpoint=path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    path, other = tmp_path / "s.jsonl", dressed()
    dressed().sample(5, 3, checkpoint=path)
    with torch.no_grad():
        other.fitted.autoencoder.scale += 1
    with pytest.raises(ValueError, match="drafts of a sample with other"):
        other.sample(5, 3, checkpoint=path)


def test_a_checkpoint_of_another_check_is_refused(tmp_path):
    """Another check turns other rows away, so other slots were drawn anew."""
    asked = {"n": 60, "seed": 3, "checkpoint": tmp_path / "s.jsonl"}
    dressed(batch=8).sample(**asked, check=lambda row: row["coat"] == "yes")
    with pytest.raises(ValueError, match="another check"):
        dressed(batch=8).sample(**asked, check=lambda row: row["coat"] == "no")
    whole = dressed(batch=8).sample(60, 3)  # without a check, the first drafts are the sample
    assert dressed(batch=8).sample(**asked).to_dict() == whole.to_dict()


def test_conditions_in_another_order_are_the_same_sample(tmp_path):
    path = tmp_path / "s.jsonl"
    wanted = [{"coat": {"yes", "no"}, "gloves": "yes"}, {"gloves": ["yes"], "coat": ["no", "yes"]}]
    rows = [dressed().sample(9, 0, conditions=each, checkpoint=path) for each in wanted]
    assert rows[0].to_dict() == rows[1].to_dict()


# --- what comes out ------------------------------------------------------------------------------


def test_a_dataset_with_provenance_and_a_table_without():
    method = dressed(seed=1)
    rows = method.sample(6, 2, temperature=0.5, prior="normal")
    assert rows.column_names == ["coat", "gloves", "tries", "temperature", "prior", "seed"]
    assert set(rows["temperature"]) == {0.5} and set(rows["prior"]) == {"normal"}
    assert set(rows["seed"]) == {2} and set(rows["tries"]) == {1}
    plain = method.sample(6, 2, temperature=0.5, prior="normal", provenance=False)
    assert plain.column_names == ["coat", "gloves"]
    table = method.table(6, 2, temperature=0.5, prior="normal")
    assert table.to_dict("list") == plain.to_dict() and list(table.columns) == ["coat", "gloves"]


def test_a_table_that_has_a_column_seed_keeps_it():
    frame = pd.DataFrame({"seed": ["a", "b"] * 3})
    found = module.as_rows(frame, {"seed": [7] * 6, "tries": [1] * 6})
    assert found.column_names == ["seed", "sample_seed", "tries"]
    assert found["seed"][:2] == ["a", "b"] and set(found["sample_seed"]) == {7}
    both = frame.assign(sample_seed=3)
    found = module.as_rows(both, {"seed": [7] * 6})
    assert found.column_names == ["seed", "sample_seed", "sample_sample_seed"]
    assert set(found["sample_seed"]) == {3} and set(found["sample_sample_seed"]) == {7}
    assert list(both.columns) == ["seed", "sample_seed"], "the table given is left alone"


def test_a_column_of_words_and_numbers_cannot_be_a_dataset():
    schema = TableSchema.infer(pd.DataFrame({"x": [1, "a"] * 5, "y": ["b", "c"] * 5}))
    with pytest.raises(ValueError, match=r"column 'x' holds numbers and words.*table\(n\)"):
        module.check_container(schema)
    schema = TableSchema.infer(pd.DataFrame({"x": [True, 2, 5] * 5, "y": ["b", "c", "c"] * 5}))
    with pytest.raises(ValueError, match="column 'x' holds numbers and truth values"):
        module.check_container(schema)
    module.check_container(SCHEMA)
    module.check_container(None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"prior": "best"}, "prior must be one of diffusion, normal, encoding; got 'best'"),
        ({"temperature": -1}, "temperature must be finite and >= 0, got -1"),
        ({"temperature": math.nan}, "temperature must be finite"),
        ({"conditions": {"coat": "maybe"}}, "nothing satisfies the condition 'coat': 'maybe'"),
        ({"conditions": {"hat": "yes"}}, "no column 'hat'"),
    ],
)
def test_impossible_samples_are_refused(options, message):
    method = dressed()
    with pytest.raises(ValueError, match=message):
        method.sample(**{"n": 3, **options})
    assert method.fitted.autoencoder.calls == 0


def test_conditions_have_no_meaning_for_texts():
    form = TextForm(TextCodec(tiny_tokenizer(), 50))
    with pytest.raises(ValueError, match="texts have no columns for the conditions"):
        Asked(form, {"a": 1})
    assert Asked(form).wanted is None


def test_sampling_needs_a_fit():
    for use in (lambda m: m.sample(1), lambda m: m.schema, lambda m: m.save("x")):
        with pytest.raises(ValueError, match="not fitted yet: call fit"):
            use(DiffLM())


# --- fitting a table -----------------------------------------------------------------------------

QUICK = {
    "format_steps": 6, "format_eval_every": 3, "format_width": 32, "format_hints": 2,
    "steps": 6, "eval_every": 3, "latent": 3, "tokens": 2, "width": 32, "layers": 1,
    "diffusion_steps": 6, "diffusion_eval_every": 3, "diffusion_hidden": 16,
    "diffusion_sample_steps": 4, "batch": 16,
}  # fmt: skip


def quick(lm=None, **changes):
    return DiffLM(lm, **{**QUICK, **changes})


@pytest.fixture(scope="module")
def fitted():
    """One fitted method; tests read it and never change it."""
    return quick().fit(TABLE, target="sex")


def same(one, other):
    """Whether two methods have learned the same, to the last bit."""
    return one.fitted.digest() == other.fitted.digest()


def test_a_fitted_table_has_what_the_class_promises(fitted):
    assert fitted.schema.names == list(TABLE.columns) and fitted.schema.target == "sex"
    assert fitted.latents.shape == (54, 3) and set(fitted.histories) == {"autoencoder", "diffusion"}
    assert fitted.histories["diffusion"].steps == 6
    assert fitted.collapse.latent == 3 and fitted.collapse.true > 0
    assert not any(p.requires_grad for p in fitted.fitted.autoencoder.decoder.parameters())


@pytest.mark.parametrize("prior", PRIORS)
def test_every_row_of_an_untrained_model_is_valid_with_the_trie(fitted, prior):
    found = fitted.table(40, 1, prior=prior)
    assert found.dtypes.to_dict() == TABLE.dtypes.to_dict()
    SCHEMA.codes(found)  # raises where a value is not one of the table's
    assert set(found.one) == {"same"}


@pytest.mark.parametrize("conditions", CONDITIONS, ids=" and ".join)
def test_conditions_hold_in_every_row(fitted, conditions):
    found = fitted.table(24, 0, conditions=conditions, max_tries=2)
    assert satisfied(SCHEMA, found, conditions).all()


def test_a_fit_is_repeated_by_its_seed_and_changed_by_another(fitted):
    assert same(quick().fit(TABLE, target="sex"), fitted)
    assert not same(quick(seed=1).fit(TABLE, target="sex"), fitted)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5])
def test_an_impossible_seed_is_refused_before_any_work(seed):
    with pytest.raises((TypeError, ValueError), match="seed must be a whole number"):
        DiffLM(seed=seed)


def test_a_seed_of_numpy_can_be_saved():
    assert json.dumps(DiffLM(seed=np.int64(3)).seed) == "3"


def test_labels_that_do_not_fit_the_rows_are_left_out():
    """A text that is no row is lost; the report on collapse then does without the labels."""
    table = TABLE[["one"]].assign(sex=["f", "m"] * 30)
    schema = TableSchema.infer(table, "sex")
    form = JsonForm(schema, TextCodec(tiny_tokenizer(), 60))
    ids = form.encode(table)
    assert module.target_labels(form, ids) == ["f", "m"] * 30
    ids[0, 1] = form.codec.eos
    assert module.target_labels(form, ids) is None


def test_rows_may_come_as_a_dataset_or_dictionaries():
    plain = TABLE[["age", "one", "sex"]].assign(age=TABLE.age + 0)
    whole = quick().fit(plain)
    for data in (Dataset.from_pandas(plain, preserve_index=False), plain.to_dict("records")):
        assert same(quick().fit(data), whole)


def test_held_out_rows_are_not_learned():
    method = quick().fit(TABLE, held_out=TABLE[:12])
    assert len(method.latents) == len(TABLE)
    with pytest.raises(ValueError, match="the table lacks"):
        quick().fit(TABLE, held_out=TABLE[["age"]])


def test_another_fit_may_use_the_same_decoder(fitted, monkeypatch):
    monkeypatch.setattr(module, "format_model", None)  # it is not trained again
    again = quick().fit(TABLE, target="sex", decoder=fitted.decoder)
    assert same(again, fitted), "as if it had trained its own"
    other = quick(kind="memory").fit(TABLE, target="sex", decoder=fitted.decoder)
    assert other.decoder is fitted.decoder and not same(other, fitted)


def test_columns_cost_what_the_autoencoder_says(lm, fitted):
    costs = fitted.column_nats(TABLE[::-1])
    form, coder = fitted.fitted.form, fitted.fitted.autoencoder
    ids = form.encode(TABLE[::-1])
    assert costs.shape == (len(form.codec.fields), 2) and (costs > 0).all(axis=None)
    expected = coder.reconstruction(ids, coder.encode(ids)[0])
    assert costs["own latent"].sum() == pytest.approx(float(expected.mean()), rel=1e-4)
    assert fitted.column_nats(TABLE[::-1].to_dict("records")).equals(costs)
    with pytest.raises(ValueError, match="the table lacks"):
        fitted.column_nats(TABLE[["age"]])
    with pytest.raises(TypeError, match="have no columns of tokens"):
        quick(lm).fit(TEXTS).column_nats(TABLE)


def test_a_fit_with_a_given_decoder_goes_on_and_comes_back(fitted, tmp_path, monkeypatch):
    asked = {"target": "sex", "checkpoint": tmp_path / "fit"}
    with monkeypatch.context() as patch:
        dying(patch, 5)
        with pytest.raises(Killed):
            quick().fit(TABLE, decoder=fitted.decoder, **asked)
    assert "autoencoder" in finished(tmp_path / "fit")
    with pytest.raises(ValueError, match="holds a fit of DiffLM with other data"):
        quick().fit(TABLE, **asked)
    again = quick().fit(TABLE, decoder=fitted.decoder, **asked)
    assert same(again, fitted) and same(DiffLM.load(again.save(tmp_path / "kept")), fitted)


def test_a_decoder_of_other_rows_is_refused(lm, fitted):
    with pytest.raises(ValueError, match=r"belongs to other rows: .* pass the decoder of a fit"):
        quick().fit(TABLE[["age", "sex"]], decoder=fitted.decoder)
    with pytest.raises(ValueError, match="belongs to other rows"):
        quick().fit(TABLE, decoder=lm.model)
    with pytest.raises(TypeError, match=r"found DiffLM; pass fitted\.decoder"):
        quick().fit(TABLE, decoder=fitted)


def test_a_language_model_is_the_decoder_itself(lm, fitted):
    with pytest.raises(ValueError, match="leave decoder= out"):
        quick(lm).fit(TEXTS, decoder=fitted.decoder)


def test_two_rows_are_enough_and_one_is_not():
    two = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert len(quick(held_out_share=0.0).fit(two).table(3)) == 3
    with pytest.raises(ValueError, match="at least 2 rows"):
        quick().fit(two[:1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.DataFrame({"a": [1.0, math.inf]}), "a"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "more than one column"),
        (pd.DataFrame({" ": [1, 2]}), "blank name"),
        (pd.DataFrame({"a": [1, 1]}), "no column varies"),
        (["some", "texts"], "texts need a language model"),
    ],
    ids=["infinite", "twice", "blank", "constant", "texts"],
)
def test_bad_tables_are_refused_before_any_training(data, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(data)


@pytest.mark.filterwarnings("ignore:column 'empty' misses every entry")
def test_columns_of_every_kind_come_back_in_their_types():
    n = 48
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=n),
            "price": np.linspace(0.5, 99.5, n),
            "level": pd.Categorical(["low", "high"] * (n // 2), ["low", "high"], ordered=True),
            "count": pd.array([1, None, 3] * (n // 3), dtype="Int64"),
            "yes": [True, False] * (n // 2),
            "empty": [None] * n,
            "one": [7] * n,
        }
    )
    method = quick().fit(frame, target="price")
    found = method.table(20, 0)
    assert found.dtypes.to_dict() == frame.dtypes.to_dict() and found["empty"].isna().all()
    assert found["day"].between("2020-01-01", frame["day"].max()).all()
    assert found["price"].between(0.5, 99.5).all() and set(found["one"]) == {7}
    rows = method.sample(5, 0, conditions={"yes": True, "price": (10, 60)})
    assert set(rows["yes"]) == {True} and all(10 <= price <= 60 for price in rows["price"])
    assert method.collapse.probe is None  # the target has more than two values


def test_numbers_are_ranks_without_a_model_and_stay_so_when_saved(tmp_path):
    frame = pd.DataFrame({"price": np.linspace(0.5, 99.5, 48), "yes": [True, False] * 24})
    method = quick(ranks=10).fit(frame)
    assert isinstance(method.schema["price"], Ranked) and len(method.schema["price"].ranks) == 10
    again = DiffLM.load(method.save(tmp_path / "made"))
    assert again.table(5, 0).equals(method.table(5, 0)) and again.schema == method.schema
    assert set(method.table(40, 0)["price"]) <= set(frame["price"])
    lm = load_lm(tiny_lm(tmp_path / "lm"), device="cpu")
    for model, kind in ((None, Ranked), (lm, Number)):
        assert isinstance(make_form(frame, model, PRESETS["fast"]).schema["price"], kind)
    with pytest.raises(ValueError, match="ranks must be a whole number of 2 or more"):
        DiffLMPreset(ranks=1)


def test_an_unknown_target_is_named():
    with pytest.raises(ValueError, match="no column 'wage'"):
        quick().fit(TABLE, target="wage")


# --- a fit that goes on --------------------------------------------------------------------------


class Killed(Exception):
    pass


def finished(folder):
    """The phases that the log in `folder` says are done, in their order."""
    lines = read_jsonl(folder / "fit.jsonl")
    return [line["finished"][0][0] for line in lines if "finished" in line]


def dying(monkeypatch, at):
    """Let the `at`-th write of a file fail, as if the machine had been switched off."""
    import synthkit.lm.training as training

    count, save = [0], training.Run.save

    def stub(run, path):
        save(run, path)
        count[0] += 1
        if count[0] == at:
            raise Killed

    monkeypatch.setattr(training.Run, "save", stub)


@pytest.mark.parametrize("at", [2, 3, 5, 8])
def test_a_fit_that_was_killed_goes_on_exactly(fitted, tmp_path, monkeypatch, at):
    folder = tmp_path / "fit"
    with monkeypatch.context() as patch:
        dying(patch, at)
        with pytest.raises(Killed):
            quick().fit(TABLE, target="sex", checkpoint=folder)
    assert finished(folder) == {2: [], 3: [], 5: ["format"], 8: ["format", "autoencoder"]}[at]
    again = quick().fit(TABLE, target="sex", checkpoint=folder)
    assert same(again, fitted) and again.histories == fitted.histories
    assert again.collapse == fitted.collapse
    again.save(tmp_path / "saved")
    assert not folder.exists()


def test_a_checkpoint_of_another_fit_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "fit"
    with monkeypatch.context() as patch:
        dying(patch, 5)
        with pytest.raises(Killed):
            quick().fit(TABLE, checkpoint=folder)
    for other in (quick(seed=1), quick(latent=4), quick(alike="tokens")):
        with pytest.raises(ValueError, match="holds a fit of DiffLM with other data"):
            other.fit(TABLE, checkpoint=folder)
    with pytest.raises(ValueError, match="holds a fit of DiffLM with other data"):
        quick().fit(TABLE[:50], checkpoint=folder)


# --- saving --------------------------------------------------------------------------------------


def test_what_is_saved_comes_back(fitted, tmp_path):
    again = DiffLM.load(fitted.save(tmp_path / "method"))
    assert same(again, fitted) and again.preset == fitted.preset and again.seed == fitted.seed
    assert again.schema == fitted.schema and again.collapse == fitted.collapse
    assert again.histories == fitted.histories
    for options in ({}, {"conditions": {"sex": "f"}}, {"prior": "encoding"}):
        pd.testing.assert_frame_equal(again.table(20, 3, **options), fitted.table(20, 3, **options))


# --- a real model: texts, and rows as JSON -------------------------------------------------------


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


TEXTS = [f"Anna has {i} apples and buys {j}." for i in range(2, 8) for j in (3, 5, 9)]


@pytest.fixture(scope="module")
def writer(lm):
    return quick(lm).fit(TEXTS)


def test_texts_are_learned_through_the_models_tokenizer(lm, writer):
    assert writer.schema is None and writer.latents.shape == (16, 3)
    longest = max(map(len, lm.token_ids(TEXTS))) + 1
    assert writer.fitted.form.codec.length == longest + longest // 4
    rows = writer.sample(2, 0, max_tries=400)
    assert rows.column_names == ["text", "tries", "temperature", "prior", "seed"]
    assert all(text.strip() for text in rows["text"])
    assert writer.sample(2, 0, max_tries=400).to_dict() == rows.to_dict()


def test_the_model_is_left_as_it_was(lm):
    before = lm.fingerprint
    asking = [p.requires_grad for p in lm.model.parameters()]
    lm.model.train()
    quick(lm).fit(TEXTS[:6])
    assert lm.fingerprint == before and lm.model.training
    assert [p.requires_grad for p in lm.model.parameters()] == asking and any(asking)
    lm.model.eval()


def test_texts_that_fail_a_check_are_drawn_anew(writer):
    with pytest.raises(TriesUsedUp, match="of 2 rows are missing after 3 tries each"):
        writer.sample(2, 0, max_tries=3, check=lambda text: False)
    assert set(writer.report) <= {CUT_OFF, UNCHECKED, "empty"}


@pytest.fixture(scope="module")
def reader(lm):
    return quick(lm).fit(TABLE.drop(columns="gain"), target="sex")


def test_a_table_with_a_model_becomes_json(reader):
    assert reader.fitted.form.kind == "json" and reader.schema.target == "sex"
    found = reader.table(30, 0, max_tries=1)
    own = TABLE.drop(columns="gain")
    assert found.dtypes.to_dict() == own.dtypes.to_dict()
    reader.schema.codes(found)  # raises where a value is not one of the table's
    assert reader.report == {"kept": 30}, "with the trie the first try is right"


@pytest.mark.parametrize("conditions", [{"sex": "f"}, {"age": (30, 45), "sex": ["m", None]}])
def test_conditions_of_a_table_with_a_model_hold(reader, conditions):
    found = reader.table(24, 0, conditions=conditions, max_tries=2)
    assert satisfied(reader.schema, found, conditions).all()
    assert set(reader.report) <= {"kept", OFF_LATENT, "settled for"}


def test_an_untrained_model_without_the_trie_writes_no_row(reader):
    with pytest.raises(TriesUsedUp):
        reader.sample(2, 0, max_tries=2, legal=False)
    assert set(reader.report) <= {CUT_OFF, "not JSON", "not an object"}


def test_a_row_of_json_that_does_not_fit_is_refused():
    form = JsonForm(SCHEMA, TextCodec(tiny_tokenizer(), 20))
    with pytest.raises(ValueError, match=r"a row takes .* tokens as JSON, but 20 is the most"):
        form.encode(TABLE)


def test_texts_that_do_not_fit_the_context_are_refused(lm):
    with pytest.raises(ValueError, match="the longest text with its soft tokens takes"):
        quick(lm).fit(["word " * 600] * 4)


def test_a_target_has_no_meaning_for_texts(lm):
    with pytest.raises(ValueError, match="texts have no columns"):
        quick(lm).fit(TEXTS, target="text")
    with pytest.raises(ValueError, match="texts have no columns"):
        make_form(TEXTS, lm, PRESETS["fast"], "text")


def test_a_saved_writer_needs_its_own_model(lm, writer, fitted, tmp_path):
    folder = writer.save(tmp_path / "writer")
    again = DiffLM.load(folder, lm)
    assert same(again, writer)
    assert (
        again.sample(1, 1, max_tries=400).to_dict() == writer.sample(1, 1, max_tries=400).to_dict()
    )
    with pytest.raises(ValueError, match="fitted with llama: give that model as lm"):
        DiffLM.load(folder)
    other = load_lm(tiny_lm(tmp_path / "other", seed=1), device="cpu")
    with pytest.raises(ValueError, match=r"was fitted with llama .*the model given is other"):
        DiffLM.load(folder, other)
    with pytest.raises(ValueError, match="without a model: load it without lm"):
        DiffLM.load(fitted.save(tmp_path / "table"), lm)


# --- sampling under way --------------------------------------------------------------------------


def test_a_log_of_samples_survives_a_torn_line(tmp_path):
    path = tmp_path / "log.jsonl"
    with sample_log(path, "key") as log:
        batch_of(log, 0, 0, [0], lambda: ([[1]], [0.0]))
    with open(path, "a") as handle:
        handle.write('{"tu')
    again = sample_log(path, "key")
    assert batch_of(again, 0, 0, [0], None) == ([[1]], [0.0])
    assert batch_of(again, 0, 4, [4], lambda: ([[2]], [-1.0])) == ([[2]], [-1.0])
    again.close()
    assert len(sample_log(path, "key").entries) == 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10), st.lists(st.floats(-3, 0), min_size=2, max_size=6))
def test_a_slot_is_kept_or_settled_for_and_counted(seed, agreement):
    choice = Choice(lambda drafts: [None] * len(drafts), seed)
    slots = list(range(len(agreement)))
    choice.take(slots, 0, [[i] for i in slots], agreement)
    kept = len(choice.kept)
    choice.settle(len(slots))
    assert sorted(choice.kept) == slots and choice.report["settled for"] == len(slots) - kept
    assert all(choice.kept[i].draft == [i] for i in slots)
    assert sum(each.settled for each in choice.kept.values()) == len(slots) - kept


def test_nothing_is_printed_and_progress_is_shown_only_on_request(capfd):
    two = pd.DataFrame({"a": [1, 2] * 8, "b": ["x", "y"] * 8})
    method = quick().fit(two)
    method.sample(4)
    assert capfd.readouterr() == ("", "")
    method.sample(4, progress=True)
    told = capfd.readouterr().err
    assert "latents" in told and "sample" in told
    quick().fit(two, progress=True)
    told = capfd.readouterr().err
    assert all(phase in told for phase in ("format model", "autoencoder", "diffusion"))
