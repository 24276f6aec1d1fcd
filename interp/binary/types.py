"""Types in the binary format (specification 5.3): readers of the shape of leb128.py, with a gate for features.

A type that is off raises UnsupportedError at its first byte; a byte that is no type raises MalformedError.
"""

from __future__ import annotations

from interp.syntax.errors import LimitError, MalformedError, Where, body_error
from interp.syntax.features import Feature
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.types import (
    EXTERNREF,
    FUNCREF,
    HEAP_NAMES,
    I8,
    I16,
    NUM_TYPES,
    V128,
    ArrayType,
    BlockType,
    CompType,
    FieldType,
    FuncType,
    GlobalType,
    HeapType,
    Limits,
    MemType,
    RecType,
    RefType,
    StorageType,
    StructType,
    SubType,
    TableType,
    TagType,
    ValType,
)

from .leb128 import read_signed, read_u32, read_unsigned


class Gate:
    """Which features are on (None: all), which were asked for so far, and how many clauses a try_table may have."""

    __slots__ = ("catches", "features", "used")

    def __init__(self, features: frozenset[Feature] | None = None, catches: int = DEFAULT_LIMITS.catches) -> None:
        self.features = features
        self.catches = catches
        self.used: set[Feature] = set()

    def need(self, feature: Feature, at: int) -> None:
        """Note the use of a feature; raises UnsupportedError if it is off."""
        if self.features is not None and feature not in self.features:
            raise body_error("feature_off", at, feature.value)
        self.used.add(feature)


OPEN = Gate()


def heap_feature(heap: HeapType, nullable: bool = True) -> Feature:
    """The feature that brought references to a heap type."""
    if heap in ("func", "extern"):
        return Feature.REFERENCE_TYPES if nullable else Feature.FUNCTION_REFERENCES
    if isinstance(heap, int):
        return Feature.FUNCTION_REFERENCES
    return Feature.EXCEPTIONS if heap in ("exn", "noexn") else Feature.GC


_SHORT = {code: RefType(True, name) for code, name in HEAP_NAMES.items()} | {0x70: FUNCREF, 0x6F: EXTERNREF}
_BLOCK_NONE = BlockType(None)
_BLOCK_VALUES: dict[int, BlockType] = {code: BlockType(t) for code, t in NUM_TYPES.items() if t is not V128}


def read_heap_type(data: bytes, pos: int, end: int, gate: Gate = OPEN, nullable: bool = True) -> tuple[HeapType, int]:
    """A heap type: an abstract one by name, or a type index."""
    at = pos
    number, pos = read_signed(data, pos, end, 33)
    heap: HeapType | None = number if number >= 0 else HEAP_NAMES.get(number & 0x7F) if pos == at + 1 else None
    if heap is None:
        raise body_error("malformed_heap_type", at)
    gate.need(heap_feature(heap, nullable), at)
    return heap, pos


def _read_ref(data: bytes, pos: int, end: int, gate: Gate) -> tuple[RefType, int] | None:
    byte = data[pos]
    short = _SHORT.get(byte)
    if short is not None:
        gate.need(heap_feature(short.heap), pos)
        return short, pos + 1
    if byte in (0x63, 0x64):
        gate.need(Feature.FUNCTION_REFERENCES, pos)
        nullable = byte == 0x63
        heap, pos = read_heap_type(data, pos + 1, end, gate, nullable)
        if nullable and isinstance(heap, str):
            return _SHORT[_CODES[heap]], pos
        return RefType(nullable, heap), pos
    return None


_CODES = {name: code for code, name in HEAP_NAMES.items()}


def read_val_type(data: bytes, pos: int, end: int, gate: Gate = OPEN) -> tuple[ValType, int]:
    """A value type."""
    if pos >= end:
        raise body_error("unexpected_end", pos)
    number = NUM_TYPES.get(data[pos])
    if number is not None:
        if number is V128:
            gate.need(Feature.SIMD, pos)
        return number, pos + 1
    ref = _read_ref(data, pos, end, gate)
    if ref is None:
        raise body_error("malformed_value_type", pos)
    return ref


def read_ref_type(data: bytes, pos: int, end: int, gate: Gate = OPEN) -> tuple[RefType, int]:
    """A reference type."""
    if pos >= end:
        raise body_error("unexpected_end", pos)
    if data[pos] == 0x70:  # the element type of every table since 1.0
        return FUNCREF, pos + 1
    ref = _read_ref(data, pos, end, gate)
    if ref is None:
        raise body_error("malformed_reference_type", pos)
    return ref


def read_block_type(data: bytes, pos: int, end: int, gate: Gate = OPEN) -> tuple[BlockType, int]:
    """The type of a block: 0x40, a value type, or a type index as a signed integer of 33 bits."""
    if pos >= end:
        raise body_error("unexpected_end", pos)
    byte = data[pos]
    if byte == 0x40:
        return _BLOCK_NONE, pos + 1
    known = _BLOCK_VALUES.get(byte)
    if known is not None:
        return known, pos + 1
    if byte & 0xC0 == 0x40:
        if byte not in NUM_TYPES and byte not in _SHORT and byte not in (0x63, 0x64):
            raise body_error("malformed_block_type", pos)
        value, pos = read_val_type(data, pos, end, gate)
        return BlockType(value), pos
    at = pos
    number, pos = read_signed(data, pos, end, 33)
    if number < 0:
        raise body_error("malformed_block_type", at)
    gate.need(Feature.MULTI_VALUE, at)
    return BlockType(number), pos


def _read_val_types(
    data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits, limit: str
) -> tuple[tuple[ValType, ...], int]:
    count, pos = counted(data, pos, end, limits, limit)
    types = []
    for _ in range(count):
        value, pos = read_val_type(data, pos, end, gate)
        types.append(value)
    return tuple(types), pos


def read_count(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """The length of a vector, which cannot be more than the bytes that are left."""
    at = pos
    count, pos = read_u32(data, pos, end)
    if count > end - at:  # counted from the number itself, as the reference interpreter does
        raise MalformedError("length out of bounds", Where(at), id="length_out_of_bounds")
    return count, pos


def counted(data: bytes, pos: int, end: int, limits: VmLimits, limit: str) -> tuple[int, int]:
    """The length of a vector, held against the bytes that are left and a named limit."""
    count, after = read_count(data, pos, end)
    if count > getattr(limits, limit):
        raise LimitError(f"{count} {limit.replace('_', ' ')} pass the limit {limit}", Where(pos), limit=limit)
    return count, after


def read_limits(data: bytes, pos: int, end: int, gate: Gate, memory: bool) -> tuple[Limits, int, int]:
    """Limits of a table or memory, and the logarithm of the page size."""
    if pos >= end:
        raise body_error("unexpected_end", pos)
    at, flags = pos, data[pos]
    known = 0x0F if memory and (gate.features is None or Feature.CUSTOM_PAGE_SIZES in gate.features) else 0x07
    if not memory:
        known &= ~2
    if flags & ~known:
        raise MalformedError("malformed limits flags", Where(at), id="malformed_limits_flags")
    if flags & 2:
        gate.need(Feature.THREADS, at)
    if flags & 4:
        gate.need(Feature.MEMORY64, at)
    # Before there were 64-bit addresses, these were numbers of 32 bits.
    bits = 64 if gate.features is None or Feature.MEMORY64 in gate.features else 32
    low, pos = read_unsigned(data, pos + 1, end, bits)
    high = None
    if flags & 1:
        high, pos = read_unsigned(data, pos, end, bits)
    page = 16
    if flags & 8:
        gate.need(Feature.CUSTOM_PAGE_SIZES, at)
        at = pos
        page, pos = read_u32(data, pos, end)
        if page >= 64:
            raise MalformedError("invalid custom page size", Where(at), id="invalid_custom_page_size")
    return Limits(low, high, "i64" if flags & 4 else "i32", bool(flags & 2)), page, pos


def read_table_type(data: bytes, pos: int, end: int, gate: Gate) -> tuple[TableType, int]:
    """A table type."""
    ref, pos = read_ref_type(data, pos, end, gate)
    limits, _, pos = read_limits(data, pos, end, gate, memory=False)
    return TableType(ref, limits), pos


def read_mem_type(data: bytes, pos: int, end: int, gate: Gate) -> tuple[MemType, int]:
    """A memory type."""
    limits, page, pos = read_limits(data, pos, end, gate, memory=True)
    return MemType(limits, page), pos


def _read_mutability(data: bytes, pos: int, end: int) -> tuple[bool, int]:
    if pos >= end:
        raise body_error("unexpected_end", pos)
    if data[pos] > 1:
        raise MalformedError("malformed mutability", Where(pos), id="malformed_mutability")
    return data[pos] == 1, pos + 1


def read_global_type(data: bytes, pos: int, end: int, gate: Gate) -> tuple[GlobalType, int]:
    """A global type."""
    value, pos = read_val_type(data, pos, end, gate)
    mutable, pos = _read_mutability(data, pos, end)
    return GlobalType(value, mutable), pos


def read_tag_type(data: bytes, pos: int, end: int, gate: Gate) -> tuple[TagType, int]:
    """A tag type: a zero byte and a type index."""
    if pos >= end:
        raise body_error("unexpected_end", pos)
    gate.need(Feature.EXCEPTIONS, pos)
    if data[pos]:
        raise MalformedError("malformed attribute", Where(pos), id="malformed_attribute")
    index, pos = read_u32(data, pos + 1, end)
    return TagType(index), pos


def _read_field(data: bytes, pos: int, end: int, gate: Gate) -> tuple[FieldType, int]:
    storage: StorageType
    if pos < end and data[pos] in (I8.code, I16.code):
        storage, pos = (I8 if data[pos] == I8.code else I16), pos + 1
    else:
        storage, pos = read_val_type(data, pos, end, gate)
    mutable, pos = _read_mutability(data, pos, end)
    return FieldType(storage, mutable), pos


def _read_comp_type(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[CompType, int]:
    if pos >= end:
        raise body_error("unexpected_end", pos)
    at, form = pos, data[pos]
    if form == 0x60:
        params, pos = _read_val_types(data, pos + 1, end, gate, limits, "params")
        results, pos = _read_val_types(data, pos, end, gate, limits, "results")
        if len(results) > 1:
            gate.need(Feature.MULTI_VALUE, at)
        return FuncType(params, results), pos
    if form == 0x5E:
        gate.need(Feature.GC, at)
        field, pos = _read_field(data, pos + 1, end, gate)
        return ArrayType(field), pos
    if form == 0x5F:
        gate.need(Feature.GC, at)
        count, pos = counted(data, pos + 1, end, limits, "fields")
        fields = []
        for _ in range(count):
            field, pos = _read_field(data, pos, end, gate)
            fields.append(field)
        return StructType(tuple(fields)), pos
    if form >= 0x80:  # the form is a signed integer of 7 bits, and here it has another byte
        raise body_error("leb_too_long", at)
    raise MalformedError("malformed definition type", Where(at), id="malformed_definition_type")


def _read_sub_type(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[SubType, int]:
    if pos < end and data[pos] in (0x50, 0x4F):
        gate.need(Feature.GC, pos)
        final = data[pos] == 0x4F
        count, pos = counted(data, pos + 1, end, limits, "types")
        supers = []
        for _ in range(count):
            index, pos = read_u32(data, pos, end)
            supers.append(index)
        comp, pos = _read_comp_type(data, pos, end, gate, limits)
        return SubType(comp, final, tuple(supers)), pos
    comp, pos = _read_comp_type(data, pos, end, gate, limits)
    return SubType(comp), pos


def read_rec_type(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[RecType, int]:
    """A recursion group; a lone type is a group of one."""
    if pos < end and data[pos] == 0x4E:
        gate.need(Feature.GC, pos)
        count, pos = counted(data, pos + 1, end, limits, "types")
        types = []
        for _ in range(count):
            sub, pos = _read_sub_type(data, pos, end, gate, limits)
            types.append(sub)
        return RecType(tuple(types)), pos
    sub, pos = _read_sub_type(data, pos, end, gate, limits)
    return RecType((sub,)), pos
