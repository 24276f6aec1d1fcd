"""From a host call's declaration to a function of raw numbers: what a guest's import is linked to.

All that the annotations say is looked up when the guest is linked; what is left for a call is to read, run, write and
record, in the order of abi_reference 3.2: enumerations, then input memory, then the operation, then output memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hostabi.abi.codec import CodecError, decode_pairs, encode_pairs
from hostabi.abi.enums import Status
from hostabi.abi.hostcall import Caller, HostCall, Param, Wire
from hostabi.abi.marshal import GuestMemoryError, write_u32, write_u64

Raw = Sequence[int]
Reader = Callable[[Raw], object]
Writer = Callable[[Caller, Raw, int, Any], None]


class _Refused(Exception):
    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


def bind(call: HostCall, vm: Caller, leave_out: bool = False) -> Callable[..., int]:
    """The call of one VM as a function of raw numbers that gives the status; with leave_out, its shorter variant."""
    readers: list[Reader] = []
    checks: list[Reader] = []
    at = 0
    for param in call.params:
        given = not (leave_out and param.name in call.optional)
        read = _reader(call, vm, param, at) if given else _default(param)
        if param.enum is not None and any(earlier.enum is None for earlier in call.params[: len(readers)]):
            checks.append(read)  # refused before any memory is read
        readers.append(read)
        at += len(param.wire.wasm) if given else 0
    writers: list[tuple[Writer, int]] = []
    for wire in call.outs:
        writers.append((_WRITERS[wire], at))
        at += len(wire.wasm)
    name, answer = call.name, call.answer
    names = tuple(param.name for param in call.params)
    token_at = writers[0][1] if call.outs == (Wire.OUT_TOKEN,) else None
    is_late = any(param.wire is Wire.LATE_BYTES for param in call.params)
    done = Status.OK

    def code(*raw: int) -> int:
        values: list[object] = []
        outputs: tuple[object, ...] = ()
        message = ""
        of_enum = False
        try:
            for check in checks:
                check(raw)
            for read in readers:
                values.append(read(raw))
            if token_at is not None:
                write_u32(vm.memory, raw[token_at], 0)
            status, outputs, message = answer(vm, values)
            for (write, at), value in zip(writers, outputs, strict=False):
                write(vm, raw, at, value)
        except GuestMemoryError as error:
            status, message = Status.INVALID_MEMORY_ACCESS, str(error)
        except _Refused as refused:
            status, message = refused.status, str(refused)
            of_enum = status is Status.BAD_ARGUMENT
            if of_enum:
                values.clear()
        seen = [value.data if isinstance(value, _Late) else value for value in values] if is_late else values
        vm.called(name, tuple(zip(names, seen, strict=False)), status, outputs)
        if status is done:
            return 0
        if message:
            vm.complain(f"{name} answers {status.name}: {message}")
        if not of_enum:
            vm.misused(name, status, message)
        return int(status)

    return code


# --- inputs


class _Late:
    """Guest bytes that are read once, when asked for."""

    def __init__(self, vm: Caller, addr: int, n: int) -> None:
        self._vm, self._addr, self._n = vm, addr, n
        self.data: bytes | None = None

    def __call__(self) -> bytes:
        if self.data is None:
            self.data = self._vm.memory.read(self._addr, self._n)
        return self.data


def _reader(call: HostCall, vm: Caller, param: Param, at: int) -> Reader:
    """Reads the value of an input whose numbers begin at a position."""
    match param.wire:
        case Wire.ENUM if param.enum is not None:
            return _enum_reader(param.name, {int(member): member for member in param.enum}, at)
        case Wire.BYTES:
            return lambda raw: vm.memory.read(raw[at], raw[at + 1])
        case Wire.LATE_BYTES:
            return lambda raw: _Late(vm, raw[at], raw[at + 1])
        case Wire.PAIRS:
            return lambda raw: _pairs(call, vm, vm.memory.read(raw[at], raw[at + 1]))
        case Wire.I32:
            return lambda raw: raw[at] - (1 << 32) if raw[at] >> 31 else raw[at]
        case Wire.I64:
            return lambda raw: raw[at] - (1 << 64) if raw[at] >> 63 else raw[at]
        case _:
            return lambda raw: raw[at]


def _default(param: Param) -> Reader:
    """The value of an input that a variant leaves out."""
    value: object = () if param.wire is Wire.PAIRS else b""
    return lambda raw: value


def _enum_reader(name: str, members: dict[int, Any], at: int) -> Reader:
    def read(raw: Raw) -> object:
        try:
            return members[raw[at]]
        except KeyError:
            raise _Refused(Status.BAD_ARGUMENT, f"{name} {raw[at]} is out of range") from None

    return read


def _pairs(call: HostCall, vm: Caller, data: bytes) -> object:
    try:
        return decode_pairs(data, vm.pairs_limits)
    except CodecError as error:
        if vm.malformed_map(call.name, str(error)):
            return ()
        raise _Refused(Status.PARSE_FAILURE, str(error)) from error


# --- outputs


def _write_bytes(vm: Caller, raw: Raw, at: int, value: bytes) -> None:
    size = len(value)
    ptr = vm.allocate(size) if size else 0
    memory = vm.memory  # taken after the allocator, which may have moved or grown it
    if size:
        memory.write(ptr, value)
    memory.write(raw[at], ptr.to_bytes(4, "little"))
    memory.write(raw[at + 1], size.to_bytes(4, "little"))


def _write_pairs(vm: Caller, raw: Raw, at: int, value: Any) -> None:
    _write_bytes(vm, raw, at, encode_pairs(value) if value else b"")


def _write_optional(vm: Caller, raw: Raw, at: int, value: bytes) -> None:
    ptr = vm.allocate(len(value)) if value and raw[at] else 0
    memory = vm.memory
    if ptr:
        memory.write(ptr, value)
    if raw[at]:
        write_u32(memory, raw[at], ptr)
    if raw[at + 1]:
        write_u32(memory, raw[at + 1], len(value))


def _write_number(vm: Caller, raw: Raw, at: int, value: int) -> None:
    write_u32(vm.memory, raw[at], value)


def _write_number64(vm: Caller, raw: Raw, at: int, value: int) -> None:
    write_u64(vm.memory, raw[at], value)


_WRITERS: dict[Wire, Writer] = {
    Wire.OUT_BYTES: _write_bytes,
    Wire.OUT_PAIRS: _write_pairs,
    Wire.OUT_OPTIONAL: _write_optional,
    Wire.OUT_U32: _write_number,
    Wire.OUT_U64: _write_number64,
    Wire.OUT_TOKEN: _write_number,
}
