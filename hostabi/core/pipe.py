"""The machine of one filter on one side of a connection: what it is shown, what it holds, and when that leaves.

Theory of operation. Bytes come in and are put behind what the filter holds; it is shown all of it, and its action says
whether that goes on (0) or stays (anything else) until more comes or it is told to let go (abi_reference 2.10, 6).
While it is shown bytes it can change them, and while it holds them, too. Nothing here knows of guests or of other
filters:

    show_data(side, size, end) -> action     asks the filter; None means that it cannot be asked any more
    settle()                                 runs what the callback deferred
    emit_data(side, data, end)               passes bytes of this side on to the neighbour

The end of the stream is shown with the last bytes, or alone; it goes on once, with the bytes that it was held with.
"""

from __future__ import annotations

from typing import Protocol

from hostabi.core.events import Side


class DataActor(Protocol):
    """What a pipe needs of the filter it belongs to and of its surroundings."""

    def show_data(self, side: Side, size: int, end: bool) -> int | None:
        """Run the callback; its action, or None when the filter died in it."""

    def settle(self) -> None:
        """The callback has returned: run what it deferred."""

    def emit_data(self, side: Side, data: bytes, end: bool) -> None:
        """Pass bytes on."""


class Pipe:
    """One filter's view of what one side of a connection sends."""

    def __init__(self, side: Side, actor: DataActor, continue_first: bool = True) -> None:
        self.side = side
        self.actor = actor
        self.continue_first = continue_first
        self.data = bytearray()
        """What is shown, or held."""
        self.paused = False
        """The filter holds what it has been shown."""
        self.reachable = False
        """The bytes can be read and changed: since they were shown, until they go on with that callback's action."""
        self.stopped = False
        self.bypassed = False
        self._ended = False
        self._end_sent = False

    @property
    def flowing(self) -> bool:
        """Whether the filter still decides what becomes of the bytes."""
        return not (self.stopped or self.bypassed)

    def feed(self, data: bytes, end: bool) -> None:
        """Bytes arrive from the neighbour."""
        if self.stopped:
            return
        if self.bypassed:
            self.actor.emit_data(self.side, data, end)
            return
        self.data += data
        self._ended = self._ended or end
        self.reachable = True
        action = self.actor.show_data(self.side, len(self.data), self._ended)
        if action is not None and self.continue_first:
            self.actor.settle()
        if action is None or not self.flowing:
            return
        if action:
            self.paused = True
        else:
            self._release()
            self.reachable = False
        if not self.continue_first:
            self.actor.settle()

    def _release(self) -> None:
        self.paused = False
        data, self.data = bytes(self.data), bytearray()
        end = self._ended and not self._end_sent
        self._end_sent = self._end_sent or end
        self.actor.emit_data(self.side, data, end)

    def resume(self) -> None:
        """continue_stream: let go what is held. When nothing is, whoever comes later is still asked again."""
        if self.flowing:
            self._release()

    def take_back(self) -> tuple[bytes, bool]:
        """What is held, and whether its end is, for the filters to be shown once more; then nothing is held."""
        if not self.paused or self.stopped:
            return b"", False
        self.paused = False
        data, self.data = bytes(self.data), bytearray()
        end = self._ended and not self._end_sent
        self._ended = self._ended and not end
        return data, end

    def bypass(self) -> None:
        """The filter is gone and the connection goes on without it, from the byte where it stood."""
        if self.flowing:
            self.bypassed = True
            self._release()

    def stop(self) -> None:
        """Nothing more comes or goes. What is held can still be read, until the filter forgets the connection."""
        self.stopped = True
