"""Module instances and how they are made (specification 4.2.5 and 4.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interp.syntax.errors import Crash, LinkError, UnsupportedError
from interp.syntax.module import Elem, Module
from interp.syntax.types import CompType, FuncType

from .bulk import table_init, whole
from .constexpr import evaluate
from .datas import DataSpace, write_datas
from .matching import closed_global, closed_ref, closed_table, describe, import_type, matches
from .memory import MemInst
from .store import Extern, FuncInst, HostFunc, Store
from .table import ElemInst, GlobalInst, TableInst, TagInst

if TYPE_CHECKING:
    from interp.valid.module import ValidModule

#: What runs a start function: the driver's `invoke`, which stands a floor above.
Invoke = Callable[[Store, FuncInst | HostFunc, Sequence[int]], Any]


class FuncSpace(Sequence[FuncInst | HostFunc]):
    """The functions of an instance by index, imports first."""

    def __init__(self, inst: ModuleInst) -> None:
        self._inst = inst

    def __len__(self) -> int:
        return len(self._inst.imported_addrs) + len(self._inst.module.funcs)

    def __getitem__(self, index: int) -> FuncInst | HostFunc:  # type: ignore[override]
        return self._inst.store.funcs[self._inst.func_addr(index)]

    def __iter__(self) -> Iterator[FuncInst | HostFunc]:
        return (self[index] for index in range(len(self)))


class ModuleInst:
    """A module in a store: its index spaces resolved to instances.

    `imported_addrs` are store addresses of the imported functions, and the own functions have consecutive addresses
    from `first_addr`. `types` are closed and `type_ids` their numbers (valid/canon.py). `native` is for the engine to
    keep what it likes.
    """

    def __init__(self, store: Store, valid: ValidModule) -> None:
        self.store = store
        self.valid = valid
        self.module: Module = valid.module
        self.types: tuple[CompType, ...] = tuple(definition.comp for definition in valid.definitions)
        self.type_ids = valid.type_ids
        self.imported_addrs: list[int] = []
        self.first_addr = 0
        self.funcs = FuncSpace(self)
        self.tables: list[TableInst] = []
        self.mems: list[MemInst] = []
        self.globals: list[GlobalInst] = []
        self.tags: list[TagInst] = []
        self.elems: list[ElemInst] = []
        self.datas = DataSpace(self.module.datas)
        self.exports: dict[str, Extern] = {}
        self.native: Any = None

    def func_addr(self, index: int) -> int:
        """The store address of a function by its index. Raises IndexError."""
        imported = len(self.imported_addrs)
        if 0 <= index < imported:
            return self.imported_addrs[index]
        if not 0 <= index - imported < len(self.module.funcs):
            raise IndexError(f"no function {index}")
        return self.first_addr + index - imported

    def make_func(self, addr: int) -> FuncInst:
        """The instance of an own function by its address. For `FuncList`, which keeps it."""
        own = addr - self.first_addr
        code = self.module.funcs[own]
        type = self.types[code.type_index]
        if not isinstance(type, FuncType):
            raise Crash("a valid module has a function without a function type")
        definition = self.valid.definitions[code.type_index]
        return FuncInst(addr, type, definition, self, len(self.imported_addrs) + own, code)

    def __repr__(self) -> str:
        return f"<ModuleInst of {len(self.funcs)} functions>"


def instantiate(
    store: Store, valid: ValidModule, imports: Sequence[Extern], invoke: Invoke, *, start: bool = True
) -> ModuleInst:
    """Instantiate with externs in the order of the module's imports: match, allocate, run segments, run start.

    Raises UnsupportedError (feature the engine lacks), LinkError, LimitError, ResourceError, and what segments and the
    start function raise: Trap, Exhaustion, FuelExhausted, or the exception of a host function. EmbedderError for an
    import of another store. What was allocated before a trap stays in the store (4.5.4).
    """
    lacking = sorted(feature.value for feature in valid.features - store.engine.features)
    if lacking:
        raise UnsupportedError(
            f"the {store.engine.name} engine does not run the feature {lacking[0]}, which the module needs",
            feature=lacking[0],
        )
    inst = ModuleInst(store, valid)
    _import(inst, imports)
    _allocate(inst)
    store.instances.append(inst)
    store.engine.link(inst)
    _run_segments(inst)
    if start and inst.module.start is not None:
        invoke(store, inst.funcs[inst.module.start], ())
    return inst


def _import(inst: ModuleInst, imports: Sequence[Extern]) -> None:
    wanted = inst.module.imports
    if len(imports) != len(wanted):
        raise LinkError(f"unknown import: {len(wanted)} are needed, {len(imports)} given")
    for want, given in zip(wanted, imports, strict=True):
        type = import_type(inst.valid, want)
        inst.store.check(given)
        if not matches(given, want.kind, type):
            raise LinkError(
                f"incompatible import type for {want.module}.{want.name}: needed {describe(type)}, "
                f"given {describe(given.extern_type)}"
            )
        match given:
            case FuncInst() | HostFunc():
                inst.imported_addrs.append(given.addr)
            case TableInst():
                inst.tables.append(given)
            case MemInst():
                inst.mems.append(given)
            case GlobalInst():
                inst.globals.append(given)
            case TagInst():
                inst.tags.append(given)


def _allocate(inst: ModuleInst) -> None:
    store, module = inst.store, inst.module
    inst.first_addr = store.funcs.add_instance(inst, len(module.funcs))
    for tag in module.tags:
        inst.tags.append(store.tag(inst.valid.definitions[tag.type_index]))
    inst.mems += [store.memory(type) for type in module.mems]
    for g in module.globals:
        inst.globals.append(store.global_(closed_global(inst.valid, g.type), evaluate(inst, g.init)))
    for t in module.tables:
        inst.tables.append(store.table(closed_table(inst.valid, t.type), evaluate(inst, t.init) if t.init else 0))
    inst.elems = [ElemInst(closed_ref(inst.valid, elem.ref), _elem_refs(inst, elem)) for elem in module.elems]
    inst.exports = export_names(inst)


def export_names(inst: ModuleInst) -> dict[str, Extern]:
    """The exports of an instance whose index spaces are filled."""
    spaces: Mapping[str, Sequence[Extern]] = {
        "func": inst.funcs,
        "table": inst.tables,
        "memory": inst.mems,
        "global": inst.globals,
        "tag": inst.tags,
    }
    return {export.name: spaces[export.kind][export.index] for export in inst.module.exports}


def _elem_refs(inst: ModuleInst, elem: Elem) -> Sequence[int]:
    if elem.mode == "declarative":
        return ()
    items: Sequence[Any] = elem.items
    if not elem.funcs:
        return [evaluate(inst, item) for item in items]
    imported = inst.imported_addrs
    k, shift = len(imported), inst.first_addr - len(imported) + 1
    return [i + shift if i >= k else imported[i] + 1 for i in items]


def _run_segments(inst: ModuleInst) -> None:
    for index, elem in enumerate(inst.module.elems):
        if elem.mode == "active":
            whole(table_init(inst, index, elem.table, evaluate(inst, elem.offset), 0, len(inst.elems[index].refs)))
            inst.elems[index].drop()
    write_datas(inst)


def resolve(valid: ValidModule, find: Callable[[str, str], Extern | None]) -> list[Extern]:
    """The imports of a module in order, found by their two names. Raises LinkError "unknown import"."""
    found: list[Extern] = []
    for want in valid.module.imports:
        extern = find(want.module, want.name)
        if extern is None:
            raise LinkError(f"unknown import {want.module}.{want.name}")
        found.append(extern)
    return found
