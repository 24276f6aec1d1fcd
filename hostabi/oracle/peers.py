"""The two neighbours of Envoy, played by us: clients and upstreams, on HTTP/2 or HTTP/1.1, without threads.

A `Peer` is a connection; a `Flow` is one exchange on it, seen from our end: what came in, and ways to send.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hostabi.abi.codec import HeaderPairs
from hostabi.adapters.message import HTTP1, HTTP2, Message
from hostabi.oracle.loop import Loop, OracleError

_READ = 1 << 16
_SEND_SECONDS = 5.0
_FRAME = 16_384


@dataclass(slots=True, eq=False)
class Flow:
    """One exchange at our end of a connection."""

    peer: Peer
    number: int
    received: Message | None = None
    reset: str | None = None
    """Why nothing more comes in."""
    chunks: list[bytes] = field(default_factory=list)
    started: bool = False
    """We have begun to send."""
    ended: bool = False
    """We have sent all."""

    @property
    def complete(self) -> bool:
        """Whether a whole message has come in."""
        return self.received is not None and self.received.complete

    def headers(self, pairs: HeaderPairs, end: bool) -> None:
        """Send the first frame."""
        self.started, self.ended = True, end
        self.peer.send_headers(self, pairs, end)

    def data(self, data: bytes, end: bool) -> None:
        """Send a piece of the body."""
        self.ended = end
        self.peer.send_data(self, data, end)

    def trailers(self, pairs: HeaderPairs) -> None:
        """Send trailers, which end the message."""
        self.ended = True
        self.peer.send_trailers(self, pairs)

    def close(self) -> None:
        """Close the connection."""
        self.peer.close()

    # --- what comes in

    def take_headers(self, pairs: HeaderPairs) -> None:
        """Headers or trailers have come."""
        if self.received is None:
            self.received = Message(headers=pairs)
        else:
            self.received.trailers = pairs

    def take_data(self, data: bytes) -> None:
        """A piece of body has come."""
        if self.received is not None and data:
            self.received.body += data
            self.chunks.append(data)

    def take_end(self) -> None:
        """The message is whole."""
        if self.received is not None:
            self.received.complete = True

    def take_reset(self, why: str) -> None:
        """Nothing more comes."""
        if self.reset is None:
            self.reset = why


class Peer:
    """A connection. `on_flow` hears of each request that begins (at a server), `on_end` of each that is whole."""

    def __init__(self, loop: Loop, sock: socket.socket, on_flow: Callable[[Flow], None] | None = None) -> None:
        self.loop = loop
        self.sock = sock
        self.on_flow = on_flow
        self.flows: dict[int, Flow] = {}
        self.closed = False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.watch(sock, self._readable)

    @property
    def client(self) -> bool:
        """Whether this end asks."""
        return self.on_flow is None

    def open(self) -> Flow:
        """A new exchange, at a client."""
        raise NotImplementedError

    def send_headers(self, flow: Flow, pairs: HeaderPairs, end: bool) -> None:
        """Send the first frame of a flow."""
        raise NotImplementedError

    def send_data(self, flow: Flow, data: bytes, end: bool) -> None:
        """Send body."""
        raise NotImplementedError

    def send_trailers(self, flow: Flow, pairs: HeaderPairs) -> None:
        """Send trailers."""
        raise NotImplementedError

    def received(self, data: bytes) -> None:
        """Bytes have come; none: the other end has closed."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        if not self.closed:
            self.closed = True
            self.loop.forget(self.sock)
            self.sock.close()

    def _readable(self) -> None:
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.loop.activity += 1
        self.received(data)
        if not data:
            self.lost("the connection was closed")

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self.close()
        for flow in self.flows.values():
            if not flow.complete:
                flow.take_reset(why)

    def send(self, data: bytes) -> None:
        """Send bytes; while the other end does not take them, go on with everything else."""
        deadline = time.monotonic() + _SEND_SECONDS
        view = memoryview(data)
        while view and not self.closed:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OracleError(f"Envoy took nothing for {_SEND_SECONDS:g} s") from None
                self.loop.turn(0.01)
            except OSError:
                self.lost("the connection was closed")


class Http2(Peer):
    """A connection of HTTP/2."""

    def __init__(self, loop: Loop, sock: socket.socket, on_flow: Callable[[Flow], None] | None = None) -> None:
        import h2.config
        import h2.connection

        super().__init__(loop, sock, on_flow)
        config = h2.config.H2Configuration(
            client_side=self.client,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self.h2: Any = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self._flush()

    def open(self) -> Flow:
        flow = Flow(self, self.h2.get_next_available_stream_id())
        self.flows[flow.number] = flow
        return flow

    def send_headers(self, flow: Flow, pairs: HeaderPairs, end: bool) -> None:
        self._do(lambda: self.h2.send_headers(flow.number, list(pairs), end_stream=end))

    def send_data(self, flow: Flow, data: bytes, end: bool) -> None:
        deadline = time.monotonic() + _SEND_SECONDS
        while not self.closed and flow.reset is None:
            room = min(len(data), _FRAME, self.h2.local_flow_control_window(flow.number))
            if data and not room:
                if time.monotonic() > deadline:
                    raise OracleError(f"Envoy took no more of a body for {_SEND_SECONDS:g} s")
                self.loop.turn(0.01)
                continue
            piece, data = data[:room], data[room:]
            self._do(partial(self.h2.send_data, flow.number, piece, end_stream=end and not data))
            if not data:
                return

    def send_trailers(self, flow: Flow, pairs: HeaderPairs) -> None:
        self.send_headers(flow, pairs, True)

    def _do(self, act: Callable[[], None]) -> None:
        import h2.exceptions

        if self.closed:
            return
        try:
            act()
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
            return  # Envoy has reset the stream, and does not want what was to be sent
        self._flush()

    def _flush(self) -> None:
        self.send(self.h2.data_to_send())

    def received(self, data: bytes) -> None:
        import h2.exceptions

        if not data:
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.lost(f"HTTP/2 was broken: {error}")
            return
        for event in events:
            self._event(event)
        self._flush()

    def _event(self, event: Any) -> None:
        from h2 import events

        number = getattr(event, "stream_id", 0) or 0
        if isinstance(event, events.RequestReceived):
            flow = self.flows[number] = Flow(self, number)
            flow.take_headers(tuple(event.headers))
            if self.on_flow is not None:
                self.on_flow(flow)
        known = self.flows.get(number)
        if known is None:
            return
        match event:
            case events.ResponseReceived() | events.TrailersReceived():
                known.take_headers(tuple(event.headers))
            case events.DataReceived():
                known.take_data(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            case events.StreamEnded():
                known.take_end()
            case events.StreamReset():
                known.take_reset(f"HTTP/2 error {int(event.error_code)}")


class Http1(Peer):
    """A connection of HTTP/1.1, for one exchange."""

    def __init__(self, loop: Loop, sock: socket.socket, on_flow: Callable[[Flow], None] | None = None) -> None:
        import h11

        super().__init__(loop, sock, on_flow)
        self.h11: Any = h11.Connection(h11.CLIENT if self.client else h11.SERVER)
        self._flow = Flow(self, 1)

    def open(self) -> Flow:
        self.flows[1] = self._flow
        return self._flow

    def send_headers(self, flow: Flow, pairs: HeaderPairs, end: bool) -> None:
        import h11

        pseudo = {name: value for name, value in pairs if name.startswith(b":")}
        rest = [pair for pair in pairs if not pair[0].startswith(b":")]
        if self.client:
            rest.insert(0, (b"host", pseudo[b":authority"]))
            self._send(h11.Request(method=pseudo[b":method"], target=pseudo[b":path"], headers=rest))
        else:
            self._send(h11.Response(status_code=int(pseudo[b":status"]), headers=rest, reason=b"x"))
        if end:
            self._send(h11.EndOfMessage())

    def send_data(self, flow: Flow, data: bytes, end: bool) -> None:
        import h11

        if data:
            self._send(h11.Data(data=data))
        if end:
            self._send(h11.EndOfMessage())

    def send_trailers(self, flow: Flow, pairs: HeaderPairs) -> None:
        import h11

        self._send(h11.EndOfMessage(headers=list(pairs)))

    def _send(self, event: Any) -> None:
        import h11

        if self.closed:
            return
        try:
            data = self.h11.send(event)
        except h11.LocalProtocolError:
            if self.h11.their_state is h11.ERROR or self.closed:
                return
            raise
        if data:
            self.send(data)

    def received(self, data: bytes) -> None:
        import h11

        try:
            self.h11.receive_data(data)
            while True:
                event = self.h11.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                self._event(event)
        except h11.RemoteProtocolError as error:
            self._flow.take_reset(str(error))

    def _event(self, event: Any) -> None:
        import h11

        flow = self._flow
        match event:
            case h11.Request():
                host = next((value for name, value in event.headers if name == b"host"), b"")
                rest = [(bytes(n), bytes(v)) for n, v in event.headers if n != b"host"]
                pseudo = [
                    (b":authority", bytes(host)),
                    (b":path", bytes(event.target)),
                    (b":method", bytes(event.method)),
                ]
                flow.take_headers((*pseudo, *rest))
                self.flows[1] = flow
                if self.on_flow is not None:
                    self.on_flow(flow)
            case h11.Response():
                rest = [(bytes(n), bytes(v)) for n, v in event.headers]
                flow.take_headers(((b":status", b"%d" % event.status_code), *rest))
            case h11.Data():
                flow.take_data(bytes(event.data))
            case h11.EndOfMessage():
                if event.headers:
                    flow.take_headers(tuple((bytes(n), bytes(v)) for n, v in event.headers))
                flow.take_end()


PEERS: dict[str, type[Peer]] = {HTTP1: Http1, HTTP2: Http2}


class Server:
    """An upstream: listens on a free port of this machine, and hears of each request that begins."""

    def __init__(self, loop: Loop, protocol: str, on_flow: Callable[[Flow], None]) -> None:
        self.loop = loop
        self.protocol = protocol
        self.on_flow = on_flow
        self.peers: list[Peer] = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.port: int = self.sock.getsockname()[1]
        loop.watch(self.sock, self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self.sock.accept()
        except OSError:  # gone before we looked
            return
        self.loop.activity += 1
        self.peers.append(PEERS[self.protocol](self.loop, sock, self.on_flow))

    def close(self) -> None:
        """Close it, and every connection to it."""
        self.loop.forget(self.sock)
        self.sock.close()
        for peer in self.peers:
            peer.close()


def connect(loop: Loop, port: int, protocol: str) -> Peer:
    """A client's connection to a port of this machine; OSError when nobody listens."""
    return PEERS[protocol](loop, socket.create_connection(("127.0.0.1", port), timeout=5))
