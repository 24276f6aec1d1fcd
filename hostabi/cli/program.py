"""Modules that are no filters: an export called by name, or a WASI program with its streams and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click

import interp
from hostabi.abi.hostcall import Import, ProcExit
from hostabi.abi.marshal import GuestMemoryError, check_range
from hostabi.adapters import wasi_program
from hostabi.cli import sources
from hostabi.cli.errors import CommandError, TrapError, cut_frames
from hostabi.cli.sources import named
from interp.tools.notation import func_type, parse_value, print_value


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says about the machine and the world of a program."""

    engine: str | None = None
    fuel: int | None = None
    folders: tuple[tuple[str, str], ...] = ()  # (path in the guest, path here)
    environ: tuple[tuple[str, str], ...] = ()
    clock: int | None = None  # ns since 1970
    seed: int | None = None


class _StoreMemory:
    """The guest's memory: the first of the store, which is there before the start function runs."""

    def __init__(self, store: interp.Store) -> None:
        self._store = store

    def _memory(self) -> interp.MemInst:
        if not self._store.mems:
            raise GuestMemoryError("the program has no memory")
        return self._store.mems[0]

    @property
    def length(self) -> int:
        return self._memory().length

    def read(self, addr: int, n: int) -> bytes:
        check_range(self.length, addr, n)
        return self._memory().read(addr, n)

    def write(self, addr: int, data: bytes) -> None:
        check_range(self.length, addr, len(data))
        self._memory().write(addr, data)


def make_store(settings: Settings) -> interp.Store:
    """A store with the engine and the fuel asked for. Raises CommandError for an engine that is not there."""
    store = sources.make_store(settings.engine)
    store.fuel = settings.fuel
    return store


@contextmanager
def loaded(
    path: str, valid: interp.ValidModule, settings: Settings, args: Sequence[str], store: interp.Store
) -> Iterator[interp.ModuleInst]:
    """An instance with WASI for its imports; what it opened is closed at the end. Traps become TrapError."""
    world = wasi_program.World(
        [os.fsencode(arg) for arg in (path, *args)],
        [(os.fsencode(name), os.fsencode(value)) for name, value in settings.environ],
        settings.folders,
        clock=settings.clock,
        seed=settings.seed,
    )
    world.memory = _StoreMemory(store)
    store.sleep = lambda seconds: world.sleep_ns(round(seconds * 1e9))
    functions, wasi = wasi_program.imports(world)
    try:
        with guest_errors(path):
            wanted = valid.module.imports
            imports = [_import(path, store, functions, one.kind, one.module, one.name) for one in wanted]
            yield interp.instantiate(store, valid, imports)
    finally:
        wasi.close()


def _import(
    path: str, store: interp.Store, functions: Mapping[tuple[str, str], Import], kind: str, module: str, name: str
) -> interp.HostFunc:
    record = functions.get((module, name)) if kind == "func" else None
    if record is None:
        hint = " (a Proxy-Wasm filter is run without --invoke)" if name.startswith("proxy_") else ""
        raise CommandError(f"{path}: unknown import: {kind} {module}.{name}{hint}")
    type = func_type(record.params, record.results)
    return store.host_func(type, record.code, name=f"{module}.{name}")


@contextmanager
def guest_errors(path: str) -> Iterator[None]:
    """Turn what a guest's run ends in into CommandErrors: traps with their backtrace, the rest as one line."""
    try:
        with named(path):
            try:
                yield
            except (interp.Trap, interp.FuelExhausted) as trap:
                frames = cut_frames(interp.backtrace_lines(trap))
                raise TrapError(f"{path}: {trap.message}", tuple(f"  {frame}" for frame in frames)) from trap
    except ProcExit as exit:
        raise click.exceptions.Exit(exit.code & 0xFF) from exit


def exported_function(path: str, inst: interp.ModuleInst, name: str) -> interp.FuncInst | interp.HostFunc:
    """An exported function. Raises CommandError that names those there are."""
    found = inst.exports.get(name)
    if isinstance(found, interp.FuncInst | interp.HostFunc):
        return found
    there = [n for n, e in inst.exports.items() if isinstance(e, interp.FuncInst | interp.HostFunc)]
    listed = ", ".join(there[:10]) + (", ..." if len(there) > 10 else "")
    raise CommandError(f"{path}: no exported function {name!r}" + (f"; there are: {listed}" if there else ""))


def arguments(name: str, type: interp.FuncType, texts: Sequence[str]) -> list[int]:
    """Raw bits of arguments by the parameter types. Raises a usage error."""
    if len(texts) != len(type.params):
        raise click.UsageError(f"{name} takes {len(type.params)} argument(s), {type}, and {len(texts)} were given")
    try:
        return [parse_value(param, text) for param, text in zip(type.params, texts, strict=True)]
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from error


def invoke(path: str, valid: interp.ValidModule, settings: Settings, name: str, args: Sequence[str]) -> None:
    """Call an export and print its results, one a line."""
    store = make_store(settings)
    with loaded(path, valid, settings, (), store) as inst:
        _initialize(store, inst)
        func = exported_function(path, inst, name)
        bits = arguments(name, func.type, args)
        results = interp.invoke_bits(store, func, bits)
        for type, value in zip(func.type.results, results, strict=True):
            click.echo(print_value(type, value))


def _initialize(store: interp.Store, inst: interp.ModuleInst) -> None:
    """A library of WASI (a reactor) wants its initialiser called before anything else."""
    func = inst.exports.get("_initialize")
    if isinstance(func, interp.FuncInst) and not func.type.params:
        interp.invoke_bits(store, func, ())


def run_program(path: str, valid: interp.ValidModule, settings: Settings, args: Sequence[str]) -> None:
    """Run a WASI program to its end; its exit code becomes the process's (as click's Exit)."""
    store = make_store(settings)
    with loaded(path, valid, settings, args, store) as inst:
        interp.invoke_bits(store, exported_function(path, inst, "_start"), ())
