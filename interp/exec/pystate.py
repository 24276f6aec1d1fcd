"""What generated code runs in: a namespace for each instance, and what the instances of a store share.

A name of generated code says what it is: `F3` the function with index 3, `mI0` memory 0 as unsigned 32-bit numbers,
`G1` the cell of a global, `T0` a table, `CI2_0` what finds the function of type 2 that an index calls through table 0,
`R3` a reference to a function, `H_i32_div_s` the meaning of an instruction, `K...` a float by its bits. Names are
resolved when the first function that has them is written.
"""

from __future__ import annotations

import math
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from interp.runtime import bulk
from interp.runtime.atomics import ATOMICS
from interp.runtime.engine import (
    Exhausted,
    Exit,
    Failed,
    FrameInfo,
    HostCall,
    OutOfFuel,
    Paused,
    Returned,
    Threw,
    Trapped,
)
from interp.runtime.exception import WasmException, check_thrown
from interp.runtime.memory import MemInst
from interp.runtime.numerics import NUMERICS, WIDE, f32_bits, f32_value
from interp.runtime.pace import Pace
from interp.runtime.store import FuncInst, HostFunc, Store
from interp.runtime.vectors import LOADED, VECTORS
from interp.syntax.errors import TRAPS, Crash, Trap
from interp.syntax.types import F64, FuncType

from .driver import call_host
from .pylower import Lowering
from .pyoperands import NotLowered, Source
from .pyrecursion import BOUNDS_C, RECURSION, SPARE, Wish
from .reference import ReferenceThread

if TYPE_CHECKING:
    from interp.runtime.instance import ModuleInst

#: The file name of generated code.
FILE = "<wasm>"
_F64, _U64 = struct.Struct("<d"), struct.Struct("<Q")
NAN = math.nan
_FORMATS = "BbHhIiQqd"
Callee = Callable[..., Any]


class Leave(Exception):
    """The activation ends with this exit. `frames` are those of the reference engine within."""

    def __init__(self, exit: Exit, frames: tuple[FrameInfo, ...] = ()) -> None:
        self.exit = exit
        self.frames = frames


# -- floats: a Python float with the bits of the Wasm value ---------------------------------------------------------


def float_of(bits: int) -> float:
    """The float with these bits."""
    return _F64.unpack(_U64.pack(bits))[0]  # type: ignore[no-any-return]


def bits_of(x: float) -> int:
    """The bits of a float, those of a NaN as they are."""
    return _U64.unpack(_F64.pack(x))[0]  # type: ignore[no-any-return]


NAN = float_of(0x7FF8000000000000)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else NAN


def _divide(x: float, y: float) -> float:
    if y:
        return x / y
    if x == 0 or x != x or y != y:
        return NAN
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _fmin(x: float, y: float) -> float:
    if x < y:
        return x
    if y < x:
        return y
    if x != x or y != y:
        return NAN
    return x if math.copysign(1.0, x) < 0 else y


def _fmax(x: float, y: float) -> float:
    if x > y:
        return x
    if y > x:
        return y
    if x != x or y != y:
        return NAN
    return y if math.copysign(1.0, x) < 0 else x


def _integral(round_: Callable[[float], int]) -> Callable[[float], float]:
    def rounded(x: float) -> float:
        return math.copysign(float(round_(x)), x) if math.isfinite(x) else x

    return rounded


def _truncation(name: str) -> Callable[[float], int]:
    """i*.trunc_f64_* and i*.trunc_sat_f64_* on floats."""
    n = int(name[1:3])
    low, high = (-(1 << n - 1), (1 << n - 1) - 1) if name.endswith("_s") else (0, (1 << n) - 1)
    m = (1 << n) - 1
    by_bits = NUMERICS[name]

    def trunc(x: float) -> int:
        try:
            if low <= (i := int(x)) <= high:
                return i & m
        except (ValueError, OverflowError):
            pass
        return by_bits(bits_of(x))

    return trunc


def _unreachable() -> NoReturn:
    raise Trap(TRAPS["unreachable"])


def _non_null(ref: int) -> int:
    if ref == 0:
        raise Trap(TRAPS["null_reference"])
    return ref


#: What every namespace has.
COMMON: dict[str, Any] = {
    "NAN": NAN,
    "BITS": bits_of,
    "FLOAT": float_of,
    "F32BITS": f32_bits,
    "F32VALUE": f32_value,
    "SQRT": _sqrt,
    "DIVIDE": _divide,
    "FMIN": _fmin,
    "FMAX": _fmax,
    "CEIL": _integral(math.ceil),
    "FLOOR": _integral(math.floor),
    "TRUNC": _integral(math.trunc),
    "NEAREST": _integral(round),
    "COPYSIGN": math.copysign,
    "UNREACHABLE": _unreachable,
    "NON_NULL": _non_null,
    "BULK_TICKS": bulk.bulk_ticks,
    "GROW_TICKS": bulk.memory_grow_ticks,
    "TABLE_GROW_TICKS": bulk.table_grow_ticks,
    "TABLE_GROW": bulk.table_grow,
    "TABLE_FILL": bulk.table_fill,
    "TABLE_COPY": bulk.table_copy,
    "TABLE_INIT": bulk.table_init,
    "ELEM_DROP": bulk.elem_drop,
    "MEMORY_FILL": bulk.memory_fill,
    "MEMORY_COPY": bulk.memory_copy,
    "MEMORY_INIT": bulk.memory_init,
    "DATA_DROP": bulk.data_drop,
    **{f"U{format}": struct.Struct("<" + format).unpack_from for format in "HhIiQqd"},
    **{f"P{format}": struct.Struct("<" + format).pack_into for format in "HIQd"},
}

_MEANINGS: dict[str, Any] = {**NUMERICS, **WIDE, **VECTORS, **LOADED, **ATOMICS}
HELPERS: dict[str, Any] = {f"H_{name.replace('.', '_')}": f for name, f in _MEANINGS.items()}
for _name in NUMERICS:
    if ".trunc_" in _name and "_f64_" in _name and _name[0] == "i":
        HELPERS[f"H_{_name.replace('.', '_')}"] = _truncation(_name)


class Shared:
    """What the instances of one store have in common.

    `ticks` has one cell, the ticks left of what was `granted`; `callees` the callables by store address, and who else
    holds them by which name; `views` the memories with the views that their names were made from.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ticks = [0]
        self.granted = 0
        self.referred = False  # whether all runs on the reference engine
        self.base = 0  # Python's recursion limit outside of the innermost activation
        self.pace = Pace()
        self.began = 0.0
        self.callees: dict[int, Callee] = {}
        self.holders: dict[int, list[tuple[dict[Any, Any], Any]]] = {}
        self.memories: dict[int, tuple[MemInst, memoryview, list[tuple[dict[str, Any], int]]]] = {}
        limits = store.limits
        self.depth = limits.call_depth
        self.cells = limits.value_stack_cells

    # -- accounts ------------------------------------------------------------------------------------------------

    def grant(self, needed: int = 1) -> None:
        """Take ticks from the store."""
        self.ticks[0] = self.granted = min(self.store.grant(needed), max(needed, self.pace.ticks))
        self.began = time.perf_counter()

    def settle(self) -> None:
        """Give the account back."""
        self.store.settle(self.granted - self.ticks[0])
        self.granted = self.ticks[0] = 0

    def more(self, left: int, needed: int) -> int:
        """The ticks left once `needed` are taken, which `left` says are not there: a new slice, or an end."""
        self.ticks[0] = left + needed
        self.settle()
        self.pace.took(time.perf_counter() - self.began)
        self.grant(needed)
        if self.granted < needed:
            raise Leave(OutOfFuel(-1, -1, needed))
        self._check_deadline()
        self.ticks[0] -= needed
        return self.ticks[0]

    def _check_deadline(self, thread: ReferenceThread | None = None) -> None:
        if self.store.deadline is not None and time.monotonic() >= self.store.deadline:
            raise Leave(Paused("deadline"), thread.backtrace() if thread is not None else ())

    def charge(self, left: int, needed: int) -> int:
        """The ticks left once `needed` are taken."""
        return left - needed if left >= needed else self.more(left - needed, needed)

    def work(self, left: int, rest: bulk.Rest | None) -> None:
        """Do a bulk instruction to its end, the deadline looked at between two stretches; `left` are the ticks left."""
        if rest is not None:
            for _ in rest:
                self.ticks[0] = left
                self._check_deadline()

    def exhaust(self, left: int, depth: int) -> NoReturn:
        """Depth or cells are used up."""
        self.ticks[0] = left
        raise Leave(Exhausted("depth" if depth < 0 else "cells"))

    # -- memories ------------------------------------------------------------------------------------------------

    def bind_memory(self, namespace: dict[str, Any], index: int, memory: MemInst) -> None:
        """Give a namespace the views of a memory, and remember to renew them."""
        known = self.memories.get(id(memory))
        holders = known[2] if known else []
        holders.append((namespace, index))
        self.memories[id(memory)] = (memory, memory.view, holders)
        self._show(memory, [(namespace, index)])

    def refresh(self) -> None:
        """Renew the views of memories that have others now: after anything that may have grown one."""
        for key, (memory, view, holders) in self.memories.items():
            if memory.view is not view:
                self.memories[key] = (memory, memory.view, holders)
                self._show(memory, holders)

    def _show(self, memory: MemInst, holders: Sequence[tuple[dict[str, Any], int]]) -> None:
        view: Any = memory.view.cast("B")
        for format in _FORMATS:
            whole = memory.length - memory.length % struct.calcsize(format)  # pages may be of single bytes
            cast = view[:whole].cast(format) if whole else memoryview(array(format, []))
            for namespace, index in holders:
                namespace[f"m{format}{index}"] = cast

    def grow(self, inst: ModuleInst, mem: int, delta: int) -> int:
        """memory.grow."""
        old = bulk.memory_grow(inst, mem, delta)
        self.refresh()
        return old

    # -- functions -----------------------------------------------------------------------------------------------

    def hold(self, addr: int, holder: dict[Any, Any], key: Any) -> Callee:
        """Put the callable of a function into a dictionary, and its successor when it has been written."""
        callee = self.callees.get(addr)
        if callee is None:
            func = self.store.funcs[addr]
            callee = self._host(func) if isinstance(func, HostFunc) else self._stub(func)
            self.callees[addr] = callee
        holder[key] = callee
        if addr in self.holders:
            self.holders[addr].append((holder, key))
        return callee

    def _stub(self, func: FuncInst) -> Callee:
        """What stands for a function before its first call."""

        def stub(*args: Any) -> Any:
            if func.addr in self.holders:
                self._write(func)
            return self.callees[func.addr](*args)

        self.holders[func.addr] = []
        return stub

    def _write(self, func: FuncInst) -> None:
        linked: Linked = func.module.native
        callee = linked.write(func)
        self.callees[func.addr] = callee
        for holder, key in self.holders.pop(func.addr):
            holder[key] = callee

    def _host(self, func: HostFunc) -> Callee:
        type = func.type
        floats = [i for i, t in enumerate(type.params) if t is F64]

        def call(*args: Any) -> Any:
            *values, depth, cells = args
            self.ticks[0] -= 1
            if self.ticks[0] < 0:
                self.more(self.ticks[0], 1)
            for i in floats:
                values[i] = bits_of(values[i])
            return given(type, self.outside(depth, cells, lambda: self._call_host(func, values)))

        return call

    def outside(self, depth: int, cells: int, run: Callable[[], Sequence[int]]) -> Sequence[int]:
        """Run what keeps its own accounts and may call back: a host function."""
        store = self.store
        self.settle()
        self._check_deadline()
        before = store.depth, store.cells
        store.depth, store.cells = self.depth - depth, self.cells - cells
        try:
            return run()
        finally:
            store.depth, store.cells = before
            self.grant()
            self.refresh()

    def _call_host(self, func: HostFunc, values: Sequence[int]) -> Sequence[int]:
        """Run a host function with the recursion limit that it is used to."""
        inner = RECURSION.current() if BOUNDS_C else None
        try:
            if inner is not None:
                RECURSION.set(Wish(inner.frame, self.base + self.store.depth + SPARE))
            return call_host(func, values)
        except WasmException as exception:
            check_thrown(self.store, exception)
            raise
        finally:
            if inner is not None:
                RECURSION.set(inner)

    def reference(self, func: FuncInst) -> Callee:
        """A function that runs on the reference engine, with all that it calls."""
        type = func.type
        floats = [i for i, t in enumerate(type.params) if t is F64]

        def call(*args: Any) -> Any:
            *values, depth, cells = args
            for i in floats:
                values[i] = bits_of(values[i])
            return given(type, self.outside(depth, cells, lambda: self._referred(func, values)))

        return call

    def _referred(self, func: FuncInst, args: Sequence[int]) -> Sequence[int]:
        store = self.store
        thread = ReferenceThread(store, func, args)
        exit = thread.run()
        while True:
            match exit:
                case Returned(values):
                    return values
                case Paused():
                    self._check_deadline(thread)
                    exit = thread.run()
                case HostCall(host, args):
                    self._check_deadline(thread)
                    try:
                        values = self._call_host(host, args)
                    except Trap as trap:
                        exit = thread.throw_trap(trap)
                    except WasmException as exception:
                        exit = thread.throw(exception)
                    except BaseException as error:
                        error.__tamis_frames__ = thread.backtrace()  # type: ignore[attr-defined]
                        thread.abort()
                        raise
                    else:
                        exit = thread.resume(values)
                case Trapped(trap):
                    raise trap
                case Threw(exception):
                    raise exception
                case Exhausted(_, backtrace):
                    raise Leave(exit, backtrace)
                case OutOfFuel():
                    raise Leave(exit, thread.backtrace())
                case Failed(error):
                    raise error
                case _:
                    raise Crash(f"the reference engine left with {exit!r}")


def given(type: FuncType, values: Sequence[int]) -> Any:
    """Raw results as generated code wants them: None, one, or a tuple, floats as floats."""
    results = [float_of(bits) if t is F64 else bits for t, bits in zip(type.results, values, strict=True)]
    return tuple(results) if len(results) != 1 else results[0]


class Linked:
    """An instance on this engine: its namespace, and the sources of the functions written so far."""

    def __init__(self, shared: Shared, inst: ModuleInst) -> None:
        self.shared = shared
        self.inst = inst
        self.sources: dict[int, Source] = {}
        self.namespace: dict[str, Any] = {
            **COMMON,
            "I": inst,
            "A": shared.ticks,
            "MORE": shared.more,
            "CHARGE": shared.charge,
            "WORK": shared.work,
            "EXHAUST": shared.exhaust,
            "GROW": shared.grow,
            "__linked__": self,
        }

    def write(self, func: FuncInst) -> Callee:
        """The callable of a function: generated code, or the reference engine where there can be none."""
        inst = self.inst
        own = func.index - inst.module.imported_funcs
        try:
            locals_, body = func.code.contents
            source = Lowering(
                inst.module, func.index, func.type, list(locals_), body, inst.valid.frame_cells[own]
            ).lower()
            code = compile(source.text, FILE, "exec", dont_inherit=True)
        except (NotLowered, SyntaxError, RecursionError, MemoryError):
            return self.shared.reference(func)
        for name in source.names:
            if name not in self.namespace:
                self.resolve(name)
        made: dict[str, Any] = {}
        exec(code, self.namespace, made)
        self.sources[func.index] = source
        callee: Callee = made[f"F{func.index}"]
        return callee

    def _by_reference(self) -> Callable[[int], Callee]:
        """What call_ref calls: reference to callable. Raises Trap."""
        known: dict[int, Callee] = {}

        def find(ref: int) -> Callee:
            callee = known.get(ref)
            if callee is None:
                if ref == 0:
                    raise Trap(TRAPS["null_function"])
                callee = self.shared.hold(ref - 1, known, ref)
            return callee

        return find

    def resolve(self, name: str) -> None:
        """Put what a name stands for into the namespace."""
        inst, space = self.inst, self.namespace
        if name.startswith("MEM"):
            space[name] = inst.mems[int(name[3:])]
        elif name[0] == "m":
            index = int(name[2:])
            self.shared.bind_memory(space, index, inst.mems[index])
        elif name.startswith("H_"):
            space[name] = HELPERS[name]
        elif name == "CR":
            space[name] = self._by_reference()
        elif name.startswith("CI"):
            type_index, table = map(int, name[2:].split("_"))
            space[name] = self._finder(inst.type_ids[type_index], table)
        elif name.startswith("GI"):
            space[name] = inst.globals[int(name[2:])]
        elif name[0] == "G":
            made = inst.globals[int(name[1:])]
            space[name] = made.cell.cast("B").cast("d") if made.type.type is F64 else made.cell
        elif name[0] == "T":
            space[name] = inst.tables[int(name[1:])]
        elif name[0] == "R":
            space[name] = inst.func_addr(int(name[1:])) + 1
        elif name[0] == "K":
            space[name] = float_of(int(name[1:], 16))
        elif name[0] == "F":
            self.shared.hold(inst.func_addr(int(name[1:])), space, name)
        else:
            raise Crash(f"generated code has the name {name}")

    def _finder(self, type_id: int, table_index: int) -> Callable[[int], Callee]:
        """What call_indirect calls: index to callable. Raises Trap."""
        table = self.inst.tables[table_index]
        store, shared = self.inst.store, self.shared
        known: dict[int, Callee] = {}

        def find(index: int) -> Callee:
            if index >= table.length:
                raise Trap(f"{TRAPS['undefined_element']} {index}")
            ref = table.cells[index]
            try:
                return known[ref]
            except KeyError:
                pass
            if ref == 0:
                raise Trap(f"{TRAPS['uninitialized_element']} {index}")
            func = store.funcs[ref - 1]
            if func.type_id != type_id and type_id not in func.definition.ancestors:
                raise Trap(TRAPS["call_type_mismatch"])
            return shared.hold(ref - 1, known, ref)

        return find
