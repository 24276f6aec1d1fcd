"""What the reference engine prepares of a function on its first call: a side table, and one step per instruction.

A step is (handler, operand). The handler is found by the instruction's name, so that running needs no look-up; the
operand is the instruction's immediates, save for blocks, which know where they end, and for plain instructions, which
have their meaning. Instruction `i` of the body is step `i`: the program counter is a position in both.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from interp.runtime.instance import ModuleInst
from interp.runtime.matching import closed_ref
from interp.runtime.store import FuncInst
from interp.syntax.errors import Crash
from interp.syntax.instructions import Catch, Ins
from interp.syntax.module import Expr, Module
from interp.syntax.types import BlockType, FuncType, RefType

from . import steps, steps_exceptions, steps_gc
from .steps import Handler

#: Instruction name to its handler, and its meaning if that is its operand.
STEPS: Mapping[str, tuple[Handler, Any]] = ChainMap(
    steps.STEPS, {name: (handler, None) for name, handler in (steps_exceptions.STEPS | steps_gc.STEPS).items()}
)


class Block(NamedTuple):
    """The static part of a label: what block, loop, if and the function itself know before they run.

    `arity` is how many values a branch to it carries, `target` the step where that goes on, and `otherwise` the step
    where an `if` goes on when its condition is zero. `catches` are the clauses of a try_table, `handlers` those of a
    legacy try (tag or -1, and the step of the catch), `skip` how many labels its `delegate` passes over.
    """

    params: int
    arity: int
    target: int
    loop: bool = False
    otherwise: int = -1
    catches: tuple[Catch, ...] = ()
    handlers: tuple[tuple[int, int], ...] = ()
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """A function ready to run. `cells` is parameters, locals and highest operand stack, `ticks` the price of entry."""

    steps: tuple[tuple[Handler, Any], ...]
    body: Expr
    params: int
    arity: int
    zeros: list[int]
    cells: int
    ticks: int
    block: Block


def prepare(func: FuncInst) -> Code:
    """The code of a validated function."""
    inst, module = func.module, func.module.module
    locals_, body = func.code.contents
    parts = match_parts(body)
    own = func.index - module.imported_funcs
    return Code(
        steps=tuple((_handler(ins, pc, body), _operand(inst, body, pc, parts)) for pc, ins in enumerate(body)),
        body=body,
        params=len(func.type.params),
        arity=len(func.type.results),
        zeros=[0] * len(locals_),
        cells=func.module.valid.frame_cells[own],
        ticks=1 + (len(locals_) + 63) // 64,
        block=Block(0, len(func.type.results), len(body) - 1),
    )


class Parts(NamedTuple):
    """From what begins a block, or a part of one, to its `end` or `delegate`; to its else; to its catches."""

    ends: dict[int, int]
    elses: dict[int, int]
    handlers: dict[int, list[int]]


def match_parts(body: Expr) -> Parts:
    """Where the blocks of a body have their parts."""
    ends: dict[int, int] = {}
    elses: dict[int, int] = {}
    handlers: dict[int, list[int]] = {}
    opened: list[int] = []
    for pc, ins in enumerate(body):
        name = ins.op.name
        if name in _OPENERS:
            opened.append(pc)
        elif name == "else":
            elses[opened[-1]] = pc
        elif name in ("catch", "catch_all"):
            handlers.setdefault(opened[-1], []).append(pc)
        elif name in ("end", "delegate") and opened:
            start = opened.pop()
            for part in (start, elses.get(start, start), *handlers.get(start, ())):
                ends[part] = pc
    return Parts(ends, elses, handlers)


_OPENERS = frozenset({"block", "loop", "if", "try_table", "try"})


def _handler(ins: Ins, pc: int, body: Expr) -> Handler:
    name = "end of function" if pc == len(body) - 1 else ins.op.name
    try:
        return STEPS[name][0]
    except KeyError:
        raise Crash(f"the reference engine has no {name}") from None


def _operand(inst: ModuleInst, body: Expr, pc: int, parts: Parts) -> Any:
    module, ins = inst.module, body[pc]
    ends, elses, handlers = parts
    match ins.op.name:
        case "block":
            type = block_type(module, ins.imm[0])
            return Block(len(type.params), len(type.results), ends[pc] + 1)
        case "loop":
            type = block_type(module, ins.imm[0])
            return Block(len(type.params), len(type.params), pc + 1, loop=True)
        case "if":
            type = block_type(module, ins.imm[0])
            otherwise = elses[pc] + 1 if pc in elses else ends[pc]
            return Block(len(type.params), len(type.results), ends[pc] + 1, otherwise=otherwise)
        case "try_table":
            type = block_type(module, ins.imm[0])
            return Block(len(type.params), len(type.results), ends[pc] + 1, catches=ins.imm[1])
        case "try":
            type = block_type(module, ins.imm[0])
            clauses = tuple((body[at].imm[0] if body[at].imm else -1, at) for at in handlers.get(pc, ()))
            last = body[ends[pc]]
            skip = last.imm[0] if last.op.name == "delegate" else 0
            return Block(len(type.params), len(type.results), ends[pc] + 1, handlers=clauses, skip=skip)
        case "else" | "catch" | "catch_all":
            return ends[pc]
        case "ref.test" | "ref.cast" | "ref.test_null" | "ref.cast_null" as name:
            return closed_ref(inst.valid, RefType(name.endswith("null"), ins.imm[0]))
        case "br_on_cast" | "br_on_cast_fail":
            flags, label, _, heap = ins.imm
            return label, closed_ref(inst.valid, RefType(bool(flags & 2), heap))
        case name:
            if name in STEPS and (meaning := STEPS[name][1]) is not None:
                return (meaning, ins.imm[0]) if ins.imm else meaning
            return ins.imm[0] if len(ins.imm) == 1 else ins.imm


def block_type(module: Module, type: BlockType) -> FuncType:
    """The function type that a block type stands for (3.2.2)."""
    if type.value is None:
        return FuncType()
    if not isinstance(type.value, int):
        return FuncType((), (type.value,))
    comp = module.comp(type.value)
    if not isinstance(comp, FuncType):
        raise Crash("a valid block has a type that is no function type")
    return comp
