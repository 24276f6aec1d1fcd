"""The attributes of Envoy, one row each: path, type, and where the value comes from (abi_reference 10).

A row that has nothing to say answers None, which a filter sees as NOT_FOUND. What a group as a whole, a map, a message
or a missing fact answers was asked of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum

from hostabi.abi.codec import Duration, Timestamp, Uint
from hostabi.abi.enums import AbiVersion
from hostabi.abi.messages import LOCALITY, METADATA, NODE, Message, Proto
from hostabi.core.buffers import HeaderMap
from hostabi.core.context import RootContext, Traffic, VmState
from hostabi.core.events import TlsInfo


class Type(Enum):
    """How the value of an attribute is written for a guest (abi_reference 3.6)."""

    TEXT = "text"
    INT = "i64"
    UINT = "u64"
    BOOL = "one byte"
    TIME = "i64, ns since 1970"
    DURATION = "i64, ns"
    MAP = "map"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A row: `read` takes the VM, the plugin, and the stream where there must be one."""

    path: str
    type: Type
    read: Callable[[VmState, RootContext, Traffic | None], object]
    message: Message | None = None
    on_root: bool = False

    @property
    def group(self) -> str:
        """The first segment of its path."""
        return self.path.partition(".")[0]


Read = Callable[[Traffic], object]
ATTRIBUTES: dict[str, Attribute] = {}


def _row(path: str, type: Type, read: Read, message: Message | None = None) -> None:
    def of_stream(vm: VmState, root: RootContext, stream: Traffic | None) -> object:
        return read(stream) if stream is not None else None

    ATTRIBUTES[path] = Attribute(path, type, of_stream, message)


def _root_row(path: str, type: Type, read: Callable[[VmState, RootContext], object]) -> None:
    ATTRIBUTES[path] = Attribute(path, type, lambda vm, root, stream: read(vm, root), None, True)


# --- how values come about -------------------------------------------------------------------------------------------


def _header(name: bytes) -> Read:
    def read(stream: Traffic) -> object:
        headers = stream.request.visible_headers
        return headers.get(name) if headers is not None else None

    return read


def _fact(name: str) -> Read:
    """A fact of StreamInfo; an empty text is one that is not known."""

    def read(stream: Traffic) -> object:
        value = getattr(stream.info, name)
        return None if value == "" else value

    return read


def _text(name: str) -> Read:
    """A fact of StreamInfo that may be an empty text."""
    return lambda stream: getattr(stream.info, name)


def _message(name: str, message: Message) -> Read:
    def read(stream: Traffic) -> object:
        value = getattr(stream.info, name)
        if value is None:
            return None
        return Proto(message, {"filter_metadata": value} if message is METADATA and value else value)

    return read


def _port(name: str) -> Read:
    def read(stream: Traffic) -> object:
        port = str(getattr(stream.info, name)).rpartition(":")[2]
        return int(port) if port.isdecimal() and len(port) < 6 else None

    return read


def _path_part(part: Callable[[bytes], bytes]) -> Read:
    path = _header(b":path")

    def read(stream: Traffic) -> object:
        value = path(stream)
        return part(value) if isinstance(value, bytes) else None

    return read


def _size(headers: HeaderMap | None) -> int:
    return headers.byte_size if headers is not None else 0


def _number(headers: HeaderMap | None, name: bytes) -> int | None:
    text = headers.get(name) if headers is not None else None
    return int(text) if text is not None and text.isdigit() and len(text) < 19 else None


def _request_size(stream: Traffic) -> object:
    headers = stream.request.visible_headers
    if headers is not None and headers.get(b"content-length") is not None:
        return _number(headers, b"content-length")
    return stream.info.request_size


def _duration(stream: Traffic) -> object:
    end = stream.info.end_time
    return Duration(end - stream.info.start_time) if end is not None else None


def _backend_latency(stream: Traffic) -> object:
    info = stream.info
    if info.upstream_first_sent is None or info.upstream_last_received is None:
        return None
    return Duration(info.upstream_last_received - info.upstream_first_sent)


# What Envoy says of a response that is no gRPC.
_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def _grpc_status(stream: Traffic) -> object:
    for headers in (stream.response.trailers, stream.response.visible_headers):
        found = _number(headers, b"grpc-status")
        if found is not None:
            return found
    code = _number(stream.response.headers, b":status")
    return None if code is None else _GRPC_OF_HTTP.get(code, 2)


def _tls(side: str, name: str) -> Read:
    # These two are there with any TLS, others only with something to say.
    always = name in ("tls_version", "subject_local_certificate", "subject_peer_certificate")

    def read(stream: Traffic) -> object:
        tls = getattr(stream.info, side)
        return getattr(tls, name) or ("" if always else None) if tls is not None else None

    return read


def _once_sent(read: Read) -> Read:
    """Something that the proxy knows when a connection to the upstream is there."""
    return lambda stream: read(stream) if stream.info.upstream_first_sent is not None else None


def _vm_memory(vm: VmState, root: RootContext) -> object:
    return Uint(vm.memory.length) if vm.abi is AbiVersion.V0_2_100 else None


def _optional(kind: Callable[[int], object], read: Read) -> Read:
    def typed(stream: Traffic) -> object:
        value = read(stream)
        return kind(value) if isinstance(value, int) else None

    return typed


# --- the rows --------------------------------------------------------------------------------------------------------

_T = Type
_root_row("plugin_name", _T.TEXT, lambda vm, root: root.name)
_root_row("plugin_root_id", _T.TEXT, lambda vm, root: root.root_id)
_root_row("plugin_vm_id", _T.TEXT, lambda vm, root: vm.vm_id)
_root_row("plugin_vm_memory", _T.UINT, _vm_memory)
_row("connection_id", _T.UINT, _optional(Uint, _text("connection_id")))

_row("request.path", _T.TEXT, _header(b":path"))
_row("request.url_path", _T.TEXT, _path_part(lambda path: path.partition(b"?")[0]))
_row("request.query", _T.TEXT, _path_part(lambda path: path.partition(b"?")[2].partition(b"#")[0]))
_row("request.host", _T.TEXT, _header(b":authority"))
_row("request.scheme", _T.TEXT, _header(b":scheme"))
_row("request.method", _T.TEXT, _header(b":method"))
_row("request.referer", _T.TEXT, _header(b"referer"))
_row("request.useragent", _T.TEXT, _header(b"user-agent"))
_row("request.id", _T.TEXT, _header(b"x-request-id"))
_row("request.protocol", _T.TEXT, _fact("protocol"))
_row("request.headers", _T.MAP, lambda s: s.request.visible_headers or HeaderMap())
_row("request.headers_bytes", _T.INT, lambda s: _size(s.request.visible_headers))
_row("request.size", _T.INT, _request_size)
_row("request.total_size", _T.INT, lambda s: _size(s.request.visible_headers) + s.info.request_size)
_row("request.time", _T.TIME, lambda s: Timestamp(s.info.start_time))
_row("request.duration", _T.DURATION, _duration)

_UNLESS_GONE = "via_upstream"


def _code_details(s: Traffic) -> str | None:
    known = s.response.headers is not None or s.info.response_code_details != _UNLESS_GONE
    return s.info.response_code_details if known else None


_row("response.code", _T.INT, lambda s: _number(s.response.headers, b":status"))
_row("response.code_details", _T.TEXT, _code_details)
_row("response.flags", _T.INT, _text("response_flags"))
_row("response.grpc_status", _T.INT, _grpc_status)
_row("response.headers", _T.MAP, lambda s: s.response.visible_headers or HeaderMap())
_row("response.headers_bytes", _T.INT, lambda s: _size(s.response.visible_headers))
_row("response.trailers", _T.MAP, lambda s: s.response.trailers or HeaderMap())
_row("response.size", _T.INT, _text("response_size"))
_row(
    "response.total_size",
    _T.INT,
    lambda s: _size(s.response.visible_headers) + s.info.response_size + _size(s.response.trailers),
)
_row("response.backend_latency", _T.DURATION, _backend_latency)

for _side in ("source", "destination"):
    _row(f"{_side}.address", _T.TEXT, _fact(f"{_side}_address"))
    _row(f"{_side}.port", _T.INT, _port(f"{_side}_address"))

_row("connection.id", _T.UINT, _optional(Uint, _text("connection_id")))
_row("connection.mtls", _T.BOOL, lambda s: s.info.tls is not None and bool(s.info.tls.peer_certificate))
_row("connection.requested_server_name", _T.TEXT, _text("requested_server_name"))
_row("connection.transport_failure_reason", _T.TEXT, _fact("transport_failure_reason"))
_row("connection.termination_details", _T.TEXT, _text("termination_details"))

_row("upstream.address", _T.TEXT, _fact("upstream_address"))
_row("upstream.port", _T.INT, _port("upstream_address"))
_row("upstream.local_address", _T.TEXT, _fact("upstream_local_address"))
_row("upstream.num_endpoints", _T.UINT, _optional(Uint, _text("upstream_endpoints")))
_row("upstream.request_attempt_count", _T.UINT, _optional(Uint, _text("upstream_attempts")))
_row("upstream.transport_failure_reason", _T.TEXT, _once_sent(_text("upstream_failure_reason")))
_row("upstream.cx_pool_ready_duration", _T.DURATION, _optional(Duration, _text("upstream_ready_duration")))
_row("upstream.locality", _T.MESSAGE, _message("upstream_locality", LOCALITY), LOCALITY)

for _group, _side in (("connection", "tls"), ("upstream", "upstream_tls")):
    for _field in fields(TlsInfo):
        _row(f"{_group}.{_field.name}", _T.TEXT, _tls(_side, _field.name))

_row("metadata", _T.MESSAGE, _message("metadata", METADATA), METADATA)

ATTRIBUTES["xds.node"] = Attribute("xds.node", _T.MESSAGE, lambda vm, root, stream: None, NODE, True)
_row("xds.listener_direction", _T.INT, _text("listener_direction"))
_row("xds.listener_metadata", _T.MESSAGE, _message("listener_metadata", METADATA), METADATA)
_row("xds.filter_chain_name", _T.TEXT, _text("filter_chain_name"))
_row("xds.route_name", _T.TEXT, _text("route_name"))
_row("xds.route_metadata", _T.MESSAGE, _message("route_metadata", METADATA), METADATA)
_row("xds.virtual_host_name", _T.TEXT, _text("virtual_host_name"))
_row("xds.virtual_host_metadata", _T.MESSAGE, _message("virtual_host_metadata", METADATA), METADATA)
_row("xds.cluster_name", _T.TEXT, _text("cluster_name"))
_row("xds.cluster_metadata", _T.MESSAGE, _message("cluster_metadata", METADATA), METADATA)
_row("xds.upstream_host_metadata", _T.MESSAGE, _message("upstream_host_metadata", METADATA), METADATA)
_row(
    "xds.upstream_host_locality_metadata",
    _T.MESSAGE,
    _message("upstream_host_locality_metadata", METADATA),
    METADATA,
)

OLD_NAMES = {
    name: f"xds.{name}"
    for name in (
        *("node", "listener_direction", "listener_metadata", "cluster_name", "cluster_metadata"),
        *("route_name", "route_metadata", "upstream_host_metadata"),
    )
}
"""Names of their own that attributes had until Envoy 1.30 or so, and what they are called now."""

GROUPS = {attribute.group for attribute in ATTRIBUTES.values() if "." in attribute.path} | {"filter_state"}
"""First segments under which there is more; as a whole they cannot be written."""

_ON_ROOT = ("plugin_", "node", "listener_", "xds.node", "xds.listener_")


def for_plugins(presets: Mapping[str, object]) -> dict[str, object]:
    """Those of some preset attributes that a plugin can read before there is a stream."""
    return {path: value for path, value in presets.items() if path.startswith(_ON_ROOT)}
