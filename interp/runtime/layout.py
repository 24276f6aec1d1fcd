"""How structures and arrays are laid out: a cell per field or element, as wide as its type."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from interp.syntax.errors import Crash
from interp.syntax.types import ArrayType, FieldType, RefType, StructType
from interp.valid.canon import Definition
from interp.valid.subtyping import CLOSED

#: Raw bits by position: a list, or an array of unsigned numbers.
Cells = Any

#: Width in bytes to the type code of `array`.
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _width(field: FieldType) -> int:
    return field.storage.bits // 8


def _holds_objects(field: FieldType) -> bool:
    return isinstance(field.storage, RefType) and CLOSED.top(field.storage.heap) != "func"


class Layout:
    """Of the objects of one structure or array type."""

    __slots__ = ("_ref_places", "_refs", "definition", "field", "fields", "masks", "width")

    def __init__(self, definition: Definition) -> None:
        comp = definition.comp
        self.definition = definition
        #: The field of an array, else None, and its width in bytes.
        self.field = comp.field if isinstance(comp, ArrayType) else None
        self.width = _width(self.field) if self.field is not None else 0
        self._refs = self.field is not None and _holds_objects(self.field)
        #: The fields of a structure, and a mask for each.
        self.fields: Sequence[FieldType] = comp.fields if isinstance(comp, StructType) else ()
        self.masks = [(1 << field.storage.bits) - 1 for field in self.fields]
        self._ref_places = [place for place, field in enumerate(self.fields) if _holds_objects(field)]

    def size(self, n: int) -> int:
        """The bytes of the contents; `n` is the length of an array."""
        return n * self.width if self.field is not None else 8 * sum(-(-mask.bit_length() // 64) for mask in self.masks)

    def refs(self, cells: Cells) -> Iterable[int]:
        """The references within the contents of an object."""
        if self._refs:
            return cells  # type: ignore[no-any-return]
        return [cells[place] for place in self._ref_places]

    def structure(self, values: Sequence[int]) -> Cells:
        """The contents of a structure, packed fields cut to their width."""
        return [value & mask for value, mask in zip(values, self.masks, strict=True)]

    def array(self, values: Iterable[int]) -> Cells:
        """The contents of an array, packed elements cut to their width."""
        mask = (1 << 8 * self.width) - 1
        cut = [value & mask for value in values]
        return array(_CODES[self.width], cut) if self.width in _CODES else cut

    def filled(self, value: int, n: int) -> Cells:
        """The contents of an array of `n` equal elements."""
        return self.array((value,)) * n

    def from_bytes(self, data: bytes | memoryview) -> Cells:
        """The contents of an array from little-endian bytes."""
        if self.width == 16:
            return [int.from_bytes(data[i : i + 16], "little") for i in range(0, len(data), 16)]
        if self.width not in _CODES:
            raise Crash("an array of data has elements that are no numbers")
        cells = array(_CODES[self.width])
        cells.frombytes(data)
        if sys.byteorder == "big":
            cells.byteswap()
        return cells
