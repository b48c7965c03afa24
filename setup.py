"""Packages only; every other fact stands in pyproject.toml."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Puts `data/` into a wheel as `synthkit._data`; an editable install reads it where it stands.

    Were that folder named to `setup`, an editable install would go through an import hook, which
    comes after `sys.path`: Python run beside the clone would take the clone's own folder, also
    called synthkit, for the package. Without it setuptools writes a line with the checkout's path.
    """

    def finalize_options(self):
        super().finalize_options()
        if not self.editable_mode:
            self.packages = [*self.packages, "synthkit._data"]
            self.package_dir = {**self.package_dir, "synthkit._data": "data"}


setup(
    packages=find_packages(include=["synthkit*"]),
    package_dir={"": "."},
    package_data={
        "synthkit": ["py.typed"],
        "synthkit._data": ["**/*.json", "**/*.jsonl", "**/*.safetensors", "**/*.md"],
    },
    cmdclass={"build_py": BuildWithData},
)
