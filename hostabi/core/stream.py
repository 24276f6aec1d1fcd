"""One stream through one plugin: connects the stream machine of `core.state` with the guest's callbacks."""

from __future__ import annotations

from typing import Protocol

from hostabi.core.buffers import HeaderMap
from hostabi.core.commands import LocalReply, ResetStream, Send, SendLocalReply, Watermark
from hostabi.core.context import RootContext, StreamContext
from hostabi.core.events import AccessLog, Frame, StreamInfo, Way
from hostabi.core.state import Direction, Kind
from hostabi.core.vm import Vm

# What a callback's result is taken for once the stream was answered locally within it (abi_reference 7.4).
_FORCED = {Kind.HEADERS: 4, Kind.BODY: 3, Kind.TRAILERS: 1}

# Callbacks by the position of their kind: members of an Enum are hashed in Python, and no dict of them is fast.
_KINDS = tuple(Kind)
_OF_REQUEST, _OF_RESPONSE = ([f"proxy_on_{way.value}_{kind.value}" for kind in _KINDS] for way in Way)

_TOO_LARGE = {
    Way.REQUEST: LocalReply(413, body=b"Payload Too Large", details="request_payload_too_large"),
    Way.RESPONSE: LocalReply(500, body=b"Internal Server Error", details="response_payload_too_large"),
}


class Owner(Protocol):
    """What a stream needs of its plugin."""

    vm: Vm
    root: RootContext

    @property
    def working(self) -> bool:
        """Whether callbacks can be run."""


class FilterStream:
    """The Actor of both directions of a stream: runs callbacks, emits commands, creates the context when needed."""

    def __init__(self, owner: Owner, stream: int, info: StreamInfo) -> None:
        self.owner = owner
        state = owner.vm.state
        limit, literal = state.limits.body_buffer, owner.root.literal_stop
        self.context = StreamContext(
            0,
            stream,
            owner.root,
            info,
            Direction(Way.REQUEST, self, limit, literal, state.profile.continue_before_action),
            Direction(Way.RESPONSE, self, limit, literal, state.profile.continue_before_action),
        )
        self.context.cut = self.cut
        self.context.finish = self.finish
        self.context.request.fix_content_length = state.profile.fix_content_length
        self.context.request.passed_maps_are_gone = state.profile.passed_maps_are_gone
        self.context.response.passed_maps_are_gone = state.profile.passed_maps_are_gone
        self.context.request.joins_headers = self.context.response.joins_headers = state.profile.joins_headers
        if not owner.working:
            self.failed()

    # --- the stream machine's actor

    def show(self, way: Way, kind: Kind, size: int, end: bool) -> int | None:
        """Run the callback of a frame; creates the context before the first one of a request."""
        context = self.context
        answered_before = context.replied
        if way is Way.REQUEST:
            self.create()
        if not self.owner.working:
            return None
        if not context.created:
            return 0
        profile = self.owner.vm.state.profile
        if kind is Kind.TRAILERS and not profile.shows_trailers:
            return 0
        context.request.maps_dropped = context.response.maps_dropped = False
        flag = int(end)
        if kind is Kind.HEADERS and profile.header_end_of_stream_always_0:
            flag = 0
        args = (size,) if kind is Kind.TRAILERS else (size, flag)
        callback = (_OF_REQUEST if way is Way.REQUEST else _OF_RESPONSE)[_KINDS.index(kind)]
        result = self.owner.vm.call(callback, context, *args)
        if not self.owner.working:
            return None
        if context.replied and not answered_before:
            return _FORCED[kind]
        return self._action(callback, result or 0, way, kind)

    def _action(self, callback: str, action: int, way: Way, kind: Kind) -> int | None:
        """The action as the profile has it; None when the guest has failed with it."""
        vm = self.owner.vm
        if action > 1 and not vm.state.profile.wide_actions:
            vm.fail(callback, f"the action {action} is none", self.context)
            return None
        if way is Way.RESPONSE and kind is Kind.HEADERS and not vm.state.profile.response_headers_can_pause:
            if action:
                vm.state.complain(f"{callback} cannot pause")
            return 0
        return action

    def settle(self) -> None:
        """Run what the callback deferred."""
        vm = self.owner.vm
        if vm.state.deferred:
            vm.settle()

    def emit(self, way: Way, frame: Frame) -> None:
        """Pass a frame on to the neighbour."""
        self.owner.vm.state.emit(Send(self.context.stream, way, frame, self.owner.root.plugin))

    def overflow(self, way: Way) -> None:
        """The filter holds more than the limit: answer 413 or 500, or reset when the response has begun."""
        context = self.context
        if context.replied:
            return
        context.replied = True
        sent = way is Way.RESPONSE and context.response.headers_sent
        self.cut(response=way is Way.RESPONSE)
        state = self.owner.vm.state
        if sent:
            state.emit(ResetStream(context.stream, _TOO_LARGE[way].details))
        else:
            state.emit(SendLocalReply(context.stream, context.root.plugin, _TOO_LARGE[way]))

    def watermark(self, way: Way, above: bool) -> None:
        """Ask to stop or go on reading."""
        self.owner.vm.state.emit(Watermark(self.context.stream, way, above))

    # --- life

    def create(self) -> None:
        """Make the context known to the guest, once."""
        context = self.context
        if context.created or not self.owner.working:
            return
        state = self.owner.vm.state
        context.created = True
        context.id = state.new_context_id()
        state.contexts[context.id] = context
        self.owner.vm.call("proxy_on_context_create", context, context.root.id)

    def cut(self, response: bool = True) -> None:
        """Nothing more of this stream matters; with response False, a response still comes (one made here)."""
        request, other = self.context.request, self.context.response
        if not request.stopped:
            request.stop()
        if (response or other.started) and not other.stopped:  # what had begun is replaced
            other.stop()

    def failed(self) -> None:
        """The plugin is dead: go on without it, or answer with a failure, as its policy says."""
        context = self.context
        if context.root.fail_open:
            context.request.bypass()
            context.response.bypass()
            return
        if context.request.stopped and context.response.stopped:
            return
        context.replied = True
        self.cut()
        state = self.owner.vm.state
        reply = LocalReply(state.profile.failure_status, details="wasm_fail_stream", grpc_status=14, failure=True)
        state.emit(SendLocalReply(context.stream, context.root.plugin, reply))

    def log(self) -> None:
        """The access log phase, in which the stream is over: nothing is sent any more, whatever happens."""
        self.cut()
        context = self.context
        if self.owner.vm.state.profile.create_context_at_log:
            self.create()
        if context.created and not context.logged:
            context.request.reveal_maps()
            context.response.reveal_maps()
            context.logging = context.logged = context.shows_log = True
            self.owner.vm.call("proxy_on_log", context)
            if self.owner.vm.state.profile.passed_maps_are_gone:
                context.shows_log = False
                context.request.hide_maps()
                context.response.hide_maps()
            self.settle()

    def end(self) -> None:
        """The stream is over: on_done, on_log (if it was not yet), on_delete; then the context is gone."""
        self.cut()
        context = self.context
        vm = self.owner.vm
        first_done = not vm.state.profile.log_before_done
        if not first_done:
            self.log()
        if context.created:
            agrees = vm.call("proxy_on_done", context)
            context.done_pending = agrees == 0 and vm.state.profile.stream_done_waits
            self.settle()
            if context.done_pending:
                return
        self.finish()

    def finish(self) -> None:
        """What comes after on_done: on_log if it was not yet, and on_delete."""
        context, vm = self.context, self.owner.vm
        self.log()
        if context.created and context.id in vm.state.contexts:
            vm.call("proxy_on_delete", context)
            vm.state.contexts.pop(context.id, None)
            self.settle()


def logged_context(owner: Owner, event: AccessLog) -> StreamContext:
    """What a plugin that keeps an access log sees of something that is over: on its own context, and only to read."""
    context = FilterStream(owner, 0, event.info).context
    context.id, context.logging, context.shows_log = owner.root.id, True, True
    maps = (HeaderMap(pairs) if pairs else None for pairs in (event.request, event.response, event.response_trailers))
    context.request.headers, context.response.headers, context.response.trailers = maps
    return context
