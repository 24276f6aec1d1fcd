"""External objects: what an externref stands for, by index, so that C holds no Python object (engine contract 11).

The same object always has the same reference. A place is given to another object once nothing refers to it: the
collector of the heap (heap.py) finds that out now and then, where guest code is about to go on. So raw bits in the
hands of the embedder are good until guest code runs again, as those of the heap's objects are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from interp.syntax.errors import LimitError

from .objects import Marks, stale

#: No collection before there are so many.
FIRST = 10_000


class _Gone:
    """In the place of an object that nothing referred to."""

    def __repr__(self) -> str:
        return "<nothing>"


GONE = _Gone()


class Externs(list[object]):
    """The external objects of a store; the reference of the one at `i` is `i + 1`. At most `limit` of them."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self._refs: dict[int, int] = {}
        self._free: list[int] = []  # the lowest last
        #: At so many it is time to look which are still referred to.
        self.due = FIRST

    @property
    def live(self) -> int:
        """How many there are."""
        return len(self) - len(self._free)

    def ref(self, value: object) -> int:
        """The reference of an object. Raises LimitError if there is no place for another one."""
        known = self._refs.get(id(value))
        if known is not None:
            return known
        if self._free:
            ref = self._free.pop()
            self[ref - 1] = value
        else:
            if len(self) >= self.limit:
                raise LimitError(f"more than {self.limit} external objects pass the limit externs", limit="externs")
            self.append(value)
            ref = len(self)
        self._refs[id(value)] = ref
        return ref

    def has(self, bits: int) -> bool:
        """Whether raw bits are the reference of an object."""
        return 0 < bits <= len(self) and self[bits - 1] is not GONE

    def value(self, ref: int) -> object:
        """The object of a reference. Raises EmbedderError for one that refers to nothing any more."""
        if not self.has(ref):
            raise stale(ref)
        return self[ref - 1]

    # -- collecting ----------------------------------------------------------------------------------------------

    def marks(self) -> Marks:
        """A mark for every place, none of them set; and one more, for null, which does not count."""
        return np.zeros(len(self) + 1, np.bool_)

    def sweep(self, marks: Marks, others: int) -> None:
        """Give up the objects without a mark. `others` are the objects that it took to find them."""
        for ref in np.flatnonzero(~marks[1:]) + 1:
            value = self[ref - 1]
            if value is not GONE:
                if self._refs.get(id(value)) == ref:
                    del self._refs[id(value)]
                self[ref - 1] = GONE
        while self and self[-1] is GONE:
            self.pop()
        self._free = [ref for ref in range(len(self), 0, -1) if self[ref - 1] is GONE]
        self.due = max(FIRST, 2 * self.live, self.live + others)


def mark(marks: Marks, values: Iterable[int] | memoryview) -> None:
    """Set the marks of what raw bits may refer to."""
    words = values if isinstance(values, memoryview) else [bits for bits in values if bits < len(marks)]
    numbers = np.frombuffer(words, np.uint64) if isinstance(words, memoryview) else np.array(words, np.uint64)
    marks[numbers[numbers < len(marks)]] = True
