"""Python's recursion limit: raised for guest code, whose calls are Python calls, and as it was for host functions.

The guest's depth is bounded by `limits.call_depth` and takes no C stack from CPython 3.11 on. A host function, however,
may recurse through C, where 3.11 counts the same limit (3.12 has another one for that): while it runs, it has what it
would have without the guest's frames. The limit belongs to all threads of the process, so the largest wish holds.
"""

from __future__ import annotations

import sys
import threading

#: Frames that the engine and the driver need beside the guest's.
SPARE = 200
#: Whether the limit bounds the C stack too.
BOUNDS_C = sys.version_info < (3, 12)


class Recursion:
    """What each thread wishes; nothing where it is content with the limit as it was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes: dict[int, int] = {}
        self._original = 0

    def limit(self) -> int:
        """The limit for the running thread."""
        with self._lock:
            return self._wishes.get(threading.get_ident()) or self._original or sys.getrecursionlimit()

    def set(self, limit: int) -> None:
        """Wish for a limit in the running thread; the one from before the first wish ends it."""
        with self._lock:
            if not self._wishes:
                self._original = sys.getrecursionlimit()
            me = threading.get_ident()
            if limit == self._original:
                self._wishes.pop(me, None)
            else:
                self._wishes[me] = limit
            sys.setrecursionlimit(max(self._wishes.values(), default=self._original))
            if not self._wishes:
                self._original = 0


RECURSION = Recursion()
