"""Rows that SPA learns from: what is asked, what is answered, and how it is put to the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..datasets import as_dataset, is_table
from ..lm.finetune import PROMPT
from ..lm.rows import check_texts
from .streaming import Pair, as_pairs

QUESTION = PROMPT.format(question="{}")


@dataclass(frozen=True)
class Form:
    """The columns of rows, and how a prompt is put to the model.

    Attributes:
        asked, answered: the columns; bare texts are answers to the empty prompt.
        template: what the model is given, with `{}` where the prompt stands.
    """

    asked: str
    answered: str
    template: str = "{}"

    def prompts(self, asked: Any) -> tuple[list[str], list[str]]:
        """Read what is asked, and what the model is given, from texts or rows with the column.

        Raises:
            TypeError: one string, or neither texts nor rows.
            ValueError: nothing is asked, or there is no such column.
        """
        if is_table(asked) or isinstance(asked, Mapping):
            texts = list(as_dataset(asked, self.asked)[self.asked])
        else:
            texts = check_texts(asked)
        if not texts:
            raise ValueError("no prompt was given; one is the least")
        return texts, self.given(texts)

    def given(self, texts: Iterable[str]) -> list[str]:
        """Put each text that is asked into the form that the model is given."""
        return [self.template.replace("{}", text) for text in texts]

    def answer(self, written: str) -> str:
        """Take off the blank that follows a question's template."""
        return written.strip() if self.template != "{}" else str(written)

    def columns(self, answers: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
        """Prompts ("asked") and answers ("text") in the columns of the rows."""
        names = {self.asked: "asked"} if self.answered != "text" else {}
        names[self.answered] = "text"
        return {name: [each[key] for each in answers] for name, key in names.items()}


FORMS = (
    Form("question", "answer", QUESTION), Form("prompt", "completion"),
    Form("prompt", "code", QUESTION),
)  # fmt: skip


def read_rows(rows: Any) -> tuple[list[Pair], Form]:
    """Prompt and completion of each row, and their form.

    Args:
        rows: question/answer, prompt/completion, prompt/code (as the code world has) or text rows.

    Raises:
        TypeError: no table. ValueError: no rows, other columns, or a text that is missing.
    """
    rows = as_dataset(rows)
    there = set(rows.column_names)
    form = next((f for f in FORMS if {f.asked, f.answered} <= there), Form("prompt", "text"))
    if form.answered == "code":
        rows = rows.select_columns(["prompt", "code"])
        rows = rows.rename_columns({"prompt": "question", "code": "answer"})
    return as_pairs(rows), form
