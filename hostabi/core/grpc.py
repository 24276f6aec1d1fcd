"""What a gRPC call or stream brings its plugin: which callbacks come, in which order, with what to read (8.9).

A unary call: one callback, with the message or with the status of a failure. A stream: its initial metadata (empty when
the server sent nothing but a status), messages, its trailing metadata and its close.
"""

from __future__ import annotations

from hostabi.abi.grpc import GrpcStatus, percent_decode
from hostabi.core.buffers import HeaderMap
from hostabi.core.commands import CancelCall
from hostabi.core.context import GrpcCall, GrpcReceived, RootContext
from hostabi.core.events import GrpcClosed, GrpcEvent, GrpcInitialMetadata, GrpcMessage, GrpcSent, GrpcTimedOut
from hostabi.core.vm import Vm

_LATE = b"upstream request timeout"
"""What Envoy says of a call that was not answered in time (seen on 1.40)."""


class GrpcReceiver:
    """Gives a plugin what comes on its calls and streams; tokens it does not hold (any more) are passed over."""

    def __init__(self, vm: Vm, root: RootContext) -> None:
        self.vm = vm
        self.root = root
        root.tell_closed = self._tell_closed

    def receive(self, event: GrpcEvent) -> None:
        """Run the callbacks of an event."""
        call = self._held(event.token)
        if call is None or call.closed:
            return
        match event:
            case GrpcInitialMetadata():
                self._begin(event.token, call, HeaderMap(event.metadata))
            case GrpcMessage():
                self._message(event.token, call, event.message)
            case GrpcClosed():
                self._close(event.token, call, event)
            case GrpcTimedOut():
                self._close(event.token, call, self._timed_out(event))
            case GrpcSent():
                call.queued = max(0, call.queued - event.size)

    def forget(self) -> None:
        """The plugin is gone, or its VM: nobody waits for its calls any more."""
        state = self.vm.state
        for token, root in [*state.calls.items()]:
            if root is self.root:
                del state.calls[token]
                state.emit(CancelCall(self.root.plugin, token))
        for token, call in [*state.grpc.items()]:
            if call.root is self.root:
                del state.grpc[token]
                if not call.closed:
                    state.emit(CancelCall(self.root.plugin, token))

    def _held(self, token: int) -> GrpcCall | None:
        call = self.vm.state.grpc.get(token)
        return call if call is not None and call.root is self.root else None

    def _show(self, what: GrpcReceived, callback: str, token: int, size: int) -> None:
        """Run a callback while what came can be read, then what it deferred."""
        self.root.grpc = what
        try:
            self.vm.call(callback, self.root, token, size)
        finally:
            self.root.grpc = GrpcReceived()
        self.vm.settle()

    def _begin(self, token: int, call: GrpcCall, metadata: HeaderMap) -> None:
        if call.begun:
            return
        call.begun = True
        if not call.unary:
            what = GrpcReceived(initial=metadata)
            self._show(what, "proxy_on_grpc_receive_initial_metadata", token, len(metadata))

    def _message(self, token: int, call: GrpcCall, message: bytes) -> None:
        if len(message) > self.vm.state.limits.grpc_message_bytes:
            self.vm.state.emit(CancelCall(self.root.plugin, token))
            text = b"a message of %d bytes is over the limit" % len(message)
            self._close(token, call, GrpcClosed(self.root.plugin, token, GrpcStatus.RESOURCE_EXHAUSTED, text))
            return
        if call.unary:
            call.response = message
            return
        self._begin(token, call, HeaderMap())
        if self._held(token) is call:
            self._show(GrpcReceived(message=message), "proxy_on_grpc_receive", token, len(message))

    def _timed_out(self, event: GrpcTimedOut) -> GrpcClosed:
        unavailable = self.vm.state.profile.grpc_timeout_is_unavailable
        status = GrpcStatus.UNAVAILABLE if unavailable else GrpcStatus.DEADLINE_EXCEEDED
        return GrpcClosed(event.plugin, event.token, status, _LATE, details="response_timeout")

    def _close(self, token: int, call: GrpcCall, event: GrpcClosed) -> None:
        if call.unary:
            self._finish(token, call, event)
            return
        self._begin(token, call, HeaderMap())
        trailing = HeaderMap(event.metadata)
        if self._held(token) is call:
            what = GrpcReceived(trailing=trailing)
            self._show(what, "proxy_on_grpc_receive_trailing_metadata", token, len(trailing))
        if self._held(token) is call:
            call.closed = True
            self._tell_closed(token, event.status, self._text(event))
            self._keep_closed(token, call)

    def _finish(self, token: int, call: GrpcCall, event: GrpcClosed) -> None:
        """The end of a unary call. Within its callback the guest may still name the token, as on Envoy."""
        call.closed = True
        status, text = event.status, self._text(event)
        if status == GrpcStatus.OK and call.response is not None:
            self._show(GrpcReceived(message=call.response), "proxy_on_grpc_receive", token, len(call.response))
        elif status == GrpcStatus.OK:
            self._tell_closed(token, GrpcStatus.INTERNAL, b"")
        else:
            self._tell_closed(token, status, text)
        self.vm.state.grpc.pop(token, None)

    def _keep_closed(self, token: int, call: GrpcCall) -> None:
        """The guest can name a stream that the server has closed until it closes it too; so many and no more."""
        held = self.vm.state.grpc
        if call.released:
            held.pop(token, None)
        over = sum(one.closed for one in held.values()) - self.vm.state.limits.outstanding_calls
        for number in [number for number, one in held.items() if one.closed][: max(0, over)]:
            del held[number]

    def _text(self, event: GrpcClosed) -> bytes:
        if not self.vm.state.profile.grpc_message_is_raw:
            return percent_decode(event.message)
        details = event.details.encode()
        return event.message + b"{" + details + b"}" if event.message and details else event.message or details

    def _tell_closed(self, token: int, status: int, message: bytes) -> None:
        root = self.root
        code = status & 0xFFFFFFFF
        root.status_code, root.status_message = code, message
        try:
            self.vm.call("proxy_on_grpc_close", root, token, code)
        finally:
            root.status_message = b""
            if not self.vm.state.profile.status_code_stays:
                root.status_code = 0
        self.vm.settle()
