"""Instruction sequences (specification 6.5), plain and folded, as flat tuples.

The parser keeps a stack of its own, so nesting is bounded by `limits.nesting` and not by Python's recursion.
"""

from __future__ import annotations

from typing import Any

from interp.syntax.errors import LimitError
from interp.syntax.instructions import BY_NAME, OPS, Ins, Op

from .context import Parser
from .immediates import Reader, cast_type, reader, select_types

# What stands behind a word that is an instruction.
_NO_IMMEDIATES, _IMMEDIATES, _VARIANT, _OPENS, _ELSE, _END, _DELEGATE = range(7)

# What is open: operands of a folded instruction; a folded block, and the parts of a folded `if` and `try`; a block that
# an `end` closes.
_OPERANDS, _FOLDED, _CONDITION, _THEN, _THEN_DONE, _ELSE_PART, _ELSE_DONE, _TRY, _DO, _HANDLER, _PLAIN = range(11)
#: Where only folded instructions, or parts of the construct, may stand.
_FOLDED_ONLY = frozenset({_OPERANDS, _CONDITION, _THEN_DONE, _ELSE_DONE, _TRY})

_END_OP, _ELSE_OP = BY_NAME["end"], BY_NAME["else"]
_CATCH, _CATCH_ALL, _DELEGATE_OP = BY_NAME["catch"], BY_NAME["catch_all"], BY_NAME["delegate"]

Entry = tuple[int, Op, Reader | None]


def _entry(op: Op) -> Entry:
    if "block" in op.immediates:
        return _OPENS, op, reader(op)
    if op.name in ("else", "catch", "catch_all"):
        return _ELSE, op, reader(op)
    if op.name == "end":
        return _END, op, None
    if op.name == "delegate":
        return _DELEGATE, op, reader(op)
    return (_IMMEDIATES if op.immediates else _NO_IMMEDIATES), op, reader(op)


def _variants() -> dict[str, tuple[Op, Op]]:
    """Words shared by two rows."""
    return {op.text: (BY_NAME[op.text], op) for op in OPS if op.text != op.name}


_VARIANTS = _variants()
ENTRIES: dict[str, Entry] = {op.text: _entry(op) for op in reversed(OPS) if op.text not in _VARIANTS}
ENTRIES |= {word: (_VARIANT, ops[0], None) for word, ops in _VARIANTS.items()}


def _variant(p: Parser, op: Op) -> tuple[Op, tuple[Any, ...]]:
    """Which of two rows of one word is meant, and its immediates."""
    plain, other = _VARIANTS[op.text]
    if other.immediates == ("types",):
        types = select_types(p)
        return (plain, ()) if types is None else (other, (types,))
    ref = cast_type(p)
    return (other if ref.nullable else plain), (ref.heap,)


class _Open:
    """Something open: its kind, the token that opened it, its instruction if that is still to come, its label."""

    __slots__ = ("at", "ins", "kind", "name", "op")

    def __init__(self, kind: int, at: int, op: Op, ins: Ins | None, name: str | None) -> None:
        self.kind = kind
        self.at = at
        self.op = op
        self.ins = ins
        self.name = name


def sequence(p: Parser, *, single: bool = False) -> list[Ins]:
    """The instructions up to a `)` that they do not open; with `single`, one folded instruction."""
    toks, starts = p.toks, p.source.starts
    entries = ENTRIES
    out: list[Ins] = []
    emit = out.append
    stack: list[_Open] = []
    folded_only = single
    while True:
        i = p.i
        token = toks[i]
        if token == "(":
            word = toks[i + 1]
            entry = entries.get(word)
            p.i = i + 2
            if entry is None or entry[0] > _OPENS:
                _part(p, stack, out, word, i)
            else:
                kind, op, read = entry
                if stack and stack[-1].kind in (_THEN_DONE, _ELSE_DONE, _TRY):
                    p.fail(index=i)
                if kind == _OPENS:
                    if len(stack) >= p.limits.nesting:
                        _too_deep(p, i)
                    _open_folded(p, stack, out, op, read, i)
                else:
                    if kind == _VARIANT:
                        op, imm = _variant(p, op)
                    else:
                        imm = () if read is None else read(p, op)
                    ins = Ins(op, imm, starts[i + 1])
                    if toks[p.i] == ")":
                        p.i += 1
                        emit(ins)
                        if single and not stack:
                            return out
                        continue
                    if len(stack) >= p.limits.nesting:
                        _too_deep(p, i)
                    stack.append(_Open(_OPERANDS, i, op, ins, None))
            folded_only = bool(stack) and stack[-1].kind in _FOLDED_ONLY
        elif token == ")":
            if not stack:
                if single:
                    p.fail()
                return out
            top = stack.pop()
            p.i = i + 1
            if top.kind == _OPERANDS:
                emit(top.ins)  # type: ignore[arg-type]
            else:
                _close_folded(p, stack, out, top, i)
            if stack:
                folded_only = stack[-1].kind in _FOLDED_ONLY
            else:
                folded_only = single
                if single:
                    return out
        else:
            entry = entries.get(token)
            if entry is None or folded_only:
                p.fail()
            kind, op, read = entry
            p.i = i + 1
            if kind == _NO_IMMEDIATES:
                emit(Ins(op, (), starts[i]))
            elif kind == _IMMEDIATES:
                emit(Ins(op, read(p, op), starts[i]))  # type: ignore[misc]
            elif kind == _VARIANT:
                op, imm = _variant(p, op)
                emit(Ins(op, imm, starts[i]))
            elif kind == _OPENS:
                if len(stack) >= p.limits.nesting:
                    _too_deep(p, i)
                name = p.ident()
                emit(_block(p, op, read, i))
                p.push_label(name)
                stack.append(_Open(_PLAIN, i, op, None, name))
            else:
                _continue_plain(p, stack, out, kind, op, read, i)


def _too_deep(p: Parser, i: int) -> None:
    raise LimitError(
        f"instructions nested deeper than {p.limits.nesting} pass the limit nesting", p.source.where(i), limit="nesting"
    )


def _block(p: Parser, op: Op, read: Reader | None, i: int) -> Ins:
    imm = read(p, op) if read is not None else ()
    return Ins(op, imm, p.source.starts[i])


def _open_folded(p: Parser, stack: list[_Open], out: list[Ins], op: Op, read: Reader | None, i: int) -> None:
    """Behind `(block`, `(loop`, `(if`, `(try_table` or `(try`."""
    name = p.ident()
    ins = _block(p, op, read, i + 1)
    if op.name == "if":  # its condition comes first and does not see its label
        stack.append(_Open(_CONDITION, i, op, ins, name))
        return
    out.append(ins)
    p.push_label(name)
    stack.append(_Open(_TRY if op.name == "try" else _FOLDED, i, op, None, name))


def _part(p: Parser, stack: list[_Open], out: list[Ins], word: str, i: int) -> None:
    """Behind `(` and a word that begins no instruction: a part of a folded `if` or `try`."""
    top = stack[-1] if stack else None
    kind = top.kind if top is not None else -1
    at = p.source.starts[i + 1]
    if top is None:
        p.fail(index=i + 1)
    if word == "then" and kind == _CONDITION:
        out.append(top.ins)  # type: ignore[arg-type]
        p.push_label(top.name)
        top.kind = _THEN_DONE
        part = _THEN
    elif word == "else" and kind == _THEN_DONE:
        out.append(Ins(_ELSE_OP, (), at))
        top.kind = _ELSE_DONE
        part = _ELSE_PART
    elif word == "do" and kind == _TRY and top.ins is None:
        top.ins = out[-1]  # marks that the body was seen
        part = _DO
    elif word == "catch" and kind == _TRY and top.ins is not None and top.op.name in ("try", "catch"):
        out.append(Ins(_CATCH, (p.index("tag"),), at))
        top.op = _CATCH
        part = _HANDLER
    elif word == "catch_all" and kind == _TRY and top.ins is not None and top.op.name in ("try", "catch"):
        out.append(Ins(_CATCH_ALL, (), at))
        top.op = _CATCH_ALL
        part = _HANDLER
    elif word == "delegate" and kind == _TRY and top.ins is not None and top.op.name == "try":
        p.pop_label()
        out.append(Ins(_DELEGATE_OP, (p.label(),), at))
        p.push_label(None)
        p.close()
        top.op = _DELEGATE_OP
        return
    else:
        p.fail(index=i + 1)
    stack.append(_Open(part, i, top.op, None, None))


def _close_folded(p: Parser, stack: list[_Open], out: list[Ins], top: _Open, i: int) -> None:
    """Behind the `)` of a folded construct or of a part of one."""
    if top.kind in (_THEN, _ELSE_PART, _DO, _HANDLER):
        return
    if top.kind in (_CONDITION, _PLAIN) or (top.kind == _TRY and top.ins is None):
        p.fail(index=i)
    p.pop_label()
    if top.op is not _DELEGATE_OP:
        out.append(Ins(_END_OP, (), p.source.starts[i]))


def _continue_plain(
    p: Parser, stack: list[_Open], out: list[Ins], kind: int, op: Op, read: Reader | None, i: int
) -> None:
    """Behind `else`, `catch`, `catch_all`, `delegate` or `end`, not folded."""
    top = stack[-1] if stack else None
    if top is None or top.kind != _PLAIN:
        p.fail(index=i)
    if kind == _ELSE:
        if op is _ELSE_OP:
            _same_label(p, top.name)
            if top.op.name != "if":
                p.fail(index=i)
            top.op = _ELSE_OP
            imm: tuple[Any, ...] = ()
        else:
            if top.op.name != "try" and top.op is not _CATCH:
                p.fail(index=i)
            imm = read(p, op) if read is not None else ()
            top.op = op
        out.append(Ins(op, imm, p.source.starts[i]))
        return
    stack.pop()
    p.pop_label()
    if kind == _DELEGATE:
        if top.op.name != "try":
            p.fail(index=i)
        out.append(Ins(op, (p.label(),), p.source.starts[i]))
        return
    _same_label(p, top.name)
    out.append(Ins(op, (), p.source.starts[i]))


def _same_label(p: Parser, name: str | None) -> None:
    """Pass the label that may stand behind `else` and `end`."""
    at = p.i
    again = p.ident()
    if again is not None and again != name:
        p.fail("mismatching label", at)


def expression(p: Parser) -> tuple[Ins, ...]:
    """Instructions up to the `)` behind them (not passed), with the `end` that the binary format has."""
    out = sequence(p)
    out.append(Ins(_END_OP, (), p.source.starts[p.i]))
    return tuple(out)


def folded_expression(p: Parser) -> tuple[Ins, ...]:
    """One folded instruction as an expression."""
    out = sequence(p, single=True)
    out.append(Ins(_END_OP, (), p.source.starts[p.i]))
    return tuple(out)
