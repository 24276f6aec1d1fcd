"""Constant expressions (specification 3.4.14 and 4.4.14), evaluated without ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interp.syntax.errors import Crash
from interp.syntax.module import Expr

from .numerics import NUMERICS

if TYPE_CHECKING:
    from .instance import ModuleInst

_CONSTANTS = frozenset({"i32.const", "i64.const", "f32.const", "f64.const", "v128.const"})
_ARITHMETIC = frozenset({"i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul"})


def evaluate(inst: ModuleInst, expr: Expr) -> int:
    """The raw bits of a validated constant expression; it sees the globals that the instance has so far."""
    stack: list[int] = []
    for op, imm, _ in expr:
        name = op.name
        if name in _CONSTANTS:
            stack.append(imm[0])
        elif name == "global.get":
            stack.append(inst.globals[imm[0]].bits)
        elif name == "ref.func":
            stack.append(inst.func_addr(imm[0]) + 1)
        elif name == "ref.null":
            stack.append(0)
        elif name in _ARITHMETIC:
            right = stack.pop()
            stack.append(NUMERICS[name](stack.pop(), right))
        elif name != "end":
            raise Crash(f"{name} in a constant expression")
    return stack[-1]
