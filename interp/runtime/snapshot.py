"""Snapshots (engine contract 16): the state of a store at one time, from which fresh stores begin.

A fresh store has the same addresses, so that references to functions stay what they are; memories share their pages
until they write (memory.py); objects of the heap and external objects are given new references. What the store does
not own stays the embedder's business: host functions are bound anew by `rebind`, external objects are the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interp.syntax.errors import Crash, EmbedderError
from interp.syntax.types import RefType, ValType

from .instance import ModuleInst, export_names
from .memory import MemInst, MemoryImage
from .objects import I31, OBJECT, Exn, Object, holds_objects
from .store import HostCode, HostFunc, Store
from .table import ElemInst, TableInst

if TYPE_CHECKING:
    from interp.valid.module import ValidModule

#: What a host function of the source does in a fresh store: its raw code, and `HostFunc.numbers`.
Rebind = Callable[[HostFunc, Store], tuple[HostCode, Callable[..., Any] | None]]


def same(func: HostFunc, store: Store) -> tuple[HostCode, Callable[..., Any] | None]:
    """The `Rebind` that shares the callables."""
    return func.code, func.numbers


@dataclass(frozen=True, slots=True)
class _Instance:
    """What an instance is made of: places in the store's lists, and its segments' state."""

    valid: ValidModule
    imported_addrs: list[int]
    first_addr: int
    tables: list[int]
    mems: list[int]
    globals: list[int]
    tags: list[int]
    elems: list[tuple[RefType, Sequence[int]]]
    written: int
    dropped: list[int]


class Snapshot:
    """The state of a store. Raises EmbedderError for one with an activation that is not over."""

    def __init__(self, store: Store) -> None:
        if store.activations:
            raise EmbedderError("a snapshot is of a store with no activation live")
        self.limits = store.limits
        self.fuel, self.ticks = store.fuel, store.ticks
        self._hosts = list(store.funcs.hosts)
        self._memories = [(memory.type, MemoryImage(memory)) for memory in store.mems]
        self._tables = [(table.type, bytes(table.cells), table.length) for table in store.tables]
        self._globals = [(cell.type, cell.bits) for cell in store.globals]
        self._tags = [tag.definition for tag in store.tags]
        places = {
            id(extern): place
            for externs in (store.tables, store.mems, store.globals, store.tags)
            for place, extern in enumerate(externs)
        }
        self._instances = [_taken(inst, places) for inst in store.instances]
        self._claimed = store.claimed_bytes
        self._objects: dict[int, Object | Exn] = {}
        self._externs: dict[int, object] = {}
        self._collect(store, {id(tag): place for place, tag in enumerate(store.tags)})

    # -- references ----------------------------------------------------------------------------------------------

    def _collect(self, store: Store, tags: dict[int, int]) -> None:
        """Everything that references of the state lead to."""
        self._tag_places: dict[int, int] = {}
        pending = [bits for type, bits in self._globals if holds_objects(type.type)]
        for type, cells, length in self._tables:
            if holds_objects(type.ref):
                pending += memoryview(cells).cast("Q")[:length].tolist()
        for inst in self._instances:
            pending += [bits for type, refs in inst.elems if holds_objects(type) for bits in refs]
        while pending:
            bits = pending.pop()
            if not bits or bits & I31 or bits in self._objects:
                continue
            if not bits & OBJECT:
                self._externs[bits] = store.extern_value(bits)
                continue
            found = store.heap.find(bits)
            if found is None:
                raise Crash(f"the reference {bits:#x} of a global, table or object leads nowhere")
            if isinstance(found, Object):
                found = Object(found.layout, found.cells[:])
            else:
                self._tag_places[id(found.tag)] = tags[id(found.tag)]
            self._objects[bits] = found
            pending += found.refs()

    # -- a fresh store -------------------------------------------------------------------------------------------

    def restore(self, store: Store, rebind: Rebind = same) -> None:
        """Fill a fresh store. Its `instances` are in the order of the source's.

        Raises EmbedderError for a store that is not empty, LimitError and ResourceError, UnsupportedError for an
        engine that lacks a feature, and what `rebind` raises.
        """
        if len(store.funcs) or store.instances or store.mems or store.tables or store.globals or store.tags:
            raise EmbedderError("a snapshot is restored into a store in which there is nothing yet")
        for definition in self._tags:
            store.tag(definition)
        for type, image in self._memories:
            store.mems.append(MemInst(store, type, image))
        instances = self._functions(store, rebind)
        moved = _Moved(self._objects, self._externs, self._tag_places, store)
        for table_type, cells, length in self._tables:
            contents = bytearray(cells)
            if holds_objects(table_type.ref):
                view = memoryview(contents).cast("Q")
                for index in range(length):
                    view[index] = moved(view[index])
            store.tables.append(TableInst.restored(store, table_type, contents, length))
        for global_type, bits in self._globals:
            store.global_(global_type, moved(bits) if holds_objects(global_type.type) else bits)
        store.claimed_bytes = self._claimed
        store.heap.set_limit()
        for inst, taken in zip(instances, self._instances, strict=True):
            self._fill(store, inst, taken, moved)
        store.fuel, store.ticks = self.fuel, self.ticks

    def _functions(self, store: Store, rebind: Rebind) -> list[ModuleInst]:
        """Give every function its address, and the instances without contents."""
        instances = [ModuleInst(store, taken.valid) for taken in self._instances]
        owners: list[tuple[int, HostFunc | ModuleInst]] = [(host.addr, host) for host in self._hosts]
        for inst, taken in zip(instances, self._instances, strict=True):
            if inst.module.funcs:
                owners.append((taken.first_addr, inst))
            inst.first_addr = taken.first_addr
        for addr, owner in sorted(owners, key=lambda item: item[0]):
            if isinstance(owner, HostFunc):
                code, numbers = rebind(owner, store)
                made = store.typed_host_func(owner.definition, code, name=owner.name)
                made.numbers = numbers
                given = made.addr
            else:
                given = store.funcs.add_instance(owner, len(owner.module.funcs))
            if given != addr:
                raise Crash(f"a function of address {addr} was restored to {given}")
        return instances

    def _fill(self, store: Store, inst: ModuleInst, taken: _Instance, moved: _Moved) -> None:
        inst.imported_addrs = list(taken.imported_addrs)
        inst.tables = [store.tables[place] for place in taken.tables]
        inst.mems = [store.mems[place] for place in taken.mems]
        inst.globals = [store.globals[place] for place in taken.globals]
        inst.tags = [store.tags[place] for place in taken.tags]
        for type, refs in taken.elems:
            inst.elems.append(ElemInst(type, [moved(bits) for bits in refs] if holds_objects(type) else refs))
        inst.datas.restore(taken.written, taken.dropped)
        inst.exports = export_names(inst)
        store.instances.append(inst)
        store.engine.link(inst)


def _taken(inst: ModuleInst, places: dict[int, int]) -> _Instance:
    return _Instance(
        valid=inst.valid,
        imported_addrs=list(inst.imported_addrs),
        first_addr=inst.first_addr,
        tables=[places[id(table)] for table in inst.tables],
        mems=[places[id(memory)] for memory in inst.mems],
        globals=[places[id(cell)] for cell in inst.globals],
        tags=[places[id(tag)] for tag in inst.tags],
        elems=[(elem.type, elem.refs) for elem in inst.elems],
        written=inst.datas.written,
        dropped=inst.datas.dropped(),
    )


class _Moved:
    """References of the source as references of a fresh store, with the objects that they refer to."""

    def __init__(
        self, objects: dict[int, Object | Exn], externs: dict[int, object], tags: dict[int, int], store: Store
    ) -> None:
        self._new = {bits: store.extern_ref(value) for bits, value in externs.items()}
        heap = store.heap.objects
        later: list[tuple[Object, int]] = []
        # First every structure and array with null references, since they may refer to each other in circles; then
        # the exceptions, which are made whole and refer to earlier ones; then the references.
        for bits, found in objects.items():
            if isinstance(found, Object):
                layout = store.heap.layout(found.layout.definition)
                self._new[bits] = made = heap.add(Object(layout, layout.without_refs(found.cells)))
                later.append((found, made))
        waiting = [bits for bits, found in objects.items() if isinstance(found, Exn)]
        while waiting:
            bits = waiting[-1]
            found = objects[bits]
            if bits in self._new or not isinstance(found, Exn):
                waiting.pop()
            elif missing := [ref for ref in found.refs() if ref & OBJECT and not ref & I31 and ref not in self._new]:
                waiting += missing
            else:
                values = self._all(found.tag.type.params, found.values)
                self._new[bits] = heap.add(Exn(store.tags[tags[id(found.tag)]], values))
        for found, made in later:
            for place in found.layout.ref_places(len(found.cells)):
                heap.set(made, place, self(found.cells[place]))

    def _all(self, types: Sequence[ValType], values: Sequence[int]) -> list[int]:
        return [self(bits) if holds_objects(type) else bits for type, bits in zip(types, values, strict=True)]

    def __call__(self, bits: int) -> int:
        """The new reference for raw bits of a type in the hierarchies of any, extern and exn."""
        return bits if not bits or bits & I31 else self._new[bits]
