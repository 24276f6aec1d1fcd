"""The shim: the same Proxy-Wasm host (`hostabi`) with wasmtime, through wasmtime-py, in the place of `interp`.

It does what a careful user of wasmtime-py would: one engine and one compiled module for all instances of a filter,
exports looked up once, memory by `Memory.read` and `Memory.write`, no fuel, no interruption: so it has less to do than
we have. Names, numbers of parameters and the rules of the ABI come from `WasmGuest`; what is here is the machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import wasmtime

import interp
from hostabi.abi.hostcall import GuestError
from hostabi.abi.marshal import GuestMemoryError, check_range
from hostabi.core.link import Code
from hostabi.core.plugin import MACHINES, LoadedFilter, LoadError, WasmGuest
from hostabi.core.vm import GuestTrap

NAME = "wasmtime"
#: wasmtime has no limit of its own but the stack's end.
MOST_NESTED = interp.DEFAULT_LIMITS.nested_activations
WORDS = wasmtime.TrapCode
#: The specification's words for wasmtime's traps, as the tests of filters want to see them.
MESSAGES = {
    WORDS.UNREACHABLE: "unreachable",
    WORDS.MEMORY_OUT_OF_BOUNDS: "out of bounds memory access",
    WORDS.TABLE_OUT_OF_BOUNDS: "undefined element",
    WORDS.INDIRECT_CALL_TO_NULL: "uninitialized element",
    WORDS.BAD_SIGNATURE: "indirect call type mismatch",
    WORDS.INTEGER_OVERFLOW: "integer overflow",
    WORDS.INTEGER_DIVISION_BY_ZERO: "integer divide by zero",
    WORDS.BAD_CONVERSION_TO_INTEGER: "invalid conversion to integer",
    WORDS.STACK_OVERFLOW: "call stack exhausted",
}


def bits_of(type: str) -> Callable[[Any], int]:
    """Makes raw bits of what wasmtime-py gives for a type."""
    match type:
        case "i32":
            return lambda value: value & 0xFFFFFFFF
        case "i64":
            return lambda value: value & 0xFFFFFFFFFFFFFFFF
        case "f32":
            return lambda value: int.from_bytes(struct.pack("<f", value), "little")
        case "f64":
            return lambda value: int.from_bytes(struct.pack("<d", value), "little")
        case _:
            raise LoadError(f"a host function that takes a {type}")


def value_of(type: str) -> Callable[[int], Any] | None:
    """Makes what wasmtime-py takes of raw bits; None where it takes them as they are."""
    match type:
        case "f32":
            return lambda bits: struct.unpack("<f", bits.to_bytes(4, "little"))[0]
        case "f64":
            return lambda bits: struct.unpack("<d", bits.to_bytes(8, "little"))[0]
        case _:
            return None


class Machine:
    """One engine of wasmtime's, and the modules it has compiled."""

    def __init__(self) -> None:
        self.engine = wasmtime.Engine()
        self._modules: dict[str, wasmtime.Module] = {}

    def module(self, filter: LoadedFilter) -> wasmtime.Module:
        """The compiled module of a filter."""
        if filter.digest not in self._modules:
            self._modules[filter.digest] = wasmtime.Module(self.engine, bytes(filter.module.binary))
        return self._modules[filter.digest]


machine = Machine()


class Memory:
    """The memory of an instance as the ABI sees it; there is none before `found` is given it."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self.found: wasmtime.Memory | None = None
        self.copied = 0

    @property
    def _memory(self) -> wasmtime.Memory:
        if self.found is None:
            raise GuestMemoryError("the guest has no memory")
        return self.found

    @property
    def length(self) -> int:
        """Size in bytes."""
        return self._memory.data_len(self._store)

    def read(self, addr: int, n: int) -> bytes:
        """n bytes at addr."""
        check_range(self.length, addr, n)
        self.copied += n
        return bytes(self._memory.read(self._store, addr, addr + n))

    def write(self, addr: int, data: bytes) -> None:
        """Store data at addr."""
        check_range(self.length, addr, len(data))
        self.copied += len(data)
        if data:
            self._memory.write(self._store, data, addr)


class WasmtimeGuest(WasmGuest):
    """An instance of a filter on wasmtime."""

    #: How many were made, for those who want to be sure that tests ran here.
    made = 0

    def open(self, engine: str | None) -> None:
        """See WasmGuest."""
        WasmtimeGuest.made += 1
        self.machine_store = wasmtime.Store(machine.engine)
        self.machine_store.set_limits(memory_size=self.state.limits.memory_pages << 16)
        self._functions: dict[str, wasmtime.Func] = {}
        self._nested = 0
        self.memory = self._memory = Memory(self.machine_store)

    @property
    def engine(self) -> str:
        """See WasmGuest."""
        return NAME

    @property
    def ticks(self) -> int:
        """None are counted."""
        return 0

    def instantiate(self, codes: Sequence[Code]) -> None:
        """See WasmGuest."""
        store, functions = self.machine_store, iter(codes)
        externs: list[Any] = []
        compiled = machine.module(self.filter)
        for one in compiled.imports:
            if isinstance(one.type, wasmtime.FuncType):
                externs.append(wasmtime.Func(store, one.type, self._host(one.type, next(functions)), True))
            elif isinstance(one.type, wasmtime.MemoryType):
                externs.append(wasmtime.Memory(store, one.type))
            elif isinstance(one.type, wasmtime.TableType):
                externs.append(wasmtime.Table(store, one.type, None))
            else:
                raise LoadError(f"import {one.module}.{one.name} cannot be linked")
        try:
            exports = wasmtime.Instance(store, compiled, externs).exports(store)
        except wasmtime.Trap as trap:
            raise self._trapped(trap) from trap
        except GuestError as error:
            raise GuestTrap(str(error)) from error
        memories = [item for item in exports.values() if isinstance(item, wasmtime.Memory)]
        if memories:
            self._memory.found = memories[0]
        self._functions = {name: exports[name] for name in self._exports}

    def _host(self, type: wasmtime.FuncType, code: Code) -> Any:
        readers = [bits_of(str(param)) for param in type.params]
        plain = all(str(param) == "i32" for param in type.params)
        convert = value_of(str(type.results[0])) if type.results else None

        def run(caller: wasmtime.Caller, *given: Any) -> Any:
            if self._memory.found is None:  # the start section runs, and the instance is not there yet
                memory = caller.get("memory")
                if isinstance(memory, wasmtime.Memory):
                    self._memory.found = memory
            if plain:
                bits = [value & 0xFFFFFFFF for value in given]
            else:
                bits = [reader(value) for reader, value in zip(readers, given, strict=True)]
            result = code(*bits)
            return result if convert is None or result is None else convert(result)

        return run

    def call(self, callback: str, args: tuple[int, ...]) -> int | None:
        """See WasmGuest."""
        try:
            result: int | None = self._functions[callback](self.machine_store, *args)
        except wasmtime.Trap as trap:
            raise self._trapped(trap) from trap
        except GuestError as error:
            raise GuestTrap(str(error)) from error
        return result if result is None else result & 0xFFFFFFFF

    def allocate(self, size: int) -> int:
        """See WasmGuest."""
        if self._allocator is None:
            raise GuestMemoryError("the guest exports no allocator")
        if self._nested >= MOST_NESTED:
            raise GuestTrap(f"activations nested deeper than the limit of {MOST_NESTED}")
        self._nested += 1
        try:
            result: int = self._functions[self._allocator](self.machine_store, size)
        finally:
            self._nested -= 1
        return result & 0xFFFFFFFF

    def _trapped(self, trap: wasmtime.Trap) -> GuestTrap:
        code = trap.trap_code
        message = MESSAGES.get(code, trap.message) if code is not None else trap.message
        names = {index: name for name, index in self._exports.items()}
        frames = [
            f"#{i} {frame.module_offset:#x} {frame.func_name or names.get(frame.func_index, 'func')}"
            for i, frame in enumerate(trap.frames)
        ]
        return GuestTrap(message, tuple(frames))


def register() -> None:
    """Let `engine="wasmtime"` mean this machine, for everything in this process."""
    MACHINES[NAME] = WasmtimeGuest
