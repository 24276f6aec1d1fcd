"""Modules (specification 2.5) as frozen data.

A module from bytes keeps them: function bodies are places in `binary`, read when asked for and never at load, since a
filter of 6 MB has a million instructions and a host looks at none of them. A module from text carries its bodies;
`binary` is then empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .instructions import Ins
from .types import (
    CompType,
    FuncType,
    GlobalType,
    MemType,
    RecType,
    RefType,
    SubType,
    TableType,
    TagType,
    ValType,
)

Expr = tuple[Ins, ...]
Locals = tuple[ValType, ...]




@dataclass(frozen=True)
class Func:
    """A function: type index, and a place in the module's bytes (the code entry without its size) or its contents."""

    type_index: int
    offset: int = -1
    length: int = 0
    _contents: tuple[Locals, Expr] | None = None
    _reader: Callable[[int, int], tuple[Locals, Expr]] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def contents(self) -> tuple[Locals, Expr]:
        """Declared locals (no parameters) and the body, a flat tuple that ends in `end`. Raises MalformedError."""
        if self._contents is not None:
            return self._contents
        if self._reader is None:
            raise TypeError("a function without contents needs a reader")
        return self._reader(self.offset, self.length)

    @property
    def locals(self) -> Locals:
        """Declared locals, parameters not included."""
        return self.contents[0]

    @property
    def body(self) -> Expr:
        """The instructions, `end` of the function included."""
        return self.contents[1]


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its initial element expression (None: null references)."""

    type: TableType
    init: Expr | None = None


@dataclass(frozen=True, slots=True)
class Global:
    """A global and its initial value."""

    type: GlobalType
    init: Expr


@dataclass(frozen=True, slots=True)
class Elem:
    """An element segment. `mode` is passive, active or declarative; `funcs` is the short form of a list of `ref.func`.

    `items` is a sequence of function indices when `funcs` is true, else of constant expressions.
    """

    ref: RefType
    mode: str
    funcs: bool
    items: Sequence[int] | Sequence[Expr]
    table: int = 0
    offset: Expr = ()
    at: int = -1


@dataclass(frozen=True, slots=True)
class Data:
    """A data segment; `mode` is passive or active. `init` may be a memoryview of the module's bytes."""

    mode: str
    init: bytes | memoryview
    mem: int = 0
    offset: Expr = ()
    at: int = -1


#: What is imported: a type index for a function, or a type.
ImportDesc = int | TableType | MemType | GlobalType | TagType


@dataclass(frozen=True, slots=True)
class Import:
    """Two names, the kind (func, table, memory, global, tag) and what is asked for."""

    module: str
    name: str
    kind: str
    desc: ImportDesc


@dataclass(frozen=True, slots=True)
class Export:
    """A name, the kind (func, table, memory, global, tag) and the index in that space."""

    name: str
    kind: str
    index: int


@dataclass(frozen=True, slots=True)
class Custom:
    """A custom section: name, contents, and the id of the section it stands after (0 at the beginning)."""

    name: str
    data: bytes | memoryview
    after: int = 0
    at: int = -1


@dataclass(frozen=True)
class Module:
    """A module. Index spaces count imports first; `funcs`, `tables`, ... hold only what the module defines itself."""

    rec_types: tuple[RecType, ...] = ()
    imports: tuple[Import, ...] = ()
    funcs: Sequence[Func] = ()
    tables: tuple[Table, ...] = ()
    mems: tuple[MemType, ...] = ()
    tags: tuple[TagType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elems: tuple[Elem, ...] = ()
    data_count: int | None = None
    datas: Sequence[Data] = ()
    customs: tuple[Custom, ...] = ()
    branch_hints: Mapping[int, Mapping[int, bool]] = field(default_factory=dict)  # of a text: function to instruction
    binary: bytes = field(default=b"", repr=False, compare=False)
    sections: tuple[tuple[int, int, int], ...] = ()  # (id, offset of contents, length), in order

    @cached_property
    def types(self) -> tuple[SubType, ...]:
        """All type definitions, recursion groups flattened: what type indices point into."""
        return tuple(sub for rec in self.rec_types for sub in rec.types)

    def comp(self, index: int) -> CompType:
        """The composite type behind a type index."""
        return self.types[index].comp

    def imported(self, kind: str) -> tuple[Import, ...]:
        """The imports of one kind, in order."""
        return tuple(i for i in self.imports if i.kind == kind)

    @cached_property
    def imported_funcs(self) -> int:
        """How many functions are imported: the index of the first own one."""
        return len(self.imported("func"))

    def func_type_index(self, index: int) -> int:
        """Type index of a function by its index in the whole space."""
        imported = self._func_imports
        return imported[index] if index < len(imported) else self.funcs[index - len(imported)].type_index

    @cached_property
    def _func_imports(self) -> tuple[int, ...]:
        return tuple(i.desc for i in self.imports if isinstance(i.desc, int))

    def func_type(self, index: int) -> FuncType:
        """Type of a function by its index in the whole space. Raises TypeError if the type is no function type."""
        comp = self.comp(self.func_type_index(index))
        if not isinstance(comp, FuncType):
            raise TypeError(f"type of function {index} is not a function type")
        return comp

    @cached_property
    def table_types(self) -> tuple[TableType, ...]:
        """Types of the whole table index space."""
        return tuple(i.desc for i in self.imports if isinstance(i.desc, TableType)) + tuple(t.type for t in self.tables)

    @cached_property
    def mem_types(self) -> tuple[MemType, ...]:
        """Types of the whole memory index space."""
        return tuple(i.desc for i in self.imports if isinstance(i.desc, MemType)) + self.mems

    @cached_property
    def global_types(self) -> tuple[GlobalType, ...]:
        """Types of the whole global index space."""
        imported = tuple(i.desc for i in self.imports if isinstance(i.desc, GlobalType))
        return imported + tuple(g.type for g in self.globals)

    @cached_property
    def tag_types(self) -> tuple[TagType, ...]:
        """Types of the whole tag index space."""
        return tuple(i.desc for i in self.imports if isinstance(i.desc, TagType)) + self.tags
