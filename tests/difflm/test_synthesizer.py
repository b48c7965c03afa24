"""DiffLM beyond the contract: presets, forms, the weight of a wish, tries, tables and texts."""

import json
import math
import warnings
from collections import Counter
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm, tiny_tokenizer
from torch import nn

from synthkit.core.reports import TooFewRows
from synthkit.difflm import DiffLM, DiffLMPreset, fitting
from synthkit.difflm import synthesizer as module
from synthkit.difflm.columns import Number, Ranked
from synthkit.difflm.drafts import UNCHECKED, UNMET, judge, repeats
from synthkit.difflm.fitting import Fitted, split, target_labels
from synthkit.difflm.forms import (
    CUT_OFF,
    JsonForm,
    RowForm,
    TextForm,
    make_form,
    read_material,
    satisfied,
)
from synthkit.difflm.presets import PRESETS, with_changes
from synthkit.difflm.rows import to_json
from synthkit.difflm.schema import TableSchema
from synthkit.difflm.synthesizer import (
    OFF_LATENT,
    PRIORS,
    RejectionSampler,
    SampleRequest,
    collect,
    draw_latents,
    log_agreement,
)
from synthkit.difflm.text_codec import TextCodec
from synthkit.lm import load_lm

# --- presets -------------------------------------------------------------------------------------


def test_changes_find_the_part_they_belong_to():
    changes = {"latent": 8, "autoencoder_steps": 3, "diffusion_steps": 5, "format_width": 32}
    made = with_changes("fast", {**changes, "batch": 7, "diffusion": {"hidden": 11}})
    assert (made.autoencoder.latent, made.autoencoder.steps) == (8, 3)
    assert (made.diffusion.steps, made.diffusion.hidden, made.format.width) == (5, 11, 32)
    fast = PRESETS["fast"]
    assert made.batch == 7 != fast.batch and made.digits == fast.digits
    assert made.diffusion.blocks == fast.diffusion.blocks and fast.autoencoder.latent != 8
    part = PRESETS["study"].diffusion
    assert with_changes("fast", {"diffusion": part}).diffusion == part
    assert DiffLMPreset(**json.loads(json.dumps(asdict(made)))) == made, "through JSON"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 3}, "steps of which part.*format_steps, autoencoder_steps or diffusion_steps"),
        ({"width": 8}, "Say format_width or autoencoder_width"),
        ({"diffusion_colour": 1}, "DiffLM has no option diffusion_colour"),
        ({"diffusion": {"colour": 1}}, "DiffLM has no option colour in diffusion"),
        ({"format_steps": 0}, "steps must be positive"),
        ({"diffusion_accumulation": 2}, "set autoencoder_accumulation"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"max_tries": 0}, "max_tries must be at least 1"),
        ({"ranks": 1}, "ranks must be 2 or more"),
        ({"validation_share": 1.0}, r"validation_share must lie in \[0, 1\), got 1.0"),
    ],
)
def test_impossible_values_are_refused_before_any_work(change, message):
    with pytest.raises(ValueError, match=message):
        DiffLM(**change)


# --- material and forms --------------------------------------------------------------------------


def test_texts_come_as_a_list_or_in_a_column_when_a_model_can_write_them():
    rows = [{"a": i % 3, "text": f"line {i}"} for i in range(30)]
    texts = [row["text"] for row in rows]
    for data in (texts, pd.DataFrame(rows), rows):
        assert read_material(data, texts=True) == texts
    plain = pd.DataFrame(rows)[["a"]]
    assert read_material(plain, texts=True) is plain
    with pytest.raises(ValueError, match="texts need a language model"):
        read_material(texts, texts=False)


@given(st.integers(2, 60), st.floats(0, 0.99), st.integers(0, 5))
def test_the_split_loses_nothing_and_leaves_two_to_learn_from(n, share, seed):
    train, aside = split(n, share, seed)
    assert sorted([*train, *aside]) == list(range(n)) and len(train) >= 2
    assert abs(len(aside) - share * n) <= 1 or len(train) == 2
    assert (np.diff(train) > 0).all() and (np.diff(aside) > 0).all()


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
CONDITIONS = [
    {"sex": "f"},
    {"sex": None},
    {"age": (30, 45)},
    {"age": {20, 59}, "sex": {"f", None}},
    {"gain": (None, 0)},
    {"one": "same"},
]


@pytest.fixture(scope="module", params=["rows", "json"])
def form(request):
    codec = TextCodec(tiny_tokenizer(), 200)
    return RowForm(SCHEMA) if request.param == "rows" else JsonForm(SCHEMA, codec)


def test_a_table_survives_its_form(form):
    drafts = form.drafts(form.encode(TABLE))
    assert judge(form, drafts) == [None] * len(TABLE)
    pd.testing.assert_frame_equal(form.frame(drafts), TABLE)
    assert len(form.frame([])) == 0 and list(form.frame([]).columns) == list(TABLE.columns)


@pytest.mark.parametrize("conditions", CONDITIONS, ids=" and ".join)
def test_both_forms_turn_away_the_same_rows(form, conditions):
    reasons = judge(form, form.drafts(form.encode(TABLE)), conditions)
    met = satisfied(SCHEMA, TABLE, conditions)
    assert reasons == [None if good else UNMET for good in met]
    assert 0 < met.sum() and (met.all() == (conditions == {"one": "same"}))


def test_tests_are_asked_about_rows_that_are_good_so_far(form):
    asked = []

    def too_young(row):
        asked.append(row)
        return row["age"] <= 30

    drafts = form.drafts(form.encode(TABLE[:6]))
    reasons = judge(form, drafts, {"sex": {"f", "m"}}, [(UNCHECKED, too_young)])
    assert reasons == [UNCHECKED, None, UNMET, None, UNCHECKED, None]
    assert len(asked) == 5 and set(asked[0]) == set(TABLE.columns)


def test_a_row_is_repeated_whatever_container_holds_it(form):
    rows = form.rows(form.drafts(form.encode(TABLE[:6])))
    known = TABLE[:2].astype({"age": float})
    for held_out in (known, known.to_dict("records")):
        assert [repeats(form, held_out)(row) for row in rows] == [True, True, *[False] * 4]
    with pytest.raises(ValueError, match="held_out lacks sex"):
        repeats(form, TABLE.drop(columns="sex"))


def test_reasons_of_drafts_that_are_no_row():
    rows_form = RowForm(SCHEMA)
    ids = rows_form.encode(TABLE[:3])
    ids[1, 0] = rows_form.codec.eos
    reasons = judge(rows_form, rows_form.drafts(ids))
    assert reasons == [None, "age: a token of another column", None]
    codec = TextCodec(tiny_tokenizer(), 200)
    good = to_json(TABLE.to_dict("records")[0])
    texts = [good, good.replace("20", "99"), good[:-1], "[1]", good.replace('"f"', '"?"')]
    drafts = codec.tokenizer(texts, add_special_tokens=False).input_ids
    drafts = [*([*ids, codec.eos] for ids in drafts), drafts[0]]
    assert judge(JsonForm(SCHEMA, codec), drafts) == [
        None, "age: outside the range", "not JSON", "not an object", "sex: unknown value", CUT_OFF,
    ]  # fmt: skip


def test_texts_are_kept_when_they_end_and_say_something():
    form = TextForm(TextCodec(tiny_tokenizer(), 50))
    drafts = form.drafts(form.encode(["A short one.", " ", "no", "Anna"]))
    drafts[2] = drafts[2][:-1]
    assert judge(form, drafts) == [None, "empty", CUT_OFF, None]
    assert judge(form, drafts, tests=[("long", lambda text: "short" not in text)])[3] == "long"
    assert form.frame(drafts)["text"].tolist() == ["A short one.", " ", "no", "Anna"]
    with pytest.raises(ValueError, match="texts have no columns for the conditions"):
        SampleRequest(form, {"a": 1})
    assert SampleRequest(form).wanted is None


def test_a_column_of_words_and_numbers_is_refused_before_any_training():
    for values, kinds in (([1, "a"] * 5, "numbers and words"), ([True, 2], "numbers and truth")):
        frame = pd.DataFrame({"x": values, "y": ["b", "c"] * (len(values) // 2)})
        with pytest.raises(ValueError, match=f"column 'x' holds {kinds}.*astype"):
            DiffLM().fit(frame)


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

    def probabilities(self, z, place):
        field, table = self.codec.fields[place], (COAT, GLOVES)[place]
        p = torch.full((len(z), self.codec.vocab_size), self.slip / (self.codec.vocab_size - 2))
        yes = torch.tensor([table[int(sign)] for sign in z[:, 0].sign().tolist()])
        p[:, field.first] = (1 - self.slip) * (1 - yes)
        p[:, field.first + 1] = (1 - self.slip) * yes
        return p

    def logits(self, ids, z):
        return torch.stack([self.probabilities(z, place) for place in range(2)], 1).log()

    def generate(self, z, *, constraint=None, temperature=1.0, seed=0):
        self.calls += 1
        generator, ids = torch.Generator().manual_seed(seed), torch.zeros(len(z), 0).long()
        for place in range(2):
            p = self.probabilities(z, place) ** (1 / temperature if temperature else 99)
            if constraint is not None:
                p = p * constraint.allowed(ids)
            ids = torch.cat([ids, torch.multinomial(p, 1, generator=generator)], 1)
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
    method._state = Fitted(form, Wardrobe(form.codec, slip), Made(), torch.ones(3, 1), None, {})
    return method


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_weight_turns_forced_rows_into_rows_of_the_model(sign, temperature):
    """For every row that satisfies: (its probability when forced) x w = its own probability."""
    codec = RowForm(TableSchema.infer(SEASONS)).codec
    ids = codec.encode(SEASONS[:4])
    model, z = Wardrobe(codec, 0.1), torch.full((4, 1), float(sign))
    logits, free = model.logits(ids, z), codec.constraint()
    for conditions in ({"coat": "yes"}, {"gloves": "no"}, {"coat": "yes", "gloves": "yes"}):
        wanted = codec.constraint(conditions)

        def log_p(constraint):
            total = torch.zeros(4)
            for t in range(2):
                scores = (logits[:, t] / temperature).masked_fill(
                    ~constraint.allowed(ids[:, :t]), -1e9
                )
                total += scores.log_softmax(1).gather(1, ids[:, t : t + 1])[:, 0]
            return total

        met = wanted.holds(ids)
        weight = log_agreement(logits, ids, wanted, free, temperature)
        torch.testing.assert_close(
            (log_p(wanted) + weight)[met].float(), log_p(free)[met], atol=1e-5, rtol=0
        )
        assert met.any() and (weight < 0).all()


def test_conditions_give_the_conditional_distribution_and_the_count_is_told():
    method = dressed()
    found = method.table(4000, conditions={"coat": "yes"})
    assert set(found.coat) == {"yes"}
    truth = (0.9 * 0.8 + 0.1 * 0.05) / (0.9 + 0.1)
    assert abs((found.gloves == "yes").mean() - truth) < 4 * math.sqrt(truth * (1 - truth) / 4000)
    assert set(method.report.rejected) == {OFF_LATENT}
    asked = 4000 + method.report.rejected[OFF_LATENT]
    assert abs(4000 / asked - 0.5) < 0.03  # P(coat)
    once = method.table(2000, conditions={"coat": "yes"}, max_tries=1)
    assert set(once.coat) == {"yes"} and len(once) == 2000, "the best of the tries is settled for"
    assert method.report.facts["settled for"] == method.report.rejected[OFF_LATENT] > 0
    alike = method.table(60, check=lambda row: row["coat"] == row["gloves"])
    assert (alike.coat == alike.gloves).all()


def test_free_sampling_under_conditions_agrees_with_the_trie_and_counts_its_tries():
    method, wish = dressed(slip=0.2), {"coat": "yes"}
    free = method.sample(3000, seed=2, conditions=wish, constrained=False, max_tries=200)
    assert set(free["coat"]) == {"yes"}
    assert abs(np.mean(np.array(free["gloves"]) == "yes") - 0.725) < 0.04
    rejected = method.report.rejected
    assert rejected[UNMET] > 0 and OFF_LATENT not in rejected
    assert any("another column" in why for why in rejected)
    assert sum(free["tries"]) == 3000 + rejected.total()


# --- tries ---------------------------------------------------------------------------------------


def test_collect_redraws_only_what_was_turned_away():
    seen, rejected = [], Counter()

    def decode(batch):
        seen.append((batch.turn, batch.start, batch.slots, batch.n_open))
        drafts = [[batch.turn, batch.start + i] for i in range(len(batch.slots))]
        return drafts, [0.0] * len(drafts)

    def judged(drafts):
        return [None if turn or i % 2 else "odd" for turn, i in drafts]

    kept = collect(5, decode, RejectionSampler(judged, 0, rejected), batch_size=2)
    assert [each.draft for each in kept] == [[1, 0], [0, 1], [1, 1], [0, 3], [1, 2]]
    assert [each.tries for each in kept] == [2, 1, 2, 1, 2] and rejected == {"odd": 3}
    assert seen == [
        (0, 0, [0, 1], 5), (0, 2, [2, 3], 5), (0, 4, [4], 5), (1, 0, [0, 2], 3), (1, 2, [4], 3),
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10), st.lists(st.floats(-3, 0), min_size=2, max_size=6))
def test_a_slot_is_kept_or_settled_for(seed, agreement):
    sampler = RejectionSampler(lambda drafts: [None] * len(drafts), seed, Counter())
    slots = list(range(len(agreement)))
    kept = collect(len(slots), lambda batch: ([[i] for i in slots], agreement), sampler, tries=1)
    assert [each.draft for each in kept] == [[i] for i in slots]
    settled = [i for i in slots if kept[i].settled]
    assert sorted([*sampler.accepted, *settled]) == slots
    assert sampler.rejected.total() == len(settled)


# --- a sample that goes on -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4}, {"n": 99}, {"temperature": 0.5}, {"prior": "normal"}, {"constrained": False},
        {"conditions": {"coat": "yes"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_of_another_sample_is_refused(tmp_path, other):
    path, asked = tmp_path / "s.jsonl", {"n": 100, "seed": 3}
    dressed().sample(**asked, checkpoint=path)
    with pytest.raises(ValueError, match="holds the drafts of a sample of DiffLM with other"):
        dressed().sample(**{**asked, **other}, checkpoint=path)


def test_a_checkpoint_of_another_check_is_refused(tmp_path):
    asked = {"n": 60, "seed": 3, "checkpoint": tmp_path / "c.jsonl"}
    dressed(batch=8).sample(**asked, check=lambda row: row["coat"] == "yes")
    with pytest.raises(ValueError, match="another check"):  # other slots were drawn anew
        dressed(batch=8).sample(**asked, check=lambda row: row["coat"] == "no")
    whole = dressed(batch=8).sample(60, seed=3)  # without a check, the first drafts are the sample
    assert dressed(batch=8).sample(**asked).to_dict() == whole.to_dict()


def test_conditions_in_another_order_are_the_same_sample(tmp_path):
    path = tmp_path / "s.jsonl"
    wanted = [{"coat": {"yes", "no"}, "gloves": "yes"}, {"gloves": ["yes"], "coat": ["no", "yes"]}]
    rows = [dressed().sample(9, conditions=each, checkpoint=path) for each in wanted]
    assert rows[0].to_dict() == rows[1].to_dict()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "best"}, "prior must be one of diffusion, normal, encoding; got 'best'"),
        ({"temperature": -1}, "temperature must be 0 or more, got -1"),
        ({"temperature": math.nan}, "temperature must be 0 or more, got nan"),
        ({"max_tries": 0}, "max_tries must be at least 1"),
        ({"conditions": {"coat": "maybe"}}, "nothing satisfies the condition 'coat': 'maybe'"),
        ({"conditions": {"hat": "yes"}}, "no column 'hat'"),
        ({"held_out": [{"coat": "yes"}]}, "held_out lacks gloves"),
    ],
)
def test_impossible_samples_are_refused(options, message):
    method = dressed()
    with pytest.raises(ValueError, match=message):
        method.sample(3, **options)
    assert method.fitted.autoencoder.calls == 0


# --- fitting a table -----------------------------------------------------------------------------

SHORT = {"steps": 6, "eval_every": 3}
QUICK = {
    "format": SHORT | {"width": 32, "hints": 2}, "batch": 16,
    "autoencoder": SHORT | {"latent": 3, "tokens": 2, "width": 32, "layers": 1},
    "diffusion": SHORT | {"hidden": 16, "sample_steps": 4},
}  # fmt: skip


def quick(lm=None, **changes):
    return DiffLM(lm, **{"preset": "fast", **QUICK, **changes})


@pytest.fixture(scope="module")
def fitted():
    """One fitted method; tests read it and never change it."""
    return quick().fit(TABLE, target="sex")


def same(one, other):
    """Tell whether two methods have learned the same, to the last bit."""
    return one.fitted.digest() == other.fitted.digest()


@pytest.mark.parametrize("prior", PRIORS)
def test_every_row_of_an_untrained_model_is_valid_with_the_trie(fitted, prior):
    found = fitted.table(40, seed=1, prior=prior)
    assert found.dtypes.to_dict() == TABLE.dtypes.to_dict()
    SCHEMA.codes(found)  # raises where a value is not one of the table's
    assert set(found.one) == {"same"}


@pytest.mark.parametrize("conditions", CONDITIONS, ids=" and ".join)
def test_conditions_hold_in_every_row(fitted, conditions):
    found = fitted.table(24, conditions=conditions, max_tries=2)
    assert satisfied(SCHEMA, found, conditions).all()


def test_labels_that_do_not_fit_the_rows_are_left_out():
    """A text that is no row is lost; the report on collapse then does without the labels."""
    table = TABLE[["one"]].assign(sex=["f", "m"] * 30)
    form = JsonForm(TableSchema.infer(table, "sex"), TextCodec(tiny_tokenizer(), 60))
    ids = form.encode(table)
    assert target_labels(form, ids) == ["f", "m"] * 30
    ids[0, 1] = form.codec.eos
    assert target_labels(form, ids) is None


def test_another_fit_may_use_the_same_decoder(lm, fitted, tmp_path, monkeypatch):
    decoder = fitted.fitted.decoder
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "format_model", None)  # it is not trained again
        again = quick().fit(TABLE, target="sex", decoder=decoder, checkpoint=tmp_path / "fit")
        assert same(again, fitted), "as if it had trained its own"
        other = quick(kind="memory").fit(TABLE, target="sex", decoder=decoder)
    assert other.fitted.decoder is decoder and not same(other, fitted)
    with pytest.raises(ValueError, match=r"belongs to other rows: .* pass the decoder of a fit"):
        quick().fit(TABLE, decoder=lm.model)
    with pytest.raises(TypeError, match=r"found DiffLM; pass fitted\.decoder"):
        quick().fit(TABLE, decoder=fitted)
    with pytest.raises(ValueError, match="leave decoder= out"):
        quick(lm).fit(TEXTS, decoder=decoder)


def test_columns_cost_what_the_autoencoder_says(writer, fitted):
    costs = fitted.column_nats(TABLE[::-1])
    form, coder = fitted.fitted.form, fitted.fitted.autoencoder
    ids = form.encode(TABLE[::-1])
    assert costs.shape == (len(form.codec.fields), 2) and (costs > 0).all(axis=None)
    expected = coder.reconstruction(ids, coder.encode(ids)[0])
    assert costs["own latent"].sum() == pytest.approx(float(expected.mean()), rel=1e-4)
    with pytest.raises(TypeError, match="have no columns of tokens"):
        writer.column_nats(TABLE)


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
    found = method.table(20)
    assert found.dtypes.to_dict() == frame.dtypes.to_dict() and found["empty"].isna().all()
    assert found["day"].between("2020-01-01", frame["day"].max()).all()
    assert found["price"].between(0.5, 99.5).all() and set(found["one"]) == {7}
    rows = method.sample(5, conditions={"yes": True, "price": (10, 60)})
    assert set(rows["yes"]) == {True} and all(10 <= price <= 60 for price in rows["price"])
    assert method.fitted.collapse.probe is None  # the target has more than two values


def test_numbers_are_ranks_without_a_model_and_stay_so_when_saved(lm, tmp_path):
    frame = pd.DataFrame({"price": np.linspace(0.5, 99.5, 48), "yes": [True, False] * 24})
    method = quick(ranks=10).fit(frame)
    schema = method.fitted.schema
    assert isinstance(schema["price"], Ranked) and len(schema["price"].ranks) == 10
    again = DiffLM.load(method.save(tmp_path / "made"))
    assert again.table(5).equals(method.table(5)) and again.fitted.schema == schema
    assert set(method.table(40)["price"]) <= set(frame["price"])
    for model, kind in ((None, Ranked), (lm, Number)):
        assert isinstance(make_form(frame, model, PRESETS["fast"]).schema["price"], kind)


# --- a real model: texts, and rows as JSON -------------------------------------------------------


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "llama"), device="cpu")


TEXTS = [f"Anna has {i} apples and buys {j}." for i in range(2, 8) for j in (3, 5, 9)]


@pytest.fixture(scope="module")
def writer(lm):
    return quick(lm).fit(TEXTS)


def test_texts_are_learned_through_the_models_tokenizer(lm, writer):
    assert writer.fitted.schema is None and writer.fitted.latents.shape == (16, 3)
    longest = max(map(len, lm.token_ids(TEXTS))) + 1
    assert writer.fitted.form.codec.length == longest + longest // 4
    rows = writer.sample(2, max_tries=400)
    assert rows.column_names[:3] == ["text", "prior", "tries"] and set(rows["model"]) == {lm.name}
    assert all(text.strip() for text in rows["text"])


@pytest.fixture(scope="module")
def reader(lm):
    return quick(lm).fit(TABLE.drop(columns="gain"), target="sex")


def test_a_table_with_a_model_becomes_json(reader):
    assert reader.fitted.form.kind == "json" and reader.fitted.schema.target == "sex"
    found = reader.table(30, max_tries=1)
    assert found.dtypes.to_dict() == TABLE.drop(columns="gain").dtypes.to_dict()
    reader.fitted.schema.codes(found)  # raises where a value is not one of the table's
    assert not reader.report.rejected, "with the trie the first try is right"
    wish = {"age": (30, 45), "sex": ["m", None]}
    found = reader.table(24, conditions=wish, max_tries=2)
    assert satisfied(reader.fitted.schema, found, wish).all()
    assert set(reader.report.rejected) <= {OFF_LATENT}
    with warnings.catch_warnings(), pytest.raises(TooFewRows):
        reader.sample(2, max_tries=2, constrained=False, strict=True)
    assert set(reader.report.rejected) <= {CUT_OFF, "not JSON", "not an object"}


def test_texts_and_rows_that_do_not_fit_are_named_or_left_out(lm):
    form = JsonForm(SCHEMA, TextCodec(tiny_tokenizer(), 20))
    with pytest.raises(ValueError, match=r"a row takes .* tokens as JSON, but 20 is the most"):
        form.encode(TABLE)
    long = [*TEXTS, "word " * 600]
    with pytest.raises(ValueError, match=r"row 18 \(from 0\) is .* tokens long, and .* fit"):
        quick(lm).fit(long)
    with pytest.warns(UserWarning, match="1 of 19 rows are left out"):
        assert len(quick(lm).fit(long, too_long="skip").fitted.latents) == 16
    with pytest.raises(ValueError, match=r"row 1 \(from 0\) is .* tokens long"):
        quick(lm).fit([{"a": "x", "b": 1}, {"a": "word " * 600, "b": 2}] * 3)
    with pytest.raises(ValueError, match="texts have no columns"):
        quick(lm).fit(TEXTS, target="text")
