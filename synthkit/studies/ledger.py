"""The ledger: every claim of the papers and of the kit, beside what recorded runs found.

A row is one claim in one place: the paper's sentence and number, what the kit measured, with which
model and at which scale, and the verdict by the one rule of `claims.RULE`. Nothing in it is typed:
the claims come from `data/papers` and the studies, all numbers from `data/results`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from .claims import NOT_RUN, Claim, Finding
from .measurements import UNLABELLED, places
from .papers import Group, PaperClaim, groups, paper_claims
from .registry import NAMES, load_study
from .results import Result, load_result, results_dir

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "method", "group", "lesson", "paper", "kind", "claim", "where", "reported", "verified",
    "test", "tested", "rule", "place", "ours", "low", "high", "shown", "needed", "n", "seeds",
    "model", "scale", "result", "asked", "verdict",
)  # fmt: skip
KIT = "kit"  # the kind of a claim that no paper makes
BEFORE, AFTER = "before the run", "after the run"


class Judge(NamedTuple):
    """Claims about runs whose rows carry the labels in `form`; asked before the run or after it."""

    form: str
    claims: tuple[Claim, ...]
    asked: str

    @property
    def labels(self) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(self.form) if name}


class Found(NamedTuple):
    """A finding with the recorded run it comes from."""

    finding: Finding
    name: str
    result: Result
    asked: str


def judges(method: str) -> list[Judge]:
    """The claims of a method's study, of its runs on real data, and what was asked later."""
    from .later import LATER
    from .real_claims import PLACE, REAL_CLAIMS

    study = load_study(method)
    later = [Judge(form, claims, AFTER) for form, claims in LATER[method].items()]
    real = Judge(PLACE, REAL_CLAIMS[method], BEFORE)
    return [Judge(study.place, study.claims, BEFORE), real, *later]


def findings(method: str, folder: Path | None = None) -> list[Found]:
    """Findings of recorded runs on each claim of a study, the newest run of each place and model.

    Raises:
        ValueError: a file is no result, or measures where no claim is made; the message names it.
    """
    known, found = judges(method), {}
    for name, result in _recorded(method, folder):
        labels = {key for row in result.measurements for key in row} - UNLABELLED
        fitting = [judge for judge in known if judge.labels == labels]
        if not fitting:
            raise ValueError(
                f"{name}.json has rows of {method} with the labels {_told(labels)}, about which no "
                f"claim is made; claims are made for {'; '.join(_told(j.labels) for j in known)}"
            )
        for judge in fitting:
            for place, at in places(result, judge.form).items():
                for claim in judge.claims:
                    if claim.made_at(place):
                        one = Found(claim.find(result, place, at), name, result, judge.asked)
                        found[claim.id, judge.form, place, _model(result), result.scale] = one
    return list(found.values())


def _recorded(method: str, folder: Path | None) -> list[tuple[str, Result]]:
    """The recorded runs of a method, from the oldest to the newest."""
    paths = sorted((folder or results_dir()).glob("*.json"))
    results = [(path.stem, load_result(path)) for path in paths]
    return sorted((r for r in results if r[1].method == method), key=lambda r: (r[1].date, r[0]))


def _told(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)) or "none"


def _model(result: Result) -> str:
    return str(result.model.get("name", ""))


# --- the ledger -----------------------------------------------------------------------------------


def ledger(method: str | None = None, folder: Path | None = None) -> pd.DataFrame:
    """Every claim in every place where it was tested, one row each; a row of its own if nowhere.

    Columns: method; group and lesson, for readers; paper, kind, claim, where, reported and verified
    (see `PaperClaim`; kind "kit" for a claim of the kit's own); test, tested and rule (the study's
    claim: id, sentence, what is measured per seed); place; ours, low and high (mean with its 95 %
    interval), shown (the same in print), needed; n (seeds that count) and seeds; model, scale and
    result (the recorded run); asked (before or after that run); verdict.

    Args:
        method: one of `registry.NAMES`; default: all.
        folder: of recorded results; default: those that come with the kit.

    Raises:
        ValueError: an unknown method, a damaged file, or a claim that links to nothing.
    """
    import pandas as pd

    if method is not None:
        load_study(method)  # names those there are
    rows = [row for name in ([method] if method else NAMES) for row in _rows(name, folder)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": int, "verified": object})


def _rows(method: str, folder: Path | None) -> Iterator[dict[str, Any]]:
    theirs, (grouped, left_out) = paper_claims(method), groups(method)
    found = [each for each in findings(method, folder) if each.finding.claim.id not in left_out]
    for each in found:
        id, paper = each.finding.claim.id, each.finding.claim.paper
        if paper and paper not in theirs:
            raise ValueError(f"claim {id!r} of {method} links to {paper!r}, which no paper claims")
        if all(group.about(id, paper) is None for group in grouped):
            raise ValueError(f"claim {id!r} of {method} belongs to no group of the ledger")
    for group in grouped:
        tests: dict[str, list[Found]] = {}
        for each in found:
            about = group.about(each.finding.claim.id, each.finding.claim.paper)
            if about is not None:
                tests.setdefault(about, []).append(each)
        for id in group.claims:
            for one in tests.get(id) or [None]:
                yield _row(method, group, theirs[id], one)
        for each in tests.get("", ()):
            yield _row(method, group, None, each)


def _row(
    method: str, group: Group, paper: PaperClaim | None, found: Found | None
) -> dict[str, Any]:
    row = dict.fromkeys(COLUMNS, "")
    row |= {"method": method, "group": group.title, "lesson": group.lesson, "kind": KIT, "n": 0,
            "verdict": NOT_RUN, "verified": None, "ours": None, "low": None,
            "high": None}  # fmt: skip
    if paper:
        row |= {"paper": paper.id, "kind": paper.kind, "claim": paper.sentence,
                "where": paper.where, "reported": paper.number,
                "verified": paper.verified}  # fmt: skip
    if found:
        row |= _tested(found)
        row["claim"] = row["claim"] or row["tested"]
    return row


def _tested(found: Found) -> dict[str, Any]:
    finding, result, ours = found.finding, found.result, found.finding.shown
    return {
        "test": finding.claim.id, "tested": finding.text, "rule": str(finding.claim.rule),
        "place": finding.place, "ours": ours and ours.mean, "low": ours and ours.low,
        "high": ours and ours.high, "shown": finding.measured, "needed": finding.needed,
        "n": len(finding.numbers), "seeds": " ".join(map(str, result.seeds)),
        "model": _model(result), "scale": result.scale, "result": found.name,
        "asked": found.asked, "verdict": finding.verdict,
    }  # fmt: skip
