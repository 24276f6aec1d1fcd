"""Functions of `env` that toolchains import and that answer no status (abi_reference 9.3, 9.4)."""

from __future__ import annotations

import struct

from hostabi.abi.enums import LogLevel
from hostabi.abi.hostcall import GuestError, raw_function
from hostabi.abi.marshal import GuestMemoryError, read_u32
from hostabi.core.context import VmState

_LONGEST_STRING = 64 << 10


@raw_function("emscripten_notify_memory_growth", "i32", "")
def emscripten_notify_memory_growth(vm: VmState, memory: int) -> None:
    """Emscripten tells that memory grew; nothing to do."""


@raw_function("emscripten_resize_heap", "i32", "i32")
def emscripten_resize_heap(vm: VmState, size: int) -> int:
    """Emscripten wants more memory from outside: 0, there is none. A stub's status would pass for success."""
    return 0


@raw_function("emscripten_memcpy_js", "i32 i32 i32", "")
def emscripten_memcpy_js(vm: VmState, target: int, source: int, size: int) -> None:
    """Emscripten lets the host copy memory; a copy out of range is a trap."""
    _copy(vm, target, source, size)


@raw_function("emscripten_memcpy_big", "i32 i32 i32", "i32")
def emscripten_memcpy_big(vm: VmState, target: int, source: int, size: int) -> int:
    """The same as elder versions have it, which answers the target."""
    _copy(vm, target, source, size)
    return target


def _copy(vm: VmState, target: int, source: int, size: int) -> None:
    try:
        vm.memory.write(target, vm.memory.read(source, size))
    except GuestMemoryError as error:
        raise GuestError(str(error)) from error


@raw_function("pthread_equal", "i32 i32", "i32")
def pthread_equal(vm: VmState, a: int, b: int) -> int:
    """Whether two thread ids are the same."""
    return int(a == b)


@raw_function("abort", "i32 i32 i32 i32", "")
def abort(vm: VmState, message: int, file: int, line: int, column: int) -> None:
    """AssemblyScript gives up: logs message and place, then the guest has failed."""
    text = f"{_string(vm, message)} at {_string(vm, file)}:{line}:{column}"
    vm.log(LogLevel.CRITICAL, text.encode())
    raise GuestError(f"abort: {text}")


@raw_function("seed", "", "f64")
def seed(vm: VmState) -> int:
    """A number for AssemblyScript's Math.random, from the injected entropy: 53 bits as a double."""
    whole = int.from_bytes(vm.entropy.take(7), "little") >> 3
    return int.from_bytes(struct.pack("<d", float(whole)), "little")


@raw_function("trace", "i32 i32 f64 f64 f64 f64 f64", "")
def trace(vm: VmState, message: int, count: int, *numbers: int) -> None:
    """AssemblyScript's trace: a log line with up to five numbers."""
    values = [struct.unpack("<d", bits.to_bytes(8, "little"))[0] for bits in numbers[: min(count, 5)]]
    text = " ".join([f"trace: {_string(vm, message)}", *(f"{value:g}" for value in values)])
    vm.log(LogLevel.INFO, text.encode())


def _string(vm: VmState, pointer: int) -> str:
    """An AssemblyScript string: UTF-16LE, with its length in bytes in front of it."""
    if not pointer:
        return ""
    try:
        memory = vm.memory
        size = read_u32(memory, pointer - 4)
        return memory.read(pointer, min(size, _LONGEST_STRING)).decode("utf-16-le", "replace")
    except GuestMemoryError:
        return "(text outside of memory)"
