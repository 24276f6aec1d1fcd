"""Type identity (specification 3.1.4): equal recursion groups get equal numbers, in every module of the process.

A group's types are equal to another's if they are the same once references into the group are written relative to it
and references to earlier groups are written as their numbers. Groups live as long as a valid module holds them; no
number is given twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from threading import Lock
from weakref import WeakValueDictionary

from interp.syntax.types import (
    ArrayType,
    CompType,
    FieldType,
    FuncType,
    RecType,
    RefType,
    StorageType,
    StructType,
    SubType,
    ValType,
)


class Group:
    """One recursion group for all that equal it; its types are numbered from `first`."""

    __slots__ = ("__weakref__", "first")

    def __init__(self, first: int) -> None:
        self.first = first


_groups: WeakValueDictionary[RecType, Group] = WeakValueDictionary()
_numbers = count()
_lock = Lock()


def canonical(recs: Sequence[RecType]) -> tuple[array[int], tuple[Group, ...]]:
    """A number for each type of a module, and the groups, which the module has to keep alive."""
    ids: array[int] = array("I")
    groups = []
    for rec in recs:
        key = _Closing(len(ids), ids).rec(rec)
        with _lock:
            group = _groups.get(key)
            if group is None:
                group = Group(next(_numbers))
                for _ in rec.types[1:]:
                    next(_numbers)
                _groups[key] = group
        groups.append(group)
        ids.extend(range(group.first, group.first + len(rec.types)))
    return ids, tuple(groups)


class _Closing:
    """Rewrites type indices: -1, -2, ... for the group's own types, the number for earlier ones."""

    def __init__(self, first: int, ids: Sequence[int]) -> None:
        self.first = first
        self.ids = ids

    def rec(self, rec: RecType) -> RecType:
        return RecType(tuple(self.sub(sub) for sub in rec.types))

    def sub(self, sub: SubType) -> SubType:
        return SubType(self.comp(sub.comp), sub.final, tuple(self.index(index) for index in sub.supers))

    def index(self, index: int) -> int:
        return self.first - index - 1 if index >= self.first else self.ids[index]

    def comp(self, comp: CompType) -> CompType:
        if isinstance(comp, FuncType):
            return FuncType(tuple(map(self.value, comp.params)), tuple(map(self.value, comp.results)))
        if isinstance(comp, StructType):
            return StructType(tuple(map(self.field, comp.fields)))
        return ArrayType(self.field(comp.field))

    def field(self, field: FieldType) -> FieldType:
        storage: StorageType = field.storage
        if isinstance(storage, RefType):
            storage = self.ref(storage)
        return FieldType(storage, field.mutable)

    def value(self, type: ValType) -> ValType:
        return self.ref(type) if isinstance(type, RefType) else type

    def ref(self, type: RefType) -> RefType:
        return type if isinstance(type.heap, str) else replace(type, heap=self.index(type.heap))
