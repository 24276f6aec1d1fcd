"""Filters written in Python: the same callbacks and host calls as a Wasm filter, without memory in between.

A filter is an object with any of the callbacks as methods, named without the prefix `proxy_`:

    class AddHeader:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, context: int, count: int, end: bool) -> int:
            self.host.add_header_map_value(MapType.HTTP_REQUEST_HEADERS, b"x-tamis", b"1")
            return HeadersAction.CONTINUE

`host` has every host call by name, also without the prefix; it returns the outputs and raises HostError for any status
but OK. An exception that leaves a callback counts as a trap.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import REGISTRY, HostError, Param, Wire
from hostabi.abi.marshal import GuestMemory, NoMemory
from hostabi.core.context import VmState
from hostabi.core.link import turned_away
from hostabi.core.vm import GuestTrap


class HostCalls:
    """Every host call as a method on Python values."""

    def __init__(self, state: VmState) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Callable[..., object]:
        call = REGISTRY.calls.get(f"proxy_{name}") or REGISTRY.calls.get(name)
        if call is None:
            raise AttributeError(f"there is no host call {name!r}")

        def run(*given: object) -> object:
            if turned_away(call, self._state):
                raise HostError(Status.INTERNAL_FAILURE, f"{call.name} is not allowed here")
            values = [_member(param, value) for param, value in zip(call.params, given, strict=True)]
            wires = [param.wire for param in call.params]
            late = [_later(v) if w is Wire.LATE_BYTES else v for w, v in zip(wires, values, strict=True)]
            status, outputs, message = call.answer(self._state, late)
            args = tuple((param.name, value) for param, value in zip(call.params, values, strict=True))
            self._state.called(call.name, args, status, outputs)
            if status is not Status.OK:
                if message:
                    self._state.complain(f"{call.name} answers {status.name}: {message}")
                self._state.misused(call.name, status, message)
                raise HostError(status, message)
            return outputs if len(outputs) > 1 else next(iter(outputs), None)

        return run


def _member(param: Param, value: object) -> object:
    """A number as a member of its enumeration; HostError with BAD_ARGUMENT when it is none."""
    if param.enum is None or not isinstance(value, int):
        return value
    try:
        return param.enum(value)
    except ValueError:
        raise HostError(Status.BAD_ARGUMENT, f"{param.name} {value} is out of range") from None


def _later(value: object) -> Callable[[], object]:
    return lambda: value


PythonFilter = Callable[[HostCalls], object]


class PythonGuest:
    """A Python object as a guest."""

    engine = "python filter"
    can_allocate = False
    memory: GuestMemory = NoMemory()
    ticks = 0

    def __init__(self, make: PythonFilter, state: VmState, abi: AbiVersion = AbiVersion.V0_2_1) -> None:
        self.abi = abi
        self._make = make
        self._state = state
        self._filter: object = None

    def start(self) -> None:
        """Make the object."""
        self._filter = self._run("start", lambda: self._make(HostCalls(self._state)))

    def params_of(self, callback: str) -> int | None:
        """The number of parameters, if the object has the method."""
        row = CALLBACKS.get(callback)
        if row is None or row.since > self.abi or not hasattr(self._filter, callback.removeprefix("proxy_")):
            return None
        return len(row.params_in(self.abi))

    def call(self, callback: str, args: tuple[int, ...]) -> int | None:
        """Run the method; None and False are 0, True is 1."""
        method = getattr(self._filter, callback.removeprefix("proxy_"))
        result = self._run(callback, lambda: method(*args))
        return int(result) if isinstance(result, int) else None

    def allocate(self, size: int) -> int:
        """There is no memory to give."""
        return 0

    def _run(self, callback: str, body: Callable[[], object]) -> object:
        try:
            return body()
        except Exception as error:  # the filter is a guest here: whatever it raises is its trap
            frames = traceback.extract_tb(error.__traceback__)[2:]
            lines = tuple(f"{frame.name} line {frame.lineno}" for frame in reversed(frames))
            raise GuestTrap(f"{type(error).__name__}: {error}", lines) from error
