"""What an engine is (design, idea 3): something that runs a thread until it must leave, and says why it left.

An engine knows nothing of drivers, and `instantiate` knows no engine by name. A suspended thread goes on by exactly one
of `run` (after Paused and OutOfFuel), `resume`, `throw` or `throw_trap` (after HostCall), or is dropped by `abort`.

Accounts: ticks, depth and cells belong to the store. A thread takes ticks with `store.grant` when it starts or goes on,
and at every exit gives the account back with `store.settle`; at a HostCall it also leaves `store.depth` and
`store.cells` at what its frames hold, so that an activation above it counts from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from interp.syntax.errors import Trap
from interp.syntax.features import Feature

if TYPE_CHECKING:
    from .exception import WasmException
    from .instance import ModuleInst
    from .store import FuncInst, HostFunc, Store


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """One frame of a backtrace: the instance, the function's index in it, and the byte offset of its instruction."""

    module: ModuleInst
    func_index: int
    offset: int


# Exits are made a hundred thousand times a second: frozen ones would take three times as long to make.


@dataclass(slots=True)
class Returned:
    """The activation is over; raw bits of the results."""

    values: Sequence[int]


@dataclass(slots=True)
class HostCall:
    """The guest calls a host function; its tick is charged. Answered by `resume`, `throw` or `throw_trap`."""

    func: HostFunc
    args: Sequence[int]


@dataclass(slots=True)
class Threw:
    """The activation is over by an exception that no guest code caught; its frames are in `exception.backtrace`."""

    exception: WasmException


@dataclass(slots=True)
class Trapped:
    """The activation is over by a trap; `trap.backtrace` is filled in."""

    trap: Trap


@dataclass(slots=True)
class Exhausted:
    """The activation is over: `which` is `depth` or `cells` (both are "call stack exhausted" to the guest)."""

    which: str
    backtrace: tuple[FrameInfo, ...] = ()


@dataclass(slots=True)
class OutOfFuel:
    """`needed` ticks could not be charged at this place; nothing was. `run` repeats the charge."""

    func_index: int
    offset: int
    needed: int = 1


@dataclass(slots=True)
class Paused:
    """The slice of ticks is used up (`slice`); `run` goes on."""

    reason: str = "slice"


@dataclass(slots=True)
class Failed:
    """The activation is over by an error that is neither of the guest nor a trap, such as a ResourceError."""

    error: Exception


Exit = Returned | HostCall | Threw | Trapped | Exhausted | OutOfFuel | Paused | Failed


class Thread(Protocol):
    """One activation: the frames between an entry from outside and the return to it."""

    def run(self) -> Exit:
        """Begin, or go on after Paused or OutOfFuel."""

    def resume(self, values: Sequence[int]) -> Exit:
        """Answer a HostCall with the raw bits of its results (already checked by the driver)."""

    def throw(self, exception: WasmException) -> Exit:
        """Answer a HostCall with an exception, which the guest can catch (already checked by the driver)."""

    def throw_trap(self, trap: Trap) -> Exit:
        """Answer a HostCall with a trap."""

    def abort(self) -> None:
        """Drop the activation; allowed at any time, and more than once."""

    def backtrace(self) -> tuple[FrameInfo, ...]:
        """The frames, innermost first."""


class Engine(Protocol):
    """Runs functions. `features` is what it can run, `capabilities` what its threads can do.

    *resumable*: after Paused and OutOfFuel a thread goes on. *steppable*: `store.monitor` sees every instruction.
    *native objects*: the engine needs the objects of the heap in C memory.
    """

    @property
    def name(self) -> str:
        """`reference`, `native` or `python`."""

    @property
    def features(self) -> frozenset[Feature]:
        """What modules may need; instantiation refuses others with UnsupportedError."""

    @property
    def capabilities(self) -> frozenset[str]:
        """A set of the words above."""

    def link(self, inst: ModuleInst) -> Any:
        """Prepare an instance whose functions, tables, memories and globals are all in place (before its segments)."""

    def start(self, store: Store, func: FuncInst, args: Sequence[int]) -> Thread:
        """A thread that will call `func` with these raw bits. Nothing runs before `run`."""

    def entry(self, func: FuncInst) -> Any:
        """`func` as a callable of raw bits that does all that the driver does, or None if there is no faster way."""

    def bind(self, func: FuncInst, function: Any) -> None:
        """Give an `Entry` (native/boundary.c) the faster way to `func` with Python's numbers, if there is one."""


class Stepwise:
    """What an engine says whose functions are called by threads and their exits alone."""

    def entry(self, func: FuncInst) -> Any:
        """None: there is no faster way."""
        return None

    def bind(self, func: FuncInst, function: Any) -> None:
        """Nothing to give."""
