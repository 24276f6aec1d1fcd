"""Header maps, cell by cell as in abi_reference 8.6."""

from __future__ import annotations

from hostabi.abi.codec import HeaderPairs, has_forbidden_bytes, pairs_size
from hostabi.abi.enums import AbiVersion, MapType, Status
from hostabi.abi.hostcall import Bytes, HostError, OutBytes, OutPairs, OutU32, Pairs, hostcall
from hostabi.core.buffers import HeaderMap
from hostabi.core.commands import ClearRouteCache
from hostabi.core.context import VmState, as_pairs


@hostcall("proxy_get_header_map_pairs")
def get_header_map_pairs(vm: VmState, map: MapType) -> OutPairs:
    """All entries of a map, in order; none when it is not there now (the specification: NOT_FOUND)."""
    headers = vm.header_map(map)
    if headers is None and not vm.profile.absent_map_is_empty:
        raise HostError(Status.NOT_FOUND, unavailable(map))
    return as_pairs(headers)


@hostcall("proxy_get_header_map_value")
def get_header_map_value(vm: VmState, map: MapType, key: Bytes) -> OutBytes:
    """The first value of a name; NOT_FOUND without one, except in 0.1.0, where that is an empty value."""
    headers = vm.header_map(map)
    old = vm.abi is AbiVersion.V0_1_0
    stream = vm.stream
    if headers is None and not (stream is not None and stream.shows_log):
        raise HostError(Status.BAD_ARGUMENT, unavailable(map))
    value = headers.get(key) if headers is not None else None
    if value is None and not old:
        raise HostError(Status.NOT_FOUND)
    return value or b""


@hostcall("proxy_add_header_map_value")
def add_header_map_value(vm: VmState, map: MapType, key: Bytes, value: Bytes) -> None:
    """Append an entry, even when the name exists."""
    headers = _changeable(vm, map, ((key, value),))
    _check_room(vm, len(headers) + 1, headers.byte_size + len(key) + len(value))
    if _read_only(vm, map, key):
        return
    headers.add(key, value)
    _changed(vm, map)


@hostcall("proxy_replace_header_map_value")
def replace_header_map_value(vm: VmState, map: MapType, key: Bytes, value: Bytes) -> None:
    """Leave one entry of this name, or make it."""
    headers = _changeable(vm, map, ((key, value),))
    if _read_only(vm, map, key):
        return
    if headers.get(key) is None:
        _check_room(vm, len(headers) + 1, headers.byte_size + len(key) + len(value))
    else:
        _check_room(vm, len(headers), headers.byte_size + len(value))
    headers.replace(key, value)
    _changed(vm, map)


@hostcall("proxy_remove_header_map_value")
def remove_header_map_value(vm: VmState, map: MapType, key: Bytes) -> None:
    """Drop all entries of this name; OK when there is none."""
    headers = _changeable(vm, map, ())
    if _read_only(vm, map, key):
        return
    headers.remove(key)
    _changed(vm, map)


@hostcall("proxy_set_header_map_pairs")
def set_header_map_pairs(vm: VmState, map: MapType, pairs: Pairs) -> None:
    """Drop every entry, then add these in order (nginx: pseudo-headers that are not among these stay)."""
    headers = _changeable(vm, map, pairs)
    _check_room(vm, len(pairs), sum(len(name) + len(value) for name, value in pairs))
    if vm.profile.set_pairs_keeps_pseudo:
        headers.assign_fields(pair for pair in pairs if not _read_only(vm, map, pair[0]))
    else:
        headers.assign(pairs)
    _changed(vm, map)


@hostcall("proxy_get_header_map_size")
def get_header_map_size(vm: VmState, map: MapType) -> OutU32:
    """Bytes of all names and values (the specification: of the map as it is serialised)."""
    headers = vm.header_map(map)
    of_stream = map <= MapType.HTTP_RESPONSE_TRAILERS and vm.stream is not None and not vm.stream.shows_log
    if headers is None or (vm.profile.only_stream_maps_have_size and not of_stream):
        raise HostError(Status.BAD_ARGUMENT, unavailable(map))
    return pairs_size(headers.pairs) if vm.profile.map_size_is_serialized else headers.byte_size


def unavailable(map: MapType) -> str:
    """Why a map cannot be had, in words."""
    return f"{map.name} cannot be had at this point"


def _changeable(vm: VmState, map: MapType, pairs: HeaderPairs) -> HeaderMap:
    headers = vm.header_map(map, change=True)
    if headers is None:
        raise HostError(Status.BAD_ARGUMENT, f"{map.name} cannot be changed at this point")
    for name, value in pairs:
        if has_forbidden_bytes(name) or has_forbidden_bytes(value):
            if vm.profile.reject_bad_header_bytes:
                raise HostError(Status.BAD_ARGUMENT, "a header holds CR, LF or NUL")
            vm.complain(f"the header {name!r} is given CR, LF or NUL")
    return headers


def _read_only(vm: VmState, map: MapType, key: bytes) -> bool:
    """Whether a change of this entry is accepted and without effect."""
    if map is not MapType.HTTP_REQUEST_HEADERS or key.lower() not in vm.profile.readonly_pseudo_headers:
        return False
    vm.complain(f"{key.decode('utf-8', 'replace')} cannot be changed")
    return True


def _check_room(vm: VmState, count: int, size: int) -> None:
    if count > vm.limits.header_pairs or size > vm.limits.header_bytes:
        raise HostError(Status.BAD_ARGUMENT, f"{count} headers of {size} bytes are over the limit")


def _changed(vm: VmState, map: MapType) -> None:
    # Since 0.2.0 a changed request header chooses the route anew; 0.1.0 has a call for it (abi_reference 1.3).
    stream = vm.stream
    if map is MapType.HTTP_REQUEST_HEADERS and vm.abi is not AbiVersion.V0_1_0 and stream is not None:
        command = ClearRouteCache(stream.stream)
        if command not in vm.commands:
            vm.emit(command)
