"""What is on the heap: structures, arrays and caught exceptions; and the storage that keeps them in Python.

Storages are two with one meaning: `PlainObjects`, and `NativeObjects` (native_objects.py), which keeps contents in C
memory, where the native engine's handlers find them. Both give the same references in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from interp.syntax.errors import EmbedderError
from interp.syntax.types import RefType, ValType
from interp.valid.subtyping import CLOSED

from .layout import Cells, Layout
from .table import TagInst

#: The bits that tell objects of the heap and i31 from external objects.
OBJECT, I31 = 1 << 62, 1 << 63
#: One mark for each raw reference of an external object, and one for null.
Marks = npt.NDArray[np.bool_]
#: What an object costs besides its contents.
HEADER_BYTES = 16


def holds_objects(type: ValType) -> bool:
    """Whether values of a type may refer to objects of the heap."""
    return isinstance(type, RefType) and CLOSED.top(type.heap) != "func"


class Object:
    """A structure or an array: its layout and its contents, one cell per field or element."""

    __slots__ = ("bytes", "cells", "layout")

    def __init__(self, layout: Layout, cells: Cells) -> None:
        self.layout = layout
        self.cells = cells
        self.bytes = HEADER_BYTES + layout.size(len(cells))

    @property
    def kind(self) -> Layout | TagInst:
        """What it is an object of."""
        return self.layout

    def refs(self) -> Iterable[int]:
        """Every reference in it."""
        return self.layout.refs(self.cells)


class Exn:
    """An exception: its tag and the raw bits of its values."""

    __slots__ = ("bytes", "tag", "values")

    def __init__(self, tag: TagInst, values: Sequence[int]) -> None:
        self.tag = tag
        self.values = tuple(values)
        self.bytes = HEADER_BYTES + 8 * sum(type.cells for type in tag.type.params)

    @property
    def kind(self) -> Layout | TagInst:
        """What it is an exception of."""
        return self.tag

    def refs(self) -> Iterable[int]:
        """Every reference in it."""
        return [v for type, v in zip(self.tag.type.params, self.values, strict=True) if holds_objects(type)]


def stale(bits: int) -> EmbedderError:
    """The error of a reference whose object is gone, or that never had one."""
    return EmbedderError(f"the reference {bits:#x} refers to nothing any more")


class Objects(Protocol):
    """A storage. References are raw bits; places count fields or elements, and are in range."""

    #: Up to so many bytes the native engine makes objects without asking.
    limit: int

    def __len__(self) -> int:
        """How many objects there are."""

    @property
    def bytes(self) -> int:
        """What all objects take."""

    def add(self, made: Object | Exn) -> int:
        """Put an object there and give its reference."""

    def kind(self, bits: int) -> Layout | TagInst | None:
        """The layout of a structure or array, the tag of an exception; None where raw bits refer to neither."""

    def find(self, bits: int) -> Object | Exn | None:
        """The object that raw bits refer to. Its contents may be a copy."""

    def length(self, bits: int) -> int:
        """How many fields or elements an object has. Raises EmbedderError for a stale reference, as do the others."""

    def get(self, bits: int, place: int) -> int:
        """The raw bits of a field or an element."""

    def set(self, bits: int, place: int, value: int) -> None:
        """Write a field or an element, cut to its width."""

    def part(self, bits: int, start: int, n: int) -> Cells:
        """A copy of `n` cells of an array."""

    def put(self, bits: int, start: int, cells: Cells) -> None:
        """Overwrite cells of an array by contents of the same layout."""

    def collect(self, roots: Iterable[Iterable[int]]) -> None:
        """Drop every object that no root leads to."""

    def mark_externs(self, marks: Marks) -> None:
        """Set the mark of every external object that is referred to from here; `marks` goes by raw bits."""


class PlainObjects:
    """Objects in Python, by index."""

    def __init__(self) -> None:
        self.bytes = 0
        self.limit = 0
        self._objects: list[Object | Exn | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._objects) - len(self._free)

    def add(self, made: Object | Exn) -> int:
        """Put an object there and give its reference."""
        self.bytes += made.bytes
        if self._free:
            index = self._free.pop()
            self._objects[index] = made
        else:
            index = len(self._objects)
            self._objects.append(made)
        return OBJECT | index

    def kind(self, bits: int) -> Layout | TagInst | None:
        """The layout or tag behind raw bits, if there is one."""
        found = self.find(bits)
        return found.kind if found is not None else None

    def find(self, bits: int) -> Object | Exn | None:
        """The object that raw bits refer to, if they do."""
        index = bits ^ OBJECT
        return self._objects[index] if index < len(self._objects) else None

    def _at(self, bits: int) -> Object:
        found = self.find(bits)
        if not isinstance(found, Object):
            raise stale(bits)
        return found

    def length(self, bits: int) -> int:
        """How many fields or elements an object has."""
        return len(self._at(bits).cells)

    def get(self, bits: int, place: int) -> int:
        """The raw bits of a field or an element."""
        return self._at(bits).cells[place]  # type: ignore[no-any-return]

    def set(self, bits: int, place: int, value: int) -> None:
        """Write a field or an element, cut to its width."""
        found = self._at(bits)
        found.cells[place] = value & found.layout.mask(place)

    def part(self, bits: int, start: int, n: int) -> Cells:
        """A copy of `n` cells of an array."""
        return self._at(bits).cells[start : start + n]

    def put(self, bits: int, start: int, cells: Cells) -> None:
        """Overwrite cells of an array."""
        self._at(bits).cells[start : start + len(cells)] = cells

    def collect(self, roots: Iterable[Iterable[int]]) -> None:
        """Drop every object that no root leads to."""
        self._sweep(self._mark(roots))

    def mark_externs(self, marks: Marks) -> None:
        """Set the mark of every external object that is referred to from here; `marks` goes by raw bits."""
        for found in self._objects:
            if found is not None:
                for bits in found.refs():
                    if bits < len(marks):
                        marks[bits] = True

    def _mark(self, roots: Iterable[Iterable[int]]) -> bytearray:
        objects = self._objects
        marks = bytearray(len(objects))
        pending: list[int] = []

        def visit(values: Iterable[int]) -> None:
            for bits in values:
                if bits >> 62 == 1:
                    index = bits ^ OBJECT
                    if index < len(objects) and not marks[index]:
                        marks[index] = 1
                        pending.append(index)

        for values in roots:
            visit(values)
        while pending:
            found = objects[pending.pop()]
            if found is not None:
                visit(found.refs())
        return marks

    def _sweep(self, marks: bytearray) -> None:
        objects = self._objects
        for index, found in enumerate(objects):
            if found is not None and not marks[index]:
                self.bytes -= found.bytes
                objects[index] = None
        while objects and objects[-1] is None:
            objects.pop()
        self._free = [index for index in range(len(objects) - 1, -1, -1) if objects[index] is None]
