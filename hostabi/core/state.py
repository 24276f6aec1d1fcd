"""The stream machine of one filter in one direction, as tables and a small engine that follows them.

Theory of operation. Frames (headers, body chunks, trailers) come in; for each the filter's callback is asked, and its
action says what becomes of it (abi_reference 2.10, 7). The tables below turn the number a guest returned into an
Effect; `Direction` keeps what is held back and says when it leaves. Nothing here knows of guests, memory or plugins:

    show(frame kind, size, end) -> action     asks the filter; None means that it cannot be asked any more
    emit(frame)                               passes a frame on to the neighbour in the chain
    overflow()                                the buffer limit is passed: 413, 500 or a reset
    watermark(above)                          stop or go on reading

What a callback deferred (a continue, a local reply) runs when it has returned. On Envoy that is before its action takes
effect, so that a filter which continues and then pauses in one callback stays paused (seen); `continue_first` False
turns the two round.

A direction is in one of the states of `Pause`. While it is ALL, frames wait and the filter is not called; in the other
pauses it still sees what comes next, and what it has already seen waits to be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from hostabi.abi.codec import HeaderPairs
from hostabi.core.buffers import JOINED_IN_REQUESTS, JOINED_IN_RESPONSE_TRAILERS, JOINED_IN_RESPONSES, HeaderMap
from hostabi.core.events import Body, Frame, Headers, Trailers, Way


class Effect(Enum):
    """What an action of a callback does to the frame it was shown."""

    PASS = "goes on, with everything held before it"
    HOLD = "is held; the filter's next callbacks still come"
    STOP_AND_BUFFER = "is held; nothing more is shown until resumed; too much is an error"
    STOP_AND_WATERMARK = "is held; nothing more is shown until resumed; too much stops reading"
    KEEP = "is held and shown again together with what follows; too much is an error"
    KEEP_UNSEEN = "is held and not shown again; too much stops reading"
    DROP = "is consumed by the filter"


HEADERS_EFFECTS = (
    Effect.PASS,
    Effect.STOP_AND_WATERMARK,  # Effect.HOLD where StopIteration is literal
    Effect.PASS,
    Effect.STOP_AND_BUFFER,
    Effect.STOP_AND_WATERMARK,
)
BODY_EFFECTS = (Effect.PASS, Effect.KEEP, Effect.KEEP_UNSEEN, Effect.DROP)
TRAILERS_EFFECTS = (Effect.PASS, Effect.HOLD)


def headers_effect(action: int, literal: bool) -> Effect:
    """The effect of a header callback's result; out of range counts as the last."""
    if action == 1 and literal:
        return Effect.HOLD
    return HEADERS_EFFECTS[min(action, len(HEADERS_EFFECTS) - 1)]


def body_effect(action: int) -> Effect:
    """The effect of a body callback's result; out of range counts as the last."""
    return BODY_EFFECTS[min(action, len(BODY_EFFECTS) - 1)]


def trailers_effect(action: int) -> Effect:
    """The effect of a trailer callback's result; out of range counts as the last."""
    return TRAILERS_EFFECTS[min(action, len(TRAILERS_EFFECTS) - 1)]


class Kind(Enum):
    """The three kinds of frame, as callbacks know them."""

    HEADERS = "headers"
    BODY = "body"
    TRAILERS = "trailers"


class Pause(Enum):
    """Why frames of a direction are not passed on at once."""

    NONE = "flowing"
    HEADERS = "headers held, body callbacks come"
    ALL = "stopped, nothing is shown"
    BODY = "body held, callbacks come"
    TRAILERS = "everything held at the end"


class Actor(Protocol):
    """What a direction needs of the filter it belongs to and of its surroundings."""

    def show(self, way: Way, kind: Kind, size: int, end: bool) -> int | None:
        """Run the callback; its action, or None when the filter died or the stream was cut in it."""

    def settle(self) -> None:
        """The callback has returned: run what it deferred."""

    def emit(self, way: Way, frame: Frame) -> None:
        """Pass a frame on."""

    def overflow(self, way: Way) -> None:
        """Too many bytes are held under a buffering action."""

    def watermark(self, way: Way, above: bool) -> None:
        """The bytes held under a watermark action have passed the limit, or have left."""


class Direction:
    """One filter's view of one direction of one stream."""

    def __init__(
        self, way: Way, actor: Actor, limit: int, literal_stop: bool = False, continue_first: bool = True
    ) -> None:
        self.way = way
        self.actor = actor
        self.limit = limit
        self.literal_stop = literal_stop
        self.continue_first = continue_first
        self.pause = Pause.NONE
        self.headers: HeaderMap | None = None
        self.trailers: HeaderMap | None = None
        self.body: bytearray = bytearray()
        self.ended = False
        """The last frame of the message has been shown (or is being shown)."""
        self.started = False
        """A first frame has come in."""
        self.headers_sent = False
        self.finished = False
        """The last frame has left."""
        self.bypassed = False
        self.stopped = False
        self.showing: Kind | None = None
        self.maps_dropped = False
        self.passed_maps_are_gone = False
        self.joins_headers = False
        self.fix_content_length = False
        self.edited = False
        """The filter has changed the body."""
        self._headers_gone = False
        self.trailers_gone = False
        self._revealed = False
        self._held = bytearray()
        self._keeping = False
        self._waiting: list[Frame] = []
        self._waiting_bytes = 0
        self._effect_all = Effect.STOP_AND_WATERMARK
        self._above = False

    @property
    def joined(self) -> frozenset[bytes]:
        """Names of headers of which there is one entry."""
        if not self.joins_headers:
            return frozenset()
        return JOINED_IN_REQUESTS if self.way is Way.REQUEST else JOINED_IN_RESPONSES

    def new_trailers(self, pairs: HeaderPairs = ()) -> HeaderMap:
        """A map for trailers of this direction."""
        joined = self.joins_headers and self.way is Way.RESPONSE
        return HeaderMap(pairs, JOINED_IN_RESPONSE_TRAILERS if joined else frozenset())

    # --- what comes in

    def feed(self, frame: Frame) -> None:
        """A frame arrives from the neighbour."""
        if self.stopped:
            return
        self.started = True
        if self.bypassed:
            self._send(frame)
        elif self.pause is Pause.ALL:
            self._wait(frame)
        else:
            self._process(frame)

    def _wait(self, frame: Frame) -> None:
        self._waiting.append(frame)
        if isinstance(frame, Body):
            self._waiting_bytes += len(frame.data)
            if self._waiting_bytes > self.limit:
                if self._effect_all is Effect.STOP_AND_BUFFER:
                    self.actor.overflow(self.way)
                else:
                    self._mark(True)

    def _process(self, frame: Frame) -> None:
        match frame:
            case Headers():
                self._process_headers(frame)
            case Body():
                self._process_body(frame)
            case Trailers():
                self._process_trailers(frame)

    def _process_headers(self, frame: Headers) -> None:
        self.headers = HeaderMap(frame.headers, self.joined)
        self.ended = frame.end_of_stream
        self._ask(Kind.HEADERS, len(self.headers), frame.end_of_stream, self._act_on_headers)

    def _act_on_headers(self, action: int) -> None:
        effect = headers_effect(action, self.literal_stop)
        if effect is Effect.PASS:
            self._headers_gone = self.passed_maps_are_gone
            self._release()
        elif effect is Effect.HOLD:
            self.pause = Pause.HEADERS
        else:
            self.pause = Pause.ALL
            self._effect_all = effect

    def _process_body(self, frame: Body) -> None:
        if self._keeping:
            self.body += frame.data
        else:
            self.body = bytearray(frame.data)
        self.ended = frame.end_of_stream
        over = self._keeping and len(self.body) > self.limit
        self._ask(Kind.BODY, len(self.body), frame.end_of_stream, self._overflow if over else self._act_on_body)

    def _overflow(self, action: int) -> None:
        self.actor.overflow(self.way)

    def _act_on_body(self, action: int) -> None:
        effect = body_effect(action)
        if effect is Effect.PASS:
            self._release()
            return
        self._keeping = effect is Effect.KEEP
        if self._keeping and self._held:  # shown or not, it is one buffer from now on (seen on Envoy)
            self.body[:0] = self._held
            self._held = bytearray()
        self.pause = Pause.BODY
        if effect is Effect.KEEP_UNSEEN:
            self._held += self.body
        if effect is not Effect.KEEP:
            self.body = bytearray()
        if effect is Effect.KEEP and len(self.body) > self.limit:
            self.actor.overflow(self.way)
        elif len(self._held) > self.limit:
            self._mark(True)

    def _process_trailers(self, frame: Trailers) -> None:
        self.trailers = self.new_trailers(frame.trailers)
        self.trailers_gone = False
        self.ended = True
        self._ask(Kind.TRAILERS, len(self.trailers), True, self._act_on_trailers)

    def _act_on_trailers(self, action: int) -> None:
        if trailers_effect(action) is Effect.PASS:
            self.trailers_gone = self.passed_maps_are_gone
            self._release()
        else:
            self.pause = Pause.TRAILERS

    def _ask(self, kind: Kind, size: int, end: bool, act: Callable[[int], None]) -> None:
        """Show a frame to the filter, then act on its answer, unless the filter or the stream is gone by then."""
        self.maps_dropped = False
        self.showing = kind
        try:
            action = self.actor.show(self.way, kind, size, end)
            if action is not None and self.continue_first:
                self.actor.settle()
        finally:
            self.showing = None
        if action is None or self.stopped or self.bypassed:
            return
        act(action)
        if not self.continue_first:
            self.actor.settle()

    # --- what goes out

    def _release(self) -> None:
        """Pass on everything that was shown and held: headers, body, trailers; then nothing is held."""
        self.pause = Pause.NONE
        self._keeping = False
        body = bytes(self._held + self.body)
        self._held, self.body = bytearray(), bytearray()
        if self.headers is not None and not self.headers_sent:
            if self.edited and self.fix_content_length:
                self._fix_length(self.headers, len(body))
            self._send(Headers(self.headers.pairs, self.ended and not body and self.trailers is None))
        ends_here = self.ended and self.trailers is None
        if not self.finished and (body or ends_here):
            self._send(Body(body, ends_here))
        if self.ended and self.trailers is not None and not self.finished:
            self._send(Trailers(self.trailers.pairs))
        self._mark(False)

    def inject(self, data: bytes, end: bool) -> None:
        """Send bytes past everything that is held; the headers go first, and with `end` nothing goes after."""
        if self.stopped or self.finished or self.headers is None:
            return
        if not self.headers_sent:
            self._send(Headers(self.headers.pairs))
        if data or end:
            self._send(Body(data, end))
        if end:
            self._held, self.body = bytearray(), bytearray()

    def _fix_length(self, headers: HeaderMap, length: int) -> None:
        """Correct the content length of a body that has been changed; without knowing its end, leave it out."""
        if headers.get(b"content-length") is None:
            return
        if self.ended:
            headers.replace(b"content-length", b"%d" % length)
        else:
            headers.remove(b"content-length")

    def _release_shown(self) -> None:
        """Continue from the callback of a frame, before its action: all goes but a chunk that is not in the buffer."""
        if self.showing is not Kind.BODY or self._keeping:
            self._release()
            return
        chunk, self.body = self.body, bytearray()
        ended, self.ended = self.ended, False
        self._release()
        self.body, self.ended = chunk, ended

    def _send(self, frame: Frame) -> None:
        if isinstance(frame, Headers):
            self.headers_sent = True
        if isinstance(frame, Trailers) or frame.end_of_stream:
            self.finished = True
        self.actor.emit(self.way, frame)

    def _mark(self, above: bool) -> None:
        if above is not self._above:
            self._above = above
            self.actor.watermark(self.way, above)

    # --- what happens from outside

    def resume(self) -> None:
        """continue_stream: let go what is held; harmless when nothing is."""
        if self.stopped or self.bypassed:
            return
        if self.showing is not None:
            self._release_shown()
            return
        if self.pause is Pause.NONE:
            return
        self._release()
        waiting, self._waiting, self._waiting_bytes = merge_bodies(self._waiting), [], 0
        for frame in waiting:
            self.feed(frame)

    def bypass(self) -> None:
        """The filter is gone and the stream goes on without it, from the byte where it stood."""
        if self.stopped or self.bypassed:
            return
        self.bypassed = True
        self._release()
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._send(frame)

    def stop(self) -> None:
        """Nothing of this direction matters any more."""
        self.stopped = True
        self._waiting.clear()
        self._held.clear()

    def forget_maps(self) -> None:
        """Make headers, body and trailers unreachable until the next callback of the stream."""
        self.maps_dropped = True
        self._headers_gone = self.trailers_gone = self.passed_maps_are_gone

    def reveal_maps(self) -> None:
        """The access log sees the maps again."""
        self._revealed = True

    def hide_maps(self) -> None:
        """After the access log, they are as before."""
        self._revealed = False

    @property
    def visible_headers(self) -> HeaderMap | None:
        """The headers, unless they cannot be had at this point."""
        gone = self.maps_dropped or self._headers_gone
        return None if gone and not self._revealed else self.headers

    @property
    def paused(self) -> bool:
        """Whether something is held back."""
        return self.pause is not Pause.NONE

    @property
    def can_make_trailers(self) -> bool:
        """Whether a message without trailers can be given some: in its last body callback, or while that is held."""
        at_end = self.showing is Kind.BODY or (self.showing is None and self.pause is Pause.BODY)
        return self.ended and self.trailers is None and at_end

    @property
    def has_body(self) -> bool:
        """Whether the body buffer can be read and edited now: in its callback, or while what it holds is paused."""
        return not self.maps_dropped and (self.showing is Kind.BODY or (self.paused and self.headers is not None))


def merge_bodies(frames: list[Frame]) -> list[Frame]:
    """The same frames with adjoining body chunks made one."""
    merged: list[Frame] = []
    for frame in frames:
        last = merged[-1] if merged else None
        if isinstance(frame, Body) and isinstance(last, Body):
            merged[-1] = Body(last.data + frame.data, frame.end_of_stream)
        else:
            merged.append(frame)
    return merged
