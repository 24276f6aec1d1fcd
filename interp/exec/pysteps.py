"""How the special instructions are written as Python: each function takes l the lowering and the instruction."""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import pack, unpack
from typing import TYPE_CHECKING, Any

from interp.runtime.atomics import ATOMICS
from interp.runtime.numerics import WIDE
from interp.syntax.instructions import Ins

from .pyoperands import kind
from .pyvalues import NOTHING, M, Value, canonical, helper, number, whole

if TYPE_CHECKING:
    from .pylower import Lowering

    L = Lowering


def unreachable(l: L, ins: Ins) -> None:
    l.line("UNREACHABLE()")
    l.dead()


def nop(l: L, ins: Ins) -> None:
    pass


def return_(l: L, ins: Ins) -> None:
    l.give()
    l.dead()


def call(l: L, ins: Ins) -> None:
    l.call(l.use(f"F{ins.imm[0]}"), l.module.func_type(ins.imm[0]))


def call_indirect(l: L, ins: Ins) -> None:
    type_index, table = ins.imm
    type = l.func_type(type_index)
    index = l.popc()
    l.call(f"{l.use(f'CI{type_index}_{table}')}({index.text})", type)


def call_ref(l: L, ins: Ins) -> None:
    type = l.func_type(ins.imm[0])
    ref = l.popc()
    l.call(f"{l.use('CR')}({ref.text})", type)


def as_non_null(l: L, ins: Ins) -> None:
    ref = l.popc()
    l.result(f"NON_NULL({ref.text})", "ref")


def drop(l: L, ins: Ins) -> None:
    l.pop()


def select(l: L, ins: Ins) -> None:
    condition = l.popc()
    b, a = l.pop(), l.pop()
    loose = a.loose or b.loose
    if loose:
        a, b = canonical(a), canonical(b)
    reads = condition.reads | a.reads | b.reads
    depth = 1 + max(condition.depth, a.depth, b.depth)
    text = f"({a.text} if {condition.truth} else {b.text})"
    l.push(Value(text, a.type, min(a.lo, b.lo), max(a.hi, b.hi), reads, depth))


def local_get(l: L, ins: Ins) -> None:
    index = ins.imm[0]
    l.push(whole(f"l{index}", l.locals[index]))


def local_set(l: L, ins: Ins) -> None:
    index = ins.imm[0]
    v = l.popc()
    l.settle_readers(f"l{index}", len(l.stack))
    if v.text != f"l{index}":
        l.line(f"l{index} = {v.text}")


def local_tee(l: L, ins: Ins) -> None:
    index = ins.imm[0]
    v = l.popc()
    l.settle_readers(f"l{index}", len(l.stack))
    if v.text != f"l{index}":
        l.line(f"l{index} = {v.text}")
    l.push(whole(f"l{index}", l.locals[index]))


def global_get(l: L, ins: Ins) -> None:
    index = ins.imm[0]
    type = kind(l.module.global_types[index].type)
    hi = {"i32": M[32], "i64": M[64]}.get(type, 0)
    if type == "v128":
        l.result(f"{l.use(f'GI{index}')}.bits", type)
    else:
        l.result(f"{l.use(f'G{index}')}[0]", type, 0, hi)


def global_set(l: L, ins: Ins) -> None:
    index = ins.imm[0]
    v = l.popc()
    if kind(l.module.global_types[index].type) == "v128":
        l.line(f"{l.use(f'GI{index}')}.bits = {v.text}")
    else:
        l.line(f"{l.use(f'G{index}')}[0] = {v.text}")


def constant(l: L, ins: Ins) -> None:
    l.push(number(ins.op.name[:3], ins.imm[0]))


def f32_const(l: L, ins: Ins) -> None:
    l.push(Value(str(ins.imm[0]), "f32"))


def f64_const(l: L, ins: Ins) -> None:
    bits: int = ins.imm[0]
    x: float = unpack("<d", pack("<Q", bits))[0]
    if math.isfinite(x):
        text = repr(x)
        l.push(Value(text if text[0] != "-" else f"({text})", "f64"))
    else:
        name = l.use(f"K{bits:016x}")
        l.push(Value(name, "f64", 0, 0, frozenset((name,))))


def ref_null(l: L, ins: Ins) -> None:
    l.push(Value("0", "ref"))


def ref_is_null(l: L, ins: Ins) -> None:
    v = l.pop()
    l.push(Value(f"(0 if {v.text} else 1)", "i32", 0, 1, v.reads, v.depth + 1, f"(not {v.text})"))


def ref_func(l: L, ins: Ins) -> None:
    name = l.use(f"R{ins.imm[0]}")
    l.push(Value(name, "ref", 0, 0, NOTHING, 0))


def table_get(l: L, ins: Ins) -> None:
    index = l.popc()
    l.result(f"{l.use(f'T{ins.imm[0]}')}.get({index.text})", "ref")


def table_set(l: L, ins: Ins) -> None:
    ref = l.popc()
    index = l.popc()
    l.line(f"{l.use(f'T{ins.imm[0]}')}.set({index.text}, {ref.text})")


def table_size(l: L, ins: Ins) -> None:
    type = l.module.table_types[ins.imm[0]].limits.index
    l.result(f"{l.use(f'T{ins.imm[0]}')}.length", type, 0, M[32])


def memory_size(l: L, ins: Ins) -> None:
    type = l.module.mem_types[ins.imm[0]].limits.index
    l.result(f"{l.use(f'MEM{ins.imm[0]}')}.pages", type, 0, M[32 if type == "i32" else 64])


def _named(l: L, count: int) -> list[str]:
    """The topmost operands, named so that they may be written twice, and popped."""
    low = len(l.stack) - count
    for position in range(low, len(l.stack)):
        l.stack[position] = canonical(l.stack[position])
        l.simple(position)
    texts = [v.text for v in l.stack[low:]]
    del l.stack[low:]
    return texts


def memory_grow(l: L, ins: Ins) -> None:
    (delta,) = _named(l, 1)
    mem = ins.imm[0]
    l.charge(f"GROW_TICKS(I, {mem}, {delta})")
    type = l.module.mem_types[mem].limits.index
    l.result(f"GROW(I, {mem}, {delta})", type, 0, M[32 if type == "i32" else 64])


def table_grow(l: L, ins: Ins) -> None:
    ref, delta = _named(l, 2)
    table = ins.imm[0]
    l.charge(f"TABLE_GROW_TICKS(I, {table}, {delta})")
    type = l.module.table_types[table].limits.index
    l.result(f"TABLE_GROW(I, {table}, {ref}, {delta})", type, 0, M[32 if type == "i32" else 64])


def atomic(l: L, ins: Ins) -> None:
    """An atomic access, as a call of its meaning."""
    params = len(ins.op.params or ())
    address, *values = _named(l, params)
    _, offset, mem = ins.imm[0]
    args = ", ".join([l.use(f"MEM{mem}"), address, str(offset), *values])
    called = f"{l.use(helper(ins.op))}({args})"
    if ins.op.results:
        type = ins.op.results[0]
        l.result(called, type, 0, M[32 if type == "i32" else 64])
    else:
        l.line(called)


def wide(l: L, ins: Ins) -> None:
    """A plain instruction with several results."""
    args = _named(l, len(ins.op.params or ()))
    low = len(l.stack)
    results = ins.op.results or ()
    names = [f"s{low + i}" for i in range(len(results))]
    for name in names:
        l.settle_readers(name, low)
    l.line(f"{', '.join(names)} = {l.use(helper(ins.op))}({', '.join(args)})")
    l.stack += [whole(name, type) for name, type in zip(names, results, strict=True)]


def bulk(function: str, unit: int) -> Callable[[Any, Ins], None]:
    """A bulk operation of three operands, the last one the count."""

    def write(l: L, ins: Ins) -> None:
        d, s, n = _named(l, 3)
        amount = n if unit == 1 else f"{unit} * {n}"
        l.charge(f"BULK_TICKS({amount})")
        indices = ", ".join(str(i) for i in ins.imm)
        l.line(f"WORK({l.ticks}, {function}(I, {indices}, {d}, {s}, {n}))")

    return write


def dropped(function: str) -> Callable[[Any, Ins], None]:
    """data.drop and elem.drop."""

    def write(l: L, ins: Ins) -> None:
        l.line(f"{function}(I, {ins.imm[0]})")

    return write


SIMPLE: dict[str, Callable[[Any, Ins], None]] = {
    "unreachable": unreachable,
    "nop": nop,
    "block": lambda l, ins: l.enter(ins),
    "loop": lambda l, ins: l.enter(ins),
    "if": lambda l, ins: l.if_(ins),
    "else": lambda l, ins: l.else_(live=True),
    "end": lambda l, ins: l.end(live=True),
    "br": lambda l, ins: l.br(ins),
    "br_if": lambda l, ins: l.br_if(ins),
    "br_table": lambda l, ins: l.br_table(ins),
    "return": return_,
    "call": call,
    "call_indirect": call_indirect,
    "call_ref": call_ref,
    "ref.as_non_null": as_non_null,
    "drop": drop,
    "select": select,
    "select_t": select,
    "local.get": local_get,
    "local.set": local_set,
    "local.tee": local_tee,
    "global.get": global_get,
    "global.set": global_set,
    "i32.const": constant,
    "i64.const": constant,
    "f32.const": f32_const,
    "f64.const": f64_const,
    "ref.null": ref_null,
    "ref.is_null": ref_is_null,
    "ref.func": ref_func,
    "table.get": table_get,
    "table.set": table_set,
    "table.size": table_size,
    "table.grow": table_grow,
    "table.fill": bulk("TABLE_FILL", 8),
    "table.copy": bulk("TABLE_COPY", 8),
    "table.init": bulk("TABLE_INIT", 8),
    "elem.drop": dropped("ELEM_DROP"),
    "memory.size": memory_size,
    "memory.grow": memory_grow,
    "memory.fill": bulk("MEMORY_FILL", 1),
    "memory.copy": bulk("MEMORY_COPY", 1),
    "memory.init": bulk("MEMORY_INIT", 1),
    "data.drop": dropped("DATA_DROP"),
    "atomic.fence": nop,
    **dict.fromkeys(ATOMICS, atomic),
    **dict.fromkeys(WIDE, wide),
}
