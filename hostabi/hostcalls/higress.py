"""The private calls of Higress, marker 0_2_100: Redis, hosts of the upstream, injected bytes (abi_reference 11.4)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from hostabi.abi.enums import AbiVersion, CallKind, Status
from hostabi.abi.hostcall import HIGRESS, U32, Bytes, HostError, OutPairs, OutToken, hostcall
from hostabi.abi.messages import Kind, Member, Message
from hostabi.abi.resp import RespError, count_commands
from hostabi.core.commands import OverrideHost, RedisCall, RedisInit
from hostabi.core.context import VmState
from hostabi.hostcalls.foreign import arguments_of, foreign

# --- Redis -----------------------------------------------------------------------------------------------------------


@hostcall("proxy_redis_init", versions=HIGRESS)
def redis_init(vm: VmState, service: Bytes, user: Bytes, password: Bytes, timeout_ms: U32) -> None:
    """Say how a Redis service is reached: `service` is the name of a cluster, options after a question mark.

    The options are db, buffer_flush_timeout (ms) and max_buffer_size_before_flush (bytes). BAD_ARGUMENT for an unknown
    cluster and an option that is no number.
    """
    cluster, options = _cluster(vm, service)
    try:
        numbers = {name: int(value) for name, value in options.items() if name in _OPTIONS}
    except ValueError as error:
        raise HostError(Status.BAD_ARGUMENT, f"the options of {cluster!r} are numbers") from error
    root = vm.root
    if len(root.redis) >= vm.limits.redis_services and cluster not in root.redis:
        raise HostError(Status.INTERNAL_FAILURE, "too many Redis services are in use")
    root.redis.add(cluster)
    given = {_OPTIONS[name]: number for name, number in numbers.items()}
    vm.emit(RedisInit(root.plugin, cluster, user, password, timeout_ms, **given))


_OPTIONS = {
    "db": "database",
    "buffer_flush_timeout": "flush_ms",
    "max_buffer_size_before_flush": "flush_bytes",
}


@hostcall("proxy_redis_call", versions=HIGRESS)
def redis_call(vm: VmState, service: Bytes, query: Bytes) -> OutToken:
    """Send commands in RESP; the answer comes to the plugin as proxy_on_redis_call_response with this token.

    BAD_ARGUMENT for an unknown cluster and a query that is not whole commands; INTERNAL_FAILURE for a service that
    proxy_redis_init was not called for, or when too many calls are under way.
    """
    cluster, _ = _cluster(vm, service)
    root = vm.root
    try:
        commands = count_commands(query)
    except RespError as error:
        raise HostError(Status.BAD_ARGUMENT, str(error)) from error
    if cluster not in root.redis:
        raise HostError(Status.INTERNAL_FAILURE, f"proxy_redis_init was not called for {cluster!r}")
    if vm.calls_under_way >= vm.limits.outstanding_calls or len(query) > vm.limits.call_body_bytes:
        raise HostError(Status.INTERNAL_FAILURE, "too many calls are under way, or the query is too large")
    token = vm.new_token(CallKind.REDIS)
    vm.calls[token] = root
    vm.emit(RedisCall(root.plugin, token, cluster, query, commands))
    return token


def _cluster(vm: VmState, service: bytes) -> tuple[str, dict[str, str]]:
    name, _, options = service.decode("utf-8", "surrogateescape").partition("?")
    if not name or (vm.upstreams is not None and name not in vm.upstreams):
        raise HostError(Status.BAD_ARGUMENT, f"there is no upstream {name!r}")
    return name, dict(parse_qsl(options, max_num_fields=100)) if options.count("&") < 100 else {}


# --- the response ----------------------------------------------------------------------------------------------------


@hostcall("proxy_inject_encoded_data_to_filter_chain", versions=HIGRESS)
def inject_encoded_data(vm: VmState, data: Bytes, end_stream: U32) -> None:
    """Send bytes of a response on, past what is held of it; OK, and nothing happens, when there is none under way."""
    _inject(vm, data, end_stream != 0)


_INJECT = Message(
    "envoy.source.extensions.common.wasm.InjectEncodedDataToFilterChainArguments",
    (Member(1, "body", Kind.BYTES), Member(2, "end_stream", Kind.BOOL)),
)


@foreign("inject_encoded_data_to_filter_chain")
def inject_by_name(vm: VmState, data: bytes) -> bytes:
    """Send bytes of a response on, past what is held of it."""
    return _injected(vm, data)


@foreign("inject_encoded_data_to_filter_chain_on_header")
def inject_on_header(vm: VmState, data: bytes) -> bytes:
    """Send bytes of a response on while its headers are held: they go first."""
    return _injected(vm, data)


def _injected(vm: VmState, data: bytes) -> bytes:
    if vm.abi is not AbiVersion.V0_2_100:
        raise HostError(Status.NOT_FOUND, "a function of Higress, for filters of its marker")
    arguments = arguments_of(_INJECT, data)
    body = arguments["body"]
    _inject(vm, body if isinstance(body, bytes) else b"", arguments["end_stream"] is True)
    return b""


def _inject(vm: VmState, data: bytes, end: bool) -> None:
    stream = vm.stream
    if stream is None or stream.replied or not stream.response.started:
        vm.complain("no response is under way that bytes could be injected into")
        return
    direction = stream.response

    def send() -> None:
        if vm.contexts.get(stream.id) is stream and not stream.replied:
            direction.inject(data, end)

    vm.defer(send)


# --- the log ---------------------------------------------------------------------------------------------------------


@foreign("get_log_level")
def get_log_level_by_name(vm: VmState, data: bytes) -> bytes:
    """The lowest level that is logged, as u32: what Higress' Go SDK asks before it makes a line."""
    if vm.abi is not AbiVersion.V0_2_100:
        raise HostError(Status.NOT_FOUND, "a function of Higress, for filters of its marker")
    return int(vm.log_threshold).to_bytes(4, "little")


# --- the upstream's hosts --------------------------------------------------------------------------------------------


@hostcall("proxy_get_upstream_hosts", versions=HIGRESS)
def get_upstream_hosts(vm: VmState) -> OutPairs:
    """Hosts of the upstream that the route leads to, each with its details; NOT_FOUND where there is no stream."""
    if vm.stream is None:
        raise HostError(Status.NOT_FOUND, "there is no stream, and no upstream")
    return tuple(vm.stream.info.upstream_hosts.items())


@hostcall("proxy_set_upstream_override_host", versions=HIGRESS)
def set_upstream_override_host(vm: VmState, address: Bytes) -> None:
    """Send the request to this host of the upstream; what is no address and port is passed over, which is OK."""
    text = address.decode("utf-8", "surrogateescape")
    host, _, port = text.rpartition(":")
    if vm.stream is None or not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        vm.complain(f"proxy_set_upstream_override_host is passed over: {text!r} is no address, or there is no stream")
        return
    vm.stream.info.upstream_override = text
    vm.emit(OverrideHost(vm.stream.stream, text))
