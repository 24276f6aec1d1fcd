"""Properties: Envoy's attributes with their types, and what filters stored themselves (abi_reference 8.3, 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hostabi.abi.codec import Duration, NotSerializable, Timestamp, Uint, encode_as_text, encode_value, split_path
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import Bytes, HostError, OutBytes, hostcall
from hostabi.abi.messages import KNOWN, STRUCTS, Message, Proto, as_seen, decode_seen
from hostabi.abi.protobuf import ProtobufError
from hostabi.core.buffers import HeaderMap
from hostabi.core.commands import RebuildVm
from hostabi.core.context import RootContext, Traffic, VmState
from hostabi.core.filter_state import Prototype, StateType, Stored
from hostabi.hostcalls.attributes import ATTRIBUTES, GROUPS, OLD_NAMES, Attribute, Type


@hostcall("proxy_get_property")
def get_property(vm: VmState, path: Bytes) -> OutBytes:
    """The value at a path, encoded by its type; NOT_FOUND, or SERIALIZATION_FAILURE for what has no encoding."""
    segments = tuple(part.decode("utf-8", "surrogateescape") for part in split_path(path))
    if not segments:
        bad = vm.profile.empty_path_status_is_bad_argument
        raise HostError(Status.BAD_ARGUMENT if bad else Status.SERIALIZATION_FAILURE, "an empty path")
    value: object = _set_by_host_name(vm, segments)
    if value is None:
        value = find(vm, segments)
    try:
        return encode_as_text(value) if vm.profile.properties_as_text else encode_value(value)
    except NotSerializable as error:
        raise HostError(Status.SERIALIZATION_FAILURE, str(error)) from error


@hostcall("proxy_set_property")
def set_property(vm: VmState, path: Bytes, value: Bytes) -> None:
    """Store bytes with the stream, for later filters and the access log; NOT_FOUND without a stream.

    BAD_ARGUMENT for a property that was declared to be set once, and over the limit.
    """
    stream = vm.traffic
    if stream is None or stream.id == stream.root.id:  # the latter when a plugin logs what it was no filter of
        raise HostError(Status.NOT_FOUND, "there is no stream to store a property with")
    if vm.profile.only_host_properties_set and not _is_host_name(path):
        raise HostError(Status.BAD_ARGUMENT, "a property that cannot be set")
    state = stream.info.filter_state
    held = state.stored(path)
    if held is not None and held.prototype.readonly:
        raise HostError(Status.BAD_ARGUMENT, "the property was declared to be set once, and was")
    if state.size_without(path) + len(path) + len(value) > vm.limits.filter_state_bytes:
        raise HostError(Status.BAD_ARGUMENT, "the properties of this stream are over the limit")
    state.store(path, value, stream.root.declared.get(path, Prototype()))
    if path == b"wasm_need_rebuild" and value == b"true" and vm.abi is AbiVersion.V0_2_100:
        vm.emit(RebuildVm(stream.root.plugin))


# --- finding ---------------------------------------------------------------------------------------------------------


def _is_host_name(path: bytes) -> bool:
    """Whether nginx lets a filter set this: its variables, its host's values, and the query."""
    dotted = path.replace(b"\0", b".")
    return dotted.startswith((b"ngx.", b"wasmx.")) or dotted.rstrip(b".") == b"request.query"


def _set_by_host_name(vm: VmState, segments: Sequence[str]) -> bytes | None:
    """What a filter stored under a name of more than one segment, where those can be read back."""
    if not vm.profile.only_host_properties_set or vm.traffic is None:
        return None
    path = "\0".join(segments).encode("utf-8", "surrogateescape")
    return vm.traffic.info.filter_state.get(path)


def find(vm: VmState, path: Sequence[str]) -> object:
    """The value at a path: what the embedder set, else an attribute, else what a filter stored; NOT_FOUND."""
    value = look(vm, path)
    if value is None:
        raise HostError(Status.NOT_FOUND)
    return value


def look(vm: VmState, path: Sequence[str]) -> object:
    """As `find`, but None for what is not there, and NULL for what is there and has no value."""
    context = vm.context
    if context is None:
        return None
    stream = vm.traffic
    renamed = _renamed(vm, path)
    found = _preset(vm, path, renamed)
    if found is not None:
        return found
    row, rest = _row_of(renamed)
    if row is not None:
        if not row.on_root and stream is None:
            return None
        return walk(_completed(vm, row, row.read(vm, context.root, stream)), rest)
    if stream is None:
        return NULL if tuple(path) == ("xds",) else None
    if path[0] in GROUPS:
        if len(path) == 1:
            return NULL
        return _of_filter_state(stream, path[1], path[2:]) if path[0] == "filter_state" else None
    if path[0] == "upstream_filter_state":
        return NULL if len(path) == 1 and stream.info.upstream_first_sent is not None else None
    held = stream.info.filter_state.stored(_raw(path[0]))
    return None if held is None else walk(_declared_value(held, last=len(path) == 1), path[1:])


class _Null:
    """A value that is there and cannot be written: null, or a group as a whole."""


NULL = _Null()


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _renamed(vm: VmState, path: Sequence[str]) -> Sequence[str]:
    """The path by the names of today."""
    if vm.profile.old_attribute_names and path[0] in OLD_NAMES:
        return (*OLD_NAMES[path[0]].split("."), *path[1:])
    return path


def _row_of(path: Sequence[str]) -> tuple[Attribute | None, Sequence[str]]:
    for n in (2, 1):
        row = ATTRIBUTES.get(".".join(path[:n])) if len(path) >= n else None
        if row is not None:
            return row, path[n:]
    return None, path


def walk(value: object, path: Sequence[str]) -> object:
    """Step into messages by field, mappings by key, lists by number; into anything else leads nowhere: None."""
    for step in path:
        match value:
            case HeaderMap():
                values = value.all(_raw(step))
                value = b",".join(values) if values else None
            case Proto():
                try:
                    value = value[step]
                except KeyError:
                    return None
            case Mapping():
                value = value.get(step, value.get(_raw(step), _ABSENT))
                value = None if value is _ABSENT else NULL if value is None else value
            case list() | tuple() if step.isdecimal() and len(step) < 10:
                value = (NULL if value[int(step)] is None else value[int(step)]) if int(step) < len(value) else None
            case _:
                return None
        if value is None:
            return None
    if isinstance(value, HeaderMap):
        return {name: b",".join(value.all(name)) for name, _ in value.pairs}
    return value


_ABSENT = object()

# --- what the embedder set -------------------------------------------------------------------------------------------

_TYPED = {Type.UINT: Uint, Type.TIME: Timestamp, Type.DURATION: Duration}


def _preset(vm: VmState, path: Sequence[str], renamed: Sequence[str]) -> object:
    """What the embedder gave for a path or something it lies in, under its name of today or of old."""
    for presets in _presets(vm):
        for one in (path, renamed, *(old for old in [_old(renamed)] if old)):
            for n in range(len(one), 0, -1):
                key = ".".join(one[:n])
                if key in presets:
                    return walk(_as_typed(one[:n], presets[key]), one[n:])
    return None


def _presets(vm: VmState) -> list[Mapping[str, object]]:
    context = vm.context
    if context is None:
        return []
    of_root = [context.root.attributes] if context.root.attributes else []
    if not isinstance(context, RootContext) and context.info.attributes:
        return [context.info.attributes, *of_root]
    return [*of_root]


def _old(path: Sequence[str]) -> Sequence[str] | None:
    joined = ".".join(path[:2])
    return next(((old, *path[2:]) for old, new in OLD_NAMES.items() if new == joined), None)


def _as_typed(path: Sequence[str], value: object) -> object:
    """A preset value in the type that the attribute has."""
    parts = (*OLD_NAMES[path[0]].split("."), *path[1:]) if path[0] in OLD_NAMES else path
    row, rest = _row_of(parts)
    if row is None:
        return NULL if value is None else value
    if row.message is not None:
        return _of_message(row.message, rest, value)
    kind = _TYPED.get(row.type)
    return kind(value) if kind is not None and isinstance(value, int) and not rest else value


def _of_message(message: Message, path: Sequence[str], value: object) -> object:
    """A preset value somewhere within a message, as the message would give it."""
    if not path or message in STRUCTS:
        return as_seen(message, value)
    one = message.names.get(path[0])
    if one is None:
        return value
    if len(path) == 1:
        return Proto(message, {one.name: value})[one.name]
    inner = path[2:] if one.keyed or one.repeated else path[1:]
    return _of_message(one.message, inner, value) if one.of else value


def _completed(vm: VmState, row: Attribute, value: object) -> object:
    """A message with the parts of it that the embedder gave one by one."""
    if row.message is None:
        return value
    names = [row.path, *(old for old, new in OLD_NAMES.items() if new == row.path)]
    values: dict[str, object] = dict(value.values) if isinstance(value, Proto) else {}
    found = False
    for presets in reversed(_presets(vm)):
        for key, given in presets.items():
            name = next((one for one in names if key.startswith(f"{one}.")), None)
            if name is not None:
                _put(values, key[len(name) + 1 :].split("."), given)
                found = True
    return Proto(row.message, values) if found else value


def _put(values: dict[str, object], path: Sequence[str], value: object) -> None:
    for step in path[:-1]:
        inner = values.get(step)
        copy = dict(inner) if isinstance(inner, Mapping) else {}
        values[step] = copy
        values = copy
    values[path[-1]] = value


# --- what filters and the proxy stored -------------------------------------------------------------------------------


def _of_filter_state(stream: Traffic, name: str, rest: Sequence[str]) -> object:
    state = stream.info.filter_state
    held = state.stored(_raw(name.removeprefix("wasm."))) if name.startswith("wasm.") else None
    if held is not None:
        return walk(_declared_value(held, last=False), rest)
    return walk(state.held_object(name), rest) if state.has(name) else None


def _declared_value(held: Stored, *, last: bool) -> object:
    """A stored value by its declared type; a message is read as one only to step into it, or as filter state."""
    match held.prototype.type:
        case StateType.STRING:
            return held.value.decode("utf-8", "surrogateescape")
        case StateType.PROTOBUF if not last:
            message = KNOWN.get(held.prototype.schema.rpartition("/")[2])
            try:
                return NULL if message is None else decode_seen(message, held.value)
            except ProtobufError:
                return NULL
        case _:
            return held.value
