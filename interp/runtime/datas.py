"""The data segments of an instance: written into memory at instantiation, and there for `memory.init` afterwards.

A Go filter has 60,000, nearly all *simple* (active, for memory 0, at a constant address) and of no use once they
are written. Runs of simple ones are written by C where there is C, and nothing is made for one that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp import _native
from interp.binary.lists import DataList
from interp.syntax.module import Data

from .constexpr import evaluate
from .memory import MemInst, out_of_bounds
from .table import DataInst

if TYPE_CHECKING:
    from .instance import ModuleInst


class DataSpace:
    """Data instances by index, made when asked for. Active segments before `written` were written, and so dropped."""

    __slots__ = ("_made", "_segments", "written")

    def __init__(self, segments: Sequence[Data]) -> None:
        self._segments = segments
        self._made: dict[int, DataInst] = {}
        self.written = 0

    def __len__(self) -> int:
        return len(self._segments)

    def __getitem__(self, index: int) -> DataInst:
        found = self._made.get(index)
        if found is None:
            segment = self._segments[index]
            gone = segment.mode == "active" and index < self.written
            found = self._made[index] = DataInst(b"" if gone else segment.init)
        return found

    def dropped(self) -> list[int]:
        """The indices of those that were dropped by an instruction, or asked for and found empty."""
        return [index for index, data in self._made.items() if not len(data.data)]

    def restore(self, written: int, dropped: Sequence[int]) -> None:
        """Put back into the state of another instance of the same module."""
        self.written = written
        for index in dropped:
            self[index].drop()


def write_datas(inst: ModuleInst) -> None:
    """Write every active segment, in order. Raises Trap at the first that does not fit; those before it are written."""
    segments = inst.module.datas
    if not isinstance(segments, DataList):
        for index, segment in enumerate(segments):
            _write(inst, index, segment)
        return
    for other in sorted(segments.others):
        _write_simple(inst, segments, other)
        _write(inst, other, segments.others[other])
    _write_simple(inst, segments, len(segments))


def _write(inst: ModuleInst, index: int, segment: Data) -> None:
    if segment.mode == "active":
        inst.mems[segment.mem].write(evaluate(inst, segment.offset), segment.init)
    inst.datas.written = index + 1


def _write_simple(inst: ModuleInst, segments: DataList, end: int) -> None:
    """Write the simple segments from the first one not written to `end`."""
    first = inst.datas.written
    if first < end:
        write = _write_run if _native.lib is None else _write_run_in_c
        done = inst.datas.written = first + write(inst.mems[0], inst.module.binary, segments, first, end)
        if done < end:
            raise out_of_bounds()


def _write_run(memory: MemInst, binary: bytes, segments: DataList, first: int, end: int) -> int:
    """Write simple segments up to the first that does not fit; gives how many were written."""
    addresses, starts, heads = segments.addresses, segments.starts, segments.heads
    view, source = memory.view, memoryview(binary)
    for index in range(first, end):
        address, start, stop = addresses[index], starts[index], heads[index + 1]
        if address + stop - start > memory.length:
            return index - first
        view[address : address + stop - start] = source[start:stop]
    return end - first


def _write_run_in_c(memory: MemInst, binary: bytes, segments: DataList, first: int, end: int) -> int:
    """`_write_run` in C."""
    ffi = _native.ffi
    columns = (segments.heads, segments.starts, segments.addresses)
    places = [ffi.cast("uint32_t *", ffi.from_buffer(column)) + first for column in columns]
    return int(_native.lib.tm_write_datas(memory.handle, ffi.from_buffer(binary), *places, end - first))
