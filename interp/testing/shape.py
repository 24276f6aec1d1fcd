"""What a random module is made of besides its bodies: types, imports, tables, memories, globals, segments.

Everything is drawn from one `random.Random`, so a module is a function of its seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.module import Data, Elem, Export, Expr, Func, Global, Import, Module, Table
from interp.syntax.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    V128,
    CompType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    RecType,
    RefType,
    SubType,
    TableType,
    TagType,
    ValType,
)

from . import family

TYPES: tuple[ValType, ...] = (I32, I64, F32, F64, V128, FUNCREF, EXTERNREF)
#: How often each is taken.
WEIGHTS = (8, 4, 2, 3, 3, 1, 1)
#: Bits worth trying: ends of ranges, signs, powers of two, NaNs with payloads, infinities, denormals, big integers.
EDGES: dict[ValType, tuple[int, ...]] = {
    I32: (0, 1, 2, 3, 7, 31, 32, 33, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
    I64: (0, 1, 2, 63, 64, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
    F32: (0, 1 << 31, 0x3F800000, 0xBF800000, 0x3F000000, 0x40200000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FA00000,
          0xFFC12345, 1, 0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x5F000000),
    F64: (0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000, 0x3FE0000000000000, 0x7FF0000000000000,
          0xFFF0000000000000, 0x7FF8000000000000, 0x7FF4000000000000, 0xFFF8000000012345, 1, 0x41E0000000000000,
          0xC1E0000000200000, 0x43E0000000000000, 0x4330000000000000),
    V128: (0, (1 << 128) - 1, 0x0F0E0D0C0B0A09080706050403020100, 0x80007FFFFFFF0001 << 64 | 0x807FFF01FE020380,
           0x7FC00000FF800000BF80000040200000, 0x7FF4000000000000FFF0000000000000, 0x80000000 << 96 | 0x7FFFFFFF),
}  # fmt: skip
END = Ins(BY_NAME["end"])


@dataclass
class Shape:
    """A module in the making: index spaces with imports first, what call_indirect may hit, and the bodies so far."""

    rng: Random
    objects: bool = False  # whether the types of family.py stand at the front
    throws: bool = False
    types: list[CompType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    funcs: list[int] = field(default_factory=list)  # type indices of the whole space
    imported: int = 0
    tables: list[TableType] = field(default_factory=list)
    own_tables: int = 0
    mems: list[MemType] = field(default_factory=list)
    own_mems: int = 0
    globals: list[GlobalType] = field(default_factory=list)
    own_globals: list[Global] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)  # type indices
    own_tags: int = 0
    elems: list[Elem] = field(default_factory=list)
    datas: list[Data] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)  # functions of table 0 by index, as the segment left them
    bodies: list[Func] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)

    @property
    def family(self) -> int:
        """How many types are those that all modules share."""
        return len(family.COMPS) if self.objects else 0

    def type_index(self, type: FuncType) -> int:
        """The index of a function type of its own, added if it is new."""
        first = self.family
        if type not in self.types[first:]:
            self.types.append(type)
        return self.types.index(type, first)

    def signature(self, type_index: int) -> FuncType:
        """A function type by index."""
        type = self.types[type_index]
        if not isinstance(type, FuncType):
            raise TypeError(f"type {type_index} is no function type")
        return type

    def signatures(self) -> list[tuple[int, FuncType]]:
        """The function types with their indices."""
        return [(index, type) for index, type in enumerate(self.types) if isinstance(type, FuncType)]

    def func_type(self, index: int) -> FuncType:
        """The type of a function of the whole space."""
        return self.signature(self.funcs[index])

    def tag_types(self, tag: int) -> tuple[ValType, ...]:
        """What the exceptions of a tag carry."""
        return self.signature(self.tags[tag]).params

    def pick(self) -> ValType:
        """A value type."""
        return family.pick(self.rng) if self.objects else pick(self.rng)


def pick(rng: Random) -> ValType:
    """A value type."""
    return rng.choices(TYPES, WEIGHTS)[0]


def constant(rng: Random, type: ValType) -> int:
    """The bits of a constant of a number type."""
    if not isinstance(type, NumType):
        return 0
    if rng.random() < 0.5:
        return rng.choice(EDGES[type])
    if rng.random() < 0.5:
        return rng.randrange(64)
    return rng.getrandbits(type.bits)


def const(type: NumType, bits: int) -> Ins:
    """The instruction that pushes a constant."""
    return Ins(BY_NAME[f"{type.name}.const"], (bits,))


def func_type(s: Shape) -> FuncType:
    """A function type; several results are common."""
    rng = s.rng
    params = tuple(s.pick() for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 5))))
    results = tuple(s.pick() for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3))))
    return FuncType(params, results)


def make_shape(rng: Random, before: Module | None, objects: bool = False, throws: bool = False) -> Shape:
    """A module without bodies; `before` is one whose exports it may import under the module name `before`."""
    s = Shape(rng, objects, throws, list(family.COMPS) if objects else [])
    for _ in range(rng.randrange(3, 8)):
        s.type_index(func_type(s))
    s.type_index(FuncType())
    _imports(s, before)
    s.imported = len(s.funcs)
    if throws:
        _tags(s)
    kinds = [index for index, _ in s.signatures()]
    s.funcs += [rng.choice(kinds) for _ in range(rng.randrange(2, 6))]
    if objects:
        s.funcs += family.FUNCS
    if rng.random() < 0.5:
        s.funcs.append(s.type_index(FuncType()))
    _tables(s)
    if not s.mems and rng.random() < 0.9:
        s.mems.append(_memory(rng))
        s.own_mems = 1
    for _ in range(rng.randrange(1, 6)):
        _global(s)
    _segments(s)
    _exports(s)
    return s


def _tags(s: Shape) -> None:
    rng = s.rng
    for number in range(rng.choice((0, 0, 1))):
        s.tags.append(s.type_index(FuncType(func_type(s).params)))
        s.imports.append(Import("host", f"t{number}", "tag", TagType(s.tags[-1])))
    for _ in range(rng.choice((1, 2, 3))):
        s.tags.append(s.type_index(FuncType(func_type(s).params if rng.random() < 0.7 else ())))
        s.own_tags += 1


def _memory(rng: Random) -> MemType:
    """A memory, now and then a shared one or one with pages of a byte."""
    low = rng.choice((0, 1, 1, 1, 2))
    high = rng.choice((None, low, low + 1, low + 3))
    if rng.random() < 0.1:
        low = (low << 16) + rng.choice((-3, 0, 1, 5)) if low else rng.choice((0, 1, 9))
        return MemType(Limits(low, rng.choice((None, low, low + 1, low + 100_000))), 0)
    return MemType(Limits(low, high, shared=high is not None and rng.random() < 0.2))


def _imports(s: Shape, before: Module | None) -> None:
    rng = s.rng
    for number in range(rng.choice((0, 1, 2, 3))):
        type = s.type_index(func_type(s)) if rng.random() < 0.6 else rng.choice(s.signatures())[0]
        s.imports.append(Import("host", f"h{number}", "func", type))
        s.funcs.append(type)
    if rng.random() < 0.3:
        type_ = GlobalType(rng.choice((I32, I64, F32, F64, V128)), rng.random() < 0.5)
        s.imports.append(Import("host", "g", "global", type_))
        s.globals.append(type_)
    if before is None:
        return
    for export in before.exports:
        if rng.random() < 0.4:
            continue
        if export.kind == "func":
            index = before.func_type_index(export.index)
            if index >= s.family:
                index = s.type_index(before.func_type(export.index))
            s.imports.append(Import("before", export.name, "func", index))
            s.funcs.append(index)
        elif export.kind == "table":
            table = before.table_types[export.index]
            s.imports.append(Import("before", export.name, "table", table))
            s.tables.append(table)
        elif export.kind == "memory":
            mem = before.mem_types[export.index]
            s.imports.append(Import("before", export.name, "memory", mem))
            s.mems.append(mem)
        elif export.kind == "tag":
            s.tags.append(s.type_index(_params(before, export.index)))
            s.imports.append(Import("before", export.name, "tag", TagType(s.tags[-1])))
        else:
            kept = before.global_types[export.index]
            s.imports.append(Import("before", export.name, "global", kept))
            s.globals.append(kept)


def _params(module: Module, tag: int) -> FuncType:
    comp = module.comp(module.tag_types[tag].type_index)
    return FuncType(comp.params if isinstance(comp, FuncType) else ())


def _tables(s: Shape) -> None:
    rng = s.rng
    for _ in range(rng.choice((0, 1, 1, 2))):
        low = rng.randrange(0, 9)
        ref = FUNCREF if not s.tables or rng.random() < 0.6 else EXTERNREF
        if s.objects and s.tables and rng.random() < 0.7:
            ref = rng.choice((family.ANY, family.null(0), family.null(19)))
        s.tables.append(TableType(ref, Limits(low, rng.choice((None, low, low + 5)))))
        s.own_tables += 1


def _global(s: Shape) -> None:
    rng = s.rng
    type = s.pick()
    imported = len(s.globals) - len(s.own_globals)
    same = [i for i, g in enumerate(s.globals[:imported]) if g.type == type and not g.mutable]
    init: Expr
    if same and rng.random() < 0.3:
        init = (Ins(BY_NAME["global.get"], (rng.choice(same),)),)
    elif isinstance(type, NumType):
        init = (const(type, constant(rng, type)),)
    elif type == FUNCREF and rng.random() < 0.6:
        init = (Ins(BY_NAME["ref.func"], (rng.randrange(len(s.funcs)),)),)
    elif s.objects:
        init = family.constant(rng, type)
    else:
        init = (Ins(BY_NAME["ref.null"], (type.heap,)),)
    kind = GlobalType(type, rng.random() < 0.8)
    s.globals.append(kind)
    s.own_globals.append(Global(kind, (*init, END)))


def _offset(rng: Random, room: int) -> Expr:
    return (const(I32, rng.randrange(room + 1) if rng.random() < 0.97 else room + 1), END)


def _item(rng: Random, ref: RefType, funcs: int) -> Expr:
    if ref == FUNCREF and rng.random() < 0.8:
        return (Ins(BY_NAME["ref.func"], (rng.randrange(funcs),)), END)
    if ref not in (FUNCREF, EXTERNREF):
        return (*family.constant(rng, ref), END)
    return (Ins(BY_NAME["ref.null"], (ref.heap,)), END)


def _segments(s: Shape) -> None:
    rng = s.rng
    # Every function stands in a declarative segment, so that ref.func may name it.
    s.elems.append(Elem(FUNCREF, "declarative", True, list(range(len(s.funcs)))))
    if s.tables and s.tables[0].ref == FUNCREF and s.tables[0].limits.min:
        n = rng.randrange(s.tables[0].limits.min + 1)
        s.filled = [rng.randrange(len(s.funcs)) for _ in range(n)]
        s.elems.append(Elem(FUNCREF, "active", True, list(s.filled), 0, (const(I32, 0), END)))
    for _ in range(rng.choice((0, 1, 2))):
        ref = rng.choice((FUNCREF, FUNCREF, EXTERNREF))
        if s.objects and rng.random() < 0.6:
            ref = rng.choice((family.ANY, family.null(0), family.ref(0)))
        items = [_item(rng, ref, len(s.funcs)) for _ in range(rng.randrange(4))]
        fitting = [i for i, t in enumerate(s.tables) if t.ref == ref and t.limits.min > len(items)]
        if fitting and rng.random() < 0.3:
            table = rng.choice(fitting)
            room = s.tables[table].limits.min - len(items)
            s.elems.append(Elem(ref, "active", False, items, table, _offset(rng, room)))
        else:
            s.elems.append(Elem(ref, "passive", False, items))
    for _ in range(rng.choice((0, 1, 2))):
        init = rng.randbytes(rng.randrange(40))
        room = (s.mems[0].limits.min << s.mems[0].page_log2) - len(init) if s.mems else -1
        if room >= 0 and rng.random() < 0.6:
            s.datas.append(Data("active", init, 0, _offset(rng, room)))
        else:
            s.datas.append(Data("passive", init))


def _exports(s: Shape) -> None:
    spaces = (("func", len(s.funcs)), ("table", len(s.tables)), ("memory", len(s.mems)), ("global", len(s.globals)))
    for kind, count in (*spaces, ("tag", len(s.tags))):
        s.exports += [Export(f"{kind}{index}", kind, index) for index in range(count)]


def finish(s: Shape, start: int | None) -> Module:
    """The module."""
    return Module(
        rec_types=(*family.FAMILY[: s.family], *(RecType((SubType(type),)) for type in s.types[s.family :])),
        imports=tuple(s.imports),
        funcs=tuple(s.bodies),
        tables=tuple(Table(type) for type in s.tables[len(s.tables) - s.own_tables :]),
        mems=tuple(s.mems[len(s.mems) - s.own_mems :]),
        globals=tuple(s.own_globals),
        tags=tuple(TagType(index) for index in s.tags[len(s.tags) - s.own_tags :]),
        exports=tuple(s.exports),
        start=start,
        elems=tuple(s.elems),
        data_count=len(s.datas),
        datas=tuple(s.datas),
    )
