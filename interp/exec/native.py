"""The native engine: the Engine protocol over the C loop (native/README.md).

C never owns a Python object and calls none: functions are addresses in the store, and what has one meaning for every
engine (growing, tables, segments) leaves the loop as a *service* and is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from interp import _native
from interp.runtime import bulk
from interp.runtime.bulk import Rest
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
from interp.runtime.exception import WasmException
from interp.runtime.instance import ModuleInst
from interp.runtime.native_objects import NativeObjects
from interp.runtime.objects import Exn
from interp.runtime.pace import Pace
from interp.runtime.store import FuncInst, HostFunc, Store
from interp.syntax.errors import TRAPS, Crash, EmbedderError, Interrupted, ResourceError, Trap, UnsupportedError
from interp.syntax.features import WASM_3, Feature
from interp.syntax.types import V128, FuncType, ValType
from interp.valid.native import NativeCode, type_line

from .native_services import SERVICES

if TYPE_CHECKING:
    from interp.runtime.memory import MemInst

_TRAPS = tuple(TRAPS.values())
#: Traps whose message ends in the table index that was asked for.
_INDEXED = (TRAPS["undefined_element"], TRAPS["uninitialized_element"])


def _has_vectors(type: FuncType) -> bool:
    return V128 in type.params or V128 in type.results


def _to_cells(types: Sequence[ValType], values: Sequence[int]) -> list[int]:
    """Raw bits as 64-bit cells: a vector has two, the low half first."""
    cells: list[int] = []
    for type, bits in zip(types, values, strict=True):
        cells += (bits & 0xFFFFFFFFFFFFFFFF, bits >> 64) if type is V128 else (bits,)
    return cells


def _from_cells(types: Sequence[ValType], cells: Any) -> list[int]:
    """Cells from a pointer on as raw bits."""
    values: list[int] = []
    at = 0
    for type in types:
        values.append(cells[at] | cells[at + 1] << 64 if type is V128 else cells[at])
        at += 2 if type is V128 else 1
    return values


class Shortcut(Protocol):
    """What the driver in C needs to know of a store (exec/shortcut.py)."""

    def add_host(self, func: HostFunc) -> None:
        """Tell it of a host function; in the order of their addresses."""

    def entry(self, func: FuncInst) -> Any:
        """A function as a callable of raw bits, or None."""

    def bind(self, func: FuncInst, function: Any) -> None:
        """Give an `Entry` of Python's numbers its way."""


class NativeState:
    """A store's stacks in C, and what the C side has been told of the store so far."""

    def __init__(self, store: Store) -> None:
        limits = store.limits
        thread = _native.lib.tm_thread_new(limits.value_stack_cells, limits.call_depth)
        if thread == _native.ffi.NULL:
            raise ResourceError("the machine has no memory for a value stack")
        self.thread = _native.ffi.gc(thread, _native.lib.tm_thread_free)
        self._pin = _native.pin(self.thread)
        thread.stretch = bulk.STRETCH
        objects = store.heap.objects
        if not isinstance(objects, NativeObjects):
            raise Crash("a store of the native engine with objects in Python")
        self.objects = objects
        self.thread.heap = objects.handle
        store.heap.watch(self)
        self.instances: list[_Instance] = []
        self.hosts = 0
        self._lines: list[Any] = []  # of the host functions' types
        self.vector_hosts: set[int] = set()  # addresses of host functions that take or give a vector
        self.active: list[Any] = []  # the threads of the activations, or what the driver in C has in their place
        #: The driver in C, where there is one.
        self.shortcut: Shortcut | None = None

    def roots(self) -> memoryview:
        """Every word of the stack and the registers: any may be a reference."""
        n = _native.ffi.new("uint64_t *")
        words = _native.lib.tm_thread_roots(self.thread, n)
        return memoryview(_native.ffi.buffer(words, 8 * n[0])).cast("Q")

    def sync_hosts(self, store: Store) -> None:
        """Tell C of host functions made since."""
        hosts = store.funcs.hosts
        for func in hosts[self.hosts :]:
            line = _native.ffi.new("uint32_t[]", type_line(func.definition))
            self._lines.append(line)
            if _native.lib.tm_thread_add_host(self.thread, func.addr, line):
                raise ResourceError("the machine has no memory for a host function")
            if _has_vectors(func.type):
                self.vector_hosts.add(func.addr)
            if self.shortcut is not None:
                self.shortcut.add_host(func)
        self.hosts = len(hosts)
        store.stale = False


class _Instance:
    """An instance as C sees it: pointers to what the store owns, which this object keeps alive."""

    def __init__(self, state: NativeState, inst: ModuleInst) -> None:
        ffi, lib = _native.ffi, _native.lib
        code = inst.valid.native
        if not isinstance(code, NativeCode):
            raise UnsupportedError(
                "the native engine runs modules that the C validator checked; this one was checked in Python",
                feature="native",
            )
        self.inst = inst
        self.code = code
        self.vectors = any(isinstance(type, FuncType) and _has_vectors(type) for type in inst.types)
        self._state = state
        handle = self.handle = ffi.new("tm_instance *")
        self._keep: list[Any] = []
        if inst.mems:
            handle.memory = self._kept(inst.mems[0])
            handle.memories = self._array("tm_memory *[]", [self._kept(m) for m in inst.mems])
        cells = [ffi.from_buffer("uint64_t[]", g.cell.obj) for g in inst.globals]
        handle.globals = self._array("uint64_t *[]", cells)
        handle.tables = self._array("tm_table *[]", [table.handle for table in inst.tables])
        handle.layouts = self._layouts(inst)
        handle.imported = self._array("uint32_t[]", inst.imported_addrs)
        handle.tags = self._array("uint32_t[]", [tag.addr for tag in inst.tags])
        handle.n_imported = len(inst.imported_addrs)
        handle.first_addr = inst.first_addr
        handle.code = code.code
        handle.number = len(state.instances)
        if lib.tm_thread_link(state.thread, handle):
            raise ResourceError("the machine has no memory for an instance")
        state.instances.append(self)

    def _layouts(self, inst: ModuleInst) -> Any:
        """Per type index how its objects are laid out; NULL where there are none."""
        definitions = inst.valid.definitions
        if all(isinstance(definition.comp, FuncType) for definition in definitions):
            return _native.ffi.NULL
        heap, objects, null = inst.store.heap, self._state.objects, _native.ffi.NULL
        return self._array(
            "tm_layout *[]",
            [
                null if isinstance(definition.comp, FuncType) else objects.native_layout(heap.layout(definition))
                for definition in definitions
            ],
        )

    def _kept(self, memory: MemInst) -> Any:
        self._keep.append(memory)
        return memory.handle

    def _array(self, type: str, items: Sequence[Any]) -> Any:
        made = _native.ffi.new(type, items if items else 1)
        self._keep += (made, items)
        return made


class NativeThread:
    """One activation on the C loop."""

    __slots__ = (
        "_args", "_cells", "_host", "_level", "_mode", "_need", "_origin", "_pace", "_rest", "_results", "_state",
        "_store", "_thrown", "_values", "_vectors", "_words", "entry",
    )  # fmt: skip

    def __init__(self, state: NativeState, store: Store, func: FuncInst, values: Sequence[int]) -> None:
        self.entry = func
        self._state = state
        self._store = store
        self._values = values
        self._mode = "new"  # new, paused, host, running, done
        self._level = -1  # how many activations there are below, once it was entered
        self._need = 1
        self._pace = Pace()
        self._results = 0
        self._args: Any = None
        self._host: HostFunc | None = None  # the one that was called, when it has to do with vectors
        self._vectors = func.module.native.vectors and _has_vectors(func.type)
        # An exception that is set off from here until it has arrived, and what a host function raised as that.
        self._thrown: Exn | None = None
        self._origin: WasmException | None = None
        self._cells: Any = None  # the cells of its values
        # A service in the middle of which the thread left, and how many words its instruction has.
        self._rest: Rest | None = None
        self._words = 0

    # -- the protocol --------------------------------------------------------------------------------------------

    def run(self) -> Exit:
        """Begin, or go on after Paused or OutOfFuel."""
        if self._mode == "new":
            self._enter()
        elif self._mode != "paused" or self._state.active[-1] is not self:
            raise EmbedderError(f"a thread that is {self._mode!r} cannot go on this way")
        return self._go()

    def resume(self, values: Sequence[int]) -> Exit:
        """Answer a HostCall."""
        self._expect_host()
        self._sync()
        args = self._args
        if self._host is not None:
            values = _to_cells(self._host.type.results, values)
            self._host = None
        for index, value in enumerate(values):
            args[index] = value
        return self._go()

    def throw(self, exception: WasmException) -> Exit:
        """Answer a HostCall with an exception."""
        self._expect_host()
        self._sync()
        self._thrown = Exn(exception.tag, exception.values)
        self._origin = exception
        return self._go()

    def throw_trap(self, trap: Trap) -> Exit:
        """Answer a HostCall with a trap."""
        self._expect_host()
        return self._trapped(trap)

    def abort(self) -> None:
        """Drop the activation."""
        if self._level < 0 or self._mode == "done":
            self._mode = "done"
            return
        if self._mode != "new" and self._state.active[-1] is not self:
            raise EmbedderError("activations end in the reverse order of their beginning")
        self._leave()

    def backtrace(self) -> tuple[FrameInfo, ...]:
        """The frames, innermost first."""
        if self._mode in ("new", "done") or self._state.active[-1] is not self:
            return ()
        ffi, lib, thread = _native.ffi, _native.lib, self._state.thread
        number, own, word = ffi.new("uint32_t *"), ffi.new("uint32_t *"), ffi.new("uint64_t *")
        after = self._after
        places: list[tuple[int, int, int]] = []
        for n in range(after and thread.tail, lib.tm_thread_depth(thread)):
            lib.tm_thread_where(thread, n, after, number, own, word)
            places.append((number[0], own[0], word[0]))
        known = self._infos(set(places))
        return tuple(known[place] for place in places)

    def _infos(self, places: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], FrameInfo]:
        """Places (instance, own function, word) as frames. Each function is walked once, however often it occurs."""
        words: dict[tuple[int, int], list[int]] = {}
        for number, own, word in places:
            words.setdefault((number, own), []).append(word)
        known = {}
        for (number, own), wanted in words.items():
            native = self._state.instances[number]
            offsets = _native.ffi.new("uint64_t[]", wanted)
            _native.lib.tm_code_offsets(native.code.code, own, offsets, len(wanted))
            index = len(native.inst.imported_addrs) + own
            for word, offset in zip(wanted, offsets, strict=True):
                known[number, own, word] = FrameInfo(native.inst, index, offset)
        return known

    @property
    def _after(self) -> int:
        """1 where C stands behind its instruction, a call of a host function, else 0."""
        return int(self._mode == "host" or self._origin is not None)

    # -- running -------------------------------------------------------------------------------------------------

    def _expect_host(self) -> None:
        if self._mode != "host" or self._state.active[-1] is not self:
            raise EmbedderError(f"a thread that is {self._mode!r} cannot go on this way")

    # A signal may raise KeyboardInterrupt after any call, and only there. So C is told how many activations there shall
    # be, which said twice changes nothing, and it is told last.

    def _enter(self) -> None:
        state, func, lib = self._state, self.entry, _native.lib
        self._sync()
        level = self._level = len(state.active)
        lib.tm_thread_leave_to(state.thread, level)
        top = lib.tm_thread_top(state.thread)
        for index, value in enumerate(_to_cells(func.type.params, self._values) if self._vectors else self._values):
            top[index] = value
        if lib.tm_thread_enter(state.thread, func.addr):
            raise EmbedderError("activations nested too deep")
        self._results = len(func.type.results)
        state.active.append(self)

    def _sync(self) -> None:
        if self._state.hosts != len(self._store.funcs.hosts):
            self._state.sync_hosts(self._store)

    def _leave(self) -> None:
        del self._state.active[self._level :]
        self._mode = "done"
        _native.lib.tm_thread_leave_to(self._state.thread, self._level)

    def _go(self) -> Exit:
        store, lib, thread = self._store, _native.lib, self._state.thread
        self._mode = "running"
        if self._rest is not None:
            exit = self._work(self._rest)
            if exit is not None:
                return exit
        while True:
            granted = thread.left = min(store.grant(self._need), max(self._need, self._pace.ticks))
            self._need = 1
            began = perf_counter()
            code = lib.tm_thread_run(thread) if self._thrown is None else self._throw(self._thrown)
            store.settle(granted - thread.left)
            if code == lib.TM_EXIT_SLICE:
                self._pace.took(perf_counter() - began)
            exit = self._exit(code)
            if exit is not None:
                return exit

    def left(self, level: int, code: int) -> Exit:
        """Take an activation over from the driver in C, which stands at `level` and left the loop with this code."""
        self._take(level, "running")
        return self._exit(code) or self._go()

    def asked(self, level: int, at: int) -> None:
        """The same in the middle of a host call whose arguments stand at this address; 0 for between two slices."""
        self._take(level, "host" if at else "paused")
        self._args = _native.ffi.cast("uint64_t *", at)

    def serve(self, level: int) -> Exit | None:
        """Do a service for the driver in C. None: the loop goes on; otherwise the exit."""
        self._take(level, "running")
        exit = self._serve()
        return self._go() if exit is None and self._thrown is not None else exit

    def _take(self, level: int, mode: str) -> None:
        self._level, self._mode = level, mode
        self._results = len(self.entry.type.results)
        self._state.active[level:] = [self]

    def _exit(self, code: int) -> Exit | None:
        """What the loop left with as an exit; None when it was something that is done, and the loop goes on."""
        state, lib, thread = self._state, _native.lib, self._state.thread
        if code == lib.TM_EXIT_HOST_CALL:
            func = self._store.funcs[thread.addr]
            if not isinstance(func, HostFunc):
                raise Crash("the loop left for a function that is no host function")
            args = self._args = thread.args
            self._mode = "host"
            if func.addr in state.vector_hosts:
                self._host = func
                return HostCall(func, _from_cells(func.type.params, args))
            return HostCall(func, [args[i] for i in range(len(func.type.params))])
        if code == lib.TM_EXIT_RETURNED:
            sp = thread.sp
            results = (
                _from_cells(self.entry.type.results, sp) if self._vectors else [sp[i] for i in range(self._results)]
            )
            self._leave()
            return Returned(results)
        if code == lib.TM_EXIT_SLICE:
            return self._paused(thread.need)
        if code == lib.TM_EXIT_SERVICE:
            return self._serve()
        if code == lib.TM_EXIT_LANDED:  # what was thrown from here has arrived
            self._thrown = self._origin = None
            return None
        if code in (lib.TM_EXIT_CAUGHT, lib.TM_EXIT_UNCAUGHT):
            return self._arrive(code == lib.TM_EXIT_CAUGHT)
        if code == lib.TM_EXIT_TRAPPED:
            message = _TRAPS[thread.trap]
            return self._trapped(Trap(f"{message} {thread.need}" if message in _INDEXED else message))
        if code == lib.TM_EXIT_EXHAUSTED:
            which = "depth" if thread.fp + 1 >= thread.fp_limit else "cells"
            backtrace = self.backtrace()
            self._leave()
            return Exhausted(which, backtrace)
        self._leave()
        if code == lib.TM_EXIT_BAD_REFERENCE:
            return Failed(EmbedderError("the guest met a reference that is none of this store's, or is mistyped"))
        return Failed(ResourceError("the machine has no memory to lower a function"))

    def _paused(self, need: int) -> Exit:
        self._mode, self._need = "paused", need
        fuel = self._store.fuel
        if fuel is None or fuel >= need:
            return Paused()
        frames = self.backtrace()
        if not frames:
            return OutOfFuel(self.entry.index, self.entry.code.offset, need)
        return OutOfFuel(frames[0].func_index, frames[0].offset, need)

    def _serve(self) -> Exit | None:
        """Do what the loop left for. None: go on; otherwise the exit."""
        store, thread = self._store, self._state.thread
        if thread.service == _native.lib.SERVICE_throw_ref:
            if not thread.args[0]:
                return self._trapped(Trap(TRAPS["null_exception"]))
            self._thrown = store.heap.exception(thread.args[0])
            return None
        inst = self._state.instances[thread.instance.number].inst
        x, y = thread.imm1, thread.imm2
        count, ticks, effect = SERVICES[thread.service]
        args = thread.args
        operands = _native.ffi.unpack(args, count(inst, x, y))
        need = ticks(inst, x, y, operands)
        if need > store.grant(need):
            return self._paused(need)
        store.settle(need)
        try:
            results = effect(inst, x, y, operands)
        except Trap as trap:
            return self._trapped(trap)
        except Interrupted as error:
            error.backtrace += self.backtrace()
            self._leave()
            return Failed(error)
        except ResourceError as error:
            self._leave()
            return Failed(error)
        self._words = thread.words
        if isinstance(results, Iterator):
            return self._work(results)
        for index, value in enumerate(results):
            args[index] = value
        thread.ip = thread.ip + self._words
        return None

    def _work(self, rest: Rest) -> Exit | None:
        """Do a stretch of a service, and leave between two of them. None: it is done, go on."""
        for _ in rest:
            self._rest, self._mode = rest, "paused"
            return Paused()
        self._rest = None
        self._state.thread.ip = self._state.thread.ip + self._words
        return None

    # -- exceptions ----------------------------------------------------------------------------------------------

    def _throw(self, exn: Exn) -> int:
        """Set off an exception where the thread stands; gives what C says of it."""
        thread = self._state.thread
        cells = _to_cells(exn.tag.type.params, exn.values)
        thread.args = self._cells = _native.ffi.new("uint64_t[]", cells if cells else 1)
        thread.thrown, thread.thrown_cells = exn.tag.addr, len(cells)
        return int(_native.lib.tm_thread_throw(thread, self._after))

    def _arrive(self, caught: bool) -> Exit | None:
        """Go on at a clause that wants a reference to the exception on its way, or leave with it. None: go on."""
        store, thread = self._store, self._state.thread
        exn = self._thrown
        if exn is None:
            tag = store.tags[thread.thrown]
            exn = Exn(tag, _from_cells(tag.type.params, thread.args))
        if not caught:
            exception = self._origin or WasmException(exn.tag, exn.values)
            exception.backtrace += self.backtrace()
            self._leave()
            return Threw(exception)
        try:
            store.heap.make_room(exn.bytes, exn.values)
        except Trap as trap:
            return self._trapped(trap)
        left = thread.left
        _native.lib.tm_thread_land(thread, store.heap.add(exn))
        store.settle(left - thread.left)
        self._thrown = self._origin = None
        return None

    def _trapped(self, trap: Trap) -> Exit:
        trap.backtrace += self.backtrace()
        self._leave()
        return Trapped(trap)


class NativeEngine:
    """Runs version 3.0 and the proposals in C; relaxed vectors by the deterministic choice."""

    name = "native"
    features: frozenset[Feature] = WASM_3 | {
        Feature.WIDE_ARITHMETIC,
        Feature.CUSTOM_PAGE_SIZES,
        Feature.THREADS,
        Feature.LEGACY_EXCEPTIONS,
    }
    capabilities = frozenset({"resumable", "native objects"})

    def __init__(self, shortcut: Callable[[NativeState, Store], Shortcut] | None = None) -> None:
        self._states: WeakKeyDictionary[Store, NativeState] = WeakKeyDictionary()
        self._shortcut = shortcut

    def _state(self, store: Store) -> NativeState:
        state = self._states.get(store)
        if state is None:
            state = self._states[store] = NativeState(store)
            if self._shortcut is not None:
                state.shortcut = self._shortcut(state, store)
        return state

    def link(self, inst: ModuleInst) -> None:
        """Tell C of an instance and of the host functions that it may call."""
        state = self._state(inst.store)
        state.sync_hosts(inst.store)
        inst.native = _Instance(state, inst)

    def start(self, store: Store, func: FuncInst, args: Sequence[int]) -> NativeThread:
        """A thread that will call `func`."""
        return NativeThread(self._state(store), store, func, args)

    def entry(self, func: FuncInst) -> Any:
        """`func` as a callable of raw bits, where the driver in C can call it."""
        shortcut = self._state(func.store).shortcut
        return shortcut.entry(func) if shortcut is not None else None

    def bind(self, func: FuncInst, function: Any) -> None:
        """Give an `Entry` its way to `func`, where the driver in C can call it."""
        shortcut = self._state(func.store).shortcut
        if shortcut is not None:
            shortcut.bind(func, function)


def build_info() -> dict[str, str]:
    """How the native engine was built: dispatch variant and why, compiler, number of handlers, self-test."""
    ffi, lib = _native.ffi, _native.lib
    failed = lib.tm_self_test()
    return {
        "dispatch": ffi.string(lib.tm_dispatch()).decode(),
        "compiler": ffi.string(lib.tm_compiler()).decode(),
        "handlers": str(lib.tm_handler_count()),
        "self-test": "passed" if not failed else f"handler {failed - 1} lost its tail call",
    }
