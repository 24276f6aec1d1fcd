"""The rules of the special rows (specification 3.4): those that look at more than the top of the stack.

Indices are checked before operands, in the order of the specification's premises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.syntax.features import Feature
from interp.syntax.types import FUNCREF, I32, I64, BlockType, FuncType, NumType, RefType, TableType, ValType

from .checker import Checker, plural

Imm = tuple[Any, ...]
Rule = Callable[[Checker, Imm], None]


# Control instructions.


def _unreachable(c: Checker, imm: Imm) -> None:
    c.die()


def begin(c: Checker, name: str, type: BlockType) -> None:
    """Enter a block of a block type, with its operands."""
    signature = c.block_type(type)
    if name == "if":
        c.expect(I32)
    c.pop_all(signature.params)
    c.enter(name, signature.params, signature.results)


def _block(c: Checker, imm: Imm) -> None:
    begin(c, "block", imm[0])


def _loop(c: Checker, imm: Imm) -> None:
    begin(c, "loop", imm[0])


def _if(c: Checker, imm: Imm) -> None:
    begin(c, "if", imm[0])


def _else(c: Checker, imm: Imm) -> None:
    if c.frames[-1].name != "if":
        c.fail("else_without_if")
    frame = c.leave()
    c.enter("else", frame.start, frame.end)


def _end(c: Checker, imm: Imm) -> None:
    frame = c.frames[-1]
    if frame.name == "if" and not c.c.subtyping.values(frame.start, frame.end):
        c.fail("type_mismatch_else")
    c.leave()
    if c.frames:  # what the function's own end leaves is its caller's
        c.push_all(frame.end)


def _br(c: Checker, imm: Imm) -> None:
    c.pop_all(c.label(imm[0]))
    c.die()


def _br_if(c: Checker, imm: Imm) -> None:
    types = c.label(imm[0])
    c.expect(I32)
    c.pop_all(types)
    c.push_all(types)


def _br_table(c: Checker, imm: Imm) -> None:
    *labels, default = imm[0]
    c.expect(I32)
    arity = len(c.label(default))
    seen: set[int] = set()  # a table may name the same types a million times
    for label in labels:
        types = c.label(label)
        if id(types) not in seen:
            seen.add(id(types))
            if len(types) != arity:
                c.fail("type_mismatch_br_table")
            for found in c.pop_all(types):
                c.push(found)
    c.pop_all(c.label(default))
    c.die()


def _return(c: Checker, imm: Imm) -> None:
    c.pop_all(c.results)
    c.die()


def _called(c: Checker, index: int) -> FuncType:
    if index >= len(c.c.funcs):
        c.fail("unknown_function", index)
    return c.c.funcs[index]


def _called_indirect(c: Checker, imm: Imm) -> tuple[FuncType, NumType]:
    type, table = imm
    place = _table(c, table)
    if not c.matches(place.ref, FUNCREF):
        c.fail("call_indirect_table")
    return c.func_type(type), _table_address(place)


def _call(c: Checker, imm: Imm) -> None:
    type = _called(c, imm[0])
    c.pop_all(type.params)
    c.push_all(type.results)


def _call_indirect(c: Checker, imm: Imm) -> None:
    type, address = _called_indirect(c, imm)
    c.expect(address)
    c.pop_all(type.params)
    c.push_all(type.results)


def tail(c: Checker, type: FuncType) -> None:
    """A tail call of a function whose address or reference, if it has one, was popped."""
    if not c.c.subtyping.values(type.results, c.results):
        c.fail("type_mismatch", plural(c.results), plural(type.results))
    c.pop_all(type.params)
    c.die()


def _return_call(c: Checker, imm: Imm) -> None:
    tail(c, _called(c, imm[0]))


def _return_call_indirect(c: Checker, imm: Imm) -> None:
    type, address = _called_indirect(c, imm)
    c.expect(address)
    tail(c, type)


# Parametric and variable instructions.


def _drop(c: Checker, imm: Imm) -> None:
    c.pop()


def _select(c: Checker, imm: Imm) -> None:
    c.expect(I32)
    first, second = c.pop("a number"), c.pop("a number")
    for type in (first, second):
        if isinstance(type, RefType):
            c.fail("type_mismatch_select")
    if first is not None and second is not None and first is not second:
        c.fail("type_mismatch_select")
    c.push(second if first is None else first)


def _select_t(c: Checker, imm: Imm) -> None:
    types = imm[0]
    if len(types) != 1:
        c.fail("invalid_result_arity")
    type = c.value_type(types[0])
    c.expect(I32)
    c.expect(type)
    c.expect(type)
    c.push(type)


def _local(c: Checker, index: int) -> ValType:
    if index >= len(c.locals):
        c.fail("unknown_local", index)
    return c.locals[index]


def _local_get(c: Checker, imm: Imm) -> None:
    type = _local(c, imm[0])
    if imm[0] in c.unset:
        c.fail("uninitialized_local", imm[0])
    c.push(type)


def _local_set(c: Checker, imm: Imm) -> None:
    c.expect(_local(c, imm[0]))
    c.initialize(imm[0])


def _local_tee(c: Checker, imm: Imm) -> None:
    type = _local(c, imm[0])
    c.expect(type)
    c.initialize(imm[0])
    c.push(type)


def _global_get(c: Checker, imm: Imm) -> None:
    if imm[0] >= len(c.c.globals):
        c.fail("unknown_global", imm[0])
    c.push(c.c.globals[imm[0]].type)


def _global_set(c: Checker, imm: Imm) -> None:
    if imm[0] >= len(c.c.globals):
        c.fail("unknown_global", imm[0])
    type = c.c.globals[imm[0]]
    if not type.mutable:
        c.fail("immutable_global", imm[0])
    c.expect(type.type)


# Table instructions.


def _table(c: Checker, index: int) -> TableType:
    if index >= len(c.c.tables):
        c.fail("unknown_table", index)
    return c.c.tables[index]


def _table_address(table: TableType) -> NumType:
    return I64 if table.limits.index == "i64" else I32


def elem_segment(c: Checker, index: int) -> RefType:
    if index >= len(c.c.elems):
        c.fail("unknown_elem", index)
    return c.c.elems[index]


def _table_get(c: Checker, imm: Imm) -> None:
    table = _table(c, imm[0])
    c.expect(_table_address(table))
    c.push(table.ref)


def _table_set(c: Checker, imm: Imm) -> None:
    table = _table(c, imm[0])
    c.pop_all((_table_address(table), table.ref))


def _table_size(c: Checker, imm: Imm) -> None:
    c.push(_table_address(_table(c, imm[0])))


def _table_grow(c: Checker, imm: Imm) -> None:
    table = _table(c, imm[0])
    c.pop_all((table.ref, _table_address(table)))
    c.push(_table_address(table))


def _table_fill(c: Checker, imm: Imm) -> None:
    table = _table(c, imm[0])
    address = _table_address(table)
    c.pop_all((address, table.ref, address))


def _shorter(first: NumType, second: NumType) -> NumType:
    """The type of a length between two address types."""
    return I64 if first is I64 and second is I64 else I32


def _table_copy(c: Checker, imm: Imm) -> None:
    to, source = _table(c, imm[0]), _table(c, imm[1])
    if not c.matches(source.ref, to.ref):
        c.fail("type_mismatch_elem")
    first, second = _table_address(to), _table_address(source)
    c.pop_all((first, second, _shorter(first, second)))


def _table_init(c: Checker, imm: Imm) -> None:
    table = _table(c, imm[1])
    if not c.matches(elem_segment(c, imm[0]), table.ref):
        c.fail("type_mismatch_elem")
    c.pop_all((_table_address(table), I32, I32))


def _elem_drop(c: Checker, imm: Imm) -> None:
    elem_segment(c, imm[0])


# Memory instructions with more than a memory argument.


def data_segment(c: Checker, index: int) -> None:
    if index >= c.c.datas:
        c.fail("unknown_data", index)


def _memory_init(c: Checker, imm: Imm) -> None:
    address = c.address(imm[1])
    data_segment(c, imm[0])
    c.pop_all((address, I32, I32))


def _data_drop(c: Checker, imm: Imm) -> None:
    data_segment(c, imm[0])


def _memory_copy(c: Checker, imm: Imm) -> None:
    first, second = c.address(imm[0]), c.address(imm[1])
    c.pop_all((first, second, _shorter(first, second)))


# Reference instructions.


def _ref_null(c: Checker, imm: Imm) -> None:
    c.push(RefType(True, c.heap(imm[0])))


def _ref_is_null(c: Checker, imm: Imm) -> None:
    found = c.pop("a reference")
    if found is not None and not isinstance(found, RefType):
        c.fail("type_mismatch", "a reference", found)
    c.push(I32)


def _ref_func(c: Checker, imm: Imm) -> None:
    index = imm[0]
    if index >= len(c.c.funcs):
        c.fail("unknown_function", index)
    if index not in c.c.refs:
        c.fail("undeclared_reference", index)
    typed = Feature.FUNCTION_REFERENCES in c.c.features
    c.push(RefType(False, c.c.func_types[index]) if typed else FUNCREF)


SPECIAL: dict[str, Rule] = {
    "unreachable": _unreachable,
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "end": _end,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": _call,
    "call_indirect": _call_indirect,
    "return_call": _return_call,
    "return_call_indirect": _return_call_indirect,
    "drop": _drop,
    "select": _select,
    "select_t": _select_t,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "table.copy": _table_copy,
    "table.init": _table_init,
    "elem.drop": _elem_drop,
    "memory.init": _memory_init,
    "data.drop": _data_drop,
    "memory.copy": _memory_copy,
    "ref.null": _ref_null,
    "ref.is_null": _ref_is_null,
    "ref.func": _ref_func,
}
