"""Every cell of the checklist names tests, and each of them exists."""

from __future__ import annotations

import pytest

from spec_tests.proxy_wasm.checklist.cells import CELLS, LATER
from spec_tests.proxy_wasm.named import exists


@pytest.mark.parametrize(
    ("line", "cell"), [(line, cell) for line, cells in CELLS.items() for cell in cells], ids=lambda text: text
)
def test_the_tests_of_a_cell_exist(line: str, cell: str) -> None:
    tests = CELLS[line][cell]
    assert tests
    missing = [test for test in tests if not test.startswith(LATER) and not exists(test)]
    assert missing == []


def test_all_lines_are_here() -> None:
    """As many as the checklist has."""
    assert len(CELLS) == 15


def test_little_is_left_for_later() -> None:
    later = [test for cells in CELLS.values() for tests in cells.values() for test in tests if test.startswith(LATER)]
    assert len(later) == 2
