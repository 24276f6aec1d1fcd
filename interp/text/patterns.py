"""Repetition that gives nothing back, for the expressions that read text."""

from __future__ import annotations

import sys


def possessive(pattern: str, quantifier: str = "*") -> str:
    """Any number of `pattern`, or with `+` at least one, but never fewer than there are.

    Python before 3.11.5 gets a possessive quantifier wrong whose group has alternatives (CPython issue 106052). An
    atomic group means the same, but remembers each repetition until it ends.
    """
    return f"(?:{pattern}){quantifier}+" if sys.version_info >= (3, 11, 5) else f"(?>(?:{pattern}){quantifier})"
