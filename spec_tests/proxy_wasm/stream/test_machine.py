"""Properties of the stream machine under any actions, frames and resumptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from hostabi import Body, Headers, Trailers, Way
from hostabi.core.events import Frame
from hostabi.core.state import Direction, Effect, Kind, body_effect


@dataclass
class Recorder:
    """An actor that answers with actions in turn and keeps what comes out."""

    actions: list[int]
    out: list[Frame] = field(default_factory=list)
    shown: list[tuple[Kind, int, bool]] = field(default_factory=list)
    dropped: int = 0
    above: bool = False
    last: bytes = b""

    def show(self, way: Way, kind: Kind, size: int, end: bool) -> int:
        self.shown.append((kind, size, end))
        action = self.actions.pop(0) if self.actions else 0
        if kind is Kind.BODY and body_effect(action) is Effect.DROP:
            self.dropped += size
        return action

    def settle(self) -> None:
        pass

    def emit(self, way: Way, frame: Frame) -> None:
        self.out.append(frame)

    def overflow(self, way: Way) -> None:
        raise AssertionError("nothing is as large as the limit")

    def watermark(self, way: Way, above: bool) -> None:
        assert above is not self.above
        self.above = above


ACTIONS = st.lists(st.sampled_from([0, 0, 1, 2, 3, 4, 5, 0xFFFFFFFF]), max_size=12)
MESSAGES = st.tuples(st.lists(st.binary(max_size=4), max_size=6), st.booleans())


def frames(chunks: list[bytes], trailers: bool) -> list[Frame]:
    """A message as frames: headers, a body frame for each chunk, trailers."""
    made: list[Frame] = [Headers(((b"a", b"b"),), not chunks and not trailers)]
    made += [Body(chunk, i + 1 == len(chunks) and not trailers) for i, chunk in enumerate(chunks)]
    return made + ([Trailers(((b"t", b"1"),))] if trailers else [])


def body(sent: list[Frame]) -> bytes:
    return b"".join(frame.data for frame in sent if isinstance(frame, Body))


def ended(frame: Frame) -> bool:
    return isinstance(frame, Trailers) or frame.end_of_stream


@given(ACTIONS, MESSAGES, st.lists(st.integers(0, 8), max_size=4), st.booleans())
def test_what_comes_out_is_a_whole_message(
    actions: list[int], message: tuple[list[bytes], bool], resumes: list[int], literal: bool
) -> None:
    actor = Recorder(actions)
    direction = Direction(Way.REQUEST, actor, 1000, literal)
    sent = frames(*message)
    for i, frame in enumerate(sent):
        direction.feed(frame)
        if i in resumes:
            direction.resume()
    for _ in range(len(sent) + 1):
        direction.resume()
    out = actor.out
    assert isinstance(out[0], Headers)
    assert [ended(frame) for frame in out] == [False] * (len(out) - 1) + [True]
    assert not any(isinstance(frame, Headers) for frame in out[1:])
    assert len(body(out)) == len(body(sent)) - actor.dropped
    if not actor.dropped:
        assert body(out) == body(sent)
    assert isinstance(out[-1], Trailers) is message[1]
    assert [kind for kind, _, _ in actor.shown].count(Kind.HEADERS) == 1
    assert not actor.above


@given(ACTIONS, MESSAGES, st.integers(0, 8), st.booleans())
def test_nothing_is_lost_when_the_filter_goes(
    actions: list[int], message: tuple[list[bytes], bool], gone_after: int, literal: bool
) -> None:
    actor = Recorder(actions)
    direction = Direction(Way.RESPONSE, actor, 1000, literal)
    sent = frames(*message)
    for i, frame in enumerate(sent):
        if i == gone_after:
            direction.bypass()
        direction.feed(frame)
    direction.bypass()
    assert [ended(frame) for frame in actor.out] == [False] * (len(actor.out) - 1) + [True]
    if not actor.dropped:
        assert body(actor.out) == body(sent)


@given(ACTIONS, MESSAGES, st.integers(0, 8))
def test_nothing_comes_after_a_stop(actions: list[int], message: tuple[list[bytes], bool], stop: int) -> None:
    actor = Recorder(actions)
    direction = Direction(Way.REQUEST, actor, 1000, False)
    before: list[Frame] | None = None
    for i, frame in enumerate(frames(*message)):
        if i == stop:
            direction.stop()
            before = list(actor.out)
        direction.feed(frame)
    direction.resume()
    assert before is None or actor.out == before


@given(MESSAGES)
def test_every_end_is_announced_once(message: tuple[list[bytes], bool]) -> None:
    actor = Recorder([])
    direction = Direction(Way.REQUEST, actor, 1000, False)
    for frame in frames(*message):
        direction.feed(frame)
    assert sum(end for _, _, end in actor.shown) == 1
