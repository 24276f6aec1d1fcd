"""The rules of structures, arrays, i31 and casts (specification 3.4.2 to 3.4.6)."""

from __future__ import annotations

from interp.syntax.types import (
    I32,
    ArrayType,
    FieldType,
    PackedType,
    RefType,
    StructType,
    ValType,
)

from .checker import Checker, is_defaultable
from .rules import Imm, Rule, data_segment, elem_segment
from .rules_refs import last_of_label

_ARRAY, _EQ, _I31 = RefType(True, "array"), RefType(True, "eq"), RefType(True, "i31")


def _unpacked(field: FieldType) -> ValType:
    return I32 if isinstance(field.storage, PackedType) else field.storage


def _struct(c: Checker, index: int) -> StructType:
    comp = c.c.types[c.type(index)]
    if not isinstance(comp, StructType):
        c.fail("not_a_struct_type", index)
    return comp


def _array(c: Checker, index: int) -> FieldType:
    comp = c.c.types[c.type(index)]
    if not isinstance(comp, ArrayType):
        c.fail("not_an_array_type", index)
    return comp.field


def _mutable_array(c: Checker, index: int) -> FieldType:
    field = _array(c, index)
    if not field.mutable:
        c.fail("immutable_array", index)
    return field


def _default(c: Checker, field: FieldType) -> None:
    type = _unpacked(field)
    if not is_defaultable(type):
        c.fail("not_defaultable", type)


# Structures.


def _struct_new(c: Checker, imm: Imm) -> None:
    c.pop_all([_unpacked(field) for field in _struct(c, imm[0]).fields])
    c.push(RefType(False, imm[0]))


def _struct_new_default(c: Checker, imm: Imm) -> None:
    for field in _struct(c, imm[0]).fields:
        _default(c, field)
    c.push(RefType(False, imm[0]))


def _field(c: Checker, imm: Imm) -> FieldType:
    fields = _struct(c, imm[0]).fields
    if imm[1] >= len(fields):
        c.fail("unknown_field", imm[1])
    return fields[imm[1]]


def _check_packing(c: Checker, field: FieldType, packed: bool) -> None:
    if isinstance(field.storage, PackedType) is not packed:
        c.fail("packed_field")


def _struct_get(packed: bool) -> Rule:
    def rule(c: Checker, imm: Imm) -> None:
        field = _field(c, imm)
        _check_packing(c, field, packed)
        c.expect(RefType(True, imm[0]))
        c.push(_unpacked(field))

    return rule


def _struct_set(c: Checker, imm: Imm) -> None:
    field = _field(c, imm)
    if not field.mutable:
        c.fail("immutable_field", imm[1])
    c.pop_all((RefType(True, imm[0]), _unpacked(field)))


# Arrays.


def _array_new(c: Checker, imm: Imm) -> None:
    c.pop_all((_unpacked(_array(c, imm[0])), I32))
    c.push(RefType(False, imm[0]))


def _array_new_default(c: Checker, imm: Imm) -> None:
    _default(c, _array(c, imm[0]))
    c.expect(I32)
    c.push(RefType(False, imm[0]))


def _array_new_fixed(c: Checker, imm: Imm) -> None:
    type = _unpacked(_array(c, imm[0]))
    for _ in range(imm[1]):
        if c.frames[-1].dead and len(c.stack) == c.base:
            break  # dead code gives as many as one likes
        c.expect(type)
    c.push(RefType(False, imm[0]))


def _numeric_array(c: Checker, field: FieldType) -> None:
    if isinstance(field.storage, RefType):
        c.fail("not_numeric_array")


def _array_new_data(c: Checker, imm: Imm) -> None:
    _numeric_array(c, _array(c, imm[0]))
    data_segment(c, imm[1])
    c.pop_all((I32, I32))
    c.push(RefType(False, imm[0]))


def _elements(c: Checker, field: FieldType, index: int) -> None:
    found = elem_segment(c, index)
    if not c.c.subtyping.storage(found, field.storage):
        c.fail("type_mismatch_storage", field.storage, found)


def _array_new_elem(c: Checker, imm: Imm) -> None:
    _elements(c, _array(c, imm[0]), imm[1])
    c.pop_all((I32, I32))
    c.push(RefType(False, imm[0]))


def _array_get(packed: bool) -> Rule:
    def rule(c: Checker, imm: Imm) -> None:
        field = _array(c, imm[0])
        _check_packing(c, field, packed)
        c.pop_all((RefType(True, imm[0]), I32))
        c.push(_unpacked(field))

    return rule


def _array_set(c: Checker, imm: Imm) -> None:
    c.pop_all((RefType(True, imm[0]), I32, _unpacked(_mutable_array(c, imm[0]))))


def _array_len(c: Checker, imm: Imm) -> None:
    c.expect(_ARRAY)
    c.push(I32)


def _array_fill(c: Checker, imm: Imm) -> None:
    c.pop_all((RefType(True, imm[0]), I32, _unpacked(_mutable_array(c, imm[0])), I32))


def _array_copy(c: Checker, imm: Imm) -> None:
    to, source = _mutable_array(c, imm[0]), _array(c, imm[1])
    if not c.c.subtyping.storage(source.storage, to.storage):
        c.fail("type_mismatch_storage", to.storage, source.storage)
    c.pop_all((RefType(True, imm[0]), I32, RefType(True, imm[1]), I32, I32))


def _array_init_data(c: Checker, imm: Imm) -> None:
    _numeric_array(c, _mutable_array(c, imm[0]))
    data_segment(c, imm[1])
    c.pop_all((RefType(True, imm[0]), I32, I32, I32))


def _array_init_elem(c: Checker, imm: Imm) -> None:
    _elements(c, _mutable_array(c, imm[0]), imm[1])
    c.pop_all((RefType(True, imm[0]), I32, I32, I32))


# Casts, conversions, i31.


def _top(c: Checker, type: RefType) -> RefType:
    return RefType(True, c.c.subtyping.top(c.heap(type.heap)))


def _ref_test(nullable: bool) -> Rule:
    def rule(c: Checker, imm: Imm) -> None:
        c.expect(_top(c, RefType(nullable, imm[0])))
        c.push(I32)

    return rule


def _ref_cast(nullable: bool) -> Rule:
    def rule(c: Checker, imm: Imm) -> None:
        type = RefType(nullable, imm[0])
        c.expect(_top(c, type))
        c.push(type)

    return rule


def _br_on_cast(other: bool) -> Rule:
    """The rule of br_on_cast, and of br_on_cast_fail, which branches with what is left of the type."""

    def rule(c: Checker, imm: Imm) -> None:
        flags, label, *heaps = imm
        before, after = (RefType(bool(flags & 1 << n), c.heap(heap)) for n, heap in enumerate(heaps))
        if not c.matches(after, before):
            c.fail("type_mismatch_cast", before, after)
        rest = RefType(before.nullable and not after.nullable, before.heap)
        taken, left = (rest, after) if other else (after, rest)
        types, last = last_of_label(c, label)
        if not c.matches(taken, last):
            c.fail("type_mismatch_label", last, taken)
        c.expect(before)
        c.pop_all(types)
        c.push_all(types)
        c.push(left)

    return rule


def _convert(source: str, to: str) -> Rule:
    def rule(c: Checker, imm: Imm) -> None:
        found = c.expect(RefType(True, source))
        c.push(RefType(isinstance(found, RefType) and found.nullable, to))

    return rule


def _plain(*types: ValType) -> Rule:
    """Operands, and the result as the last type."""
    *takes, gives = types

    def rule(c: Checker, imm: Imm) -> None:
        c.pop_all(takes)
        c.push(gives)

    return rule


SPECIAL: dict[str, Rule] = {
    "struct.new": _struct_new,
    "struct.new_default": _struct_new_default,
    "struct.get": _struct_get(False),
    "struct.get_s": _struct_get(True),
    "struct.get_u": _struct_get(True),
    "struct.set": _struct_set,
    "array.new": _array_new,
    "array.new_default": _array_new_default,
    "array.new_fixed": _array_new_fixed,
    "array.new_data": _array_new_data,
    "array.new_elem": _array_new_elem,
    "array.get": _array_get(False),
    "array.get_s": _array_get(True),
    "array.get_u": _array_get(True),
    "array.set": _array_set,
    "array.len": _array_len,
    "array.fill": _array_fill,
    "array.copy": _array_copy,
    "array.init_data": _array_init_data,
    "array.init_elem": _array_init_elem,
    "ref.test": _ref_test(False),
    "ref.test_null": _ref_test(True),
    "ref.cast": _ref_cast(False),
    "ref.cast_null": _ref_cast(True),
    "br_on_cast": _br_on_cast(False),
    "br_on_cast_fail": _br_on_cast(True),
    "any.convert_extern": _convert("extern", "any"),
    "extern.convert_any": _convert("any", "extern"),
    "ref.eq": _plain(_EQ, _EQ, I32),
    "ref.i31": _plain(I32, RefType(False, "i31")),
    "i31.get_s": _plain(_I31, I32),
    "i31.get_u": _plain(_I31, I32),
}
