"""Random bodies with typed references, structures and arrays, over the types of family.py.

What is done here: every instruction of the two features, references that are made, tested, cast, compared, followed and
called. Most are not null and most indices are inside, so that programs get far before they trap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from interp.syntax.types import (
    FUNCREF,
    I32,
    ArrayType,
    BlockType,
    FieldType,
    FuncType,
    HeapType,
    PackedType,
    RefType,
    StructType,
    ValType,
)
from interp.valid.checker import is_defaultable

from . import family
from .bodies import WEIGHTED, Body, weighted
from .family import ANY, ARRAYS, COMPS, EQ, STRUCTS, null, ref, unpacked
from .shape import END, Shape, const

_BOTTOMS = ("none", "nofunc", "noextern")


class ObjectBody(Body):
    """A body that uses them. Operands are known by a type that may be above the validator's."""

    def __init__(self, shape: Shape, type: FuncType, locals: Sequence[ValType], budget: int) -> None:
        super().__init__(shape, type, locals, budget)
        self.unset = {i for i, t in enumerate(self.locals) if i >= self.own and not is_defaultable(t)}

    def fits(self, found: ValType, wanted: ValType) -> bool:
        """Whether a value of one type may stand where another is wanted."""
        return family.fits(found, wanted)

    # -- references out of nothing -------------------------------------------------------------------------------

    def made(self, type: RefType) -> None:
        """A reference out of nothing; not pushed."""
        heap = type.heap
        if type.nullable and (heap in _BOTTOMS or self.chance(0.2) or self.depth > 9):
            self.emit("ref.null", heap)
        elif heap in _BOTTOMS:  # there is none: what makes it traps
            self.emit("ref.null", heap)
            self.emit("ref.as_non_null")
        elif isinstance(heap, int):
            self._made_of(heap, type.nullable)
        elif heap == "func":
            self.emit("ref.func", self.rng.randrange(len(self.s.funcs)))
        elif heap == "extern":
            self.code.append(const(I32, self.rng.randrange(50)))
            self.emit("ref.i31")
            self.emit("extern.convert_any")
        elif heap in ("struct", "array") or (heap != "i31" and self.chance(0.5)):
            kinds = STRUCTS if heap == "struct" or (heap != "array" and self.chance(0.5)) else ARRAYS
            self._made_of(self.rng.choice(kinds), False)
        else:
            self.code.append(const(I32, self.rng.choice((0, 1, 7, 0x3FFFFFFF, 0x40000000, 0xFFFFFFFF))))
            self.emit("ref.i31")

    def _made_of(self, index: int, nullable: bool) -> None:
        below = [i for i in range(len(COMPS)) if self.fits(ref(i), ref(index))]
        index = self.rng.choice(below)
        comp = COMPS[index]
        if isinstance(comp, FuncType):
            funcs = [f for f, type in enumerate(self.s.funcs) if type in below]
            if funcs:
                self.emit("ref.func", self.rng.choice(funcs))
            else:
                self.emit("ref.null", index)
                if not nullable:
                    self.emit("ref.as_non_null")
        elif isinstance(comp, StructType):
            self._new_struct(index, comp)
        else:
            self._new_array(index, comp.field)

    def _new_struct(self, index: int, comp: StructType) -> None:
        if family.has_default(index) and self.chance(0.5):
            self.emit("struct.new_default", index)
            return
        for field in comp.fields:
            self._leaf_of(unpacked(field))
        self.emit("struct.new", index)

    def _leaf_of(self, type: ValType) -> None:
        self.depth += 1
        self.leaf(type)
        self.stack.pop()
        self.depth -= 1

    def _length(self) -> None:
        self.code.append(const(I32, self.rng.choice((4, 4, 5, 9, 1500) if self.chance(0.97) else (0, 0xFFFFFFFF))))

    def _new_array(self, index: int, field: FieldType) -> None:
        type = unpacked(field)
        roll = self.rng.random()
        if roll < 0.4 and family.has_default(index):
            self._length()
            self.emit("array.new_default", index)
        elif roll < 0.6:
            self._leaf_of(type)
            self._length()
            self.emit("array.new", index)
        elif roll < 0.75 and (parts := self._segments(field)):
            self.code += [const(I32, self.rng.randrange(3)), const(I32, self.rng.choice((0, 1, 2)))]
            name = "array.new_elem" if isinstance(type, RefType) else "array.new_data"
            self.emit(name, index, self.rng.choice(parts))
        else:
            n = self.rng.choice((0, 4, 4, 6))
            for _ in range(n):
                self._leaf_of(type)
            self.emit("array.new_fixed", index, n)

    def _segments(self, field: FieldType) -> list[int]:
        """Segments that an array with such elements may be filled from."""
        if isinstance(field.storage, RefType):
            storage = field.storage
            return [i for i, elem in enumerate(self.s.elems) if self.fits(elem.ref, storage)]
        return list(range(len(self.s.datas)))

    # -- values --------------------------------------------------------------------------------------------------

    def place(self, index: int) -> RefType:
        """The type for a reference to be followed, which seldom may be null."""
        return RefType(self.chance(0.08), index)

    def operands(self, *types: ValType) -> None:
        """Make values one after the other and take them off."""
        for type in types:
            self.value(type)
        del self.stack[len(self.stack) - len(types) :]

    def index(self, table: int) -> None:
        if self.chance(0.5):
            self.code.append(const(I32, self.rng.randrange(max(1, self.s.tables[table].limits.min))))
        else:
            super().index(table)

    def _at(self, array: RefType) -> None:
        """An array and an index that is mostly inside; taken off."""
        self.operands(array)
        if self.chance(0.93):
            self.code.append(const(I32, self.rng.randrange(4)))
        else:
            self.push(array)
            self.operands(I32)
            self.stack.pop()

    def numeric(self, type: ValType) -> None:
        if self.chance(0.75) or not self._read(type):
            if type == I32 and self.chance(0.3):
                self._question()
                self.push(I32)
            else:
                super().numeric(type)

    def condition(self) -> None:
        if self.chance(0.3):
            self._question()
            self.push(I32)
        else:
            super().condition()

    def _question(self) -> None:
        """Something about references as an i32; not pushed."""
        match self.rng.randrange(5):
            case 0:
                self.operands(self.rng.choice((ANY, EQ, null(0))))
                self.emit("ref.is_null")
            case 1:
                self.operands(ANY)
                self.emit(self.rng.choice(("ref.test", "ref.test_null")), family.pick_heap(self.rng))
            case 2:
                if self.chance(0.3):
                    self.operands(FUNCREF)
                    self.emit("ref.test", self.rng.choice((*family.FUNCS, "nofunc")))
                else:
                    self.operands(null("extern"))
                    self.emit("any.convert_extern")
                    self.emit("ref.test", self.rng.choice(("i31", "eq", 0)))
            case 3:
                self.operands(EQ, EQ)
                self.emit("ref.eq")
            case _:
                self.operands(RefType(self.chance(0.1), "array"))
                self.emit("array.len")

    def _read(self, type: ValType) -> bool:
        """A field or an element of a type, pushed; False if there is none. A packed one for an i32, or an i31."""
        if type == I32 and self.chance(0.3):
            self.operands(RefType(self.chance(0.1), "i31"))
            self.emit(self.rng.choice(("i31.get_s", "i31.get_u")))
            self.push(I32)
            return True
        found = [
            (index, place, field)
            for index, comp in enumerate(COMPS)
            if not isinstance(comp, FuncType)
            for place, field in enumerate(comp.fields if isinstance(comp, StructType) else (comp.field,))
            if self.fits(unpacked(field), type)
        ]
        if not found:
            return False
        index, place, field = self.rng.choice(found)
        sign = self.rng.choice(("_s", "_u")) if isinstance(field.storage, PackedType) else ""
        if isinstance(COMPS[index], StructType):
            self.operands(self.place(index))
            self.emit(f"struct.get{sign}", index, place)
        else:
            self._at(self.place(index))
            self.emit(f"array.get{sign}", index)
        self.push(type)
        return True

    def reference(self, type: RefType) -> None:
        roll = self.rng.random()
        if roll < 0.25 and self._read(type):
            return
        if roll < 0.4 and not type.nullable:
            self.operands(null(type.heap))
            self.emit("ref.as_non_null")
        elif roll < 0.55 and type.heap not in _BOTTOMS:
            self._cast(type)
        elif roll < 0.65 and type == ANY:
            self.operands(null("extern"))
            self.emit("any.convert_extern")
        elif roll < 0.75 and type == null("extern"):
            self.operands(ANY)
            self.emit("extern.convert_any")
        elif roll < 0.8 and self.fits(ref(1), type):
            self._call_of(21)
        else:
            super().reference(type)
            return
        self.push(type)

    def _cast(self, type: RefType) -> None:
        """A value of the type as one of its top, and back; now and then another one, which traps."""
        top = RefType(True, family.RELATION.top(type.heap))
        if self.chance(0.1):
            self.operands(top)
        else:
            self.operands(type)
        self.emit("ref.cast_null" if type.nullable else "ref.cast", type.heap)

    def _call_of(self, index: int) -> None:
        """A typed function is called; its result is not pushed."""
        self.operands(I32, self.place(index))
        self.emit("call_ref", index)

    # -- statements ----------------------------------------------------------------------------------------------

    def _struct_set(self) -> None:
        index = self.rng.choice(STRUCTS)
        comp = COMPS[index]
        places = [p for p, field in enumerate(comp.fields) if field.mutable] if isinstance(comp, StructType) else []
        if places and isinstance(comp, StructType):
            place = self.rng.choice(places)
            self.operands(self.place(index), unpacked(comp.fields[place]))
            self.emit("struct.set", index, place)

    def _mutable_array(self) -> tuple[int, FieldType]:
        found = [(i, comp.field) for i, comp in enumerate(COMPS) if isinstance(comp, ArrayType) and comp.field.mutable]
        return self.rng.choice(found)

    def _small(self, *, most: int = 4) -> None:
        self.code.append(const(I32, self.rng.randrange(most)))

    def _array_set(self) -> None:
        index, field = self._mutable_array()
        self._at(self.place(index))
        self.push(null(index), I32)
        self.operands(unpacked(field))
        del self.stack[-2:]
        self.emit("array.set", index)

    def _array_bulk(self) -> None:
        index, field = self._mutable_array()
        to = self.place(index)
        kind = self.rng.randrange(3)
        parts = self._segments(field)
        sources = [i for i in ARRAYS if self._copies(i, field)]
        self.operands(to)
        self._small()
        if kind == 0:
            self.push(to, I32)
            self.operands(unpacked(field))
            del self.stack[-2:]
            self._small()
            self.emit("array.fill", index)
        elif kind == 1 and parts:
            self._small(most=2)
            self._small(most=3)
            name = "array.init_elem" if isinstance(field.storage, RefType) else "array.init_data"
            self.emit(name, index, self.rng.choice(parts))
        else:
            self.push(to, I32)
            source = self.rng.choice(sources)
            self.operands(self.place(source))
            del self.stack[-2:]
            self._small(most=3)
            self._small(most=3)
            self.emit("array.copy", index, source)

    def _copies(self, source: int, field: FieldType) -> bool:
        comp = COMPS[source]
        if not isinstance(comp, ArrayType):
            return False
        a, b = comp.field.storage, field.storage
        if isinstance(a, PackedType) or isinstance(b, PackedType):
            return a == b
        return self.fits(a, b)

    def _call_ref(self) -> None:
        index = self.rng.choice([i for i, _ in self.s.signatures()])
        type = self.s.signature(index)
        below = {i for i in family.FUNCS if index in family.FUNCS and self.fits(ref(i), ref(index))} | {index}
        funcs = [f for f, t in enumerate(self.s.funcs) if t in below]
        if not funcs:
            return
        self.take(type.params)
        self.emit("ref.func", self.rng.choice(funcs))
        if type.results == self.results and self.chance(0.15):
            self.emit("return_call_ref", index)
            self.die()
            return
        if self.chance(0.3):
            self.emit("block", BlockType(null(index)))
            self.emit("ref.func", self.rng.choice(funcs))
            self.code.append(END)
            self.emit("drop")
        self.emit("call_ref", index)
        self.push(*type.results)

    def _carry(self, types: Sequence[ValType]) -> None:
        """Have a label's values on the stack, and leave them there."""
        self.take(types)
        self.push(*types)

    def _any_ref(self) -> RefType:
        while True:
            type = self.s.pick()
            if isinstance(type, RefType) and type.heap not in _BOTTOMS:
                return type

    def _br_on_null(self) -> None:
        depth = self.rng.randrange(len(self.labels))
        self._carry(self.labels[-1 - depth].types)
        type = self._any_ref()
        self.operands(RefType(self.chance(0.4), type.heap))
        self.emit("br_on_null", depth)
        self.push(ref(type.heap))

    def _label_with_ref(self) -> tuple[int, Sequence[ValType], RefType] | None:
        """A label whose last value is a reference: its depth, what comes before, that type."""
        found = [
            (depth, label.types[:-1], label.types[-1])
            for depth, label in enumerate(reversed(self.labels))
            if label.types and isinstance(label.types[-1], RefType)
        ]
        return self.rng.choice(found) if found else None

    def _br_on_non_null(self) -> None:
        chosen = self._label_with_ref()
        if chosen is None:
            return
        depth, before, last = chosen
        self._carry(before)
        self.operands(RefType(self.chance(0.6), last.heap))
        self.emit("br_on_non_null", depth)

    def _br_on_cast(self) -> None:
        chosen = self._label_with_ref()
        if chosen is None or family.RELATION.top(chosen[2].heap) != "any":
            return
        depth, before, last = chosen
        for _ in range(12):
            high, low = (RefType(self.chance(0.5), self._heap(last.heap)) for _ in range(2))
            rest = RefType(high.nullable and not low.nullable, high.heap)
            fail = self.chance(0.5)
            if self.fits(low, high) and self.fits(rest if fail else low, last):
                break
        else:
            return
        self._carry(before)
        self.operands(high)
        flags = high.nullable | low.nullable << 1
        self.emit("br_on_cast_fail" if fail else "br_on_cast", flags, depth, high.heap, low.heap)
        self.push(low if fail else rest)

    def _heap(self, near: HeapType) -> HeapType:
        return self.rng.choice((near, "any", "eq", family.pick_heap(self.rng)))

    def _chain(self) -> None:
        """Objects that hang on each other through a local."""
        locals = [i for i, t in enumerate(self.locals) if t in (null(0), ref(0)) and i not in self.unset]
        if locals:
            index = self.rng.choice(locals)
            for _ in range(self.rng.choice((1, 3, 20))):
                self._small()
                self.emit("local.get", index)
                self.emit("struct.new", 0)
                self.emit("local.set", index)

    STATEMENTS = weighted(())


def pick_locals(rng: Random) -> tuple[ValType, ...]:
    """The locals of a body, some of which have to be set first."""
    return tuple(family.pick(rng) for _ in range(rng.randrange(9)))


#: Statements of bodies with objects.
OBJECTS: list[tuple[Callable[[Any], None], int]] = [
    *WEIGHTED,
    (ObjectBody._struct_set, 8),
    (ObjectBody._array_set, 6),
    (ObjectBody._array_bulk, 6),
    (ObjectBody._call_ref, 5),
    (ObjectBody._br_on_null, 5),
    (ObjectBody._br_on_non_null, 4),
    (ObjectBody._br_on_cast, 8),
    (ObjectBody._chain, 3),
]
ObjectBody.STATEMENTS = weighted(OBJECTS)
