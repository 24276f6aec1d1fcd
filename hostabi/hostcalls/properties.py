"""Properties: Envoy's attributes with their types, and what filters stored themselves (abi_reference 8.3, 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hostabi.abi.codec import Duration, NotSerializable, Timestamp, Uint, encode_as_text, encode_value, split_path
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import Bytes, HostError, OutBytes, hostcall
from hostabi.core.buffers import HeaderMap
from hostabi.core.context import RootContext, StreamContext, VmState


@hostcall("proxy_get_property")
def get_property(vm: VmState, path: Bytes) -> OutBytes:
    """The value at a path, encoded by its type; NOT_FOUND, or SERIALIZATION_FAILURE for what has no encoding."""
    segments = tuple(part.decode("utf-8", "surrogateescape") for part in split_path(path))
    if not segments:
        bad = vm.profile.empty_path_status_is_bad_argument
        raise HostError(Status.BAD_ARGUMENT if bad else Status.SERIALIZATION_FAILURE, "an empty path")
    value = _set_by_host_name(vm, segments) or find(vm, segments)
    try:
        return encode_as_text(value) if vm.profile.properties_as_text else encode_value(value)
    except NotSerializable as error:
        raise HostError(Status.SERIALIZATION_FAILURE, str(error)) from error


@hostcall("proxy_set_property")
def set_property(vm: VmState, path: Bytes, value: Bytes) -> None:
    """Store bytes with the stream, for later filters and the access log; NOT_FOUND without a stream."""
    stream = vm.stream
    if stream is None:
        raise HostError(Status.NOT_FOUND, "there is no stream to store a property with")
    if vm.profile.only_host_properties_set and not _is_host_name(path):
        raise HostError(Status.BAD_ARGUMENT, "a property that cannot be set")
    state = stream.info.filter_state
    held = sum(len(k) + len(v) for k, v in state.items() if k != path)
    if held + len(path) + len(value) > vm.limits.filter_state_bytes:
        raise HostError(Status.BAD_ARGUMENT, "the properties of this stream are over the limit")
    state[path] = value


def _is_host_name(path: bytes) -> bool:
    """Whether nginx lets a filter set this: its variables, its host's values, and the query."""
    dotted = path.replace(b"\0", b".")
    return dotted.startswith((b"ngx.", b"wasmx.")) or dotted.rstrip(b".") == b"request.query"


def _set_by_host_name(vm: VmState, segments: Sequence[str]) -> bytes | None:
    """What a filter stored under a name of more than one segment, where those can be read back."""
    if not vm.profile.only_host_properties_set or vm.stream is None:
        return None
    path = "\0".join(segments).encode("utf-8", "surrogateescape")
    return vm.stream.info.filter_state.get(path)


def find(vm: VmState, path: Sequence[str]) -> object:
    """The value at a path: what the embedder set, else an attribute, else what a filter stored; NOT_FOUND."""
    context = vm.context
    if context is None:
        raise HostError(Status.NOT_FOUND)
    stream = context if isinstance(context, StreamContext) else None
    for source in (stream.info.attributes if stream else {}, context.root.attributes):
        for n in range(len(path), 0, -1):
            key = ".".join(path[:n])
            if key in source:
                return walk(source[key], path[n:])
    if path[0] in _TOP:
        return walk(_TOP[path[0]](vm, context.root), path[1:])
    if stream is not None:
        if tuple(path) == ("metadata",):
            return b""  # an empty message: no dynamic metadata
        group = _STREAM.get(path[0])
        if group is not None and len(path) == 1:
            return None  # a group as a whole has no encoding on Envoy either
        if group is not None and path[1] in group:
            return walk(group[path[1]](stream), path[2:])
        if path[0] == "filter_state" and len(path) > 1:
            return _stored(stream, ".".join(path[1:]).removeprefix("wasm."))
        return _stored(stream, path[0])
    raise HostError(Status.NOT_FOUND)


def walk(value: object, path: Sequence[str]) -> object:
    """Step into mappings by key and into lists by number; into anything else leads nowhere: NOT_FOUND."""
    for step in path:
        if isinstance(value, HeaderMap):
            values = value.all(step.encode("utf-8", "surrogateescape"))
            value = b",".join(values) if values else None
        elif isinstance(value, Mapping):
            value = value.get(step, value.get(step.encode("utf-8", "surrogateescape")))
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = None
        if value is None:
            raise HostError(Status.NOT_FOUND)
    if value is None:
        raise HostError(Status.NOT_FOUND)
    if isinstance(value, HeaderMap):
        return {name: b",".join(value.all(name)) for name, _ in value.pairs}
    return value


def _stored(stream: StreamContext, name: str) -> bytes:
    value = stream.info.filter_state.get(name.encode("utf-8", "surrogateescape"))
    if value is None:
        raise HostError(Status.NOT_FOUND)
    return value


# --- attributes of the plugin ----------------------------------------------------------------------------------------


def _vm_memory(vm: VmState, root: RootContext) -> object:
    return Uint(vm.memory.length) if vm.abi is AbiVersion.V0_2_100 else None


_TOP: dict[str, Callable[[VmState, RootContext], object]] = {
    "plugin_name": lambda vm, root: root.name,
    "plugin_root_id": lambda vm, root: root.root_id,
    "plugin_vm_id": lambda vm, root: vm.vm_id,
    "plugin_vm_memory": _vm_memory,
    "connection_id": lambda vm, root: Uint(vm.stream.info.connection_id) if vm.stream else None,
}


# --- attributes of the stream ----------------------------------------------------------------------------------------


def _request(name: bytes) -> Callable[[StreamContext], object]:
    def read(stream: StreamContext) -> object:
        return stream.request.visible_headers.get(name) if stream.request.visible_headers is not None else None

    return read


def _path(stream: StreamContext) -> bytes | None:
    return stream.request.visible_headers.get(b":path") if stream.request.visible_headers is not None else None


def _url_path(stream: StreamContext) -> object:
    path = _path(stream)
    return None if path is None else path.partition(b"#")[0].partition(b"?")[0]


def _query(stream: StreamContext) -> object:
    path = _path(stream)
    return None if path is None else path.partition(b"#")[0].partition(b"?")[2]


def _size(headers: HeaderMap | None) -> int | None:
    return headers.byte_size if headers is not None else None


def _total(headers: HeaderMap | None, body: int) -> int:
    return (headers.byte_size if headers is not None else 0) + body


def _number(headers: HeaderMap | None, name: bytes) -> int | None:
    text = headers.get(name) if headers is not None else None
    return int(text) if text is not None and text.isdigit() and len(text) < 10 else None


# What Envoy says of a response that is no gRPC.
_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def _grpc_status(stream: StreamContext) -> int | None:
    for headers in (stream.response.trailers, stream.response.visible_headers):
        found = _number(headers, b"grpc-status")
        if found is not None:
            return found
    code = _number(stream.response.headers, b":status")
    return None if code is None else _GRPC_OF_HTTP.get(code, 2)


def _port(address: str) -> int | None:
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else None


def _duration(stream: StreamContext) -> object:
    end = stream.info.end_time
    return Duration(end - stream.info.start_time) if end is not None else None


Group = dict[str, Callable[[StreamContext], object]]

_REQUEST: Group = {
    "path": _path,
    "url_path": _url_path,
    "host": _request(b":authority"),
    "scheme": _request(b":scheme"),
    "method": _request(b":method"),
    "headers": lambda s: s.request.visible_headers,
    "headers_bytes": lambda s: _size(s.request.visible_headers),
    "referer": _request(b"referer"),
    "useragent": _request(b"user-agent"),
    "time": lambda s: Timestamp(s.info.start_time),
    "id": _request(b"x-request-id"),
    "protocol": lambda s: s.info.protocol,
    "query": _query,
    "duration": _duration,
    "size": lambda s: s.info.request_size,
    "total_size": lambda s: _total(s.request.headers, s.info.request_size),
}

_RESPONSE: Group = {
    "code": lambda s: _number(s.response.headers, b":status"),
    "code_details": lambda s: s.info.response_code_details if s.response.headers is not None else None,
    "flags": lambda s: s.info.response_flags,
    "grpc_status": _grpc_status,
    "headers": lambda s: s.response.visible_headers,
    "headers_bytes": lambda s: _size(s.response.visible_headers),
    "trailers": lambda s: s.response.trailers,
    "size": lambda s: s.info.response_size,
    "total_size": lambda s: _total(s.response.headers, s.info.response_size),
}

_STREAM: dict[str, Group] = {
    "request": _REQUEST,
    "response": _RESPONSE,
    "source": {"address": lambda s: s.info.source_address, "port": lambda s: _port(s.info.source_address)},
    "destination": {
        "address": lambda s: s.info.destination_address,
        "port": lambda s: _port(s.info.destination_address),
    },
    "xds": {"route_name": lambda s: ""},
    "connection": {"id": lambda s: Uint(s.info.connection_id), "mtls": lambda s: False},
    "upstream": {
        "address": lambda s: s.info.upstream_address or None,
        "port": lambda s: _port(s.info.upstream_address),
    },
}
