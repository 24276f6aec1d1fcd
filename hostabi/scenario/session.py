"""A session: a chain of filters and its world, with named streams that interleave, driven one action at a time.

The world stands still between actions: calls of the filters wait until something says what comes of them, and timers
until time is let pass. It does no I/O. `Session` is what scenario files run on, and the same from Python:

    session = Session(host, host.chain([plugin]))
    session.start()
    session.request(headers={"x-user": "eve"})
    session.callout("auth", Answer(403))
    assert session.stream().response.status == 403
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hostabi.abi.codec import HeaderPairs
from hostabi.adapters.message import Answer, Message, Request, pieces, to_pairs
from hostabi.core.chain import Chain
from hostabi.core.commands import (
    CancelCall,
    Command,
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
from hostabi.core.plugin import Plugin
from hostabi.scenario.streams import Call, CallTest, Outcome, Rule, Seen, SessionError, Stream

MAIN = "main"
_MOST_EVENTS = 10_000
_MILLISECOND = 1_000_000

# What Envoy gives a filter or a client when an upstream does not answer (seen on 1.40).
_BROKEN = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
_LATE = b"upstream request timeout"


class Session:
    """Filters in a chain, and the world around them. `now` is the clock, in ns since 1970; it moves by `advance` alone.

    `attributes` are the properties of every stream, by dotted path; `protocol` is what client and upstream speak.
    Raises SessionError for actions out of order.
    """

    def __init__(
        self,
        host: Host,
        chain: Chain,
        *,
        now: int = 0,
        attributes: Mapping[str, object] | None = None,
        protocol: str | None = None,
    ) -> None:
        self.host = host
        self.chain = chain
        self.now = now
        self.attributes = dict(attributes or {})
        self.protocol = protocol or StreamInfo().protocol
        self.streams: dict[str, Stream] = {}
        """The latest stream of each name."""
        self.added_to_answers: HeaderPairs = ()
        """What the proxy itself adds to the answers of filters' calls."""
        self.seen = Seen()
        self.waiting: list[Call] = []
        self.rules: list[Rule] = []
        self._open: dict[int, Stream] = {}
        self._numbers = 0
        self._timers: dict[str, int] = {}
        self._pending: deque[Event] = deque()
        self._leaving: list[tuple[Plugin, Chain]] = []

    # --- life of the plugins

    def start(self) -> None:
        """Start the filters."""
        self._feed(self.chain, Start(now=self.now))
        self._settle()

    def reconfigure(self, which: int | str, make: Callable[[Plugin], Plugin]) -> None:
        """Put a new plugin in the place of one; streams that are open stay with the old one, which goes after them.

        When the new one does not start, the old one stays.
        """
        position = self.position(which)
        old = self.chain.plugins[position]
        new = make(old)
        self._carry_out(new.handle(Start(now=self.now)))
        if new.working:
            plugins = [*self.chain.plugins]
            plugins[position] = new
            self._leaving.append((old, self.chain))
            self.chain = self.host.chain(plugins)
        else:
            self._carry_out(new.handle(Shutdown(new.key, True, now=self.now)))
        self._settle()

    def position(self, which: int | str) -> int:
        """Where the filter of this name stands in the chain; SessionError when there is none."""
        for position, plugin in enumerate(self.chain.plugins):
            if which in (position, plugin.root.name, plugin.key):
                return position
        raise SessionError(f"there is no filter {which!r}")

    def end(self) -> None:
        """The client of every stream that is open goes away."""
        for stream in list(self._open.values()):
            self._end_stream(stream)
        self._settle()

    # --- streams

    def stream(self, name: str = MAIN) -> Stream:
        """The latest stream of this name; SessionError when there was none."""
        if name not in self.streams:
            raise SessionError(f"no stream {name!r} has begun")
        return self.streams[name]

    def request(
        self, request: Request, stream: str = MAIN, *, end: bool = True, info: StreamInfo | None = None
    ) -> None:
        """The client begins a request; with `end` False more of it comes with `more_request`."""
        known = self.streams.get(stream)
        if known is not None and not known.ended:
            raise SessionError(f"the stream {stream!r} has begun already and is not over; give this one another name")
        self._numbers += 1
        number = self._numbers
        if info is None:
            info = StreamInfo(attributes=dict(self.attributes), connection_id=number, protocol=self.protocol)
        mine = Stream(stream, number, self.chain, info)
        self.streams[stream] = self._open[number] = mine
        body, trailers = pieces(request), to_pairs(request.trailers)
        only = end and not body and not trailers
        mine.request_ended = only
        headers = request.header_pairs()
        if self.protocol == "HTTP/2":
            headers = _one_cookie(headers)
        self._give(mine, RequestHeaders(number, headers, only, info, now=self.now))
        self._request_rest(mine, body, trailers, end)

    def more_request(
        self, body: Sequence[bytes], trailers: HeaderPairs, stream: str = MAIN, *, end: bool = True
    ) -> None:
        """The client goes on with a request that it has begun."""
        mine = self.stream(stream)
        if mine.request_ended:
            raise SessionError(f"the request of stream {stream!r} has been sent to its end already")
        if mine.ended:
            raise SessionError(f"the stream {stream!r} is over")
        self._request_rest(mine, body or ([b""] if end and not trailers else []), trailers, end)

    def _request_rest(self, mine: Stream, body: Sequence[bytes], trailers: HeaderPairs, end: bool) -> None:
        for i, chunk in enumerate(body):
            if not self._takes_request(mine):
                break
            last = end and i + 1 == len(body) and not trailers
            mine.request_ended = last
            self._give(mine, RequestBody(mine.number, chunk, last, now=self.now))
        if trailers and self._takes_request(mine):
            mine.request_ended = True
            self._give(mine, RequestTrailers(mine.number, trailers, now=self.now))
        self._settle()

    def _takes_request(self, mine: Stream) -> bool:
        return not (mine.over or mine.ended or mine.local_response is not None)

    def takes_response(self, stream: str = MAIN) -> bool:
        """Whether the upstream could answer: something of the request reached it, and nobody else has answered."""
        mine = self.streams.get(stream)
        return mine is not None and mine.request is not None and self._takes_request(mine) and not mine.response_ended

    def upstream(self, answer: Answer, stream: str = MAIN, *, end: bool = True) -> None:
        """The upstream answers; with `end` False more of it comes with `more_upstream`."""
        mine = self._answering(stream)
        if mine.response_begun:
            raise SessionError(f"the upstream of stream {stream!r} has answered already")
        body, trailers = pieces(answer), to_pairs(answer.trailers)
        only = end and not body and not trailers
        mine.response_begun, mine.response_ended = True, only
        self._give(mine, ResponseHeaders(mine.number, answer.header_pairs(), only, now=self.now))
        self._response_rest(mine, body, trailers, end)

    def more_upstream(
        self, body: Sequence[bytes], trailers: HeaderPairs, stream: str = MAIN, *, end: bool = True
    ) -> None:
        """The upstream goes on with an answer that it has begun."""
        mine = self._answering(stream)
        if not mine.response_begun:
            raise SessionError(f"the upstream of stream {stream!r} has not begun to answer")
        if mine.response_ended:
            raise SessionError(f"the upstream of stream {stream!r} has answered to the end already")
        self._response_rest(mine, body or ([b""] if end and not trailers else []), trailers, end)

    def _answering(self, stream: str) -> Stream:
        mine = self.stream(stream)
        if mine.local_response is not None:
            raise SessionError(f"the upstream cannot answer on stream {stream!r}: the filters did so themselves")
        if mine.ended or mine.over:
            raise SessionError(f"the upstream cannot answer on stream {stream!r}: it is over")
        if mine.request is None:
            raise SessionError(f"the upstream cannot answer on stream {stream!r}: no request has reached it")
        return mine

    def _response_rest(self, mine: Stream, body: Sequence[bytes], trailers: HeaderPairs, end: bool) -> None:
        for i, chunk in enumerate(body):
            if mine.over or mine.ended or mine.local_response is not None:
                break
            last = end and i + 1 == len(body) and not trailers
            mine.response_ended = last
            self._give(mine, ResponseBody(mine.number, chunk, last, now=self.now))
        if trailers and not (mine.over or mine.ended or mine.local_response is not None):
            mine.response_ended = True
            self._give(mine, ResponseTrailers(mine.number, trailers, now=self.now))
        self._settle()

    def abort_client(self, stream: str = MAIN) -> None:
        """The client goes away."""
        mine = self.stream(stream)
        if mine.ended:
            raise SessionError(f"the stream {stream!r} is over")
        self._end_stream(mine)
        self._settle()

    def abort_upstream(self, stream: str = MAIN) -> None:
        """The upstream goes away: 503 before it has answered, else the stream is reset."""
        mine = self._answering(stream)
        if not mine.response_begun:
            headers = {"content-length": str(len(_BROKEN)), "content-type": "text/plain"}
            self.upstream(Answer(503, headers, _BROKEN), stream)
            return
        mine.reset = "the upstream went away"
        self._settle()

    # --- what filters ask for

    def callout(self, fits: str | CallTest, outcome: Answer | Outcome, *, hold: str = "") -> None:
        """Say what comes of the oldest call that waits and fits, else of the next one that does.

        `fits` is the cluster or a test of the call. With `hold` it waits for `release`.
        """
        test = (lambda call: call.upstream == fits) if isinstance(fits, str) else fits
        call = next((one for one in self.waiting if one.outcome is None and test(one.command)), None)
        if call is None:
            self.rules.append(Rule(test, outcome, hold))
        else:
            self._decide(call, outcome, hold)
        self._settle()

    def release(self, hold: str) -> None:
        """What was said of a call with `hold` comes now."""
        call = next((one for one in self.waiting if one.held == hold and hold), None)
        if call is None:
            raise SessionError(f"no call is held as {hold!r}")
        self._finish(call)
        self._settle()

    def _decide(self, call: Call, outcome: Answer | Outcome, hold: str) -> None:
        call.outcome, call.held = outcome, hold
        if not hold:
            self._finish(call)

    def _finish(self, call: Call) -> None:
        self.waiting.remove(call)
        command = call.command
        match call.outcome:
            case Outcome.RESET:
                self._pending.append(CallFailed(command.plugin, command.token, "reset"))
                return
            case Outcome.TIMEOUT if not self.host.profile.call_timeout_is_504:
                self._pending.append(CallFailed(command.plugin, command.token, "timeout"))
                return
            case Answer() as answer:
                pass
            case _:
                answer = Answer(504, {"content-length": str(len(_LATE)), "content-type": "text/plain"}, _LATE)
        headers = answer.header_pairs()
        if call.outcome is answer:
            headers += self.added_to_answers
        body = b"".join(pieces(answer))
        trailers = to_pairs(answer.trailers)
        self._pending.append(CallResponse(command.plugin, command.token, headers, body, trailers))

    def advance(self, duration: int) -> None:
        """Let so many ns pass: timers and the timeouts of calls come due in their order."""
        target = self.now + duration
        for _ in range(_MOST_EVENTS):
            due = self._next_due(target)
            if due is None:
                self.now = target
                return
            moment, act = due
            self.now = max(self.now, moment)
            act()
            self._settle()
        raise SessionError(f"more than {_MOST_EVENTS} timers came due in one advance")

    def _next_due(self, target: int) -> tuple[int, Callable[[], None]] | None:
        found: list[tuple[int, str, Callable[[], None]]] = [
            (deadline, key, partial(self._tick, key)) for key, deadline in self._timers.items()
        ]
        for call in self.waiting:
            if call.deadline is not None and not call.held:
                found.append((call.deadline, "", partial(self._decide, call, Outcome.TIMEOUT, "")))
        due = [one for one in found if one[0] <= target]
        if not due:
            return None
        moment, _, act = min(due, key=lambda one: one[:2])
        return moment, act

    def _tick(self, key: str) -> None:
        del self._timers[key]
        self._carry_out(self.host.handle(Tick(key, now=self.now)))

    def enqueue(self, queue: str, message: bytes, vm_id: str = "") -> None:
        """A message appears in a queue that a filter has registered, and the filter is woken."""
        shared = self.host.shared
        wanted = (vm_id.encode(), queue.encode())
        known = next((one for one in shared.queues.values() if (one.vm_id, one.name) == wanted), None)
        if known is None:
            raise SessionError(f"no filter has registered the queue {queue!r} of the vm_id {vm_id!r}")
        self._pending.append(QueueReady(shared.enqueue(known.id, message), known.id))
        self._settle()

    # --- the loop

    def take(self) -> Seen:
        """What happened since the last time."""
        seen, self.seen = self.seen, Seen()
        return seen

    def _give(self, stream: Stream, event: Event) -> None:
        self._feed(stream.chain, event)
        self._pump()

    def _feed(self, chain: Chain, event: Event) -> None:
        self._carry_out(self.host.feed(chain, event))

    def _pump(self) -> None:
        for _ in range(_MOST_EVENTS):
            if not self._pending:
                return
            event = self._pending.popleft()
            self._carry_out(self.host.handle(replace(event, now=self.now)))
        raise SessionError(f"the filters kept the host busy for more than {_MOST_EVENTS} events")

    def _settle(self) -> None:
        """Everything that is due happens; streams that are over end, and plugins that only they kept."""
        self._pump()
        for stream in [one for one in self._open.values() if one.over]:
            self._end_stream(stream)
            self._pump()
        for plugin, chain in list(self._leaving):
            if all(stream.chain is not chain for stream in self._open.values()):
                self._leaving.remove((plugin, chain))
                self._timers.pop(plugin.key, None)
                self.host.drop(chain)
                self._carry_out(self.host.handle(Shutdown(plugin.key, now=self.now)))
                self._pump()

    def _end_stream(self, stream: Stream) -> None:
        stream.ended = True
        del self._open[stream.number]
        self._feed(stream.chain, StreamEnd(stream.number, now=self.now))

    def _carry_out(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Send():
                    self._collect(command)
                case SendLocalReply() if command.stream in self._open:
                    self._open[command.stream].local_response = command.reply
                case ResetStream() if command.stream in self._open:
                    self._open[command.stream].reset = command.reason
                case Log():
                    self.seen.logs.append(command)
                case StartCall():
                    self._called(command)
                case CancelCall():
                    self._cancelled(command)
                case SetTimer():
                    self._timers.pop(command.plugin, None)
                    if command.deadline is not None:
                        # Periods are whole milliseconds; what readings of the clock before the call add is less.
                        wait = (command.deadline - self.now) // _MILLISECOND * _MILLISECOND
                        self._timers[command.plugin] = self.now + wait
                case Wake():
                    self._pending.append(QueueReady(command.plugin, command.queue))
                case PluginFailed():
                    self.seen.failures.append(command)
                case _:
                    pass

    def _called(self, command: StartCall) -> None:
        self.seen.calls.append(command)
        deadline = self.now + command.timeout_ms * 1_000_000 if command.timeout_ms else None
        call = Call(command, deadline)
        self.waiting.append(call)
        rule = next((one for one in self.rules if one.fits(command)), None)
        if rule is not None:
            self.rules.remove(rule)
            self._decide(call, rule.outcome, rule.hold)

    def _cancelled(self, command: CancelCall) -> None:
        self.waiting = [one for one in self.waiting if _call_key(one.command) != _call_key(command)]
        self._pending = deque(
            event
            for event in self._pending
            if not (isinstance(event, CallResponse | CallFailed) and _call_key(event) == _call_key(command))
        )

    def _collect(self, command: Send) -> None:
        stream = self._open.get(command.stream)
        if stream is None:
            return
        if command.way is Way.REQUEST:
            message = stream.request = stream.request or Message()
        else:
            message = stream.response = stream.response or Message()
        match command.frame:
            case Headers(headers, end):
                message.headers, message.complete = headers, end
            case Body(data, end):
                message.body, message.complete = message.body + data, end
            case Trailers(trailers):
                message.trailers, message.complete = trailers, True


def _one_cookie(headers: HeaderPairs) -> HeaderPairs:
    """HTTP/2 may cut a cookie into several headers; a proxy puts it together again (RFC 9113, 8.2.3)."""
    values = [value for name, value in headers if name == b"cookie"]
    if len(values) < 2:
        return headers
    at = next(i for i, (name, _) in enumerate(headers) if name == b"cookie")
    rest = tuple(pair for pair in headers[at + 1 :] if pair[0] != b"cookie")
    return (*headers[:at], (b"cookie", b"; ".join(values)), *rest)


def _call_key(one: StartCall | CancelCall | CallResponse | CallFailed) -> tuple[str, int]:
    return one.plugin, one.token
