"""The reference engine's steps: what each instruction does to the machine (specification 4.4), one function each.

Every function takes t the thread, f the current frame, s the value stack and x the operand (see code.py). The program
counter stands behind the instruction already. A step that cannot be paid for raises before it has changed anything,
since it will be repeated; a trap is raised as Trap; an exit of the machine as Leave.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any

from interp.runtime import bulk
from interp.runtime.atomics import ATOMICS, Atomic
from interp.runtime.bulk import bulk_ticks
from interp.runtime.numerics import NUMERICS, WIDE, Numeric
from interp.runtime.vectors import LANE_SHAPES, LOADED, VECTORS, Vector
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.instructions import BY_NAME, MemArg

if TYPE_CHECKING:
    from interp.runtime.store import FuncInst, HostFunc

    from .code import Block
    from .reference import Frame, ReferenceThread

    T = ReferenceThread
    F = Frame
    S = list[int]

Handler = Callable[["ReferenceThread", "Frame", list[int], Any], None]

# -- control --------------------------------------------------------------------------------------------------------


def unreachable(t: T, f: F, s: S, x: None) -> None:
    raise Trap(TRAPS["unreachable"])


def nop(t: T, f: F, s: S, x: None) -> None:
    pass


def enter_block(t: T, f: F, s: S, block: Block) -> None:
    f.labels.append((len(s) - block.params, block, 0))


def if_(t: T, f: F, s: S, block: Block) -> None:
    condition = s.pop()
    f.labels.append((len(s) - block.params, block, 0))
    if not condition:
        f.pc = block.otherwise


def else_(t: T, f: F, s: S, end: int) -> None:
    f.pc = end  # the first arm is over; `end` leaves the block


def end(t: T, f: F, s: S, x: None) -> None:
    f.labels.pop()


def end_of_function(t: T, f: F, s: S, x: None) -> None:
    t.return_()


def br(t: T, f: F, s: S, depth: int) -> None:
    height, block, _ = f.labels[-1 - depth]
    if block.loop:
        t.charge(1)
        if depth:
            del f.labels[-depth:]
    else:
        del f.labels[-1 - depth :]
    unwind(s, height, block.arity)
    f.pc = block.target


def unwind(s: S, height: int, arity: int) -> None:
    """Drop what lies between `height` and the `arity` topmost values."""
    surplus = len(s) - arity
    if surplus > height:
        del s[height:surplus]


def br_if(t: T, f: F, s: S, depth: int) -> None:
    if not s[-1]:
        s.pop()
        return
    t.ensure_branch(f, depth)
    s.pop()
    br(t, f, s, depth)


def br_table(t: T, f: F, s: S, depths: tuple[int, ...]) -> None:
    index = s[-1]
    depth = depths[index] if index < len(depths) else depths[-1]
    t.ensure_branch(f, depth)
    s.pop()
    br(t, f, s, depth)


def return_(t: T, f: F, s: S, x: None) -> None:
    unwind(s, f.height, f.code.arity)
    t.return_()


def call(t: T, f: F, s: S, index: int) -> None:
    t.call(f.module.funcs[index])


def call_indirect(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.call(_called(t, f, s, *x), above=1)


def return_call(t: T, f: F, s: S, index: int) -> None:
    t.tail_call(f.module.funcs[index])


def return_call_indirect(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.tail_call(_called(t, f, s, *x), above=1)


def call_ref(t: T, f: F, s: S, type_index: int) -> None:
    t.call(_referred(t, s), above=1)


def return_call_ref(t: T, f: F, s: S, type_index: int) -> None:
    t.tail_call(_referred(t, s), above=1)


def _referred(t: T, s: S) -> FuncInst | HostFunc:
    if s[-1] == 0:
        raise Trap(TRAPS["null_function"])
    return t.store.funcs[s[-1] - 1]


def _called(t: T, f: F, s: S, type_index: int, table_index: int) -> FuncInst | HostFunc:
    """The function that the index on top of the stack calls through a table."""
    table = f.module.tables[table_index]
    index = s[-1]
    if index >= table.length:
        raise Trap(f"{TRAPS['undefined_element']} {index}")
    ref = table.cells[index]
    if ref == 0:
        raise Trap(f"{TRAPS['uninitialized_element']} {index}")
    func = t.store.funcs[ref - 1]
    wanted = f.module.type_ids[type_index]
    if func.type_id != wanted and wanted not in func.definition.ancestors:
        raise Trap(TRAPS["call_type_mismatch"])
    return func


# -- references, parametric, variables ------------------------------------------------------------------------------


def ref_null(t: T, f: F, s: S, heap: Any) -> None:
    s.append(0)


def ref_is_null(t: T, f: F, s: S, x: None) -> None:
    s[-1] = 0 if s[-1] else 1


def as_non_null(t: T, f: F, s: S, x: None) -> None:
    if s[-1] == 0:
        raise Trap(TRAPS["null_reference"])


def br_on_null(t: T, f: F, s: S, depth: int) -> None:
    if s[-1] == 0:
        t.ensure_branch(f, depth)
        s.pop()
        br(t, f, s, depth)


def br_on_non_null(t: T, f: F, s: S, depth: int) -> None:
    if s[-1] == 0:
        s.pop()
    else:
        br(t, f, s, depth)


def ref_func(t: T, f: F, s: S, index: int) -> None:
    s.append(f.module.func_addr(index) + 1)


def drop(t: T, f: F, s: S, x: None) -> None:
    s.pop()


def select(t: T, f: F, s: S, types: Any) -> None:
    condition = s.pop()
    second = s.pop()
    if not condition:
        s[-1] = second


def local_get(t: T, f: F, s: S, index: int) -> None:
    s.append(f.locals[index])


def local_set(t: T, f: F, s: S, index: int) -> None:
    f.locals[index] = s.pop()


def local_tee(t: T, f: F, s: S, index: int) -> None:
    f.locals[index] = s[-1]


def global_get(t: T, f: F, s: S, index: int) -> None:
    s.append(f.module.globals[index].bits)


def global_set(t: T, f: F, s: S, index: int) -> None:
    f.module.globals[index].bits = s.pop()


# -- tables ---------------------------------------------------------------------------------------------------------


def table_get(t: T, f: F, s: S, table: int) -> None:
    s[-1] = f.module.tables[table].get(s[-1])


def table_set(t: T, f: F, s: S, table: int) -> None:
    ref = s.pop()
    f.module.tables[table].set(s.pop(), ref)


def table_size(t: T, f: F, s: S, table: int) -> None:
    s.append(f.module.tables[table].length)


def table_grow(t: T, f: F, s: S, table: int) -> None:
    t.charge(bulk.table_grow_ticks(f.module, table, s[-1]))
    delta = s.pop()
    s[-1] = bulk.table_grow(f.module, table, s[-1], delta)


def table_fill(t: T, f: F, s: S, table: int) -> None:
    t.charge(bulk_ticks(8 * s[-1]))
    d, ref, n = pop3(s)
    t.work(bulk.table_fill(f.module, table, d, ref, n))


def table_copy(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge(bulk_ticks(8 * s[-1]))
    t.work(bulk.table_copy(f.module, *x, *pop3(s)))


def table_init(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge(bulk_ticks(8 * s[-1]))
    t.work(bulk.table_init(f.module, *x, *pop3(s)))


def elem_drop(t: T, f: F, s: S, elem: int) -> None:
    bulk.elem_drop(f.module, elem)


def pop3(s: S) -> tuple[int, int, int]:
    """The three topmost values, the deepest first."""
    third = s.pop()
    second = s.pop()
    return s.pop(), second, third


# -- memories -------------------------------------------------------------------------------------------------------


def memory_size(t: T, f: F, s: S, mem: int) -> None:
    s.append(f.module.mems[mem].pages)


def memory_grow(t: T, f: F, s: S, mem: int) -> None:
    t.charge(bulk.memory_grow_ticks(f.module, mem, s[-1]))
    s[-1] = bulk.memory_grow(f.module, mem, s[-1])


def memory_fill(t: T, f: F, s: S, mem: int) -> None:
    t.charge(bulk_ticks(s[-1]))
    t.work(bulk.memory_fill(f.module, mem, *pop3(s)))


def memory_copy(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge(bulk_ticks(s[-1]))
    t.work(bulk.memory_copy(f.module, *x, *pop3(s)))


def memory_init(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge(bulk_ticks(s[-1]))
    t.work(bulk.memory_init(f.module, *x, *pop3(s)))


def data_drop(t: T, f: F, s: S, data: int) -> None:
    bulk.data_drop(f.module, data)


def load(format: str, bits: int) -> Handler:
    """A load of one little-endian number in struct's notation, widened to `bits`."""
    number = Struct("<" + format)
    unpack, width, mask = number.unpack_from, number.size, (1 << bits) - 1

    def step(t: T, f: F, s: S, x: MemArg) -> None:
        memory = f.module.mems[x.mem]
        ea = memory.effective_address(s[-1], x.offset, width)
        s[-1] = unpack(memory.view, ea)[0] & mask

    return step


def store(format: str) -> Handler:
    """A store of the low bytes of a value as one little-endian number in struct's notation."""
    number = Struct("<" + format)
    pack, width = number.pack_into, number.size
    mask = (1 << 8 * width) - 1

    def step(t: T, f: F, s: S, x: MemArg) -> None:
        memory = f.module.mems[x.mem]
        bits = s.pop()
        ea = memory.effective_address(s.pop(), x.offset, width)
        pack(memory.view, ea, bits & mask)

    return step


def load_vector(width: int, meaning: Vector) -> Handler:
    """A load of some bytes and what vector they become."""

    def step(t: T, f: F, s: S, x: MemArg) -> None:
        memory = f.module.mems[x.mem]
        ea = memory.effective_address(s[-1], x.offset, width)
        s[-1] = meaning(int.from_bytes(memory.view[ea : ea + width], "little"))

    return step


def store_vector(t: T, f: F, s: S, x: MemArg) -> None:
    memory = f.module.mems[x.mem]
    bits = s.pop()
    ea = memory.effective_address(s.pop(), x.offset, 16)
    memory.view[ea : ea + 16] = bits.to_bytes(16, "little")


def load_lane(width: int, replace: Vector) -> Handler:
    """A load of some bytes into a lane of that width."""

    def step(t: T, f: F, s: S, x: tuple[MemArg, int]) -> None:
        (_, offset, mem), lane = x
        memory = f.module.mems[mem]
        vector = s.pop()
        ea = memory.effective_address(s[-1], offset, width)
        s[-1] = replace(vector, int.from_bytes(memory.view[ea : ea + width], "little"), lane)

    return step


def store_lane(width: int) -> Handler:
    """A store of a lane of some bytes."""

    def step(t: T, f: F, s: S, x: tuple[MemArg, int]) -> None:
        (_, offset, mem), lane = x
        memory = f.module.mems[mem]
        vector = s.pop()
        ea = memory.effective_address(s.pop(), offset, width)
        memory.view[ea : ea + width] = vector.to_bytes(16, "little")[width * lane : width * (lane + 1)]

    return step


# -- numbers and vectors --------------------------------------------------------------------------------------------


def const(t: T, f: F, s: S, bits: int) -> None:
    s.append(bits)


def unary(t: T, f: F, s: S, meaning: Numeric) -> None:
    s[-1] = meaning(s[-1])


def binary(t: T, f: F, s: S, meaning: Numeric) -> None:
    b = s.pop()
    s[-1] = meaning(s[-1], b)


def ternary(t: T, f: F, s: S, meaning: Vector) -> None:
    c = s.pop()
    b = s.pop()
    s[-1] = meaning(s[-1], b, c)


def unary_at(t: T, f: F, s: S, x: tuple[Vector, Any]) -> None:
    meaning, immediate = x
    s[-1] = meaning(s[-1], immediate)


def binary_at(t: T, f: F, s: S, x: tuple[Vector, Any]) -> None:
    meaning, immediate = x
    b = s.pop()
    s[-1] = meaning(s[-1], b, immediate)


def wide(operands: int) -> Handler:
    """A function with several results."""

    def step(t: T, f: F, s: S, meaning: Callable[..., tuple[int, ...]]) -> None:
        s[-operands:] = meaning(*s[-operands:])

    return step


def atomic(operands: int, results: int) -> Handler:
    """An atomic access with some operands besides the address."""

    def step(t: T, f: F, s: S, x: tuple[Atomic, MemArg]) -> None:
        meaning, (_, offset, mem) = x
        address, *values = s[len(s) - operands :]
        result = meaning(f.module.mems[mem], address, offset, *values)
        del s[len(s) - operands :]
        if results:
            s.append(result or 0)

    return step


# -- the table ------------------------------------------------------------------------------------------------------

_SPECIAL: dict[str, Handler] = {
    "unreachable": unreachable,
    "nop": nop,
    "atomic.fence": nop,
    "block": enter_block,
    "loop": enter_block,
    "if": if_,
    "else": else_,
    "end": end,
    "end of function": end_of_function,
    "br": br,
    "br_if": br_if,
    "br_table": br_table,
    "return": return_,
    "call": call,
    "call_indirect": call_indirect,
    "return_call": return_call,
    "return_call_indirect": return_call_indirect,
    "ref.null": ref_null,
    "ref.is_null": ref_is_null,
    "call_ref": call_ref,
    "return_call_ref": return_call_ref,
    "ref.as_non_null": as_non_null,
    "br_on_null": br_on_null,
    "br_on_non_null": br_on_non_null,
    "ref.func": ref_func,
    "drop": drop,
    "select": select,
    "select_t": select,
    "local.get": local_get,
    "local.set": local_set,
    "local.tee": local_tee,
    "global.get": global_get,
    "global.set": global_set,
    "table.get": table_get,
    "table.set": table_set,
    "table.size": table_size,
    "table.grow": table_grow,
    "table.fill": table_fill,
    "table.copy": table_copy,
    "table.init": table_init,
    "elem.drop": elem_drop,
    "memory.size": memory_size,
    "memory.grow": memory_grow,
    "memory.fill": memory_fill,
    "memory.copy": memory_copy,
    "memory.init": memory_init,
    "data.drop": data_drop,
    "i32.const": const,
    "i64.const": const,
    "f32.const": const,
    "f64.const": const,
    "v128.const": const,
    "i32.load": load("I", 32),
    "i64.load": load("Q", 64),
    "f32.load": load("I", 32),
    "f64.load": load("Q", 64),
    "i32.store": store("I"),
    "i64.store": store("Q"),
    "f32.store": store("I"),
    "f64.store": store("Q"),
    "v128.store": store_vector,
}
#: The narrow accesses: width in bits to struct's notation, signed and unsigned.
_NARROW = {8: ("b", "B"), 16: ("h", "H"), 32: ("i", "I")}
for _bits in (32, 64):
    for _width, (_signed, _unsigned) in _NARROW.items():
        if _width < _bits:
            _SPECIAL[f"i{_bits}.load{_width}_s"] = load(_signed, _bits)
            _SPECIAL[f"i{_bits}.load{_width}_u"] = load(_unsigned, _bits)
            _SPECIAL[f"i{_bits}.store{_width}"] = store(_unsigned)

for _name, _vector in LOADED.items():
    _SPECIAL[_name] = load_vector(BY_NAME[_name].width, _vector)
for _bits, _shape in LANE_SHAPES.items():
    _SPECIAL[f"v128.load{_bits}_lane"] = load_lane(_bits // 8, VECTORS[f"{_shape}.replace_lane"])
    _SPECIAL[f"v128.store{_bits}_lane"] = store_lane(_bits // 8)

_BY_OPERANDS: dict[int, Handler] = {1: unary, 2: binary, 3: ternary}
_BY_OPERANDS_AT: dict[int, Handler] = {1: unary_at, 2: binary_at}


def _plain(name: str) -> Handler:
    """The handler of an instruction that is a function of its operands, and of its immediate if it has one."""
    op = BY_NAME[name]
    return (_BY_OPERANDS_AT if op.immediates else _BY_OPERANDS)[len(op.params or ())]


def _atomic(name: str) -> Handler:
    op = BY_NAME[name]
    return atomic(len(op.params or ()), len(op.results or ()))


#: Instruction name to its handler, and the meaning of a plain one: that is the operand, or the first part of it where
#: the instruction has an immediate.
STEPS: dict[str, tuple[Handler, Callable[..., Any] | None]] = {
    **{name: (handler, None) for name, handler in _SPECIAL.items()},
    **{name: (_plain(name), f) for name, f in (NUMERICS | VECTORS).items()},
    **{name: (wide(len(BY_NAME[name].params or ())), f) for name, f in WIDE.items()},
    **{name: (_atomic(name), f) for name, f in ATOMICS.items()},
}
