"""Types (specification 2.3), in the shape of version 3.0: heap types, nullability, recursion groups, index types.

Every type is immutable and hashable; number and vector types are single objects, so `is` works on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NumType:
    """A number or vector type: its name, its byte in the binary format and how many 64-bit cells a value takes."""

    name: str
    code: int
    cells: int
    bits: int

    def __str__(self) -> str:
        return self.name


I32 = NumType("i32", 0x7F, 1, 32)
I64 = NumType("i64", 0x7E, 1, 64)
F32 = NumType("f32", 0x7D, 1, 32)
F64 = NumType("f64", 0x7C, 1, 64)
V128 = NumType("v128", 0x7B, 2, 128)
NUM_TYPES = {t.code: t for t in (I32, I64, F32, F64, V128)}
NUM_TYPES_BY_NAME = {t.name: t for t in NUM_TYPES.values()}

#: Abstract heap types: name to the byte that stands for them.
HEAP_CODES = {
    "noexn": 0x74,
    "nofunc": 0x73,
    "noextern": 0x72,
    "none": 0x71,
    "func": 0x70,
    "extern": 0x6F,
    "any": 0x6E,
    "eq": 0x6D,
    "i31": 0x6C,
    "struct": 0x6B,
    "array": 0x6A,
    "exn": 0x69,
}
HEAP_NAMES = {code: name for name, code in HEAP_CODES.items()}

#: An abstract heap type by name, or the index of a type definition.
HeapType = str | int


@dataclass(frozen=True, slots=True)
class RefType:
    """A reference type; `heap` is an abstract heap type's name or a type index."""

    nullable: bool
    heap: HeapType

    @property
    def cells(self) -> int:
        """How many 64-bit cells a value takes."""
        return 1

    @property
    def bits(self) -> int:
        """Width of the raw value at the engine level."""
        return 64

    def __str__(self) -> str:
        if self.nullable and isinstance(self.heap, str):
            short = {"none": "nullref", "nofunc": "nullfuncref", "noextern": "nullexternref", "noexn": "nullexnref"}
            return short.get(self.heap, f"{self.heap}ref")
        return f"(ref {'null ' if self.nullable else ''}{self.heap})"


FUNCREF = RefType(True, "func")
EXTERNREF = RefType(True, "extern")

ValType = NumType | RefType


@dataclass(frozen=True, slots=True)
class PackedType:
    """i8 or i16, the storage types that exist only in fields."""

    name: str
    code: int
    bits: int

    def __str__(self) -> str:
        return self.name


I8 = PackedType("i8", 0x78, 8)
I16 = PackedType("i16", 0x77, 16)
StorageType = NumType | RefType | PackedType


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field of a structure or array."""

    storage: StorageType
    mutable: bool


@dataclass(frozen=True, slots=True)
class FuncType:
    """[params] -> [results]."""

    params: tuple[ValType, ...] = ()
    results: tuple[ValType, ...] = ()

    def __str__(self) -> str:
        return f"[{' '.join(map(str, self.params))}] -> [{' '.join(map(str, self.results))}]"


@dataclass(frozen=True, slots=True)
class StructType:
    """A structure of fields."""

    fields: tuple[FieldType, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array of one kind of field."""

    field: FieldType


CompType = FuncType | StructType | ArrayType


@dataclass(frozen=True, slots=True)
class SubType:
    """A composite type with its declared supertypes (type indices)."""

    comp: CompType
    final: bool = True
    supers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RecType:
    """A recursion group."""

    types: tuple[SubType, ...]


IndexType = Literal["i32", "i64"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Size range of a memory (pages) or table (elements); `index` is the type of its addresses."""

    min: int
    max: int | None = None
    index: IndexType = "i32"
    shared: bool = False

    def __str__(self) -> str:
        return f"{self.min}" if self.max is None else f"{self.min} {self.max}"


@dataclass(frozen=True, slots=True)
class TableType:
    """Elements of one reference type within limits."""

    ref: RefType
    limits: Limits


@dataclass(frozen=True, slots=True)
class MemType:
    """Pages within limits; `page_log2` is 16 but for custom-page-sizes."""

    limits: Limits
    page_log2: int = 16


@dataclass(frozen=True, slots=True)
class GlobalType:
    """A value type, mutable or not."""

    type: ValType
    mutable: bool


@dataclass(frozen=True, slots=True)
class TagType:
    """The function type (by index) whose parameters an exception carries."""

    type_index: int


@dataclass(frozen=True, slots=True)
class BlockType:
    """Of a block: nothing, one value type, or a type index."""

    value: ValType | int | None = None


PAGE_SIZE = 65536
