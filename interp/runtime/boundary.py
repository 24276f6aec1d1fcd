"""What both Python and C reach: a store's accounts, the bytes of a memory, a function to call.

Where the C part has types for them (native/boundary.c) those are taken; otherwise these, which mean the same.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

from interp import _native

from .buffer import has_buffer

Class = TypeVar("Class", bound=type)


class PlainAccounts:
    """`ticks` used since the store was made, `fuel` left (None: no end), `deadline` of `time.monotonic()` or None.

    `depth` and `cells` are what suspended activations hold, `activations` how many there are, `thread` the one that
    they run on. `stale` says that host functions were made that the C loop has not been told of.
    """

    _fuel: int | None = None
    deadline: float | None = None
    ticks: int = 0
    depth: int = 0
    cells: int = 0
    activations: int = 0
    thread: int = 0
    stale: bool = False

    @property
    def fuel(self) -> int | None:
        """Ticks left, or None. Setting it raises ValueError for a negative number, OverflowError for 2^63 and more."""
        return self._fuel

    @fuel.setter
    def fuel(self, fuel: int | None) -> None:
        if fuel is not None:
            fuel = index(fuel)
            if fuel < 0:
                raise ValueError("fuel is a number of ticks or None")
            if fuel >> 63:
                raise OverflowError("more fuel than 63 bits tell")
        self._fuel = fuel


class PlainRegion:
    """The bytes that `view` shows: copies out and in by address. A subclass has `view` and `out_of_bounds`."""

    __slots__ = ()

    if TYPE_CHECKING:
        view: memoryview

        def attach(self, address: int, keep: object) -> None:
            """Say where the struct of the bytes stands, and what keeps it there."""

        def out_of_bounds(self) -> Exception:
            """The error of an access outside."""

    def read(self, address: int, n: int) -> bytes:
        """A copy of `n` bytes. Raises Trap outside of the memory."""
        if address < 0 or n < 0 or address + n > len(self.view):
            raise self.out_of_bounds()
        return bytes(self.view[address : address + n])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at an address. Raises Trap outside of the memory and then writes nothing."""
        n = len(data)
        if address < 0 or address + n > len(self.view):
            raise self.out_of_bounds()
        self.view[address : address + n] = data


@has_buffer
class PlainSlices(PlainRegion):
    """The same by index and slice."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        return bytes(self.view[key]) if isinstance(key, slice) else self.view[key]

    def __setitem__(self, key: SupportsIndex | slice, value: Any) -> None:
        if isinstance(key, slice):
            self.view[key] = memoryview(value).cast("B")
        else:
            self.view[key] = value

    def __buffer__(self, flags: int, /) -> memoryview:
        return memoryview(self.view)

    def __release_buffer__(self, view: memoryview, /) -> None:
        view.release()


class PlainEntry:
    """A function to call. Where there is C, calls with plain numbers of one that was bound go straight into the loop;
    all others go the `long_way` of the subclass.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def long_way(self, *args: Any) -> Any:
            """A call without shortcut."""

        def bind(self, driver: Any, func: Any, addr: int, params: bytes, results: bytes, is_signed: bool) -> None:
            """Say how C calls it: types as bytes, and whether numbers are Python's or raw bits."""

    def __call__(self, *args: Any) -> Any:
        return self.long_way(*args)


def _plain_direct(cls: Class) -> Class:
    """Class decorator for subclasses of `Entry` without a `__call__`: they are called as directly as it is."""
    return cls


Accounts = PlainAccounts
Region = PlainRegion
Slices = PlainSlices
Entry = PlainEntry
direct = _plain_direct
if not TYPE_CHECKING and _native.boundary is not None:
    _c = _native.boundary
    Accounts, Region, Slices, Entry, direct = _c.Accounts, _c.Region, _c.Slices, _c.Entry, _c.direct
