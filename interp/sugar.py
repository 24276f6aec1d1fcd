"""The short way: `load` a module and use its exports with Python's own numbers (engine contract 10)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interp import _native
from interp.exec import driver
from interp.runtime import store as runtime
from interp.runtime.boundary import Entry, Slices, direct
from interp.runtime.instance import ModuleInst
from interp.runtime.matching import import_type
from interp.runtime.memory import Bytes, MemInst
from interp.runtime.snapshot import same
from interp.runtime.store import Extern, FuncInst, HostFunc
from interp.runtime.table import GlobalInst, TableInst, TagInst
from interp.runtime.values import from_bits, result_bits, to_bits
from interp.syntax.errors import EmbedderError, LinkError
from interp.syntax.features import Features
from interp.syntax.limits import VmLimits
from interp.syntax.module import Import
from interp.syntax.types import FuncType, GlobalType, ValType
from interp.valid.canon import Definition
from interp.valid.module import ValidModule, validate

from .api import Snapshot, Store, is_text, read_module


@direct
class Function(Entry):
    """An exported function: call it with Python numbers; it gives one value, a tuple for several, None for none.

    i32 and i64 results are signed, f32 results the exact double, a v128 an unsigned integer of 128 bits, lane 0 lowest,
    a funcref another Function or None, an externref the object. Arguments as `to_bits` says: TypeError for a float
    where an integer is needed, OverflowError out of range; a v128 is an integer or 16 bytes, lane 0 first.
    """

    __slots__ = ("name", "raw")

    def __init__(self, raw: FuncInst | HostFunc, name: str = "") -> None:
        self.raw = raw
        self.name = name
        if isinstance(raw, FuncInst):
            raw.store.engine.bind(raw, self)

    @property
    def type(self) -> FuncType:
        """Parameters and results."""
        return self.raw.type

    def long_way(self, *args: Any) -> Any:
        """A call by the driver in Python: what calling this object does, where there is no shortcut."""
        return self._given(driver.invoke_bits(self.raw.store, self.raw, self._taken(args)))

    async def call_async(self, *args: Any) -> Any:
        """The same, where host functions may be coroutine functions: the guest waits while other tasks run.

        While it does, its store is closed to other tasks' calls (those by `call_async` wait). Raises EmbedderError on
        the python engine, whose threads are not resumed.
        """
        awaiting = importlib.import_module("interp.exec.awaiting")  # asyncio is slow to import
        return self._given(await awaiting.invoke_async(self.raw.store, self.raw, self._taken(args)))

    def _taken(self, args: tuple[Any, ...]) -> list[int]:
        params = self.raw.type.params
        if len(args) != len(params):
            raise TypeError(f"{self.name or 'function'} takes {len(params)} arguments, {len(args)} given")
        store = self.raw.store
        return [to_bits(store, type, unwrap(arg)) for type, arg in zip(params, args, strict=True)]

    def _given(self, results: Sequence[int]) -> Any:
        store = self.raw.store
        values = [wrap_value(store, type, r) for type, r in zip(self.raw.type.results, results, strict=True)]
        return tuple(values) if len(values) > 1 else values[0] if values else None

    def __repr__(self) -> str:
        return f"<Function {self.name} {self.raw.type}>"


class Memory(Slices):
    """A memory. `memory[a:b]` reads and writes bytes, `memory[a]` one, and it has the buffer protocol.

    `array`, `view` and a buffer share the bytes without a copy and are valid until the next call of the guest: ask
    again. Raises IndexError outside of the memory, ValueError for another number of bytes than a slice has.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: MemInst) -> None:
        self.raw = raw
        if _native.boundary is not None:
            self.attach(raw.address, raw)

    def out_of_bounds(self) -> Exception:
        """The error of `read` and `write` outside of it."""
        return IndexError(f"out of the {self.raw.length} bytes of a memory")

    @property
    def array(self) -> Bytes:
        """The bytes as a numpy array of uint8."""
        return self.raw.array

    @property
    def view(self) -> memoryview:  # type: ignore[override]
        """The bytes as a writable memoryview."""
        return self.raw.view

    @property
    def pages(self) -> int:
        """Size in pages."""
        return self.raw.pages

    def grow(self, pages: int) -> int:
        """Add pages and give the old size in pages, or -1 where a limit forbids it."""
        if pages < 0:
            raise ValueError("a memory does not shrink")
        return self.raw.grow(pages)

    def __repr__(self) -> str:
        return f"<Memory of {self.pages} pages>"


class Table:
    """A table: `table[i]` is a Function, an object or None. Raises IndexError outside of the table."""

    __slots__ = ("raw",)

    def __init__(self, raw: TableInst) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return self.raw.length

    def __getitem__(self, index: int) -> Any:
        return wrap_value(self.raw.store, self.raw.type.ref, self.raw.cells[self._index(index)])

    def __setitem__(self, index: int, value: Any) -> None:
        self.raw.cells[self._index(index)] = to_bits(self.raw.store, self.raw.type.ref, unwrap(value))

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def _index(self, index: int) -> int:
        if not -self.raw.length <= index < self.raw.length:
            raise IndexError(f"no element {index} in a table of {self.raw.length}")
        return index % self.raw.length

    def grow(self, n: int, value: Any = None) -> int:
        """Add `n` elements that hold `value` and give the old length, or -1 where a limit forbids it."""
        if n < 0:
            raise ValueError("a table does not shrink")
        return self.raw.grow(n, to_bits(self.raw.store, self.raw.type.ref, unwrap(value)))

    def __repr__(self) -> str:
        return f"<Table of {len(self)} {self.raw.type.ref}>"


class Global:
    """A global; `value` reads it, and writes it if it is mutable (TypeError otherwise)."""

    __slots__ = ("raw",)

    def __init__(self, raw: GlobalInst) -> None:
        self.raw = raw

    @property
    def type(self) -> GlobalType:
        """Its value type and whether it is mutable."""
        return self.raw.type

    @property
    def value(self) -> Any:
        """The value, converted as a function's result."""
        return wrap_value(self.raw.store, self.raw.type.type, self.raw.bits)

    @value.setter
    def value(self, value: Any) -> None:
        if not self.raw.type.mutable:
            raise TypeError("the global is immutable")
        self.raw.bits = to_bits(self.raw.store, self.raw.type.type, unwrap(value))

    def __repr__(self) -> str:
        return f"<Global {self.raw.type.type} {self.value!r}>"


Wrapped = Function | Memory | Table | Global | TagInst


def wrap(extern: Extern, name: str = "") -> Wrapped:
    """The object with Python's numbers for a raw extern."""
    match extern:
        case FuncInst() | HostFunc():
            return Function(extern, name)
        case MemInst():
            return Memory(extern)
        case TableInst():
            return Table(extern)
        case GlobalInst():
            return Global(extern)
        case _:
            return extern


def unwrap(value: Any) -> Any:
    """The raw extern behind a wrapper; anything else as it is."""
    return value.raw if isinstance(value, (Function, Memory, Table, Global)) else value


def wrap_value(store: runtime.Store, type: ValType, bits: int) -> Any:
    """Raw bits as the Python value that exports give."""
    value = from_bits(store, type, bits)
    return Function(value) if isinstance(value, (FuncInst, HostFunc)) else value


class Exports:
    """The exports by name: `exports["name"]`, and `exports.name` where the name is an identifier.

    Iterating gives the names. There are no methods, so that no export's name is taken.
    """

    def __init__(self, inst: ModuleInst) -> None:
        self._wrapped = {name: wrap(extern, name) for name, extern in inst.exports.items()}

    def __getitem__(self, name: str) -> Any:
        return self._wrapped[name]

    def __contains__(self, name: object) -> bool:
        return name in self._wrapped

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_wrapped"][name]
        except KeyError:
            raise AttributeError(f"no export is called {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._wrapped)

    def __len__(self) -> int:
        return len(self._wrapped)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._wrapped]

    def __repr__(self) -> str:
        return f"<Exports {', '.join(self._wrapped)}>"


class Instance:
    """A loaded module: its `exports`, the `store` it lives in, and `raw`, the instance of the embedding interface."""

    def __init__(self, raw: ModuleInst) -> None:
        self.raw = raw
        self.exports = Exports(raw)

    @property
    def store(self) -> runtime.Store:
        """The store: fuel, ticks, deadline, engine."""
        return self.raw.store

    def snapshot(self) -> InstanceSnapshot:
        """The state of its store at this time. Raises EmbedderError while a call is live."""
        if not isinstance(self.store, Store):
            raise EmbedderError("a snapshot needs a store of `interp.Store`")
        return InstanceSnapshot(self.store.snapshot(), self.store.instances.index(self.raw))

    def __repr__(self) -> str:
        return f"<Instance with {self.exports!r}>"


class InstanceSnapshot:
    """The state of an instance and its store at one time, from which fresh instances begin."""

    def __init__(self, of_store: Snapshot, place: int) -> None:
        self.of_store = of_store
        self._place = place

    def instance(
        self, imports: Mapping[str, Mapping[str, Any]] | None = None, *, engine: str | None = None
    ) -> Instance:
        """A fresh instance in that state, in a store of its own.

        Host functions are those of `imports`, found by name as `load` does; without it they are the source's. Raises
        LinkError for one that `imports` lacks, and as `Snapshot.store`.
        """

        def rebind(func: HostFunc, store: runtime.Store) -> tuple[runtime.HostCode, Callable[..., Any] | None]:
            module, _, name = func.name.partition(".")
            found = (imports or {}).get(module, {}).get(name)
            if not callable(found):
                raise LinkError(f"unknown import {func.name}")
            return host_code(store, func.type, found), found

        store = Store(engine, self.of_store.limits)
        self.of_store.restore(store, same if imports is None else rebind)
        return Instance(store.instances[self._place])


#: What `load` takes for imports: names to callables, wrapped or raw externs and numbers (for globals); or the exports
#: of an instance, or the instance.
Imports = Mapping[str, "Mapping[str, Any] | Exports | Instance"]


def load(
    source: str | os.PathLike[str] | bytes,
    imports: Imports | None = None,
    *,
    engine: str | None = None,
    features: Features = None,
    limits: VmLimits | None = None,
) -> Instance:
    """Read, validate and instantiate a module, and run its start function.

    `source` is a path, the bytes of a module, or its text (a string that begins with a parenthesis or a comment).
    `imports` maps module names to maps of names; a callable gets Python numbers by the import's type and gives what the
    results need, and an object of another instance makes both share its store. `features` are those that a module may
    use, by default those of version 3.0 (see `feature_set`).
    Raises OSError, MalformedError, InvalidError, UnsupportedError, LimitError, LinkError, TypeError and OverflowError
    for imports of another form and numbers that do not fit, and what starting raises.
    """
    module = read_module(_contents(source), features=features, limits=limits)
    valid = validate(module, features=features, limits=limits)
    if not isinstance(imports, Mapping | None):
        raise TypeError(f"imports are a dict of dicts, not {imports!r}")
    given = {name: _names(name, names) for name, names in (imports or {}).items()}
    store = _shared_store(given, engine) or Store(engine, limits)
    externs = [_extern(store, valid, want, given) for want in module.imports]
    return Instance(driver.instantiate(store, valid, externs))


def _names(module: str, names: Mapping[str, Any] | Exports | Instance) -> Mapping[str, Any]:
    if isinstance(names, Instance):
        return names.raw.exports
    if not isinstance(names, Mapping | Exports):
        raise TypeError(f"the imports of {module!r} are a dict of names, an instance or its exports, not {names!r}")
    return {name: names[name] for name in names}


def _contents(source: str | os.PathLike[str] | bytes) -> bytes | str:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, str) and is_text(source.encode()):
        return source
    return Path(source).read_bytes()


def _shared_store(given: Mapping[str, Mapping[str, Any]], engine: str | None) -> runtime.Store | None:
    for names in given.values():
        for value in names.values():
            raw = unwrap(value)
            if isinstance(raw, (FuncInst, HostFunc, MemInst, TableInst, GlobalInst, TagInst)):
                store = raw.store
                if engine is not None and store.engine.name != engine:
                    raise EmbedderError(f"an import lives in a store of the {store.engine.name} engine, not {engine}")
                return store
    return None


def _extern(store: runtime.Store, valid: ValidModule, want: Import, given: Mapping[str, Mapping[str, Any]]) -> Extern:
    try:
        value = unwrap(given[want.module][want.name])
    except KeyError:
        raise LinkError(f"unknown import {want.module}.{want.name}") from None
    if isinstance(value, (FuncInst, HostFunc, MemInst, TableInst, GlobalInst, TagInst)):
        return value
    type = import_type(valid, want)
    if isinstance(type, Definition) and isinstance(type.comp, FuncType) and want.kind == "func" and callable(value):
        func = store.typed_host_func(type, host_code(store, type.comp, value), name=f"{want.module}.{want.name}")
        func.numbers = value
        return func
    if isinstance(type, GlobalType) and not callable(value):
        return store.global_(type, to_bits(store, type.type, value))
    raise LinkError(f"incompatible import type for {want.module}.{want.name}: a {want.kind} is needed, not {value!r}")


class Awaited:
    """What a host function gave to be awaited, as an awaitable of raw bits."""

    def __init__(self, value: Awaitable[Any], convert: Callable[[Any], Sequence[int]]) -> None:
        self._value = value
        self._convert = convert

    def __await__(self) -> Generator[Any, Any, Sequence[int]]:
        return self._convert((yield from self._value.__await__()))

    def close(self) -> None:
        """It will not be awaited."""
        if isinstance(self._value, Coroutine):
            self._value.close()


def host_code(store: runtime.Store, type: FuncType, function: Callable[..., Any]) -> runtime.HostCode:
    """Raw host code that calls `function` with Python values and takes its results by type.

    Raises TypeError where the function gives another number of results than the type has.
    """
    params = type.params

    def code(*bits: int) -> Any:
        value = function(*(wrap_value(store, t, b) for t, b in zip(params, bits, strict=True)))
        return Awaited(value, given) if isinstance(value, Awaitable) else given(value)

    def given(value: Any) -> Sequence[int]:
        return result_bits(store, type, value, unwrap)

    return code
