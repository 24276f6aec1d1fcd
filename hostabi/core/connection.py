"""One connection through one plugin: connects the pipes of `core.pipe` with the guest's callbacks."""

from __future__ import annotations

from hostabi.abi.enums import PeerType
from hostabi.abi.hostcall import EmbedderError
from hostabi.core.commands import CloseConnection, ConnectUpstream, SendData
from hostabi.core.context import ConnectionContext
from hostabi.core.events import (
    ConnectionEnd,
    ConnectionEvent,
    DownstreamData,
    NewConnection,
    Side,
    StreamInfo,
    UpstreamClosed,
    UpstreamData,
)
from hostabi.core.pipe import Pipe
from hostabi.core.stream import Owner


class FilterConnection:
    """The actor of both pipes: runs callbacks, emits commands, creates the context and ends it."""

    def __init__(self, owner: Owner, stream: int, info: StreamInfo) -> None:
        self.owner = owner
        state = owner.vm.state
        self._first = state.profile.continue_before_action
        downstream, upstream = (Pipe(side, self, self._first) for side in Side)
        self.context = ConnectionContext(0, stream, owner.root, info, downstream, upstream)
        self.context.close = self.close
        self.context.resume = self.resume
        self.context.finish = self.finish
        self.held_open = False
        """The filter has not let the connection through to the upstream yet."""
        self._upstream_told = False

    # --- what happens

    def open(self) -> None:
        """The client has connected: tell the guest, and ask it whether to go on."""
        self.held_open = True
        if not self.owner.working:
            self.failed()
            return
        self._create()
        action = self._call("proxy_on_new_connection")
        if not self._alive():
            return
        if self._first:
            self.settle()
        if not action and self.context.downstream.flowing:
            self._go_on()
        self.settle()

    def feed(self, side: Side, data: bytes, end: bool) -> None:
        """Bytes come in."""
        self.context.pipe(side).feed(data, end)
        if side is Side.UPSTREAM and end and self.owner.vm.state.profile.upstream_close_at_end:
            self._tell_upstream_closed(PeerType.UNKNOWN)

    def upstream_closed(self, peer: PeerType) -> None:
        """The connection to the upstream is gone."""
        if not self.owner.vm.state.profile.upstream_close_at_end:
            self._tell_upstream_closed(peer)

    def _tell_upstream_closed(self, peer: PeerType) -> None:
        if not self._upstream_told and self.context.created and not self.context.downstream.stopped:
            self._upstream_told = True
            self._call("proxy_on_upstream_connection_close", peer)
            self.settle()

    def end(self, peer: PeerType) -> None:
        """The client's connection is gone: on_downstream_connection_close, on_done, on_log, on_delete."""
        context = self.context
        self._stop()
        if not context.created or not self.owner.working:
            self.owner.vm.state.contexts.pop(context.id, None)
            return
        self._call("proxy_on_downstream_connection_close", peer)
        self.settle()
        agrees = self._call("proxy_on_done")
        context.done_pending = agrees == 0 and self.owner.vm.state.profile.stream_done_waits
        self.settle()
        if not context.done_pending:
            self.finish()

    def finish(self) -> None:
        """What comes after on_done: on_log and on_delete."""
        context = self.context
        context.logging = True
        self._call("proxy_on_log")
        self.settle()
        self._call("proxy_on_delete")
        self.owner.vm.state.contexts.pop(context.id, None)
        self.settle()

    # --- what is asked for

    def resume(self, side: Side) -> None:
        """continue_stream: the connection goes on, and the bytes of this side that are held."""
        pipe = self.context.pipe(side)
        if side is Side.DOWNSTREAM and not pipe.stopped:
            self._go_on()
        pipe.resume()

    def _go_on(self) -> None:
        """Let the connection through; whoever comes later in the chain is asked, if it was not yet."""
        self.held_open = False
        self.owner.vm.state.emit(ConnectUpstream(self.context.stream, self.owner.root.plugin))

    def close(self, reason: str) -> None:
        """Close the connection on both sides."""
        if not self.context.downstream.stopped:
            self._stop()
            self.owner.vm.state.emit(CloseConnection(self.context.stream, reason))

    def failed(self) -> None:
        """The plugin is dead: go on without it, or close, as its policy says."""
        if not self.owner.root.fail_open:
            self.close("wasm_fail_stream")
            return
        if self.held_open and not self.context.downstream.stopped:
            self._go_on()
        for side in Side:
            self.context.pipe(side).bypass()

    def _stop(self) -> None:
        for side in Side:
            self.context.pipe(side).stop()

    # --- the pipes' actor

    def show_data(self, side: Side, size: int, end: bool) -> int | None:
        """Run the callback of some bytes."""
        if not self.owner.working:
            return None
        action = self._call(f"proxy_on_{side.value}_data", size, int(end))
        return (action or 0) if self._alive() else None

    def settle(self) -> None:
        """Run what the callback deferred."""
        self.owner.vm.settle()

    def emit_data(self, side: Side, data: bytes, end: bool) -> None:
        """Pass bytes on to the neighbour."""
        command = SendData(self.context.stream, side.other, data, end, self.owner.root.plugin)
        self.owner.vm.state.emit(command)

    # --- the guest

    def _alive(self) -> bool:
        return self.owner.working

    def _create(self) -> None:
        state, context = self.owner.vm.state, self.context
        context.created = True
        context.id = state.new_context_id()
        state.contexts[context.id] = context
        self._call("proxy_on_context_create", context.root.id)

    def _call(self, callback: str, *args: int) -> int | None:
        return self.owner.vm.call(callback, self.context, *args)


class Connections:
    """The connections of a plugin, by number."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._open: dict[int, FilterConnection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def handle(self, event: ConnectionEvent) -> None:
        """Deal with an event; one of a connection that never came here, or is over, is dropped."""
        number = event.stream
        connection = self._open.get(number)
        if isinstance(event, NewConnection):
            if connection is not None:
                raise EmbedderError(f"the connection {number} has begun already")
            info = event.info or StreamInfo(start_time=event.now)
            connection = self._open[number] = FilterConnection(self.owner, number, info)
            connection.open()
        if connection is None:
            return
        match event:
            case DownstreamData():
                connection.feed(Side.DOWNSTREAM, event.data, event.end_of_stream)
            case UpstreamData():
                connection.feed(Side.UPSTREAM, event.data, event.end_of_stream)
            case UpstreamClosed():
                connection.upstream_closed(event.peer)
            case ConnectionEnd():
                del self._open[number]
                connection.end(event.peer)

    def context(self, number: int) -> ConnectionContext | None:
        """The context of a connection, if there is one."""
        connection = self._open.get(number)
        return connection.context if connection is not None and connection.context.created else None

    def failed(self) -> None:
        """The plugin is dead."""
        for connection in list(self._open.values()):
            connection.failed()

    def take_back(self, number: int, side: Side) -> tuple[bytes, bool]:
        """What this plugin holds of a connection, to be shown once more; then it holds nothing."""
        connection = self._open.get(number)
        return connection.context.pipe(side).take_back() if connection is not None else (b"", False)

    def holds(self, number: int, side: Side) -> int:
        """How many bytes it holds."""
        connection = self._open.get(number)
        return len(connection.context.pipe(side).data) if connection is not None else 0
