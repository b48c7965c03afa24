"""The words of the tools world: verbs, nouns and parameters of ten categories."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A parameter that a tool may take.

    Attributes:
        name: its name, also a word of the descriptions.
        kind: its JSON type.
        values: the values of an enumeration (strings), or none.
        least: the smallest value of a number, where the schema gives one.
    """

    name: str
    kind: str = "string"
    values: tuple[str, ...] = ()
    least: int | None = None


@dataclass(frozen=True)
class Category:
    """A kind of tool: the verbs and nouns of its name, and the parameters it may take."""

    verbs: tuple[str, ...]
    nouns: tuple[str, ...]
    fields: tuple[Field, ...]


# verb of the name -> what a description may say for it
VERBS = {
    "get": ("get", "fetch", "return"),
    "find": ("find", "look up", "search for"),
    "check": ("check", "inspect", "look at"),
    "compare": ("compare", "weigh up", "contrast"),
    "predict": ("predict", "estimate", "foresee"),
    "book": ("book", "reserve", "order"),
    "cancel": ("cancel", "call off", "drop"),
    "save": ("save", "store", "keep"),
    "share": ("share", "send", "pass on"),
    "plan": ("plan", "prepare", "arrange"),
    "track": ("track", "follow", "trace"),
    "rate": ("rate", "judge", "grade"),
}
TEMPLATES = (  # each reads well with a singular and with a plural field
    "{verb} the {noun} by {field}.",
    "{verb} the {noun} for the {field}.",
    "{verb} the {noun}, given the {field}.",
    "use the {field} to {verb} the {noun}.",
    "with the {field}, {verb} the {noun}.",
    "given the {field}, {verb} the {noun}.",
)
KINDS = ("array", "boolean", "integer", "number", "string")
COUNTS = {1: "one", 2: "two", 3: "three"}


def _fields(line: str) -> tuple[Field, ...]:
    """Fields from a line of `name`, `name:kind`, `name:kind>=least` and `name=value|value`."""
    fields = []
    for part in line.split():
        head, _, least = part.partition(">=")
        head, _, values = head.partition("=")
        name, _, kind = head.partition(":")
        enum = tuple(values.split("|")) if values else ()
        fields.append(Field(name, kind or "string", enum, int(least) if least else None))
    return tuple(fields)


def _category(verbs: str, nouns: str, fields: str) -> Category:
    return Category(tuple(verbs.split()), tuple(nouns.split()), _fields(fields))


# No noun belongs to two categories, and no parameter is named like a noun of another category.
CATEGORIES = {
    "weather": _category(
        "get find check compare predict",
        "forecast rainfall wind storm humidity snowfall",
        "city date days:integer>=1 unit=celsius|kelvin hourly:boolean altitude:number",
    ),
    "travel": _category(
        "find book cancel compare plan",
        "flight hotel train cruise trip visa",
        "origin target date adults:integer>=1 cabin=economy|business budget:number>=0 "
        "direct:boolean",
    ),
    "music": _category(
        "find get save share rate",
        "song album playlist concert singer melody",
        "artist genre=jazz|rock|folk year:integer>=1900 limit:integer>=1 live:boolean "
        "moods:array tempo:number",
    ),
    "banking": _category(
        "get check compare track save",
        "account balance loan payment deposit mortgage",
        "owner amount:number>=0 currency=usd|eur|gbp months:integer>=1 urgent:boolean iban",
    ),
    "health": _category(
        "find check track book save",
        "symptom medicine clinic pulse vaccine diet",
        "patient age:integer>=0 weight:number>=0 signs:array level=low|medium|high fasting:boolean",
    ),
    "calendar": _category(
        "get find plan cancel share",
        "meeting event reminder appointment holiday deadline",
        "title date hour:integer>=0 guests:array repeat=daily|weekly|never private:boolean",
    ),
    "shipping": _category(
        "track find book cancel compare",
        "parcel delivery courier package shipment freight",
        "sender address weight:number>=0 speed=slow|normal|fast items:integer>=1 insured:boolean",
    ),
    "translate": _category(
        "get find check rate save",
        "translation phrase dictionary grammar subtitle idiom",
        "source language=french|german|hindi tone=formal|casual length:integer>=1 terms:array "
        "literal:boolean",
    ),
    "sport": _category(
        "get find predict compare track",
        "match team league tournament player stadium",
        "season:integer>=1900 country round:integer>=1 gender=women|men final:boolean "
        "points:number",
    ),
    "cooking": _category(
        "find get save share rate",
        "recipe ingredient meal sauce bread soup",
        "dish servings:integer>=1 cuisine=thai|greek|indian minutes:integer>=5 spices:array "
        "vegan:boolean salt:number>=0",
    ),
}
CATEGORY_OF = {noun: name for name, kind in CATEGORIES.items() for noun in kind.nouns}
