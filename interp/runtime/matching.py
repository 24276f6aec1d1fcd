"""Matching of external types at import (specification 3.3.10 to 3.3.15). All types are closed: see valid/canon.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interp.syntax.module import Import
from interp.syntax.types import GlobalType, Limits, MemType, RefType, TableType, TagType
from interp.valid.canon import Definition, closing
from interp.valid.subtyping import CLOSED

from .memory import MemInst
from .store import Extern, FuncInst, HostFunc
from .table import GlobalInst, TableInst, TagInst

if TYPE_CHECKING:
    from interp.valid.module import ValidModule

#: What an import asks for; for a function or a tag the definition of its type.
ExternType = Definition | TableType | MemType | GlobalType


def import_type(valid: ValidModule, want: Import) -> ExternType:
    """The type that an import asks for, without the module's type indices."""
    desc = want.desc
    if isinstance(desc, TagType):
        desc = desc.type_index
    if isinstance(desc, int):
        return valid.definitions[desc]
    if isinstance(desc, TableType):
        return closed_table(valid, desc)
    return closed_global(valid, desc) if isinstance(desc, GlobalType) else desc


def closed_ref(valid: ValidModule, type: RefType) -> RefType:
    """A reference type of a module, closed."""
    return type if isinstance(type.heap, str) else closing(valid.definitions).ref(type)


def closed_table(valid: ValidModule, type: TableType) -> TableType:
    """A table type, closed."""
    ref = closed_ref(valid, type.ref)
    return type if ref is type.ref else TableType(ref, type.limits)


def closed_global(valid: ValidModule, type: GlobalType) -> GlobalType:
    """A global type, closed."""
    return GlobalType(closed_ref(valid, type.type), type.mutable) if isinstance(type.type, RefType) else type


def matches(given: Extern, kind: str, want: ExternType) -> bool:
    """Whether an extern may stand for an import of this kind and type."""
    match given:
        case FuncInst() | HostFunc():
            return kind == "func" and isinstance(want, Definition) and want.number in given.definition.ancestors
        case TagInst():
            return kind == "tag" and given.definition is want
        case TableInst():
            return (
                isinstance(want, TableType)
                and given.type.ref == want.ref
                and _limits(given.extern_type.limits, want.limits)
            )
        case MemInst():
            return (
                isinstance(want, MemType)
                and given.type.page_log2 == want.page_log2
                and _limits(given.extern_type.limits, want.limits)
            )
        case GlobalInst():
            if not isinstance(want, GlobalType) or given.type.mutable != want.mutable:
                return False
            return given.type.type == want.type if want.mutable else CLOSED.value(given.type.type, want.type)


def _limits(given: Limits, want: Limits) -> bool:
    if (given.index, given.shared) != (want.index, want.shared) or given.min < want.min:
        return False
    return want.max is None or (given.max is not None and given.max <= want.max)


def describe(type: ExternType) -> str:
    """A type in words, for a message."""
    match type:
        case Definition():
            return f"a function {type.comp}"
        case TableType():
            return f"a table {type.limits} {type.ref}"
        case MemType():
            shared = "shared " if type.limits.shared else ""
            page = "" if type.page_log2 == 16 else f" of pages of {1 << type.page_log2} bytes"
            return f"a {shared}memory {type.limits}{page}"
        case GlobalType():
            return f"a {'mutable ' if type.mutable else ''}global {type.type}"
