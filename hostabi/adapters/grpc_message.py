"""gRPC as tests and the command line give and see it: what a server answers, and what a filter has sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.grpc import GrpcStatus, percent_encode
from hostabi.adapters.message import HeadersLike, Text, to_bytes, to_pairs
from hostabi.core.commands import StartGrpcCall, StartGrpcStream
from hostabi.core.events import Event, GrpcClosed, GrpcInitialMetadata, GrpcMessage

CONTENT_TYPE = (b"content-type", b"application/grpc")
_HEAD: HeaderPairs = ((b":status", b"200"), CONTENT_TYPE)

# What Envoy says of servers that go away (seen on 1.40).
_BROKEN = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
_BROKEN_DETAILS = "upstream_reset_before_response_started{connection_termination}"
_BROKEN_LATE = "upstream_reset_after_response_started{connection_termination}"


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """What a gRPC server sends: initial metadata, messages, and the status with its message and trailing metadata.

    With `end` False the status does not come yet. A server that sends nothing but a status sends no initial metadata.
    """

    messages: Sequence[Text] = ()
    status: int = GrpcStatus.OK
    message: Text = b""
    metadata: HeadersLike = ()
    trailers: HeadersLike = ()
    end: bool = True

    @property
    def only_status(self) -> bool:
        """Whether it is nothing but a status, if nothing came before it."""
        return self.end and not self.messages and not to_pairs(self.metadata)

    def trailing(self) -> HeaderPairs:
        """The trailing metadata, the status in it."""
        text = percent_encode(to_bytes(self.message))
        message = ((b"grpc-message", text),) if text else ()
        return ((b"grpc-status", b"%d" % self.status), *message, *to_pairs(self.trailers))


@dataclass(slots=True)
class GrpcRecord:
    """A gRPC call or stream that a filter has begun, and what it has sent so far."""

    command: StartGrpcCall | StartGrpcStream
    messages: list[bytes] = field(default_factory=list)
    ended: bool = False
    """The filter has said that it sends no more."""
    cancelled: bool = False
    begun: bool = False
    """The server has begun to answer."""
    online: bool = False
    """It went out to a real server."""

    @property
    def plugin(self) -> str:
        """The plugin that began it."""
        return self.command.plugin

    @property
    def token(self) -> int:
        """Its token."""
        return self.command.token

    @property
    def upstream(self) -> str:
        """The cluster, or the address."""
        return self.command.upstream

    @property
    def unary(self) -> bool:
        """Whether it is a call, and no stream."""
        return isinstance(self.command, StartGrpcCall)

    @property
    def timeout_ms(self) -> int:
        """The time that a unary call has; 0 for a stream, and for none."""
        return self.command.timeout_ms if isinstance(self.command, StartGrpcCall) else 0


def record_of(command: StartGrpcCall | StartGrpcStream) -> GrpcRecord:
    """The record of a call that begins."""
    if isinstance(command, StartGrpcCall):
        return GrpcRecord(command, [command.message], ended=True)
    return GrpcRecord(command)


def answer_events(call: GrpcRecord, answer: GrpcAnswer) -> Iterator[Event]:
    """What an answer, or the next part of one, brings."""
    plugin, token = call.plugin, call.token
    metadata = to_pairs(answer.metadata)
    only_status = answer.only_status and not call.begun
    if not call.begun and not only_status:
        call.begun = True
        yield GrpcInitialMetadata(plugin, token, (*_HEAD, *metadata))
    for message in answer.messages:
        yield GrpcMessage(plugin, token, to_bytes(message))
    if answer.end:
        trailing = (*_HEAD, *answer.trailing()) if only_status else answer.trailing()
        yield GrpcClosed(plugin, token, answer.status, percent_encode(to_bytes(answer.message)), trailing)


def failure(
    plugin: str, token: int, status: int, message: bytes, details: str, metadata: HeaderPairs | None = None
) -> GrpcClosed:
    """A call that ended without an answer: Envoy makes one, which is a status and nothing else."""
    text = percent_encode(message)
    if metadata is None:
        metadata = (*_HEAD, (b"grpc-status", b"%d" % status), *(((b"grpc-message", text),) if text else ()))
    return GrpcClosed(plugin, token, status, text, metadata, details)


def broken(call: GrpcRecord) -> GrpcClosed:
    """The connection breaks: before the server has answered that is UNAVAILABLE, after that INTERNAL."""
    if call.begun:
        return failure(call.plugin, call.token, GrpcStatus.INTERNAL, b"", _BROKEN_LATE, ())
    return failure(call.plugin, call.token, GrpcStatus.UNAVAILABLE, _BROKEN, _BROKEN_DETAILS)
