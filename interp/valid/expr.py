"""Bodies: the algorithm of the specification's appendix (7.3), one instruction after the other.

Two stacks: of operand types, where None is Unknown (the bottom type that dead code conjures up), and of control
frames. Plain instructions are checked from their row in THE TABLE; the special ones have a rule in rules.py.

`top` is the highest operand stack in cells as it stands after each instruction (a v128 takes 2, Unknown 1); with
parameters and locals it makes the function's `frame_cells`. The C validator is this file's twin: same ids, offsets and
cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interp.syntax.instructions import OPS, Ins, MemArg, Op
from interp.syntax.types import I32, NUM_TYPES_BY_NAME, NumType, ValType

from . import rules, rules_gc, rules_legacy, rules_refs
from .checker import Checker
from .rules import Rule

#: The rows with a rule of their own.
SPECIAL = rules.SPECIAL | rules_refs.SPECIAL | rules_gc.SPECIAL | rules_legacy.SPECIAL

_Plain = tuple[list[ValType], list[ValType], int, int]


def _type(name: str, address: NumType = I32) -> ValType:
    return address if name == "addr" else NUM_TYPES_BY_NAME[name]


def _plain(op: Op) -> _Plain | None:
    """Operands, results, how many operands and the change in cells of a row that needs nothing but the stack."""
    if op.params is None or op.results is None or "addr" in op.params + op.results:
        return None
    if "lane" in op.immediates or "lanes16" in op.immediates or "mem" in op.immediates:
        return None
    if "data" in op.immediates:
        return None
    params, results = [_type(name) for name in op.params], [_type(name) for name in op.results]
    return params, results, len(params), sum(t.cells for t in results) - sum(t.cells for t in params)


def _memory_rule(op: Op) -> Rule:
    """A row with a memory argument or a memory index: the address type is that of the memory."""
    place = next(i for i, kind in enumerate(op.immediates) if kind in ("memarg", "mem"))
    lane = op.immediates.index("lane") if "lane" in op.immediates else -1
    takes, gives = op.params or (), op.results or ()
    natural = op.width.bit_length() - 1

    def rule(checker: Checker, imm: tuple[Any, ...]) -> None:
        arg = imm[place]
        address = checker.address(arg.mem if isinstance(arg, MemArg) else arg)
        if isinstance(arg, MemArg):
            if arg.align > natural or (op.atomic and arg.align != natural):
                checker.fail("atomic_alignment" if op.atomic else "alignment")
            if address is I32 and arg.offset > 0xFFFFFFFF:
                checker.fail("offset_out_of_range")
            if lane >= 0 and imm[lane] >= op.lanes:
                checker.fail("lane_index", imm[lane])
        checker.pop_all([_type(name, address) for name in takes])
        checker.push_all([_type(name, address) for name in gives])

    return rule


def _lane_rule(op: Op) -> Rule:
    """A row with lane numbers."""
    params = [_type(name) for name in op.params or ()]
    results = [_type(name) for name in op.results or ()]
    shuffle = "lanes16" in op.immediates

    def rule(checker: Checker, imm: tuple[Any, ...]) -> None:
        for lane in imm[0] if shuffle else imm:
            if lane >= (32 if shuffle else op.lanes):
                checker.fail("lane_index", lane)
        checker.pop_all(params)
        checker.push_all(results)

    return rule


def _no_rule(op: Op) -> Rule:
    def rule(checker: Checker, imm: tuple[Any, ...]) -> None:
        checker.fail("feature_off", op.feature.value)

    return rule


def _rule(op: Op) -> Rule:
    special = SPECIAL.get(op.name)
    if special is not None:
        return special
    if op.special:
        return _no_rule(op)
    if ("lane" in op.immediates and "memarg" not in op.immediates) or "lanes16" in op.immediates:
        return _lane_rule(op)
    if "memarg" in op.immediates or "mem" in op.immediates:
        return _memory_rule(op)
    return _no_rule(op)


_PLAIN: list[_Plain | None] = [_plain(op) for op in OPS]
_RULES: list[Rule] = [_rule(op) for op in OPS]


def check(checker: Checker, code: Iterable[Ins]) -> None:
    """Check a body, `end` included. Raises InvalidError, LimitError, and what reading `code` raises."""
    stack = checker.stack
    for op, imm, at in code:
        checker.at = at
        plain = _PLAIN[op.id]
        if plain is None:
            _RULES[op.id](checker, imm)
        else:
            params, results, arity, cells = plain
            if not arity:
                stack += results
                checker.cells += cells
            elif len(stack) - arity >= checker.base and stack[-arity:] == params:
                stack[-arity:] = results
                checker.cells += cells
            else:
                checker.pop_all(params)
                checker.push_all(results)
        if checker.cells > checker.top:
            checker.top = checker.cells
    if checker.frames:
        checker.fail("unexpected_end")
    if checker.frame_cells > checker.c.limits.frame_cells:
        checker.at = checker.start
        checker.fail("frame_cells_limit", checker.frame_cells)
