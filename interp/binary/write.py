"""Types and instructions to bytes (specification 5.3 and 5.4): one writer per kind of type and of immediate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, groupby
from typing import Any

from interp.syntax.instructions import OPS, Catch, MemArg
from interp.syntax.module import Expr, Locals
from interp.syntax.types import (
    HEAP_CODES,
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
    SubType,
    TableType,
    TagType,
    ValType,
)

from .leb128 import signed, unsigned


def vector(items: Sequence[bytes]) -> bytes:
    """A vector of things that are bytes already."""
    return unsigned(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    """A name in UTF-8."""
    data = text.encode()
    return unsigned(len(data)) + data


def heap_type(heap: HeapType) -> bytes:
    """A heap type."""
    return bytes((HEAP_CODES[heap],)) if isinstance(heap, str) else signed(heap)


def val_type(type: ValType) -> bytes:
    """A value type; references take the short form where there is one."""
    if not isinstance(type, RefType):
        return bytes((type.code,))
    if type.nullable and isinstance(type.heap, str):
        return heap_type(type.heap)
    return bytes((0x63 if type.nullable else 0x64,)) + heap_type(type.heap)


def val_types(types: Sequence[ValType]) -> bytes:
    """A vector of value types."""
    return vector([val_type(type) for type in types])


def block_type(type: BlockType) -> bytes:
    """The type of a block."""
    if type.value is None:
        return b"\x40"
    return signed(type.value) if isinstance(type.value, int) else val_type(type.value)


def limits(type: Limits, page_log2: int = 16) -> bytes:
    """Limits, with a page size if it is not the usual one."""
    flags = (type.max is not None) | type.shared << 1 | (type.index == "i64") << 2 | (page_log2 != 16) << 3
    high = b"" if type.max is None else unsigned(type.max)
    return bytes((flags,)) + unsigned(type.min) + high + (unsigned(page_log2) if page_log2 != 16 else b"")


def table_type(type: TableType) -> bytes:
    """A table type."""
    return val_type(type.ref) + limits(type.limits)


def mem_type(type: MemType) -> bytes:
    """A memory type."""
    return limits(type.limits, type.page_log2)


def global_type(type: GlobalType) -> bytes:
    """A global type."""
    return val_type(type.type) + bytes((type.mutable,))


def tag_type(type: TagType) -> bytes:
    """A tag type."""
    return b"\0" + unsigned(type.type_index)


def _field(field: FieldType) -> bytes:
    storage = field.storage
    return (val_type(storage) if isinstance(storage, RefType) else bytes((storage.code,))) + bytes((field.mutable,))


def _comp_type(comp: CompType) -> bytes:
    if isinstance(comp, FuncType):
        return b"\x60" + val_types(comp.params) + val_types(comp.results)
    if isinstance(comp, ArrayType):
        return b"\x5e" + _field(comp.field)
    return b"\x5f" + vector([_field(field) for field in comp.fields])


def _sub_type(sub: SubType) -> bytes:
    if sub.final and not sub.supers:
        return _comp_type(sub.comp)
    head = b"\x4f" if sub.final else b"\x50"
    return head + vector([unsigned(index) for index in sub.supers]) + _comp_type(sub.comp)


def rec_type(rec: RecType) -> bytes:
    """A recursion group; one of a single type is written as that type."""
    if len(rec.types) == 1:
        return _sub_type(rec.types[0])
    return b"\x4e" + vector([_sub_type(sub) for sub in rec.types])


def _memarg(arg: MemArg) -> bytes:
    head = unsigned(arg.align | 0x40) + unsigned(arg.mem) if arg.mem else unsigned(arg.align)
    return head + unsigned(arg.offset)


def _labels(labels: Sequence[int]) -> bytes:
    return unsigned(len(labels) - 1) + b"".join(map(unsigned, labels))


def _catches(clauses: Iterable[Catch]) -> bytes:
    return vector(
        [bytes((kind,)) + (unsigned(tag) if kind < 2 else b"") + unsigned(label) for kind, tag, label in clauses]
    )


def _signed(bits: int) -> Callable[[int], bytes]:
    half = 1 << (bits - 1)

    def write(value: int) -> bytes:
        return signed(value - 2 * half if value >= half else value)

    return write


def _fixed(size: int) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(size, "little")


#: A writer for each kind of immediate in the table.
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "block": block_type,
    "labels": _labels,
    "memarg": _memarg,
    "lane": _fixed(1),
    "lanes16": bytes,
    "i32": _signed(32),
    "i64": _signed(64),
    "f32": _fixed(4),
    "f64": _fixed(8),
    "v128": _fixed(16),
    "types": val_types,
    "heap": heap_type,
    "catches": _catches,
    "castflags": _fixed(1),
    "zero": _fixed(1),
}
for _kind in ("label", "func", "type", "table", "local", "global", "mem", "data", "elem", "tag", "field", "u32"):
    WRITERS[_kind] = unsigned

_OPCODES = [bytes((op.prefix,)) + unsigned(op.code) if op.prefix else bytes((op.code,)) for op in OPS]
_IMMEDIATES = [tuple(WRITERS[kind] for kind in op.immediates) for op in OPS]


def expression(code: Expr) -> bytes:
    """Instructions, the last `end` among them."""
    out = bytearray()
    for op, immediates, _ in code:
        out += _OPCODES[op.id]
        for write, value in zip(_IMMEDIATES[op.id], immediates, strict=True):
            out += write(value)
    return bytes(out)


def _declarations(locals: Locals) -> bytes:
    return vector([unsigned(len(list(group))) + val_type(type) for type, group in groupby(locals)])


def body(locals: Locals, code: Expr) -> bytes:
    """A code entry without its size; equal locals side by side become one declaration."""
    return _declarations(locals) + expression(code)


def starts(locals: Locals, code: Expr) -> list[int]:
    """Where each instruction begins in `body`."""
    lengths = [len(_declarations(locals)), *(len(expression((ins,))) for ins in code[:-1])]
    return list(accumulate(lengths))
