"""Functions and data segments of a module from bytes: sequences over arrays, whose items are made when asked for.

A Go filter has 5,000 functions and 80,000 data segments; a host looks at few of them one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import overload
from weakref import WeakValueDictionary

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Data, Expr, Func, Locals

from .instructions import read_body
from .leb128 import read_signed

_I32_CONST, _END = BY_NAME["i32.const"], BY_NAME["end"]


class FuncList(Sequence[Func]):
    """Functions as three arrays of unsigned 32-bit numbers: type indices, offsets and lengths of the bodies.

    Bodies are read within the limits that the module was decoded with.
    """

    __slots__ = ("_live", "_reader", "lengths", "offsets", "type_indices")

    def __init__(
        self,
        data: bytes,
        type_indices: array[int],
        offsets: array[int],
        lengths: array[int],
        limits: VmLimits = DEFAULT_LIMITS,
    ) -> None:
        self.type_indices = type_indices
        self.offsets = offsets
        self.lengths = lengths
        self._live: WeakValueDictionary[int, Func] = WeakValueDictionary()

        def reader(offset: int, length: int) -> tuple[Locals, Expr]:
            return read_body(data, offset, length, limits)

        self._reader: Callable[[int, int], tuple[Locals, Expr]] = reader

    def __len__(self) -> int:
        return len(self.type_indices)

    @overload
    def __getitem__(self, index: int) -> Func: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Func]: ...
    def __getitem__(self, index: int | slice) -> Func | Sequence[Func]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = range(len(self))[index]
        func = self._live.get(number)
        if func is None:
            func = Func(self.type_indices[number], self.offsets[number], self.lengths[number], None, self._reader)
            self._live[number] = func
        return func

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class DataList(Sequence[Data]):
    """Data segments: where each begins, and where its contents do; segment i ends where segment i + 1 begins.

    `heads` has one number more than there are segments, the end of the last one. Those that are not *simple* (active,
    memory 0, offset a lone `i32.const`) are in `others`, by index.
    """

    __slots__ = ("_addresses", "_data", "heads", "others", "starts")

    def __init__(
        self,
        data: bytes,
        heads: array[int],
        starts: array[int],
        others: dict[int, Data],
        addresses: array[int] | None = None,
    ) -> None:
        self._data = data
        self.heads = heads
        self.starts = starts
        self.others = others
        self._addresses = addresses

    @property
    def simple(self) -> int:
        """How many segments are simple."""
        return len(self.starts) - len(self.others)

    @property
    def addresses(self) -> array[int]:
        """Where each simple segment goes in memory 0; 0 for the others."""
        if self._addresses is None:
            others = self.others
            self._addresses = array(
                "I", [0 if i in others else self._address(self.heads[i])[0] for i in range(len(self.starts))]
            )
        return self._addresses

    def contents(self, index: int) -> memoryview:
        """The bytes of a segment, without making anything else."""
        return memoryview(self._data)[self.starts[index] : self.heads[index + 1]]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Data: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Data]: ...
    def __getitem__(self, index: int | slice) -> Data | Sequence[Data]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = range(len(self))[index]
        other = self.others.get(number)
        if other is not None:
            return other
        head = self.heads[number]
        value, const, end = self._address(head)
        return Data("active", self.contents(number), 0, (Ins(_I32_CONST, (value,), const), Ins(_END, (), end)), head)

    def _address(self, head: int) -> tuple[int, int, int]:
        """The address of a simple segment, and where its `i32.const` and its `end` are."""
        data = self._data
        pos = head
        while data[pos] & 0x80:  # the flags may be written longer than needed
            pos += 1
        const = pos + 1
        value, pos = read_signed(data, const + 1, len(data), 32)
        return value & 0xFFFFFFFF, const, pos

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]
