"""The reference engine's steps for structures, arrays, i31 and casts (specification 4.4.5), one function each.

As in steps.py: t the thread, f the frame, s the value stack, x the operand. What allocates asks for room first, while
its operands are on the stack, where the collector finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interp.runtime import gc
from interp.runtime.references import ref_matches
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.types import RefType

from .steps import Handler, br

if TYPE_CHECKING:
    from .reference import Frame, ReferenceThread

    T = ReferenceThread
    F = Frame
    S = list[int]


def pop(s: S, n: int) -> list[int]:
    """The `n` topmost values, the deepest first."""
    values = s[len(s) - n :]
    del s[len(s) - n :]
    return values


def struct_new(t: T, f: F, s: S, type: int) -> None:
    t.allocate(gc.object_bytes(f.module, type))
    s.append(gc.struct_new(f.module, type, pop(s, len(gc.layout(f.module, type).fields))))


def struct_new_default(t: T, f: F, s: S, type: int) -> None:
    t.allocate(gc.object_bytes(f.module, type))
    s.append(gc.struct_new_default(f.module, type))


def struct_get(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    s[-1] = gc.struct_get(t.store, s[-1], x[1])


def struct_get_s(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    type, place = x
    s[-1] = gc.extend(gc.layout(f.module, type).fields[place], gc.struct_get(t.store, s[-1], place))


def struct_set(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    ref, value = pop(s, 2)
    gc.struct_set(t.store, ref, x[1], value)


def array_new(t: T, f: F, s: S, type: int) -> None:
    t.allocate(gc.object_bytes(f.module, type, s[-1]))
    s.append(gc.array_new(f.module, type, *pop(s, 2)))


def array_new_default(t: T, f: F, s: S, type: int) -> None:
    t.allocate(gc.object_bytes(f.module, type, s[-1]))
    s[-1] = gc.array_new(f.module, type, 0, s[-1])


def array_new_fixed(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    type, n = x
    t.allocate(gc.object_bytes(f.module, type, n))
    s.append(gc.array_new_fixed(f.module, type, pop(s, n)))


def array_new_data(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    n = gc.object_bytes(f.module, x[0], s[-1])
    t.charge_object(n)
    gc.check_data(f.module, *x, *s[-2:])
    t.store.heap.make_room(n)
    s.append(gc.array_new_data(f.module, *x, *pop(s, 2)))


def array_new_elem(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    n = gc.object_bytes(f.module, x[0], s[-1])
    t.charge_object(n)
    gc.check_elem(f.module, x[1], *s[-2:])
    t.store.heap.make_room(n)
    s.append(gc.array_new_elem(f.module, *x, *pop(s, 2)))


def array_get(t: T, f: F, s: S, type: int) -> None:
    s.append(gc.array_get(t.store, *pop(s, 2)))


def array_get_s(t: T, f: F, s: S, type: int) -> None:
    field = gc.layout(f.module, type).field
    bits = gc.array_get(t.store, *pop(s, 2))
    s.append(gc.extend(field, bits) if field is not None else bits)


def array_set(t: T, f: F, s: S, type: int) -> None:
    gc.array_set(t.store, *pop(s, 3))


def array_len(t: T, f: F, s: S, x: None) -> None:
    s[-1] = gc.array_len(t.store, s[-1])


def array_fill(t: T, f: F, s: S, type: int) -> None:
    t.charge_bytes(gc.payload_bytes(f.module, type, s[-1]))
    t.work(gc.array_fill(t.store, *pop(s, 4)))


def array_copy(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge_bytes(gc.payload_bytes(f.module, x[0], s[-1]))
    t.work(gc.array_copy(t.store, *pop(s, 5)))


def array_init_data(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge_bytes(gc.payload_bytes(f.module, x[0], s[-1]))
    t.work(gc.array_init_data(f.module, x[1], *pop(s, 4)))


def array_init_elem(t: T, f: F, s: S, x: tuple[int, int]) -> None:
    t.charge_bytes(gc.payload_bytes(f.module, x[0], s[-1]))
    t.work(gc.array_init_elem(f.module, x[1], *pop(s, 4)))


def ref_test(t: T, f: F, s: S, type: RefType) -> None:
    s[-1] = int(ref_matches(t.store, s[-1], type))


def ref_cast(t: T, f: F, s: S, type: RefType) -> None:
    if not ref_matches(t.store, s[-1], type):
        raise Trap(TRAPS["cast_failure"])


def br_on_cast(t: T, f: F, s: S, x: tuple[int, RefType]) -> None:
    if ref_matches(t.store, s[-1], x[1]):
        br(t, f, s, x[0])


def br_on_cast_fail(t: T, f: F, s: S, x: tuple[int, RefType]) -> None:
    if not ref_matches(t.store, s[-1], x[1]):
        br(t, f, s, x[0])


def ref_eq(t: T, f: F, s: S, x: None) -> None:
    second = s.pop()
    s[-1] = int(s[-1] == second)


def ref_i31(t: T, f: F, s: S, x: None) -> None:
    s[-1] = gc.ref_i31(s[-1])


def i31_get_s(t: T, f: F, s: S, x: None) -> None:
    s[-1] = gc.i31_get(s[-1], True)


def i31_get_u(t: T, f: F, s: S, x: None) -> None:
    s[-1] = gc.i31_get(s[-1], False)


def convert(t: T, f: F, s: S, x: None) -> None:
    pass  # both hierarchies have the same bits: see runtime/heap.py


STEPS: dict[str, Handler] = {
    "struct.new": struct_new,
    "struct.new_default": struct_new_default,
    "struct.get": struct_get,
    "struct.get_s": struct_get_s,
    "struct.get_u": struct_get,
    "struct.set": struct_set,
    "array.new": array_new,
    "array.new_default": array_new_default,
    "array.new_fixed": array_new_fixed,
    "array.new_data": array_new_data,
    "array.new_elem": array_new_elem,
    "array.get": array_get,
    "array.get_s": array_get_s,
    "array.get_u": array_get,
    "array.set": array_set,
    "array.len": array_len,
    "array.fill": array_fill,
    "array.copy": array_copy,
    "array.init_data": array_init_data,
    "array.init_elem": array_init_elem,
    "ref.test": ref_test,
    "ref.test_null": ref_test,
    "ref.cast": ref_cast,
    "ref.cast_null": ref_cast,
    "br_on_cast": br_on_cast,
    "br_on_cast_fail": br_on_cast_fail,
    "ref.eq": ref_eq,
    "ref.i31": ref_i31,
    "i31.get_s": i31_get_s,
    "i31.get_u": i31_get_u,
    "any.convert_extern": convert,
    "extern.convert_any": convert,
}
