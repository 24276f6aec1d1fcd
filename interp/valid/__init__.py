"""Validation (specification chapter 3): the rules of modules, and the readable validator of bodies."""

from __future__ import annotations
