"""Types in the text format (specification 6.4), with the abbreviations for type uses."""

from __future__ import annotations

from interp.syntax.types import (
    HEAP_CODES,
    I8,
    I16,
    NUM_TYPES_BY_NAME,
    ArrayType,
    BlockType,
    CompType,
    FieldType,
    FuncType,
    GlobalType,
    HeapType,
    IndexType,
    Limits,
    MemType,
    RefType,
    StorageType,
    StructType,
    SubType,
    TableType,
    ValType,
)

from .context import Parser

_SHORT_REFS = {str(RefType(True, heap)): RefType(True, heap) for heap in HEAP_CODES}
#: Value types of one word.
VAL_TYPES: dict[str, ValType] = {**NUM_TYPES_BY_NAME, **_SHORT_REFS}
_NO_BLOCK = BlockType(None)
_VALUE_BLOCKS = {word: BlockType(type) for word, type in VAL_TYPES.items()}

#: Parameters and results of a type use, and the names of parameters.
Signature = tuple[FuncType, list[str | None]]


def heap_type(p: Parser) -> HeapType:
    """An abstract heap type or a type index."""
    token = p.toks[p.i]
    if token in HEAP_CODES:
        p.i += 1
        return token
    return p.type_index()


def at_ref_type(p: Parser) -> bool:
    """Whether a reference type is next."""
    return p.toks[p.i] in _SHORT_REFS or p.opens("ref")


def ref_type(p: Parser) -> RefType:
    """`funcref` and the like, or `(ref null? heaptype)`."""
    short = _SHORT_REFS.get(p.toks[p.i])
    if short is not None:
        p.i += 1
        return short
    p.open("ref")
    nullable = p.try_word("null")
    ref = RefType(nullable, heap_type(p))
    p.close()
    return ref


def val_type(p: Parser) -> ValType:
    """A number, vector or reference type."""
    known = VAL_TYPES.get(p.toks[p.i])
    if known is not None:
        p.i += 1
        return known
    return ref_type(p)


def val_types(p: Parser) -> list[ValType]:
    """Value types up to a `)`, which is passed."""
    types = []
    while not p.try_close():
        types.append(val_type(p))
    return types


def signature(p: Parser, named: bool) -> Signature:
    """`(param ...)* (result ...)*`; `named` says whether parameters may have names."""
    params: list[ValType] = []
    names: list[str | None] = []
    while p.try_open("param"):
        if p.toks[p.i][:1] == "$" and named:
            name = p.ident()
            p.show(name, len(names))
            names.append(name)
            params.append(val_type(p))
            p.close()
        else:
            params += val_types(p)
            names += [None] * (len(params) - len(names))
    results: list[ValType] = []
    while p.try_open("result"):
        results += val_types(p)
    return FuncType(tuple(params), tuple(results)), names


def type_use(p: Parser, named: bool = False) -> tuple[int, list[str | None]]:
    """`(type x)? (param ...)* (result ...)*`: the index of the type, appended if need be, and parameter names.

    Raises MalformedError when an inline signature differs from the type it stands beside.
    """
    if not p.try_open("type"):
        type, names = signature(p, named)
        return p.func_type_index(type), names
    at = p.i
    index = p.type_index()
    p.close()
    explicit = p.func_type(index)
    if not p.opens("param") and not p.opens("result"):
        return index, [None] * len(explicit.params) if explicit else []
    if index >= len(p.types):
        p.fail(f"unknown type {index}", at)
    type, names = signature(p, named)
    if type != explicit:
        if p.opens("param") or p.opens("type"):  # not a signature that differs, but parts of one in a wrong order
            p.fail(index=p.i + 1)
        p.fail("inline function type", at)
    return index, names


def block_type(p: Parser) -> BlockType:
    """The type of a block: nothing, one value type, or a type use."""
    toks, i = p.toks, p.i
    if toks[i] != "(":
        return _NO_BLOCK
    word = toks[i + 1]
    if word == "result" and toks[i + 3] == ")" and (toks[i + 4] != "(" or toks[i + 5] != "result"):
        short = _VALUE_BLOCKS.get(toks[i + 2])
        if short is not None:
            p.i = i + 4
            return short
    if word not in ("type", "param", "result"):
        return _NO_BLOCK
    if word == "type":
        return BlockType(type_use(p)[0])
    type, _ = signature(p, named=False)
    if type.params or len(type.results) > 1:
        return BlockType(p.func_type_index(type))
    return BlockType(type.results[0]) if type.results else _NO_BLOCK


def index_type(p: Parser) -> IndexType:
    """`i32` or `i64`, the former if neither is there."""
    if p.try_word("i64"):
        return "i64"
    p.try_word("i32")
    return "i32"


def limits(p: Parser, index: IndexType) -> Limits:
    """A minimum and perhaps a maximum."""
    low = p.nat(64)
    return Limits(low, p.try_nat(64), index)


def page_size(p: Parser) -> int:
    """`(pagesize n)?` as a power of two."""
    if not p.try_open("pagesize"):
        return 16
    at = p.i
    size = p.nat()
    if size == 0 or size & (size - 1):
        p.fail("invalid custom page size", at)
    p.close()
    return size.bit_length() - 1


def mem_type(p: Parser) -> MemType:
    """A memory type."""
    size = limits(p, index_type(p))
    if p.try_word("shared"):
        size = Limits(size.min, size.max, size.index, True)
    return MemType(size, page_size(p))


def table_type(p: Parser) -> TableType:
    """A table type."""
    size = limits(p, index_type(p))
    return TableType(ref_type(p), size)


def global_type(p: Parser) -> GlobalType:
    """A value type or `(mut ...)` around one."""
    if p.try_open("mut"):
        type = val_type(p)
        p.close()
        return GlobalType(type, True)
    return GlobalType(val_type(p), False)


def _storage_type(p: Parser) -> StorageType:
    if p.try_word("i8"):
        return I8
    if p.try_word("i16"):
        return I16
    return val_type(p)


def _field_type(p: Parser) -> FieldType:
    if p.try_open("mut"):
        field = FieldType(_storage_type(p), True)
        p.close()
        return field
    return FieldType(_storage_type(p), False)


def _struct_type(p: Parser) -> tuple[StructType, dict[str, int]]:
    fields: list[FieldType] = []
    names: dict[str, int] = {}
    while p.try_open("field"):
        at = p.i
        name = p.ident()
        if name is None:
            while not p.try_close():
                fields.append(_field_type(p))
            continue
        if name in names:
            p.fail(f"duplicate field {name}", at)
        names[name] = len(fields)
        fields.append(_field_type(p))
        p.close()
    return StructType(tuple(fields)), names


def _comp_type(p: Parser) -> tuple[CompType, dict[str, int]]:
    names: dict[str, int] = {}
    comp: CompType
    if p.try_open("func"):
        comp = signature(p, named=True)[0]
    elif p.try_open("struct"):
        comp, names = _struct_type(p)
    else:
        p.open("array")
        comp = ArrayType(_field_type(p))
    p.close()
    return comp, names


def sub_type(p: Parser, index: int) -> SubType:
    """A composite type, perhaps within `(sub final? supertype* ...)`; names of its fields are kept under `index`."""
    if not p.try_open("sub"):
        comp, names = _comp_type(p)
        p.bind_fields(index, names, comp)
        return SubType(comp)
    final = p.try_word("final")
    supers = []
    while p.toks[p.i] != "(":
        supers.append(p.type_index())
    comp, names = _comp_type(p)
    p.close()
    p.bind_fields(index, names, comp)
    return SubType(comp, final, tuple(supers))
