"""The driver: carries out what a host and its chains ask for. Tests of filters and the command line stand on it.

It does no I/O. What it cannot know is said to it: the time, what comes of the filters' calls, who goes away. It ends a
stream as soon as nothing can come out of it any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import PeerType
from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord, record_of
from hostabi.adapters.message import Answer, Message, to_pairs
from hostabi.adapters.outcomes import outcome_events, suits
from hostabi.adapters.redis_calls import RedisAnswers, RedisCalls, RedisOutcome, RedisTest
from hostabi.adapters.streams import (
    Call,
    CallOutcome,
    CallTest,
    Connection,
    MadeCall,
    Outcome,
    Rule,
    Seen,
    SessionError,
    Stream,
)
from hostabi.core.chain import Chain
from hostabi.core.commands import (
    CancelCall,
    CloseConnection,
    Command,
    ConnectUpstream,
    Log,
    PluginFailed,
    RebuildVm,
    RedisCall,
    RedisInit,
    ResetStream,
    ResolveDns,
    Send,
    SendData,
    SendGrpc,
    SendLocalReply,
    SetTimer,
    StartCall,
    StartGrpcCall,
    StartGrpcStream,
    Wake,
    Watermark,
)
from hostabi.core.events import (
    Body,
    CallFailed,
    CallResponse,
    ConnectionEnd,
    DnsResolved,
    DownstreamData,
    Event,
    GrpcClosed,
    GrpcEvent,
    GrpcSent,
    GrpcTimedOut,
    Headers,
    QueueReady,
    RedisResponse,
    Shutdown,
    Side,
    Start,
    StatsUpdate,
    StreamEnd,
    Tick,
    Trailers,
    UpstreamData,
    Way,
)
from hostabi.core.host import Host
from hostabi.core.plugin import Plugin

Answers = Mapping[str, Answer | GrpcAnswer] | Callable[[MadeCall], CallOutcome | None]
"""What comes of calls: by cluster, or by a function of the call. Nothing, or what does not fit: the call waits."""

Addresses = Mapping[str, Sequence[tuple[str, int]] | None]
"""Addresses of names, each with the seconds it is valid; None for a name on which the resolver fails."""

_MOST_EVENTS = 10_000
_MILLISECOND = 1_000_000


class Network(Protocol):
    """Real servers for some of the filters' gRPC calls, such as `adapters.grpc_network`."""

    @property
    def busy(self) -> bool:
        """Whether something is still expected of a call."""

    def takes(self, command: StartGrpcCall | StartGrpcStream) -> bool:
        """Whether this call goes to one of the servers."""

    def carry_out(self, command: StartGrpcCall | StartGrpcStream | SendGrpc | CancelCall) -> None:
        """Do what a command asks."""

    def poll(self, seconds: float) -> list[Event]:
        """What has come, waiting for it at most so long."""


_ANSWERS = CallResponse | CallFailed | GrpcEvent | RedisResponse
"""What comes of calls."""


class Driver:
    """A chain and the world around it: clock, timers, calls, open streams, and what was seen of all that.

    `now` is the clock in ns since 1970. It moves when time is let pass, and by `pace` with each event. `answers` come
    to calls at once; those it says nothing of wait for `callout`. Calls that a `network` takes go out to real servers,
    and what comes of them comes when somebody listens. `dns` is what names stand for; others stand for nothing.
    """

    def __init__(
        self,
        host: Host,
        chain: Chain,
        *,
        now: int = 0,
        pace: int = 0,
        answers: Answers | None = None,
        dns: Addresses | None = None,
        network: Network | None = None,
        redis: RedisAnswers | None = None,
    ) -> None:
        self.host = host
        self.chain = chain
        self.now = now
        self.pace = pace
        self.answers: Answers = {} if answers is None else answers
        self.dns: Addresses = {} if dns is None else dns
        self.network = network
        self.to_rebuild: dict[str, None] = {}
        """Plugins that want a fresh VM, in the order they said so."""
        self.redis_calls = RedisCalls({} if redis is None else redis)
        self.added_to_answers: HeaderPairs = ()
        """What the proxy itself adds to the answers of filters' calls."""
        self.seen = Seen()
        self.waiting: list[Call] = []
        self.rules: list[Rule] = []
        self._open: dict[int, Stream] = {}
        self._grpc: dict[tuple[str, int], GrpcRecord] = {}
        self._connections: dict[int, Connection] = {}
        self._timers: dict[str, int] = {}
        self._pending: deque[Event] = deque()
        self._leaving: list[tuple[Plugin, Chain]] = []

    # --- life of the plugins

    def start(self) -> None:
        """Start the filters."""
        self._feed(self.chain, Start(now=self.now))
        self._settle()

    def shutdown(self) -> None:
        """End the filters, as when a configuration goes."""
        for plugin in (*self.chain.plugins, *self.chain.loggers):
            self._deliver(Shutdown(plugin.key))
        self._settle()

    def take(self) -> Seen:
        """What happened since the last time."""
        seen, self.seen = self.seen, Seen()
        return seen

    # --- what filters ask for

    def callout(self, fits: str | CallTest, outcome: CallOutcome, *, hold: str = "") -> None:
        """Say what comes of the oldest call that waits and fits, else of the next one that does.

        `fits` is the cluster or a test of the call. An Answer fits HTTP calls only, and a GrpcAnswer gRPC calls and
        streams; after one with `end` False the stream waits on. With `hold` it waits for `release`.
        """
        test = (lambda call: call.upstream == fits) if isinstance(fits, str) else fits
        open_calls = (one for one in self.waiting if one.outcome is None and suits(one.made, outcome))
        call = next((one for one in open_calls if test(one.made)), None)
        if call is None:
            self.rules.append(Rule(test, outcome, hold))
        else:
            self._decide(call, outcome, hold)
        self._settle()

    def redis(self, fits: str | RedisTest, outcome: RedisOutcome) -> None:
        """Say what comes of the oldest query to Redis that waits and fits, else of the next one that does.

        `fits` is the cluster or a test of the query.
        """
        test = (lambda call: call.upstream == fits) if isinstance(fits, str) else fits
        self._add(self.redis_calls.decide(test, outcome))
        self._settle()

    def _add(self, event: Event | None) -> None:
        if event is not None:
            self._pending.append(event)

    def release(self, hold: str) -> None:
        """What was said of a call with `hold` comes now."""
        call = next((one for one in self.waiting if one.held == hold and hold), None)
        if call is None:
            raise SessionError(f"no call is held as {hold!r}")
        self._finish(call)
        self._settle()

    def _decide(self, call: Call, outcome: CallOutcome, hold: str) -> None:
        if isinstance(outcome, Answer) and not outcome.failed and self.added_to_answers:
            outcome = replace(outcome, headers=(*to_pairs(outcome.headers), *self.added_to_answers))
        ended = isinstance(call.made, GrpcRecord) and call.made.ended  # a proxy adds nothing while it still sends
        if isinstance(outcome, GrpcAnswer) and not outcome.only_status and self.added_to_answers and ended:
            outcome = replace(outcome, metadata=(*to_pairs(outcome.metadata), *self.added_to_answers))
        call.outcome, call.held = outcome, hold
        if not hold:
            self._finish(call)

    def _finish(self, call: Call) -> None:
        """Its outcome comes; a stream of which more is to come waits on."""
        self._pending += outcome_events(call, self.host.profile)
        if isinstance(call.outcome, GrpcAnswer) and not call.outcome.end:
            call.outcome, call.held = None, ""
        else:
            self.waiting.remove(call)

    def listen(self, seconds: float) -> bool:
        """Wait at most so long, of real time, for what real servers send; whether something came."""
        events = self.network.poll(seconds) if self.network is not None else []
        self._pending += events
        self._settle()
        return bool(events)

    @property
    def online(self) -> list[GrpcRecord]:
        """The gRPC calls at real servers that are not over."""
        return [record for record in self._grpc.values() if record.online]

    def statistics(self, counters: Mapping[str, tuple[int, int]], gauges: Mapping[str, int]) -> None:
        """Statistics are taken: every plugin gets the filters' and these, counters with what was added since."""
        own_counters, own_gauges = self.host.statistics()
        told = StatsUpdate(
            "",
            own_counters + tuple((name.encode(), *numbers) for name, numbers in counters.items()),
            own_gauges + tuple((name.encode(), value) for name, value in gauges.items()),
        )
        for plugin in list(self.host.plugins.values()):
            self._deliver(replace(told, plugin=plugin.key))
        self._settle()

    # --- time

    def tick(self) -> bool:
        """Let the next timer run out, of a filter or of a call; whether there was one."""
        due = self._next_due()
        if due is not None:
            self._come(*due)
        return due is not None

    def advance(self, duration: int) -> None:
        """Let so many ns pass: timers and the timeouts of calls come due in their order."""
        target = self.now + duration
        for _ in range(_MOST_EVENTS):
            due = self._next_due()
            if due is None or due[0] > target:
                self.now = max(self.now, target)
                return
            self._come(*due)
        raise SessionError(f"more than {_MOST_EVENTS} timers came due in one advance")

    def _come(self, moment: int, act: Callable[[], None]) -> None:
        self.now = max(self.now, moment)
        act()
        self._settle()

    def _next_due(self) -> tuple[int, Callable[[], None]] | None:
        found: list[tuple[int, str, Callable[[], None]]] = [
            (deadline, key, partial(self._tick, key)) for key, deadline in self._timers.items()
        ]
        for call in self.waiting:
            if call.deadline is not None and not call.held:
                found.append((call.deadline, "", partial(self._decide, call, Outcome.TIMEOUT, "")))
        for deadline, query in self.redis_calls.due():
            found.append((deadline, "", partial(self._redis_late, query)))
        if not found:
            return None
        moment, _, act = min(found, key=lambda one: one[:2])
        return moment, act

    def _redis_late(self, query: RedisCall) -> None:
        self._add(self.redis_calls.late(query))

    def _tick(self, key: str) -> None:
        del self._timers[key]
        self._deliver(Tick(key, now=self.now))

    # --- the loop

    def _feed(self, chain: Chain, event: Event) -> None:
        """Something happens to a chain."""
        self._carry_out(self.host.feed(chain, event))
        self.now += self.pace

    def _deliver(self, event: Event) -> None:
        """Something happens to a plugin, wherever it is."""
        self._carry_out(self.host.handle(replace(event, now=self.now)))
        self.now += self.pace
        if isinstance(event, GrpcClosed | GrpcTimedOut):
            self._grpc.pop(_call_key(event), None)

    def _pump(self) -> None:
        for _ in range(_MOST_EVENTS):
            if not self._pending:
                return
            self._deliver(self._pending.popleft())
        raise SessionError(f"the filters kept the host busy for more than {_MOST_EVENTS} events")

    def _settle(self) -> None:
        """Everything that is due happens; streams that are over end, and plugins that only they kept."""
        self._pump()
        for connection in list(self._connections.values()):
            self._read(connection)
        for stream in [one for one in self._open.values() if one.over]:
            self._end_stream(stream)
            self._pump()
        for plugin, chain in list(self._leaving):
            if chain not in self._chains():
                self._leaving.remove((plugin, chain))
                self._timers.pop(plugin.key, None)
                self.host.drop(chain)
                self._deliver(Shutdown(plugin.key))
                self._pump()

    def _end_stream(self, stream: Stream) -> None:
        stream.ended = True
        del self._open[stream.number]
        self._feed(stream.chain, StreamEnd(stream.number, now=self.now))

    def _chains(self) -> set[Chain]:
        """The chains that open streams and connections go through."""
        streams = {stream.chain for stream in self._open.values()}
        return streams | {connection.chain for connection in self._connections.values()}

    def _read(self, connection: Connection) -> None:
        """What the two sides have sent and may be read comes to the filters."""
        for side in Side:
            unread = connection.unread[side]
            while unread and side not in connection.stalled and not connection.ended:
                data, end = unread.pop(0)
                kind = DownstreamData if side is Side.DOWNSTREAM else UpstreamData
                self._feed(connection.chain, kind(connection.number, data, end, now=self.now))
                self._pump()

    def _end_connection(self, connection: Connection, peer: PeerType, reason: str) -> None:
        del self._connections[connection.number]
        connection.closed, connection.reason = peer, reason
        self._feed(connection.chain, ConnectionEnd(connection.number, peer, now=self.now))

    def _carry_out(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self.seen.commands.append(command)
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
                case StartGrpcCall() | StartGrpcStream():
                    self._begin_grpc(command)
                case SendGrpc():
                    self._sent(command)
                case RebuildVm():
                    self.to_rebuild[command.plugin] = None
                case RedisInit():
                    self.redis_calls.set_up(command)
                case RedisCall():
                    self._add(self.redis_calls.asked(command, self.now))
                case CancelCall():
                    self._cancelled(command)
                    self.redis_calls.cancelled(command)
                case SetTimer():
                    self._timers.pop(command.plugin, None)
                    if command.deadline is not None:
                        # Periods are whole milliseconds; what readings of the clock before the call add is less.
                        wait = (command.deadline - self.now) // _MILLISECOND * _MILLISECOND
                        self._timers[command.plugin] = self.now + wait
                case ResolveDns(plugin=plugin, token=token):
                    found = self.dns.get(command.name, ())
                    self._pending.append(DnsResolved(plugin, token, None if found is None else tuple(found)))
                case Wake():
                    self._pending.append(QueueReady(command.plugin, command.queue))
                case ConnectUpstream() if command.stream in self._connections:
                    self._connections[command.stream].upstream = b""
                case SendData():
                    self._collect_data(command)
                case CloseConnection() if command.stream in self._connections:
                    closed = self._connections.pop(command.stream)
                    closed.closed, closed.reason = command.peer, command.reason
                case Watermark(way=Side() as side) if command.stream in self._connections:
                    stalled = self._connections[command.stream].stalled
                    (stalled.add if command.above else stalled.discard)(side)
                case PluginFailed():
                    self.seen.failures.append(command)
                case _:
                    pass

    def _called(self, made: MadeCall) -> None:
        self.seen.calls.append(made)
        deadline = self.now + made.timeout_ms * 1_000_000 if made.timeout_ms else None
        call = Call(made, deadline)
        self.waiting.append(call)
        self._apply_rules(call)
        if call in self.waiting and call.outcome is None:
            answers = self.answers
            outcome = answers(made) if callable(answers) else answers.get(made.upstream)
            if outcome is not None and suits(made, outcome):
                self._decide(call, outcome, "")

    def _apply_rules(self, call: Call) -> None:
        """What was said beforehand comes: one thing, or one after another for a stream."""
        while call in self.waiting and call.outcome is None:
            fitting = (one for one in self.rules if suits(call.made, one.outcome) and one.fits(call.made))
            rule = next(fitting, None)
            if rule is None:
                return
            self.rules.remove(rule)
            self._decide(call, rule.outcome, rule.hold)

    def _begin_grpc(self, command: StartGrpcCall | StartGrpcStream) -> None:
        record = self._grpc[_call_key(command)] = record_of(command)
        if self.network is not None and self.network.takes(command):
            record.online = True
            self.seen.calls.append(record)
            self.network.carry_out(command)
        else:
            self._called(record)

    def _sent(self, command: SendGrpc) -> None:
        """A message on a stream, which is gone at once."""
        record = self._grpc.get(_call_key(command))
        if record is None:
            return
        record.ended = command.end
        if command.message is not None:
            record.messages.append(command.message)
        if record.online and self.network is not None:
            self.network.carry_out(command)
        elif command.message is not None:
            self._pending.append(GrpcSent(command.plugin, command.token, len(command.message)))

    def _cancelled(self, command: CancelCall) -> None:
        key = _call_key(command)
        record = self._grpc.pop(key, None)
        if record is not None:
            record.cancelled = True
            if record.online and self.network is not None:
                self.network.carry_out(command)
        self.waiting = [one for one in self.waiting if _call_key(one.made) != key]
        self._pending = deque(
            event
            for event in self._pending
            if not (
                isinstance(event, CallResponse | CallFailed | GrpcEvent | RedisResponse) and _call_key(event) == key
            )
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

    def _collect_data(self, command: SendData) -> None:
        connection = self._connections.get(command.stream)
        if connection is None:
            return
        if command.to is Side.UPSTREAM:
            connection.upstream = (connection.upstream or b"") + command.data
            connection.upstream_end |= command.end_of_stream
        else:
            connection.downstream += command.data
            connection.downstream_end |= command.end_of_stream


class _Named(Protocol):
    """A command, an event or a record of one call."""

    @property
    def plugin(self) -> str:
        """Whose it is."""

    @property
    def token(self) -> int:
        """Which."""


def _call_key(one: _Named) -> tuple[str, int]:
    return one.plugin, one.token
