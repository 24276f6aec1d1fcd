"""The engines that are compared, each behind the same two methods, so that all are timed by the same lines."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.guests import MASK, Guest, Stubs, TamisGuest, Wasm3Guest, WasmtimeGuest

Run = Callable[[int], int]


class Peer(Protocol):
    """An engine: `load` makes a fresh instance of a module and gives its export `run`, an i32 to an i32 as bits.

    `open` makes an instance of a program that has imports.
    """

    name: str
    version: str

    def load(self, data: bytes) -> Run: ...
    def open(self, data: bytes, stubs: Stubs) -> Guest: ...


class Tamis:
    """Ourselves, as installed: interruptible, limits on, ticks counted; lowering happens in the first call."""

    def __init__(self, engine: str | None = None) -> None:
        import interp

        self._interp = interp
        self._engine = engine
        self.name = f"tamis {interp.Store(engine).engine.name}"
        self.version = version_of("tamis")

    def load(self, data: bytes) -> Run:
        interp = self._interp
        valid = interp.validate(interp.decode(data))  # each time: lowered code belongs to it and is part of a run
        store = interp.Store(self._engine)
        func = interp.instantiate(store, valid, []).exports["run"]
        return lambda n: interp.invoke_bits(store, func, [n])[0]

    def open(self, data: bytes, stubs: Stubs) -> Guest:
        return TamisGuest(data, stubs, self._engine)


class Wasm3:
    """wasm3, through pywasm3."""

    name = "wasm3"

    def __init__(self) -> None:
        import wasm3

        self._wasm3 = wasm3
        flags = [flag for flag in str(sysconfig.get_config_var("CFLAGS")).split() if flag.startswith(("-O", "-f"))]
        told = f"pywasm3 {version_of('pywasm3')}, built by pip with Python's flags {' '.join(flags)}"
        self.version = f"{wasm3.M3_VERSION} ({told})"

    def load(self, data: bytes) -> Run:
        environment = self._wasm3.Environment()
        runtime = environment.new_runtime(1 << 20)
        runtime.load(environment.parse_module(data))
        function = runtime.find_function("run")
        return lambda n: (environment, function(n))[1] & MASK  # the environment must outlive the function

    def open(self, data: bytes, stubs: Stubs) -> Guest:
        return Wasm3Guest(data, stubs, self._wasm3)


class Wasmtime:
    """Wasmtime's compiler (Cranelift): not an interpreter, here to show the distance."""

    name = "wasmtime"

    def __init__(self) -> None:
        import wasmtime

        self._wasmtime = wasmtime
        self._engine = wasmtime.Engine()
        self.version = version_of("wasmtime")

    def load(self, data: bytes) -> Run:
        store = self._wasmtime.Store(self._engine)
        instance = self._wasmtime.Instance(store, self._wasmtime.Module(self._engine, data), [])
        function: Any = instance.exports(store)["run"]
        return lambda n: function(store, n) & MASK

    def open(self, data: bytes, stubs: Stubs) -> Guest:
        return WasmtimeGuest(data, stubs, self._wasmtime, self._engine)


PEERS: dict[str, Callable[[], Peer]] = {
    "tamis": Tamis,
    "reference": lambda: Tamis("reference"),
    "python": lambda: Tamis("python"),
    "wasm3": Wasm3,
    "wasmtime": Wasmtime,
}


def version_of(distribution: str) -> str:
    """The installed version of a distribution; "checkout" for one that is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "checkout"


def present(names: list[str]) -> tuple[list[Peer], list[str]]:
    """The peers of that name that can be used here, and the names of those that are not installed."""
    found, missing = [], []
    for name in names:
        try:
            found.append(PEERS[name]())
        except ModuleNotFoundError:
            missing.append(name)
    return found, missing
