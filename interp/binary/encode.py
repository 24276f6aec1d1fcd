"""Modules to bytes (specification 5.5): those from text, those from bytes, and those that were built."""

from __future__ import annotations

from collections.abc import Callable

from interp.syntax.hints import BRANCH_HINT, encode_hints
from interp.syntax.module import Custom, Data, Elem, Export, Func, Global, Import, Module, Table
from interp.syntax.types import FUNCREF, GlobalType, MemType, TableType

from . import write
from .decode import KINDS, SECTIONS
from .leb128 import unsigned
from .write import expression, name, vector


def encode(module: Module) -> bytes:
    """The module in the binary format, with its custom sections in their places.

    Bodies of a module from bytes are copied as they are. A data count section is written if the module has one or if a
    body needs it.
    """
    code = [_body(module, func) for func in module.funcs]
    out = [b"\0asm\1\0\0\0", *_customs(module, 0)]
    for id in SECTIONS:
        contents = _section(module, id, code)
        if id == 10 and module.branch_hints:
            out.append(_hints(module))
        if contents:
            out.append(bytes((id,)) + unsigned(len(contents)) + contents)
        out += _customs(module, id)
    return b"".join(out)


def _customs(module: Module, after: int) -> list[bytes]:
    return [_custom(custom) for custom in module.customs if custom.after == after]


def _hints(module: Module) -> bytes:
    """The section of branch hints of a module from text, which stands before the code."""
    first = module.imported_funcs
    hints = {}
    for index, numbers in module.branch_hints.items():
        starts = write.starts(*module.funcs[index - first].contents)
        hints[index] = {starts[number]: likely for number, likely in numbers.items()}
    return _custom(Custom(BRANCH_HINT, encode_hints(hints)))


def _custom(custom: Custom) -> bytes:
    contents = name(custom.name) + bytes(custom.data)
    return b"\0" + unsigned(len(contents)) + contents


def _section(module: Module, id: int, code: list[bytes]) -> bytes:
    """The contents of a section, empty if it is not needed."""
    if id == 12:
        count = module.data_count
        if count is None and not module.binary and any(_needs_data_count(func) for func in module.funcs):
            count = len(module.datas)
        return b"" if count is None else unsigned(count)
    if id == 8:
        return b"" if module.start is None else unsigned(module.start)
    items = code if id == 10 else _ITEMS[id](module)
    return vector(items) if items else b""


def _needs_data_count(func: Func) -> bool:
    return any("data" in ins.op.immediates for ins in func.body)


def _body(module: Module, func: Func) -> bytes:
    if module.binary and func.offset >= 0:
        contents = module.binary[func.offset : func.offset + func.length]
    else:
        contents = write.body(func.locals, func.body)
    return unsigned(len(contents)) + contents


_KINDS = {kind: code for code, kind in enumerate(KINDS)}


def _import(item: Import) -> bytes:
    desc = item.desc
    if isinstance(desc, int):
        contents = unsigned(desc)
    elif isinstance(desc, TableType):
        contents = write.table_type(desc)
    elif isinstance(desc, MemType):
        contents = write.mem_type(desc)
    elif isinstance(desc, GlobalType):
        contents = write.global_type(desc)
    else:
        contents = write.tag_type(desc)
    return name(item.module) + name(item.name) + bytes((_KINDS[item.kind],)) + contents


def _table(table: Table) -> bytes:
    if table.init is None:
        return write.table_type(table.type)
    return b"\x40\0" + write.table_type(table.type) + expression(table.init)


def _global(item: Global) -> bytes:
    return write.global_type(item.type) + expression(item.init)


def _export(export: Export) -> bytes:
    return name(export.name) + bytes((_KINDS[export.kind],)) + unsigned(export.index)


def _elem(elem: Elem) -> bytes:
    """Flags: bit 0 not active, bit 1 a table index or declarative, bit 2 expressions for items."""
    flags = (0 if elem.funcs else 4) | {"active": 0, "passive": 1, "declarative": 3}[elem.mode]
    if elem.mode == "active" and (elem.table or (not elem.funcs and elem.ref != FUNCREF)):
        flags |= 2
    out = unsigned(flags)
    if elem.mode == "active":
        out += (unsigned(elem.table) if flags & 2 else b"") + expression(elem.offset)
    if flags & 3:
        out += b"\0" if elem.funcs else write.val_type(elem.ref)
    return out + vector([unsigned(item) if isinstance(item, int) else expression(item) for item in elem.items])


def _data(data: Data) -> bytes:
    if data.mode == "passive":
        head = b"\1"
    else:
        head = (b"\2" + unsigned(data.mem) if data.mem else b"\0") + expression(data.offset)
    return head + unsigned(len(data.init)) + bytes(data.init)


_ITEMS: dict[int, Callable[[Module], list[bytes]]] = {
    1: lambda module: list(map(write.rec_type, module.rec_types)),
    2: lambda module: list(map(_import, module.imports)),
    3: lambda module: [unsigned(func.type_index) for func in module.funcs],
    4: lambda module: list(map(_table, module.tables)),
    5: lambda module: list(map(write.mem_type, module.mems)),
    13: lambda module: list(map(write.tag_type, module.tags)),
    6: lambda module: list(map(_global, module.globals)),
    7: lambda module: list(map(_export, module.exports)),
    9: lambda module: list(map(_elem, module.elems)),
    11: lambda module: list(map(_data, module.datas)),
}
