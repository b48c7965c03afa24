"""Place of a column in a row of tokens, and the tokens that are its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .columns import Column

FAULTS = ("", "a token of another column", "missing in part", "minus zero", "outside the range")


@dataclass(frozen=True)
class Field:
    """Place of a column in a row, and the tokens that are its own.

    Own tokens are numbered from `first`: the digits of the first place (or the values of a
    category, which is a number of one digit), those of the second, and so on; then plus and minus,
    then the missing value.
    """

    column: Column
    start: int  # the place of its first token in the row
    first: int  # the id of its first own token
    base: int  # how many digits a place has
    places: int  # how many digits it takes
    signed: bool  # whether a sign stands before the digits

    @property
    def width(self) -> int:
        """Number of tokens that the column takes in a row."""
        return self.places + self.signed

    @property
    def zeros(self) -> np.ndarray:
        """Ids of digit 0 at each place, (places,); digit d has an id d higher."""
        return self.first + self.base * np.arange(self.places)

    @property
    def signs(self) -> tuple[int, int] | None:
        """Ids of plus and minus."""
        after = self.first + self.places * self.base
        return (after, after + 1) if self.signed else None

    @property
    def missing(self) -> int | None:
        """Id of the missing value."""
        return self.last - 1 if self.column.missing else None

    @property
    def last(self) -> int:
        """One more than the id of its last own token."""
        return self.first + self.places * self.base + 2 * self.signed + self.column.missing
