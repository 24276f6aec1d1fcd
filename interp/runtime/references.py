"""What a raw reference refers to, and the types it has (specification 4.2.1). Types are closed: see valid/canon.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interp.syntax.types import HeapType, RefType
from interp.valid.subtyping import CLOSED

from .layout import Layout
from .objects import I31
from .table import TagInst

if TYPE_CHECKING:
    from .store import Store


def ref_matches(store: Store, bits: int, type: RefType) -> bool:
    """Whether raw bits are a reference of a type, or null and the type has it."""
    if bits == 0:
        return type.nullable
    found = referent(store, bits, CLOSED.top(type.heap))
    return found is not None and CLOSED.heap(found, type.heap)


def referent(store: Store, bits: int, top: str) -> HeapType | None:
    """The heap type of what a reference in the hierarchy of `top` refers to; None if there is no such thing."""
    if top == "func":
        return store.funcs[bits - 1].type_id if bits <= len(store.funcs) else None
    kind = store.heap.kind(bits)
    if top == "exn":
        return "exn" if isinstance(kind, TagInst) else None
    heap: HeapType | None = None
    if isinstance(kind, Layout):
        heap = kind.definition.number
    elif bits >> 31 == I31 >> 31:
        heap = "i31"
    elif store.externs.has(bits):
        heap = "any"
    return heap if top == "any" or heap is None else "extern"
