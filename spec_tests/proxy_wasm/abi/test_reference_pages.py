"""The committed pages are what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostabi.testing.reference import FOLDER, PAGES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: "/".join(path.parts[-2:]))
def test_page(path: Path) -> None:
    """To write them anew: python -m hostabi.testing.reference"""
    committed = ROOT / "hostabi" / path.relative_to(FOLDER)
    assert committed.read_text() == PAGES[path]()
