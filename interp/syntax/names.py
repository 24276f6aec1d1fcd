"""The `name` custom section (specification, appendix 7.7.1) as a map of names: written, and read without ever failing.

It lives below the binary and the text format since both need it: the one stores it, the other turns it into `$names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .customs import BrokenError, Reader, u32


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a module, of functions by index, and of locals by function and local index."""

    module: str | None = None
    funcs: Mapping[int, str] = field(default_factory=dict)
    locals: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.module is not None or bool(self.funcs) or bool(self.locals)


def encode_names(names: Names) -> bytes:
    """The contents of the section, without the section's name."""
    parts = []
    if names.module is not None:
        parts.append(_subsection(0, _name(names.module)))
    if names.funcs:
        parts.append(_subsection(1, _name_map(names.funcs)))
    if names.locals:
        entries = (u32(index) + _name_map(names.locals[index]) for index in sorted(names.locals))
        parts.append(_subsection(2, u32(len(names.locals)) + b"".join(entries)))
    return b"".join(parts)


def decode_names(data: bytes | memoryview) -> Names:
    """What can be read of a section's contents: a broken one gives the names before the break."""
    reader = Reader(bytes(data))
    module: str | None = None
    funcs: dict[int, str] = {}
    locals_: dict[int, dict[int, str]] = {}
    try:
        while not reader.done:
            kind, size = reader.byte(), reader.u32()
            part = reader.part(size)
            if kind == 0:
                module = part.name()
            elif kind == 1:
                part.name_map(funcs)
            elif kind == 2:
                for _ in range(part.u32()):
                    part.name_map(locals_.setdefault(part.u32(), {}))
    except BrokenError:
        pass
    return Names(module, funcs, locals_)


def _name(text: str) -> bytes:
    data = text.encode()
    return u32(len(data)) + data


def _name_map(names: Mapping[int, str]) -> bytes:
    return u32(len(names)) + b"".join(u32(index) + _name(names[index]) for index in sorted(names))


def _subsection(kind: int, contents: bytes) -> bytes:
    return bytes([kind]) + u32(len(contents)) + contents
