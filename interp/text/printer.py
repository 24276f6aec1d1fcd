"""Modules as text that `parse` reads back to the same module.

Names of the module, of functions and of locals become identifiers, or annotations where a name cannot be one. Branch
hints become annotations of their instructions, other custom sections those of the module. A section of data counts is
written by whoever encodes the text, if code needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interp.syntax.hints import Hints, hint_section
from interp.syntax.module import Custom, Data, Elem, Expr, Func, Import, Module
from interp.syntax.names import Names
from interp.syntax.types import FuncType, GlobalType, MemType, TableType, TagType

from .folding import fold, plain
from .hints import print_hint, shown_hints
from .notation import (
    Labels,
    identifier,
    print_bytes,
    print_global_type,
    print_instruction,
    print_mem_type,
    print_name,
    print_signature,
    print_sub_type,
    print_table_type,
)
from .parser import SECTIONS

_WORDS = {id: word for word, id in SECTIONS.items()}


def print_module(module: Module, *, names: bool = True, folded: bool = False) -> str:
    """The text of a module. Without `names` functions are numbers and the name section is an annotation.

    `folded` writes operands inside the instructions that take them, where their number is known. Raises MalformedError
    if a body cannot be decoded.
    """
    labels = Labels(module) if names else Labels(names=Names())
    return "\n".join(_Printer(module, labels, names, folded, shown_hints(module)).lines()) + "\n"


@dataclass(frozen=True)
class _Printer:
    module: Module
    labels: Labels
    names: bool
    folded: bool
    hints: Hints
    """Of branches, by the number of the instruction."""

    def lines(self) -> Iterator[str]:
        """The lines of the module."""
        yield "(module" + self._named(self.labels.names.module)
        for line in self._fields():
            yield "  " + line
        yield ")"

    def _named(self, name: str | None) -> str:
        if name is None:
            return ""
        return " " + identifier(name) if name else ' (@name "")'

    def _fields(self) -> Iterator[str]:
        module = self.module
        yield from self._types()
        yield from self._imports()
        for index, func in enumerate(module.funcs, len(module.imported("func"))):
            yield from self._func(index, func)
        for index, table in enumerate(module.tables, len(module.imported("table"))):
            init = "" if table.init is None else " " + self._expr(table.init)
            yield f"(table (;{index};) {print_table_type(table.type)}{init})"
        for index, mem in enumerate(module.mems, len(module.imported("memory"))):
            yield f"(memory (;{index};) {print_mem_type(mem)})"
        for index, tag in enumerate(module.tags, len(module.imported("tag"))):
            yield f"(tag (;{index};) {self._type_use(tag.type_index)})"
        for index, item in enumerate(module.globals, len(module.imported("global"))):
            yield f"(global (;{index};) {print_global_type(item.type)} {self._expr(item.init)})"
        for export in module.exports:
            target = self.labels.func(export.index) if export.kind == "func" else str(export.index)
            yield f"(export {print_name(export.name)} ({export.kind} {target}))"
        if module.start is not None:
            yield f"(start {self.labels.func(module.start)})"
        for index, elem in enumerate(module.elems):
            yield self._elem(index, elem)
        for index, data in enumerate(module.datas):
            yield self._data(index, data)
        yield from self._customs()

    def _types(self) -> Iterator[str]:
        index = 0
        for rec in self.module.rec_types:
            group = []
            for sub in rec.types:
                group.append(f"(type (;{index};) {print_sub_type(sub)})")
                index += 1
            if len(group) == 1:
                yield group[0]
            else:
                yield "(rec"
                for line in group:
                    yield "  " + line
                yield ")"

    def _imports(self) -> Iterator[str]:
        counts: dict[str, int] = {}
        for item in self.module.imports:
            index = counts.get(item.kind, 0)
            counts[item.kind] = index + 1
            yield f"(import {print_name(item.module)} {print_name(item.name)} {self._import_desc(item, index)})"

    def _import_desc(self, item: Import, index: int) -> str:
        desc = item.desc
        if isinstance(desc, int):
            signature = self._params(index, desc) if index in self.labels.names.locals else ""
            return f"(func{self._func_name(index)} (type {desc}){signature})"
        if isinstance(desc, TableType):
            return f"(table (;{index};) {print_table_type(desc)})"
        if isinstance(desc, MemType):
            return f"(memory (;{index};) {print_mem_type(desc)})"
        if isinstance(desc, GlobalType):
            return f"(global (;{index};) {print_global_type(desc)})"
        if isinstance(desc, TagType):
            return f"(tag (;{index};) {self._type_use(desc.type_index)})"
        raise TypeError(f"not an import description: {desc!r}")

    def _func_name(self, index: int) -> str:
        ident = self.labels.funcs.get(index)
        if ident is not None:
            return f" {ident} (;{index};)"
        name = self.labels.names.funcs.get(index)
        return f" (;{index};)" if name is None else f" (;{index};) (@name {print_name(name)})"

    def _type_use(self, index: int) -> str:
        types = self.module.types
        comp = types[index].comp if index < len(types) else None
        return f"(type {index})" + (print_signature(comp) if isinstance(comp, FuncType) else "")

    def _params(self, func: int, type_index: int) -> str:
        types = self.module.types
        comp = types[type_index].comp if type_index < len(types) else None
        return print_signature(comp, self._local_names(func)) if isinstance(comp, FuncType) else ""

    def _local_names(self, func: int) -> dict[int, str]:
        """What to write where a local is declared: its identifier, or its name as an annotation."""
        idents = self.labels.locals(func)
        names = self.labels.names.locals.get(func, {})
        # An annotation stands behind an identifier, so a local that cannot have its own name gets one that is free.
        out = {}
        for index, name in names.items():
            ident = idents.get(index)
            if ident is None:
                free = f"{name}#{index}"
                while identifier(free) in idents.values():
                    free += "#"
                ident = f"{identifier(free)} (@name {print_name(name)})"
            out[index] = ident
        return out

    def _func(self, index: int, func: Func) -> Iterator[str]:
        head = f"(func{self._func_name(index)} (type {func.type_index}){self._params(index, func.type_index)}"
        locals_ = self._locals(index, func)
        notes = {number: print_hint(likely) for number, likely in self.hints.get(index, {}).items()}
        if self.folded:
            body = fold(self.module, func.type_index, func.body, self.labels, index, notes)
        else:
            body = plain(func.body, self.labels, index, notes)
        lines = [*locals_, *body]
        yield head + (")" if not lines else "")
        for line in lines[:-1]:
            yield "  " + line
        if lines:
            yield f"  {lines[-1]})"

    def _locals(self, index: int, func: Func) -> Iterator[str]:
        types = self.module.types
        comp = types[func.type_index].comp if func.type_index < len(types) else None
        first = len(comp.params) if isinstance(comp, FuncType) else 0
        names = self._local_names(index)
        run: list[str] = []
        for number, type in enumerate(func.locals, first):
            name = names.get(number)
            if name is None:
                run.append(str(type))
                continue
            if run:
                yield f"(local {' '.join(run)})"
                run = []
            yield f"(local {name} {type})"
        if run:
            yield f"(local {' '.join(run)})"

    def _expr(self, expr: Expr) -> str:
        """A constant expression on one line."""
        texts = [print_instruction(ins, self.labels) for ins in expr[:-1]]
        return f"({texts[0]})" if len(texts) == 1 else " ".join(texts)

    def _offset(self, expr: Expr) -> str:
        text = self._expr(expr)
        return text if len(expr) == 2 else f"(offset {text})"

    def _elem(self, index: int, elem: Elem) -> str:
        parts = [f"(elem (;{index};)"]
        if elem.mode == "declarative":
            parts.append("declare")
        elif elem.mode == "active":
            if elem.table:
                parts.append(f"(table {elem.table})")
            parts.append(self._offset(elem.offset))
        if elem.funcs:
            parts.append("func")
        else:
            parts.append(str(elem.ref))
        for item in elem.items:
            parts.append(self.labels.func(item) if isinstance(item, int) else f"(item {self._expr(item)})")
        return " ".join(parts) + ")"

    def _data(self, index: int, data: Data) -> str:
        parts = [f"(data (;{index};)"]
        if data.mode == "active":
            if data.mem:
                parts.append(f"(memory {data.mem})")
            parts.append(self._offset(data.offset))
        parts.append(print_bytes(data.init))
        return " ".join(parts) + ")"

    def _customs(self) -> Iterator[str]:
        named = False
        for custom in self.module.customs:
            if self.names and custom.name == "name" and not named:
                named = True  # it became identifiers
                continue
            if self.hints and self.module.binary and custom is hint_section(self.module):
                continue  # it became annotations
            yield _custom(custom)


def _custom(custom: Custom) -> str:
    word = _WORDS[custom.after]
    place = "(before first)" if word == "first" else f"(after {word})"
    return f"(@custom {print_name(custom.name)} {place} {print_bytes(custom.data)})"
