"""HTTP/2 METADATA in a chain: request metadata first to last, response metadata last to first, none once answered."""

from __future__ import annotations

from hostabi import RequestHeaders, RequestMetadata, ResponseHeaders, ResponseMetadata
from hostabi.core.transcript import Entered
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

ANSWER = callback(
    "proxy_on_request_metadata", expression("proxy_send_local_response", [403, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF])
)


def seen(host: FilterHost) -> list[tuple[str, int]]:
    """Which plugin was shown how many entries, since the last time."""
    found = [r for r in host.host.transcript if isinstance(r, Entered) and r.callback.endswith("_metadata")]
    host.host.transcript.clear()
    return [(record.plugin, record.args[1][1]) for record in found]


def test_order(engine: str) -> None:
    text = small_filter({f"proxy_on_{way}_metadata": "(i32.const 0)" for way in ("request", "response")})
    host = FilterHost(text, text, engine=engine)
    host.chain.handle(RequestHeaders(1, ((b":path", b"/"),)))
    host.chain.handle(RequestMetadata(1, 2))
    assert seen(host) == [("plugin", 2), ("plugin#2", 2)]
    host.chain.handle(ResponseHeaders(1, ((b":status", b"200"),)))
    host.chain.handle(ResponseMetadata(1, 3))
    assert seen(host) == [("plugin#2", 3), ("plugin", 3)]


def test_none_once_answered(engine: str) -> None:
    host = FilterHost(small_filter({"proxy_on_request_metadata": ANSWER}), engine=engine)
    host.chain.handle(RequestHeaders(1, ((b":path", b"/"),)))
    host.chain.handle(RequestMetadata(1, 1))
    host.chain.handle(RequestMetadata(1, 1))
    host.chain.handle(ResponseMetadata(1, 1))
    assert seen(host) == [("plugin", 1)]
