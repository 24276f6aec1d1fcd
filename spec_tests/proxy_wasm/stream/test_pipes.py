"""Properties of a connection's pipes under any actions, pieces and resumptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from hostabi.core.events import Side
from hostabi.core.pipe import Pipe


@dataclass
class Recorder:
    """An actor that answers with actions in turn and keeps what comes out."""

    actions: list[int]
    out: bytes = b""
    ends: int = 0
    shown: list[tuple[int, bool]] = field(default_factory=list)

    def show_data(self, side: Side, size: int, end: bool) -> int:
        self.shown.append((size, end))
        return self.actions.pop(0) if self.actions else 0

    def settle(self) -> None:
        pass

    def emit_data(self, side: Side, data: bytes, end: bool) -> None:
        assert not self.ends, "nothing comes after the end"
        self.out += data
        self.ends += end


PIECES = st.lists(st.binary(max_size=4), min_size=1, max_size=8)
ACTIONS = st.lists(st.sampled_from([0, 1, 2, 0xFFFFFFFF]), max_size=8)
MOMENTS = st.lists(st.integers(0, 8), max_size=4)


def pipe(actions: list[int]) -> tuple[Pipe, Recorder]:
    actor = Recorder(list(actions))
    return Pipe(Side.DOWNSTREAM, actor), actor


@given(PIECES, ACTIONS, MOMENTS)
def test_every_byte_leaves_once_and_in_order(pieces: list[bytes], actions: list[int], resumes: list[int]) -> None:
    machine, actor = pipe(actions)
    for i, piece in enumerate(pieces):
        machine.feed(piece, i + 1 == len(pieces))
        if i in resumes:
            # What is empty and no end is a word to those that come later, and no bytes.
            ended = actor.ends
            machine.resume() if not ended else None
    if not actor.ends:
        machine.resume()
    assert (actor.out, actor.ends) == (b"".join(pieces), 1)
    assert not machine.data and not machine.paused


@given(PIECES, ACTIONS)
def test_it_is_shown_all_that_it_holds(pieces: list[bytes], actions: list[int]) -> None:
    machine, actor = pipe(actions)
    held = 0
    for i, piece in enumerate(pieces):
        machine.feed(piece, False)
        assert actor.shown[-1] == (held + len(piece), False)
        held = held + len(piece) if i < len(actions) and actions[i] else 0


@given(PIECES, ACTIONS, st.integers(0, 8))
def test_what_is_taken_back_is_held_no_more(pieces: list[bytes], actions: list[int], at: int) -> None:
    """Whoever takes bytes back and shows them again, with what follows, loses and repeats nothing."""
    machine, actor = pipe(actions)
    for i, piece in enumerate(pieces):
        back, end = machine.take_back() if i == at else (b"", False)
        assert not end
        machine.feed(back + piece, i + 1 == len(pieces))
    back, end = machine.take_back()
    assert actor.out + back == b"".join(pieces) and actor.ends + end == 1
    assert machine.take_back() == (b"", False)


@given(PIECES, ACTIONS, st.integers(0, 7))
def test_a_filter_that_dies_is_passed_by(pieces: list[bytes], actions: list[int], at: int) -> None:
    machine, actor = pipe(actions)
    for i, piece in enumerate(pieces):
        if i == at:
            machine.bypass()
            shown = len(actor.shown)
        machine.feed(piece, i + 1 == len(pieces))
    if at < len(pieces):
        assert (actor.out, actor.ends) == (b"".join(pieces), 1)
        assert len(actor.shown) == shown


def test_what_is_stopped_stays_readable() -> None:
    machine, actor = pipe([1])
    machine.feed(b"aa", False)
    machine.stop()
    machine.feed(b"bb", True)
    machine.resume()
    machine.bypass()
    assert (bytes(machine.data), machine.reachable, actor.out, machine.take_back()) == (b"aa", True, b"", (b"", False))
