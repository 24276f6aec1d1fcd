"""Parse `.wast` scripts into commands (the script grammar of the reference interpreter)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Module
from interp.syntax.types import F32, F64, HEAP_CODES, I32, I64, V128, HeapType, NumType

from .commands import (
    Action,
    ActionCommand,
    Argument,
    AssertException,
    AssertExhaustion,
    AssertInvalid,
    AssertMalformed,
    AssertReturn,
    AssertTrap,
    AssertUnlinkable,
    BinarySource,
    Command,
    Const,
    Either,
    Get,
    Invoke,
    LanesPattern,
    ModuleCommand,
    ModuleDefinition,
    ModuleInstance,
    NanKind,
    NanPattern,
    Pattern,
    Ref,
    Register,
    Source,
    TextSource,
    UnsupportedCommand,
)
from .cursor import Cursor
from .fields import FIELDS
from .immediates import SHAPES, floating, integer
from .lexer import Source as Text
from .parser import parse, parse_fields, parse_module

_NUMBERS = {f"{type.name}.const": type for type in (I32, I64, F32, F64, V128)}
_NANS: dict[str, NanKind] = {"nan:canonical": "canonical", "nan:arithmetic": "arithmetic"}
_REFS = {f"ref.{kind}": kind for kind in ("extern", "host", "func", "any", "eq", "i31", "struct", "array", "exn")}


def parse_script(text: str | bytes, *, limits: VmLimits | None = None) -> list[Command]:
    """The commands of a script, in order. Modules inside are parsed when asked for.

    Raises MalformedError when the script itself, outside its modules, breaks the grammar.
    """
    limits = limits or DEFAULT_LIMITS
    cursor = Cursor(Text(text, limits), 0, limits)
    if cursor.toks[0] == "(" and (cursor.toks[1] in FIELDS or cursor.toks[1] in ("type", "rec")):
        return [ModuleCommand(1, None, TextSource(partial(_parse_bare, cursor.source, limits)))]
    commands = []
    while cursor.toks[cursor.i] != "":
        commands.append(_command(cursor))
    return commands


def _parse_bare(source: Text, limits: VmLimits) -> Module:
    cursor = Cursor(source, 0, limits)
    module = parse_fields(cursor, None)
    if cursor.toks[cursor.i] != "":
        cursor.fail()
    return module


def _parse_at(source: Text, index: int, limits: VmLimits) -> Module:
    return parse_module(Cursor(source, index, limits))


def _command(c: Cursor) -> Command:
    """Pass one command."""
    if c.toks[c.i] != "(":
        c.fail()
    line = c.source.line(c.i)
    word = c.toks[c.i + 1]
    if word == "module":
        return _module_command(c, line)
    if word in ("invoke", "get"):
        return ActionCommand(line, _action(c))
    read = _COMMANDS.get(word)
    if read is None:
        c.fail(index=c.i + 1)
    if read is _unsupported:
        return _unsupported(c, line)
    c.i += 2
    command = read(c, line)
    c.close()
    return command


def _module_command(c: Cursor, line: int) -> Command:
    following = c.toks[c.i + 2]
    if following == "instance":
        c.i += 3
        name = c.ident()
        definition = c.ident()
        c.close()
        return ModuleInstance(line, name, definition)
    name, source = _module(c)
    return ModuleDefinition(line, name, source) if following == "definition" else ModuleCommand(line, name, source)


def _module(c: Cursor) -> tuple[str | None, Source]:
    """Pass `(module definition? id? ...)` in any of its three forms."""
    start = c.i
    c.open("module")
    definition = c.try_word("definition")
    after = c.i
    name = c.ident()
    if c.try_word("binary"):
        data = _strings(c)
        c.close()
        return name, BinarySource(data)
    if c.try_word("quote"):
        quoted = _strings(c)
        c.close()
        return name, TextSource(partial(parse, quoted, limits=c.limits), quoted=True)
    c.i = start
    c.skip_form()
    if definition:
        return name, TextSource(partial(_parse_definition, c.source, after, c.limits))
    return name, TextSource(partial(_parse_at, c.source, start, c.limits))


def _parse_definition(source: Text, index: int, limits: VmLimits) -> Module:
    cursor = Cursor(source, index, limits)
    name = cursor.ident()
    module = parse_fields(cursor, name)
    cursor.close()
    return module


def _strings(c: Cursor) -> bytes:
    parts = []
    while c.at_string():
        parts.append(c.string())
    return b"".join(parts)


def _source(c: Cursor) -> Source:
    return _module(c)[1]


def _action(c: Cursor) -> Action:
    """Pass `(invoke id? name const*)` or `(get id? name)`."""
    if c.try_open("get"):
        module = c.ident()
        name = c.name()
        c.close()
        return Get(module, name)
    c.open("invoke")
    module = c.ident()
    name = c.name()
    args: list[Argument] = []
    while not c.try_close():
        at = c.i
        pattern = _pattern(c)
        if not isinstance(pattern, Const | Ref):
            c.fail(index=at)
        args.append(pattern)
    return Invoke(module, name, tuple(args))


def _pattern(c: Cursor) -> Pattern:
    """Pass a constant or a result pattern."""
    if c.toks[c.i] != "(":
        c.fail()
    word = c.toks[c.i + 1]
    c.i += 2
    pattern: Pattern
    if word in _NUMBERS:
        pattern = _number(c, _NUMBERS[word])
    elif word == "ref.null":
        pattern = Ref("null", None if c.toks[c.i] == ")" else _heap(c))
    elif word in _REFS:
        pattern = Ref(_REFS[word], None, c.try_nat())
    elif word == "either":
        options = []
        while c.toks[c.i] != ")":
            options.append(_pattern(c))
        pattern = Either(tuple(options))
    else:
        c.fail(index=c.i - 1)
    c.close()
    return pattern


def _heap(c: Cursor) -> HeapType:
    if c.toks[c.i] in HEAP_CODES:
        return c.take()
    return c.nat()


def _number(c: Cursor, type: NumType) -> Pattern:
    if type is V128:
        return _vector(c)
    kind = _NANS.get(c.toks[c.i])
    if type in (I32, I64):
        return Const(type, integer(c, type.bits))
    if kind is not None:
        c.i += 1
        return NanPattern(type, kind)
    return Const(type, floating(c, type.bits))


def _vector(c: Cursor) -> Pattern:
    shape = SHAPES.get(c.toks[c.i])
    if shape is None:
        c.fail()
    c.i += 1
    width, count, floats = shape
    lanes: list[int | NanKind] = []
    for _ in range(count):
        kind = _NANS.get(c.toks[c.i]) if floats else None
        if kind is not None:
            c.i += 1
            lanes.append(kind)
        else:
            lanes.append(floating(c, width) if floats else integer(c, width))
    bits = 0
    for lane, value in enumerate(lanes):
        if isinstance(value, str):
            return LanesPattern(F32 if width == 32 else F64, tuple(lanes))
        bits |= value << lane * width
    return Const(V128, bits)


def _register(c: Cursor, line: int) -> Command:
    name = c.name()
    return Register(line, name, c.ident())


def _assert_return(c: Cursor, line: int) -> Command:
    action = _action(c)
    results = []
    while c.toks[c.i] != ")":
        results.append(_pattern(c))
    return AssertReturn(line, action, tuple(results))


def _assert_trap(c: Cursor, line: int) -> Command:
    subject = _source(c) if c.opens("module") else _action(c)
    return AssertTrap(line, subject, c.name())


def _assert_exhaustion(c: Cursor, line: int) -> Command:
    return AssertExhaustion(line, _action(c), c.name())


def _assert_exception(c: Cursor, line: int) -> Command:
    return AssertException(line, _action(c))


def _assert_malformed(c: Cursor, line: int) -> Command:
    return AssertMalformed(line, _source(c), c.name())


def _assert_malformed_custom(c: Cursor, line: int) -> Command:
    return AssertMalformed(line, _source(c), c.name(), custom=True)


def _assert_invalid(c: Cursor, line: int) -> Command:
    return AssertInvalid(line, _source(c), c.name())


def _assert_invalid_custom(c: Cursor, line: int) -> Command:
    return AssertInvalid(line, _source(c), c.name(), custom=True)


def _assert_unlinkable(c: Cursor, line: int) -> Command:
    return AssertUnlinkable(line, _source(c), c.name())


def _unsupported(c: Cursor, line: int) -> Command:
    word = c.toks[c.i + 1]
    c.skip_form()
    return UnsupportedCommand(line, word, "threads")


_COMMANDS: dict[str, Callable[[Cursor, int], Command]] = {
    "register": _register,
    "assert_return": _assert_return,
    "assert_trap": _assert_trap,
    "assert_exhaustion": _assert_exhaustion,
    "assert_exception": _assert_exception,
    "assert_malformed": _assert_malformed,
    "assert_malformed_custom": _assert_malformed_custom,
    "assert_invalid": _assert_invalid,
    "assert_invalid_custom": _assert_invalid_custom,
    "assert_unlinkable": _assert_unlinkable,
    "thread": _unsupported,
    "wait": _unsupported,
}
