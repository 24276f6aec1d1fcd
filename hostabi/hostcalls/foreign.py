"""Foreign functions: a registry by name, and the simple ones of Envoy (abi_reference 8.10, 11.1)."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import Bytes, HostError, OutOptional, hostcall
from hostabi.core.commands import ClearRouteCache
from hostabi.core.context import ForeignFunction, VmState

FOREIGN: dict[bytes, ForeignFunction] = {}


def foreign(name: str) -> Callable[[ForeignFunction], ForeignFunction]:
    """Register `function(vm, arguments) -> result` under a name, for every plugin; HostError gives another status."""

    def register(function: ForeignFunction) -> ForeignFunction:
        FOREIGN[name.encode()] = function
        return function

    return register


@hostcall("proxy_call_foreign_function")
def call_foreign_function(vm: VmState, name: Bytes, arguments: Bytes) -> OutOptional:
    """Call a function that the host offers by name; NOT_FOUND for an unknown one. Those of an embedder add statuses."""
    function = vm.foreign.get(name) or FOREIGN.get(name)
    if function is None:
        raise HostError(Status.NOT_FOUND, f"there is no foreign function {name.decode('utf-8', 'replace')!r}")
    return function(vm, arguments)


@foreign("compress")
def compress(vm: VmState, data: bytes) -> bytes:
    """The data in zlib's format."""
    return zlib.compress(data)


@foreign("uncompress")
def uncompress(vm: VmState, data: bytes) -> bytes:
    """What zlib data holds; SERIALIZATION_FAILURE when it is corrupt, INTERNAL_FAILURE when it is too much."""
    decoder = zlib.decompressobj()
    try:
        result = decoder.decompress(data, vm.limits.foreign_result_bytes)
    except zlib.error as error:
        raise HostError(Status.SERIALIZATION_FAILURE, str(error)) from error
    if decoder.unconsumed_tail:
        raise HostError(Status.INTERNAL_FAILURE, "the result is over the limit")
    if not decoder.eof:
        raise HostError(Status.SERIALIZATION_FAILURE, "the data is cut off")
    return result


@foreign("clear_route_cache")
def clear_route_cache(vm: VmState, data: bytes) -> bytes:
    """Choose the route of the stream anew."""
    if vm.stream is not None:
        vm.emit(ClearRouteCache(vm.stream.stream))
    return b""
