"""How many ticks an engine runs before it looks up: a tick is a loop's turn, and that may be a million instructions."""

from __future__ import annotations


class Pace:
    """The length of an activation's slices in ticks. They grow while short in time and shrink when long,
    so that a deadline or a signal waits for milliseconds; `limits.ticks_per_slice` is the upper bound."""

    __slots__ = ("ticks",)

    def __init__(self) -> None:
        self.ticks = 256

    def took(self, seconds: float) -> None:
        """Say how long a slice was."""
        if seconds < 0.002:
            self.ticks *= 4
        elif seconds > 0.02:
            self.ticks = max(self.ticks // 4, 1)
