"""Rounds of drafts: each wanted row is drafted, judged and answered until one may be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..core.rejection import open_batches
from ..core.resume import ResumeLog
from .drafts import Draft, Drawing
from .filters import EMPTY, UNANSWERED, Filter, as_rows
from .labeller import Labeller
from .presets import SoftSRVPreset
from .texts import question_of

if TYPE_CHECKING:
    from datasets import Dataset

PLACE = ("round", "slot")  # of a draft, in its log


@dataclass(frozen=True)
class Slot:
    """A wanted row: the number of its context, and the real text that this came from."""

    context: int | None = None
    own: str | None = None


def fill(
    slots: Sequence[int], turn: int, plan: Sequence[Slot], drafts: Callable, accept: Filter,
    labeller: Labeller, log: ResumeLog,
) -> list[dict]:  # fmt: skip
    """A row for each of `slots` in one round; a draft is in the log before it is judged.

    Args:
        slots: indices into `plan`. turn: the round's number.
        drafts: a function from (slots, round) to their drafts.
    """
    if any((turn, slot) not in log.entries for slot in slots):
        # All of them again, since the rounding of a batch depends on all of its rows.
        for slot, draft in zip(slots, drafts(slots, turn)):
            log.add({"round": turn, "slot": slot, **asdict(draft)})
    rows = []
    for slot in slots:
        draft = Draft(**{name: log.entries[turn, slot][name] for name in ("text", "ended")})
        verdict = accept.judge(draft.text, ended=draft.ended, own=plan[slot].own)
        made = {"slot": slot, "text": draft.text, "question": question_of(draft.text)}
        rows.append({**made, "answer": None, "context": plan[slot].context, **asdict(verdict)})
    if labeller.name is not None:
        give_answers([row for row in rows if accept.keeps(row["status"])], labeller)
    return rows


def give_answers(rows: Sequence[dict], labeller: Labeller) -> None:
    """Put an answer into each row that is not empty; without one it is "unanswered"."""
    rows = [row for row in rows if row["status"] != EMPTY]
    for row, answer in zip(rows, labeller([row["text"] for row in rows])):
        row["answer"] = answer or None
        row["status"] = row["status"] if answer else UNANSWERED


def collect(
    drafts: Callable, plan: Sequence[Slot], accept: Filter, labeller: Labeller, *,
    rounds: int, batch_size: int = 64, log: ResumeLog | None = None, progress: bool = False,
) -> tuple[list[dict], Counter[str]]:  # fmt: skip
    """The kept row of every slot of `plan` that got one, and what was turned away, counted.

    A slot whose draft is turned away is drafted again in the next round, from the same context.
    """
    log = ResumeLog(None, "", place=PLACE) if log is None else log
    kept: dict[int, dict] = {}
    rejected: Counter[str] = Counter()
    how = {"rounds": rounds, "batch_size": batch_size, "unit": "text", "progress": progress}
    for turn, _, slots, _ in open_batches(len(plan), kept, **how):
        for row in fill(slots, turn, plan, drafts, accept, labeller, log):
            if accept.keeps(row["status"]):
                kept[row.pop("slot")] = row
            else:
                rejected[row["status"]] += 1
    return [kept[slot] for slot in sorted(kept)], rejected


def draw_rows(
    drafts: Callable, plan: Sequence[Slot], preset: SoftSRVPreset, how: Drawing,
    labeller: Labeller, texts: Sequence[str], *, kind: str | None = None, held_out: Any = None,
    drop: Collection[str] | None = None, **options: Any,
) -> tuple[Dataset, dict[str, Any], Counter[str]]:  # fmt: skip
    """The rows of `collect`, their columns of provenance, and what was turned away, counted.

    Filter and rounds are those of a preset; greedy drafts get one round.

    Args:
        texts: the training texts. kind: the writer's name. kind, drop: None is the preset's.
        options: batch_size, log and progress.
    """
    accept = Filter(
        texts, held_out=held_out, min_words=preset.min_words, near_copy=preset.near_copy,
        drop=preset.drop if drop is None else drop,
    )  # fmt: skip
    rounds = preset.max_rounds if how.temperature > 0 else 1  # a greedy draft never changes
    rows, rejected = collect(drafts, plan, accept, labeller, rounds=rounds, **options)
    made = as_rows(rows, kind=kind or preset.kind, teacher=labeller.name)
    status = [row["status"] for row in rows]
    return made, {"temperature": how.temperature, "status": status}, rejected
