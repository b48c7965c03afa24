"""Teachers: whatever answers text prompts, from a function to a server; no answer is paid twice."""

from .base import FunctionTeacher, LMTeacher, PromptsWritten, Teacher, TeacherError
from .batch import BatchTeacher
from .chat_protocol import LONGEST_WAIT, RETRIED
from .cleaning import Reply, clean, judge
from .files import export_prompts, import_answers
from .http import HTTPTeacher, Usage
from .recorded import RecordedTeacher
from .replies import answer_log, as_teacher, ask, teacher_identity, teacher_name

__all__ = [
    "LONGEST_WAIT",
    "RETRIED",
    "BatchTeacher",
    "FunctionTeacher",
    "HTTPTeacher",
    "LMTeacher",
    "PromptsWritten",
    "RecordedTeacher",
    "Reply",
    "Teacher",
    "TeacherError",
    "Usage",
    "answer_log",
    "as_teacher",
    "ask",
    "clean",
    "export_prompts",
    "import_answers",
    "judge",
    "teacher_identity",
    "teacher_name",
]
