"""The outputs that a lesson stores, compared with those of a run.

The rule: the same words, and numbers within `TOLERANCE` or `LEAST` of each other; the same figures,
by their number, their size and the words of `#| fig-alt`; tables by the text of their cells.
What is written to stderr is left out. A cell whose output rightly differs from one machine to
another says so and why, in a line at its head:

    #| varies: texts written by a trained model

Of such a cell the kinds of outputs are compared, and about how many lines they have. So are cells
that showed something else on another machine, which `stored_on.json` lists by their ids: the last
digits of a sum depend on processor, threads and libraries, and a training makes large differences
of them. On a machine that the lesson has not been run on to find such cells, all are compared so.
"""

import html
import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from synthkit.core.files import locked

TOLERANCE, LEAST = 0.1, 0.05  # of a stored number, and in its own unit
NUMBER = re.compile(r"[+−-]?\d+(?:,\d{3}(?!\d))*(?:\.\d*)?(?:e[+-]?\d+)?")
WORD = re.compile(r"\w+|\S")
VARIES = re.compile(r"^#\| *varies: *(.*)$", re.M)
ALT = re.compile(r'^#\| *fig-alt: *"(.*)" *$', re.M)
TEXTS = "text/html", "text/markdown", "text/plain"  # the first that an output has is compared
LINES = 8  # of a difference that are told
LIBRARIES = "torch", "transformers", "scikit-learn"
STORED_ON = Path(__file__).with_name("stored_on.json")


class Shown(NamedTuple):
    """What a cell shows."""

    printed: str
    texts: list[str]  # of results and displays, without figures
    figures: list[str]  # the size and the axes of each
    alts: list[str]  # their words, as stored


def machine() -> str:
    """What the last digits of a sum depend on: processor, kernels, threads, libraries."""
    import torch

    found = Path("/proc/cpuinfo")
    lines = found.read_text(encoding="utf-8").splitlines() if found.exists() else []
    facts = dict([part.strip() for part in line.split(":", 1)] for line in lines if ":" in line)
    names = ("vendor_id", "cpu family", "model", "stepping")
    processor = " ".join(facts.get(name, "?") for name in names)
    kernels = torch.backends.cpu.get_cpu_capability()
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return ", ".join([processor, kernels, f"{torch.get_num_threads()} threads", *libraries])


def known() -> dict[str, dict[str, list[str]]]:
    """By lesson, `machines` that show what it stores, but for the cells whose ids `varies` has."""
    return json.loads(STORED_ON.read_text(encoding="utf-8")) if STORED_ON.exists() else {}


def compared_loosely(lesson: str, ids: Iterable[str]) -> set[str]:
    """Those of a lesson's cells that need not show here what they store."""
    found = known().get(lesson, {"machines": [machine()], "varies": []})
    return set(ids).intersection(found["varies"]) if machine() in found["machines"] else set(ids)


def remember(lesson: str, varies: Iterable[str] | None = None) -> None:
    """Note that the lesson was stored on this machine; several processes may do so at once.

    Args:
        varies: ids of cells that show something else here; the lesson was stored elsewhere.
    """
    with locked(STORED_ON):
        found = known()
        here = found.setdefault(lesson, {"machines": [], "varies": []})
        others = [] if varies is None else here["machines"]
        here["machines"] = sorted({*others, machine()})
        here["varies"] = sorted({*here["varies"], *(varies or ())})
        text = json.dumps(dict(sorted(found.items())), indent=1)
        STORED_ON.write_text(text + "\n", encoding="utf-8")


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "").replace("−", "-")) for each in NUMBER.findall(text)]


def words(text: str) -> list[str]:
    """Its words and signs, with # for each number; blanks and line breaks count for nothing."""
    return WORD.findall(NUMBER.sub("#", text))


def alike(a: str, b: str) -> bool:
    """Whether two texts have the same words, and numbers within a tenth or .05 of each other."""
    if words(a) != words(b):
        return False
    pairs = zip(numbers(a), numbers(b))
    return all(abs(x - y) <= max(LEAST, TOLERANCE * abs(x)) for x, y in pairs)


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def text_of(data: dict) -> str:
    """The text of a result; a line for each row where it is a table."""
    kind = next((kind for kind in TEXTS if kind in data), None)
    text = joined(data[kind]) if kind else ""
    if kind == "text/html":
        text = " ".join(re.sub(r"<style.*?</style>", "", text, flags=re.S).split())
        text = re.sub(r"<[^>]*>", " ", re.sub(r"</(?:tr|p|pre|caption)>|<br ?/?>", "\n", text))
        text = html.unescape(text)
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())


def shown(outputs: list[dict]) -> Shown:
    printed = [joined(each["text"]) for each in outputs if each.get("name") == "stdout"]
    results = [
        each for each in outputs if each["output_type"] in ("execute_result", "display_data")
    ]
    figures = [each for each in results if "image/png" in each["data"]]
    return Shown(
        "".join(printed),
        [text_of(each["data"]) for each in results if each not in figures],
        [joined(each["data"].get("text/plain", "")) for each in figures],
        [each["metadata"].get("image/png", {}).get("alt", "") for each in figures],
    )


def told(a: str, b: str) -> str:
    """The lines in which two texts differ, the stored ones first."""
    if b and not a:
        return f"shows\n{cut(b.splitlines())}\nand nothing is stored"
    if a and not b:
        return f"shows nothing, and stored is\n{cut(a.splitlines())}"
    old, new = a.splitlines(), b.splitlines()
    if len(old) == len(new):
        pairs = [(x, y) for x, y in zip(old, new) if not alike(x, y)]
        old, new = map(list, zip(*pairs)) if pairs else (old, new)
    return f"shows\n{cut(new)}\nand not the stored\n{cut(old)}"


def cut(lines: list[str]) -> str:
    lines = [line if len(line) <= 200 else f"{line[:200]} …" for line in lines]
    more = [f"… and {len(lines) - LINES} lines"] if len(lines) > LINES else []
    return "\n".join(f"    {line}" for line in [*lines[:LINES], *more])


def as_long(a: str, b: str) -> bool:
    """Whether both texts are there or neither, and one has at most twice the other's lines.

    A single line may stand for any number: it says what the machine lacks.
    """
    short, long = sorted(len(each.splitlines()) for each in (a, b))
    return short == long == 0 or short == 1 or 0 < long <= 2 * short


def differences(
    source: str, stored: list[dict], ran: list[dict], loosely: bool = False
) -> list[str]:
    """In words, how what a cell shows differs from what it stores.

    Args:
        loosely: as for a cell that varies.
    """
    a, b, found = shown(stored), shown(ran), []
    same = as_long if loosely or VARIES.search(source) else alike
    if len(a.texts) != len(b.texts):
        found.append(f"shows {len(b.texts)} results, and {len(a.texts)} are stored")
    for x, y in [(a.printed, b.printed), *zip(a.texts, b.texts)]:
        if not same(x, y):
            found.append(told(x, y))
    if len(a.figures) != len(b.figures):
        found.append(f"shows {len(b.figures)} figures, and {len(a.figures)} are stored")
    elif a.figures != b.figures:
        found.append(told("\n".join(a.figures), "\n".join(b.figures)))
    if (alt := ALT.search(source)) and any(each != alt[1] for each in a.alts):
        found.append(told("\n".join(a.alts), alt[1]))
    return found
