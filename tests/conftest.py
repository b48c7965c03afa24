"""Fixtures that many tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, or a skip that says how to name one."""
    folder = Path(os.environ.get("SYNTHKIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set SYNTHKIT_DATA to a folder that holds it")
    return folder


@pytest.fixture(scope="session")
def embedded_lm():
    """The embedded language model, loaded once."""
    from synthkit import load_lm

    return load_lm("embedded")
