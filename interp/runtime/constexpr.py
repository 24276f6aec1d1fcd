"""Constant expressions (specification 3.4.14 and 4.4.14), evaluated without ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interp.syntax.errors import Crash
from interp.syntax.module import Expr

from . import gc
from .numerics import NUMERICS

if TYPE_CHECKING:
    from .instance import ModuleInst

_CONSTANTS = frozenset({"i32.const", "i64.const", "f32.const", "f64.const", "v128.const"})
_ARITHMETIC = frozenset({"i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul"})


#: Instructions that make objects, with how many operands they take: None is for those that ask the type.
_MAKERS: dict[str, int | None] = {
    "ref.i31": 1,
    "struct.new": None,
    "struct.new_default": 0,
    "array.new": 2,
    "array.new_default": 1,
    "array.new_fixed": None,
    "any.convert_extern": 1,
    "extern.convert_any": 1,
}


def _make(inst: ModuleInst, name: str, imm: tuple[Any, ...], stack: list[int]) -> None:
    count = _MAKERS[name]
    if count is None:
        count = imm[1] if name == "array.new_fixed" else len(gc.layout(inst, imm[0]).fields)
    bottom = len(stack) - count
    operands = stack[bottom:]
    del stack[bottom:]
    match name:
        case "ref.i31":
            made = gc.ref_i31(operands[0])
        case "struct.new":
            made = gc.struct_new(inst, imm[0], operands)
        case "struct.new_default":
            made = gc.struct_new_default(inst, imm[0])
        case "array.new":
            made = gc.array_new(inst, imm[0], *operands)
        case "array.new_default":
            made = gc.array_new(inst, imm[0], 0, operands[0])
        case "array.new_fixed":
            made = gc.array_new_fixed(inst, imm[0], operands)
        case _:
            made = operands[0]  # conversions keep the bits
    stack.append(made)


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
        elif name in _MAKERS:
            _make(inst, name, imm, stack)
        elif name != "end":
            raise Crash(f"{name} in a constant expression")
    return stack[-1]
