"""Generated Python runs here: in a separate process, with limits on time, memory and reach."""

from .runner import Outcome, run_many, run_python, run_tests

__all__ = ["Outcome", "run_many", "run_python", "run_tests"]
