"""The rules of a module besides its bodies (specification 3.2 and 3.5), and the features that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interp.binary.lists import DataList
from interp.binary.types import heap_feature
from interp.syntax.errors import InvalidError, Where
from interp.syntax.features import Feature
from interp.syntax.limits import VmLimits
from interp.syntax.module import Data, Elem, Expr, Module
from interp.syntax.types import (
    I32,
    I64,
    CompType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    RefType,
    TableType,
    ValType,
)

from .checker import is_defaultable
from .constants import Constants
from .context import Context
from .rules_types import check_types, check_value_type
from .subtyping import Subtyping


def _invalid(message: str, context: str = "", at: int = -1) -> InvalidError:
    return InvalidError(message, Where(at if at >= 0 else None, context=context))


# Features.


def module_needs(module: Module) -> dict[Feature, str]:
    """What a module needs apart from its code, each with the first place that needs it: types, imports, segments."""
    needs: dict[Feature, str] = {Feature.MVP: ""}
    for feature, where in _needs(module):
        needs.setdefault(feature, where)
    return needs


def _needs(module: Module) -> Iterator[tuple[Feature, str]]:
    count = len(module.types)
    for index, sub in enumerate(module.types):
        where = f"type {index}"
        if not isinstance(sub.comp, FuncType) or sub.supers or not sub.final:
            yield Feature.GC, where
        if isinstance(sub.comp, FuncType):
            if len(sub.comp.results) > 1:
                yield Feature.MULTI_VALUE, where
            for type in (*sub.comp.params, *sub.comp.results):
                yield from _type_needs(type, where)
                if isinstance(type, RefType) and isinstance(type.heap, int) and index <= type.heap < count:
                    yield Feature.GC, where  # before it, a type could name earlier types only
    for index, table in enumerate(module.table_types):
        where = f"table {index}"
        if table.ref.heap != "func" or not table.ref.nullable:
            yield heap_feature(table.ref.heap, table.ref.nullable), where
        yield from _limit_needs(table.limits, where)
        if index:
            yield Feature.REFERENCE_TYPES, where
    for index, own in enumerate(module.tables, len(module.table_types) - len(module.tables)):
        if own.init is not None:
            yield Feature.FUNCTION_REFERENCES, f"table {index}"
    for index, mem in enumerate(module.mem_types):
        where = f"memory {index}"
        yield from _limit_needs(mem.limits, where)
        if mem.page_log2 != 16:
            yield Feature.CUSTOM_PAGE_SIZES, where
        if index:
            yield Feature.MULTI_MEMORY, where
    if module.tag_types:
        yield Feature.EXCEPTIONS, "tag 0"
    for index, item in enumerate(module.global_types):
        yield from _type_needs(item.type, f"global {index}")
    if _exchanges_mutable(module):
        yield Feature.MUTABLE_GLOBALS, "imports and exports"
    for index, elem in enumerate(module.elems):
        where = f"elem {index}"
        if not elem.funcs:
            yield heap_feature(elem.ref.heap, elem.ref.nullable), where
        if elem.mode != "active" or not elem.funcs:
            yield Feature.BULK_MEMORY, where
    if module.data_count is not None:
        yield Feature.BULK_MEMORY, "data count section"
    for index, data in _numbered_datas(module):
        if data.mode == "passive":
            yield Feature.BULK_MEMORY, f"data {index}"


def _type_needs(type: ValType, where: str) -> Iterator[tuple[Feature, str]]:
    if isinstance(type, RefType):
        yield heap_feature(type.heap, type.nullable), where
    elif type.name == "v128":
        yield Feature.SIMD, where


def _limit_needs(limits: Limits, where: str) -> Iterator[tuple[Feature, str]]:
    if limits.index == "i64":
        yield Feature.MEMORY64, where
    if limits.shared:
        yield Feature.THREADS, where


def _exchanges_mutable(module: Module) -> bool:
    types = module.global_types
    if any(isinstance(item.desc, GlobalType) and item.desc.mutable for item in module.imports):
        return True
    exported = (export.index for export in module.exports if export.kind == "global")
    return any(index < len(types) and types[index].mutable for index in exported)


def _unusual_datas(module: Module) -> Iterator[Data]:
    """The data segments but for the many that are active, in memory 0, at a constant."""
    return (data for _, data in _numbered_datas(module))


def _numbered_datas(module: Module) -> Iterator[tuple[int, Data]]:
    datas = module.datas
    return iter(datas.others.items()) if isinstance(datas, DataList) else enumerate(datas)


# The context.


def make_context(module: Module, features: frozenset[Feature], limits: VmLimits) -> Context:
    """The context of a module. Raises InvalidError where it needs a type that is not there or is no function type."""
    definitions = check_types(module, limits)
    types = [sub.comp for sub in module.types]
    own = module.funcs
    indices = [item.desc for item in module.imports if isinstance(item.desc, int)]
    indices += getattr(own, "type_indices", None) or [func.type_index for func in own]
    funcs = [_function_type(types, index, f"func {number}") for number, index in enumerate(indices)]
    tags = [_function_type(types, tag.type_index, f"tag {number}") for number, tag in enumerate(module.tag_types)]
    typed = Feature.FUNCTION_REFERENCES in features
    return Context(
        types=types,
        definitions=definitions,
        subtyping=Subtyping(definitions.__getitem__),
        funcs=funcs,
        func_types=indices,
        tables=module.table_types,
        mems=module.mem_types,
        tags=tags,
        globals=module.global_types,
        elems=[_FUNCTION if typed and elem.funcs else elem.ref for elem in module.elems],
        datas=len(module.datas) if module.data_count is None else module.data_count,
        refs=_declared(module),
        features=features,
        limits=limits,
    )


#: The type of the elements that function indices stand for.
_FUNCTION = RefType(False, "func")


def _function_type(types: Sequence[CompType], index: int, where: str) -> FuncType:
    type = types[index] if index < len(types) else None
    if not isinstance(type, FuncType):
        raise _invalid(f"unknown type {index}", where)
    return type


def _declared(module: Module) -> frozenset[int]:
    """The functions that occur outside of bodies and the start section."""
    refs = {export.index for export in module.exports if export.kind == "func"}
    for elem in module.elems:
        if elem.funcs:
            refs.update(item for item in elem.items if isinstance(item, int))
    for code in _expressions(module):
        refs.update(ins.imm[0] for ins in code if ins.op.name == "ref.func")
    return frozenset(refs)


def _expressions(module: Module) -> Iterator[Expr]:
    for item in module.globals:
        yield item.init
    for table in module.tables:
        if table.init is not None:
            yield table.init
    for elem in module.elems:
        yield elem.offset
        if not elem.funcs:
            for code in elem.items:
                if not isinstance(code, int):
                    yield code
    for data in _unusual_datas(module):
        yield data.offset


# The rules.


def check_module(module: Module, context: Context) -> set[Feature]:
    """All rules but those of bodies; gives the features that constant expressions need. Raises InvalidError."""
    constants = Constants(context, len(module.imported("global")))
    types = len(context.types)
    for index, table in enumerate(context.tables):
        check_value_type(table.ref, types, f"table {index}")
        _check_table(table, f"table {index}")
    for index, mem in enumerate(context.mems):
        _check_mem(mem, f"memory {index}")
    for index, tag in enumerate(context.tags):
        if tag.results:
            raise _invalid("non-empty tag result type", f"tag {index}")
    for index, type in enumerate(context.globals):
        check_value_type(type.type, types, f"global {index}")
    imported = len(context.globals) - len(module.globals)
    for index, item in enumerate(module.globals):
        constants.check(item.init, item.type.type, f"global {imported + index}", index)
    for index, own in enumerate(module.tables, len(context.tables) - len(module.tables)):
        if own.init is not None:
            constants.check(own.init, own.type.ref, f"table {index}", 0)
        elif not is_defaultable(own.type.ref):
            raise _invalid("type mismatch: a table without initial value needs nullable elements", f"table {index}")
    for index, elem in enumerate(module.elems):
        check_value_type(elem.ref, types, f"elem {index}")
        _check_elem(elem, context.elems[index], context, constants, f"elem {index}")
    _check_datas(module, context, constants)
    _check_start(module, context)
    _check_exports(module, context)
    return constants.used


def _check_limits(limits: Limits, bound: int, too_large: str, where: str) -> None:
    if limits.min > bound or (limits.max is not None and limits.max > bound):
        raise _invalid(too_large, where)
    if limits.max is not None and limits.min > limits.max:
        raise _invalid("size minimum must not be greater than maximum", where)


def _check_table(table: TableType, where: str) -> None:
    bits = 64 if table.limits.index == "i64" else 32
    _check_limits(table.limits, (1 << bits) - 1, f"table size must be at most 2^{bits}-1", where)


def _check_mem(mem: MemType, where: str) -> None:
    wide = mem.limits.index == "i64"
    if mem.page_log2 not in (0, 16):
        raise _invalid(f"invalid custom page size 2^{mem.page_log2}", where)
    bits = 64 if wide else 32
    bound = min(1 << bits - mem.page_log2, (1 << bits) - 1)
    size = "" if mem.page_log2 != 16 else " (16EiB)" if wide else " (4GiB)"
    _check_limits(mem.limits, bound, f"memory size must be at most {bound} pages{size}", where)
    if mem.limits.shared and mem.limits.max is None:
        raise _invalid("shared memory must have maximum", where)


def _address(limits: Limits) -> NumType:
    return I64 if limits.index == "i64" else I32


def _check_elem(elem: Elem, type: RefType, context: Context, constants: Constants, where: str) -> None:
    if elem.mode == "active":
        if elem.table >= len(context.tables):
            raise _invalid(f"unknown table {elem.table}", where, elem.at)
        table = context.tables[elem.table]
        if not context.subtyping.ref(type, table.ref):
            raise _invalid("type mismatch: element and table types differ", where, elem.at)
        constants.check(elem.offset, _address(table.limits), where)
    for item in elem.items:
        if isinstance(item, int):
            if item >= len(context.funcs):
                raise _invalid(f"unknown function {item}", where, elem.at)
        else:
            constants.check(item, elem.ref, where)


def _check_datas(module: Module, context: Context, constants: Constants) -> None:
    datas = module.datas
    if isinstance(datas, DataList) and datas.simple:
        if not context.mems:
            raise _invalid("unknown memory 0", "data 0")
        if context.mems[0].limits.index == "i64":
            raise _invalid("type mismatch: the memory has 64-bit addresses", "data 0")
    for index, data in _numbered_datas(module):
        if data.mode == "active":
            if data.mem >= len(context.mems):
                raise _invalid(f"unknown memory {data.mem}", f"data {index}", data.at)
            constants.check(data.offset, _address(context.mems[data.mem].limits), f"data {index}")


def _check_start(module: Module, context: Context) -> None:
    if module.start is None:
        return
    if module.start >= len(context.funcs):
        raise _invalid(f"unknown function {module.start}", "start")
    if context.funcs[module.start] != FuncType():
        raise _invalid("start function must not have parameters or results", "start")


def _check_exports(module: Module, context: Context) -> None:
    sizes = {
        "func": ("function", len(context.funcs)),
        "table": ("table", len(context.tables)),
        "memory": ("memory", len(context.mems)),
        "global": ("global", len(context.globals)),
        "tag": ("tag", len(module.tag_types)),
    }
    names: set[str] = set()
    for export in module.exports:
        kind, size = sizes[export.kind]
        if export.index >= size:
            raise _invalid(f"unknown {kind} {export.index}", f"export {export.name!r}")
        if export.name in names:
            raise _invalid("duplicate export name", f"export {export.name!r}")
        names.add(export.name)
