"""The trie of JSON rows: what is allowed, what walks through it write, and what it refuses."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import constrained_rows, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from synthkit import load_lm
from synthkit.difflm.columns import Category, Date, Number, Ranked
from synthkit.difflm.conditions import codes_for
from synthkit.difflm.json_pieces import JsonPieces
from synthkit.difflm.json_trie import JsonConstraint
from synthkit.difflm.rows import from_json, to_json
from synthkit.difflm.schema import TableSchema

TABLE = pd.DataFrame(
    {
        "age": [3, 39, 17, 90, 48],
        "gain": [0.5, -120.25, None, 77.0, -3.0],
        "place": "here",
        "note": ['say "hi"', "a,b\n{c}", None, "Mäle 😀 , ", '", "age": 3}'],
        "day": pd.to_datetime(["2024-01-01", "2024-02-29", "2023-12-31", None, "2024-01-01"]),
        "ok": [True, False, True, True, False],
    }
)


def like_sentencepiece(own: str) -> PreTrainedTokenizerFast:
    """A BPE that writes spaces as ▁ and puts one in front, as SentencePiece does.

    Args:
        own: "metaspace", which puts none before a text that begins with one and may join digits,
            or "prepend", which always does and never joins any (Llama 2).
    """
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    if own == "metaspace":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        steps = [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")]
    else:
        steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Digits(individual_digits=True)
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        steps.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(steps)
    marks = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=marks, initial_alphabet=list("0123456789"),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(
        ['{"age": 39, "sex": "Male", "ok": true}', '12, "day": -0.25}'], trainer
    )
    state = json.loads(tokenizer.to_str())
    vocab = state["model"]["vocab"]
    for byte in range(256):  # tokens of bytes, for what the training text did not hold
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), eos_token="</s>", unk_token="<unk>"
    )


TOKENIZERS = ("embedded", "bytes", "metaspace", "prepend")


@cache
def tokenizer_of(kind):
    if kind == "embedded":
        return load_lm("embedded").tokenizer
    return tiny_tokenizer() if kind == "bytes" else like_sentencepiece(kind)


def constraint_for(schema, kind="bytes", conditions=None, **options):
    tokenizer = tokenizer_of(kind)
    marks = {"eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id or 0}
    return JsonConstraint(schema, tokenizer, len(tokenizer), conditions, **marks, **options)


def encoded(table, schema, trie, kind="bytes"):
    return JsonPieces(schema, tokenizer_of(kind)).encode(table, eos=trie.eos, pad=trie.pad)


def read(ids, kind="bytes"):
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    return tokenizer_of(kind).batch_decode(ids, **options)


def check_walks(schema, trie, kind, conditions=None, n=24, seed=0):
    """Every walk ends, and writes a row that is valid and meets the conditions."""
    ids = constrained_rows(trie, n, seed)
    assert trie.holds(ids).all()
    for text in read(ids, kind):
        row, reason = from_json(text, schema)
        assert reason is None, (text, reason)
        if conditions:
            constrained_row = pd.DataFrame([row])
            for code, wanted in zip(
                schema.codes(constrained_row)[0], codes_for(schema, conditions)
            ):
                inside = any(low <= code <= high for low, high in wanted.intervals)
                assert inside or (wanted.missing and code < 0), (text, conditions)
    return ids


# --- pieces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["embedded", "bytes"])
def test_a_byte_level_tokenizer_cuts_whole_rows_as_their_pieces(kind):
    """So what a model has read of JSON before is cut as it knows it."""
    schema = TableSchema.infer(TABLE)
    tokenizer = tokenizer_of(kind)
    pieces, codes = JsonPieces(schema, tokenizer), schema.codes(TABLE)
    columns = [pieces.texts(i, codes[:, i]) for i in range(len(schema.columns))]
    for texts in zip(*columns):
        row = "".join(texts)
        assert row == to_json(json.loads(row))
        cut = tokenizer(list(texts), add_special_tokens=False).input_ids
        whole = tokenizer(row, add_special_tokens=False).input_ids
        assert [token for ids in cut for token in ids] == whole


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_rows_read_back_as_the_text_of_to_json(kind):
    schema = TableSchema.infer(TABLE, digits=None)
    trie = constraint_for(schema, kind)
    ids = encoded(TABLE, schema, trie, kind)
    assert read(ids, kind) == [to_json(row) for row in TABLE.to_dict("records")]
    assert trie.holds(ids).all()


def test_numbers_are_rounded_to_what_the_schema_can_tell():
    table = pd.DataFrame({"x": np.float32([0.1, 0.25, 12.34, 56.78]), "y": list("abab")})
    schema = TableSchema.infer(table, digits=2, few=2)
    trie = constraint_for(schema)
    ids = encoded(table, schema, trie)
    found = [json.loads(text)["x"] for text in read(ids)]
    assert trie.holds(ids).all()
    assert found == [0.1, 0.1, 12.0, 56.78], "not 0.10000000149, which lies outside the range"
    assert all(from_json(text, schema)[1] is None for text in read(ids))


# --- valid rows ----------------------------------------------------------------------------------

words = st.text(st.sampled_from([*'ab",\\{}[]:\n\t 3é😀€\u2028']), min_size=0, max_size=6).filter(
    lambda word: word == "" or not word.isspace()
)
names = st.lists(
    st.sampled_from(["a", 'q"', "b, c", "{é", "x\n", "day"]), min_size=2, max_size=4, unique=True
)
columns = st.sampled_from(["word", "int", "float", "date", "bool", "constant", "empty"])


@st.composite
def tables(draw_from):
    n = draw_from(st.integers(3, 8))
    table = {}
    for i, name in enumerate(draw_from(names)):
        kind = draw_from(columns) if i else "word"
        entry = {
            "word": words,
            "int": st.integers(-150, 150),
            "float": st.integers(-999, 999).map(lambda v: v / 100),
            "date": st.integers(0, 500).map(
                lambda d: pd.Timestamp("2023-12-01") + pd.Timedelta(days=d)
            ),
            "bool": st.booleans(),
            "constant": st.just("so it is"),
            "empty": st.none(),
        }[kind]
        may_miss = st.one_of(entry, entry, st.none()) if draw_from(st.booleans()) else entry
        values = draw_from(st.lists(may_miss, min_size=n, max_size=n))
        if i == 0:
            values[:2] = ["it varies", 'to "two"']
        table[name] = pd.Series(values, dtype=None if kind in ("int", "float", "date") else object)
    return pd.DataFrame(table)


@pytest.mark.filterwarnings("ignore:column .* misses every entry")
@pytest.mark.parametrize("kind", TOKENIZERS)
@given(table=tables(), data=st.data())
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
def test_rows_of_any_table_are_valid_and_walks_are_rows(kind, table, data):
    schema = TableSchema.infer(table, few=4)
    trie = constraint_for(schema, kind)
    ids = encoded(table, schema, trie, kind)
    assert trie.holds(ids).all()
    for t in range(ids.shape[1]):
        assert trie.allowed(ids[:, :t]).gather(1, ids[:, t : t + 1]).all(), t
    check_walks(schema, trie, kind, n=8)
    codes = schema.codes(table)
    i, row = (data.draw(st.integers(0, n - 1)) for n in (len(schema.names), len(table)))
    name = schema.names[i]
    value = table[name].iloc[row]
    wanted = constraint_for(schema, kind, {name: None if pd.isna(value) else value})
    same = codes[:, i] == codes[row, i]
    assert (wanted.holds(ids).numpy() == same).all(), "those with this value, and no other"
    check_walks(schema, wanted, kind, {name: None if pd.isna(value) else value}, n=4)


def test_the_mask_by_hand():
    table = pd.DataFrame({"n": [3, 39, 4] * 20, "w": ["a", None, "b"] * 20})
    trie = constraint_for(TableSchema.infer(table))
    tokenizer = tokenizer_of("bytes")

    def after(text):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        mask = trie.allowed(torch.tensor([ids], dtype=torch.long).reshape(1, -1))
        return sorted(tokenizer.convert_ids_to_tokens(mask[0].nonzero()[:, 0].tolist()))

    assert after("") in (["{"], ['{"'])
    assert after('{"n": ') == ["3", "4"]
    assert after('{"n": 3') == [",", "9"], "3 ends here, 39 goes on"
    assert after('{"n": 5') == [] and after('{"n": 33') == []
    assert after('{"n": 39, "w"') == [":"]
    assert after('{"n": 39, "w": null}') == ["<eos>"]
    assert trie.count() == 9


def test_conditions_restrict_each_column():
    schema = TableSchema.infer(TABLE, few=2)
    conditions = {
        "age": (17, 48),
        "note": {None, 'say "hi"'},
        "ok": True,
        "day": ("2024-01-01", None),
    }
    trie = constraint_for(schema, conditions=conditions)
    check_walks(schema, trie, "bytes", conditions)
    ids = encoded(TABLE, schema, trie)
    assert not trie.holds(ids).any()
    one = conditions | {"age": 3, "note": None}
    assert trie.count() == 32 * 2 * constraint_for(schema, conditions=one).count()
    with pytest.raises(ValueError, match="nothing satisfies the condition 'age'"):
        constraint_for(schema, conditions={"age": 1000})


def test_after_the_row_only_its_end_and_after_that_only_padding():
    schema = TableSchema.infer(TABLE)
    trie = constraint_for(schema)
    ids = encoded(TABLE, schema, trie)
    end = (ids == trie.eos).int().argmax(1)
    for row, place in zip(ids, end):
        row = row[None]
        assert trie.allowed(row[:, :place]).nonzero()[:, 1].tolist() == [trie.eos]
        assert trie.allowed(row[:, : place + 1]).nonzero()[:, 1].tolist() == [trie.pad]
        more = torch.cat([row[:, : place + 1], torch.full((1, 2), trie.pad)], 1)
        assert trie.holds(more).all() and trie.allowed(more)[0, trie.pad]
        assert not trie.holds(row[:, :place]).any(), "a row without its end"
        more[0, -1] = ids[0, 0]
        assert not trie.holds(more).any() and not trie.allowed(more).any()
    assert not trie.holds(torch.tensor([[-100], [10**6]])).any()
    assert trie.holds(ids[:, :0]).tolist() == [False] * len(ids)


def test_many_prefixes_at_once_and_in_any_order_are_as_one_at_a_time():
    schema = TableSchema.infer(TABLE)
    trie = constraint_for(schema)
    ids = encoded(TABLE, schema, trie)
    for t in [0, 1, 2, 3, 7, 8, 9, 9, 4, 5]:
        alone = torch.cat([constraint_for_walk(trie, row[None, :t]) for row in ids])
        assert (trie.allowed(ids[:, :t]) == alone).all(), t
    buffer = ids.clone()
    trie.allowed(buffer[:, :4])
    buffer[:, :4] = ids.flip(0)[:, :4]  # the same tensor, with other rows in it
    assert (trie.allowed(buffer[:, :5]) == constraint_for_walk(trie, buffer[:, :5])).all()
    assert (trie.allowed(ids[:2, :6]) == constraint_for_walk(trie, ids[:2, :6])).all(), "fewer rows"


def constraint_for_walk(trie, prefix):
    """What may follow, from the root on."""
    return trie.after(trie.walk(prefix))


def test_what_the_tokenizer_cannot_write_is_refused():
    table = pd.DataFrame({"w": ["a▁b", "a b", "c"], "n": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"column 'w': the tokenizer cannot write .*a▁b"):
        constraint_for(TableSchema.infer(table), "metaspace")
    plain = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    plain = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", eos_token="a")
    with pytest.raises(ValueError, match="cannot write JSON piece by piece"):
        JsonPieces(TableSchema.infer(TABLE), plain)
    with pytest.raises(ValueError, match="no rows to encode"):
        encoded(TABLE[:0], TableSchema.infer(TABLE), constraint_for(TableSchema.infer(TABLE)))
    with pytest.raises(ValueError, match="'age' is not in the vocabulary"):
        JsonConstraint(TableSchema.infer(TABLE), tokenizer_of("bytes"), 20, eos=2, pad=0)


# --- more values than are listed -----------------------------------------------------------------


def every_row(trie):
    """All valid rows, by walking the whole trie."""
    onward = {}
    for key, child in zip(trie._keys.tolist(), trie._children.tolist()):
        onward.setdefault(key // trie.vocab_size, []).append((key % trie.vocab_size, child))
    rows, ahead = [], [(0, ())]
    while ahead:
        node, row = ahead.pop()
        if node == trie._done:
            rows.append(row)
        else:
            ahead += [(child, (*row, token)) for token, child in onward[node]]
    return rows


WIDE = {
    "whole": Number("n 5", -1234, 789, 0, integer=True, dtype="int64"),
    "whole, coarse": Number("n", -12345, 98765, 2, integer=True, missing=True),
    "ends on no grid": Number("n", -1234.5, 789.25, 0, missing=True),
    "fractions": Number("n", -1.234, 0.789, -3),
    "narrow": Number("n", 95.12, 130.07, -2, dtype="float32"),
    "tiny": Number("n", -0.0123, 0.0007, -5),
    "minutes": Date("d", "2024-01-01", 60_000_000, 100, 3333),
    "seconds": Date("d", "2024-01-01", 1_000_000, 86_000, 88_888, "%Y-%m-%dT%H:%M:%SZ",
                    missing=True, dtype="str"),
    "hours": Date("d", "2023-12-31", 3_600_000_000, 5, 3000, dtype="datetime64[us, UTC]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["embedded", "prepend"])
@pytest.mark.parametrize("name", WIDE)
def test_open_digits_allow_the_same_rows_as_a_list(name, kind):
    schema = TableSchema((WIDE[name],))
    listed, spelled = constraint_for(schema, kind), constraint_for(schema, kind, most=400)
    rows = every_row(spelled)
    assert len(rows) == len(set(rows)) == spelled.count() == listed.count()
    assert set(rows) == set(every_row(listed))
    assert spelled.nodes < listed.nodes / 2 and spelled.length == listed.length
    for text in read([list(row[:-1]) for row in rows[::7]], kind):
        assert from_json(text, schema)[1] is None, text


@given(st.integers(-30_000, 30_000), st.integers(100, 1500), st.integers(-5, 3), st.booleans(),
       st.data())  # fmt: skip
@settings(deadline=None, max_examples=20)
def test_open_digits_of_any_grid(low, size, exponent, missing, data):
    integer = exponent >= 0 and data.draw(st.booleans())
    high = low + size

    def scale(code):
        return code * 10**exponent if exponent >= 0 else code / 10**-exponent

    column = Number("n", scale(low), scale(high), exponent, integer=integer, missing=missing)
    schema = TableSchema((column,))
    ends = sorted(data.draw(st.lists(st.integers(low, high), min_size=2, max_size=2)))
    conditions = {"n": tuple(map(scale, ends))} if data.draw(st.booleans()) else None
    listed = constraint_for(schema, "prepend", conditions)
    spelled = constraint_for(schema, "prepend", conditions, most=120)
    assert sorted(every_row(listed)) == sorted(every_row(spelled))


def test_a_table_of_endless_grids_is_small():
    columns = (
        Number("price", -123456.78, 987654321.12, -4),
        Date("at", "2020-01-01", 1_000_000, 100, 200_000_000),
        Category("w", ("a", "b")),
    )
    schema = TableSchema(columns)
    trie = constraint_for(schema, "embedded")
    assert trie.count() > 10**18 and trie.nodes < 1000
    check_walks(schema, trie, "embedded")
    conditions = {"price": (-5.5, 1e6), "at": ("2021-05-05", "2021-05-06 12:00:01"), "w": "a"}
    check_walks(schema, constraint_for(schema, "embedded", conditions), "embedded", conditions)


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
def test_digits_that_the_tokenizer_joins_are_refused(kind):
    schema = TableSchema((Number("price", 0, 12_345_678, 0, integer=True, dtype="int64"),))
    with pytest.raises(ValueError, match=r"'price' has 12,345,679 valid values.*smaller `digits`"):
        constraint_for(schema, kind)


@pytest.mark.parametrize(
    "column",
    [
        Category("w", tuple(f"w{i}" for i in range(30))),
        Ranked("w", tuple(range(0, 90, 3)), True, dtype="int64"),
        Date("w", "2024-01-01", 1_000, 0, 10**8),
        Number("w", 0.0, 1e-6, -14),
    ],
)
def test_what_has_no_open_digits_is_refused_beyond_the_list(column):
    with pytest.raises(ValueError, match=r"'w' has .* valid values\. More than 20 are"):
        constraint_for(TableSchema((column,)), "embedded", most=20)
