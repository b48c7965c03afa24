"""Checks of lesson 50: lengths of rows, minus zero, columns in any order, conditions, digits."""

from __future__ import annotations

import numpy as np

from .checks import close


def exercise_1(lengths, lesson):
    """Tokens of a row with pieces of 1, 2 and 3 digits."""
    found = [lengths[piece] for piece in (1, 2, 3)]
    wanted = [lesson.RowCodec(lesson.schema, piece=piece).length for piece in (1, 2, 3)]
    if found == wanted:
        return None
    if found == [n - 1 for n in wanted]:
        return "one token is missing in each: a gain has a sign, and it is a token of its own."
    if found == [n + 1 for n in wanted]:
        return "one token too many in each: a column that never varies takes none."
    if found[0] == wanted[0] and found[2] < wanted[2]:
        return "five digits in pieces of two are three pieces: the last one is half empty."
    return f"with piece=1 there are {wanted[0]} tokens: 1 + 2 + (1 + 5) + 2, and not {found[0]}."


def exercise_2(minus, lesson):
    """Tokens that would spell minus zero."""
    plus = lesson.codec.encode(lesson.people.assign(gain=0.0))[:1]
    if tuple(minus.shape) != tuple(plus.shape):
        return f"one row of tokens is asked for, {tuple(plus.shape)}, and not {tuple(minus.shape)}."
    if bool((minus == plus).all()):
        return "this is plus zero: -0.0 is written as 0, so the sign has to be set by hand."
    (gain,) = (field for field in lesson.lay_out(lesson.schema) if field.column.name == "gain")
    changed = (minus != plus)[0].nonzero()[:, 0].tolist()
    if any(not gain.start <= place < gain.start + gain.width for place in changed):
        return "another column has changed; only the gain may."
    if changed != [gain.start]:
        return (
            "digits have changed as well, so it is no zero; set the first token, the sign, alone."
        )
    sign = lesson.codec.encode(lesson.people.assign(gain=-1.0))[0, gain.start]
    if minus[0, gain.start] != sign:
        return "the first token is no minus: look it up in a row with a negative gain."


def exercise_3(first_tokens, lesson):
    """The tokens that may begin a column not yet written."""
    import torch

    codec, real = lesson.census_codec, lesson.real

    def wanted(used):
        mask = torch.zeros(1, codec.vocab_size, dtype=torch.bool)
        for part, field in zip(codec.constraint().parts, codec.fields):
            if field.column.name not in used:
                part.fill(mask, torch.zeros(1, 0, dtype=torch.long))
        return mask

    names = [field.column.name for field in codec.fields]
    last = codec.fields[-1].start
    start, later = first_tokens(codec, []), first_tokens(codec, real[0, last:].tolist())
    if tuple(start.shape) != (1, codec.vocab_size) or start.dtype != torch.bool:
        return f"a bool mask of shape {(1, codec.vocab_size)} is asked for."
    if bool((start == later).all()):
        return "a column that is written can be written again: leave out those in `row`."
    if int(start.sum()) <= int(wanted(names[1:]).sum()):
        return "only the first column may begin: in a free order each of them may."
    if not bool((start == wanted([])).all()):
        return "at the start, the first tokens of all the columns are allowed, and no others."
    if not bool((later == wanted([names[-1]])).all()):
        return (
            f"after {names[-1]!r} alone, all but its own tokens are allowed: by token, not place."
        )


def exercise_4(hours, lesson):
    """Mean hours of rich people, in the world and with independent columns."""
    anyone = lesson.world.sample(20_000, seed=2).to_pandas()
    rich = anyone["income"] == ">50K"
    true, overall = anyone["hours"][rich].mean(), anyone["hours"].mean()
    found = float(hours["true"]), float(hours["independent"])
    if close(found[0], true, abs=0.05) and abs(found[1] - overall) < 1:
        return None
    if close(found[1], true, abs=0.05):
        return "the two are swapped: which of them knows that income and hours go together?"
    if close(found[0], overall, abs=0.05):
        return "this is the mean over all rows; the condition is a high income."
    if close(found[0], anyone["hours"][~rich].mean(), abs=0.05):
        return "these are the rows with a *low* income."
    if abs(found[1] - overall) >= 1:
        return (
            "with independent columns the rich work as long as anyone: shuffle each column alone."
        )
    return f"rows with a high income work {true:.1f} hours on average, and not {found[0]:.1f}."


def exercise_5(needed, lesson):
    """Digits that keep the typical error of a column small."""
    import pandas as pd

    frame = pd.DataFrame(
        {"age": lesson.census["age"][:1000], "paid": lesson.amounts[:1000].round(4)}
    )
    errors, largest = {}, {}
    for count in range(1, 7):
        codec = lesson.RowCodec(lesson.TableSchema.infer(frame, digits=count))
        gap = (codec.decode(codec.encode(frame))[["age", "paid"]] - frame).abs()
        errors[count], largest[count] = gap.median(), gap.max()

    def digits(table, unit):
        return (1 + (pd.DataFrame(table).div(unit, axis=0) >= 0.01).sum(axis=1)).to_dict()

    width = frame.quantile(0.75) - frame.quantile(0.25)
    found, wanted = {name: int(needed[name]) for name in ("age", "paid")}, digits(errors, width)
    if found == wanted:
        return None
    if found == dict(zip(wanted, reversed(wanted.values()))):
        return "the two columns are swapped: which has the long tail?"
    if found == digits(errors, frame.std()):
        return "the unit is the interquartile range; a long tail inflates the standard deviation."
    if found == digits(largest, width):
        return "this asks it of the largest error; the typical one, the median, is asked for."
    if all(abs(np.subtract(found[name], wanted[name])) == 1 for name in found):
        return "off by one: take the first number of digits whose error is *below* a hundredth."
    return f"the amounts need {wanted['paid']} digits, and the ages {wanted['age']}."
