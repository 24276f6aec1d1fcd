"""The binary format, both ways (specification chapter 5): `decode`, `encode`, and the names of a module."""

from __future__ import annotations
