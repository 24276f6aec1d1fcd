"""Instructions in the binary format (specification 5.4), one at a time: bodies are never decoded at load.

`instructions` is the one reader of code; constant expressions, `Func.body`, the disassembler and the validator use it.
It finds everything that makes bytes malformed, in byte order, with the ids of BODY_ERRORS, and nothing else:

* the offset of an error is that of the byte at fault: the first byte of an integer or a type, the opcode's first byte
  for an unknown opcode, a feature that is off, a misplaced `else`, a limit or a missing data count section;
* a body that does not end within its entry: the offset is the entry's end, and the error says what the reference
  interpreter says, which reads on: "section size mismatch" if an `end` byte follows, "END opcode expected" if an
  `else` byte does, otherwise "unexpected end of section or function";
* bytes behind the last `end`: "section size mismatch" at the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from interp.syntax.errors import LimitError, Where, body_error
from interp.syntax.features import Feature
from interp.syntax.instructions import OPS, PREFIXES, Catch, Ins, MemArg, Op
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Expr, Locals
from interp.syntax.types import ValType

from .leb128 import read_signed, read_u32, read_unsigned
from .types import Gate, read_block_type, read_heap_type, read_val_type

Reader = Callable[[bytes, int, int, Gate], tuple[Any, int]]

#: The locals of a body as declared: (how many, type) in order.
Runs = list[tuple[int, ValType]]


def _index(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
    return read_u32(data, pos, end)


def _i32(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
    value, pos = read_signed(data, pos, end, 32)
    return value & 0xFFFFFFFF, pos


def _i64(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
    value, pos = read_signed(data, pos, end, 64)
    return value & 0xFFFFFFFFFFFFFFFF, pos


def _fixed(size: int) -> Reader:
    def read(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
        if end - pos < size:
            raise body_error("unexpected_end", pos)
        return int.from_bytes(data[pos : pos + size], "little"), pos + size

    return read


def _lanes16(data: bytes, pos: int, end: int, gate: Gate) -> tuple[tuple[int, ...], int]:
    if end - pos < 16:
        raise body_error("unexpected_end", pos)
    return tuple(data[pos : pos + 16]), pos + 16


def _zero(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
    if pos >= end:
        raise body_error("unexpected_end", pos)
    if data[pos]:
        raise body_error("zero_byte_expected", pos)
    return 0, pos + 1


def _memarg(data: bytes, pos: int, end: int, gate: Gate) -> tuple[MemArg, int]:
    at = pos
    flags, pos = read_u32(data, pos, end)
    mem = 0
    if flags >= 0x40:
        if flags >= 0x80:
            raise body_error("malformed_memop_flags", at)
        gate.need(Feature.MULTI_MEMORY, at)
        mem, pos = read_u32(data, pos, end)
    offset, pos = read_unsigned(data, pos, end, 64)
    return MemArg(flags & 0x3F, offset, mem), pos


def _count(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """The length of a vector within code: no more than the bytes behind it."""
    at = pos
    count, pos = read_u32(data, pos, end)
    if count > end - pos:
        raise body_error("unexpected_end", at)
    return count, pos


def _labels(data: bytes, pos: int, end: int, gate: Gate) -> tuple[tuple[int, ...], int]:
    count, pos = _count(data, pos, end)
    labels = []
    for _ in range(count + 1):
        label, pos = read_u32(data, pos, end)
        labels.append(label)
    return tuple(labels), pos


def _types(data: bytes, pos: int, end: int, gate: Gate) -> tuple[tuple[ValType, ...], int]:
    count, pos = _count(data, pos, end)
    types = []
    for _ in range(count):
        value, pos = read_val_type(data, pos, end, gate)
        types.append(value)
    return tuple(types), pos


def _catches(data: bytes, pos: int, end: int, gate: Gate) -> tuple[tuple[Catch, ...], int]:
    at = pos
    count, pos = _count(data, pos, end)
    if count > gate.catches:
        raise body_error("catches_limit", at, count)
    clauses = []
    for _ in range(count):
        if pos >= end:
            raise body_error("unexpected_end", pos)
        kind = data[pos]
        if kind > 3:
            raise body_error("malformed_catch", pos)
        tag = -1
        pos += 1
        if kind < 2:
            tag, pos = read_u32(data, pos, end)
        label, pos = read_u32(data, pos, end)
        clauses.append(Catch(kind, tag, label))
    return tuple(clauses), pos


def _castflags(data: bytes, pos: int, end: int, gate: Gate) -> tuple[int, int]:
    if pos >= end:
        raise body_error("unexpected_end", pos)
    if data[pos] > 3:
        raise body_error("malformed_cast_flags", pos)
    return data[pos], pos + 1


#: A reader for each kind of immediate in the table.
READERS: dict[str, Reader] = {
    "block": read_block_type,
    "labels": _labels,
    "memarg": _memarg,
    "lane": _fixed(1),
    "lanes16": _lanes16,
    "i32": _i32,
    "i64": _i64,
    "f32": _fixed(4),
    "f64": _fixed(8),
    "v128": _fixed(16),
    "types": _types,
    "heap": read_heap_type,
    "catches": _catches,
    "castflags": _castflags,
    "zero": _zero,
}
for _kind in ("label", "func", "type", "table", "local", "global", "mem", "data", "elem", "tag", "field", "u32"):
    READERS[_kind] = _index

# What `instructions` has to do beyond reading the immediates.
_PLAIN, _OPEN, _ELSE, _CLOSE, _LABELS, _DATA, _HANDLER, _DELEGATE = range(8)
_TRY, _CATCH = 0x06, 0x07


def _action(op: Op) -> int:
    if op.name == "end":
        return _CLOSE
    if op.name in ("catch", "catch_all"):
        return _HANDLER
    if op.name == "delegate":
        return _DELEGATE
    if op.name == "else":
        return _ELSE
    if "block" in op.immediates:
        return _OPEN
    if "labels" in op.immediates:
        return _LABELS
    return _DATA if "data" in op.immediates else _PLAIN


_Entry = tuple[Op, tuple[Reader, ...], int, bool]


@lru_cache(maxsize=32)
def _entries(features: frozenset[Feature] | None) -> tuple[list[_Entry | None], dict[tuple[int, int], _Entry]]:
    """Rows by byte and by (prefix, number): the row, its readers, its action, whether its feature is on."""
    single: list[_Entry | None] = [None] * 256
    prefixed: dict[tuple[int, int], _Entry] = {}
    for op in OPS:
        on = features is None or op.feature in features
        entry = (op, tuple(READERS[kind] for kind in op.immediates), _action(op), on)
        if op.prefix:
            prefixed[op.prefix, op.code] = entry
        else:
            single[op.code] = entry
    return single, prefixed


def instructions(
    data: bytes,
    pos: int,
    end: int,
    gate: Gate,
    limits: VmLimits = DEFAULT_LIMITS,
    *,
    data_count: bool = True,
    whole: bool = True,
) -> Iterator[Ins]:
    """The instructions from `pos` until the `end` that closes the expression, which is yielded too.

    `data_count` says whether the module has a data count section. If `whole`, the expression must fill the bytes up to
    `end`. Raises MalformedError, UnsupportedError for an opcode or a type that is off, LimitError.
    """
    single, prefixed = _entries(gate.features)
    used: set[Op] = set()
    blocks = bytearray()  # the opcode of each open block, or of the latest part of it: else, catch, catch_all
    nesting = limits.nesting
    while True:
        at = pos
        if pos >= end:
            raise _missing_end(data, end)
        entry = single[data[pos]]
        pos += 1
        if entry is None:
            entry, pos = _prefixed(data, at, end, prefixed)
        op, readers, action, on = entry
        if op not in used:
            if not on:
                raise body_error("feature_off", at, op.feature.value)
            used.add(op)
            gate.used.add(op.feature)
        if not readers:
            ins = Ins(op, (), at)
        elif len(readers) == 1:
            value, pos = readers[0](data, pos, end, gate)
            ins = Ins(op, (value,), at)
        else:
            values = []
            for read in readers:
                value, pos = read(data, pos, end, gate)
                values.append(value)
            ins = Ins(op, tuple(values), at)
        if action:
            if action == _OPEN:
                if len(blocks) >= nesting:
                    raise body_error("nesting_limit", at)
                blocks.append(op.code)
            elif action == _CLOSE:
                if not blocks:
                    break
                blocks.pop()
            elif action == _ELSE:
                if not blocks or blocks[-1] != 0x04:
                    raise body_error("end_expected", at)
                blocks[-1] = 0x05
            elif action == _LABELS:
                if len(ins.imm[0]) - 1 > limits.br_table:
                    raise body_error("br_table_limit", at, len(ins.imm[0]) - 1)
            elif action == _HANDLER:
                if not blocks or blocks[-1] not in (_TRY, _CATCH):
                    raise body_error("end_expected", at)
                blocks[-1] = op.code
            elif action == _DELEGATE:
                if not blocks or blocks[-1] != _TRY:
                    raise body_error("end_expected", at)
                blocks.pop()
            elif not data_count:
                raise body_error("data_count_required", at)
        yield ins
    yield ins
    if whole and pos < end:
        raise body_error("section_size_mismatch", pos)


def _prefixed(data: bytes, at: int, end: int, prefixed: dict[tuple[int, int], _Entry]) -> tuple[_Entry, int]:
    prefix = data[at]
    if prefix not in PREFIXES:
        raise body_error("illegal_opcode", at, prefix)
    code, pos = read_u32(data, at + 1, end)
    entry = prefixed.get((prefix, code))
    if entry is None:
        raise body_error("illegal_opcode", at, prefix << (8 if code < 0x100 else 32) | code)
    return entry, pos


def _missing_end(data: bytes, end: int) -> Exception:
    following = data[end] if end < len(data) else None
    return body_error({0x0B: "section_size_mismatch", 0x05: "end_expected"}.get(following or 0, "unexpected_end"), end)


def read_locals(
    data: bytes, offset: int, length: int, gate: Gate, limits: VmLimits = DEFAULT_LIMITS
) -> tuple[Runs, int]:
    """The declared locals of a body as runs, and where its code begins."""
    if length > limits.function_bytes:
        raise body_error("body_too_large", offset, length)
    pos, end = offset, offset + length
    count, pos = _count(data, pos, end)
    runs: Runs = []
    total = 0
    for _ in range(count):
        at = pos
        number, pos = read_u32(data, pos, end)
        total += number
        if total > 0xFFFFFFFF:
            raise body_error("too_many_locals", at)
        value, pos = read_val_type(data, pos, end, gate)
        if number and total <= limits.locals:
            runs.append((number, value))
    if total > limits.locals:
        raise body_error("locals_limit", offset, total)
    return runs, pos


def expand(runs: Runs) -> Locals:
    """The locals of runs, one by one; only after their sum was checked."""
    return tuple(value for number, value in runs for _ in range(number))


def read_body(data: bytes, offset: int, length: int, limits: VmLimits = DEFAULT_LIMITS) -> tuple[Locals, Expr]:
    """Locals and instructions of a body, whatever features it uses. Raises MalformedError, LimitError."""
    gate = Gate(None, limits.catches)
    runs, pos = read_locals(data, offset, length, gate, limits)
    return expand(runs), tuple(instructions(data, pos, offset + length, gate, limits))


def read_expression(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[Expr, int]:
    """A constant expression (or what stands in its place) and the position behind its `end`."""
    most = limits.constant_instructions
    code = tuple(islice(instructions(data, pos, end, gate, limits, whole=False), most + 1))
    if len(code) > most:
        raise LimitError(
            "the expression passes the limit constant_instructions", Where(pos), limit="constant_instructions"
        )
    return code, code[-1].at + 1
