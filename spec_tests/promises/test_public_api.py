"""The public names, pinned: adding one is a decision, and taking one away breaks somebody."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

PINNED = Path(__file__).parent / "public_names"
MODULES = ["interp", "hostabi", "hostabi.testing"]
each_module = pytest.mark.parametrize("name", MODULES)


@each_module
def test_names_are_pinned(name: str) -> None:
    """The list in public_names/NAME.txt is the decision; this holds the code to it."""
    pinned = (PINNED / f"{name}.txt").read_text().split()
    assert sorted(importlib.import_module(name).__all__) == pinned


@each_module
def test_every_name_is_there_once(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@each_module
def test_what_is_public_is_explained(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    things = ((public, getattr(module, public)) for public in module.__all__)
    ours = [(public, thing) for public, thing in things if inspect.isclass(thing) or inspect.isfunction(thing)]
    assert [public for public, thing in ours if not inspect.getdoc(thing)] == []
