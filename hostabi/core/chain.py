"""Chains: a request goes through the filters first to last, the response last to first.

A chain takes the events of a stream from the outside and gives the commands for the outside: what one filter sends is
the next one's event. It decides what a local reply or a failure means, since that depends on what has left already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.grpc import status_of_http
from hostabi.abi.hostcall import EmbedderError
from hostabi.core.commands import (
    CloseConnection,
    Command,
    ConnectUpstream,
    LocalReply,
    ResetStream,
    Send,
    SendData,
    SendLocalReply,
)
from hostabi.core.context import as_pairs
from hostabi.core.events import (
    AccessLog,
    Body,
    ConnectionEvent,
    Event,
    Frame,
    Headers,
    PluginEvent,
    RequestBody,
    RequestHeaders,
    RequestMetadata,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseMetadata,
    ResponseTrailers,
    Start,
    StreamEnd,
    StreamEvent,
    StreamInfo,
    StreamLog,
    Trailers,
    Way,
    frame_of,
)
from hostabi.core.network import ConnectionCommand, Network
from hostabi.core.plugin import Plugin

_Given = TypeVar("_Given")

StreamCommand = Send | SendLocalReply | ResetStream | ConnectionCommand
"""What a plugin asks of its chain."""


@dataclass(slots=True)
class _Stream:
    """What a chain knows of one stream."""

    info: StreamInfo
    request_headers: HeaderPairs
    shown_response: set[int] = field(default_factory=set)
    """Positions of the filters that have been given response headers."""
    client_started: bool = False
    client_finished: bool = False
    reset: bool = False
    replied: bool = False
    """The response is one made here: the upstream's, and the rest of the request, do not matter."""
    straight: bool = False
    """It went to the client past all filters, so that nothing they send matters either."""


class Chain:
    """Filters in order, for HTTP streams and for connections."""

    def __init__(self, plugins: Sequence[Plugin], loggers: Sequence[Plugin] = ()) -> None:
        keys = [plugin.key for plugin in (*plugins, *loggers)]
        if len(set(keys)) != len(keys):
            raise EmbedderError("a plugin stands in a chain twice")
        self.plugins = tuple(plugins)
        self.loggers = tuple(loggers)
        """Plugins that keep an access log: they are told of all that is over."""
        self._streams: dict[int, _Stream] = {}
        self._out: list[Command] = []
        self._work: deque[tuple[int, int, Way, Frame]] = deque()
        self._now = 0
        self._busy = False
        self._elsewhere: list[StreamCommand] = []
        self._network = Network(self.plugins, self._give, self._tell)

    def handle(self, event: Event) -> list[Command]:
        """Deal with an event. EmbedderError when one is under way, or for what the chain does not have."""
        return self._work_off(event.now, self._dispatch, event)

    def carry(self, commands: Sequence[Command], now: int) -> list[Command]:
        """Deal with what a plugin of this chain asked for within an event of another chain."""
        return self._work_off(now, self._sort, commands)

    def has(self, stream: int) -> bool:
        """Whether a stream or connection of this number is open here."""
        return stream in self._streams or self._network.has(stream)

    def take_elsewhere(self) -> list[StreamCommand]:
        """What plugins asked for on streams of other chains: they share a VM with one here, or serve two chains."""
        found, self._elsewhere = self._elsewhere, []
        return found

    def _work_off(self, now: int, begin: Callable[[_Given], None], given: _Given) -> list[Command]:
        if self._busy:
            raise EmbedderError("a chain handles one event at a time, and one is under way")
        self._busy = True
        self._now = self._network.now = now
        self._out = self._network.commands = []
        try:
            begin(given)
            while self._work:
                self._pass(*self._work.popleft())
            while self._network.work():
                pass
        finally:
            self._busy = False
            self._work.clear()
        return self._out

    def _dispatch(self, event: Event) -> None:
        match event:
            case Start():
                for position in range(len(self.plugins)):
                    self._give(position, event)
                for logger in self.loggers:
                    self._sort(logger.handle(event))
            case PluginEvent():
                self._give(self._position(event.plugin), event)
            case StreamEnd():
                self._end(event)
            case StreamEvent():
                self._stream_event(event)
            case ConnectionEvent():
                self._network.handle(event)
            case _:
                raise EmbedderError(f"a chain has no use for {type(event).__name__}")

    def _position(self, key: str) -> int:
        for position, plugin in enumerate(self.plugins):
            if plugin.key == key:
                return position
        raise EmbedderError(f"there is no plugin {key!r} in this chain")

    # --- frames from outside

    def _stream_event(self, event: StreamEvent) -> None:
        if isinstance(event, RequestHeaders):
            self._begin(event)
        stream = self._streams.get(event.stream)
        if stream is None:
            raise EmbedderError(f"there is no stream {event.stream}")
        if isinstance(event, RequestMetadata | ResponseMetadata):
            if stream.reset or stream.replied:
                return
            positions = range(len(self.plugins))
            for position in positions if isinstance(event, RequestMetadata) else reversed(positions):
                self._give(position, event)
            return
        found = frame_of(event)
        if found is None:
            raise EmbedderError(f"a chain has no use for {type(event).__name__}")
        way, frame = found
        if stream.reset or stream.replied:
            return  # answered here: neither the rest of the request nor the upstream's answer matters
        if isinstance(frame, Body):
            if way is Way.REQUEST:
                stream.info.request_size += len(frame.data)
            else:
                stream.info.response_size += len(frame.data)
        if way is Way.RESPONSE and (isinstance(frame, Trailers) or frame.end_of_stream):
            stream.info.upstream_last_received = event.now
        first = 0 if way is Way.REQUEST else len(self.plugins) - 1
        self._work.append((event.stream, first, way, frame))

    def _begin(self, event: RequestHeaders) -> None:
        if event.stream in self._streams:
            raise EmbedderError(f"the stream {event.stream} has begun already")
        info = event.info or StreamInfo()
        info.start_time = info.start_time or event.now
        self._streams[event.stream] = _Stream(info, event.headers)

    def _end(self, event: StreamEnd) -> None:
        stream = self._streams.pop(event.stream, None)
        if stream is None:
            raise EmbedderError(f"there is no stream {event.stream}")
        stream.info.end_time = event.now
        for position, plugin in enumerate(self.plugins):
            if plugin.vm.state.profile.create_context_at_log:
                plugin.announce(event.stream, stream.info)
            self._give(position, StreamLog(event.stream, now=event.now))
        if self.loggers:
            self._log(event.stream, stream)
        for position in range(len(self.plugins)):
            self._give(position, event)

    def _log(self, number: int, stream: _Stream) -> None:
        """Tell the loggers: of headers as the filter saw them last that came to them last."""
        contexts = [known.context for plugin in self.plugins if (known := plugin.streams.get(number)) is not None]
        requests = [one.request.headers for one in contexts if one.request.headers is not None]
        answers = [one.response for one in contexts if one.response.headers is not None]
        request = requests[-1].pairs if requests else stream.request_headers
        answer = (as_pairs(answers[0].headers), as_pairs(answers[0].trailers)) if answers else ()
        self._tell(stream.info, request, *answer)

    def _tell(self, info: StreamInfo, *maps: HeaderPairs) -> None:
        for logger in self.loggers:
            self._sort(logger.handle(AccessLog(logger.key, info, *maps, now=self._now)))

    # --- from filter to filter

    def _pass(self, number: int, position: int, way: Way, frame: Frame) -> None:
        stream = self._streams.get(number)
        if stream is None or stream.reset or stream.straight or (stream.replied and way is Way.REQUEST):
            return
        while stream.replied and 0 <= position < len(self.plugins) and not self._sees(position, number):
            position -= 1
        if not 0 <= position < len(self.plugins):
            if way is Way.RESPONSE:
                stream.client_started = True
                stream.client_finished = isinstance(frame, Trailers) or frame.end_of_stream
            elif stream.info.upstream_first_sent is None:
                stream.info.upstream_first_sent = self._now
                stream.info.upstream_attempts = max(stream.info.upstream_attempts, 1)
            self._out.append(Send(number, way, frame))
            return
        if way is Way.RESPONSE:
            stream.shown_response.add(position)
        self._give(position, _event(number, way, frame, stream.info, self._now))

    def _sees(self, position: int, number: int) -> bool:
        """Whether a filter takes part in a local reply: it lives, and knows of the stream."""
        plugin = self.plugins[position]
        return plugin.working and number in plugin.streams

    def _give(self, position: int, event: Event) -> None:
        commands = self.plugins[position].handle(event)
        if commands:
            self._sort(commands)

    def _sort(self, commands: Sequence[Command]) -> None:
        sent: list[tuple[int, int, Way, Frame]] = []
        for command in commands:
            match command:
                case Send() | SendLocalReply() | ResetStream() if command.stream not in self._streams:
                    self._elsewhere.append(command)
                case ConnectUpstream() | SendData() | CloseConnection() if not self._network.has(command.stream):
                    self._elsewhere.append(command)
                case ConnectUpstream() | SendData() | CloseConnection():
                    self._network.command(command)
                case Send():
                    # A plugin that shares a VM may speak within another's event, so the command says who it is.
                    step = 1 if command.way is Way.REQUEST else -1
                    at = self._position(command.plugin) + step
                    sent.append((command.stream, at, command.way, command.frame))
                case SendLocalReply():
                    sent = [work for work in sent if work[0] != command.stream]
                    self._local_reply(command)
                case ResetStream():
                    self._reset(command)
                case _:
                    self._out.append(command)
        # What a filter sends goes all the way before the frame behind it begins (seen on Envoy).
        self._work.extendleft(reversed(sent))

    # --- replies made here

    def _reset(self, command: ResetStream) -> None:
        stream = self._streams.get(command.stream)
        if stream is not None and not stream.reset and not stream.client_finished:
            stream.reset = True
            self._out.append(command)

    def _local_reply(self, command: SendLocalReply) -> None:
        stream = self._streams.get(command.stream)
        if stream is None or stream.reset or stream.client_finished:
            return
        if stream.client_started:
            self._reset(ResetStream(command.stream, command.reply.details or "local reply after the response began"))
            return
        self._work = deque(work for work in self._work if work[0] != command.stream)
        stream.info.response_code_details = command.reply.details or "direct_response"
        stream.replied = True
        self._out.append(command)
        frames = reply_frames(command.reply, stream.request_headers)
        if stream.shown_response:
            # A filter has been shown a response already, and none is shown two. Envoy does the same (seen).
            stream.straight = stream.client_started = stream.client_finished = True
            self._out += (Send(command.stream, Way.RESPONSE, frame) for frame in frames)
            return
        # All filters see it that have seen the request, the one that answers and later ones included (seen on Envoy).
        last = len(self.plugins) - 1
        self._work.extend((command.stream, last, Way.RESPONSE, frame) for frame in frames)


def reply_frames(reply: LocalReply, request: HeaderPairs) -> list[Frame]:
    """A local reply as a response: headers completed as Envoy does, in gRPC's form for a gRPC client."""
    wanted = dict(reversed(request))
    if wanted.get(b"content-type", b"").startswith(b"application/grpc"):
        status = reply.grpc_status
        if status is None:
            status = status_of_http(reply.status)
        grpc: HeaderPairs = ((b":status", b"200"), (b"content-type", b"application/grpc"))
        message = ((b"grpc-message", reply.body),) if reply.body else ()
        return [Headers((*grpc, (b"grpc-status", b"%d" % status), *message), True)]
    headers = [(b":status", b"%d" % reply.status)]
    headers += [pair for pair in reply.headers if pair[0] not in (b":status", b"content-length")]
    if reply.body:
        headers.append((b"content-length", b"%d" % len(reply.body)))
        if all(name != b"content-type" for name, _ in headers):
            headers.append((b"content-type", b"text/plain"))
    if not reply.body or wanted.get(b":method") == b"HEAD":
        return [Headers(tuple(headers), True)]
    return [Headers(tuple(headers)), Body(reply.body, True)]


def _event(stream: int, way: Way, frame: Frame, info: StreamInfo, now: int) -> StreamEvent:
    request = way is Way.REQUEST
    match frame:
        case Headers() if request:
            return RequestHeaders(stream, frame.headers, frame.end_of_stream, info, now=now)
        case Headers():
            return ResponseHeaders(stream, frame.headers, frame.end_of_stream, now=now)
        case Body():
            kind = RequestBody if request else ResponseBody
            return kind(stream, frame.data, frame.end_of_stream, now=now)
        case Trailers():
            return (RequestTrailers if request else ResponseTrailers)(stream, frame.trailers, now=now)
