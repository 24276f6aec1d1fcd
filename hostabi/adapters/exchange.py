"""One exchange after another through a chain, HTTP or a connection, with an upstream and answers given beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hostabi.adapters.driver import Addresses, Answers, Network
from hostabi.adapters.grpc_message import GrpcRecord
from hostabi.adapters.message import Answer, Message, Request
from hostabi.adapters.outcomes import suits
from hostabi.adapters.redis_calls import RedisAnswers, RedisOutcome, RedisSource
from hostabi.adapters.session import Session
from hostabi.adapters.streams import CallOutcome, Connection, MadeCall, Outcome, Stream
from hostabi.core.chain import Chain
from hostabi.core.commands import Command, LocalReply, Log, PluginFailed, RedisCall
from hostabi.core.events import Side, StreamInfo, Way
from hostabi.core.host import Host
from hostabi.core.transcript import Record
from hostabi.core.vm import Guest

PACE = 1_000_000
LISTEN_SECONDS = 30.0
"""How long real servers are waited for at most."""
QUIET_SECONDS = 0.5
"""How long a server may be silent on streams that nobody ends, until they are taken for idle."""
_MOST_TICKS = 100


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
    calls: list[MadeCall] = field(default_factory=list)
    fuel: int = 0
    trap: PluginFailed | None = None
    reset: str | None = None
    paused: bool = False
    """The filters held the stream and nothing was left that could have moved it."""
    connection: Connection | None = None
    """When it was a connection, and not a request: what became of it."""
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


class Exchanger:
    """Sends exchanges through a chain, each to its end. Calls that `answers` says nothing of fail.

    Calls that a `network` takes go to real servers, which are waited for. The clock moves by a millisecond with each
    event, and to the deadline of a timer when the filters wait for one.
    """

    def __init__(
        self,
        host: Host,
        chain: Chain,
        *,
        now: int = 0,
        answers: Answers | None = None,
        network: Network | None = None,
        redis: RedisAnswers | None = None,
        dns: Addresses | None = None,
    ) -> None:
        self.host = host
        self.chain = chain
        self.answers: Answers = {} if answers is None else answers
        self.redis: RedisAnswers = {} if redis is None else redis
        asked = self.redis if isinstance(self.redis, RedisSource) else self._redis_answer
        self.session = Session(
            host, chain, now=now, pace=PACE, answers=self._answer, network=network, redis=asked, dns=dns
        )
        self._fuel_seen: dict[Guest, int] = {}

    @property
    def now(self) -> int:
        """The clock, ns since 1970."""
        return self.session.now

    @now.setter
    def now(self, moment: int) -> None:
        self.session.now = moment

    def _answer(self, call: MadeCall) -> CallOutcome:
        answers = self.answers
        answer = answers(call) if callable(answers) else answers.get(call.upstream)
        if answer is None or not suits(call, answer):
            return Outcome.RESET if isinstance(call, GrpcRecord) else Answer(failed="no answer was given")
        return answer

    def _redis_answer(self, query: RedisCall) -> RedisOutcome:
        redis = self.redis
        if isinstance(redis, RedisSource):
            return redis.ask(query) or Outcome.RESET
        return (redis(query) if callable(redis) else redis.get(query.upstream)) or Outcome.RESET

    def start(self) -> None:
        """Start the chain's plugins."""
        self.session.start()

    def tick(self) -> bool:
        """Let the next timer run out, if there is one; whether there was."""
        return self.session.tick()

    def shutdown(self) -> None:
        """End the plugins, as when a configuration goes."""
        self.session.shutdown()

    def run(self, request: Request, upstream: Answer, info: StreamInfo | None = None) -> Exchange:
        """Send a request through the chain and the upstream's answer back."""
        session = self.session
        session.request(request, info=info)
        stream = session.stream()
        self._wait(stream, Way.REQUEST)
        if stream.request is not None and stream.request.complete and session.takes_response():
            session.upstream(upstream)
        self._wait(stream, Way.RESPONSE)
        over = stream.over
        session.end()
        self._listen(lambda: True)
        return self._seen(stream, not over)

    def connect(
        self, downstream: Sequence[bytes] = (), upstream: Sequence[bytes] = (), info: StreamInfo | None = None
    ) -> Exchange:
        """Send a connection through the chain: a piece from the client, one from the upstream, and so on, to its end.

        What the upstream would send is left out when the filters do not let the connection through.
        """
        session = self.session
        session.connect(info=info)
        mine = session.connection()
        for i in range(max(len(downstream), len(upstream))):
            self._send(mine, Side.DOWNSTREAM, *downstream[i : i + 1])
            self._send(mine, Side.UPSTREAM, *upstream[i : i + 1])
        for side in Side:
            self._send(mine, side, b"", end=True)
        self._wait_for(lambda: mine.ended)
        over = mine.ended
        session.end()
        done = self._seen(None, not over)
        done.connection = mine
        return done

    def _send(self, mine: Connection, side: Side, *pieces: bytes, end: bool = False) -> None:
        if side is Side.UPSTREAM:
            self._wait_for(lambda: mine.ended or mine.upstream is not None)
        for piece in pieces:
            if mine.ended or (side is Side.UPSTREAM and mine.upstream is None):
                return
            send = self.session.downstream_data if side is Side.DOWNSTREAM else self.session.upstream_data
            send(piece, end=end)

    def take(self) -> Exchange:
        """What happened since the last time, streams aside."""
        return self._seen(None, False)

    def _wait(self, stream: Stream, way: Way) -> None:
        """Let timers run out while a filter holds the stream, in case that lets it go."""
        self._wait_for(lambda: not _held(stream, way))

    def _wait_for(self, there: Callable[[], bool]) -> None:
        for _ in range(_MOST_TICKS):
            self._listen(lambda: not there())
            if there() or not self.tick():
                return

    def _listen(self, wanted: Callable[[], bool]) -> None:
        """Give real servers time while it is wanted and a call is at one of them."""
        until = time.monotonic() + LISTEN_SECONDS
        while wanted() and self.session.online and time.monotonic() < until:
            quiet = QUIET_SECONDS if not any(record.unary for record in self.session.online) else LISTEN_SECONDS
            if not self.session.listen(quiet):
                return

    def _seen(self, stream: Stream | None, paused: bool) -> Exchange:
        seen, guests = self.session.take(), [plugin.vm.guest for plugin in self.session.chain.plugins]
        used = 0
        for guest in dict.fromkeys([*self._fuel_seen, *guests]):
            used += guest.ticks - self._fuel_seen.get(guest, 0)
            self._fuel_seen[guest] = guest.ticks
        done = Exchange(
            guests[0].abi.text if guests else "",
            guests[0].engine if guests else "",
            logs=seen.logs,
            calls=seen.calls,
            fuel=used,
            trap=seen.failures[0] if seen.failures else None,
            paused=paused,
            commands=seen.commands,
            transcript=list(self.host.transcript),
        )
        self.host.transcript.clear()
        if stream is not None:
            done.request, done.response = stream.request, stream.response
            done.local_response, done.reset = stream.local_response, stream.reset
        return done


def _held(stream: Stream, way: Way) -> bool:
    """Whether something could still come out that has not, at this side."""
    if stream.over or stream.local_response is not None:
        return not stream.over
    return way is Way.RESPONSE or stream.request is None or not stream.request.complete
