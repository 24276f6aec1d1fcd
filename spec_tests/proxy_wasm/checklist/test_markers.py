"""What start/test_startup.py and start/test_linking.py leave of markers and imports."""

from __future__ import annotations

import pytest

from hostabi import LoadError
from hostabi.core.transcript import Called
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback

LINK = "(call $path_link {})".format("(i32.const 0) " * 7)


def test_path_link_as_the_standard_has_it(engine: str) -> None:
    """Seven parameters; Envoy has six, so that a module with the standard's type does not link there."""
    text = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers", LINK)})
    (made,) = [r for r in FilterHost(text, engine=engine).exchange().transcript if isinstance(r, Called)]
    assert made.result == 58
    with pytest.raises(LoadError, match=r"wasi_snapshot_preview1\.path_link"):
        FilterHost(text, engine=engine, profile="envoy")
