"""One VM: runs a guest's callbacks on a VmState, keeps current and effective context, and drains what was deferred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.enums import AbiVersion, LogLevel
from hostabi.abi.hostcall import EmbedderError, GuestError, Phase
from hostabi.abi.marshal import GuestMemory
from hostabi.core.commands import Command, Log
from hostabi.core.context import Context, RootContext, VmState
from hostabi.core.transcript import Broke, Called, Entered, Left, Record

_CALLS_IN_REPORT = 10
_UNKNOWN = ("?",)


class GuestTrap(Exception):
    """The guest's call ended in a trap; `frames` are the lines of its backtrace, innermost first."""

    def __init__(self, message: str, frames: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.frames = frames


class Guest(Protocol):
    """A filter that can be called: a Wasm instance, or a Python object behind `core.python_filter`."""

    @property
    def abi(self) -> AbiVersion:
        """The ABI version it speaks."""

    @property
    def engine(self) -> str:
        """What runs it."""

    @property
    def ticks(self) -> int:
        """Fuel it has used so far."""

    @property
    def memory(self) -> GuestMemory:
        """Its memory, the same object always; reading raises GuestMemoryError as long as there is none."""

    @property
    def can_allocate(self) -> bool:
        """Whether it has an allocator."""

    def params_of(self, callback: str) -> int | None:
        """How many parameters a callback takes, None when it has none of this name."""

    def start(self) -> None:
        """Run the start functions; raises GuestTrap."""

    def call(self, callback: str, args: tuple[int, ...]) -> int | None:
        """Run a callback; its result as an unsigned number. Raises GuestTrap."""

    def allocate(self, size: int) -> int:
        """Run the allocator; its result, unchecked. A trap in it is one of the callback under way."""


class Failure:
    """Why a VM is dead: the callback, the message, the backtrace, and the last host calls before it."""

    def __init__(self, callback: str, message: str, frames: tuple[str, ...], calls: tuple[str, ...]) -> None:
        self.callback = callback
        self.message = message
        self.frames = frames
        self.calls = calls

    def report(self) -> str:
        """The failure as several lines for people."""
        lines = [f"Function: {self.callback} failed: {self.message}"]
        if self.frames:
            lines += ["Proxy-Wasm plugin in-VM backtrace:", *(f"  {frame}" for frame in self.frames)]
        if self.calls:
            lines += ["Last host calls, newest last:", *(f"  {call}" for call in self.calls)]
        return "\n".join(lines)


class Vm:
    """A guest with its state. Events come in between `begin` and `end`; within, `call` runs callbacks."""

    def __init__(self, state: VmState) -> None:
        self.state = state
        self.failure: Failure | None = None
        self.on_failure: list[Callable[[], None]] = []
        self._guest: Guest | None = None
        self._params: dict[str, tuple[str, ...] | None] = {}
        self._busy = False
        self._depth = 0

    # --- the guest

    @property
    def guest(self) -> Guest:
        """The guest; EmbedderError before there is one."""
        if self._guest is None:
            raise EmbedderError("this VM has no guest yet")
        return self._guest

    def attach(self, guest: Guest) -> None:
        """Give the VM its guest, which must not have been started."""
        self._guest = guest
        self.state.abi = guest.abi
        self.state.memory = guest.memory
        if guest.can_allocate:
            self.state.run_allocator = self._allocate

    def start(self) -> None:
        """Run the start functions, once. Raises GuestTrap; the VM is of no use then."""
        self.state.phase = Phase.START
        try:
            self.guest.start()
        finally:
            self.state.phase = Phase.RUN

    def _allocate(self, size: int) -> int:
        """Run the allocator in the VM context: none current, none effective, few host calls allowed."""
        state, guest = self.state, self.guest
        saved = state.current, state.effective, state.phase
        state.current = state.effective = None
        state.phase = Phase.ALLOCATE
        try:
            return guest.allocate(size)
        finally:
            state.current, state.effective, state.phase = saved

    # --- events

    def begin(self, now: int) -> None:
        """An event begins. EmbedderError when one is under way."""
        if self._busy:
            raise EmbedderError("a VM handles one event at a time, and one is under way")
        self._busy = True
        self.state.clock.begin(now)
        self.state.deferred_in_event = 0

    def end(self) -> list[Command]:
        """The event is over; what it asks of the world, and what the guest asked while it started."""
        self._busy = False
        commands, self.state.commands = self.state.commands, []
        return commands

    def call(self, callback: str, context: Context, *args: int) -> int | None:
        """Run a callback on a context, if the guest has it; None when it has not, or has failed."""
        guest = self._guest
        names = self._params.get(callback, _UNKNOWN)
        if names is _UNKNOWN:
            names = self._params_of(callback)
        if names is None or self.failure or guest is None:
            return None
        state = self.state
        saved = state.current, state.effective
        state.current, state.effective = context, None
        given = (context.id, *args)[: len(names)]
        plugin = context.root.plugin
        state.record(Entered(plugin, callback, tuple(zip(names, given, strict=True))))
        ticks = guest.ticks
        self._depth += 1
        try:
            result = guest.call(callback, given)
            if state.allocator_failure:
                trapped, state.allocator_failure = state.allocator_failure, ""
                raise GuestTrap(trapped)
            state.effective = None
            state.record(Left(plugin, callback, result, guest.ticks - ticks))
            return result
        except GuestTrap as trap:
            self._fail(callback, trap.message, trap.frames, ticks, context)
        except GuestError as error:
            self._fail(callback, str(error), (), ticks, context)
        finally:
            self._depth -= 1
            state.current, state.effective = saved
        return None

    def _params_of(self, callback: str) -> tuple[str, ...] | None:
        """The names of a callback's parameters; None when the guest has it not, or may not have it called."""
        count = self.guest.params_of(callback)
        found = _names(callback, count) if count is not None and self.state.allows(callback) else None
        self._params[callback] = found
        return found

    def settle(self) -> None:
        """Run what was deferred, first in first out, unless a guest call is under way.

        An action may call the guest, and what that defers runs as soon as it has returned, within the action.
        """
        while self.state.deferred and not self.failure and not self._depth:
            self.state.deferred.popleft()()

    def fail(self, callback: str, message: str, context: Context) -> None:
        """The guest broke the ABI with what a callback returned: treated as a trap in it."""
        self._fail(callback, message, (), self.guest.ticks, context)

    def _fail(self, callback: str, message: str, frames: tuple[str, ...], ticks: int, context: Context) -> None:
        state = self.state
        state.effective = None
        calls = _last_calls(state.records)
        state.record(Broke(state.plugin_key, callback, message, frames, self.guest.ticks - ticks))
        state.deferred.clear()
        self.failure = Failure(callback, message, frames, calls)
        state.emit(Log(context.root.plugin, LogLevel.CRITICAL, self.failure.report().encode()))
        for tell in self.on_failure:
            tell()

    def forget(self, context: RootContext) -> None:
        """A plugin of this VM is gone, and every context of it."""
        contexts = self.state.contexts
        for id in [id for id, one in contexts.items() if one.root is context]:
            del contexts[id]


def _names(callback: str, count: int) -> tuple[str, ...]:
    row = CALLBACKS.get(callback)
    return row.params[:count] if row else tuple(f"arg{i}" for i in range(count))


def _last_calls(records: Sequence[Record]) -> tuple[str, ...]:
    found: list[str] = []
    for record in reversed(records):
        if isinstance(record, Called):
            found.append(describe_call(record))
        if isinstance(record, Entered) or len(found) == _CALLS_IN_REPORT:
            break
    return tuple(reversed(found))


def describe_call(record: Called) -> str:
    """A host call on one line, with long values cut."""
    args = ", ".join(f"{name}={short(value)}" for name, value in record.args)
    outputs = "".join(f" {short(value)}" for value in record.outputs)
    return f"{record.function}({args}) = {record.result}{outputs}"


def short(value: object, most: int = 60) -> str:
    """A value of a transcript as text, cut to `most` characters."""
    if isinstance(value, bytes):
        text = repr(value[: most + 1].decode("utf-8", "backslashreplace"))
    elif hasattr(value, "name"):
        text = str(value.name)
    else:
        text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."
