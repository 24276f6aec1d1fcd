"""Hypothesis strategies over the generator: what fails is shrunk."""

from __future__ import annotations

from hypothesis import strategies as st

from interp.syntax.module import Module

from .generator import Program, make_module, make_program


def modules(size: int = 60) -> st.SearchStrategy[Module]:
    """Well-typed modules."""
    return st.randoms(use_true_random=False).map(lambda rng: make_module(rng, size=size))


def programs(size: int = 60) -> st.SearchStrategy[Program]:
    """Well-typed programs."""
    return st.randoms(use_true_random=False).map(lambda rng: make_program(rng, size))
