"""The command line as a module, for launchers: `accelerate launch -m synthkit fit ...`."""

from .cli import app

app()
