"""The lab: recorded runs, and what they say about the papers' claims."""

from .results import Result, available_results, load_result, record
from .tables import overview, summarise

__all__ = ["Result", "available_results", "load_result", "overview", "record", "summarise"]
