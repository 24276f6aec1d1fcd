"""What filters store with a stream or its connection, as Envoy's filter state holds it (abi_reference 8.3, 11.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum


class StateType(IntEnum):
    """What a declared property holds; the numbers are those of declare_property."""

    BYTES = 0
    STRING = 1
    FLATBUFFERS = 2
    PROTOBUF = 3


class Span(IntEnum):
    """How long a value lives. Without internal redirects a filter chain lives as long as its request."""

    FILTER_CHAIN = 0
    REQUEST = 1
    CONNECTION = 2


@dataclass(frozen=True, slots=True)
class Prototype:
    """What declare_property says of a property; `schema` is the type URL of a message."""

    readonly: bool = False
    type: StateType = StateType.BYTES
    schema: str = ""
    span: Span = Span.FILTER_CHAIN


@dataclass(frozen=True, slots=True)
class Stored:
    """A value that a filter stored, with the declaration in force when it was first set."""

    value: bytes
    prototype: Prototype


@dataclass(slots=True)
class StateStore:
    """Values that live equally long: properties by raw path, and objects of the proxy by name, as CEL sees them."""

    properties: dict[bytes, Stored] = field(default_factory=dict)
    objects: dict[str, tuple[int, object]] = field(default_factory=dict)
    """By name: how many bytes it was made of, and its value."""


class FilterState:
    """The filter state of a stream. Streams of one connection are given the same `connection` store."""

    def __init__(self, connection: StateStore | None = None) -> None:
        self.own = StateStore()
        self.connection = connection if connection is not None else StateStore()

    @property
    def _stores(self) -> tuple[StateStore, StateStore]:
        return self.own, self.connection

    def stored(self, path: bytes) -> Stored | None:
        """The property of this raw path."""
        return next((one.properties[path] for one in self._stores if path in one.properties), None)

    def store(self, path: bytes, value: bytes, prototype: Prototype) -> None:
        """Give a property a value; the prototype matters when it has none yet."""
        held = self.stored(path)
        kept = held.prototype if held is not None else prototype
        store = self.connection if kept.span is Span.CONNECTION else self.own
        store.properties[path] = Stored(value, kept)

    def held_object(self, name: str) -> object:
        """The proxy's object of this name as CEL sees it; KeyError when there is none."""
        for one in self._stores:
            if name in one.objects:
                return one.objects[name][1]
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """Whether there is an object of this name."""
        return any(name in one.objects for one in self._stores)

    def object_names(self) -> Iterator[str]:
        """The names of all objects of the proxy."""
        for one in self._stores:
            yield from one.objects

    def put(self, name: str, size: int, value: object, span: Span) -> None:
        """Set an object of the proxy, in place of an earlier one."""
        for one in self._stores:
            one.objects.pop(name, None)
        (self.connection if span is Span.CONNECTION else self.own).objects[name] = (size, value)

    def size_without(self, path: bytes | str) -> int:
        """Bytes of all names and values but this one's."""
        return sum(
            sum(len(key) + len(held.value) for key, held in one.properties.items() if key != path)
            + sum(len(name) + size for name, (size, _) in one.objects.items() if name != path)
            for one in self._stores
        )

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every property: raw path and value."""
        for one in reversed(self._stores):
            yield from ((path, held.value) for path, held in one.properties.items())

    def get(self, path: bytes) -> bytes | None:
        """The value of the property of this raw path."""
        held = self.stored(path)
        return held.value if held is not None else None
