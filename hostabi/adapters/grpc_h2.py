"""One HTTP/2 connection to a gRPC server, without I/O: commands and bytes go in, events and bytes come out.

`GrpcConnection` is a client on the library h2 (the extra `grpc`). Whoever owns the socket gives it what arrives
(`receive`), sends what it has to send (`take_output`), and tells it when the time of a call is over (`expire`) and when
the connection is lost (`lost`). Every call ends with exactly one GrpcClosed or GrpcTimedOut, unless it was cancelled.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from hostabi.abi.codec import HeaderPairs, has_forbidden_bytes
from hostabi.abi.grpc import GrpcStatus, status_of_http
from hostabi.adapters.grpc_message import CONTENT_TYPE, failure
from hostabi.core.commands import SendGrpc, StartGrpcCall, StartGrpcStream
from hostabi.core.events import Event, GrpcClosed, GrpcInitialMetadata, GrpcMessage, GrpcSent, GrpcTimedOut

MOST_MESSAGE_BYTES = 4 << 20
MOST_HEADER_BYTES = 64 << 10
_WINDOW = 1 << 20
_PREFIX = 5
_FRAME_HEAD = 9

_Codes = h2.errors.ErrorCodes
_OF_RESET = {
    _Codes.REFUSED_STREAM: GrpcStatus.UNAVAILABLE,
    _Codes.CANCEL: GrpcStatus.CANCELLED,
    _Codes.ENHANCE_YOUR_CALM: GrpcStatus.RESOURCE_EXHAUSTED,
    _Codes.INADEQUATE_SECURITY: GrpcStatus.PERMISSION_DENIED,
}
"""What a reset means, where it is not INTERNAL (gRPC over HTTP2, "HTTP2 Transport Mapping")."""

_OWN = frozenset(
    {b"te", b"content-type", b"grpc-timeout", b"connection", b"host", b"transfer-encoding", b"content-length"}
)
"""Names that are made here, or have no place in HTTP/2: they are left out of what a filter adds."""

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~:0-9a-z]+")
_MOST_TIMEOUT = 99_999_999
"""grpc-timeout has eight digits."""


@dataclass(slots=True)
class _Call:
    """One call on this connection. `unsent` are frames, and how many bytes of messages each of them ends."""

    start: StartGrpcCall | StartGrpcStream
    stream: int = 0
    unsent: deque[tuple[memoryview, int]] = field(default_factory=deque)
    end: bool = False
    """The last message is among them."""
    end_sent: bool = False
    received: bytearray = field(default_factory=bytearray)
    answered: bool = False
    """Headers have come."""


class GrpcConnection:
    """The calls of one connection, by plugin and token. `authority` stands for a cluster that names none."""

    def __init__(self, *, most_message_bytes: int = MOST_MESSAGE_BYTES) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._h2 = h2.connection.H2Connection(config)
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEADER_BYTES,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._most = most_message_bytes
        self._calls: dict[tuple[str, int], _Call] = {}
        self._streams: dict[int, _Call] = {}
        self._waiting: deque[_Call] = deque()
        self._events: list[Event] = []
        self._unread = bytearray()
        self._closing = False

    # --- what its owner needs to know

    @property
    def usable(self) -> bool:
        """Whether a new call can begin here: the server has not said that it goes away."""
        return not self._closing

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._calls)

    def take_output(self) -> bytes:
        """What is to be sent to the server."""
        self._fill()
        return self._h2.data_to_send()

    def take_events(self) -> list[Event]:
        """What has come of calls since the last time."""
        found, self._events = self._events, []
        return found

    # --- what filters want

    def begin(self, command: StartGrpcCall | StartGrpcStream) -> None:
        """Begin a call; it waits while the server takes no more of them at once."""
        call = _Call(command)
        self._calls[command.plugin, command.token] = call
        if isinstance(command, StartGrpcCall):
            self._add(call, command.message)
            call.end = True
        self._waiting.append(call)

    def send(self, command: SendGrpc) -> None:
        """A message on a stream, which goes as the server has room."""
        call = self._calls.get((command.plugin, command.token))
        if call is None:
            return
        if command.message is not None:
            self._add(call, command.message)
        call.end = call.end or command.end

    def cancel(self, plugin: str, token: int) -> None:
        """Nobody waits for this call any more."""
        call = self._calls.get((plugin, token))
        if call is not None:
            self._drop(call, _Codes.CANCEL)

    def expire(self, plugin: str, token: int) -> None:
        """The time of a call is over."""
        call = self._calls.get((plugin, token))
        if call is not None:
            self._drop(call, _Codes.CANCEL)
            self._events.append(GrpcTimedOut(plugin, token))

    # --- what the network brings

    def receive(self, data: bytes) -> None:
        """Bytes from the server; what is no HTTP/2 ends every call."""
        self._unread += data
        try:
            # Frame by frame, since h2 takes GOAWAY for the end: what stands behind it would be an error, and the events
            # of all that stands before it would be lost.
            for frame in self._frames():
                for event in self._h2.receive_data(frame):
                    self._happen(event)
        except h2.exceptions.ProtocolError as error:
            self._unread.clear()
            self._lose(GrpcStatus.INTERNAL, f"protocol error: {error}".encode(), "upstream_protocol_error")

    def _frames(self) -> Iterator[bytes]:
        """The frames that have come whole."""
        while len(self._unread) >= _FRAME_HEAD:
            size = int.from_bytes(self._unread[:3], "big")
            if size > self._h2.max_inbound_frame_size:
                raise h2.exceptions.FrameTooLargeError(f"a frame of {size} bytes")
            if len(self._unread) < _FRAME_HEAD + size:
                return
            frame = bytes(self._unread[: _FRAME_HEAD + size])
            del self._unread[: _FRAME_HEAD + size]
            yield frame

    def lost(self, why: bytes = b"connection termination") -> None:
        """The connection is gone: every call on it is UNAVAILABLE."""
        self._lose(GrpcStatus.UNAVAILABLE, why, "upstream_reset")

    def _happen(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._going_away(event)
            return
        call = self._streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            # What nobody waits for any more counts for the connection's window all the same.
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if call is None:
            return
        match event:
            case h2.events.ResponseReceived():
                self._headers(call, _pairs(event.headers), event.stream_ended is not None)
            case h2.events.DataReceived():
                self._data(call, event.data)
            case h2.events.TrailersReceived():
                self._trailers(call, _pairs(event.headers))
            case h2.events.StreamEnded():
                self._fail(call, GrpcStatus.UNKNOWN, b"the stream ended without a status", ())
            case h2.events.StreamReset():
                code = int(event.error_code or 0)
                status = next((one for reset, one in _OF_RESET.items() if reset == code), GrpcStatus.INTERNAL)
                self._fail(call, status, b"stream reset by the server, error code %d" % code)

    def _headers(self, call: _Call, headers: HeaderPairs, end: bool) -> None:
        call.answered = True
        fields = dict(reversed(headers))
        http = _number(fields.get(b":status", b""))
        if end and b"grpc-status" in fields:
            self._trailers(call, headers)
            return
        plugin, token = call.start.plugin, call.start.token
        if http != 200:
            self._fail(call, status_of_http(http), b"HTTP status %d" % http, ())
        elif not fields.get(b"content-type", b"").startswith(b"application/grpc"):
            self._fail(call, GrpcStatus.UNKNOWN, b"the answer is no gRPC", ())
        else:
            self._events.append(GrpcInitialMetadata(plugin, token, headers))

    def _data(self, call: _Call, data: bytes) -> None:
        call.received += data
        while len(call.received) >= _PREFIX:
            flags, size = call.received[0], int.from_bytes(call.received[1:_PREFIX], "big")
            if flags:
                self._fail(call, GrpcStatus.INTERNAL, b"a compressed message, and none was asked for", ())
                return
            if size > self._most:
                text = b"a message of %d bytes, and %d are the most" % (size, self._most)
                self._fail(call, GrpcStatus.RESOURCE_EXHAUSTED, text, ())
                return
            if len(call.received) < _PREFIX + size:
                return
            message = bytes(call.received[_PREFIX : _PREFIX + size])
            del call.received[: _PREFIX + size]
            self._events.append(GrpcMessage(call.start.plugin, call.start.token, message))

    def _trailers(self, call: _Call, trailers: HeaderPairs) -> None:
        fields = dict(reversed(trailers))
        text = fields.get(b"grpc-status", b"")
        status = _number(text) if text else GrpcStatus.UNKNOWN
        if call.received:
            self._fail(call, GrpcStatus.INTERNAL, b"the stream ended within a message", ())
            return
        message = fields.get(b"grpc-message", b"")
        self._forget(call)
        self._events.append(GrpcClosed(call.start.plugin, call.start.token, status, message, trailers))

    def _going_away(self, event: h2.events.ConnectionTerminated) -> None:
        """GOAWAY: later streams were not looked at, earlier ones go on."""
        self._closing = True
        last = event.last_stream_id or 0
        code = event.error_code or 0
        for call in [*self._calls.values()]:
            if not call.stream or call.stream > last:
                self._fail(call, GrpcStatus.UNAVAILABLE, b"the server goes away, error code %d" % code)
        if code:
            self._lose(GrpcStatus.UNAVAILABLE, b"the server goes away, error code %d" % code, "upstream_reset")
        else:
            # h2 takes the connection for closed now, and would refuse what the server still sends.
            self._h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN

    # --- sending

    def _add(self, call: _Call, message: bytes) -> None:
        call.unsent.append((memoryview(b"\0" + len(message).to_bytes(4, "big") + message), len(message)))

    def _fill(self) -> None:
        """Hand to h2 what the server has room for."""
        while self._waiting and not self._closing and self._h2.open_outbound_streams < self._most_streams:
            call = self._waiting.popleft()
            if self._calls.get((call.start.plugin, call.start.token)) is call:
                self._open(call)
        for call in [*self._streams.values()]:
            self._push(call)

    @property
    def _most_streams(self) -> int:
        return self._h2.remote_settings.max_concurrent_streams

    def _open(self, call: _Call) -> None:
        bad = [name for name, value in call.start.metadata if not _TOKEN.fullmatch(name) or has_forbidden_bytes(value)]
        if bad:
            self._fail(call, GrpcStatus.INTERNAL, b"metadata that cannot be sent: " + bad[0], ())
            return
        try:
            call.stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(call.stream, request_headers(call.start))
        except h2.exceptions.ProtocolError as error:
            self._fail(call, GrpcStatus.INTERNAL, f"the metadata cannot be sent: {error}".encode(), ())
            return
        self._streams[call.stream] = call

    def _push(self, call: _Call) -> None:
        try:
            for data, end in self._ready(call):
                self._h2.send_data(call.stream, data, end)
        except h2.exceptions.ProtocolError as error:
            self._fail(call, GrpcStatus.INTERNAL, f"cannot be sent: {error}".encode(), ())

    def _ready(self, call: _Call) -> Iterator[tuple[bytes, bool]]:
        """Pieces of what is unsent that fit the window, the last with the end of the stream."""
        while call.unsent:
            frame, size = call.unsent[0]
            room = min(self._h2.local_flow_control_window(call.stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            piece, rest = frame[:room], frame[room:]
            if rest:
                call.unsent[0] = (rest, size)
            else:
                call.unsent.popleft()
                self._events.append(GrpcSent(call.start.plugin, call.start.token, size))
            last = call.end and not call.unsent
            call.end_sent = call.end_sent or last
            yield bytes(piece), last
        if call.end and not call.end_sent:
            call.end_sent = True
            yield b"", True

    # --- the end of a call

    def _fail(self, call: _Call, status: int, text: bytes, metadata: HeaderPairs | None = None) -> None:
        """A call ends here; the server is told, if it does not know."""
        if call.answered and metadata is None:
            metadata = ()
        self._drop(call, _Codes.CANCEL)
        details = "upstream_reset_after_response_started" if call.answered else "upstream_reset_before_response_started"
        self._events.append(failure(call.start.plugin, call.start.token, status, text, details, metadata))

    def _lose(self, status: GrpcStatus, text: bytes, details: str) -> None:
        self._closing = True
        calls = [*self._calls.values()]
        self._calls.clear()
        self._streams.clear()
        self._waiting.clear()
        for call in calls:
            metadata = () if call.answered else None
            self._events.append(failure(call.start.plugin, call.start.token, status, text, details, metadata))

    def _drop(self, call: _Call, code: h2.errors.ErrorCodes) -> None:
        self._forget(call)
        if call.stream:
            try:
                self._h2.reset_stream(call.stream, code)
            except h2.exceptions.ProtocolError:
                pass  # it is closed already, or the connection is

    def _forget(self, call: _Call) -> None:
        self._calls.pop((call.start.plugin, call.start.token), None)
        self._streams.pop(call.stream, None)


def request_headers(command: StartGrpcCall | StartGrpcStream) -> list[tuple[bytes, bytes]]:
    """The headers of a call; of the filter's metadata what is not made here."""
    authority = command.authority or command.upstream
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", command.path.encode("utf-8", "surrogateescape")),
        (b":authority", authority.encode("utf-8", "surrogateescape")),
        (b"te", b"trailers"),
        CONTENT_TYPE,
    ]
    if isinstance(command, StartGrpcCall) and command.timeout_ms:
        headers.append((b"grpc-timeout", b"%dm" % min(command.timeout_ms, _MOST_TIMEOUT)))
    kept = (pair for pair in command.metadata if pair[0] not in _OWN and not pair[0].startswith(b":"))
    return [*headers, *kept]


def _number(text: bytes) -> int:
    """A status that is written out; -1 for what is none, which is how Envoy gives it to filters."""
    return int(text) if text.isdigit() and len(text) < 10 else -1


def _pairs(headers: object) -> HeaderPairs:
    """h2's headers, which are bytes without an encoding."""
    found = headers if isinstance(headers, list) else []
    return tuple((bytes(name).lower(), bytes(value)) for name, value in found)
