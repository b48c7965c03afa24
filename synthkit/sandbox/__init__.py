"""Generated Python runs here: in a separate process, with limits on time, memory and reach."""

from .confinement import confinement
from .runner import Outcome, run_many, run_python, run_tests

__all__ = ["Outcome", "confinement", "run_many", "run_python", "run_tests"]
