"""The connections of a chain: the client's bytes go through the filters first to last, the upstream's last to first.

As on Envoy, the filters of a connection share one buffer for each side: bytes that one of them holds are shown to those
before it once more, together with what follows, and so are changes made to them (seen on 1.40). The client's bytes wait
until every filter has let the connection through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hostabi.abi.enums import PeerType
from hostabi.abi.hostcall import EmbedderError
from hostabi.core.commands import CloseConnection, Command, ConnectUpstream, SendData, Watermark
from hostabi.core.events import (
    ConnectionEnd,
    ConnectionEvent,
    DownstreamData,
    Event,
    NewConnection,
    Side,
    StreamInfo,
    UpstreamClosed,
    UpstreamData,
)
from hostabi.core.plugin import Plugin

ConnectionCommand = ConnectUpstream | SendData | CloseConnection
"""What a plugin asks of its chain, about a connection."""


BOTH_ENDED = "both sides have ended"
"""Why a connection is closed that has come to its end."""


@dataclass(slots=True)
class _Connection:
    info: StreamInfo
    opened: int = 0
    """How many filters have been told of it."""
    connected: bool = False
    """All of them have let it through."""
    waiting: bytearray = field(default_factory=bytearray)
    """What the client sent before that."""
    waiting_end: bool = False
    ended: list[Side] = field(default_factory=list)
    """The sides whose end has passed all filters, in that order."""
    above: set[Side] = field(default_factory=set)
    """The sides whose held bytes are over the limit."""


class Network:
    """Routes between the filters of each connection, and ends it."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        give: Callable[[int, Event], None],
        over: Callable[[StreamInfo], None] = lambda info: None,
    ) -> None:
        self.plugins = plugins
        self.now = 0
        self.commands: list[Command] = []
        """What is asked of the world; whoever reads it empties it."""
        self._give = give
        self._over = over
        self._connections: dict[int, _Connection] = {}
        self._work: deque[tuple[int, Callable[[], None]]] = deque()
        self._touched: set[int] = set()

    def has(self, stream: int) -> bool:
        """Whether a connection of this number is open."""
        return stream in self._connections

    def work(self) -> bool:
        """Do the next thing that is to be done, if there is one; whether there was."""
        while self._work:
            number, act = self._work.popleft()
            if number in self._connections:
                act()
                return True
        for number in sorted(self._touched & self._connections.keys()):
            self._mark(number)
        self._touched.clear()
        return False

    # --- from outside

    def handle(self, event: ConnectionEvent) -> None:
        """Deal with an event. EmbedderError for a connection that is not there, or is there already."""
        number = event.stream
        if isinstance(event, NewConnection):
            self._begin(event)
            return
        connection = self._connections.get(number)
        if connection is None:
            raise EmbedderError(f"there is no connection {number}")
        match event:
            case DownstreamData(data=data, end_of_stream=end):
                connection.info.request_size += len(data)
                if not connection.connected:
                    connection.waiting += data
                    connection.waiting_end = connection.waiting_end or end
                else:
                    self._pass(number, Side.DOWNSTREAM, 0, data, end)
            case UpstreamData(data=data, end_of_stream=end):
                connection.info.response_size += len(data)
                self._pass(number, Side.UPSTREAM, len(self.plugins) - 1, data, end)
            case UpstreamClosed():
                for position in reversed(range(len(self.plugins))):
                    self._give(position, event)
            case ConnectionEnd():
                self._end(number, event.peer)
        self._touched.add(number)

    def _begin(self, event: NewConnection) -> None:
        if event.stream in self._connections:
            raise EmbedderError(f"the connection {event.stream} has begun already")
        info = event.info or StreamInfo()
        info.start_time = info.start_time or event.now
        self._connections[event.stream] = _Connection(info)
        self._open(event.stream)

    def _open(self, number: int) -> None:
        """Tell the next filter of a connection; after the last one, connect to the upstream."""
        connection = self._connections[number]
        if connection.opened < len(self.plugins):
            connection.opened += 1
            self._give(connection.opened - 1, NewConnection(number, connection.info, now=self.now))
        elif not connection.connected:
            connection.connected = True
            self.commands.append(ConnectUpstream(number))
            data, connection.waiting = bytes(connection.waiting), bytearray()
            self._pass(number, Side.DOWNSTREAM, 0, data, connection.waiting_end)

    # --- from filter to filter

    def command(self, command: ConnectionCommand) -> None:
        """Deal with what a plugin asked for."""
        number = command.stream
        self._touched.add(number)
        match command:
            case ConnectUpstream():
                self._later(number, lambda: self._open(number))
            case SendData():
                side = command.to.other
                step = 1 if side is Side.DOWNSTREAM else -1
                at = [plugin.key for plugin in self.plugins].index(command.plugin) + step
                self._later(number, lambda: self._pass(number, side, at, command.data, command.end_of_stream))
            case CloseConnection():
                if number in self._connections:
                    self.commands.append(command)
                    self._end(number, command.peer)

    def _later(self, number: int, act: Callable[[], None]) -> None:
        self._work.append((number, act))

    def _pass(self, number: int, side: Side, position: int, data: bytes, end: bool) -> None:
        """Bytes come to a filter, or out at the end of the chain."""
        for later in self._from(side, position):
            held, held_end = later.connections.take_back(number, side)
            data, end = held + data, end or held_end
        if not data and not end:
            return
        if 0 <= position < len(self.plugins):
            kind = DownstreamData if side is Side.DOWNSTREAM else UpstreamData
            self._give(position, kind(number, data, end, now=self.now))
            return
        self.commands.append(SendData(number, side.other, data, end))
        if end:
            self._ended(number, side)

    def _from(self, side: Side, position: int) -> Sequence[Plugin]:
        """The filters that share a buffer with the one at this position and come no earlier than it."""
        plugins = self.plugins
        if not plugins or not plugins[0].vm.state.profile.connection_buffer_is_shared:
            return ()
        return plugins[position:] if side is Side.DOWNSTREAM else plugins[: position + 1]

    def _ended(self, number: int, side: Side) -> None:
        """No more comes from this side; after both, the connection is closed by whose end came last (seen)."""
        connection = self._connections[number]
        connection.ended.append(side)
        if len(connection.ended) == len(Side):
            peer = PeerType.REMOTE if side is Side.DOWNSTREAM else PeerType.LOCAL
            self.commands.append(CloseConnection(number, BOTH_ENDED, peer))
            self._end(number, peer)

    def _end(self, number: int, peer: PeerType) -> None:
        """The connection is gone: every filter is told, first to last."""
        connection = self._connections.pop(number)
        for position in range(len(self.plugins)):
            self._give(position, ConnectionEnd(number, peer, now=self.now))
        connection.info.end_time = self.now  # filters do not see how long it took (seen)
        self._over(connection.info)

    # --- how much is held

    def _mark(self, number: int) -> None:
        """Stop or go on reading a side, as what is held of it passes the limit."""
        connection = self._connections[number]
        for side in Side:
            held = len(connection.waiting) if side is Side.DOWNSTREAM else 0
            held += sum(plugin.connections.holds(number, side) for plugin in self.plugins)
            above = held > min((one.vm.state.limits.connection_buffer for one in self.plugins), default=0)
            if above is not (side in connection.above):
                connection.above ^= {side}
                self.commands.append(Watermark(number, side, above))
