"""A stage that squares, and that can kill its process; alone here, so that workers start fast."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from synthkit.scale import Stage


@dataclass(frozen=True)
class Square(Stage):
    """The row's number squared; each call is noted in a file.

    At some numbers it kills its process, once each or always, and at one it fails.
    """

    log: str
    kill_at: tuple[int, ...] = ()
    always: bool = False
    fail_at: int | None = None
    column: ClassVar[str] = "square"

    def open(self):
        def square(rows, numbers):
            with open(self.log, "a") as handle:
                handle.write(f"{min(numbers)} ")
            for number in set(self.kill_at) & set(numbers):
                once = Path(f"{self.log}.{number}")
                if self.always or not once.exists():
                    once.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            if self.fail_at in numbers:
                raise ValueError(f"row {self.fail_at} is bad")
            return [number**2 for number in numbers]

        return square
