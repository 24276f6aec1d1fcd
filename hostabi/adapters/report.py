"""An exchange as plain data for JSON, with stable keys; the same on every engine but for `engine`."""

from __future__ import annotations

from base64 import b64encode

from hostabi.abi.codec import HeaderPairs
from hostabi.adapters.exchange import Exchange
from hostabi.adapters.grpc_message import GrpcRecord
from hostabi.adapters.message import Message
from hostabi.adapters.streams import Connection
from hostabi.core.commands import LocalReply, StartCall


def exchange_data(exchange: Exchange) -> dict[str, object]:
    """The object that `tamis run --json` prints."""
    trap = exchange.trap
    return {
        "abi": exchange.abi,
        "engine": exchange.engine,
        **(_messages(exchange) if exchange.connection is None else {"tcp": _connection(exchange.connection)}),
        "logs": [{"level": log.level.name.lower(), "message": as_text(log.message)} for log in exchange.logs],
        "calls": [_call(call) for call in exchange.calls],
        "fuel": exchange.fuel,
        "trap": None if trap is None else {"message": trap.message, "backtrace": list(trap.backtrace)},
        "reset": exchange.reset,
        "paused": exchange.paused,
    }


def _messages(exchange: Exchange) -> dict[str, object]:
    return {
        "request": _message(exchange.request),
        "response": _message(exchange.response),
        "local_response": _reply(exchange.local_response),
    }


def _connection(connection: Connection) -> dict[str, object]:
    sent = {**_bytes("upstream", connection.upstream), **_bytes("downstream", connection.downstream)}
    closed = None if connection.closed is None else connection.closed.name.lower()
    ends = {"upstream_end": connection.upstream_end, "downstream_end": connection.downstream_end}
    return {**sent, **ends, "closed": closed, "reason": connection.reason}


def _bytes(name: str, data: bytes | None) -> dict[str, object]:
    if data is None:
        return {name: None}
    return {key.replace("body", name): text for key, text in body_data(data).items()}


def as_text(data: bytes) -> str:
    """Bytes as text, those that are not UTF-8 as \\xNN."""
    return data.decode("utf-8", "backslashreplace")


def _pairs(pairs: HeaderPairs) -> list[list[str]]:
    return [[as_text(name), as_text(value)] for name, value in pairs]


def body_data(body: bytes) -> dict[str, str]:
    """A body under `body`, or under `body_base64` when it is not UTF-8."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode("ascii")}


def _message(message: Message | None) -> dict[str, object] | None:
    if message is None:
        return None
    return {"headers": _pairs(message.headers), **body_data(message.body), "trailers": _pairs(message.trailers)}


def _reply(reply: LocalReply | None) -> dict[str, object] | None:
    if reply is None:
        return None
    return {
        "status": reply.status,
        "headers": _pairs(reply.headers),
        **body_data(reply.body),
        "details": reply.details,
        "grpc_status": reply.grpc_status,
    }


def _call(call: StartCall | GrpcRecord) -> dict[str, object]:
    if isinstance(call, GrpcRecord):
        return _grpc_call(call)
    return {
        "upstream": call.upstream,
        "headers": _pairs(call.headers),
        **body_data(call.body),
        "trailers": _pairs(call.trailers),
        "timeout_ms": call.timeout_ms,
    }


def _grpc_call(call: GrpcRecord) -> dict[str, object]:
    command = call.command
    return {
        "upstream": call.upstream,
        "service": command.service,
        "method": command.method,
        "metadata": _pairs(command.metadata),
        "messages": [body_data(message) for message in call.messages],
        "ended": call.ended,
        "cancelled": call.cancelled,
        "timeout_ms": call.timeout_ms if call.unary else None,
    }
