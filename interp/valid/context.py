"""The context C of validation (specification 3.1.1) as sequences by index, and what this validator has rules for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interp.syntax.features import WASM_3, Feature
from interp.syntax.limits import VmLimits
from interp.syntax.types import CompType, FuncType, GlobalType, MemType, RefType, TableType

from .canon import Definition
from .subtyping import Subtyping

#: Features with rules here; the others are off whatever the caller says.
VALIDATED = WASM_3 | {
    Feature.WIDE_ARITHMETIC,
    Feature.CUSTOM_PAGE_SIZES,
    Feature.THREADS,
    Feature.LEGACY_EXCEPTIONS,
}


@dataclass(slots=True)
class Context:
    """What a module declares, imports first. `datas` is the number of data segments, `elems` the segments' types.

    `func_types` has the type index of each function; `refs` are the functions that `ref.func` may name.
    """

    types: Sequence[CompType]
    definitions: Sequence[Definition]
    subtyping: Subtyping
    funcs: Sequence[FuncType]
    func_types: Sequence[int]
    tables: Sequence[TableType]
    mems: Sequence[MemType]
    tags: Sequence[FuncType]
    globals: Sequence[GlobalType]
    elems: Sequence[RefType]
    datas: int
    refs: frozenset[int]
    features: frozenset[Feature]
    limits: VmLimits
