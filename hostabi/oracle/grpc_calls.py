"""gRPC calls there: what a filter asked for, from its host calls, and what a server sends, as frames of HTTP/2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import CallKind
from hostabi.abi.grpc import GrpcService, read_service
from hostabi.abi.protobuf import ProtobufError
from hostabi.adapters.grpc_message import CONTENT_TYPE, GrpcAnswer, GrpcRecord, record_of
from hostabi.adapters.message import to_bytes, to_pairs
from hostabi.adapters.streams import MadeCall
from hostabi.core.commands import StartGrpcCall, StartGrpcStream
from hostabi.core.transcript import Called
from hostabi.oracle.peers import Flow

STARTS = ("proxy_grpc_call", "proxy_grpc_stream")
_HEAD: HeaderPairs = ((b":status", b"200"), CONTENT_TYPE)


def started(record: Called) -> GrpcRecord:
    """A call that was begun, from the host call that did."""
    args: dict[str, Any] = dict(record.args)
    server = _server(bytes(args["service"] or b""))
    metadata = tuple((name.lower(), value) for name, value in args.get("initial_metadata") or ())
    token = int(str(record.outputs[0] or 0)) if record.outputs else 0
    service, method = (bytes(args[name] or b"").decode(errors="replace") for name in ("service_name", "method"))
    upstream, authority, address = server.upstream, server.authority, server.is_address
    every = (*server.metadata, *metadata)
    plugin = record.plugin
    if record.function == "proxy_grpc_stream":
        return record_of(StartGrpcStream(plugin, token, upstream, service, method, every, authority, address))
    message, timeout = bytes(args["message"] or b""), int(args["timeout_ms"] or 0)
    call = StartGrpcCall(plugin, token, upstream, service, method, every, authority, address, message, timeout)
    return record_of(call)


def _server(data: bytes) -> GrpcService:
    try:
        found = read_service(data)
    except ProtobufError:
        found = None
    return found or GrpcService(data.decode("utf-8", "surrogateescape"))


def follow(calls: Sequence[MadeCall], record: Called) -> None:
    """Note what a host call has done to a call that is under way."""
    args: dict[str, Any] = dict(record.args)
    call = next((one for one in calls if isinstance(one, GrpcRecord) and _is(one, record.plugin, args["token"])), None)
    if call is None:
        return
    if record.function == "proxy_grpc_send":
        if not call.ended:
            call.messages.append(bytes(args["message"] or b""))
            call.ended = bool(args["end_stream"])
    elif record.function == "proxy_grpc_cancel" or call.unary:
        call.cancelled = True
    else:
        call.ended = True


def _is(call: GrpcRecord, plugin: str, token: object) -> bool:
    return call.plugin == plugin and call.token == token and call.token & 3 != CallKind.HTTP


def is_grpc(flow: Flow) -> bool:
    """Whether a request is a gRPC call."""
    return flow.received is not None and CONTENT_TYPE in flow.received.headers


def path_of(flow: Flow) -> str:
    """Its path."""
    headers = flow.received.headers if flow.received is not None else ()
    return next((value.decode("utf-8", "surrogateescape") for name, value in headers if name == b":path"), "")


def send(flow: Flow, answer: GrpcAnswer) -> None:
    """Send an answer, or the next part of one."""
    if answer.only_status and not flow.started:
        flow.headers((*_HEAD, *answer.trailing()), True)
        return
    if not flow.started:
        flow.headers((*_HEAD, *to_pairs(answer.metadata)), False)
    for message in map(to_bytes, answer.messages):
        flow.data(b"\0" + len(message).to_bytes(4, "big") + message, False)
    if answer.end:
        flow.trailers(answer.trailing())
