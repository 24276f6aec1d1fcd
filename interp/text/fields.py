"""Module fields (specification 6.6) with their abbreviations: inline imports, exports, elements and data."""

from __future__ import annotations

from collections.abc import Callable

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.module import Data, Elem, Export, Expr, Func, Global, Import, ImportDesc, Table
from interp.syntax.names import Names
from interp.syntax.types import (
    FUNCREF,
    IndexType,
    Limits,
    MemType,
    RefType,
    TableType,
    TagType,
    ValType,
)

from .context import Parser
from .hints import read_hints
from .instructions import expression, folded_expression, sequence
from .types import (
    at_ref_type,
    global_type,
    index_type,
    limits,
    mem_type,
    page_size,
    ref_type,
    table_type,
    type_use,
    val_type,
)

_FUNC_REF, _END = BY_NAME["ref.func"], BY_NAME["end"]
_CONST: dict[IndexType, Ins] = {"i32": Ins(BY_NAME["i32.const"], (0,)), "i64": Ins(BY_NAME["i64.const"], (0,))}
KINDS = frozenset(("func", "table", "memory", "global", "tag"))


class Fields:
    """What was read of a module so far. Imports must come before any definition."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.funcs: list[Func] = []
        self.tables: list[Table] = []
        self.mems: list[MemType] = []
        self.tags: list[TagType] = []
        self.globals: list[Global] = []
        self.exports: list[Export] = []
        self.start: int | None = None
        self.elems: list[Elem] = []
        self.datas: list[Data] = []
        self.imported = dict.fromkeys(KINDS, 0)
        self.module_name: str | None = None
        self.func_names: dict[int, str] = {}
        self.local_names: dict[int, dict[int, str]] = {}
        self.branch_hints: dict[int, dict[int, bool]] = {}

    def names(self) -> Names:
        """The names that go into the name section."""
        return Names(self.module_name, self.func_names, self.local_names)

    def add_import(self, p: Parser, module: str, name: str, kind: str, desc: ImportDesc, at: int) -> None:
        """Append an import."""
        defined = (
            ("function", self.funcs),
            ("table", self.tables),
            ("memory", self.mems),
            ("global", self.globals),
            ("tag", self.tags),
        )
        for what, definitions in defined:
            if definitions:
                p.fail(f"import after {what} definition", at)
        self.imports.append(Import(module, name, kind, desc))
        self.imported[kind] += 1

    def next_index(self, kind: str) -> int:
        """The index that the next import or definition of a kind has."""
        own = {"func": self.funcs, "table": self.tables, "memory": self.mems, "global": self.globals, "tag": self.tags}
        return self.imported[kind] + len(own[kind])  # type: ignore[arg-type]


def _head(p: Parser, f: Fields, kind: str) -> tuple[str | None, int, tuple[str, str] | None]:
    """Identifier, inline exports and inline import of a definition: the name, its index, the import's two names."""
    name = p.ident()
    if kind == "func":
        name = p.annotated(name)
    index = f.next_index(kind)
    while p.try_open("export"):
        f.exports.append(Export(p.name(), kind, index))
        p.close()
    if not p.try_open("import"):
        return name, index, None
    names = p.name(), p.name()
    p.close()
    return name, index, names


def _import_desc(p: Parser, f: Fields, kind: str, index: int) -> ImportDesc:
    if kind == "func":
        p.shown = {}
        type_index, names = type_use(p, named=True)
        _keep_locals(p, f, index, names)
        return type_index
    if kind == "table":
        return table_type(p)
    if kind == "memory":
        return mem_type(p)
    if kind == "global":
        return global_type(p)
    return TagType(type_use(p, named=True)[0])


def _keep_locals(p: Parser, f: Fields, index: int, names: list[str | None]) -> None:
    known = {local: name for local, name in enumerate(names) if name is not None} | p.shown
    if known:
        f.local_names[index] = known


def _inline_import(p: Parser, f: Fields, kind: str, names: tuple[str, str], index: int, at: int) -> None:
    desc = _import_desc(p, f, kind, index)
    p.close()
    f.add_import(p, *names, kind, desc, at)


def import_field(p: Parser, f: Fields) -> None:
    """`(import "module" "name" (kind id? type))`."""
    at = p.i - 1
    module, name = p.name(), p.name()
    if p.toks[p.i] != "(" or p.toks[p.i + 1] not in KINDS:
        p.fail(index=p.i + (p.toks[p.i] == "("))
    kind = p.toks[p.i + 1]
    p.i += 2
    ident = p.ident()
    index = f.next_index(kind)
    if kind == "func":
        ident = p.annotated(ident)
        if ident is not None:
            f.func_names[index] = ident
    desc = _import_desc(p, f, kind, index)
    p.close()
    p.close()
    f.add_import(p, module, name, kind, desc, at)


def func_field(p: Parser, f: Fields) -> None:
    """`(func id? exports import? typeuse locals instructions)`."""
    at = p.i - 1
    name, index, imported = _head(p, f, "func")
    if name is not None:
        f.func_names[index] = name
    if imported is not None:
        _inline_import(p, f, "func", imported, index, at)
        return
    p.shown = {}
    type_index, names = type_use(p, named=True)
    p.locals = {}
    for local, param in enumerate(names):
        _bind_local(p, param, local, at)
    types: list[ValType] = []
    while p.try_open("local"):
        if p.toks[p.i][:1] == "$":
            here = p.i
            name = p.ident()
            _bind_local(p, name, len(names), here)
            p.show(name, len(names))
            names.append(name)
            types.append(val_type(p))
            p.close()
        else:
            while not p.try_close():
                types.append(val_type(p))
                names.append(None)
    _keep_locals(p, f, index, names)
    p.labels, p.label_levels = [None], {}
    body = sequence(p)
    body.append(Ins(_END, (), p.source.starts[p.i]))
    p.close()
    f.funcs.append(Func(type_index, _contents=(tuple(types), tuple(body))))
    if p.hinted and (hints := read_hints(p, at, body)):
        f.branch_hints[index] = hints


def _bind_local(p: Parser, name: str | None, index: int, at: int) -> None:
    if name is not None:
        if name in p.locals:
            p.fail(f"duplicate local {name}", at)
        p.locals[name] = index


def _constant(p: Parser) -> Expr:
    p.locals, p.labels, p.label_levels = {}, [None], {}
    return expression(p)


def _folded_constant(p: Parser) -> Expr:
    p.locals, p.labels, p.label_levels = {}, [None], {}
    return folded_expression(p)


def table_field(p: Parser, f: Fields) -> None:
    """`(table id? exports import? tabletype init?)`, or with inline elements `(table ... reftype (elem ...))`."""
    at = p.i - 1
    _, index, imported = _head(p, f, "table")
    if imported is not None:
        _inline_import(p, f, "table", imported, index, at)
        return
    address = index_type(p)
    if not at_ref_type(p):
        size = limits(p, address)
        type = TableType(ref_type(p), size)
        init = None if p.toks[p.i] == ")" else _constant(p)
        p.close()
        f.tables.append(Table(type, init))
        return
    ref = ref_type(p)
    p.open("elem")
    offset = (_CONST[address], Ins(_END))
    if p.toks[p.i] == "(":
        exprs = _elem_exprs(p)
        elem = Elem(ref, "active", False, exprs, index, offset)
    else:
        elem = Elem(ref, "active", True, _func_indices(p), index, offset)
        if ref != FUNCREF:
            items = tuple((Ins(_FUNC_REF, (func,)), Ins(_END)) for func in _ints(elem))
            elem = Elem(ref, "active", False, items, index, offset)
    p.close()
    p.close()
    size = Limits(len(elem.items), len(elem.items), address)
    f.tables.append(Table(TableType(ref, size)))
    f.elems.append(elem)


def _ints(elem: Elem) -> list[int]:
    return [item for item in elem.items if isinstance(item, int)]


def _func_indices(p: Parser) -> tuple[int, ...]:
    """Function indices up to a `)`, which is not passed."""
    indices = []
    while p.toks[p.i] != ")":
        indices.append(p.index("func"))
    return tuple(indices)


def _elem_exprs(p: Parser) -> tuple[Expr, ...]:
    """Element expressions up to a `)`, which is not passed: `(item ...)` or one folded instruction each."""
    exprs = []
    while p.toks[p.i] != ")":
        if p.try_open("item"):
            exprs.append(_constant(p))
            p.close()
        elif p.toks[p.i] == "(":
            exprs.append(_folded_constant(p))
        else:
            p.fail()
    return tuple(exprs)


def _offset(p: Parser) -> Expr:
    """`(offset ...)` or one folded instruction."""
    if p.try_open("offset"):
        offset = _constant(p)
        p.close()
        return offset
    if p.toks[p.i] != "(":
        p.fail()
    return _folded_constant(p)


def elem_field(p: Parser, f: Fields) -> None:
    """`(elem id? declare? table? offset? list)`."""
    at = p.source.starts[p.i - 1]
    p.ident()
    mode, table, offset = "passive", 0, ()
    explicit_table = False
    expr: Expr = offset
    if p.try_word("declare"):
        mode = "declarative"
    elif p.toks[p.i] == "(" and not at_ref_type(p):
        mode = "active"
        if p.try_open("table"):
            explicit_table = True
            table = p.index("table")
            p.close()
        expr = _offset(p)
    elif p.at_index():  # the table's index alone, as in the drafts of version 1.0
        mode, explicit_table, table = "active", False, p.index("table")
        expr = _offset(p)
    if p.try_word("func") or (mode == "active" and not explicit_table and not at_ref_type(p)):
        elem = Elem(FUNCREF, mode, True, _func_indices(p), table, expr, at)
    else:
        ref: RefType = ref_type(p)
        elem = Elem(ref, mode, False, _elem_exprs(p), table, expr, at)
    p.close()
    f.elems.append(elem)


def memory_field(p: Parser, f: Fields) -> None:
    """`(memory id? exports import? memtype)`, or with inline data `(memory ... (data string*))`."""
    at = p.i - 1
    _, index, imported = _head(p, f, "memory")
    if imported is not None:
        _inline_import(p, f, "memory", imported, index, at)
        return
    here = p.i
    address = index_type(p)
    page = page_size(p)
    if p.try_open("data"):
        data = _strings(p)
        p.close()
        size = len(data) + (1 << page) - 1 >> page
        f.mems.append(MemType(Limits(size, size, address), page))
        f.datas.append(Data("active", data, index, (_CONST[address], Ins(_END))))
    else:
        p.i = here
        f.mems.append(mem_type(p))
    p.close()


def _strings(p: Parser) -> bytes:
    """Strings up to a `)`, which is not passed, joined."""
    parts = []
    while p.toks[p.i] != ")":
        parts.append(p.string())
    return b"".join(parts)


def data_field(p: Parser, f: Fields) -> None:
    """`(data id? memory? offset? string*)`."""
    at = p.source.starts[p.i - 1]
    p.ident()
    mode, mem = "passive", 0
    offset: Expr = ()
    if p.at_index():  # the memory's index alone, as in the drafts of version 1.0
        mem = p.index("memory")
        mode, offset = "active", _offset(p)
    elif p.toks[p.i] == "(":
        if p.try_open("memory"):
            mem = p.index("memory")
            p.close()
        mode, offset = "active", _offset(p)
    init = _strings(p)
    p.close()
    f.datas.append(Data(mode, init, mem, offset, at))


def global_field(p: Parser, f: Fields) -> None:
    """`(global id? exports import? globaltype init)`."""
    at = p.i - 1
    _, index, imported = _head(p, f, "global")
    if imported is not None:
        _inline_import(p, f, "global", imported, index, at)
        return
    type = global_type(p)
    init = _constant(p)
    p.close()
    f.globals.append(Global(type, init))


def tag_field(p: Parser, f: Fields) -> None:
    """`(tag id? exports import? typeuse)`."""
    at = p.i - 1
    _, index, imported = _head(p, f, "tag")
    if imported is not None:
        _inline_import(p, f, "tag", imported, index, at)
        return
    f.tags.append(TagType(type_use(p, named=True)[0]))
    p.close()


def export_field(p: Parser, f: Fields) -> None:
    """`(export "name" (kind index))`."""
    name = p.name()
    if p.toks[p.i] != "(" or p.toks[p.i + 1] not in KINDS:
        p.fail(index=p.i + (p.toks[p.i] == "("))
    kind = p.toks[p.i + 1]
    p.i += 2
    f.exports.append(Export(name, kind, p.index(kind)))
    p.close()
    p.close()


def start_field(p: Parser, f: Fields) -> None:
    """`(start func)`."""
    if f.start is not None:
        p.fail("multiple start sections", p.i - 1)
    f.start = p.index("func")
    p.close()


FIELDS: dict[str, Callable[[Parser, Fields], None]] = {
    "import": import_field,
    "func": func_field,
    "table": table_field,
    "memory": memory_field,
    "global": global_field,
    "tag": tag_field,
    "export": export_field,
    "start": start_field,
    "elem": elem_field,
    "data": data_field,
}
