"""The course around the lessons."""

from .checks import Reply, checker

__all__ = ["Reply", "checker"]
