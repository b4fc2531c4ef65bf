"""What the package promises by its names."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest

import gradless

CLIENT = Path(__file__).parent.parent
TWINS = [(gradless.Client, gradless.AsyncClient), (gradless.Job, gradless.AsyncJob)]


def public_methods(kind):
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_all_is_complete_and_sorted():
    modules = {name for name, value in vars(gradless).items() if inspect.ismodule(value)}
    names = {name for name in vars(gradless) if not name.startswith("_")} - modules
    assert sorted(gradless.__all__) == gradless.__all__
    assert set(gradless.__all__) == names | {"__version__"}


def test_every_error_is_exported():
    kinds = [kind for _, kind in inspect.getmembers(gradless.errors, inspect.isclass)]
    errors = [kind for kind in kinds if kind.__module__ == "gradless.errors"]
    assert all(issubclass(kind, gradless.GradlessError) for kind in errors)
    assert {kind.__name__ for kind in errors} <= set(gradless.__all__)


@pytest.mark.parametrize(("sync", "twin"), TWINS)
def test_the_twins_offer_the_same(sync, twin):
    assert public_methods(sync) == public_methods(twin)
    for name in public_methods(sync):
        if inspect.isfunction(getattr(sync, name)):
            here, there = (inspect.signature(getattr(kind, name)) for kind in (sync, twin))
            assert here.parameters == there.parameters, name


def test_the_version_is_said_once():
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert project["version"] == gradless.__version__


def test_the_package_imports_nothing_of_the_service():
    for file in (CLIENT / "gradless").glob("*.py"):
        lines = file.read_text().splitlines()
        imported = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
        ours = {"app", "backends", "jobs", "optimizers", "web"}
        assert not ours & {name.split(".")[0] for name in imported}, file


def test_the_package_is_marked_as_typed():
    assert (CLIENT / "gradless" / "py.typed").exists()
