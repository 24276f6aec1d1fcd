"""Matching of external types at import (specification 3.2.7, 3.2.8)."""

from __future__ import annotations

from interp.syntax.module import Import, Module
from interp.syntax.types import FuncType, GlobalType, Limits, MemType, RefType, TableType, TagType, ValType

from .memory import MemInst
from .store import Extern, FuncInst, HostFunc
from .table import GlobalInst, TableInst, TagInst

#: What an import asks for, type indices resolved; a tag is a function type within TagType's place.
ExternType = FuncType | TableType | MemType | GlobalType

_TOPS = {"nofunc": "func", "noextern": "extern", "noexn": "exn", "none": "any"}


def import_type(module: Module, want: Import) -> ExternType:
    """The type that an import asks for, without type indices. For a tag, the function type of its values."""
    desc = want.desc
    if isinstance(desc, TagType):
        desc = desc.type_index
    if isinstance(desc, int):
        comp = module.comp(desc)
        if not isinstance(comp, FuncType):
            raise TypeError("an imported function or tag needs a function type")
        return comp
    return desc


def matches(given: Extern, want: ExternType) -> bool:
    """Whether an extern may stand for an import of this type."""
    match given:
        case FuncInst() | HostFunc() | TagInst():
            return given.type == want
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
            return given.type.type == want.type if want.mutable else value_matches(given.type.type, want.type)


def value_matches(sub: ValType, sup: ValType) -> bool:
    """Subtyping of value types between abstract heap types (3.2.3)."""
    if sub == sup:
        return True
    if not isinstance(sub, RefType) or not isinstance(sup, RefType) or (sub.nullable and not sup.nullable):
        return False
    return sub.heap == sup.heap or (isinstance(sub.heap, str) and _TOPS.get(sub.heap) == sup.heap)


def _limits(given: Limits, want: Limits) -> bool:
    if (given.index, given.shared) != (want.index, want.shared) or given.min < want.min:
        return False
    return want.max is None or (given.max is not None and given.max <= want.max)


def describe(type: ExternType) -> str:
    """A type in words, for a message."""
    match type:
        case FuncType():
            return f"a function {type}"
        case TableType():
            return f"a table {type.limits} {type.ref}"
        case MemType():
            return f"a memory {type.limits}"
        case GlobalType():
            return f"a {'mutable ' if type.mutable else ''}global {type.type}"
