"""Python's recursion limit: raised for guest code, whose calls are Python calls, and as it was for host functions.

The guest's depth is bounded by `limits.call_depth` and takes no C stack from CPython 3.11 on. A host function, however,
may recurse through C, where 3.11 counts the same limit (3.12 has another one for that): while it runs, it has what it
would have without the guest's frames. The limit belongs to all threads of the process, so the largest wish holds.

KeyboardInterrupt may come between any two calls, also where a limit is about to be put back. What was left behind so is
found by the next activation: a wish whose frame is no longer on the stack, or a limit that only we can have set.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import NamedTuple

#: Frames that the engine and the driver need beside the guest's.
SPARE = 200
#: Whether the limit bounds the C stack too.
BOUNDS_C = sys.version_info < (3, 12)


class Wish(NamedTuple):
    """What the activation of a frame wants the limit to be."""

    frame: FrameType
    limit: int


class Recursion:
    """The newest wish of each thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes: dict[int, Wish] = {}
        self._original = 0
        self._raised = 0

    def newest(self) -> Wish | None:
        """The wish of the activation that the running thread is in, or None."""
        with self._lock:
            me = threading.get_ident()
            wish = self._wishes.get(me)
            if wish is not None and not _on_stack(wish.frame):
                wish = None
                del self._wishes[me]
            if not self._wishes and sys.getrecursionlimit() != self._raised:
                self._original = sys.getrecursionlimit()
            return wish

    def current(self) -> Wish | None:
        """The same within an activation, where it is known to be on the stack."""
        return self._wishes.get(threading.get_ident())

    def base(self, wish: Wish | None) -> int:
        """The limit in a place where this is the newest wish."""
        return self._original if wish is None else wish.limit

    def set(self, wish: Wish | None) -> None:
        """Make this the newest wish of the running thread."""
        with self._lock:
            me = threading.get_ident()
            if wish is None:
                self._wishes.pop(me, None)
            else:
                self._wishes[me] = wish
            if self._wishes:
                self._raised = max(other.limit for other in self._wishes.values())
                sys.setrecursionlimit(self._raised)
            else:
                sys.setrecursionlimit(self._original)


def _on_stack(frame: FrameType) -> bool:
    at: FrameType | None = sys._getframe()
    while at is not None and at is not frame:
        at = at.f_back
    return at is not None


RECURSION = Recursion()
