"""Faults on order: host calls that answer a status instead of being made, for tests of what filters do then."""

from __future__ import annotations

ALLOCATOR = "malloc"
"""The name under which the guest's allocator fails: it gives nothing."""


class Faults:
    """What the next calls of each name answer. Empty unless a test orders something."""

    def __init__(self) -> None:
        self.ordered: dict[str, list[tuple[int, int | None]]] = {}

    def order(self, call: str, status: int, times: int | None = 1) -> None:
        """Let calls of this name answer `status` so many times, after what was ordered before; None: for good."""
        self.ordered.setdefault(call, []).append((status, times))

    def take(self, call: str) -> int | None:
        """What a call that is made now answers; None when it is to be made."""
        waiting = self.ordered.get(call)
        if not waiting:
            return None
        status, times = waiting[0]
        if times is not None:
            waiting[0] = (status, times - 1)
            if times <= 1:
                del waiting[0]
                if not waiting:
                    del self.ordered[call]
        return status
