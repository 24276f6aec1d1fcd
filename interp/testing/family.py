"""The types of structures, arrays and typed functions that random programs with objects share: one family for all.

They stand at the front of every module, so that two modules mean the same by them, and the harness too. Indices below
are those of the modules.
"""

from __future__ import annotations

from random import Random

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.types import (
    F32,
    F64,
    FUNCREF,
    I8,
    I16,
    I32,
    I64,
    V128,
    ArrayType,
    CompType,
    FieldType,
    FuncType,
    HeapType,
    PackedType,
    RecType,
    RefType,
    StorageType,
    StructType,
    SubType,
    ValType,
)
from interp.valid.canon import canonical
from interp.valid.checker import is_defaultable
from interp.valid.subtyping import Subtyping


def null(heap: HeapType) -> RefType:
    """A reference that may be null."""
    return RefType(True, heap)


def ref(heap: HeapType) -> RefType:
    """A reference that may not."""
    return RefType(False, heap)


ANY, EQ, I31, STRUCT, ARRAY, EXTERN = (null(heap) for heap in ("any", "eq", "i31", "struct", "array", "extern"))


def _mutable(*types: StorageType) -> tuple[FieldType, ...]:
    return tuple(FieldType(type, True) for type in types)


def _array(type: StorageType) -> RecType:
    return RecType((SubType(ArrayType(FieldType(type, True))),))


_NODE = _mutable(I32, null(0))
_WIDE = (*_NODE, *_mutable(V128, I8), FieldType(I64, False))
FAMILY: tuple[RecType, ...] = (
    RecType((SubType(StructType(_NODE), False),)),  # 0
    RecType((SubType(StructType(_WIDE), False, (0,)),)),  # 1
    RecType((SubType(StructType((*_WIDE, *_mutable(ANY))), True, (1,)),)),  # 2
    RecType((SubType(StructType(_mutable(null(4), F64))), SubType(ArrayType(FieldType(null(3), True))))),  # 3, 4
    RecType((SubType(StructType((*_mutable(I8, I16, F32, FUNCREF, EXTERN, I31), FieldType(I32, False)))),)),  # 5
    RecType((SubType(StructType((FieldType(ref(0), False), *_mutable(ref("i31"))))),)),  # 6: has no default
    RecType((SubType(StructType()),)),  # 7
    *(
        _array(type) for type in (I8, I16, I32, I64, F64, V128, ANY, FUNCREF, ref(0))
    ),  # 8 to 16; no default for the last
    RecType((SubType(ArrayType(FieldType(EQ, False)), False),)),  # 17
    RecType((SubType(ArrayType(FieldType(I31, False)), True, (17,)),)),  # 18
    RecType((SubType(FuncType((I32,), (ANY,)), False),)),  # 19
    RecType((SubType(FuncType((I32,), (null(0),)), False, (19,)),)),  # 20
    RecType((SubType(FuncType((I32,), (ref(1),)), True, (20,)),)),  # 21
)
COMPS: tuple[CompType, ...] = tuple(sub.comp for rec in FAMILY for sub in rec.types)
DEFINITIONS = canonical(FAMILY)
RELATION = Subtyping(DEFINITIONS.__getitem__)
STRUCTS = [index for index, comp in enumerate(COMPS) if isinstance(comp, StructType)]
ARRAYS = [index for index, comp in enumerate(COMPS) if isinstance(comp, ArrayType)]
FUNCS = [index for index, comp in enumerate(COMPS) if isinstance(comp, FuncType)]
#: What values of a program are of, and how often; every one of them can be made.
POOL: tuple[tuple[ValType, int], ...] = (
    (I32, 8), (I64, 3), (F32, 1), (F64, 2), (V128, 2), (FUNCREF, 1), (EXTERN, 1),
    (ANY, 4), (EQ, 2), (I31, 2), (STRUCT, 1), (ARRAY, 1), (ref("any"), 1), (ref("i31"), 2), (ref("extern"), 1),
    (null(0), 4), (ref(0), 3), (null(1), 2), (ref(2), 1), (null(3), 1), (ref(4), 1), (null(5), 1), (ref(6), 1),
    (null(8), 1), (ref(9), 1), (null(12), 1), (ref(13), 1), (null(14), 1), (ref(17), 1), (null(19), 2), (null(20), 1),
    (null("none"), 1), (null("nofunc"), 1),
)  # fmt: skip
_TYPES = [type for type, _ in POOL]
_WEIGHTS = [weight for _, weight in POOL]


def pick(rng: Random) -> ValType:
    """A value type."""
    return rng.choices(_TYPES, _WEIGHTS)[0]


def pick_heap(rng: Random) -> HeapType:
    """A heap type for a cast in the hierarchy of any."""
    if rng.random() < 0.35:
        return rng.choice(("any", "eq", "i31", "struct", "array", "none"))
    return rng.choice((*STRUCTS, *ARRAYS))


def fits(found: ValType, wanted: ValType) -> bool:
    """Whether a value of one type may stand where the other is wanted. Indices are those of the family."""
    return found == wanted or RELATION.value(found, wanted)


def unpacked(field: FieldType) -> ValType:
    """The type of a field's value on the stack."""
    return I32 if isinstance(field.storage, PackedType) else field.storage


def has_default(index: int) -> bool:
    """Whether a structure or array can be made of zeros and nulls."""
    comp = COMPS[index]
    fields = comp.fields if isinstance(comp, StructType) else (comp.field,) if isinstance(comp, ArrayType) else ()
    return all(is_defaultable(unpacked(field)) for field in fields)


def constant(rng: Random, type: RefType) -> tuple[Ins, ...]:
    """Instructions of a constant expression that give a reference."""

    def ins(name: str, *imm: object) -> Ins:
        return Ins(BY_NAME[name], imm)

    heap = type.heap
    if type.nullable and (rng.random() < 0.4 or heap in ("none", "nofunc", "func") or heap in FUNCS):
        return (ins("ref.null", heap),)
    small = ins("i32.const", rng.randrange(9))
    if heap == "extern":
        return (small, ins("ref.i31"), ins("extern.convert_any"))
    if heap in ("any", "eq", "i31"):
        return (small, ins("ref.i31"))
    index = {"struct": 0, "array": 8}.get(heap, 0) if isinstance(heap, str) else heap
    comp = COMPS[index]
    if isinstance(comp, ArrayType):
        return (small, ins("array.new_default", index)) if has_default(index) else (ins("array.new_fixed", index, 0),)
    if has_default(index):
        return (ins("struct.new_default", index),)
    fields = comp.fields if isinstance(comp, StructType) else ()
    parts = [part for f in fields if isinstance(f.storage, RefType) for part in constant(rng, f.storage)]
    return (*parts, ins("struct.new", index))
