"""Modules in the binary format (specification 5.5): `decode` reads everything but function bodies, for every engine."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from interp.syntax.errors import LimitError, MalformedError, WasmError, Where, body_error
from interp.syntax.features import Feature, Features, feature_set
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Custom, Elem, Export, Global, Import, ImportDesc, Module, Table
from interp.syntax.types import MemType, RecType, TagType

from .instructions import read_body, read_expression
from .leb128 import CutError, read_on, read_u32
from .lists import FuncList
from .segments import read_code, read_datas, read_elems, read_indices
from .types import (
    Gate,
    counted,
    read_global_type,
    read_mem_type,
    read_rec_type,
    read_table_type,
    read_tag_type,
)

#: Section ids in the order in which they must come, with their names.
SECTIONS = {
    1: "type",
    2: "import",
    3: "function",
    4: "table",
    5: "memory",
    13: "tag",
    6: "global",
    7: "export",
    8: "start",
    9: "element",
    12: "data count",
    10: "code",
    11: "data",
}
_RANK = {id: rank for rank, id in enumerate(SECTIONS)}
KINDS = ("func", "table", "memory", "global", "tag")


def decode(data: bytes, *, features: Features = None, limits: VmLimits | None = None) -> Module:
    """The module in `data`, a bytes-like object; function bodies stay bytes until asked for.

    `features` are those that are on, as `feature_set` reads them. Raises MalformedError, UnsupportedError for what
    needs a feature that is off, LimitError for a count over a limit.
    """
    return _Decoder(
        bytes(data),
        feature_set(features),
        DEFAULT_LIMITS if limits is None else limits,
    ).module()


def _malformed(message: str, at: int) -> MalformedError:
    return MalformedError(message, Where(at), id=message.lower().replace(" ", "_"))


def _within(error: WasmError, context: str) -> WasmError:
    error.where = replace(error.where or Where(), context=context)
    return error


class _Decoder:
    """The state of one decoding: the section at hand is `data[pos:end]`; each reader fills its part of `parts`."""

    def __init__(self, data: bytes, features: frozenset[Feature], limits: VmLimits) -> None:
        self.data = data
        self.gate = Gate(features)
        self.limits = limits
        self.pos = 0
        self.end = len(data)
        self.parts: dict[str, Any] = {}
        self.type_indices = array("I")
        self.offsets = array("I")
        self.lengths = array("I")

    def module(self) -> Module:
        data = self.data
        size = len(data)
        if size > self.limits.module_bytes:
            raise LimitError(f"{size} bytes pass the limit module_bytes", Where(0), limit="module_bytes")
        self._header()
        customs: list[Custom] = []
        sections: list[tuple[int, int, int]] = []
        try:
            self._sections(customs, sections)
        except MalformedError:
            self._check_last_body()
            raise
        funcs = FuncList(data, self.type_indices, self.offsets, self.lengths, self.limits)
        return Module(funcs=funcs, customs=tuple(customs), binary=data, sections=tuple(sections), **self.parts)

    def _sections(self, customs: list[Custom], sections: list[tuple[int, int, int]]) -> None:
        data = self.data
        size = len(data)
        last = 0
        self.pos = 8
        while self.pos < size:
            at, id = self.pos, data[self.pos]
            if id != 0 and id not in SECTIONS:
                raise _malformed("malformed section id", at)
            length, start = read_u32(data, at + 1, size)
            if length > size - start:
                raise _malformed("length out of bounds", at + 1)
            self.pos, self.end = start, start + length
            if id == 0:
                if len(customs) >= self.limits.custom_sections:
                    raise LimitError(
                        "the custom sections pass the limit custom_sections", Where(at), limit="custom_sections"
                    )
                customs.append(self._custom(last))
            else:
                if last and _RANK[id] <= _RANK[last]:
                    raise _malformed("unexpected content after last section", at)
                last = id
                self._section(id)
            sections.append((id, start, length))
            self.pos = self.end
        self._consistent(size)

    def _check_last_body(self) -> None:
        """Raise the error of the last body if it has one: garbage behind the code mostly comes of its wrong length.

        It stands before the garbage, so it is the first error, but bodies are not read here; a long one is left alone.
        """
        if self.offsets and self.lengths[-1] <= 0x10000:
            try:
                read_body(self.data, self.offsets[-1], self.lengths[-1], self.limits)
            except CutError as cut:
                raise read_on(self.data, cut) from None

    def _header(self) -> None:
        data = self.data
        if len(data) < 4:
            raise body_error("unexpected_end", len(data))
        if data[:4] != b"\0asm":
            raise _malformed("magic header not detected", 0)
        if len(data) < 8:
            raise body_error("unexpected_end", len(data))
        if data[4:8] != b"\1\0\0\0":
            raise _malformed("unknown binary version", 4)

    def _consistent(self, size: int) -> None:
        if len(self.type_indices) != len(self.offsets):
            raise _malformed("function and code section have inconsistent lengths", size)
        count = self.parts.get("data_count")
        if count is not None and count != len(self.parts.get("datas", ())):
            raise _malformed("data count and data section have inconsistent lengths", size)

    def _section(self, id: int) -> None:
        try:
            _READERS[id](self)
            if self.pos != self.end:
                raise body_error("section_size_mismatch", self.pos)
        except CutError as cut:
            raise _within(read_on(self.data, cut), f"{SECTIONS[id]} section") from None
        except WasmError as error:
            raise _within(error, f"{SECTIONS[id]} section") from None

    def _custom(self, after: int) -> Custom:
        at = self.pos
        try:
            name = self._string()
        except CutError as cut:
            raise _within(read_on(self.data, cut), "custom section") from None
        except WasmError as error:
            raise _within(error, "custom section") from None
        return Custom(name, memoryview(self.data)[self.pos : self.end], after, at)

    # The small things.

    def _u32(self) -> int:
        value, self.pos = read_u32(self.data, self.pos, self.end)
        return value

    def _byte(self) -> int:
        if self.pos >= self.end:
            raise body_error("unexpected_end", self.pos)
        self.pos += 1
        return self.data[self.pos - 1]

    def _string(self) -> str:
        at = self.pos
        size = self._u32()
        start = self.pos
        if size > self.end - start:
            # The reference interpreter counts the length from the number itself, hence two messages.
            raise _malformed("length out of bounds", at) if size > self.end - at else body_error("unexpected_end", at)
        if size > self.limits.name_bytes:
            raise LimitError(f"a name of {size} bytes passes the limit name_bytes", Where(at), limit="name_bytes")
        self.pos = start + size
        try:
            return self.data[start : self.pos].decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed("malformed UTF-8 encoding", start) from None

    def _name(self) -> str:
        """A name that begins where its section ends but the module does not: the section's length is to blame."""
        if self.pos >= self.end < len(self.data):
            raise _malformed("length out of bounds", self.pos)
        return self._string()

    def _counted(self, limit: str) -> int:
        count, self.pos = counted(self.data, self.pos, self.end, self.limits, limit)
        return count

    # The sections.

    def _types(self) -> None:
        count = self._counted("types")
        recs: list[RecType] = []
        total = 0
        limits = self.limits
        for _ in range(count):
            at = self.pos
            rec, self.pos = read_rec_type(self.data, at, self.end, self.gate, limits)
            recs.append(rec)
            total += len(rec.types)
            if total > limits.types:
                raise LimitError("the types pass the limit types", Where(at), limit="types")
        self.parts["rec_types"] = tuple(recs)

    def _imports(self) -> None:
        imports: list[Import] = []
        for _ in range(self._counted("imports")):
            module, name = self._name(), self._name()
            at, kind = self.pos, self._byte()
            imports.append(Import(module, name, KINDS[kind] if kind < 5 else "", self._import_desc(kind, at)))
        self.parts["imports"] = tuple(imports)

    def _import_desc(self, kind: int, at: int) -> ImportDesc:
        data, end, gate = self.data, self.end, self.gate
        desc: ImportDesc
        if kind == 0:
            desc = self._u32()
        elif kind == 1:
            desc, self.pos = read_table_type(data, self.pos, end, gate)
        elif kind == 2:
            desc, self.pos = read_mem_type(data, self.pos, end, gate)
        elif kind == 3:
            desc, self.pos = read_global_type(data, self.pos, end, gate)
            if desc.mutable:
                gate.need(Feature.MUTABLE_GLOBALS, at)
        elif kind == 4:
            desc, self.pos = read_tag_type(data, self.pos, end, gate)
        else:
            raise _malformed("malformed import kind", at)
        return desc

    def _functions(self) -> None:
        count = self._counted("functions")
        self.type_indices, self.pos = read_indices(self.data, self.pos, self.end, count)

    def _tables(self) -> None:
        tables: list[Table] = []
        for _ in range(self._counted("tables")):
            at = self.pos
            explicit = self.data[at : at + 1] == b"\x40" and at < self.end
            if explicit:
                self.gate.need(Feature.FUNCTION_REFERENCES, at)
                self.pos += 1
                if self._byte():
                    raise body_error("zero_byte_expected", self.pos - 1)
            type, self.pos = read_table_type(self.data, self.pos, self.end, self.gate)
            init = None
            if explicit:
                init, self.pos = read_expression(self.data, self.pos, self.end, self.gate, self.limits)
            tables.append(Table(type, init))
        self.parts["tables"] = tuple(tables)

    def _memories(self) -> None:
        mems: list[MemType] = []
        for _ in range(self._counted("memories")):
            type, self.pos = read_mem_type(self.data, self.pos, self.end, self.gate)
            mems.append(type)
        self.parts["mems"] = tuple(mems)

    def _tags(self) -> None:
        self.gate.need(Feature.EXCEPTIONS, self.pos)
        tags: list[TagType] = []
        for _ in range(self._counted("tags")):
            type, self.pos = read_tag_type(self.data, self.pos, self.end, self.gate)
            tags.append(type)
        self.parts["tags"] = tuple(tags)

    def _globals(self) -> None:
        globals_: list[Global] = []
        for _ in range(self._counted("globals")):
            type, self.pos = read_global_type(self.data, self.pos, self.end, self.gate)
            init, self.pos = read_expression(self.data, self.pos, self.end, self.gate, self.limits)
            globals_.append(Global(type, init))
        self.parts["globals"] = tuple(globals_)

    def _exports(self) -> None:
        exports: list[Export] = []
        for _ in range(self._counted("exports")):
            name = self._name()
            at, kind = self.pos, self._byte()
            if kind > 4:
                raise _malformed("malformed export kind", at)
            if kind == 4:
                self.gate.need(Feature.EXCEPTIONS, at)
            exports.append(Export(name, KINDS[kind], self._u32()))
        self.parts["exports"] = tuple(exports)

    def _start(self) -> None:
        self.parts["start"] = self._u32()

    def _elements(self) -> None:
        elems: tuple[Elem, ...]
        elems, self.pos = read_elems(self.data, self.pos, self.end, self.gate, self.limits)
        self.parts["elems"] = elems

    def _data_count(self) -> None:
        self.gate.need(Feature.BULK_MEMORY, self.pos)
        self.parts["data_count"] = self._u32()

    def _code(self) -> None:
        self.offsets, self.lengths, self.pos = read_code(self.data, self.pos, self.end, self.limits)

    def _datas(self) -> None:
        self.parts["datas"], self.pos = read_datas(self.data, self.pos, self.end, self.gate, self.limits)


_READERS: dict[int, Callable[[_Decoder], None]] = {
    1: _Decoder._types,
    2: _Decoder._imports,
    3: _Decoder._functions,
    4: _Decoder._tables,
    5: _Decoder._memories,
    13: _Decoder._tags,
    6: _Decoder._globals,
    7: _Decoder._exports,
    8: _Decoder._start,
    9: _Decoder._elements,
    12: _Decoder._data_count,
    10: _Decoder._code,
    11: _Decoder._datas,
}
