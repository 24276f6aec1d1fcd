"""Modules as text, for the command line."""

from __future__ import annotations

from interp.syntax.module import Module
from interp.text.printer import print_module


def to_wat(module: Module, *, names: bool = True, folded: bool = False) -> str:
    """The text of a module, see `print_module`. Raises MalformedError if a body cannot be decoded."""
    return print_module(module, names=names, folded=folded)
