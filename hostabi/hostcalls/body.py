"""Buffers, cell by cell as in abi_reference 8.7."""

from __future__ import annotations

from hostabi.abi.enums import AbiVersion, BufferType, Status
from hostabi.abi.hostcall import U32, HostError, LateBytes, LateData, OutBytes, OutU32, hostcall
from hostabi.core.buffers import cut, edit, read_part
from hostabi.core.context import VmState
from hostabi.core.events import Side, Way
from hostabi.core.pipe import Pipe
from hostabi.core.state import Direction


@hostcall("proxy_get_buffer_bytes")
def get_buffer_bytes(vm: VmState, buffer: BufferType, start: U32, max_size: U32) -> OutBytes:
    """At most max_size bytes from start; a range beyond the end is cut, which is no error."""
    if vm.profile.reject_range_overflow and start + max_size > 0xFFFFFFFF and max_size != 0xFFFFFFFF:
        raise HostError(Status.BAD_ARGUMENT, "start and size overflow 32 bits")
    part = read_part(_readable(vm, buffer), start, max_size)
    if not part and vm.profile.empty_body_is_not_written:
        raise HostError(Status.OK)  # fine, and neither address nor size is written
    return part


@hostcall("proxy_get_buffer_status")
def get_buffer_status(vm: VmState, buffer: BufferType) -> tuple[OutU32, OutU32]:
    """Length of a buffer, and flags, which are 0."""
    return len(_readable(vm, buffer)), 0


@hostcall("proxy_set_buffer_bytes")
def set_buffer_bytes(vm: VmState, buffer: BufferType, start: U32, size: U32, data: LateBytes) -> None:
    """Replace the first `size` bytes (start 0), or append (start at or beyond the end)."""
    _check_version(vm, buffer)
    if buffer in _CONNECTION_DATA:
        pipe = _pipe(vm, buffer)
        _edit(vm, buffer, pipe.data if pipe else None, vm.limits.connection_buffer, start, size, data)
        return
    if buffer not in _HTTP_BODIES:
        _readable(vm, buffer)  # NOT_FOUND goes before the refusal
        raise HostError(Status.BAD_ARGUMENT, f"{buffer.name} cannot be changed")
    direction = _direction(vm, buffer)
    _edit(vm, buffer, direction.body if direction else None, vm.limits.body_buffer, start, size, data)
    if direction is not None:
        direction.edited = True


def _edit(
    vm: VmState, buffer: BufferType, content: bytearray | None, limit: int, start: int, size: int, data: LateData
) -> None:
    if content is None:
        # What reads as empty cannot be changed; what does not exist is not found.
        status = Status.BAD_ARGUMENT if vm.profile.absent_body_is_empty else Status.NOT_FOUND
        raise HostError(status, f"{buffer.name} cannot be had at this point")
    new = data()
    if len(content) + len(new) > limit + min(size, len(content)):
        raise HostError(Status.BAD_ARGUMENT, f"{buffer.name} would be over the limit")
    if vm.profile.set_buffer_cuts:
        cut(content, start, size, new)
    elif not edit(content, start, size, new, drop_part=vm.profile.set_buffer_replaces_part):
        raise HostError(Status.BAD_ARGUMENT, "a range in the middle of a buffer cannot be set")


@hostcall("proxy_get_configuration", versions=(AbiVersion.V0_1_0,))
def get_configuration(vm: VmState) -> OutBytes:
    """The plugin's configuration, as 0.1.0 asks for it."""
    return _readable(vm, BufferType.PLUGIN_CONFIGURATION)


_HTTP_BODIES = {BufferType.HTTP_REQUEST_BODY: Way.REQUEST, BufferType.HTTP_RESPONSE_BODY: Way.RESPONSE}
_CONNECTION_DATA = {BufferType.DOWNSTREAM_DATA: Side.DOWNSTREAM, BufferType.UPSTREAM_DATA: Side.UPSTREAM}

# Seen on Envoy 1.40: these read as empty where they do not exist, the others are not found.
_EMPTY_WHEN_ABSENT = frozenset(
    {
        BufferType.DOWNSTREAM_DATA,
        BufferType.UPSTREAM_DATA,
        BufferType.GRPC_CALL_MESSAGE,
        BufferType.FOREIGN_FUNCTION_ARGUMENTS,
    }
)


def _check_version(vm: VmState, buffer: BufferType) -> None:
    if buffer is BufferType.REDIS_CALL_RESPONSE and vm.abi is not AbiVersion.V0_2_100:
        raise HostError(Status.BAD_ARGUMENT, f"buffer {buffer} is out of range")


def _readable(vm: VmState, buffer: BufferType) -> bytes:
    _check_version(vm, buffer)
    if buffer in _HTTP_BODIES:
        return _http_body(vm, buffer)
    data: bytes | None = None
    root = vm.context.root if vm.context else None
    match buffer:
        case BufferType.HTTP_CALL_RESPONSE_BODY:
            data = root.callout.body if root and root.callout else None
        case BufferType.GRPC_CALL_MESSAGE:
            data = root.grpc.message if root else None
        case BufferType.VM_CONFIGURATION:
            data = vm.vm_configuration
        case BufferType.PLUGIN_CONFIGURATION:
            if root and (root.configuring or vm.profile.plugin_configuration_always):
                data = root.configuration
        case BufferType.FOREIGN_FUNCTION_ARGUMENTS:
            data = vm.foreign_arguments
        case BufferType.DOWNSTREAM_DATA | BufferType.UPSTREAM_DATA:
            pipe = _pipe(vm, buffer)
            data = bytes(pipe.data) if pipe else None
        case BufferType.REDIS_CALL_RESPONSE:
            data = root.redis_response if root else None
    if data is None and buffer in _EMPTY_WHEN_ABSENT and vm.profile.absent_body_is_empty:
        return b""
    if data is None:
        raise HostError(Status.NOT_FOUND, f"{buffer.name} cannot be had at this point")
    return data


def _http_body(vm: VmState, buffer: BufferType) -> bytes:
    direction = _direction(vm, buffer)
    if direction is not None:
        return bytes(direction.body)
    if vm.profile.absent_body_is_empty:
        return b""
    raise HostError(Status.NOT_FOUND, f"{buffer.name} cannot be had at this point")


def _direction(vm: VmState, buffer: BufferType) -> Direction | None:
    """The direction whose body a buffer is, if it can be had now."""
    stream = vm.stream
    if stream is None or stream.logging:
        return None
    direction = stream.direction(_HTTP_BODIES[buffer])
    return direction if direction.has_body else None


def _pipe(vm: VmState, buffer: BufferType) -> Pipe | None:
    """The pipe whose bytes a buffer is, if they can be had now."""
    connection = vm.connection
    pipe = connection.pipe(_CONNECTION_DATA[buffer]) if connection is not None else None
    return pipe if pipe is not None and pipe.reachable else None
