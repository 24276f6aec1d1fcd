"""Type identity (specification 3.1.4): equal recursion groups are one group, in every module of the process.

A group's types are equal to another's if they are the same once references into the group are written relative to it
and references to earlier groups are written as their numbers. Groups live as long as a module or a definition holds
one; no number is given twice.

A type is *closed* when its type indices are these numbers: it then means the same in every module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
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
    StructType,
    SubType,
    ValType,
)


class Definition:
    """A defined type: equal types of all modules are one object.

    `comp` is closed; `ancestors` has the numbers of the type and of all its supertypes.
    """

    __slots__ = ("__weakref__", "_needs", "ancestors", "comp", "final", "number")

    def __init__(self, number: int, comp: CompType, final: bool, ancestors: frozenset[int]) -> None:
        self.number = number
        self.comp = comp
        self.final = final
        self.ancestors = ancestors
        self._needs: tuple[Group, ...] = ()

    def keep(self, groups: tuple[Group, ...]) -> None:
        """Keep the groups alive whose numbers stand in the type, its own included."""
        self._needs = groups

    def __repr__(self) -> str:
        return f"<Definition {self.number} {self.comp}>"


class Group:
    """One recursion group for all that equal it; its types are numbered consecutively."""

    __slots__ = ("__weakref__", "definitions")

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self.definitions = definitions


_groups: WeakValueDictionary[RecType, Group] = WeakValueDictionary()
_definitions: WeakValueDictionary[int, Definition] = WeakValueDictionary()
_group_of: WeakValueDictionary[int, Group] = WeakValueDictionary()
_numbers = count()
_lock = Lock()


def definition(number: int) -> Definition:
    """The definition of a number, which something must hold still. Raises KeyError."""
    return _definitions[number]


def canonical(recs: Sequence[RecType]) -> tuple[Definition, ...]:
    """The definitions of a module's types, whose indices are known to be in range."""
    found: list[Definition] = []
    for rec in recs:
        relative = Renaming(partial(_relative, len(found), found))
        key = RecType(tuple(relative.sub(sub) for sub in rec.types))
        with _lock:
            found += _intern(key).definitions
    return tuple(found)


def _relative(first: int, before: Sequence[Definition], index: int) -> int:
    return first - index - 1 if index >= first else before[index].number


def function_definition(type: FuncType) -> Definition:
    """The definition of a closed function type that stands alone, final and without supertypes."""
    with _lock:
        return _intern(RecType((SubType(type),))).definitions[0]


def _intern(key: RecType) -> Group:
    """The group of a key: types in which -1, -2, ... are the group's own and all other indices are numbers."""
    group = _groups.get(key)
    if group is not None:
        return group
    first = next(_numbers)
    for _ in key.types[1:]:
        next(_numbers)
    needs: dict[int, Group] = {}

    def number(index: int) -> int:
        if index < 0:
            return first - index - 1
        needs[index] = _group_of[index]
        return index

    absolute = Renaming(number)
    made: list[Definition] = []
    for place, sub in enumerate(map(absolute.sub, key.types)):
        own = {first + place}
        for above in sub.supers:
            own |= made[above - first].ancestors if above >= first else _definitions[above].ancestors
        made.append(Definition(first + place, sub.comp, sub.final, frozenset(own)))
    group = Group(tuple(made))
    for one in made:
        one.keep((group, *needs.values()))
        _definitions[one.number] = one
        _group_of[one.number] = group
    _groups[key] = group
    return group


class Renaming:
    """Rewrites the type indices of types. What has none stays the same object."""

    def __init__(self, index: Callable[[int], int]) -> None:
        self.index = index

    def sub(self, sub: SubType) -> SubType:
        """A subtype."""
        return SubType(self.comp(sub.comp), sub.final, tuple(self.index(index) for index in sub.supers))

    def comp(self, comp: CompType) -> CompType:
        """A composite type."""
        if isinstance(comp, FuncType):
            return self.func(comp)
        if isinstance(comp, StructType):
            return StructType(tuple(map(self.field, comp.fields)))
        return ArrayType(self.field(comp.field))

    def func(self, type: FuncType) -> FuncType:
        """A function type."""
        params, results = tuple(map(self.value, type.params)), tuple(map(self.value, type.results))
        return type if params == type.params and results == type.results else FuncType(params, results)

    def field(self, field: FieldType) -> FieldType:
        """The type of a field."""
        storage = field.storage
        return FieldType(self.ref(storage), field.mutable) if isinstance(storage, RefType) else field

    def value(self, type: ValType) -> ValType:
        """A value type."""
        return self.ref(type) if isinstance(type, RefType) else type

    def ref(self, type: RefType) -> RefType:
        """A reference type."""
        return type if isinstance(type.heap, str) else RefType(type.nullable, self.index(type.heap))


def closing(definitions: Sequence[Definition]) -> Renaming:
    """What closes the types of a module."""
    return Renaming(lambda index: definitions[index].number)
