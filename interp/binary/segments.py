"""The long sections (specification 5.5.6, 5.5.12 to 5.5.14): functions, code, elements, data, in tight loops."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from struct import Struct

from interp import _native
from interp.syntax.errors import MalformedError, Where, body_error
from interp.syntax.features import Feature
from interp.syntax.instructions import BY_NAME
from interp.syntax.limits import VmLimits
from interp.syntax.module import Data, Elem, Expr
from interp.syntax.types import FUNCREF, RefType

from .instructions import read_expression
from .leb128 import read_u32
from .lists import DataList
from .types import Gate, counted, read_ref_type

_I32_CONST = BY_NAME["i32.const"]


def read_indices(data: bytes, pos: int, end: int, count: int) -> tuple[array[int], int]:
    """So many unsigned integers, as an array of unsigned 32-bit numbers."""
    if count <= end - pos:
        short = data[pos : pos + count]
        if short.isascii():
            return array("I", list(short)), pos + count
    out: list[int] = []
    append = out.append
    while count:
        count -= 1
        if pos + 1 < end:
            byte = data[pos]
            if byte < 0x80:
                append(byte)
                pos += 1
                continue
            second = data[pos + 1]
            if second < 0x80:
                append(byte & 0x7F | second << 7)
                pos += 2
                continue
        number, pos = read_u32(data, pos, end)
        append(number)
    return array("I", out), pos


def read_code(data: bytes, pos: int, end: int, limits: VmLimits) -> tuple[array[int], array[int], int]:
    """Offsets and lengths of the bodies of a code section; what is in them is not looked at."""
    count, pos = counted(data, pos, end, limits, "functions")
    offsets: list[int] = []
    lengths: list[int] = []
    for _ in range(count):
        at = pos
        size, pos = read_u32(data, pos, end)
        if size > end - pos:
            # A body that would begin where the module ends, or run over its end, is like a missing one.
            raise body_error("unexpected_end", at)
        offsets.append(pos)
        lengths.append(size)
        pos += size
    return array("I", offsets), array("I", lengths), pos


def read_elems(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[tuple[Elem, ...], int]:
    """The contents of an element section."""
    count, pos = counted(data, pos, end, limits, "elements")
    elems = []
    for _ in range(count):
        elem, pos = _read_elem(data, pos, end, gate, limits)
        elems.append(elem)
    return tuple(elems), pos


def _read_elem(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[Elem, int]:
    at = pos
    flags, pos = read_u32(data, pos, end)
    if flags > 7:
        raise MalformedError("malformed elements segment kind", Where(at), id="malformed_elements_segment_kind")
    if flags:
        gate.need(Feature.BULK_MEMORY, at)
    mode = ("declarative" if flags & 2 else "passive") if flags & 1 else "active"
    table = 0
    offset: Expr = ()
    if mode == "active":
        if flags & 2:
            table, pos = read_u32(data, pos, end)
        offset, pos = read_expression(data, pos, end, gate, limits)
    ref: RefType = FUNCREF
    if flags & 3:
        if flags & 4:
            ref, pos = read_ref_type(data, pos, end, gate)
        else:
            if pos >= end:
                raise body_error("unexpected_end", pos)
            if data[pos]:
                raise MalformedError("malformed element kind", Where(pos), id="malformed_element_kind")
            pos += 1
    count, pos = counted(data, pos, end, limits, "table_entries")
    items: Sequence[int] | Sequence[Expr]
    if flags & 4:
        same: dict[bytes, Expr] = {}  # a million items are some few expressions, of which one each is kept
        expressions = []
        for _ in range(count):
            begin = pos
            expression, pos = read_expression(data, pos, end, gate, limits)
            expressions.append(same.setdefault(data[begin:pos], expression))
        items = tuple(expressions)
    else:
        items, pos = read_indices(data, pos, end, count)
    return Elem(ref, mode, not flags & 4, items, table, offset, at), pos


def _form(size: int) -> tuple[int, int, int, int]:
    """Of a simple segment whose address has `size` bytes: a mask of its first 8 bytes and what must be behind it."""
    mask, want = 0xFFFF, 0x4100
    for place in range(size):
        mask |= 0x80 << 8 * (2 + place)
        want |= (0x80 if place < size - 1 else 0) << 8 * (2 + place)
    mask |= 0xFF << 8 * (2 + size)
    want |= 0x0B << 8 * (2 + size)
    return mask, want, 8 * (3 + size), 4 + size


_FORMS = tuple(_form(size) for size in (3, 4, 2, 1))


def read_datas(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[DataList, int]:
    """The contents of a data section.

    Go's linker leaves out runs of zeros and so makes a segment of some 30 bytes of contents. C reads the simple ones
    where there is C. Here the usual forms are recognised by one comparison of their first 8 bytes.
    """
    count, pos = counted(data, pos, end, limits, "data_segments")
    heads, starts = array("I", bytes(4 * count + 4)), array("I", bytes(4 * count))
    addresses = array("I", bytes(4 * count)) if hasattr(_native.lib, "tm_scan_datas") else None
    others: dict[int, Data] = {}
    done = 0
    while done < count:
        if addresses is None:
            read, pos = _scan(data, pos, end, done, count, heads, starts)
        else:
            read, pos = _scan_in_c(data, pos, end, done, count, heads, starts, addresses)
        done += read
        if done < count:
            heads[done] = pos
            segment, start, size = _read_data(data, pos, end, gate, limits)
            if segment is not None:
                others[done] = segment
            elif addresses is not None:
                addresses = (
                    None  # simple, yet C left it (its flags are written long): addresses are found when asked for
                )
            starts[done] = start
            pos = start + size
            done += 1
    heads[count] = pos
    return DataList(data, heads, starts, others, addresses), pos


def _scan(
    data: bytes, pos: int, end: int, first: int, count: int, heads: array[int], starts: array[int]
) -> tuple[int, int]:
    """Read simple segments of the usual forms from `first` on; gives how many there were, and where the next begins."""
    window = Struct("<Q").unpack_from
    mask, want, shift, width = _FORMS[0]
    stop = end - 8
    index = first
    while index < count and pos <= stop:
        (begin,) = window(data, pos)
        if begin & mask != want:
            for form in _FORMS:
                if begin & form[0] == form[1]:
                    mask, want, shift, width = form
                    break
            else:
                break
        size = begin >> shift & 0xFF
        start = pos + width
        if size >= 0x80:
            size, start = read_u32(data, start - 1, end)
        if start + size > end:
            break
        heads[index] = pos
        starts[index] = start
        pos = start + size
        index += 1
    return index - first, pos


def _scan_in_c(
    data: bytes,
    pos: int,
    end: int,
    first: int,
    count: int,
    heads: array[int],
    starts: array[int],
    addresses: array[int],
) -> tuple[int, int]:
    """`_scan` in C, which reads all forms and finds the addresses as well."""
    ffi = _native.ffi
    places = [ffi.cast("uint32_t *", ffi.from_buffer(numbers)) + first for numbers in (heads, starts, addresses)]
    read = int(_native.lib.tm_scan_datas(ffi.from_buffer(data), pos, end, count - first, *places))
    return read, heads[first + read]


def _read_data(data: bytes, pos: int, end: int, gate: Gate, limits: VmLimits) -> tuple[Data | None, int, int]:
    """A segment, or None if it is simple, and where its contents begin and how long they are."""
    at = pos
    flags, pos = read_u32(data, pos, end)
    if flags > 2:
        raise MalformedError("malformed data segment kind", Where(at), id="malformed_data_segment_kind")
    if flags:
        gate.need(Feature.BULK_MEMORY, at)
    mem = 0
    offset: Expr = ()
    if flags != 1:
        if flags == 2:
            mem, pos = read_u32(data, pos, end)
        offset, pos = read_expression(data, pos, end, gate, limits)
    size_at = pos
    size, pos = read_u32(data, pos, end)
    if size > end - pos:
        raise body_error("unexpected_end", size_at)
    if not flags and len(offset) == 2 and offset[0].op is _I32_CONST:
        return None, pos, size
    contents = memoryview(data)[pos : pos + size]
    return Data("passive" if flags == 1 else "active", contents, mem, offset, at), pos, size
