"""Real filters, compiled from other languages, run on every engine that is present."""

from __future__ import annotations

import pytest

from interp.exec.engines import available


@pytest.fixture(params=["native", "reference"], scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name not in available():
        pytest.skip(f"this installation has no {name} engine")
    return name
