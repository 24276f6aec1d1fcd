"""Listings of functions: each instruction with its offset in the file, indented by nesting, with names where known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from interp.syntax.hints import branch_hints
from interp.syntax.instructions import Ins, MemArg
from interp.syntax.module import Module
from interp.syntax.names import Names, decode_names
from interp.syntax.types import BlockType, FuncType
from interp.text.numbers import print_float

_OPENS = frozenset({"block", "loop", "if", "try", "try_table"})
_MIDDLE = frozenset({"else", "catch", "catch_all"})


def signed(value: int, bits: int) -> int:
    """Raw bits as a signed number."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _names(module: Module) -> Names:
    found = [custom for custom in module.customs if custom.name == "name"]
    return decode_names(found[-1].data) if found else Names()


def function_names(module: Module) -> dict[int, str]:
    """Names of functions by index: of the name section, else of an export, else of the import."""
    names: dict[int, str] = {}
    for index, imported in enumerate(module.imported("func")):
        names[index] = f"{imported.module}.{imported.name}"
    for export in module.exports:
        if export.kind == "func":
            names[export.index] = export.name
    names.update({index: name for index, name in _names(module).funcs.items() if name})
    return names


class Formatter:
    """Writes instructions of one module as text."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.funcs = function_names(module)

    def func_name(self, index: int) -> str:
        """`$name`, or nothing for a function without one."""
        name = self.funcs.get(index)
        return f"${name}" if name else ""

    def instruction(self, ins: Ins) -> str:
        """The text of one instruction, with the name of a called function behind it."""
        parts = [ins.op.text]
        for kind, imm in zip(ins.op.immediates, ins.imm, strict=False):
            parts.append(_memarg(imm, ins.op.width) if kind == "memarg" else self._imm(kind, imm))
        if "func" in ins.op.immediates:
            parts.append(self.func_name(ins.imm[ins.op.immediates.index("func")]))
        return " ".join(part for part in parts if part)

    def _imm(self, kind: str, value: Any) -> str:
        writer = _WRITERS.get(kind)
        if writer is not None:
            return writer(value)
        if isinstance(value, BlockType):
            return self._block(value)
        if kind == "type":
            return f"(type {value})"
        if isinstance(value, tuple):
            return " ".join(str(part) for part in value)
        return str(value)

    def _block(self, block: BlockType) -> str:
        if block.value is None:
            return ""
        if isinstance(block.value, int):
            comp = self.module.comp(block.value) if block.value < len(self.module.types) else None
            return signature(comp) if isinstance(comp, FuncType) else f"(type {block.value})"
        return f"(result {block.value})"


def _memarg(value: MemArg, natural: int) -> str:
    """Memory index, offset and alignment where they are not 0, 0 and the natural one."""
    parts = [str(value.mem)] if value.mem else []
    parts += [f"offset={value.offset}"] if value.offset else []
    parts += [f"align={1 << value.align}"] if 1 << value.align != natural else []
    return " ".join(parts)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "i32": lambda value: str(signed(value, 32)),
    "i64": lambda value: str(signed(value, 64)),
    "f32": lambda value: print_float(value, 32),
    "f64": lambda value: print_float(value, 64),
    "v128": lambda value: "i32x4 " + " ".join(f"{value >> shift & 0xFFFFFFFF:#010x}" for shift in (0, 32, 64, 96)),
    "zero": lambda value: "",
    "mem": lambda value: str(value) if value else "",
    "types": lambda value: f"(result {' '.join(map(str, value))})",
}


def signature(type: FuncType) -> str:
    """(param ...) (result ...)"""
    params = f"(param {' '.join(map(str, type.params))})" if type.params else ""
    results = f"(result {' '.join(map(str, type.results))})" if type.results else ""
    return " ".join(part for part in (params, results) if part)


class Listing:
    """The functions of a module as lines."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.formatter = Formatter(module)
        self._exports: dict[int, list[str]] = {}
        for export in module.exports:
            if export.kind == "func":
                self._exports.setdefault(export.index, []).append(export.name)

    def find(self, text: str) -> int | None:
        """The index of a function given by index, export or name; None if there is no such own function."""
        total = self.module.imported_funcs + len(self.module.funcs)
        if text.isascii() and text.isdecimal():
            index: int | None = int(text)
        else:
            found = (i for i, names in self._exports.items() if text in names)
            named = (i for i, name in self.formatter.funcs.items() if name == text.removeprefix("$"))
            index = next(found, next(named, None))
        return index if index is not None and self.module.imported_funcs <= index < total else None

    def lines(self) -> Iterator[str]:
        """All functions, imported ones as one line each. Raises MalformedError at a body that cannot be read."""
        for index, imported in enumerate(self.module.imported("func")):
            yield self._head(index) + f" (import {imported.module!r} {imported.name!r})"
        for index in range(self.module.imported_funcs, self.module.imported_funcs + len(self.module.funcs)):
            yield ""
            yield from self.function(index)

    def _head(self, index: int) -> str:
        try:
            type = signature(self.module.func_type(index))
        except (IndexError, TypeError):  # a listing is for broken modules too
            type = "(unknown type)"
        exported = "".join(f" (export {name!r})" for name in self._exports.get(index, ()))
        return " ".join(part for part in (f"func {index}", self.formatter.func_name(index), type) if part) + exported

    def function(self, index: int) -> Iterator[str]:
        """One own function. Raises MalformedError when its body cannot be read."""
        func = self.module.funcs[index - self.module.imported_funcs]
        where = f"  ; {func.length} bytes at {func.offset:#x}" if func.offset >= 0 else ""
        yield self._head(index) + where
        yield from _locals(func.locals)
        depth = 1
        hints = branch_hints(self.module).get(index, {})
        for ins in func.body:
            name = ins.op.name
            if name in ("end", "delegate") or name in _MIDDLE:
                depth -= 1
            text = self.formatter.instruction(ins)
            if ins.at in hints:
                text += f"  ; {'likely' if hints[ins.at] else 'unlikely'}"
            yield f"{ins.at:08x}  {'  ' * depth}{text}" if ins.at >= 0 else f"{'  ' * (depth + 1)}{text}"
            if name in _OPENS or name in _MIDDLE:
                depth += 1


def _locals(types: tuple[Any, ...]) -> Iterator[str]:
    """Declared locals, runs of one type together."""
    at = 0
    while at < len(types):
        end = at
        while end < len(types) and types[end] == types[at]:
            end += 1
        yield f"          (local {types[at]}{f' x {end - at}' if end - at > 1 else ''})"
        at = end
