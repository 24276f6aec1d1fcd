"""Real gRPC servers for a filter's calls: sockets around `grpc_h2.GrpcConnection`, for one thread and without one.

A network is given the commands that it `takes`; `poll` waits for what comes of them. Connections are kept, one for each
address. They are plain HTTP/2 (h2c), without TLS.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hostabi.abi.grpc import GrpcStatus
from hostabi.adapters.grpc_h2 import MOST_MESSAGE_BYTES, GrpcConnection
from hostabi.adapters.grpc_message import failure
from hostabi.core.commands import CancelCall, SendGrpc, StartGrpcCall, StartGrpcStream
from hostabi.core.events import Event, GrpcClosed, GrpcTimedOut

Address = tuple[str, int]

CONNECT_SECONDS = 5.0
_CHUNK = 1 << 16
_REFUSED = b"upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
_REFUSED_DETAILS = "upstream_reset_before_response_started{remote_connection_failure}"


@dataclass(slots=True)
class _Link:
    """A socket and its connection."""

    socket: socket.socket
    connection: GrpcConnection
    unsent: bytes = b""


class GrpcNetwork:
    """Carries out gRPC commands on servers by cluster name; a call to another one is not taken.

    Nothing blocks but `poll`, and the first call to an address, which waits for the connection CONNECT_SECONDS at most.
    """

    def __init__(self, clusters: Mapping[str, Address], *, most_message_bytes: int = MOST_MESSAGE_BYTES) -> None:
        self.clusters = dict(clusters)
        self._most = most_message_bytes
        self._links: dict[Address, _Link] = {}
        self._old: list[_Link] = []
        self._of_call: dict[tuple[str, int], _Link] = {}
        self._deadlines: dict[tuple[str, int], float] = {}
        self._ready: list[Event] = []
        self._selector = selectors.DefaultSelector()

    def takes(self, command: StartGrpcCall | StartGrpcStream) -> bool:
        """Whether the server that a call names is one of ours."""
        return command.upstream in self.clusters

    @property
    def busy(self) -> bool:
        """Whether something is still expected of a call."""
        return bool(self._ready) or any(link.connection.busy for link in (*self._links.values(), *self._old))

    def carry_out(self, command: StartGrpcCall | StartGrpcStream | SendGrpc | CancelCall) -> None:
        """Do what a command asks."""
        key = command.plugin, command.token
        if isinstance(command, StartGrpcCall | StartGrpcStream):
            self._begin(command)
            return
        link = self._of_call.get(key)
        if link is None:
            return
        if isinstance(command, SendGrpc):
            link.connection.send(command)
        else:
            link.connection.cancel(*key)
            self._forget(key)
        self._flush(link)

    def poll(self, seconds: float) -> list[Event]:
        """What has come, waiting for it at most so long."""
        until = time.monotonic() + seconds
        while True:
            self._expire()
            self._collect()
            found, self._ready = self._ready, []
            left = until - time.monotonic()
            if found or left <= 0 or not self.busy:
                return found
            soonest = min(self._deadlines.values(), default=until)
            for key, mask in self._selector.select(max(0.0, min(left, soonest - time.monotonic()))):
                self._serve(key.data, mask)

    def close(self) -> None:
        """Leave every server."""
        for link in [*self._links.values(), *self._old]:
            self._close(link)
        self._links.clear()
        self._old.clear()
        self._of_call.clear()
        self._selector.close()

    def __enter__(self) -> GrpcNetwork:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- calls

    def _begin(self, command: StartGrpcCall | StartGrpcStream) -> None:
        key = command.plugin, command.token
        address = self.clusters[command.upstream]
        try:
            link = self._link(address)
        except OSError:
            status = GrpcStatus.UNAVAILABLE
            self._ready.append(failure(*key, status, _REFUSED, _REFUSED_DETAILS))
            return
        self._of_call[key] = link
        if isinstance(command, StartGrpcCall) and command.timeout_ms:
            self._deadlines[key] = time.monotonic() + command.timeout_ms / 1000
        link.connection.begin(command)
        self._flush(link)

    def _link(self, address: Address) -> _Link:
        link = self._links.get(address)
        if link is not None and link.connection.usable:
            return link
        if link is not None:
            self._old.append(self._links.pop(address))
        made = socket.create_connection(address, timeout=CONNECT_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        link = self._links[address] = _Link(made, GrpcConnection(most_message_bytes=self._most))
        self._selector.register(made, selectors.EVENT_READ, link)
        return link

    def _expire(self) -> None:
        now = time.monotonic()
        for key in [key for key, moment in self._deadlines.items() if moment <= now]:
            del self._deadlines[key]
            link = self._of_call.get(key)
            if link is not None:
                link.connection.expire(*key)
                self._flush(link)

    def _collect(self) -> None:
        """Take what the connections have, and let go of those that are over."""
        for link in [*self._links.values(), *self._old]:
            self._take(link)
        for link in [one for one in self._old if not one.connection.busy]:
            self._old.remove(link)
            self._close(link)

    def _take(self, link: _Link) -> None:
        for event in link.connection.take_events():
            self._ready.append(event)
            if isinstance(event, GrpcClosed | GrpcTimedOut):
                self._forget((event.plugin, event.token))

    def _forget(self, key: tuple[str, int]) -> None:
        self._of_call.pop(key, None)
        self._deadlines.pop(key, None)

    # --- bytes

    def _serve(self, link: _Link, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            try:
                data = link.socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost(link)
                return
            link.connection.receive(data)
        self._flush(link)

    def _flush(self, link: _Link) -> None:
        """Send what can be sent, and watch for room if some is left."""
        link.unsent += link.connection.take_output()
        try:
            while link.unsent:
                link.unsent = link.unsent[link.socket.send(link.unsent) :]
                link.unsent = link.unsent or link.connection.take_output()
        except BlockingIOError:
            pass
        except OSError:
            self._lost(link)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.unsent else 0)
        self._selector.modify(link.socket, wanted, link)

    def _lost(self, link: _Link) -> None:
        link.connection.lost()
        self._take(link)
        self._links = {address: one for address, one in self._links.items() if one is not link}
        self._old = [one for one in self._old if one is not link]
        self._close(link)

    def _close(self, link: _Link) -> None:
        self._selector.unregister(link.socket)
        link.socket.close()
