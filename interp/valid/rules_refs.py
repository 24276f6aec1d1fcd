"""The rules of typed references and of exceptions (specification 3.4.1 and 3.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from interp.syntax.instructions import Catch
from interp.syntax.types import FuncType, RefType, ValType

from .checker import Checker, Types, plural
from .rules import Imm, Rule, tail

_EXN = RefType(False, "exn")


def _called_ref(c: Checker, index: int) -> FuncType:
    type = c.func_type(index)
    c.expect(RefType(True, index))
    return type


def _call_ref(c: Checker, imm: Imm) -> None:
    type = _called_ref(c, imm[0])
    c.pop_all(type.params)
    c.push_all(type.results)


def _return_call_ref(c: Checker, imm: Imm) -> None:
    tail(c, _called_ref(c, imm[0]))


def _as_non_null(c: Checker, imm: Imm) -> None:
    c.push(RefType(False, c.pop_ref().heap))


def _br_on_null(c: Checker, imm: Imm) -> None:
    types = c.label(imm[0])
    ref = c.pop_ref()
    c.pop_all(types)
    c.push_all(types)
    c.push(RefType(False, ref.heap))


def last_of_label(c: Checker, label: int) -> tuple[Types, RefType]:
    """The types of a label that takes a reference as its last value: those before it, and its own."""
    types = c.label(label)
    if not types or not isinstance(types[-1], RefType):
        c.fail("type_mismatch_label", plural(types), "a reference")
    return types[:-1], types[-1]


def _br_on_non_null(c: Checker, imm: Imm) -> None:
    types, last = last_of_label(c, imm[0])
    c.expect(RefType(True, last.heap))
    if c.matches(RefType(False, last.heap), last):
        c.pop_all(types)
        c.push_all(types)


# Exceptions.


def tag(c: Checker, index: int) -> FuncType:
    """The type of a tag."""
    if index >= len(c.c.tags):
        c.fail("unknown_tag", index)
    return c.c.tags[index]


def _throw(c: Checker, imm: Imm) -> None:
    c.pop_all(tag(c, imm[0]).params)
    c.die()


def _throw_ref(c: Checker, imm: Imm) -> None:
    c.expect(RefType(True, "exn"))
    c.die()


def _try_table(c: Checker, imm: Imm) -> None:
    type, catches = imm
    if len(catches) > c.c.limits.catches:  # of a body that was not read from bytes
        c.fail("catches_limit", len(catches))
    signature = c.block_type(type)
    for clause in catches:
        _check_clause(c, clause)
    c.pop_all(signature.params)
    c.enter("try_table", signature.params, signature.results)


def _check_clause(c: Checker, clause: Catch) -> None:
    carried: Sequence[ValType] = tag(c, clause.tag).params if clause.kind < 2 else ()
    if clause.kind & 1:
        carried = (*carried, _EXN)
    wanted = c.label(clause.label)
    if not c.c.subtyping.values(carried, wanted):
        c.fail("type_mismatch_label", plural(wanted), plural(carried))


SPECIAL: dict[str, Rule] = {
    "call_ref": _call_ref,
    "return_call_ref": _return_call_ref,
    "ref.as_non_null": _as_non_null,
    "br_on_null": _br_on_null,
    "br_on_non_null": _br_on_non_null,
    "throw": _throw,
    "throw_ref": _throw_ref,
    "try_table": _try_table,
}
