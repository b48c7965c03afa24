"""Teachers: whatever answers text prompts, from a function to a server; no answer is paid twice."""

from .base import (
    FunctionTeacher,
    LMTeacher,
    RecordedTeacher,
    Teacher,
    TeacherError,
)
from .files import export_prompts, import_answers
from .http import LONGEST_WAIT, RETRIED, HTTPTeacher, Usage

__all__ = [
    "LONGEST_WAIT",
    "RETRIED",
    "FunctionTeacher",
    "HTTPTeacher",
    "LMTeacher",
    "RecordedTeacher",
    "Teacher",
    "TeacherError",
    "Usage",
    "export_prompts",
    "import_answers",
]
