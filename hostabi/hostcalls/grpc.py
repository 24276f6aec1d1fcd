"""gRPC callouts (abi_reference 8.9): commands to begin, send and cancel, answered later by events.

A token names a call until its callback has returned, and a stream until both sides have closed it; tokens belong to the
plugin that was given them.
"""

from __future__ import annotations

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import CallKind, Status
from hostabi.abi.grpc import GrpcService, GrpcStatus, read_service
from hostabi.abi.hostcall import U32, Bytes, HostError, OutToken, Pairs, hostcall
from hostabi.abi.protobuf import ProtobufError
from hostabi.core.commands import CancelCall, SendGrpc, StartGrpcCall, StartGrpcStream
from hostabi.core.context import GrpcCall, VmState

_NO_CLUSTER = b"Cluster not available"
"""What Envoy says of a call to a cluster that is not there."""


@hostcall("proxy_grpc_call", optional=("initial_metadata",))
def grpc_call(
    vm: VmState,
    service: Bytes,
    service_name: Bytes,
    method: Bytes,
    initial_metadata: Pairs,
    message: Bytes,
    timeout_ms: U32,
) -> OutToken:
    """A unary call. Either proxy_on_grpc_receive or proxy_on_grpc_close comes of it, with this token.

    `service` is the name of a cluster, or a serialised GrpcService. PARSE_FAILURE for what is neither, and for a
    GrpcService without a server; INTERNAL_FAILURE when its cluster is not there, when the message is too large or too
    many calls are under way.
    """
    server = _server(vm, service)
    token = vm.new_token(CallKind.GRPC_UNARY)
    _check(vm, token, server)
    if len(message) > vm.limits.grpc_message_bytes:
        raise HostError(Status.INTERNAL_FAILURE, f"a message of {len(message)} bytes is over the limit")
    root = vm.root
    vm.grpc[token] = GrpcCall(root, unary=True, ended=True)
    vm.emit(
        StartGrpcCall(
            root.plugin,
            token,
            server.upstream,
            _text(service_name),
            _text(method),
            _metadata(server, initial_metadata),
            server.authority,
            server.is_address,
            message,
            timeout_ms,
        )
    )
    return token


@hostcall("proxy_grpc_stream", optional=("initial_metadata",))
def grpc_stream(vm: VmState, service: Bytes, service_name: Bytes, method: Bytes, initial_metadata: Pairs) -> OutToken:
    """A stream, on which both sides send any number of messages; proxy_on_grpc_close is the last that comes of it.

    `service` and its statuses are those of proxy_grpc_call.
    """
    server = _server(vm, service)
    token = vm.new_token(CallKind.GRPC_STREAM)
    _check(vm, token, server)
    root = vm.root
    vm.grpc[token] = GrpcCall(root, unary=False)
    vm.emit(
        StartGrpcStream(
            root.plugin,
            token,
            server.upstream,
            _text(service_name),
            _text(method),
            _metadata(server, initial_metadata),
            server.authority,
            server.is_address,
        )
    )
    return token


@hostcall("proxy_grpc_send")
def grpc_send(vm: VmState, token: U32, message: Bytes, end_stream: U32) -> None:
    """A message on a stream, the last one with end_stream; what comes after a last one, or after the close, is dropped.

    BAD_ARGUMENT for another kind of token, a message that is too large, or while too much waits to be sent; NOT_FOUND
    for a stream that is not the plugin's.
    """
    if token & 3 != CallKind.GRPC_STREAM:
        raise HostError(Status.BAD_ARGUMENT, f"{token} is no token of a stream")
    call = _held(vm, token)
    if call.ended or call.closed:
        vm.complain(f"proxy_grpc_send: the stream {token} is closed, and the message goes nowhere")
        return
    # Not INTERNAL_FAILURE as for other limits: the Rust SDK panics on that here.
    if len(message) > vm.limits.grpc_message_bytes:
        raise HostError(Status.BAD_ARGUMENT, f"a message of {len(message)} bytes is over the limit")
    if call.queued + len(message) > vm.limits.grpc_queue_bytes:
        raise HostError(Status.BAD_ARGUMENT, f"{call.queued} bytes wait to be sent on the stream {token}")
    call.queued += len(message)
    call.ended = end_stream != 0
    vm.emit(SendGrpc(call.root.plugin, token, message, call.ended))


@hostcall("proxy_grpc_cancel")
def grpc_cancel(vm: VmState, token: U32) -> None:
    """Give up a call or a stream: nothing more comes of it.

    BAD_ARGUMENT for other tokens, NOT_FOUND for unknown ones.
    """
    _give_up(vm, token, _held(vm, token))


@hostcall("proxy_grpc_close")
def grpc_close(vm: VmState, token: U32) -> None:
    """Say that nothing more is sent on a stream, whose answers still come; give up a unary call.

    BAD_ARGUMENT for other tokens, NOT_FOUND for unknown ones.
    """
    call = _held(vm, token)
    if call.unary:
        _give_up(vm, token, call)
        return
    if not call.ended and not call.closed:
        call.ended = True
        vm.emit(SendGrpc(call.root.plugin, token, None, True))
    call.released = True
    if call.closed:
        del vm.grpc[token]


def _give_up(vm: VmState, token: int, call: GrpcCall) -> None:
    del vm.grpc[token]
    if not call.closed:
        vm.emit(CancelCall(call.root.plugin, token))


def _held(vm: VmState, token: int) -> GrpcCall:
    if token & 3 not in (CallKind.GRPC_UNARY, CallKind.GRPC_STREAM):
        raise HostError(Status.BAD_ARGUMENT, f"{token} is no token of a gRPC call or stream")
    call, context = vm.grpc.get(token), vm.context
    if call is None or context is None or call.root is not context.root:
        raise HostError(Status.NOT_FOUND, f"there is no gRPC call or stream {token}")
    return call


def _server(vm: VmState, service: bytes) -> GrpcService:
    """The server that a guest means: a GrpcService if the bytes are one that names a server, else a cluster."""
    try:
        server, why = read_service(service), "a GrpcService that names no server"
    except ProtobufError as error:
        server, why = None, f"no GrpcService: {error}"
    if server is not None:
        return server
    # Some names are messages, too: `users` is one with an unknown field 14. Envoy crashes on a call to such a cluster.
    name = _text(service)
    if not (name.isprintable() if vm.upstreams is None else name in vm.upstreams) or not name:
        raise HostError(Status.PARSE_FAILURE, f"no cluster {name!r}, and {why}")
    return GrpcService(name)


def _check(vm: VmState, token: int, server: GrpcService) -> None:
    """Refuse a call that cannot be begun; the token is spent."""
    known = vm.upstreams is None or server.is_address or server.upstream in vm.upstreams
    if not known or not server.upstream:
        if vm.profile.grpc_failed_start_is_told:
            root = vm.root
            vm.defer(lambda: root.tell_closed(token, GrpcStatus.UNAVAILABLE, _NO_CLUSTER))
        raise HostError(Status.INTERNAL_FAILURE, f"there is no cluster {server.upstream!r}")
    if vm.calls_under_way >= vm.limits.outstanding_calls:
        raise HostError(Status.INTERNAL_FAILURE, "too many calls are under way")


def _metadata(server: GrpcService, given: HeaderPairs) -> HeaderPairs:
    return (*server.metadata, *((name.lower(), value) for name, value in given))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
