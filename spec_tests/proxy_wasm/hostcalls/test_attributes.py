"""Every attribute of Envoy: its value and encoding, when there is one and when there is none (abi_reference 10).

What is expected was asked of Envoy 1.40, over TLS on both sides.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from hostabi import Status
from hostabi.abi.codec import decode_pairs, encode_pairs
from hostabi.abi.enums import AbiVersion
from hostabi.core.events import StreamInfo, TlsInfo
from hostabi.hostcalls.attributes import ATTRIBUTES, GROUPS, OLD_NAMES
from spec_tests.proxy_wasm.kit import call


def i64(value: int) -> bytes:
    return struct.pack("<q", value)


def f64(value: float) -> bytes:
    return struct.pack("<d", value)


def pairs(**values: bytes) -> bytes:
    return encode_pairs([(name.encode(), value) for name, value in values.items()])


TLS = TlsInfo(
    tls_version="TLSv1.3",
    subject_local_certificate="CN=server,O=tamis,C=FR",
    subject_peer_certificate="CN=client,O=tamis,C=FR",
    dns_san_local_certificate="server.example",
    dns_san_peer_certificate="client.example",
    uri_san_local_certificate="spiffe://x/server",
    uri_san_peer_certificate="spiffe://x/client",
    sha256_peer_certificate_digest="c9af",
    peer_certificate="-----BEGIN CERTIFICATE-----\n",
)
DATA: dict[str, object] = {"ns": {"k": "v", "n": 1.5, "b": True}}
METADATA = b"\n)\n\x02ns\x12#\n\x08\n\x01k\x12\x03\x1a\x01v\n\x0e\n\x01n\x12\t\x11" + f64(1.5)
METADATA += b"\n\x07\n\x01b\x12\x02 \x01"
FACTS: dict[str, Any] = {
    "connection_id": 9,
    "protocol": "HTTP/2",
    "start_time": 5,
    "source_address": "10.0.0.1:1234",
    "destination_address": "[::1]:443",
    "requested_server_name": "server.example",
    "tls": TLS,
    "transport_failure_reason": "tf",
    "termination_details": "td",
    "metadata": DATA,
    "listener_direction": 1,
    "listener_metadata": DATA,
    "filter_chain_name": "fc",
    "route_name": "rt",
    "route_metadata": DATA,
    "virtual_host_name": "vh",
    "virtual_host_metadata": DATA,
    "cluster_name": "up",
    "cluster_metadata": DATA,
    "upstream_address": "10.0.0.3:80",
    "upstream_local_address": "10.0.0.4:4000",
    "upstream_endpoints": 3,
    "upstream_tls": TLS,
    "upstream_ready_duration": 7,
    "upstream_locality": {"region": "re", "zone": "zo", "sub_zone": "su"},
    "upstream_host_metadata": DATA,
    "upstream_host_locality_metadata": DATA,
    "response_flags": 4,
}
HEADERS = [("referer", "ref"), ("user-agent", "ua"), ("x-request-id", "id"), ("dup", "1"), ("dup", "2")]
SENT: dict[str, Any] = {
    "path": "/a/b?q=1&r=2",
    "headers": HEADERS,
    "body": "abcd",
    "status": 404,
    "response_headers": {"x": "1"},
    "response_body": "hello",
    "response_trailers": {"grpc-status": "5"},
}
REQUEST_BYTES = sum(
    map(len, (":authoritylocalhost:path/a/b?q=1&r=2:methodGET:schemehttp", *(a + b for a, b in HEADERS)))
)
RESPONSE_BYTES = len(":status404x1")


@dataclass
class Row:
    """What an attribute gives while the request begins, at the end, and without the facts; None is NOT_FOUND."""

    request: bytes | None
    end: bytes | None
    bare: bytes | None


def always(value: bytes, bare: bytes | None = None) -> Row:
    return Row(value, value, bare)


def metadata(bare: bytes | None = None) -> Row:
    return Row(METADATA, METADATA, bare)


ROWS: dict[str, Row] = {
    "plugin_name": always(b"pl", b""),
    "plugin_root_id": always(b"ro", b""),
    "plugin_vm_id": always(b"vi", b""),
    "plugin_vm_memory": always(i64(65536), None),
    "connection_id": always(i64(9), i64(1)),
    "request.path": always(b"/a/b?q=1&r=2", b"/"),
    "request.url_path": always(b"/a/b", b"/"),
    "request.query": always(b"q=1&r=2", b""),
    "request.host": always(b"localhost", b"localhost"),
    "request.scheme": always(b"http", b"http"),
    "request.method": always(b"GET", b"GET"),
    "request.referer": always(b"ref"),
    "request.useragent": always(b"ua"),
    "request.id": always(b"id"),
    "request.protocol": always(b"HTTP/2", b"HTTP/1.1"),
    "request.headers_bytes": always(i64(REQUEST_BYTES), i64(len(":authoritylocalhost:path/:methodGET:schemehttp"))),
    "request.size": Row(i64(0), i64(4), i64(0)),
    "request.total_size": Row(i64(REQUEST_BYTES), i64(REQUEST_BYTES + 4), i64(46)),
    "request.time": always(i64(5), i64(1_700_000_000_001_000_000)),
    "request.duration": Row(None, i64(1_700_000_000_006_000_000 - 5), None),
    "response.code": Row(None, i64(404), None),
    "response.code_details": Row(None, b"via_upstream", None),
    "response.flags": always(i64(4), i64(0)),
    "response.grpc_status": Row(None, i64(5), None),
    "response.headers_bytes": Row(i64(0), i64(RESPONSE_BYTES), i64(0)),
    "response.size": Row(i64(0), i64(5), i64(0)),
    "response.total_size": Row(i64(0), i64(RESPONSE_BYTES + 5 + len("grpc-status5")), i64(0)),
    "response.backend_latency": Row(None, i64(4_000_000), None),
    "response.trailers": Row(encode_pairs([]), encode_pairs([(b"grpc-status", b"5")]), encode_pairs([])),
    "response.headers": Row(encode_pairs([]), encode_pairs([(b":status", b"404"), (b"x", b"1")]), encode_pairs([])),
    "source.address": always(b"10.0.0.1:1234", b"127.0.0.1:50000"),
    "source.port": always(i64(1234), i64(50000)),
    "destination.address": always(b"[::1]:443", b"127.0.0.1:80"),
    "destination.port": always(i64(443), i64(80)),
    "connection.id": always(i64(9), i64(1)),
    "connection.mtls": always(b"\1", b"\0"),
    "connection.requested_server_name": always(b"server.example", b""),
    "connection.transport_failure_reason": always(b"tf"),
    "connection.termination_details": always(b"td"),
    "upstream.address": always(b"10.0.0.3:80"),
    "upstream.port": always(i64(80)),
    "upstream.local_address": always(b"10.0.0.4:4000"),
    "upstream.num_endpoints": always(i64(3)),
    "upstream.request_attempt_count": Row(i64(0), i64(1), i64(0)),
    "upstream.transport_failure_reason": Row(None, b"", None),
    "upstream.cx_pool_ready_duration": always(i64(7)),
    "upstream.locality": always(b"\n\x02re\x12\x02zo\x1a\x02su"),
    "metadata": metadata(b""),
    "xds.node": always(b"\n\x03nid"),
    "xds.listener_direction": always(i64(1), i64(0)),
    "xds.listener_metadata": metadata(b""),
    "xds.filter_chain_name": always(b"fc", b""),
    "xds.route_name": always(b"rt", b""),
    "xds.route_metadata": metadata(b""),
    "xds.virtual_host_name": always(b"vh", b""),
    "xds.virtual_host_metadata": metadata(b""),
    "xds.cluster_name": always(b"up"),
    "xds.cluster_metadata": metadata(b""),
    "xds.upstream_host_metadata": metadata(),
    "xds.upstream_host_locality_metadata": metadata(),
    **{
        f"{group}.{field.name}": always(getattr(TLS, field.name).encode())
        for group in ("connection", "upstream")
        for field in fields(TlsInfo)
    },
}
MAPS = {"request.headers"}


def test_every_row_is_tested() -> None:
    assert set(ROWS) | MAPS == set(ATTRIBUTES)


def get(engine: str, path: str, during: str, *, facts: bool, **rest: Any) -> bytes | Status | None:
    host: dict[str, Any] = {}
    if facts:
        host = {"name": "pl", "root_id": "ro", "vm_id": "vi", "properties": {"xds.node": {"id": "nid"}}}
        rest = {**SENT, "info": StreamInfo(**FACTS), "abi": AbiVersion.V0_2_100, **rest}
    raw = path.replace(".", "\0").encode()
    got = call(engine, "proxy_get_property", raw, during=during, host=host, **rest)
    if got.status is Status.OK:
        value = got.output
        assert isinstance(value, bytes)
        return value
    return None if got.status is Status.NOT_FOUND else got.status


@pytest.mark.parametrize("path", ROWS)
def test_what_a_row_gives(engine: str, path: str) -> None:
    row = ROWS[path]
    assert get(engine, path, "proxy_on_request_headers", facts=True) == row.request
    assert get(engine, path, "proxy_on_log", facts=True) == row.end
    assert get(engine, path, "proxy_on_request_headers", facts=False) == row.bare


@pytest.mark.parametrize("path", ROWS)
def test_what_a_row_gives_the_plugin_itself(engine: str, path: str) -> None:
    """Of a plugin there are its names, and the node; Envoy has nothing else there either."""
    there = ATTRIBUTES[path].on_root and ROWS[path].bare is not None
    assert get(engine, path, "proxy_on_configure", facts=False) == (ROWS[path].bare if there else None)


@pytest.mark.parametrize("old", OLD_NAMES)
def test_the_old_names(engine: str, old: str) -> None:
    """They are gone from Envoy 1.40, and filters ask for them."""
    row = ROWS[OLD_NAMES[old]]
    assert get(engine, old, "proxy_on_log", facts=True) == row.end
    raw = old.encode()
    info = StreamInfo(**FACTS)
    got = call(engine, "proxy_get_property", raw, host={"profile": "envoy"}, info=info)
    assert got.status is Status.NOT_FOUND


def test_headers_as_a_map(engine: str) -> None:
    got = get(engine, "request.headers", "proxy_on_request_headers", facts=True)
    assert isinstance(got, bytes)
    wanted = {b":authority": b"localhost", b":path": b"/a/b?q=1&r=2", b":method": b"GET", b":scheme": b"http"}
    assert dict(decode_pairs(got)) == wanted | {
        b"referer": b"ref",
        b"user-agent": b"ua",
        b"x-request-id": b"id",
        b"dup": b"1,2",
    }


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_group_as_a_whole_cannot_be_written(engine: str, group: str) -> None:
    assert get(engine, group, "proxy_on_request_headers", facts=False) is Status.SERIALIZATION_FAILURE
    assert get(engine, f"{group}.none", "proxy_on_request_headers", facts=False) is None


def test_the_upstreams_filter_state_is_there_with_the_upstream(engine: str) -> None:
    assert get(engine, "upstream_filter_state", "proxy_on_request_headers", facts=False) is None
    assert get(engine, "upstream_filter_state", "proxy_on_log", facts=False) is Status.SERIALIZATION_FAILURE


def test_the_groups_of_xds_and_others_without_a_stream(engine: str) -> None:
    assert get(engine, "xds", "proxy_on_configure", facts=False) is Status.SERIALIZATION_FAILURE
    assert get(engine, "request", "proxy_on_configure", facts=False) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("xds.route_metadata.filter_metadata", pairs(ns=pairs(k=b"v", l=encode_pairs([(b"a", b""), (f64(2), b"")])))),
        ("xds.route_metadata.filter_metadata.ns.k", b"v"),
        ("xds.route_metadata.filter_metadata.ns.l.1", f64(2)),
        ("xds.route_metadata.filter_metadata.ns.l.2", None),
        ("xds.route_metadata.filter_metadata.ns.l.x", None),
        ("xds.route_metadata.filter_metadata.ns.k.x", None),
        ("xds.route_metadata.filter_metadata.no", None),
        ("xds.route_metadata.typed_filter_metadata", encode_pairs([])),
        ("xds.route_metadata.no", None),
        ("xds.node.metadata.NUM", f64(3)),
        ("xds.node.metadata.NONE", Status.SERIALIZATION_FAILURE),
        ("xds.node.locality", b"\n\x01r"),
        ("xds.node.locality.region", b"r"),
        ("xds.node.locality.sub_zone", b""),
        ("xds.node.cluster", b""),
        ("xds.node.client_features", encode_pairs([])),
        ("xds.node.dynamic_parameters", encode_pairs([])),
        ("xds.node.none", None),
        ("node.metadata.SUB", encode_pairs([(b"a", b"b")])),
    ],
)  # fmt: skip
def test_stepping_into_messages(engine: str, path: str, value: object) -> None:
    info = StreamInfo(route_metadata={"ns": {"k": "v", "l": ["a", 2]}})
    node = {"id": "n", "metadata": {"NUM": 3, "SUB": {"a": "b"}, "NONE": None}, "locality": {"region": "r"}}
    got = call(
        engine,
        "proxy_get_property",
        path.replace(".", "\0").encode(),
        host={"properties": {"xds.node": node}},
        info=info,
    )
    if isinstance(value, bytes):
        assert (got.status, got.output) == (Status.OK, value)
    else:
        assert got.status is (Status.NOT_FOUND if value is None else value)


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ({"node.id": "n"}, "xds.node.id", b"n"),
        ({"xds.node.id": "n"}, "node.id", b"n"),
        ({"node.id": "n", "xds.node.cluster": "c"}, "xds.node", b"\n\x01n\x12\x01c"),
        ({"node.metadata.A": 1, "node.metadata.B.C": "x"}, "node.metadata", pairs(A=f64(1), B=pairs(C=b"x"))),
        ({"node.metadata.A": 1}, "node.metadata.A", f64(1)),
        ({"node.locality.region": "r"}, "node.locality", b"\n\x01r"),
        ({"node.locality": {"region": "r"}}, "node.locality.region", b"r"),
        ({"node.none": "x"}, "node.none", b"x"),
        ({"cluster_name": "c"}, "xds.cluster_name", b"c"),
        ({"metadata.filter_metadata.ns.n": 1}, "metadata.filter_metadata.ns.n", f64(1)),
        ({"metadata.filter_metadata.ns": {"n": 1}}, "metadata.filter_metadata.ns.n", f64(1)),
        ({"metadata": {"filter_metadata": {"ns": {"n": 1}}}}, "metadata.filter_metadata.ns.n", f64(1)),
        ({"filter_state.my": "v"}, "filter_state.my", b"v"),
        ({"upstream_filter_state.my": "v"}, "upstream_filter_state.my", b"v"),
        ({"response.code": 418}, "response.code", i64(418)),
        ({"connection.mtls": True}, "connection.mtls", b"\1"),
        ({"upstream.num_endpoints": 2**64 - 1}, "upstream.num_endpoints", b"\xff" * 8),
        ({"request.headers": {"a": "b"}}, "request.headers.a", b"b"),
    ],
)  # fmt: skip
def test_presets(engine: str, given: dict[str, object], path: str, value: bytes) -> None:
    got = call(engine, "proxy_get_property", path.replace(".", "\0").encode(), host={"properties": given})
    assert (got.status, got.output) == (Status.OK, value)


def test_a_content_length_is_the_size_of_a_request(engine: str) -> None:
    def size(value: str) -> bytes | Status | None:
        return get(engine, "request.size", "proxy_on_request_headers", facts=False, headers={"content-length": value})

    assert (size("77"), size("many")) == (i64(77), None)


def test_tls_without_names_and_without_a_certificate_of_the_peer(engine: str) -> None:
    info = replace(StreamInfo(), tls=TlsInfo(tls_version="TLSv1.2"))

    def read(name: str) -> tuple[Status, object]:
        got = call(engine, "proxy_get_property", b"connection\0" + name.encode(), info=info)
        return got.status, got.called.outputs[0] if got.called.outputs else None

    assert read("mtls") == (Status.OK, b"\0")
    assert read("subject_peer_certificate") == (Status.OK, b"")
    assert read("dns_san_peer_certificate") == read("peer_certificate") == (Status.NOT_FOUND, None)


def test_in_the_envoy_profile_what_went_on_is_gone(engine: str) -> None:
    """Of the request there is nothing left to see while the response comes, and sizes count what can be seen."""
    host = {"profile": "envoy"}

    def read(name: str) -> object:
        got = call(engine, "proxy_get_property", b"request\0" + name, during="proxy_on_response_headers", host=host)
        return got.output if got.status is Status.OK else got.status

    assert [read(b"path"), read(b"query")] == [Status.NOT_FOUND, Status.NOT_FOUND]
    assert [read(b"headers"), read(b"headers_bytes"), read(b"total_size")] == [encode_pairs([]), i64(0), i64(0)]
