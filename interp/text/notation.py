"""Single instructions, types and strings as text: what the printer, the disassembler and the tracer write with.

The text of an instruction follows from its row in the table: a writer for each kind of immediate, and one for each
list of immediates that the text format orders in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from interp.syntax.instructions import Ins, MemArg, Op
from interp.syntax.module import Module
from interp.syntax.names import Names, decode_names
from interp.syntax.types import (
    ArrayType,
    BlockType,
    CompType,
    FieldType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    RefType,
    StructType,
    SubType,
    TableType,
)

from .numbers import print_float

_PLAIN_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]+\Z")
_CATCHES = ("catch", "catch_ref", "catch_all", "catch_all_ref")
_SHORT_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
_BYTES = [_SHORT_ESCAPES.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:02x}") for byte in range(256)]


def print_bytes(data: bytes | memoryview) -> str:
    """A string literal for bytes."""
    return '"' + "".join([_BYTES[byte] for byte in data]) + '"'


def print_name(name: str) -> str:
    """A string literal for a name: what can be seen stays as it is."""
    out = []
    for char in name:
        if char.isascii():
            out.append(_BYTES[ord(char)])
        else:
            out.append(char if char.isprintable() else f"\\u{{{ord(char):x}}}")
    return '"' + "".join(out) + '"'


def identifier(name: str) -> str:
    """`$name`, or `$"name"` where the name has other characters. The name must not be empty."""
    return f"${name}" if _PLAIN_NAME.match(name) else f"${print_name(name)}"


class Labels:
    """How functions and locals are called: `$name` where they have a name that no other shares, else a number."""

    def __init__(self, module: Module | None = None, names: Names | None = None) -> None:
        if names is None:
            section = None if module is None else next((c for c in module.customs if c.name == "name"), None)
            names = Names() if section is None else decode_names(section.data)
        self.names = names
        self.funcs = _identifiers(names.funcs)
        self._locals: dict[int, dict[int, str]] = {}

    def func(self, index: int) -> str:
        """A function as an operand."""
        return self.funcs.get(index) or str(index)

    def locals(self, func: int) -> dict[int, str]:
        """Identifiers of a function's locals by index."""
        known = self._locals.get(func)
        if known is None:
            known = self._locals[func] = _identifiers(self.names.locals.get(func, {}))
        return known


def _identifiers(names: Mapping[int, str]) -> dict[int, str]:
    """Identifiers for names; names that several share, and empty ones, have none."""
    seen: dict[str, int] = {}
    for name in names.values():
        seen[name] = seen.get(name, 0) + 1
    return {index: identifier(name) for index, name in names.items() if name and seen[name] == 1}


NO_LABELS = Labels()


def print_instruction(ins: Ins, labels: Labels = NO_LABELS, func: int | None = None) -> str:
    """One instruction in plain form; `func` is the index of the function it stands in, for the names of locals."""
    return _writer(ins.op)(ins.op, ins.imm, labels, func)


Writer = Callable[[Op, tuple[Any, ...], Labels, int | None], str]
_WRITERS: dict[Op, Writer] = {}


def _writer(op: Op) -> Writer:
    writer = _WRITERS.get(op)
    if writer is None:
        writer = _WRITERS[op] = _make_writer(op)
    return writer


def _make_writer(op: Op) -> Writer:
    kinds = op.immediates
    word = op.text
    if not kinds:
        return lambda op, imm, labels, func: word
    if (op.text != op.name and kinds == ("heap",)) or op.name in ("ref.test", "ref.cast"):
        null = "null " if op.text != op.name else ""
        return lambda op, imm, labels, func: f"{word} (ref {null}{imm[0]})"
    if kinds == ("func",):
        return lambda op, imm, labels, func: f"{word} {labels.func(imm[0])}"
    if kinds == ("local",):
        return _local
    if kinds in _LISTS:
        return _LISTS[kinds]
    parts = [_SINGLE[kind] for kind in kinds]
    if len(parts) == 1:
        part = parts[0]
        return lambda op, imm, labels, func: word + part(op, imm[0])
    return lambda op, imm, labels, func: word + "".join(part(op, value) for part, value in zip(parts, imm, strict=True))


def _local(op: Op, imm: tuple[Any, ...], labels: Labels, func: int | None) -> str:
    name = None if func is None else labels.locals(func).get(imm[0])
    return f"{op.text} {name or imm[0]}"


def _number(op: Op, value: int) -> str:
    return f" {value}"


def _signed(bits: int) -> Callable[[Op, int], str]:
    half = 1 << bits - 1

    def write(op: Op, value: int) -> str:
        return f" {value - (half << 1) if value >= half else value}"

    return write


def _float(bits: int) -> Callable[[Op, int], str]:
    def write(op: Op, value: int) -> str:
        return f" {print_float(value, bits)}"

    return write


def _vector(op: Op, value: int) -> str:
    return " i32x4 " + " ".join(f"{value >> shift & 0xFFFFFFFF:#010x}" for shift in (0, 32, 64, 96))


def _many(op: Op, values: tuple[int, ...]) -> str:
    return "".join(f" {value}" for value in values)


def _block(op: Op, type: BlockType) -> str:
    if type.value is None:
        return ""
    return f" (type {type.value})" if isinstance(type.value, int) else f" (result {type.value})"


def _types(op: Op, types: tuple[Any, ...]) -> str:
    return f" (result{''.join(f' {type}' for type in types)})"


def _memarg(op: Op, arg: MemArg) -> str:
    text = f" {arg.mem}" if arg.mem else ""
    if arg.offset:
        text += f" offset={arg.offset}"
    return text if 1 << arg.align == op.width else f"{text} align={1 << arg.align}"


def _catches(op: Op, catches: tuple[tuple[int, int, int], ...]) -> str:
    return "".join(
        f" ({_CATCHES[kind]} {tag} {label})" if kind < 2 else f" ({_CATCHES[kind]} {label})"
        for kind, tag, label in catches
    )


def _optional(op: Op, value: int) -> str:
    return f" {value}" if value else ""


_SINGLE: dict[str, Callable[[Op, Any], str]] = {
    "block": _block,
    "labels": _many,
    "mem": _optional,
    "memarg": _memarg,
    "lanes16": _many,
    "i32": _signed(32),
    "i64": _signed(64),
    "f32": _float(32),
    "f64": _float(64),
    "v128": _vector,
    "types": _types,
    "catches": _catches,
    "zero": lambda op, value: "",
    **dict.fromkeys(
        ("label", "type", "table", "global", "data", "elem", "tag", "field", "lane", "heap", "u32"), _number
    ),
}


def _pair_or_none(op: Op, imm: tuple[Any, ...], labels: Labels, func: int | None) -> str:
    return f"{op.text} {imm[0]} {imm[1]}" if any(imm) else op.text


def _swapped(op: Op, imm: tuple[Any, ...], labels: Labels, func: int | None) -> str:
    """In the text the table or memory, if it is not the first one, stands before the segment."""
    return f"{op.text} {imm[1]} {imm[0]}" if imm[1] else f"{op.text} {imm[0]}"


def _type_table(op: Op, imm: tuple[Any, ...], labels: Labels, func: int | None) -> str:
    return f"{op.text}{_optional(op, imm[1])} (type {imm[0]})"


def _cast(op: Op, imm: tuple[Any, ...], labels: Labels, func: int | None) -> str:
    flags, label, source, target = imm
    first, second = RefType(bool(flags & 1), source), RefType(bool(flags & 2), target)
    return f"{op.text} {label} {first} {second}"


_LISTS: dict[tuple[str, ...], Writer] = {
    ("mem", "mem"): _pair_or_none,
    ("table", "table"): _pair_or_none,
    ("data", "mem"): _swapped,
    ("elem", "table"): _swapped,
    ("type", "table"): _type_table,
    ("castflags", "label", "heap", "heap"): _cast,
}


def print_limits(limits: Limits) -> str:
    """Index type if it is not i32, minimum, maximum, `shared`."""
    return f"{'i64 ' if limits.index == 'i64' else ''}{limits}{' shared' if limits.shared else ''}"


def print_table_type(type: TableType) -> str:
    """A table type."""
    return f"{print_limits(type.limits)} {type.ref}"


def print_mem_type(type: MemType) -> str:
    """A memory type."""
    page = f" (pagesize {1 << type.page_log2})" if type.page_log2 != 16 else ""
    return print_limits(type.limits) + page


def print_global_type(type: GlobalType) -> str:
    """A global type."""
    return f"(mut {type.type})" if type.mutable else str(type.type)


def print_signature(type: FuncType, names: Mapping[int, str] | None = None) -> str:
    """Parameters and results, each with a space before it; `names` are identifiers of parameters."""
    parts = []
    run: list[str] = []
    for index, param in enumerate(type.params):
        name = names.get(index) if names else None
        if name is None:
            run.append(str(param))
            continue
        if run:
            parts.append(f" (param {' '.join(run)})")
            run = []
        parts.append(f" (param {name} {param})")
    if run:
        parts.append(f" (param {' '.join(run)})")
    if type.results:
        parts.append(f" (result {' '.join(map(str, type.results))})")
    return "".join(parts)


def _print_field(field: FieldType) -> str:
    return f"(mut {field.storage})" if field.mutable else str(field.storage)


def print_comp_type(type: CompType) -> str:
    """A function, structure or array type."""
    if isinstance(type, FuncType):
        return f"(func{print_signature(type)})"
    if isinstance(type, StructType):
        return f"(struct{''.join(f' (field {_print_field(field)})' for field in type.fields)})"
    if isinstance(type, ArrayType):
        return f"(array {_print_field(type.field)})"
    raise TypeError(f"not a composite type: {type!r}")


def print_sub_type(type: SubType) -> str:
    """A composite type, within `sub` unless it is final and has no supertypes."""
    comp = print_comp_type(type.comp)
    if type.final and not type.supers:
        return comp
    final = " final" if type.final else ""
    return f"(sub{final}{''.join(f' {index}' for index in type.supers)} {comp})"
