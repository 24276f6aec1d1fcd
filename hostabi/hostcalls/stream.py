"""Continue, close, answer locally (abi_reference 7.4, 7.6, 8.4, 8.5). All of it takes effect after the guest call."""

from __future__ import annotations

from hostabi.abi.enums import AbiVersion, Status, StreamType
from hostabi.abi.hostcall import SINCE_0_2_0, U32, V1, Bytes, HostError, Pairs, hostcall
from hostabi.core.commands import ClearRouteCache, LocalReply, ResetStream, SendLocalReply
from hostabi.core.context import Traffic, VmState
from hostabi.core.events import Side, Way


@hostcall("proxy_continue_stream", versions=SINCE_0_2_0)
def continue_stream(vm: VmState, stream_type: StreamType) -> None:
    """Let go what is held in a direction; harmless when nothing is."""
    if stream_type is StreamType.UPSTREAM and not vm.profile.upstream_can_continue:
        raise HostError(Status.UNIMPLEMENTED, "the upstream side of a connection cannot be continued")
    if stream_type <= StreamType.HTTP_RESPONSE:
        _resume(vm, Way.REQUEST if stream_type is StreamType.HTTP_REQUEST else Way.RESPONSE)
    else:
        _resume_side(vm, Side.DOWNSTREAM if stream_type is StreamType.DOWNSTREAM else Side.UPSTREAM)


@hostcall("proxy_close_stream", versions=SINCE_0_2_0)
def close_stream(vm: VmState, stream_type: StreamType) -> None:
    """Reset the stream, or close the connection, both sides of it; OK when it is gone already, or of the other kind."""
    if stream_type > StreamType.HTTP_RESPONSE:
        _close_connection(vm)
        return
    stream = vm.stream
    if stream is None:
        return

    def close() -> None:
        if _live(vm, stream) and not stream.logging:
            stream.cut(True)
            vm.emit(ResetStream(stream.stream, "closed by the filter"))

    vm.defer(close)


@hostcall("proxy_continue_request", versions=V1)
def continue_request(vm: VmState) -> None:
    """proxy_continue_stream(0) as 0.1.0 has it."""
    _resume(vm, Way.REQUEST)


@hostcall("proxy_continue_response", versions=V1)
def continue_response(vm: VmState) -> None:
    """proxy_continue_stream(1) as 0.1.0 has it."""
    _resume(vm, Way.RESPONSE)


@hostcall("proxy_clear_route_cache", versions=(AbiVersion.V0_1_0,))
def clear_route_cache(vm: VmState) -> None:
    """Choose the route anew, after a change of request headers."""
    if vm.stream is not None:
        vm.emit(ClearRouteCache(vm.stream.stream))


@hostcall("proxy_send_local_response")
def send_local_response(
    vm: VmState, status_code: U32, details: Bytes, body: Bytes, headers: Pairs, grpc_status: U32
) -> None:
    """Answer the client from here; the first answer of a stream counts, later ones are OK and do nothing."""
    if vm.profile.check_reply_status and not 200 <= status_code <= 599:
        raise HostError(Status.BAD_ARGUMENT, f"{status_code} is no status of a response")
    stream = vm.stream
    if stream is None:
        if vm.profile.reply_needs_stream:
            raise HostError(Status.BAD_ARGUMENT, "there is no stream to answer")
        vm.complain("proxy_send_local_response is ignored: there is no stream to answer")
        return
    if vm.profile.second_reply_is_misuse and (stream.replied or stream.response.headers_sent):
        raise HostError(Status.BAD_ARGUMENT, "there is a response already")
    if stream.replied or stream.logging:
        vm.complain("proxy_send_local_response is ignored: the stream has been answered")
        return
    stream.replied = True
    reply = LocalReply(
        status_code,
        tuple((name.lower(), value) for name, value in headers),
        body,
        "_".join(details.decode("utf-8", "replace").split()),
        grpc_status if grpc_status <= 16 else None,
    )

    def send() -> None:
        if _live(vm, stream):
            stream.cut(False)
            vm.emit(SendLocalReply(stream.stream, stream.root.plugin, reply))

    vm.defer(send)


def _resume(vm: VmState, way: Way) -> None:
    stream = vm.stream
    if stream is None:
        if vm.profile.continue_needs_stream:
            raise HostError(Status.BAD_ARGUMENT, "there is no stream to continue")
        return
    direction = stream.direction(way)
    if vm.profile.continue_drops_maps:
        direction.forget_maps()

    def resume() -> None:
        if _live(vm, stream) and not stream.replied:
            direction.resume()

    vm.defer(resume)


def _resume_side(vm: VmState, side: Side) -> None:
    connection = vm.connection
    if connection is not None:
        vm.defer(lambda: connection.resume(side) if _live(vm, connection) else None)


def _close_connection(vm: VmState) -> None:
    connection = vm.connection
    if connection is not None:
        vm.defer(lambda: connection.close("closed by the filter") if _live(vm, connection) else None)


def _live(vm: VmState, stream: Traffic) -> bool:
    return vm.contexts.get(stream.id) is stream
