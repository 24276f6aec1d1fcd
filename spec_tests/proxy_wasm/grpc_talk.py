"""A filter that makes gRPC calls as it is ordered, and the events of its servers: for tests of what a guest sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hostabi import CancelCall, Command, Event, Log, RequestHeaders, SendGrpc, StartGrpcCall, StartGrpcStream
from hostabi.testing import FilterHost
from spec_tests.proxy_wasm.kit import callbacks

ORDERS = Path(__file__).parent / "scenarios" / "filters" / "grpc_orders.wasm"


class Talk:
    """A filter with orders; `begin` sends it a request, `give` what comes from a server."""

    def __init__(self, engine: str, orders: str, **options: Any) -> None:
        self.filter_host = FilterHost(ORDERS, config=orders, engine=engine, **options)
        self.key = self.filter_host.plugins[0].key
        self.filter_host.exchanger.take()
        self.commands: list[Command] = []
        self._streams = 0

    def begin(self) -> list[Command]:
        self._streams += 1
        return self._handle(RequestHeaders(self._streams, ((b":path", b"/"),), True))

    def give(self, *events: Event) -> list[Command]:
        return [command for event in events for command in self._handle(event)]

    def _handle(self, event: Event) -> list[Command]:
        made = self.filter_host.chain.handle(event)
        self.commands += made
        return [command for command in made if not isinstance(command, Log)]

    def take(self) -> list[str]:
        """What the filter logged since the last time."""
        found = [one.message.decode() for one in self.commands if isinstance(one, Log)]
        self.commands.clear()
        return found

    @property
    def grpc(self) -> list[Command]:
        wanted = StartGrpcCall | StartGrpcStream | SendGrpc | CancelCall
        return [one for one in self.commands if isinstance(one, wanted)]

    def callbacks(self) -> list[str]:
        """The callbacks of gRPC since the last time."""
        records = list(self.filter_host.host.transcript)
        self.filter_host.host.transcript.clear()
        return [one for one in callbacks(records) if "grpc" in one]
