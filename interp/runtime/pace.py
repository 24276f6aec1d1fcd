"""How many ticks an engine runs before it looks up: a tick is a loop's turn, and that may be a million instructions."""

from __future__ import annotations

#: The first slice in ticks, and by what factor the next ones grow or shrink.
FIRST, FACTOR = 256, 4
#: Slices shorter than this, in seconds, grow, and longer ones shrink.
SHORT, LONG = 0.002, 0.02


class Pace:
    """The length of an activation's slices in ticks. They grow while short in time and shrink when long,
    so that a deadline or a signal waits for milliseconds; `limits.ticks_per_slice` is the upper bound."""

    __slots__ = ("ticks",)

    def __init__(self) -> None:
        self.ticks = FIRST

    def took(self, seconds: float) -> None:
        """Say how long a slice was."""
        if seconds < SHORT:
            self.ticks *= FACTOR
        elif seconds > LONG:
            self.ticks = max(self.ticks // FACTOR, 1)
