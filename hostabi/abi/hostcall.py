"""Host functions as data: a host call is a typed Python function, and everything else derives from its annotations.

Two kinds live here.

*Host calls* of module `env` answer a status. One is declared like this:

    @hostcall("proxy_get_header_map_value")
    def get_header_map_value(vm: VmState, map: MapType, key: Bytes) -> OutBytes: ...

From the annotations derive its Wasm type, the reading and writing of guest memory, the allocation of results, the order
of checks (abi_reference 3.2: enumerations, then input memory, then the operation, then output memory), its record in
the transcript and its row in the documentation. A function that cannot do what was asked raises HostError(status).

*Raw functions* are the rest: WASI, emscripten's and AssemblyScript's leftovers. One is an `Import` record: raw bits in
(unsigned Python ints), raw bits or None out.

How `hostcalls/wasi.py` registers itself
----------------------------------------
It offers one function, called once for each VM before instantiation:

    def imports(env: GuestEnv) -> dict[tuple[str, str], Import]

The keys are (module, name) with both module names, "wasi_snapshot_preview1" and "wasi_unstable"; the values say the
Wasm type and the code:

    Import("wasi_snapshot_preview1", "fd_close", ("i32",), ("i32",), code)      # code(fd: int) -> int, an errno

* `code` takes the parameters as unsigned ints (i64 too) and returns the errno as an int (None for proc_exit).
* It reaches the guest only through `env` (the protocol GuestEnv below): `env.memory` anew in each call, never kept;
  `GuestMemoryError` from it is the function's to catch (errno 21 FAULT).
* `proc_exit` raises `ProcExit(code)`; the host decides what that means in the phase it is in.
* No clock, randomness, file or socket of its own: `env.time_ns()`, `env.monotonic_ns()`, `env.sleep_ns(n)`,
  `env.random(n)`, `env.write_output(fd, data)`, `env.read_input(n)`, `env.preopens`.
* One standard type for each name. A module that imports a known name with another type, or an unknown name, gets a stub
  answering 52 from the linker; wasi.py does not care.
* Capabilities, phases, recording and the transcript are the linker's as well.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, auto
from typing import Annotated, Protocol

from hostabi.abi.codec import HeaderPairs, PairsLimits
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.marshal import GuestMemory


class ProcExit(Exception):
    """The guest asked to end (WASI proc_exit): unwinds it. Code 0 while starting is success, all else is its fault."""

    def __init__(self, code: int) -> None:
        super().__init__(f"proc_exit({code})")
        self.code = code


class GuestEnv(Protocol):
    """What raw functions may use of the world: given by whoever runs the guest, so that every run can be repeated."""

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory now; raises GuestMemoryError when it has none."""

    @property
    def args(self) -> Sequence[bytes]:
        """Program arguments, without terminators; a filter has none."""

    @property
    def environ(self) -> Sequence[tuple[bytes, bytes]]:
        """Environment as (name, value), in order."""

    @property
    def preopens(self) -> Sequence[tuple[str, str]]:
        """Folders as (path in the guest, path on the host); a filter has none."""

    def time_ns(self) -> int:
        """Wall clock, ns since 1970."""

    def monotonic_ns(self) -> int:
        """A clock that never goes back, in ns."""

    def sleep_ns(self, duration: int) -> None:
        """Let so much time pass; in a filter it moves the injected clock only."""

    def random(self, n: int) -> bytes:
        """n bytes of the injected entropy."""

    def write_output(self, fd: int, data: bytes) -> None:
        """What the guest wrote to fd 1 or 2: a log line in a filter (INFO and ERROR), the stream in a program."""

    def read_input(self, n: int) -> bytes:
        """At most n bytes of standard input, empty at its end; always empty in a filter."""


@dataclass(frozen=True, slots=True)
class Import:
    """A raw function that a guest may import, with its Wasm type as names ("i32", "i64", "f32", "f64")."""

    module: str
    name: str
    params: tuple[str, ...]
    results: tuple[str, ...]
    code: Callable[..., int | None]
    doc: str = ""
    shown: Callable[[Sequence[int]], tuple[tuple[str, object], ...]] = lambda raw: ()
    """What a transcript says of its arguments, given raw bits after the call."""


# --- errors ----------------------------------------------------------------------------------------------------------


class GuestError(Exception):
    """The guest broke the ABI in a way that no status can express: it is treated as if it had trapped."""


class EmbedderError(Exception):
    """The caller of this package broke its order of use; the guest is not to blame."""


class HostError(Exception):
    """A host call cannot do what was asked: `status` is its answer, `outputs` are written all the same when given."""

    def __init__(self, status: Status, message: str = "", outputs: object = None) -> None:
        super().__init__(message or status.name)
        self.status = status
        self.message = message
        self.outputs = outputs


# --- annotations -----------------------------------------------------------------------------------------------------


class Wire(Enum):
    """How a Python value crosses the boundary: (Wasm parameters, suffixes of their names in the documentation)."""

    BYTES = (("i32", "i32"), ("_ptr", "_len"))
    LATE_BYTES = (("i32", "i32"), ("_ptr", "_len"), "late")
    PAIRS = (("i32", "i32"), ("_ptr", "_len"), "pairs")
    U32 = (("i32",), ("",))
    I32 = (("i32",), ("",), "signed")
    ENUM = (("i32",), ("",), "enum")
    U64 = (("i64",), ("",))
    I64 = (("i64",), ("",), "signed")
    OUT_BYTES = (("i32", "i32"), ("ret_ptr", "ret_size"))
    OUT_PAIRS = (("i32", "i32"), ("ret_ptr", "ret_size"), "pairs")
    OUT_OPTIONAL = (("i32", "i32"), ("ret_ptr", "ret_size"), "optional")
    OUT_U32 = (("i32",), ("ret",))
    OUT_U64 = (("i32",), ("ret",), "u64")
    OUT_TOKEN = (("i32",), ("ret_token",), "token")

    @property
    def wasm(self) -> tuple[str, ...]:
        """The Wasm types of the parameters it takes."""
        types: tuple[str, ...] = self.value[0]
        return types


LateData = Callable[[], bytes]

Bytes = Annotated[bytes, Wire.BYTES]
LateBytes = Annotated[LateData, Wire.LATE_BYTES]
"""Bytes read when the function asks for them, for calls that check more than enumerations before memory."""
Pairs = Annotated[HeaderPairs, Wire.PAIRS]
U32 = Annotated[int, Wire.U32]
I32 = Annotated[int, Wire.I32]
U64 = Annotated[int, Wire.U64]
I64 = Annotated[int, Wire.I64]
OutBytes = Annotated[bytes, Wire.OUT_BYTES]
OutPairs = Annotated[HeaderPairs, Wire.OUT_PAIRS]
OutOptional = Annotated[bytes, Wire.OUT_OPTIONAL]
"""Bytes of which the guest may refuse address and size, each by passing 0 for where it should go."""
OutU32 = Annotated[int, Wire.OUT_U32]
OutU64 = Annotated[int, Wire.OUT_U64]
OutToken = Annotated[int, Wire.OUT_TOKEN]
"""A u32 whose cell is written with 0 before the operation, to be sure of the memory before anything happens."""


# --- one host call ---------------------------------------------------------------------------------------------------


class Phase(Flag):
    """What a guest is doing when it calls the host."""

    RUN = auto()
    LINK = auto()
    START = auto()
    ALLOCATE = auto()


@dataclass(frozen=True, slots=True)
class Param:
    """One input of a host call; `default` fills it when a variant of the import leaves it out."""

    name: str
    wire: Wire
    enum: type[IntEnum] | None = None


class Caller(Protocol):
    """What marshalling needs of the VM that calls."""

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory now."""

    @property
    def pairs_limits(self) -> PairsLimits:
        """How large a serialised map may be."""

    def allocate(self, size: int) -> int:
        """Address of so many fresh bytes in the guest; GuestMemoryError when its allocator gives none in range."""

    @property
    def ordered(self) -> Container[str]:
        """The names of calls that are to fail, now or later: nearly always none."""

    def fault(self, call: str) -> int | None:
        """What a call of this name answers instead of being made; None when it is to be made (fault injection)."""

    def malformed_map(self, call: str, reason: str) -> bool:
        """Say whether a map that cannot be read counts as empty (True) or as PARSE_FAILURE."""

    def called(self, call: str, args: tuple[tuple[str, object], ...], status: int, outputs: tuple[object, ...]) -> None:
        """Record what happened."""

    def complain(self, message: str) -> None:
        """Tell the host's log why a call did not answer OK."""

    def misused(self, call: str, status: Status, message: str) -> None:
        """Raise GuestError where such an answer is to end the guest."""


_OK = Status.OK
Answer = tuple[Status, tuple[object, ...], str]
"""Status and output values of a host call, before they are written to the guest, and a remark."""


@dataclass(frozen=True, slots=True)
class HostCall:
    """A host call and what derives from the annotations of its Python function."""

    name: str
    function: Callable[..., object]
    params: tuple[Param, ...]
    outs: tuple[Wire, ...]
    versions: frozenset[AbiVersion]
    phases: Phase
    optional: frozenset[str] = frozenset()
    theme: str = ""
    doc: str = ""

    def wasm_params(self, leave_out: bool = False) -> tuple[str, ...]:
        """The Wasm parameter types; with leave_out, of the shorter variant without its optional inputs."""
        ins = (p for p in self.params if not (leave_out and p.name in self.optional))
        return tuple(t for wire in (*(p.wire for p in ins), *self.outs) for t in wire.wasm)

    @property
    def signatures(self) -> tuple[tuple[str, ...], ...]:
        """Every list of Wasm parameters this call can be imported with; the result is i32 in all of them."""
        return (self.wasm_params(), self.wasm_params(leave_out=True)) if self.optional else (self.wasm_params(),)

    def answer(self, vm: Caller, values: Sequence[object]) -> Answer:
        """Run the operation on Python values, unless a fault is ordered; never raises HostError."""
        fault = vm.fault(self.name) if self.name in vm.ordered else None
        if fault is not None:
            return Status(fault), (), "a fault that was ordered"
        try:
            result = self.function(vm, *values)
        except HostError as error:
            outputs = self._as_outputs(error.outputs) if self.outs and error.outputs is not None else ()
            return error.status, outputs, error.message
        return _OK, self._as_outputs(result) if self.outs else (), ""

    def _as_outputs(self, result: object) -> tuple[object, ...]:
        return typing.cast("tuple[object, ...]", result) if len(self.outs) > 1 else (result,)


# --- the registry ----------------------------------------------------------------------------------------------------

ALL = frozenset(AbiVersion)
V1 = frozenset({AbiVersion.V0_1_0})
SINCE_0_2_0 = ALL - V1
SINCE_0_2_1 = frozenset({AbiVersion.V0_2_1, AbiVersion.V0_2_100})
HIGRESS = frozenset({AbiVersion.V0_2_100})

_Function = typing.TypeVar("_Function", bound=Callable[..., object])


@dataclass(slots=True)
class Registry:
    """All host calls by name, raw functions of `env` by name, and names of designs that are gone."""

    calls: dict[str, HostCall] = field(default_factory=dict)
    raw: dict[str, RawFunction] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    retired_exports: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class RawFunction:
    """A function of module `env` that answers no status; `function(vm, *bits)`."""

    name: str
    params: tuple[str, ...]
    results: tuple[str, ...]
    function: Callable[..., int | None]
    doc: str = ""


REGISTRY = Registry()


def hostcall(
    name: str,
    *,
    versions: Iterable[AbiVersion] = ALL,
    phases: Phase = Phase.RUN,
    optional: Iterable[str] = (),
) -> Callable[[_Function], _Function]:
    """Register a function as the host call `name`, with its type taken from its annotations.

    `phases` says during which of linking, starting and allocating it is allowed beside running; `optional` names inputs
    that some SDKs leave out of their import.
    """

    def register(function: _Function) -> _Function:
        hints = typing.get_type_hints(function, include_extras=True)
        outs = _outputs(hints.pop("return", None))
        params = tuple(_param(key, hint) for key, hint in list(hints.items())[1:])
        call = HostCall(
            name,
            function,
            params,
            outs,
            frozenset(versions),
            Phase.RUN | phases,
            frozenset(optional),
            function.__module__.rpartition(".")[2],
            " ".join((function.__doc__ or "").split()),
        )
        REGISTRY.calls[name] = call
        return function

    return register


_Raw = typing.TypeVar("_Raw", bound=Callable[..., int | None])


def raw_function(name: str, params: str, results: str) -> Callable[[_Raw], _Raw]:
    """Register a function of module `env` that answers no status; types are given as words, "i32 f64"."""

    def register(function: _Raw) -> _Raw:
        REGISTRY.raw[name] = RawFunction(
            name, tuple(params.split()), tuple(results.split()), function, " ".join((function.__doc__ or "").split())
        )
        return function

    return register


def _wire(hint: object) -> Wire:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Wire):
            return extra
    raise TypeError(f"{hint} is no annotation of the ABI")


def _param(name: str, hint: object) -> Param:
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Param(name, Wire.ENUM, hint)
    return Param(name, _wire(hint))


def _outputs(hint: object) -> tuple[Wire, ...]:
    if hint is None or hint is type(None):
        return ()
    if typing.get_origin(hint) is tuple and not hasattr(hint, "__metadata__"):
        return tuple(_wire(part) for part in typing.get_args(hint))
    return (_wire(hint),)
