"""Readers of instruction immediates, found by the table's column and never by the instruction's name.

`READERS` has one for each list of immediates that the text format writes in its own way (optional indices, another
order); for all other lists the readers of the single immediates are joined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.syntax.instructions import Catch, MemArg, Op
from interp.syntax.types import RefType, ValType

from .context import Parser
from .cursor import Cursor
from .numbers import RangeError, is_nat, is_number, parse_float, parse_int, parse_nat
from .types import block_type, heap_type, ref_type, type_use, val_type

Reader = Callable[[Parser, Op], tuple[Any, ...]]

_I32_MASK = 0xFFFFFFFF
_CATCHES = {"catch": 0, "catch_ref": 1, "catch_all": 2, "catch_all_ref": 3}
#: Shapes of a vector: width of a lane, how many there are, whether they are floats.
SHAPES = {
    "i8x16": (8, 16, False),
    "i16x8": (16, 8, False),
    "i32x4": (32, 4, False),
    "i64x2": (64, 2, False),
    "f32x4": (32, 4, True),
    "f64x2": (64, 2, True),
}


def _space(space: str) -> Reader:
    def read(p: Parser, op: Op) -> tuple[int]:
        return (p.index(space),)

    return read


def _type(p: Parser, op: Op) -> tuple[int]:
    return (p.type_index(),)


def _local(p: Parser, op: Op) -> tuple[int]:
    token = p.toks[p.i]
    if token[:1] == "$":
        index = p.locals.get(token[1:])
        if index is not None and token[1:2] != '"':
            p.i += 1
            return (index,)
    return (p.local_index(),)


def _label(p: Parser, op: Op) -> tuple[int]:
    return (p.label(),)


def _labels(p: Parser, op: Op) -> tuple[tuple[int, ...]]:
    labels = [p.label()]
    while p.at_index():
        labels.append(p.label())
    return (tuple(labels),)


def _u32(p: Parser, op: Op) -> tuple[int]:
    return (p.nat(),)


def _none(p: Parser, op: Op) -> tuple[int]:
    return (0,)


def integer(p: Cursor, bits: int) -> int:
    """Pass an integer constant; its raw bits."""
    try:
        value = parse_int(p.toks[p.i], bits)
    except RangeError as error:
        p.fail(str(error))
    if value is None:
        p.fail()
    p.i += 1
    return value


def floating(p: Cursor, bits: int) -> int:
    """Pass a float constant; its pattern."""
    try:
        value = parse_float(p.toks[p.i], bits)
    except RangeError as error:
        p.fail(str(error))
    if value is None:
        p.fail()
    p.i += 1
    return value


def _i32(p: Parser, op: Op) -> tuple[int]:
    return (integer(p, 32),)


def _i64(p: Parser, op: Op) -> tuple[int]:
    return (integer(p, 64),)


def _f32(p: Parser, op: Op) -> tuple[int]:
    return (floating(p, 32),)


def _f64(p: Parser, op: Op) -> tuple[int]:
    return (floating(p, 64),)


def vector(p: Parser) -> int:
    """Pass a shape and its lanes; the 128 bits."""
    shape = SHAPES.get(p.toks[p.i])
    if shape is None:
        p.fail()
    p.i += 1
    width, count, floats = shape
    _expect_numbers(p, count, "wrong number of lane literals")
    value = 0
    for lane in range(count):
        value |= (floating(p, width) if floats else integer(p, width)) << lane * width
    return value


def _expect_numbers(p: Parser, count: int, message: str) -> None:
    """Check that so many numbers follow, and no more, before any of them is looked at."""
    end = p.i
    while is_number(p.toks[end]):
        end += 1
    if end - p.i != count:
        if p.why(end).startswith("unknown operator"):
            p.fail(index=end)
        p.fail(message, end)


def _v128(p: Parser, op: Op) -> tuple[int]:
    return (vector(p),)


def _lane(p: Parser, op: Op) -> tuple[int]:
    return (p.nat(8),)


def _lanes16(p: Parser, op: Op) -> tuple[tuple[int, ...]]:
    _expect_numbers(p, 16, "invalid lane length")
    lanes = []
    for _ in range(16):
        if not is_nat(p.toks[p.i]):
            p.fail("i8 constant out of range")
        lanes.append(p.nat(8))
    return (tuple(lanes),)


def _mem(p: Parser) -> int:
    return p.index("memory") if p.at_index() else 0


def _table(p: Parser) -> int:
    return p.index("table") if p.at_index() else 0


def _argument(p: Parser, word: str) -> int | None:
    token = p.toks[p.i]
    if not token.startswith(word):
        return None
    try:
        value = parse_nat(token[len(word) :], 64)
    except RangeError as error:
        p.fail(str(error))
    if value is None:
        p.fail(f"unknown operator {token}")
    p.i += 1
    return value


def _memarg_rest(p: Parser, op: Op, mem: int) -> MemArg:
    offset = _argument(p, "offset=")
    at = p.i
    align = _argument(p, "align=")
    if align is None:
        align = op.width
    elif align == 0 or align & (align - 1):
        p.fail("alignment must be a power of two", at)
    return MemArg(align.bit_length() - 1, offset or 0, mem)


def _memarg(p: Parser, op: Op) -> tuple[MemArg]:
    token = p.toks[p.i]
    if token == "(" or token == ")":
        return (MemArg(op.width.bit_length() - 1, 0, 0),)
    return (_memarg_rest(p, op, _mem(p)),)


def _memarg_lane(p: Parser, op: Op) -> tuple[MemArg, int]:
    # One number is the lane; a memory before it shows by what follows.
    following = p.toks[p.i + 1]
    mem = 0
    if p.at_index() and (is_nat(following) or following.startswith(("offset=", "align="))):
        mem = _mem(p)
    return _memarg_rest(p, op, mem), p.nat(8)


def _one_mem(p: Parser, op: Op) -> tuple[int]:
    return (_mem(p),)


def _two_mems(p: Parser, op: Op) -> tuple[int, int]:
    return (p.index("memory"), p.index("memory")) if p.at_index() else (0, 0)


def _data_mem(p: Parser, op: Op) -> tuple[int, int]:
    """In the text the memory, if any, stands first."""
    following = p.toks[p.i + 1]
    mem = p.index("memory") if following[:1] == "$" or is_nat(following) else 0
    p.uses_data = True
    return p.index("data"), mem


def _data(p: Parser, op: Op) -> tuple[int]:
    p.uses_data = True
    return (p.index("data"),)


def _type_data(p: Parser, op: Op) -> tuple[int, int]:
    p.uses_data = True
    return p.type_index(), p.index("data")


def _one_table(p: Parser, op: Op) -> tuple[int]:
    return (_table(p),)


def _two_tables(p: Parser, op: Op) -> tuple[int, int]:
    return (p.index("table"), p.index("table")) if p.at_index() else (0, 0)


def _elem_table(p: Parser, op: Op) -> tuple[int, int]:
    """In the text the table, if any, stands first."""
    following = p.toks[p.i + 1]
    table = p.index("table") if following[:1] == "$" or is_nat(following) else 0
    return p.index("elem"), table


def _type_table(p: Parser, op: Op) -> tuple[int, int]:
    table = _table(p)
    return type_use(p)[0], table


def _type_field(p: Parser, op: Op) -> tuple[int, int]:
    type_index = p.type_index()
    return type_index, p.field_index(type_index)


def _heap(p: Parser, op: Op) -> tuple[Any]:
    return (heap_type(p),)


def _cast(p: Parser, op: Op) -> tuple[Any, ...]:
    label = p.label()
    source, target = ref_type(p), ref_type(p)
    return source.nullable | target.nullable << 1, label, source.heap, target.heap


def _block(p: Parser, op: Op) -> tuple[Any]:
    return (block_type(p),)


def _catches(p: Parser, op: Op) -> tuple[tuple[Catch, ...]]:
    catches = []
    while p.toks[p.i] == "(" and (kind := _CATCHES.get(p.toks[p.i + 1])) is not None:
        p.i += 2
        tag = p.index("tag") if kind < 2 else -1
        catches.append(Catch(kind, tag, p.label()))
        p.close()
    return (tuple(catches),)


_SINGLE: dict[str, Reader] = {
    "block": _block,
    "label": _label,
    "labels": _labels,
    "func": _space("func"),
    "type": _type,
    "table": _one_table,
    "local": _local,
    "global": _space("global"),
    "mem": _one_mem,
    "data": _data,
    "elem": _space("elem"),
    "tag": _space("tag"),
    "memarg": _memarg,
    "lane": _lane,
    "lanes16": _lanes16,
    "i32": _i32,
    "i64": _i64,
    "f32": _f32,
    "f64": _f64,
    "v128": _v128,
    "heap": _heap,
    "catches": _catches,
    "u32": _u32,
    "zero": _none,
}
_LISTS: dict[tuple[str, ...], Reader] = {
    ("memarg", "lane"): _memarg_lane,
    ("mem", "mem"): _two_mems,
    ("data", "mem"): _data_mem,
    ("table", "table"): _two_tables,
    ("elem", "table"): _elem_table,
    ("type", "table"): _type_table,
    ("type", "field"): _type_field,
    ("type", "data"): _type_data,
    ("castflags", "label", "heap", "heap"): _cast,
}


def reader(op: Op) -> Reader | None:
    """The reader of an instruction's immediates, None if it has none."""
    kinds = op.immediates
    if not kinds:
        return None
    if kinds in _LISTS:
        return _LISTS[kinds]
    parts = [_SINGLE[kind] for kind in kinds]
    if len(parts) == 1:
        return parts[0]

    def read(p: Parser, op: Op) -> tuple[Any, ...]:
        return tuple(value for part in parts for value in part(p, op))

    return read


def select_types(p: Parser) -> tuple[ValType, ...] | None:
    """`(result t*)*` behind a select, None if there is none."""
    if not p.opens("result"):
        return None
    types: list[ValType] = []
    while p.try_open("result"):
        while not p.try_close():
            types.append(val_type(p))
    return tuple(types)


def cast_type(p: Parser) -> RefType:
    """The reference type of a test or cast."""
    return ref_type(p)
