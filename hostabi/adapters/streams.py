"""What a driver knows: streams, the calls that wait, what is to come of the next ones, what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from hostabi.abi.enums import PeerType
from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord
from hostabi.adapters.message import Answer, Message
from hostabi.core.chain import Chain
from hostabi.core.commands import Command, LocalReply, Log, PluginFailed, StartCall, StartGrpcCall, StartGrpcStream
from hostabi.core.events import Side, StreamInfo, Way


class SessionError(Exception):
    """An action that makes no sense now: the upstream answers a request that never came, a stream begins twice."""


class Outcome(Enum):
    """What comes of a call that nobody answers."""

    TIMEOUT = "timeout"
    RESET = "reset"


@dataclass(slots=True)
class Stream:
    """A stream and what has come out of it."""

    name: str
    number: int
    chain: Chain
    info: StreamInfo
    request: Message | None = None
    """What went to the upstream; None when nothing did."""
    response: Message | None = None
    """What went to the client."""
    local_response: LocalReply | None = None
    reset: str | None = None
    request_ended: bool = False
    """All of the request has been sent in."""
    response_begun: bool = False
    """The upstream has begun to answer."""
    response_ended: bool = False
    ended: bool = False
    """The filters have been told that it is over."""

    @property
    def over(self) -> bool:
        """Whether nothing can come out any more."""
        return self.reset is not None or (self.response is not None and self.response.complete)

    @property
    def held(self) -> list[Way]:
        """The directions in which the filters hold something back."""
        found: list[Way] = []
        if self.over or self.ended:
            return found
        for way in Way:
            for plugin in self.chain.plugins:
                stream = plugin.streams.get(self.number)
                direction = stream.context.direction(way) if stream is not None else None
                if direction is not None and direction.paused and not direction.stopped and way not in found:
                    found.append(way)
        if self.local_response is not None:
            found = [way for way in found if way is Way.RESPONSE]
        return found


MadeCall = StartCall | GrpcRecord
"""A call that a filter has made, of either kind."""
CallOutcome = Answer | GrpcAnswer | Outcome
"""What comes of one."""


@dataclass(slots=True)
class Connection:
    """A connection and what has come out of it at both ends."""

    name: str
    number: int
    chain: Chain
    info: StreamInfo
    upstream: bytes | None = None
    """What went to the upstream; None when it was not even connected."""
    downstream: bytes = b""
    """What went to the client."""
    upstream_end: bool = False
    """The upstream has been told that no more comes."""
    downstream_end: bool = False
    closed: PeerType | None = None
    """Who closed it, as the filters were told."""
    reason: str | None = None
    sent_end: set[Side] = field(default_factory=set)
    """The sides that have said that they send no more."""
    stalled: set[Side] = field(default_factory=set)
    """The sides that are not read, since filters hold too much."""
    unread: dict[Side, list[tuple[bytes, bool]]] = field(default_factory=lambda: {side: [] for side in Side})
    """What these sides have sent meanwhile."""

    @property
    def ended(self) -> bool:
        """Whether the filters have been told that it is over."""
        return self.closed is not None

    @property
    def held(self) -> list[Side]:
        """The sides of which the filters hold something back, the opening of the connection included."""
        if self.ended:
            return []
        found = {Side.DOWNSTREAM} if self.upstream is None else set()
        for plugin in self.chain.plugins:
            context = plugin.connections.context(self.number)
            if context is not None:
                found |= {side for side in Side if context.pipe(side).paused}
        return [side for side in Side if side in found]


@dataclass(slots=True)
class Call:
    """A filter's call that waits for what comes of it."""

    made: MadeCall
    deadline: int | None
    held: str = ""
    outcome: CallOutcome | None = None
    """What comes of it when it is released."""

    @property
    def command(self) -> StartCall | StartGrpcCall | StartGrpcStream:
        """The command that began it."""
        return self.made.command if isinstance(self.made, GrpcRecord) else self.made


CallTest = Callable[[MadeCall], bool]


@dataclass(slots=True)
class Rule:
    """What is to come of the next call that fits."""

    fits: CallTest
    outcome: CallOutcome
    hold: str = ""


@dataclass(slots=True)
class Seen:
    """What happened since the last look."""

    logs: list[Log] = field(default_factory=list)
    calls: list[MadeCall] = field(default_factory=list)
    failures: list[PluginFailed] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    """Everything that was asked for, in order."""
