"""Foreign functions: a registry by name, and the simple ones of Envoy (abi_reference 8.10, 11.1).

What one needs of a package that may be absent, it gets through `extra`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from hostabi.abi.enums import LogLevel, Status
from hostabi.abi.hostcall import Bytes, HostError, OutOptional, hostcall
from hostabi.abi.messages import Kind, Member, Message, Proto
from hostabi.abi.protobuf import ProtobufError
from hostabi.core.commands import ClearRouteCache
from hostabi.core.context import ForeignFunction, VmState
from hostabi.core.filter_state import Prototype, Span, StateType

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
    if len(arguments) > vm.limits.foreign_argument_bytes:
        raise HostError(Status.INTERNAL_FAILURE, f"{len(arguments)} bytes of arguments are over the limit")
    return function(vm, arguments)


def extra(vm: VmState, module: str, name: str) -> ModuleType:
    """A module of a package that comes with an extra of this one.

    Without it the function is unknown, NOT_FOUND, and the log says once what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        if name not in vm.extras_missed:
            vm.extras_missed.add(name)
            vm.log(LogLevel.WARN, f"a foreign function needs what `pip install tamis[{name}]` installs".encode())
        raise HostError(Status.NOT_FOUND, f"the extra {name!r} is not installed") from error


def arguments_of(message: Message, data: bytes) -> Proto:
    """The arguments of a function in their message; BAD_ARGUMENT when they are none."""
    try:
        return message.decode(data)
    except ProtobufError as error:
        raise HostError(Status.BAD_ARGUMENT, str(error)) from error


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


SPAN = Member(5, "span", Kind.INT)
_DECLARE = Message(
    "envoy.source.extensions.common.wasm.DeclarePropertyArguments",
    (
        Member(1, "name", Kind.STRING),
        Member(2, "readonly", Kind.BOOL),
        Member(3, "type", Kind.INT),
        Member(4, "schema", Kind.BYTES),
        SPAN,
    ),
)


def span_of(number: object) -> Span:
    """How long a value lives; numbers without a meaning are the shortest span, as on Envoy."""
    return next((one for one in Span if one == number), Span.FILTER_CHAIN)


@foreign("declare_property")
def declare_property(vm: VmState, data: bytes) -> bytes:
    """Say what a property holds, whether it is set once, and how long it lives; BAD_ARGUMENT for a second time."""
    arguments = arguments_of(_DECLARE, data)
    context = vm.current
    name = str(arguments["name"]).encode()
    if context is None or name in context.declared:
        raise HostError(Status.BAD_ARGUMENT, "the property was declared before")
    if len(context.declared) >= vm.limits.declared_properties:
        raise HostError(Status.INTERNAL_FAILURE, "too many properties are declared")
    kind, schema = arguments["type"], arguments["schema"]
    context.declared[name] = Prototype(
        bool(arguments["readonly"]),
        next((one for one in StateType if one == kind), StateType.BYTES),
        schema.decode("utf-8", "replace") if isinstance(schema, bytes) else "",
        span_of(arguments["span"]),
    )
    return b""
