"""Programs with imports on each peer: the same few methods, the same host functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MASK = 0xFFFFFFFF
#: A host function: gets the guest and its arguments, gives the result or None.
Stub = Callable[..., Any]
Stubs = Mapping[str, Stub]
#: What wasm3 calls the types.
LETTERS = {"i32": "i", "i64": "I", "f32": "f", "f64": "F"}


def imported(data: bytes) -> list[tuple[str, str, Any]]:
    """(module, name, type) of each imported function."""
    import interp

    module = interp.decode(data)
    names = [(entry.module, entry.name) for entry in module.imports if entry.kind == "func"]
    return [(*name, module.func_type(index)) for index, name in enumerate(names)]


class Guest:
    """An instance on some peer: calls its exports with numbers of 32 bits, reads and writes its memory.

    `seen` is for the host functions of a program to keep what they were given. A function that no stub stands for
    answers 0.
    """

    def __init__(self, stubs: Stubs) -> None:
        self.seen = bytearray()
        self._stubs = stubs

    def call(self, name: str, *args: int) -> int:
        """The result of an export as 32 bits; 0 if it has none."""
        raise NotImplementedError

    def memory(self) -> Any:
        """The memory as something to take slices of."""
        raise NotImplementedError

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the memory."""
        return bytes(self.memory()[at : at + length])

    def write(self, at: int, data: bytes) -> None:
        """Puts bytes into the memory."""
        self.memory()[at : at + len(data)] = data

    def word(self, at: int) -> int:
        """A number of 32 bits in memory."""
        return int.from_bytes(self.read(at, 4), "little")

    def put(self, malloc: str, data: bytes) -> int:
        """Gives the guest some bytes, in memory that its allocator gives."""
        at = self.call(malloc, len(data))
        self.write(at, data)
        return at

    def stub(self, name: str, results: int) -> Callable[..., Any]:
        """The host function of that name."""
        given = self._stubs.get(name)
        if given is not None:
            return lambda *args: given(self, *args)
        return lambda *args: 0 if results else None


class TamisGuest(Guest):
    """On ourselves."""

    def __init__(self, data: bytes, stubs: Stubs, engine: str | None) -> None:
        import interp

        super().__init__(stubs)
        self._interp = interp
        self._store = interp.Store(engine)
        functions = [
            self._store.host_func(type, self.stub(name, len(type.results)), name=name)
            for _, name, type in imported(data)
        ]
        self._exports = interp.instantiate(self._store, interp.validate(interp.decode(data)), functions).exports
        self._memory: Any = next(item for item in self._exports.values() if isinstance(item, interp.MemInst))

    def call(self, name: str, *args: int) -> int:
        given = self._interp.invoke_bits(self._store, self._exports[name], [arg & MASK for arg in args])
        return int(given[0]) & MASK if given else 0

    def memory(self) -> Any:
        return self._memory.view


class Wasm3Guest(Guest):
    """On wasm3. Its host functions must not call the guest: that would use the same stack from its beginning."""

    def __init__(self, data: bytes, stubs: Stubs, wasm3: Any) -> None:
        super().__init__(stubs)
        self._environment = wasm3.Environment()
        self._runtime = self._environment.new_runtime(1 << 22)
        module = self._environment.parse_module(data)
        self._runtime.load(module)
        for space, name, type in imported(data):
            letters = "".join(LETTERS[str(param)] for param in type.params)
            result = "".join(LETTERS[str(result)] for result in type.results) or "v"
            try:
                module.link_function(space, name, f"{result}({letters})", self.stub(name, len(type.results)))
            except RuntimeError:  # imported and never called, so wasm3 has dropped it
                continue

    def call(self, name: str, *args: int) -> int:
        given = self._runtime.find_function(name)(*(arg & MASK for arg in args))
        return int(given) & MASK if given is not None else 0

    def memory(self) -> Any:
        return self._runtime.get_memory(0)


class WasmtimeGuest(Guest):
    """On wasmtime."""

    def __init__(self, data: bytes, stubs: Stubs, wasmtime: Any, engine: Any) -> None:
        super().__init__(stubs)
        self._store = wasmtime.Store(engine)
        module = wasmtime.Module(engine, data)
        functions = [
            wasmtime.Func(self._store, entry.type, self.stub(entry.name, len(entry.type.results)))
            for entry in module.imports
        ]
        self._exports = wasmtime.Instance(self._store, module, functions).exports(self._store)
        self._memory: Any = next(item for item in self._exports.values() if isinstance(item, wasmtime.Memory))

    def call(self, name: str, *args: int) -> int:
        signed = [(arg & MASK) - ((arg & 1 << 31) << 1) for arg in args]
        given = self._exports[name](self._store, *signed)
        return int(given) & MASK if given is not None else 0

    def read(self, at: int, length: int) -> bytes:
        return bytes(self._memory.read(self._store, at, at + length))

    def write(self, at: int, data: bytes) -> None:
        self._memory.write(self._store, data, at)
