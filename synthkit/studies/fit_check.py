"""The parts of each method that fit a card, from a model's shape and a preset alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..lm.memory import CARDS, GIB, RESERVE, Held, peak_bytes, settings_that_fit
from ..lm.shapes import SHAPES, Shape
from .model_work import parts
from .registry import NAMES

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    f"GiB of a GPU, {RESERVE // GIB} of them for CUDA; an estimate. Where a batch_size stands, "
    "`generate` takes so many rows at a time by itself."
)


def find_shape(model: str | Path, bits: int | None = None) -> tuple[Shape, Held]:
    """The shape of a model that is not loaded, and how a GPU would hold it.

    Args:
        model: a name in `synthkit.lm.shapes.SHAPES`, or what `load_lm` takes; a folder needs no
            more than its config.json.
        bits: 4 or 16; None: 4, and 16 for a GGUF file that is quantised already.

    Raises:
        FileNotFoundError, ConnectionError: none of these, or not to be had. ValueError: a config
            that cannot be used, other bits, or 4 bits for a GGUF file that is quantised already.
    """
    from transformers import AutoConfig

    from ..lm.gguf import check_bits, is_gguf, is_quantised
    from ..lm.loading import read_config

    if bits not in (None, 4, 16):
        raise ValueError(f"bits are 4 or 16 here, found {bits}")
    held, path = Held(None if bits == 16 else 4, half=True), Path(model).expanduser()
    if str(model).lower() in SHAPES:
        return SHAPES[str(model).lower()], held
    if is_gguf(path):
        if bits == 4:
            check_bits(path, bits)
        held = Held(None if is_quantised(path) else held.bits, half=True)
        config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    elif (path / "config.json").is_file():
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    elif (named := _shape_of_named(str(model))) is not None:
        return named, held
    else:
        try:
            config = read_config(model)
        except (FileNotFoundError, ConnectionError) as error:
            names = ", ".join(SHAPES)
            raise type(error)(f"{error}; names that need no file: {names}") from error
    return Shape.of(config), held


def _shape_of_named(model: str) -> Shape | None:
    """The shape of a model of `get-model` that is not in the cache: the hub need not be asked."""
    from ..lm.catalogue import MODELS, cached

    if model not in MODELS or cached(model) is not None:
        return None
    return SHAPES.get(f"{model}-{MODELS[model].parameters.lower()}")


def fit_check(
    shape: Shape, held: Held, *, methods: Sequence[str] = NAMES, cards: Sequence[float] = CARDS,
    preset: str = "paper", length: int = 512,
) -> pd.DataFrame:  # fmt: skip
    """A row per method and part: its peak in GiB, and for each card "yes" or what makes it fit.

    Args:
        cards: GiB.
        preset, length: see `parts`.
    """
    import pandas as pd

    rows = []
    for part in (part for name in methods for part in parts(name, shape, preset, length)):
        row: dict[str, Any] = {"method": part.method, "part": part.name}
        row["GiB"] = f"{(peak_bytes(shape, held, part.work) + RESERVE) / GIB:.1f}"
        for card in cards:
            row[f"{card:g} GiB"] = said(settings_that_fit(shape, held, part.work, card))
        rows.append(row)
    return pd.DataFrame(rows)


def said(settings: dict[str, Any] | None) -> str:
    """Settings in words; "yes" where none need to change, "no" where none help."""
    if settings is None:
        return "no"
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "yes"


def show(
    model: str, bits: int | None, methods: Sequence[str], card: float | None, preset: str,
    length: int,
) -> None:  # fmt: skip
    """Print the table of a model, of one card or of all `CARDS`.

    Raises:
        ValueError: a part of a method fits the card under no settings. Others: see `find_shape`.
    """
    from .report import print_table

    shape, held = find_shape(model, bits)
    cards = CARDS if card is None else (card,)
    if card is not None:
        check_card(shape, held, methods, card, preset, length)
    options = {"methods": methods, "cards": cards, "preset": preset, "length": length}
    table = fit_check(shape, held, **options)
    title = f"{model} in {held.bits or 16} bits: preset {preset}, rows of {length} tokens"
    print_table(table.set_index("method"), title, (NOTE,))


def check_card(
    shape: Shape, held: Held, methods: Sequence[str], card: float, preset: str, length: int
) -> None:
    """Raise ValueError where a part of a method fits the card under no settings."""
    larger = [each for each in (*CARDS, 32, 48, 80) if each > card]
    for part in (part for name in methods for part in parts(name, shape, preset, length)):
        if settings_that_fit(shape, held, part.work, card) is not None:
            continue
        for each in larger:
            if (found := settings_that_fit(shape, held, part.work, each)) is not None:
                how = f" with {said(found)}" if found else ""
                raise ValueError(
                    f"{part.name} of {part.method} does not fit {card:g} GiB under any settings; "
                    f"{each} GiB would do{how}. Shorter rows (--length), 4 bits (--bits 4) or a "
                    "smaller model need less"
                )
        raise ValueError(f"{part.name} of {part.method} fits no card of up to {larger[-1]} GiB")
