"""Subtyping (specification 3.3): of heap types, references, values, fields and composite types.

`lookup` gives the definition behind a type index: those of a module for its own indices, `canon.definition` for closed
types. "bot" is the heap type below all others, of which dead code makes references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interp.syntax.types import (
    ArrayType,
    CompType,
    FieldType,
    FuncType,
    HeapType,
    RefType,
    StorageType,
    StructType,
    ValType,
)

from .canon import Definition, definition

#: An abstract heap type to those above it.
_ABOVE: dict[str, frozenset[str]] = {
    "any": frozenset(),
    "eq": frozenset({"any"}),
    "i31": frozenset({"eq", "any"}),
    "struct": frozenset({"eq", "any"}),
    "array": frozenset({"eq", "any"}),
    "none": frozenset({"i31", "struct", "array", "eq", "any"}),
    "func": frozenset(),
    "nofunc": frozenset({"func"}),
    "extern": frozenset(),
    "noextern": frozenset({"extern"}),
    "exn": frozenset(),
    "noexn": frozenset({"exn"}),
}
#: An abstract heap type to the top of its hierarchy.
_TOP = {name: next((t for t in ("any", "func", "extern", "exn") if t == name or t in above), "")
        for name, above in _ABOVE.items()}  # fmt: skip


def kind(comp: CompType) -> str:
    """The abstract heap type of a composite type: func, struct or array."""
    if isinstance(comp, FuncType):
        return "func"
    return "struct" if isinstance(comp, StructType) else "array"


class Subtyping:
    """The relation for the type indices of one module, or for closed types."""

    __slots__ = ("lookup",)

    def __init__(self, lookup: Callable[[int], Definition]) -> None:
        self.lookup = lookup

    def heap(self, sub: HeapType, sup: HeapType) -> bool:
        """Heap types (3.3.3)."""
        if sub == sup or sub == "bot":
            return True
        if isinstance(sub, int):
            below = self.lookup(sub)
            if isinstance(sup, int):
                return self.lookup(sup).number in below.ancestors
            abstract = kind(below.comp)
            return abstract == sup or sup in _ABOVE[abstract]
        if isinstance(sup, int):
            return sub == ("nofunc" if kind(self.lookup(sup).comp) == "func" else "none")
        return sup in _ABOVE[sub]

    def top(self, heap: HeapType) -> str:
        """The top of the hierarchy of a heap type."""
        return _TOP[kind(self.lookup(heap).comp) if isinstance(heap, int) else heap]

    def ref(self, sub: RefType, sup: RefType) -> bool:
        """Reference types (3.3.4)."""
        return (sup.nullable or not sub.nullable) and self.heap(sub.heap, sup.heap)

    def value(self, sub: ValType, sup: ValType) -> bool:
        """Value types (3.3.5)."""
        return sub == sup or (isinstance(sub, RefType) and isinstance(sup, RefType) and self.ref(sub, sup))

    def values(self, sub: Sequence[ValType], sup: Sequence[ValType]) -> bool:
        """Result types (3.3.6)."""
        return len(sub) == len(sup) and all(map(self.value, sub, sup))

    def storage(self, sub: StorageType, sup: StorageType) -> bool:
        """Storage types (3.3.9)."""
        return sub == sup or (isinstance(sub, RefType) and isinstance(sup, RefType) and self.ref(sub, sup))

    def field(self, sub: FieldType, sup: FieldType) -> bool:
        """Field types (3.3.9): a mutable one has no subtypes but its equals."""
        if sub.mutable != sup.mutable:
            return False
        return self.storage(sub.storage, sup.storage) and (not sub.mutable or self.storage(sup.storage, sub.storage))

    def comp(self, sub: CompType, sup: CompType) -> bool:
        """Composite types (3.3.8)."""
        if isinstance(sub, FuncType):
            return (
                isinstance(sup, FuncType)
                and self.values(sup.params, sub.params)
                and self.values(sub.results, sup.results)
            )
        if isinstance(sub, ArrayType):
            return isinstance(sup, ArrayType) and self.field(sub.field, sup.field)
        return (
            isinstance(sup, StructType)
            and len(sub.fields) >= len(sup.fields)
            and all(map(self.field, sub.fields, sup.fields))
        )


#: For closed types.
CLOSED = Subtyping(definition)
