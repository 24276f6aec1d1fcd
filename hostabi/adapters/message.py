"""One HTTP exchange through a chain: feeds the events, answers the commands, collects what came out.

`Exchanger` is the world of a chain in a test or on the command line: it has a clock of its own, an upstream that gives
one answer, and answers for the filters' HTTP calls. It does no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import LogLevel
from hostabi.core.chain import Chain
from hostabi.core.commands import (
    CancelCall,
    Command,
    LocalReply,
    Log,
    PluginFailed,
    ResetStream,
    Send,
    SendLocalReply,
    SetTimer,
    StartCall,
    Wake,
)
from hostabi.core.events import (
    Body,
    CallFailed,
    CallResponse,
    Event,
    Headers,
    QueueReady,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Shutdown,
    Start,
    StreamEnd,
    StreamInfo,
    Tick,
    Trailers,
    Way,
)
from hostabi.core.host import Host
from hostabi.core.transcript import Record

Text = str | bytes
HeadersLike = Mapping[str, Text] | Iterable[tuple[Text, Text]]

_STEP_NS = 1_000_000
_MOST_TICKS = 100
_MOST_EVENTS = 10_000


def to_bytes(text: Text) -> bytes:
    """Text as bytes: UTF-8, and bytes as they are."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def to_pairs(headers: HeadersLike) -> HeaderPairs:
    """Headers in any form as pairs of bytes, names in lower case."""
    items = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((to_bytes(name).lower(), to_bytes(value)) for name, value in items)


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sends. `chunks` are the pieces the body comes in; without them it comes in one."""

    method: str = "GET"
    path: str = "/"
    authority: str = "localhost"
    scheme: str = "http"
    headers: HeadersLike = ()
    body: Text = b""
    chunks: Sequence[Text] = ()
    trailers: HeadersLike = ()

    def header_pairs(self) -> HeaderPairs:
        """Pseudo-headers first, in Envoy's order; a `host` header takes the place of the authority."""
        pairs = to_pairs(self.headers)
        host = next((value for name, value in pairs if name == b"host"), None)
        given = {name for name, _ in pairs}
        pseudo = (
            (b":authority", host if host is not None else to_bytes(self.authority)),
            (b":path", to_bytes(self.path)),
            (b":method", to_bytes(self.method)),
            (b":scheme", to_bytes(self.scheme)),
        )
        own = tuple(pair for pair in pseudo if pair[0] not in given)
        named = tuple(pair for pair in pairs if pair[0].startswith(b":"))
        rest = tuple(pair for pair in pairs if not pair[0].startswith(b":") and pair[0] != b"host")
        return own + named + rest


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: the upstream's, or that to a filter's call. `failed` means there is none: the connection broke."""

    status: int = 200
    headers: HeadersLike = ()
    body: Text = b""
    chunks: Sequence[Text] = ()
    trailers: HeadersLike = ()
    failed: str = ""

    def header_pairs(self) -> HeaderPairs:
        """:status, then the headers."""
        pairs = to_pairs(self.headers)
        status = () if any(name == b":status" for name, _ in pairs) else ((b":status", b"%d" % self.status),)
        return (*status, *pairs)


def pieces(message: Request | Answer) -> list[bytes]:
    """The chunks of a message's body; none when it has no body."""
    if message.chunks:
        return [to_bytes(chunk) for chunk in message.chunks]
    return [to_bytes(message.body)] if message.body else []


@dataclass(slots=True)
class Message:
    """What came out at one side."""

    headers: HeaderPairs = ()
    body: bytes = b""
    trailers: HeaderPairs = ()
    complete: bool = False

    def get(self, name: str) -> str | None:
        """The first value of a header, as text."""
        wanted = name.lower().encode()
        return next((value.decode("utf-8", "replace") for key, value in self.headers if key == wanted), None)

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, as text."""
        wanted = name.lower().encode()
        return [value.decode("utf-8", "replace") for key, value in self.headers if key == wanted]

    @property
    def status(self) -> int | None:
        """The number in :status."""
        text = self.get(":status")
        return int(text) if text is not None and text.isdigit() else None


@dataclass(slots=True)
class Exchange:
    """What one exchange did, and everything that happened since the exchange before it (or since the start)."""

    abi: str = ""
    engine: str = ""
    request: Message | None = None
    """What went to the upstream; None when nothing did."""
    response: Message | None = None
    """What went to the client."""
    local_response: LocalReply | None = None
    logs: list[Log] = field(default_factory=list)
    calls: list[StartCall] = field(default_factory=list)
    fuel: int = 0
    trap: PluginFailed | None = None
    reset: str | None = None
    paused: bool = False
    """The filters held the stream and nothing was left that could have moved it."""
    commands: list[Command] = field(default_factory=list)
    transcript: list[Record] = field(default_factory=list)

    @property
    def status(self) -> int | None:
        """Status of the response to the client."""
        return self.response.status if self.response else None

    @property
    def log_lines(self) -> list[str]:
        """The log as text, without levels."""
        return [line.message.decode("utf-8", "replace") for line in self.logs]


Answers = Mapping[str, Answer] | Callable[[StartCall], Answer | None]


class Exchanger:
    """Drives a chain of a host. `answers` are for filters' calls, by upstream or by a function; others fail.

    `now` is the clock in ns since 1970; it moves by a millisecond with each event, and to the deadline of a timer when
    the filters wait for one.
    """

    def __init__(self, host: Host, chain: Chain, *, now: int = 0, answers: Answers | None = None) -> None:
        self.host = host
        self.chain = chain
        self.now = now
        self.answers: Answers = answers if answers is not None else {}
        self._timers: dict[str, int] = {}
        self._pending: deque[Event] = deque()
        self._stream = 0
        self._current = Exchange()
        self._fuel_seen = 0

    # --- events of the plugins

    def start(self) -> None:
        """Start the chain's plugins."""
        self._feed(Start(now=self.now))
        self._pump()

    def tick(self) -> bool:
        """Let the next timer run out, if there is one; whether there was."""
        if not self._timers:
            return False
        plugin, deadline = min(self._timers.items(), key=lambda item: (item[1], item[0]))
        del self._timers[plugin]
        self.now = max(self.now, deadline)
        self._feed(Tick(plugin, now=self.now))
        self._pump()
        return True

    def shutdown(self) -> None:
        """End the plugins, as when a configuration goes."""
        for plugin in self.chain.plugins:
            self._feed(Shutdown(plugin.key, now=self.now))
        self._pump()

    # --- the exchange

    def run(self, request: Request, upstream: Answer, info: StreamInfo | None = None) -> Exchange:
        """Send a request through the chain and the upstream's answer back."""
        self._stream += 1
        self._pump()
        info = info or StreamInfo(connection_id=self._stream)
        self._send_request(request, info)
        if self._waiting_for(Way.REQUEST):
            self._wait(Way.REQUEST)
        if self._request_done() and not self._answered():
            self._send_response(upstream)
        if self._waiting_for(Way.RESPONSE):
            self._wait(Way.RESPONSE)
        self._current.paused = not self._over()
        self._feed(StreamEnd(self._stream, now=self.now))
        self._pump()
        return self.take()

    def take(self) -> Exchange:
        """What happened since the last time; the next exchange begins empty."""
        done, self._current = self._current, Exchange()
        vms = list(dict.fromkeys(plugin.vm for plugin in self.chain.plugins))
        fuel = sum(vm.guest.ticks for vm in vms)
        done.fuel, self._fuel_seen = fuel - self._fuel_seen, fuel
        done.abi = self.chain.plugins[0].vm.state.abi.text if vms else ""
        done.engine = self.chain.plugins[0].vm.guest.engine if vms else ""
        done.transcript = list(self.host.transcript)
        self.host.transcript.clear()
        return done

    def _send_request(self, request: Request, info: StreamInfo) -> None:
        chunks, trailers = pieces(request), to_pairs(request.trailers)
        number = self._stream
        self._feed(RequestHeaders(number, request.header_pairs(), not chunks and not trailers, info, now=self.now))
        self._pump()
        for i, chunk in enumerate(chunks):
            if self._answered():
                return
            self._feed(RequestBody(number, chunk, i + 1 == len(chunks) and not trailers, now=self.now))
            self._pump()
        if trailers and not self._answered():
            self._feed(RequestTrailers(number, trailers, now=self.now))
            self._pump()

    def _send_response(self, upstream: Answer) -> None:
        chunks, trailers = pieces(upstream), to_pairs(upstream.trailers)
        number = self._stream
        self._feed(ResponseHeaders(number, upstream.header_pairs(), not chunks and not trailers, now=self.now))
        self._pump()
        for i, chunk in enumerate(chunks):
            if self._over():
                return
            self._feed(ResponseBody(number, chunk, i + 1 == len(chunks) and not trailers, now=self.now))
            self._pump()
        if trailers and not self._over():
            self._feed(ResponseTrailers(number, trailers, now=self.now))
            self._pump()

    # --- how far it is

    def _over(self) -> bool:
        response = self._current.response
        return self._current.reset is not None or (response is not None and response.complete)

    def _answered(self) -> bool:
        return self._over() or self._current.local_response is not None

    def _request_done(self) -> bool:
        return self._current.request is not None and self._current.request.complete

    def _waiting_for(self, way: Way) -> bool:
        if self._over() or self._current.local_response is not None:
            return not self._over()
        return way is Way.RESPONSE or not self._request_done()

    def _wait(self, way: Way) -> None:
        for _ in range(_MOST_TICKS):
            if not self._waiting_for(way) or not self.tick():
                return

    # --- the loop

    def _feed(self, event: Event) -> None:
        self._carry_out(self.chain.handle(event))
        self.now += _STEP_NS

    def _pump(self) -> None:
        for _ in range(_MOST_EVENTS):
            if not self._pending:
                return
            event = self._pending.popleft()
            self._carry_out(self.host.handle(replace(event, now=self.now)))
            self.now += _STEP_NS

    def _carry_out(self, commands: Iterable[Command]) -> None:
        current = self._current
        for command in commands:
            current.commands.append(command)
            match command:
                case Send():
                    self._collect(command)
                case SendLocalReply() if command.stream == self._stream:
                    current.local_response = command.reply
                case ResetStream() if command.stream == self._stream:
                    current.reset = command.reason
                case Log():
                    current.logs.append(command)
                case StartCall():
                    current.calls.append(command)
                    self._pending.append(self._answer(command))
                case CancelCall():
                    self._cancel(command)
                case SetTimer():
                    self._timers.pop(command.plugin, None)
                    if command.deadline is not None:
                        self._timers[command.plugin] = command.deadline
                case Wake():
                    self._pending.append(QueueReady(command.plugin, command.queue))
                case PluginFailed():
                    current.trap = current.trap or command
                case _:
                    pass

    def _collect(self, command: Send) -> None:
        current = self._current
        if command.stream != self._stream:
            return
        if command.way is Way.REQUEST:
            message = current.request = current.request or Message()
        else:
            message = current.response = current.response or Message()
        match command.frame:
            case Headers(headers, end):
                message.headers, message.complete = headers, end
            case Body(data, end):
                message.body, message.complete = message.body + data, end
            case Trailers(trailers):
                message.trailers, message.complete = trailers, True

    def _answer(self, call: StartCall) -> Event:
        answers = self.answers
        answer = answers(call) if callable(answers) else answers.get(call.upstream)
        if answer is None or answer.failed:
            return CallFailed(call.plugin, call.token, answer.failed if answer else "no answer was given")
        body = b"".join(pieces(answer))
        return CallResponse(call.plugin, call.token, answer.header_pairs(), body, to_pairs(answer.trailers))

    def _cancel(self, command: CancelCall) -> None:
        kept = [
            event
            for event in self._pending
            if not (isinstance(event, CallResponse | CallFailed) and event.token == command.token)
        ]
        self._pending = deque(kept)


def level_name(level: LogLevel) -> str:
    """A log level as the command line writes it."""
    return level.name.lower()
