"""The command line: make data, measure them, reproduce studies, examine the machine.

Each command is a thin function over the library; importing its module adds it to `app`.
"""

from . import course, data, machine, prompts, scale, studies
from .app import app

__all__ = ["app", "course", "data", "machine", "prompts", "scale", "studies"]
