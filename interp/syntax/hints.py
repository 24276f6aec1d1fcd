"""Branch hints (custom section `metadata.code.branch_hint`): which branches are likely taken. Reading never fails.

A hint belongs to an `if` or a `br_if`. In a text it is an annotation before the instruction, and the module keeps it by
the instruction's number; in bytes it is a section before the code. `branch_hints` gives both by `Ins.at`.
"""

from __future__ import annotations

from collections.abc import Mapping

from .customs import BrokenError, Reader, u32
from .module import Custom, Module

#: The name of the section and of the annotation.
BRANCH_HINT = "metadata.code.branch_hint"
#: Instructions that a hint may belong to.
HINTED = frozenset({"if", "br_if"})

#: Function index to place to whether the branch is likely taken.
Hints = Mapping[int, Mapping[int, bool]]


def encode_hints(hints: Hints) -> bytes:
    """The contents of the section; places are offsets from the start of a function's locals."""
    entries = []
    for index in sorted(hints):
        places = hints[index]
        each = b"".join(u32(offset) + bytes((1, places[offset])) for offset in sorted(places))
        entries.append(u32(index) + u32(len(places)) + each)
    return u32(len(entries)) + b"".join(entries)


def decode_hints(data: bytes | memoryview) -> dict[int, dict[int, bool]]:
    """What can be read of a section's contents: a broken one gives the hints before the break."""
    reader = Reader(bytes(data))
    found: dict[int, dict[int, bool]] = {}
    try:
        for _ in range(reader.u32()):
            index = reader.u32()
            for _ in range(reader.u32()):
                offset, size = reader.u32(), reader.u32()
                value = reader.part(size)
                if size == 1 and value.byte() < 2:
                    found.setdefault(index, {})[offset] = bool(value.data[0])
    except BrokenError:
        pass
    return found


def hint_section(module: Module) -> Custom | None:
    """The first section of hints."""
    return next((custom for custom in module.customs if custom.name == BRANCH_HINT), None)


def branch_hints(module: Module) -> Hints:
    """The hints of a module by function index and the `at` of the instruction, read when first asked for.

    Never raises: what is said of functions that the module does not have is left out.
    """
    known: Hints | None = module.__dict__.get("_branch_hints")
    if known is None:
        known = module.__dict__["_branch_hints"] = _read(module)  # as `cached_property` would
    return known


def _read(module: Module) -> Hints:
    first = module.imported_funcs
    if module.branch_hints:
        return {
            index: {module.funcs[index - first].body[number].at: likely for number, likely in places.items()}
            for index, places in module.branch_hints.items()
        }
    section = hint_section(module)
    if section is None or not module.binary:
        return {}
    return {
        index: {module.funcs[index - first].offset + offset: likely for offset, likely in places.items()}
        for index, places in decode_hints(section.data).items()
        if first <= index < first + len(module.funcs)
    }
