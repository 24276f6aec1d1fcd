"""Properties: Envoy's attributes with their types, and stored ones (abi_reference 8.3, 10)."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from hostabi import Limits, Status
from hostabi.abi.codec import Timestamp, Uint, decode_pairs
from hostabi.abi.enums import AbiVersion
from hostabi.core.events import StreamInfo
from spec_tests.proxy_wasm.kit import call, expression


def i64(value: int) -> bytes:
    return struct.pack("<q", value)


def get(engine: str, what: str | bytes, **rest: Any) -> Any:
    raw = what if isinstance(what, bytes) else what.replace(".", "\0").encode()
    return call(engine, "proxy_get_property", raw, **rest)


INFO = StreamInfo(
    connection_id=9,
    source_address="10.0.0.1:1234",
    destination_address="10.0.0.2:443",
    upstream_address="10.0.0.3:80",
    start_time=5,
    protocol="HTTP/2",
)
SENT: dict[str, Any] = {
    "path": "/a/b?q=1&r=2#f",
    "headers": [("Referer", "ref"), ("User-Agent", "ua"), ("x-request-id", "id"), ("dup", "1"), ("dup", "2")],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("request.path", b"/a/b?q=1&r=2#f"),
        ("request.url_path", b"/a/b"),
        ("request.query", b"q=1&r=2"),
        ("request.host", b"localhost"),
        ("request.scheme", b"http"),
        ("request.method", b"GET"),
        ("request.referer", b"ref"),
        ("request.useragent", b"ua"),
        ("request.id", b"id"),
        ("request.protocol", b"HTTP/2"),
        ("request.time", i64(5)),
        ("request.headers.dup", b"1,2"),
        ("request.headers.DUP", b"1,2"),
        ("request.size", i64(0)),
        ("source.address", b"10.0.0.1:1234"),
        ("source.port", i64(1234)),
        ("destination.port", i64(443)),
        ("upstream.address", b"10.0.0.3:80"),
        ("connection.id", i64(9)),
        ("connection.mtls", b"\0"),
        ("connection_id", i64(9)),
        ("response.total_size", i64(0)),
        ("xds.route_name", b""),
        ("metadata", b""),
    ],
)
def test_attributes_of_a_request(engine: str, path: str, value: bytes) -> None:
    info = StreamInfo(
        **{name: getattr(INFO, name) for name in StreamInfo.__slots__ if name not in ("attributes", "filter_state")}
    )
    got = get(engine, path, info=info, **SENT)
    assert (got.status, got.output) == (Status.OK, value)


def test_all_headers_are_a_map(engine: str) -> None:
    got = get(engine, "request.headers", **SENT)
    assert dict(decode_pairs(got.output))[b"dup"] == b"1,2"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("response.code", i64(404)),
        ("response.headers.server", b"s"),
        ("response.grpc_status", i64(5)),
        ("response.size", i64(3)),
        ("response.code_details", b"via_upstream"),
        ("response.trailers.grpc-status", b"5"),
        ("request.path", b"/"),
        ("request.size", i64(2)),
    ],
)
def test_attributes_in_the_log_phase(engine: str, path: str, value: bytes) -> None:
    got = get(
        engine,
        path,
        during="proxy_on_log",
        body="ab",
        status=404,
        response_headers={"Server": "s"},
        response_body="abc",
        response_trailers={"grpc-status": "5"},
    )
    assert (got.status, got.output) == (Status.OK, value)


@pytest.mark.parametrize(("path", "value"), [("plugin_name", b"n"), ("plugin_root_id", b"r"), ("plugin_vm_id", b"v")])
@pytest.mark.parametrize("during", ["proxy_on_context_create", "proxy_on_request_headers"])
def test_attributes_of_the_plugin(engine: str, path: str, value: bytes, during: str) -> None:
    got = get(engine, path, during=during, host={"name": "n", "root_id": "r", "vm_id": "v"})
    assert got.output == value


def test_an_empty_root_id_is_ok(engine: str) -> None:
    """C++ and AssemblyScript SDKs ask for it when a context is created, and abort on any other status."""
    got = get(engine, "plugin_root_id", during="proxy_on_context_create")
    assert (got.status, got.output) == (Status.OK, b"")


def test_plugin_vm_memory_of_higress(engine: str) -> None:
    assert get(engine, "plugin_vm_memory", abi=AbiVersion.V0_2_100).output == i64(65536)
    assert get(engine, "plugin_vm_memory").status is Status.NOT_FOUND


@pytest.mark.parametrize(
    "path", ["none", "request.none", "request.path.deeper", "request.headers.none", "response.code", b"\0"]
)
def test_what_is_not_there(engine: str, path: str | bytes) -> None:
    assert get(engine, path).status is Status.NOT_FOUND


@pytest.mark.parametrize("path", ["request", "response", "source"])
def test_a_group_as_a_whole(engine: str, path: str) -> None:
    assert get(engine, path).status is Status.SERIALIZATION_FAILURE


@pytest.mark.parametrize(("status", "grpc"), [(200, 2), (404, 12), (503, 14)])
def test_the_grpc_status_of_a_plain_response(engine: str, status: int, grpc: int) -> None:
    got = get(engine, "response.grpc_status", during="proxy_on_response_headers", status=status)
    assert got.output == i64(grpc)


def test_stream_attributes_on_the_plugin_itself(engine: str) -> None:
    assert get(engine, "request.path", during="proxy_on_configure").status is Status.NOT_FOUND


def test_an_empty_path(engine: str) -> None:
    assert get(engine, b"").status is Status.SERIALIZATION_FAILURE
    assert get(engine, b"", host={"profile": "spec"}).status is Status.BAD_ARGUMENT


@pytest.mark.parametrize("path", [b"request\0path", b"request\0path\0"])
def test_a_nul_at_the_end_is_ignored(engine: str, path: bytes) -> None:
    assert get(engine, path).output == b"/"


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ({"route_name": "r"}, "route_name", b"r"),
        ({"request.path": "/other"}, "request.path", b"/other"),
        ({"node.id": "n"}, "node.id", b"n"),
        ({"node": {"metadata": {"NAME": "n"}}}, "node.metadata.NAME", b"n"),
        ({"list": ["a", "b"]}, "list.1", b"b"),
        ({"x": True}, "x", b"\1"),
        ({"x": 7}, "x", i64(7)),
        ({"x": 1.5}, "x", struct.pack("<d", 1.5)),
        ({"x": Uint(2**64 - 1)}, "x", b"\xff" * 8),
        ({"x": Timestamp(3)}, "x", i64(3)),
        ({"x": ""}, "x", b""),
        ({"metadata.filter_metadata": {"a.b": {"c": "d"}}}, b"metadata\0filter_metadata\0a.b\0c", b"d"),
    ],
)
def test_what_the_embedder_sets(engine: str, given: dict[str, object], path: str | bytes, value: bytes) -> None:
    got = get(engine, path, host={"properties": given})
    assert (got.status, got.output) == (Status.OK, value)


def test_a_value_without_an_encoding(engine: str) -> None:
    assert get(engine, "x", host={"properties": {"x": object()}}).status is Status.SERIALIZATION_FAILURE


def test_nginx_gives_text(engine: str) -> None:
    assert get(engine, "source.port", host={"profile": "nginx"}).output == b"50000"


# --- stored properties


def test_set_and_get(engine: str) -> None:
    got = call(
        engine,
        "proxy_get_property",
        b"mine",
        before=(expression("proxy_set_property", [1024, 4, 0, 3]),),
        data={0: b"val"},
    )
    assert (got.status, got.output) == (Status.OK, b"val")


def test_set_is_seen_by_later_callbacks_and_as_filter_state(engine: str) -> None:
    also = {"proxy_on_log": f"(drop {expression('proxy_get_property', [0, 22])})"}
    got = call(engine, "proxy_set_property", b"mine", b"val", also=also, data={0: b"filter_state\0wasm.mine"})
    read = [r for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_get_property"]
    assert [(r.result, r.outputs) for r in read] == [(0, (b"val",))]


def test_attributes_cannot_be_set(engine: str) -> None:
    got = call(
        engine,
        "proxy_get_property",
        b"request\0path",
        before=(expression("proxy_set_property", [1024, 12, 0, 3]),),
        data={0: b"val"},
    )
    assert got.output == b"/"


def test_set_an_empty_value(engine: str) -> None:
    got = call(engine, "proxy_get_property", b"mine", before=(expression("proxy_set_property", [1024, 4, 0, 0]),))
    assert (got.status, got.output) == (Status.OK, b"")


def test_set_without_a_stream(engine: str) -> None:
    assert call(engine, "proxy_set_property", b"a", b"b", during="proxy_on_configure").status is Status.NOT_FOUND


def test_set_over_the_limit(engine: str) -> None:
    got = call(engine, "proxy_set_property", b"a", b"bcd", host={"limits": Limits(filter_state_bytes=3)})
    assert got.status is Status.BAD_ARGUMENT
