"""Tiny random models of every kind, made once; a test that changes one takes a copy."""

import pytest
from tiny import KINDS, tiny_lm

from synthkit.lm import load_lm


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {kind: tiny_lm(root / kind, kind) for kind in KINDS}


@pytest.fixture(scope="session")
def folder(folders):
    return folders["llama"]


@pytest.fixture(scope="session")
def lms(folders):
    return {kind: load_lm(folder, device="cpu") for kind, folder in folders.items()}


@pytest.fixture(scope="session")
def lm(lms):
    return lms["llama"]
