"""Modules in the text format (specification 6.6): `parse`.

Names may be used before they are bound, so a module is gone through three times: the first pass over the fields binds
names and counts, the second reads type definitions, the third reads everything else in the order of the text, which is
the order that types written inline are appended in.
"""

from __future__ import annotations

from interp.syntax.errors import MalformedError, Where
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Custom, Module
from interp.syntax.names import encode_names
from interp.syntax.types import SubType

from .context import SPACES, Parser
from .cursor import Cursor
from .fields import FIELDS, Fields
from .hints import check_hints
from .lexer import Annotation, Source, is_string, string_bytes
from .types import sub_type

#: Sections in the order of the binary format: word and id.
SECTIONS = {
    "first": 0,
    "type": 1,
    "import": 2,
    "func": 3,
    "table": 4,
    "memory": 5,
    "tag": 13,
    "global": 6,
    "export": 7,
    "start": 8,
    "elem": 9,
    "datacount": 12,
    "code": 10,
    "data": 11,
}
_LAST = SECTIONS["data"]
#: Words behind which a name may stand.
_NAMEABLE = frozenset(("module", "type", "field", "local", "param", "block", "loop", "if", "try", "try_table", *SPACES))


def parse(text: str | bytes, *, limits: VmLimits | None = None) -> Module:
    """The module that a text is: `(module ...)`, or its fields alone.

    Names of the module, of functions and of locals become a name section. Which features a module uses does not matter
    here. Raises MalformedError with line and column, LimitError.
    """
    cursor = Cursor(Source(text, limits or DEFAULT_LIMITS), 0, limits or DEFAULT_LIMITS)
    module = parse_module(cursor) if cursor.opens("module") else parse_fields(cursor, None)
    if cursor.toks[cursor.i] != "":
        cursor.fail()
    return module


def parse_module(cursor: Cursor) -> Module:
    """Pass `(module id? fields)`."""
    cursor.open("module")
    name = cursor.ident()
    module = parse_fields(cursor, name)
    cursor.close()
    return module


def parse_fields(cursor: Cursor, name: str | None) -> Module:
    """Pass module fields up to a `)` that they do not open, or to the end."""
    p = Parser(cursor)
    f = Fields()
    f.module_name = p.annotated(name)
    start = p.i
    type_fields = _bind_names(p)
    end = p.i
    for index in type_fields:
        p.i = index
        _type_field(p)
    p.i = start
    customs: list[Custom] = []
    annotations = p.source.annotations
    places = set()
    while p.i < end:
        if annotations and p.i in annotations:
            customs += _customs(p, annotations[p.i])
            places.add(p.i)
        if p.toks[p.i] != "(":
            p.fail()
        read = FIELDS.get(p.toks[p.i + 1])
        if read is not None:
            p.i += 2
            read(p, f)
        elif p.toks[p.i + 1] in ("type", "rec"):
            p.skip_form()
        else:
            p.fail(index=p.i + 1)
    if annotations:
        customs += _customs(p, annotations.get(p.i, []))
        _check_annotations(p, range(start, p.i + 1), places | {p.i})
        check_hints(p, start, p.i)
    cursor.i = p.i
    names = f.names()
    if names:
        customs.append(Custom("name", encode_names(names), after=_LAST))
    return Module(
        rec_types=tuple(p.rec_types),
        imports=tuple(f.imports),
        funcs=tuple(f.funcs),
        tables=tuple(f.tables),
        mems=tuple(f.mems),
        tags=tuple(f.tags),
        globals=tuple(f.globals),
        exports=tuple(f.exports),
        start=f.start,
        elems=tuple(f.elems),
        data_count=len(f.datas) if p.uses_data else None,
        datas=tuple(f.datas),
        customs=tuple(customs),
        branch_hints=f.branch_hints,
    )


def _check_annotations(p: Parser, inside: range, fields: set[int]) -> None:
    """Refuse names where nothing has one, and custom sections that are not between fields."""
    for index, found in p.source.annotations.items():
        if index not in inside:
            continue
        customs = [annotation for annotation in found if annotation.name == "custom"]
        if customs and index not in fields:
            raise MalformedError("misplaced @custom annotation", p.source.place(customs[0].at))
        names = [annotation for annotation in found if annotation.name == "name"]
        if names:
            before = p.toks[index - 1] if p.toks[index - 1][:1] != "$" else p.toks[index - 2]
            if before not in _NAMEABLE:
                raise MalformedError("misplaced @name annotation", p.source.place(names[0].at))
            if len(names) > 1:
                raise MalformedError(f"@name annotation: multiple {before}", p.source.place(names[1].at))


def _bind_names(p: Parser) -> list[int]:
    """Go over the fields, bind their names, and find the type definitions; then the next token is behind the fields."""
    toks = p.toks
    type_fields = []
    types = 0
    while toks[p.i] == "(":
        start = p.i
        word = toks[start + 1]
        if word == "import":
            # (import "module" "name" (kind name?
            if toks[start + 5] in SPACES:
                p.i = start + 6
                p.bind(toks[start + 5], p.ident(), start + 6)
        elif word in SPACES:
            p.i = start + 2
            p.bind(word, p.ident(), start + 2)
        elif word == "type" or word == "rec":
            type_fields.append(start)
            types = _bind_types(p, start, types)
        p.i = start
        p.skip_form()
        if word in ("table", "memory"):
            inline = "elem" if word == "table" else "data"
            if any(toks[i] == inline and toks[i - 1] == "(" for i in range(start, p.i)):
                p.counts[inline] += 1
    return type_fields


def _bind_types(p: Parser, start: int, count: int) -> int:
    """Bind the names of a type definition or a recursion group; how many types there are then."""
    p.i = start
    group = p.toks[start + 1] == "rec"
    p.i += 2 if group else 0
    while p.try_open("type"):
        here = p.i
        name = p.ident()
        if name is not None:
            if name in p.type_names:
                p.fail(f"duplicate type {name}", here)
            p.type_names[name] = count
        count += 1
        p.i = here - 2
        p.skip_form()
        if not group:
            break
    return count


def _type_field(p: Parser) -> None:
    if not p.try_open("rec"):
        p.define([_type(p, 0)])
        return
    group: list[SubType] = []
    while not p.try_close():
        group.append(_type(p, len(group)))
    p.define(group)


def _type(p: Parser, position: int) -> SubType:
    p.open("type")
    p.ident()
    sub = sub_type(p, len(p.types) + position)
    p.close()
    return sub


def _customs(p: Parser, annotations: list[Annotation]) -> list[Custom]:
    return [_custom(p, annotation) for annotation in annotations if annotation.name == "custom"]


def _custom_error(message: str, where: Where) -> MalformedError:
    return MalformedError(f"@custom annotation: {message}", where)


def _custom(p: Parser, annotation: Annotation) -> Custom:
    """`(@custom "name" (before|after section)? string*)`."""
    tokens = [*annotation.tokens, "", ""]
    source = p.source
    where = source.place(annotation.at)
    if not is_string(tokens[0]):
        raise _custom_error("missing section name", where)
    try:
        name = string_bytes(tokens.pop(0)).decode()
    except ValueError:
        raise _custom_error("malformed UTF-8 encoding", where) from None
    after = _LAST
    if tokens[:1] == ["("]:
        order = [*SECTIONS, "last"]
        if tokens[1] not in ("before", "after"):
            raise _custom_error("malformed placement", where)
        if tokens[2] not in order:
            raise _custom_error("malformed section kind", where)
        if tokens[3] != ")":
            raise _custom_error("unexpected token", where)
        place = min(order.index(tokens[2]), len(SECTIONS) - (tokens[1] == "after"))
        after = SECTIONS[order[place if tokens[1] == "after" else max(place - 1, 0)]]
        del tokens[:4]
    if not all(is_string(token) for token in tokens[:-2]):
        raise _custom_error("unexpected token", where)
    try:
        data = b"".join(string_bytes(token) for token in tokens[:-2])
    except ValueError:
        raise _custom_error("malformed UTF-8 encoding", where) from None
    return Custom(name, data, after)
