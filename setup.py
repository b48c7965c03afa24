"""Packages only; every other fact stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["synthkit*"]), "synthkit._data"],
    package_dir={"synthkit._data": "data"},
    package_data={
        "synthkit": ["py.typed"],
        "synthkit._data": ["**/*.json", "**/*.jsonl", "**/*.safetensors", "**/*.md"],
    },
)
