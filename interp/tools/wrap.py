"""Rewrites a module so that functions of it go through others that are added: what a tap or a shim is made of.

New functions stand behind all others and a new import behind the other imports, so that addresses and, without a new
import, all indices stay. Only bodies that mention a redirected function are written anew; the rest is copied.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from interp.binary.names import module_names
from interp.syntax.customs import BrokenError, Reader, u32
from interp.syntax.instructions import BY_NAME, Ins, MemArg
from interp.syntax.module import Custom, Elem, Export, Expr, Func, Import, Module
from interp.syntax.names import Names, encode_names
from interp.syntax.types import I32, I64, BlockType, FuncType, RecType, SubType, ValType

_TYPES: dict[str, ValType] = {"i32": I32, "i64": I64}
_VOID = BlockType()

#: What speaks of bytes that are other ones now: hints by offset, signatures of the whole, compiled code.
_STALE = re.compile(r"metadata\.code\..*|signature|precompiled_.*|reloc\..*|linking")

Line = tuple[str | int, ...]
"""An instruction as its name and its immediates; a memory access has (name, alignment, offset)."""


def assemble(lines: Sequence[Line]) -> Expr:
    """A body from lines, its last `end` included. Blocks have no result; `if` and `block` take no immediate."""
    return tuple(_ins(line) for line in (*lines, ("end",)))


def _ins(line: Line) -> Ins:
    op = BY_NAME[str(line[0])]
    if op.immediates == ("memarg",):
        return Ins(op, (MemArg(int(line[1]), int(line[2])),))
    if op.immediates == ("block",):
        return Ins(op, (_VOID,))
    return Ins(op, line[1:])


class Rewriter:
    """Collects what is to change of a module; `module()` is the new one. Indices it takes and gives are new ones.

    `wanted` is a function that must be imported, with its Wasm types as names; the import is added if it is not there.
    The module is one from bytes (`interp.decode`).
    """

    def __init__(self, module: Module, wanted: tuple[str, str, tuple[str, ...], tuple[str, ...]]) -> None:
        self.old = module
        self.rec_types = list(module.rec_types)
        self._type_count = len(module.types)
        self._funcs: list[Func] = []
        self._names: dict[int, str] = {}
        self._redirected: dict[int, int] = {}
        self._exports: dict[str, int] = {}
        self._imports = list(module.imports)
        name = wanted[:2]
        type_index = self.type_index(wanted[2], wanted[3])
        types = [module.func_type(i) for i in range(module.imported_funcs)]
        there = [(one.module, one.name) for one in module.imported("func")]
        found = [i for i, one in enumerate(there) if one == name and types[i] == _func_type(wanted[2], wanted[3])]
        self.shift = 0 if found else 1
        if not found:
            self._imports.append(Import(*name, "func", type_index))
        self.wanted = found[0] if found else module.imported_funcs
        """Index of the function that had to be imported."""

    def type_index(self, params: Sequence[str], results: Sequence[str]) -> int:
        """Index of a function type, added if it is not there."""
        wanted = _func_type(params, results)
        at = 0
        for rec in self.rec_types:
            if len(rec.types) == 1 and rec.types[0] == SubType(wanted):
                return at
            at += len(rec.types)
        self.rec_types.append(RecType((SubType(wanted),)))
        return at

    def moved(self, index: int) -> int:
        """The new index of a function of the old module."""
        return index if index < self.old.imported_funcs else index + self.shift

    def add(self, type_index: int, locals: Sequence[str], lines: Sequence[Line], name: str) -> int:
        """Add a function; its index."""
        index = self.old.imported_funcs + len(self.old.funcs) + self.shift + len(self._funcs)
        self._funcs.append(Func(type_index, _contents=(tuple(_TYPES[one] for one in locals), assemble(lines))))
        self._names[index] = name
        return index

    def redirect(self, index: int, to: int) -> None:
        """Let everything in the old module that means the import `index` mean the function `to`."""
        self._redirected[index] = to

    def export(self, name: str, to: int) -> None:
        """Let the exported function of this name be another one."""
        self._exports[name] = to

    # --- the new module

    def module(self) -> Module:
        """The module as it is now. Raises MalformedError for a body that cannot be read."""
        old = self.old
        start = None if old.start is None else self._meant(old.start)
        return replace(
            old,
            rec_types=tuple(self.rec_types),
            imports=tuple(self._imports),
            funcs=(*self._bodies(), *self._funcs),
            tables=tuple(replace(one, init=one.init and self._expr(one.init)) for one in old.tables),
            globals=tuple(replace(one, init=self._expr(one.init)) for one in old.globals),
            exports=tuple(self._export(one) for one in old.exports),
            start=start,
            elems=tuple(self._elem(one) for one in old.elems),
            customs=self._customs(),
        )

    def _meant(self, index: int) -> int:
        return self._redirected.get(index) or self.moved(index)

    def _bodies(self) -> list[Func]:
        if self.shift:
            return [self._body(func) for func in self.old.funcs]
        mention = _mentions(self._redirected)
        binary = self.old.binary
        return [
            self._body(func) if mention.search(binary, func.offset, func.offset + func.length) else func
            for func in self.old.funcs
        ]

    def _body(self, func: Func) -> Func:
        return Func(func.type_index, _contents=(func.locals, self._expr(func.body)))

    def _expr(self, code: Expr) -> Expr:
        return tuple(
            Ins(ins.op, (self._meant(ins.imm[0]),), ins.at) if ins.op.immediates == ("func",) else ins for ins in code
        )

    def _elem(self, elem: Elem) -> Elem:
        offset = self._expr(elem.offset)
        if elem.funcs:
            return replace(elem, items=[self._meant(one) for one in elem.items if isinstance(one, int)], offset=offset)
        items = [self._expr(one) for one in elem.items if not isinstance(one, int)]
        return replace(elem, items=items, offset=offset)

    def _export(self, export: Export) -> Export:
        if export.kind != "func":
            return export
        return replace(export, index=self._exports.get(export.name) or self._meant(export.index))

    def _customs(self) -> tuple[Custom, ...]:
        kept = [one for one in self.old.customs if not _STALE.fullmatch(one.name)]
        if not any(one.name == "name" for one in kept):
            return (*kept, Custom("name", encode_names(Names(None, self._names)), 11))
        first = next(one for one in kept if one.name == "name")
        return tuple(replace(one, data=self._name_section(one)) if one is first else one for one in kept)

    def _name_section(self, section: Custom) -> bytes:
        """The names by their new indices, those of the added functions as well, and what else the section says."""
        names = module_names(self.old)
        funcs = {self.moved(index): name for index, name in names.funcs.items()} | self._names
        locals_ = {self.moved(index): each for index, each in names.locals.items()}
        written = encode_names(Names(names.module, funcs, locals_))
        rest = b""
        reader = Reader(bytes(section.data))
        try:
            while not reader.done:
                kind, part = reader.byte(), reader.part(reader.u32()).data
                if kind > 3 or (kind == 3 and not self.shift):  # 3, names of labels, goes by function
                    rest += bytes((kind,)) + u32(len(part)) + part
        except BrokenError:
            pass
        return written + rest


def _func_type(params: Sequence[str], results: Sequence[str]) -> FuncType:
    return FuncType(tuple(_TYPES[one] for one in params), tuple(_TYPES[one] for one in results))


def _mentions(indices: Sequence[int] | dict[int, int]) -> re.Pattern[bytes]:
    """Finds bytes that may be an instruction with one of these indices, in any length that LEB128 allows."""
    ops = b"".join(re.escape(bytes((BY_NAME[name].code,))) for name in ("call", "return_call", "ref.func"))
    forms = [form for index in indices for form in _forms(index)]
    return (
        re.compile(b"[%s](?:%s)" % (ops, b"|".join(map(re.escape, forms))), re.DOTALL) if forms else re.compile(b"(?!)")
    )


def _forms(index: int) -> list[bytes]:
    short = u32(index)
    longer = short[:-1] + bytes((short[-1] | 0x80,))
    return [short, *(longer + b"\x80" * n + b"\0" for n in range(5 - len(short)))]
