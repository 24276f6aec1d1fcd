"""A session: a chain of filters and its world, with named streams that interleave, driven one action at a time.

The world stands still between actions: calls of the filters wait until something says what comes of them, and timers
until time is let pass. `Session` is what scenario files and exchanges run on, and the same from Python:

    session = Session(host, host.chain([plugin]))
    session.start()
    session.request(Request(headers={"x-user": "eve"}))
    session.callout("auth", Answer(403))
    assert session.stream().response.status == 403
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import PeerType
from hostabi.adapters.driver import Addresses, Answers, Driver, Network
from hostabi.adapters.message import HTTP1, Answer, Request, in_pieces, pieces, shown, to_pairs
from hostabi.adapters.redis_calls import RedisAnswers
from hostabi.adapters.streams import Connection, SessionError, Stream
from hostabi.core.chain import Chain
from hostabi.core.events import (
    Event,
    NewConnection,
    QueueReady,
    RequestBody,
    RequestHeaders,
    RequestMetadata,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseMetadata,
    ResponseTrailers,
    Shutdown,
    Side,
    Start,
    StreamInfo,
    UpstreamClosed,
    Way,
)
from hostabi.core.host import Host
from hostabi.core.plugin import Plugin

MAIN = "main"

_CLIENT_GONE, _UPSTREAM_GONE = "the client went away", "the upstream went away"

_BROKEN = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
"""What Envoy gives a client when an upstream breaks off before it has answered (seen on 1.40)."""


# What Envoy's access log says of those who go away (seen on 1.40).
_FLAG_UPSTREAM_GONE = 1 << 6
_FLAG_CLIENT_GONE = 1 << 14
_GONE_BEFORE = "upstream_reset_before_response_started{connection_termination}"
_GONE_AFTER = "upstream_reset_after_response_started{connection_termination}"


def _client_gone(stream: Stream) -> None:
    if not stream.over:
        stream.info.response_flags |= _FLAG_CLIENT_GONE
        stream.info.response_code_details = "downstream_remote_disconnect"


class Session(Driver):
    """A driver whose streams have names. `attributes` are the properties of every stream, by dotted path.

    `protocol` is what client and upstream speak: messages are framed, and shown in pieces, as Envoy does with it. None
    takes them as they are. Raises SessionError for actions out of order.
    """

    def __init__(
        self,
        host: Host,
        chain: Chain,
        *,
        now: int = 0,
        pace: int = 0,
        answers: Answers | None = None,
        network: Network | None = None,
        redis: RedisAnswers | None = None,
        dns: Addresses | None = None,
        attributes: Mapping[str, object] | None = None,
        protocol: str | None = None,
    ) -> None:
        super().__init__(host, chain, now=now, pace=pace, answers=answers, network=network, redis=redis, dns=dns)
        self.attributes = dict(attributes or {})
        self.protocol = protocol
        self.streams: dict[str, Stream] = {}
        """The latest stream of each name, if no connection had it since."""
        self.connections: dict[str, Connection] = {}
        """The latest connection of each name, likewise."""
        self._numbers = 0

    # --- plugins

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
            self.chain = self.host.chain(plugins, self.chain.loggers)
        else:
            self._carry_out(new.handle(Shutdown(new.key, True, now=self.now)))
        self._settle()

    def _settle(self) -> None:
        """Plugins that want a fresh VM get it when no stream is open; one that does not start keeps the old one."""
        super()._settle()
        while self.to_rebuild and not self._open:
            key = next(iter(self.to_rebuild))
            del self.to_rebuild[key]
            if any(plugin.key == key for plugin in self.chain.plugins):
                self.reconfigure(key, lambda old: self.host.rebuild(old, now=self.now))

    def position(self, which: int | str) -> int:
        """Where the filter of this name stands in the chain; SessionError when there is none."""
        for position, plugin in enumerate(self.chain.plugins):
            if which in (position, plugin.root.name, plugin.key):
                return position
        raise SessionError(f"there is no filter {which!r}")

    def enqueue(self, queue: str, message: bytes, vm_id: str = "") -> None:
        """A message appears in a queue that a filter has registered, and the filter is woken."""
        shared = self.host.shared
        wanted = (vm_id.encode(), queue.encode())
        known = next((one for one in shared.queues.values() if (one.vm_id, one.name) == wanted), None)
        if known is None:
            raise SessionError(f"no filter has registered the queue {queue!r} of the vm_id {vm_id!r}")
        self._pending.append(QueueReady(shared.enqueue(known.id, message), known.id))
        self._settle()

    # --- streams

    def end(self) -> None:
        """The client of every stream and connection that is open goes away."""
        for stream in list(self._open.values()):
            _client_gone(stream)
            self._end_stream(stream)
        for connection in list(self._connections.values()):
            self._end_connection(connection, PeerType.REMOTE, _CLIENT_GONE)
        self._settle()

    def stream(self, name: str = MAIN) -> Stream:
        """The latest stream of this name; SessionError when there was none."""
        if name not in self.streams:
            raise SessionError(
                f"{name!r} is a connection" if name in self.connections else f"no stream {name!r} has begun"
            )
        return self.streams[name]

    def latest(self, name: str | None = None) -> Stream | Connection | None:
        """The stream or connection of this name, without a name the one that began last; None when there is none."""
        if name is not None:
            return self.streams.get(name) or self.connections.get(name)
        known: list[Stream | Connection] = [*self.streams.values(), *self.connections.values()]
        return max(known, key=lambda one: one.number, default=None)

    def _begin(self, name: str) -> int:
        """The number of a stream or connection that begins under a name."""
        known = self.latest(name)
        if known is not None and not known.ended:
            raise SessionError(f"the stream {name!r} has begun already and is not over; give this one another name")
        self.streams.pop(name, None)
        self.connections.pop(name, None)
        self._numbers += 1
        return self._numbers

    def request(
        self, request: Request, stream: str = MAIN, *, end: bool = True, info: StreamInfo | None = None
    ) -> None:
        """The client begins a request; with `end` False more of it comes with `more_request`."""
        number = self._begin(stream)
        info = info or self._info(number, self.protocol or HTTP1)
        mine = Stream(stream, number, self.chain, info)
        self.streams[stream] = self._open[number] = mine
        body, trailers = pieces(request), to_pairs(request.trailers)
        only = end and not body and not trailers
        mine.request_ended = only
        headers = shown(request.header_pairs(), self.protocol, not only)
        self._give(mine, RequestHeaders(number, headers, only, info, now=self.now))
        self._request_rest(mine, body, trailers, end)

    def _info(self, number: int, protocol: str) -> StreamInfo:
        return StreamInfo(attributes=dict(self.attributes), connection_id=number, protocol=protocol)

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
        for chunk, last in in_pieces(body, end and not trailers, self.protocol):
            if not self._takes_request(mine):
                break
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
        return (
            isinstance(mine, Stream)
            and mine.request is not None
            and self._takes_request(mine)
            and not mine.response_ended
        )

    def upstream(self, answer: Answer, stream: str = MAIN, *, end: bool = True) -> None:
        """The upstream answers; with `end` False more of it comes with `more_upstream`."""
        mine = self._answering(stream)
        if mine.response_begun:
            raise SessionError(f"the upstream of stream {stream!r} has answered already")
        body, trailers = pieces(answer), to_pairs(answer.trailers)
        only = end and not body and not trailers
        mine.response_begun, mine.response_ended = True, only
        headers = shown(answer.header_pairs(), self.protocol, not only)
        self._give(mine, ResponseHeaders(mine.number, headers, only, now=self.now))
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
        for chunk, last in in_pieces(body, end and not trailers, self.protocol):
            if mine.over or mine.ended or mine.local_response is not None:
                break
            mine.response_ended = last
            self._give(mine, ResponseBody(mine.number, chunk, last, now=self.now))
        if trailers and not (mine.over or mine.ended or mine.local_response is not None):
            mine.response_ended = True
            self._give(mine, ResponseTrailers(mine.number, trailers, now=self.now))
        self._settle()

    def metadata(self, way: Way, entries: HeaderPairs, stream: str = MAIN) -> None:
        """HTTP/2 METADATA comes, from the client or from the upstream."""
        mine = self.stream(stream) if way is Way.REQUEST else self._answering(stream)
        if mine.ended:
            raise SessionError(f"the stream {stream!r} is over")
        kind = RequestMetadata if way is Way.REQUEST else ResponseMetadata
        self._give(mine, kind(mine.number, len(dict(entries)), now=self.now))
        self._settle()

    def abort_client(self, stream: str = MAIN) -> None:
        """The client goes away."""
        mine = self.connections.get(stream) or self.stream(stream)
        if mine.ended:
            raise SessionError(f"the stream {stream!r} is over")
        if isinstance(mine, Connection):
            self._end_connection(mine, PeerType.REMOTE, _CLIENT_GONE)
        else:
            _client_gone(mine)
            self._end_stream(mine)
        self._settle()

    def abort_upstream(self, stream: str = MAIN) -> None:
        """The upstream goes away: 503 before it has answered, else the stream is reset, or the connection closed."""
        if stream in self.connections:
            connection = self._connected(stream)
            self._feed(connection.chain, UpstreamClosed(connection.number, now=self.now))
            self._pump()
            if not connection.ended:
                self._end_connection(connection, PeerType.LOCAL, _UPSTREAM_GONE)
            self._settle()
            return
        mine = self._answering(stream)
        mine.info.response_flags |= _FLAG_UPSTREAM_GONE
        mine.info.response_code_details = _GONE_AFTER if mine.response_begun else _GONE_BEFORE
        if not mine.response_begun:
            mine.response_begun = mine.response_ended = True
            headers = {"content-length": str(len(_BROKEN)), "content-type": "text/plain"}
            self._give(mine, ResponseHeaders(mine.number, Answer(503, headers).header_pairs(), now=self.now))
            self._give(mine, ResponseBody(mine.number, _BROKEN, True, now=self.now))
            self._settle()
            return
        mine.reset = _UPSTREAM_GONE
        self._settle()

    # --- connections

    def connection(self, name: str = MAIN) -> Connection:
        """The latest connection of this name; SessionError when there was none."""
        if name not in self.connections:
            raise SessionError(
                f"{name!r} is no connection" if name in self.streams else f"no connection {name!r} has begun"
            )
        return self.connections[name]

    def connect(self, stream: str = MAIN, *, info: StreamInfo | None = None) -> None:
        """A client connects."""
        number = self._begin(stream)
        mine = Connection(stream, number, self.chain, info or self._info(number, protocol=""))
        self.connections[stream] = self._connections[number] = mine
        self._feed(mine.chain, NewConnection(number, mine.info, now=self.now))
        self._settle()

    def downstream_data(self, data: bytes, stream: str = MAIN, *, end: bool = False) -> None:
        """The client sends bytes; with `end` no more after them. They are read when the filters let them be."""
        self._send(self.connection(stream), Side.DOWNSTREAM, data, end)

    def upstream_data(self, data: bytes, stream: str = MAIN, *, end: bool = False) -> None:
        """The upstream sends bytes; with `end` no more after them."""
        self._send(self._connected(stream), Side.UPSTREAM, data, end)

    def _connected(self, stream: str) -> Connection:
        mine = self.connection(stream)
        if mine.upstream is None:
            raise SessionError(f"the connection {stream!r} has not reached the upstream")
        if mine.ended:
            raise SessionError(f"the connection {stream!r} is over")
        return mine

    def _send(self, mine: Connection, side: Side, data: bytes, end: bool) -> None:
        if mine.ended:
            raise SessionError(f"the connection {mine.name!r} is over")
        if side in mine.sent_end:
            raise SessionError(f"on connection {mine.name!r} the {side.value} has sent to its end already")
        if end:
            mine.sent_end.add(side)
        if data or end:
            mine.unread[side].append((data, end))
        self._settle()

    def _give(self, stream: Stream, event: Event) -> None:
        self._feed(stream.chain, event)
        self._pump()
