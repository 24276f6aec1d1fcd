"""Structures and arrays (specification 4.4.5): one meaning for every engine.

Arguments are raw unsigned bits; type, field and segment indices are those of the instance. Each operation checks before
it writes. Allocations never collect: engines see to it that there is room (`Heap.make_room`), and charge the ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from interp.syntax.errors import TRAPS, Trap
from interp.syntax.types import FieldType

from .bulk import Rest, in_stretches
from .layout import Layout
from .memory import out_of_bounds as memory_bounds
from .objects import HEADER_BYTES, I31, Object, Objects, stale
from .table import out_of_bounds as table_bounds

if TYPE_CHECKING:
    from .instance import ModuleInst
    from .store import Store


def layout(inst: ModuleInst, type: int) -> Layout:
    """The layout behind a type index."""
    return inst.store.heap.layout(inst.valid.definitions[type])


def object_bytes(inst: ModuleInst, type: int, n: int = 0) -> int:
    """What a structure, or an array of `n` elements, takes of the heap."""
    return HEADER_BYTES + layout(inst, type).size(n)


def payload_bytes(inst: ModuleInst, type: int, n: int) -> int:
    """The bytes of `n` elements of an array."""
    return n * layout(inst, type).width


# -- making ---------------------------------------------------------------------------------------------------------


def struct_new(inst: ModuleInst, type: int, values: Sequence[int]) -> int:
    """struct.new: the reference of a structure of these values."""
    made = layout(inst, type)
    return inst.store.heap.add(Object(made, made.structure(values)))


def struct_new_default(inst: ModuleInst, type: int) -> int:
    """struct.new_default."""
    return struct_new(inst, type, [0] * len(layout(inst, type).fields))


def array_new(inst: ModuleInst, type: int, value: int, n: int) -> int:
    """array.new: `n` equal elements. Raises Trap where there is no room."""
    made, heap = layout(inst, type), inst.store.heap
    if not heap.fits(HEADER_BYTES + made.size(n)):
        raise Trap(TRAPS["heap_exhausted"])
    return heap.add(Object(made, made.filled(value, n)))


def array_new_fixed(inst: ModuleInst, type: int, values: Iterable[int]) -> int:
    """array.new_fixed."""
    made = layout(inst, type)
    return inst.store.heap.add(Object(made, made.array(values)))


def array_new_data(inst: ModuleInst, type: int, data: int, s: int, n: int) -> int:
    """array.new_data: `n` elements from the bytes at `s` of a data segment. Raises Trap."""
    made = layout(inst, type)
    return inst.store.heap.add(Object(made, made.from_bytes(_data(inst, data, s, n * made.width))))


def array_new_elem(inst: ModuleInst, type: int, elem: int, s: int, n: int) -> int:
    """array.new_elem: `n` references at `s` of an element segment. Raises Trap."""
    return array_new_fixed(inst, type, _elems(inst, elem, s, n))


def check_data(inst: ModuleInst, type: int, data: int, s: int, n: int) -> None:
    """Raises Trap unless a data segment has `n` elements of an array at `s`."""
    if s + payload_bytes(inst, type, n) > len(inst.datas[data].data):
        raise memory_bounds()


def check_elem(inst: ModuleInst, elem: int, s: int, n: int) -> None:
    """Raises Trap unless an element segment has `n` references at `s`."""
    if s + n > len(inst.elems[elem].refs):
        raise table_bounds()


def _data(inst: ModuleInst, data: int, s: int, nbytes: int) -> bytes | memoryview:
    source = inst.datas[data].data
    if s + nbytes > len(source):
        raise memory_bounds()
    return source[s : s + nbytes]


def _elems(inst: ModuleInst, elem: int, s: int, n: int) -> Sequence[int]:
    check_elem(inst, elem, s, n)
    return inst.elems[elem].refs[s : s + n]


# -- using ----------------------------------------------------------------------------------------------------------


def _structs(store: Store, ref: int) -> Objects:
    if ref == 0:
        raise Trap(TRAPS["null_structure"])
    return store.heap.objects


def _arrays(store: Store, ref: int) -> Objects:
    if ref == 0:
        raise Trap(TRAPS["null_array"])
    return store.heap.objects


def _range(objects: Objects, ref: int, start: int, n: int) -> None:
    if start + n > objects.length(ref):
        raise Trap(TRAPS["array_bounds"])


def _array_layout(objects: Objects, ref: int) -> Layout:
    found = objects.kind(ref)
    if not isinstance(found, Layout):
        raise stale(ref)
    return found


def struct_get(store: Store, ref: int, place: int) -> int:
    """struct.get: the raw bits of a field, a packed one unsigned. Raises Trap."""
    return _structs(store, ref).get(ref, place)


def struct_set(store: Store, ref: int, place: int, value: int) -> None:
    """struct.set. Raises Trap."""
    _structs(store, ref).set(ref, place, value)


def extend(field: FieldType, bits: int) -> int:
    """A packed value as an i32 with its sign."""
    width = field.storage.bits
    return bits | (0xFFFFFFFF << width & 0xFFFFFFFF) if bits >> (width - 1) else bits


def array_get(store: Store, ref: int, index: int) -> int:
    """array.get: the raw bits of an element, a packed one unsigned. Raises Trap."""
    objects = _arrays(store, ref)
    _range(objects, ref, index, 1)
    return objects.get(ref, index)


def array_set(store: Store, ref: int, index: int, value: int) -> None:
    """array.set. Raises Trap."""
    objects = _arrays(store, ref)
    _range(objects, ref, index, 1)
    objects.set(ref, index, value)


def array_len(store: Store, ref: int) -> int:
    """array.len. Raises Trap."""
    return _arrays(store, ref).length(ref)


def array_fill(store: Store, ref: int, d: int, value: int, n: int) -> Rest | None:
    """array.fill. Raises Trap."""
    objects = _arrays(store, ref)
    _range(objects, ref, d, n)
    found = _array_layout(objects, ref)

    def act(a: int, b: int) -> None:
        objects.put(ref, d + a, found.filled(value, b - a))

    return in_stretches(n, found.width, act, heap=store.heap, held=(ref, value))


def array_copy(store: Store, ref: int, d: int, source: int, s: int, n: int) -> Rest | None:
    """array.copy; overlapping ranges copy as if through a buffer. Raises Trap."""
    objects, _ = _arrays(store, ref), _arrays(store, source)
    _range(objects, ref, d, n)
    _range(objects, source, s, n)

    def act(a: int, b: int) -> None:
        objects.put(ref, d + a, objects.part(source, s + a, b - a))

    width = _array_layout(objects, ref).width
    return in_stretches(n, width, act, down=ref == source and d > s, heap=store.heap, held=(ref, source))


def array_init_data(inst: ModuleInst, data: int, ref: int, d: int, s: int, n: int) -> Rest | None:
    """array.init_data: `n` elements from the bytes at `s` of a data segment. Raises Trap."""
    objects = _arrays(inst.store, ref)
    _range(objects, ref, d, n)
    found = _array_layout(objects, ref)
    width = found.width
    contents = _data(inst, data, s, n * width)

    def act(a: int, b: int) -> None:
        objects.put(ref, d + a, found.from_bytes(contents[a * width : b * width]))

    return in_stretches(n, width, act, heap=inst.store.heap, held=(ref,))


def array_init_elem(inst: ModuleInst, elem: int, ref: int, d: int, s: int, n: int) -> Rest | None:
    """array.init_elem: `n` references at `s` of an element segment. Raises Trap."""
    objects = _arrays(inst.store, ref)
    _range(objects, ref, d, n)
    found = _array_layout(objects, ref)
    refs = _elems(inst, elem, s, n)

    def act(a: int, b: int) -> None:
        objects.put(ref, d + a, found.array(refs[a:b]))

    return in_stretches(n, found.width, act, heap=inst.store.heap, held=(ref, *refs))


# -- i31 ------------------------------------------------------------------------------------------------------------


def ref_i31(value: int) -> int:
    """ref.i31: the reference of the low 31 bits."""
    return I31 | (value & 0x7FFFFFFF)


def i31_get(ref: int, signed: bool) -> int:
    """i31.get_s and i31.get_u. Raises Trap."""
    if ref == 0:
        raise Trap(TRAPS["null_i31"])
    value = ref & 0x7FFFFFFF
    return value | 0x80000000 if signed and value >> 30 else value
