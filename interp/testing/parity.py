"""One program on several machines, compared exit by exit (design 4, "Five witnesses of parity").

A machine is an engine with a way of keeping memory. `observe` runs a program and gives everything that can be seen, as
plain data: results, traps with message and backtrace, ticks, host calls, memories, globals, tables. Two machines agree
if these are equal. Three ways to feed fuel:

* whole: enough from the start;
* short of N: the driver's way, each call has N ticks and ends where they end;
* cut at N: N ticks, then what is seen at OutOfFuel, then enough;
* drop by drop: only ever what the next charge needs, so that the run stops at every single charge;
* interleaved: drop by drop, and at the stops another call runs to its end above the one that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from zlib import crc32

from interp.api import Store
from interp.binary.decode import decode
from interp.exec.driver import call_host, instantiate, invoke_bits
from interp.runtime.engine import (
    Exhausted,
    Exit,
    Failed,
    FrameInfo,
    HostCall,
    OutOfFuel,
    Paused,
    Returned,
    Thread,
    Threw,
    Trapped,
)
from interp.runtime.exception import WasmException
from interp.runtime.instance import ModuleInst, resolve
from interp.runtime.store import Extern, FuncInst, HostFunc
from interp.syntax.errors import FuelExhausted, Trap, WasmError
from interp.syntax.features import EVERY_FEATURE
from interp.syntax.limits import VmLimits
from interp.syntax.types import FuncType, GlobalType, NumType, RefType, TagType, ValType
from interp.valid.module import ValidModule, validate

from .generator import Program
from .referents import shown, shown_all, value
from .shape import constant

#: Small enough that programs meet them.
LIMITS = VmLimits(memory_pages=5, table_entries=600, call_depth=60, value_stack_cells=4000, nested_activations=4)
FUEL = 400

Seen = list[Any]


@dataclass(frozen=True)
class Machine:
    """An engine by name, the memory mode, ticks per slice, and whether every allocation collects."""

    engine: str
    memory: str = "reserved"
    slice: int = 1 << 16
    collecting: bool = False

    def store(self) -> Store:
        """A new store on this machine."""
        store = Store(self.engine, replace(LIMITS, ticks_per_slice=self.slice))
        store.memory_mode = self.memory
        store.sleep = None
        if self.collecting:
            store.heap.collect_always()
        return store


REFERENCE = Machine("reference")
MACHINES = (REFERENCE, Machine("native"), Machine("native", "moving", 3))
#: For programs with objects.
COLLECTING = (
    *MACHINES,
    Machine("reference", slice=7, collecting=True),
    Machine("native", collecting=True),
    Machine("native", "moving", 5, collecting=True),
)
#: Their threads are not resumed: compared by what the driver shows.
DRIVEN = (Machine("python"), Machine("python", "moving", 3))


class HostError(Exception):
    """What a host function of the harness raises now and then."""


class World:
    """A program's store, hosts and instances on one machine, and what was seen so far."""

    def __init__(self, program: Program, machine: Machine) -> None:
        self.program = program
        self.store = machine.store()
        self.store.externs += ["a", "b", "c"]
        self.instances: list[ModuleInst] = []
        self.seen: Seen = []
        self.calls = 0
        self.alive: Callable[[], None] = lambda: None

    # -- hosts ---------------------------------------------------------------------------------------------------

    def find(self, module: str, name: str, wanted: Any) -> Extern:
        """What an import gets: a host function or global, or an export of the module before."""
        if module == "before":
            return self.instances[-1].exports[name]
        if isinstance(wanted, GlobalType):
            bits = constant(Random(name), wanted.type)
            return self.store.global_(wanted, bits)
        if name.startswith("t"):
            return self.store.tag(wanted)
        type = wanted.comp
        return self.store.typed_host_func(wanted, self._host(name, type), name=name)

    def _host(self, name: str, type: FuncType) -> Callable[..., Sequence[int]]:
        def code(*bits: int) -> Sequence[int]:
            self.calls += 1
            args = shown_all(self.store, bits, type.params)
            rng = Random(crc32(repr((name, args, self.calls, self.program.seed)).encode()))
            self.seen.append(("host", name, args, self.store.ticks))
            roll = rng.random()
            if roll < 0.04:
                raise Trap("the host trapped")
            if roll < 0.08:
                raise HostError(name)
            if self.store.tags and rng.random() < 0.3:
                tag = rng.choice(self.store.tags)
                raise WasmException(tag, [value(self.store, rng, type) for type in tag.type.params])
            if roll < 0.3 and self.instances:
                self._call_back(rng)
            elif roll < 0.4:
                for inst in self.instances[-1:]:
                    for memory in inst.mems:
                        memory.grow(1)
                        if memory.length:
                            memory.view[rng.randrange(memory.length)] = rng.randrange(256)
            return [value(self.store, rng, type) for type in type.results]

        return code

    def _call_back(self, rng: Random) -> None:
        """Call an export from within a host call: an activation above the suspended one."""
        exports = rng.choice(self.instances).exports.values()
        funcs = [f for f in exports if isinstance(f, FuncInst | HostFunc) and self._can_call(f)]
        if not funcs:
            return
        func = rng.choice(funcs)
        try:
            args = [self._argument(rng, type) for type in func.type.params]
            results: Any = shown_all(self.store, invoke_bits(self.store, func, args), func.type.results)
        except (WasmError, HostError) as error:
            results = described(error, self)
            if isinstance(error, FuelExhausted):
                raise HostError("no fuel") from None
            if isinstance(error, WasmException) and rng.random() < 0.5:
                self.seen.append(("passed on", func.addr, results, self.store.ticks))
                raise
        self.seen.append(("called back", func.addr, results, self.store.ticks))

    def interleave(self, rng: Random) -> None:
        """Call an export while another call waits for fuel."""
        left, self.store.fuel = self.store.fuel, FUEL
        try:
            self._call_back(rng)
        except (HostError, WasmException) as error:
            self.seen.append(("interleaved", str(error)))
        self.store.fuel = left

    # -- running -------------------------------------------------------------------------------------------------

    def instantiate(self) -> bool:
        """Make the instances; False where one trapped."""
        for data in self.program.modules:
            valid = validate(decode(data, features=EVERY_FEATURE), features=EVERY_FEATURE)
            wanted = {(i.module, i.name): i.desc for i in valid.module.imports}

            def find(module: str, name: str, wanted: Any = wanted, valid: Any = valid) -> Extern:
                desc = wanted[module, name]
                return self.find(module, name, _definition(valid, desc))

            self.store.fuel = FUEL
            before = len(self.store.instances)
            try:
                self.instances.append(instantiate(self.store, valid, resolve(valid, find)))
            except (WasmError, HostError) as error:
                self.instances += self.store.instances[before:]
                self.seen.append(described(error, self))
                self.look()
                return False
        self.look()
        return True

    def jobs(self, count: int) -> Iterator[tuple[FuncInst, list[int]]]:
        """Exported functions with arguments, in the order of the program's seed."""
        rng = Random(self.program.seed)
        exports = [extern for inst in self.instances for extern in inst.exports.values()]
        funcs = [f for f in exports if isinstance(f, FuncInst) and self._can_call(f)]
        for _ in range(count if funcs else 0):
            func = rng.choice(funcs)
            yield func, [self._argument(rng, type) for type in func.type.params]

    def _can_call(self, func: FuncInst | HostFunc) -> bool:
        return not self.program.foreign or all(isinstance(type, NumType) or type.nullable for type in func.type.params)

    def _argument(self, rng: Random, type: ValType) -> int:
        return 0 if self.program.foreign and isinstance(type, RefType) else value(self.store, rng, type)

    def look(self) -> None:
        """Note the state of everything."""
        store = self.store
        self.seen.append(
            (
                "state",
                store.ticks,
                tuple((m.pages, crc32(m.view)) for m in store.mems),
                tuple(shown(store, g.bits, g.type.type) for g in store.globals),
                tuple(tuple(shown(store, bits, t.type.ref) for bits in t.cells[: t.length]) for t in store.tables),
            )
        )

    def places(self, frames: Sequence[FrameInfo]) -> tuple[tuple[int, int, int], ...]:
        """A backtrace as numbers: instance, function, offset."""
        numbers = {id(inst): n for n, inst in enumerate(self.store.instances)}
        return tuple((numbers[id(frame.module)], frame.func_index, frame.offset) for frame in frames)


def _definition(valid: ValidModule, desc: Any) -> Any:
    """The type that an import of a function or a tag names by its index; others are types themselves."""
    index = desc.type_index if isinstance(desc, TagType) else desc
    return valid.definitions[index] if isinstance(index, int) else index


def described(error: BaseException, world: World) -> tuple[Any, ...]:
    """An error as data."""
    if isinstance(error, Trap):
        return ("trap", type(error).__name__, error.message, world.places(error.backtrace))
    if isinstance(error, WasmException):
        values = shown_all(world.store, error.values, error.tag.type.params)
        return ("threw", error.tag.addr, values, world.places(error.backtrace))
    if isinstance(error, FuelExhausted):
        where = error.where.offset if error.where else None
        return ("fuel", where, world.places(error.backtrace))
    return ("error", type(error).__name__, str(error), tuple(getattr(error, "__notes__", ())))


def observe(program: Program, machine: Machine, jobs: int = 4, fuel: int = FUEL) -> Seen:
    """Run some exports through the driver, with enough fuel or less, and give all that was seen."""
    world = World(program, machine)
    if world.instantiate():
        for func, args in world.jobs(jobs):
            world.store.fuel = fuel
            world.seen.append(("call", func.index, shown_all(world.store, args, func.type.params)))
            try:
                results = invoke_bits(world.store, func, args)
                world.seen.append(("returned", shown_all(world.store, results, func.type.results)))
            except (WasmError, HostError) as error:
                world.seen.append(described(error, world))
            world.look()
    return world.seen


# -- fuel, by hand: the thread protocol without the driver ---------------------------------------------------------


@contextmanager
def activation(store: Store) -> Iterator[None]:
    """What a driver does around a thread."""
    depth, cells = store.depth, store.cells
    store.enter()
    try:
        yield
    finally:
        store.leave()
        store.depth, store.cells = depth, cells


def feed(
    world: World,
    func: FuncInst,
    args: Sequence[int],
    fuel: int,
    refill: Callable[[int], int | None],
    between: Callable[[], None] = lambda: None,
) -> None:
    """Run one call by the thread protocol. At OutOfFuel `refill(needed)` says how much there is now, None gives up.

    What host functions do within is done with fuel enough, since their own exits are not at stake.
    """
    store = world.store
    store.fuel = fuel
    with activation(store):
        thread = store.engine.start(store, func, args)
        exit = thread.run()
        while True:
            match exit:
                case HostCall(host, values):
                    answered = _answer(world, thread, host, values)
                    if answered is None:
                        return
                    exit = answered
                case Paused():
                    exit = thread.run()
                case OutOfFuel(index, offset, needed):
                    frames = world.places(thread.backtrace())
                    world.seen.append(("out of fuel", index, offset, needed, store.fuel, frames))
                    world.look()
                    between()
                    store.fuel = refill(needed)
                    if store.fuel is None:
                        thread.abort()
                        return
                    exit = thread.run()
                case _:
                    world.seen.append(_over(world, func, exit))
                    world.look()
                    return


def _answer(world: World, thread: Thread, host: HostFunc, args: Sequence[int]) -> Exit | None:
    store = world.store
    left, store.fuel = store.fuel, FUEL
    try:
        values = call_host(host, args)
    except Trap as trap:
        store.fuel = left
        return thread.throw_trap(trap)
    except WasmException as exception:
        store.fuel = left
        return thread.throw(exception)
    except HostError as error:
        world.seen.append(("host error", str(error), world.places(thread.backtrace())))
        thread.abort()
        store.fuel = left
        world.look()
        return None
    store.fuel = left
    return thread.resume(values)


def _over(world: World, func: FuncInst, exit: Exit) -> tuple[Any, ...]:
    match exit:
        case Returned(values):
            return ("returned", shown_all(world.store, values, func.type.results))
        case Trapped(trap):
            return described(trap, world)
        case Exhausted(which, backtrace):
            return ("exhausted", which, world.places(backtrace))
        case Failed(error) | Threw(error):
            return described(error, world)
    raise TypeError(f"no end: {exit!r}")


def fed(program: Program, machine: Machine, jobs: int = 3) -> Seen:
    """Calls by the thread protocol with enough fuel; those that need more are given up."""
    world = World(program, machine)
    if world.instantiate():
        for func, args in world.jobs(jobs):
            feed(world, func, args, FUEL, lambda needed: None)
    return world.seen


def cut_at(program: Program, machine: Machine, job: int, fuel: int) -> Seen:
    """One call cut at `fuel` ticks: what is seen there, and what is seen once it went on with enough."""
    world = World(program, machine)
    if world.instantiate():
        for number, (func, args) in enumerate(world.jobs(job + 1)):
            if number == job:
                feed(world, func, args, fuel, _once())
    return world.seen


def _once() -> Callable[[int], int | None]:
    tries = iter((FUEL,))
    return lambda needed: next(tries, None)


def drop_by_drop(program: Program, machine: Machine, jobs: int = 3, *, interleaved: bool = False) -> Seen:
    """Calls that get only what the next charge needs, to the end or until they used what `fed` gives."""
    world = World(program, machine)
    rng = Random(program.seed + 1)

    def between() -> None:
        if interleaved and rng.random() < 0.2:
            world.interleave(rng)

    if world.instantiate():
        for func, args in world.jobs(jobs):
            left = [60 if interleaved else FUEL]

            def refill(needed: int, left: list[int] = left) -> int | None:
                left[0] -= needed
                return needed if left[0] >= 0 else None

            feed(world, func, args, 0, refill, between)
    return world.seen


def difference(program: Program, machines: Sequence[Machine] = MACHINES) -> str:
    """In words, the first thing that two machines see differently; empty if there is none."""
    # Objects are shown with their types' numbers, which last as long as something has those types.
    held = [validate(decode(data, features=EVERY_FEATURE), features=EVERY_FEATURE) for data in program.modules]
    return _difference(program, machines) if held else ""


def _difference(program: Program, machines: Sequence[Machine]) -> str:
    ways: tuple[tuple[str, Callable[[Machine], Seen]], ...] = (
        ("whole", lambda machine: observe(program, machine)),
        *((f"short of {n}", lambda machine, n=n: observe(program, machine, fuel=n)) for n in (0, *_cuts(program))),
        ("fed", lambda machine: fed(program, machine)),
        ("drop by drop", lambda machine: drop_by_drop(program, machine)),
        ("interleaved", lambda machine: drop_by_drop(program, machine, interleaved=True)),
        *((f"cut at {n}", lambda machine, n=n: cut_at(program, machine, 0, n)) for n in _cuts(program)),
    )
    found: dict[str, Seen] = {}
    for name, way in ways:
        found[name] = way(machines[0])
        driven = not name.startswith(("whole", "short"))
        for machine in machines[1:]:
            if driven and machine.engine == "python":
                continue
            other = way(machine)
            if other != found[name]:
                return f"{name}: {machines[0]} and {machine} differ\n{first_difference(found[name], other)}"
    if all(machine.engine == "python" for machine in machines[1:]):
        return ""
    finished = all(item[0] != "out of fuel" for item in found["fed"])
    if finished and uncut(found["drop by drop"]) != found["fed"]:
        return f"stopping changed the run\n{first_difference(found['fed'], uncut(found['drop by drop']))}"
    return ""


def _cuts(program: Program) -> list[int]:
    rng = Random(program.seed)
    return sorted(rng.sample(range(40), 2))


def uncut(seen: Seen) -> Seen:
    """What was seen of a call that was cut, without the cut itself and the state there."""
    kept: Seen = []
    skip = False
    for item in seen:
        if skip:
            skip = False
        elif item[0] == "out of fuel":
            skip = True
        else:
            kept.append(item)
    return kept


def first_difference(expected: Seen, found: Seen) -> str:
    """The first items that differ, and the one before."""
    for n, (a, b) in enumerate(zip(expected, found, strict=False)):
        if a != b:
            before = f"after {expected[n - 1]!r}\n" if n else ""
            return f"{before}item {n}:\n  {a!r}\n  {b!r}"
    return f"{len(expected)} items and {len(found)}: {(expected + found)[min(len(expected), len(found)) :][:1]!r}"
