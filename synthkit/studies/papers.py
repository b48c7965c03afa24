"""The claims of the papers, as data: `data/papers/<method>.json`, and its order in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..core.files import read_json
from ..core.paths import data_dir

KINDS = ("result", "mechanism", "limitation", "question", "check")
GROUPS = "ledger.json"


@dataclass(frozen=True)
class PaperClaim:
    """A claim of a method's paper, in our words.

    Attributes:
        id: unique in its method.
        kind: one of `KINDS`: a check is a next step that the paper, or a reader of it, asks for.
        sentence: the claim.
        where: its place in the paper.
        number: the paper's, or "".
        verified: True if sentence and number were read in the paper or the authors' code.
        source: of what was not.
    """

    id: str
    kind: str
    sentence: str
    where: str
    number: str
    verified: bool
    source: str = ""


@dataclass(frozen=True)
class Group:
    """Claims that readers see as one row.

    Attributes:
        title: what they claim together.
        lesson: the number of the lesson that treats it.
        claims: ids of the paper's claims.
        kit: ids of the kit's own claims, or patterns of them, each with the paper's claim of which
            it is evidence, or "".
    """

    title: str
    lesson: str
    claims: tuple[str, ...]
    kit: Mapping[str, str]

    def about(self, id: str, paper: str) -> str | None:
        """The paper's claim that a study's claim bears on, or ""; None if it is not of this group.

        Args:
            id: of the study's claim. paper: the paper's claim that it tests, or "".
        """
        if paper:
            return paper if paper in self.claims else None
        return next((of for pattern, of in self.kit.items() if fnmatchcase(id, pattern)), None)


def paper_claims(method: str, folder: Path | None = None) -> dict[str, PaperClaim]:
    """The claims of a method's paper by id, in the order of the file.

    Raises:
        ValueError: the file does not hold claims; the message names it and the claim.
    """
    path = (folder or data_dir() / "papers") / f"{method}.json"
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("claims"), list):
        raise ValueError(f'{path.name} has no list "claims"; each entry of it is a paper\'s claim')
    found: dict[str, PaperClaim] = {}
    for i, entry in enumerate(document["claims"]):
        claim = _claim(entry, f"{path.name}, claim {i}")
        if claim.id in found:
            raise ValueError(f"{path.name}, claim {i}: the id {claim.id!r} is there already")
        found[claim.id] = claim
    return found


def _claim(entry: Any, where: str) -> PaperClaim:
    wanted = [each.name for each in fields(PaperClaim)]
    if not isinstance(entry, Mapping) or not set(wanted[:-1]) <= set(entry) <= set(wanted):
        found = ", ".join(entry) if isinstance(entry, Mapping) else type(entry).__name__
        raise ValueError(f"{where} needs {', '.join(wanted[:-1])}; found {found}")
    claim = PaperClaim(**entry)
    for name, good, needed in (
        ("kind", claim.kind in KINDS, f"one of {', '.join(KINDS)}"),
        ("id", claim.id, "a name"),
        ("sentence", claim.sentence, "the claim"),
        ("where", claim.where, "its place in the paper"),
        ("verified", isinstance(claim.verified, bool), "true or false"),
        ("source", bool(claim.source) != claim.verified, "given where a claim is not verified"),
    ):
        if not good:
            raise ValueError(f"{where}: {name} is {getattr(claim, name)!r}; it must be {needed}")
    return claim


def groups(method: str) -> tuple[list[Group], dict[str, str]]:
    """The groups of a method, and the study's claims that are left out, each with the reason.

    Left out are tautologies: checks of a study that hold by construction.
    """
    found = read_json(data_dir() / "papers" / GROUPS)[method]
    made = [
        Group(each["title"], each["lesson"], tuple(each["claims"]), each["kit"])
        for each in found["groups"]
    ]
    return made, found["left_out"]
