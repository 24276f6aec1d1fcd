"""Every plain instruction with every kind of operand and every use of its result.

An operand may be a constant, a parameter not read yet, a local that is used often (which an engine may keep in a
register), the result just made, or one that went through the stack. A result may be left, go to a local of either kind,
be made while another one waits, or decide a branch. One function for each combination, one module for each instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from random import Random

from interp.syntax.instructions import BY_NAME, Ins, MemArg, Op
from interp.syntax.module import Export, Func, Global, Module
from interp.syntax.types import (
    F32,
    F64,
    I32,
    I64,
    V128,
    BlockType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    RecType,
    SubType,
    ValType,
)

from .rows import PLAIN
from .shape import EDGES, END, const

_NUMBERS = (I32, I64, F32, F64, V128)
#: Globals of a type: one for each operand that an instruction may have.
_GLOBALS = 4


def _ins(name: str, *imm: object) -> Ins:
    return Ins(BY_NAME[name], imm)


class _Case:
    """One function. Its locals: the parameters, three integers and three f64 that are used often, one of each type that
    is not. The types of the integers used often follow from what is put there."""

    def __init__(self, op: Op, takes: Sequence[NumType], gives: Sequence[NumType], constants: Sequence[int]) -> None:
        self.op = op
        self.takes = takes
        self.gives = gives
        self.constants = constants
        self.code: list[Ins] = []
        self.locals: list[ValType] = [I32, I32, I32, F64, F64, F64, *_NUMBERS]
        self.fixed: dict[int, NumType] = {}

    def hot(self, type: NumType, n: int) -> int:
        """The n-th local used often, made one of this type; f32 and v128 have none but the cold one. Raises _Clash."""
        if type in (F32, V128):
            return self.cold(type)
        index = n + 3 * (type is F64)
        if self.fixed.setdefault(index, type) is not type:
            raise _Clash
        self.locals[index] = type
        return len(self.takes) + index

    def cold(self, type: NumType) -> int:
        return len(self.takes) + 6 + _NUMBERS.index(type)

    def prologue(self, kinds: Sequence[str]) -> None:
        """Put the arguments where the operands will be looked for, and use what shall be used often."""
        for n, (type, kind) in enumerate(zip(self.takes, kinds, strict=True)):
            if kind.startswith("local"):
                self.code += [_ins("local.get", n), _ins("local.set", self.hot(type, int(kind[-1])))]
            elif kind in ("made", "through the stack"):
                self.code += [_ins("local.get", n), _ins("global.set", _NUMBERS.index(type) * _GLOBALS + n)]
        for index in range(6):
            self.code += [_ins("local.get", len(self.takes) + index)] * 8 + [_ins("drop")] * 8

    def operand(self, kind: str, n: int) -> None:
        type = self.takes[n]
        made = _ins("global.get", _NUMBERS.index(type) * _GLOBALS + n)
        if kind == "constant":
            self.code.append(const(type, self.constants[n]))
        elif kind == "parameter":
            self.code.append(_ins("local.get", n))
        elif kind == "made":
            self.code.append(made)
        elif kind == "through the stack":
            self.code += [_ins("block", BlockType(type)), made, END]
        else:
            self.code.append(_ins("local.get", self.hot(type, int(kind[-1]))))

    def instruction(self) -> None:
        lanes = tuple(range(1, 32, 2))
        memarg = MemArg(self.op.width.bit_length() - 1, 8) if self.op.atomic else MemArg(0, 3)
        values: dict[str, object] = {"memarg": memarg, "lane": self.op.lanes - 1, "lanes16": lanes}
        self.code.append(_ins(self.op.name, *(values[kind] for kind in self.op.immediates)))
        if len(self.gives) > 1:  # the further results are looked at in globals
            self.code += [_ins("global.set", _NUMBERS.index(t) * _GLOBALS + 1) for t in reversed(self.gives[1:])]


class _Clash(Exception):
    """Two types are wanted of one local."""


def _left(case: _Case) -> None:
    case.instruction()


def _to_hot(n: int) -> Callable[[_Case], None]:
    def use(case: _Case) -> None:
        case.instruction()
        local = case.hot(case.gives[0], n)
        case.code += [_ins("local.tee", local), _ins("local.set", local), _ins("local.get", local)]

    return use


def _to_cold(case: _Case) -> None:
    case.instruction()
    case.code += [_ins(name, case.cold(case.gives[0])) for name in ("local.set", "local.get")]


def _to_global(case: _Case) -> None:
    case.instruction()
    index = _NUMBERS.index(case.gives[0]) * _GLOBALS
    case.code += [_ins("global.set", index), _ins("global.get", index)]


def _branch(*tail: Ins) -> Callable[[_Case], None]:
    """The result decides: 7 where the branch is taken, 9 where not."""

    def use(case: _Case) -> None:
        outer = (const(I32, 7),)
        at = case.code.index(_MARK)
        case.code[at:at] = [_ins("block", BlockType(I32)), *outer]
        case.instruction()
        case.code += [*tail, _ins("br_if", 0), _ins("drop"), const(I32, 9), END]

    return use


def _if(*tail: Ins) -> Callable[[_Case], None]:
    def use(case: _Case) -> None:
        case.instruction()
        case.code += [*tail, _ins("if", BlockType(I32)), const(I32, 7), _ins("else"), const(I32, 9), END]

    return use


def _back(*tail: Ins) -> Callable[[_Case], None]:
    """The result decides whether a loop goes on, until the fuel is used up."""

    def use(case: _Case) -> None:
        at = case.code.index(_MARK)
        case.code[at:at] = [_ins("loop", BlockType())]
        case.instruction()
        case.code += [*tail, _ins("br_if", 0), END, const(I32, 7)]

    return use


def _select(case: _Case) -> None:
    at = case.code.index(_MARK)
    case.code[at:at] = [const(I32, 7), const(I32, 9)]
    case.instruction()
    case.code.append(_ins("select"))


#: Stands where the operands begin, and is taken out again.
_MARK = _ins("nop")
_EQZ = _ins("i32.eqz")
_USES: tuple[Callable[[_Case], None], ...] = (_left, _to_hot(0), _to_hot(1), _to_hot(2), _to_cold, _to_global)
_HOT = _USES[1:4]
_DECISIONS = (_branch(), _branch(_EQZ), _if(), _if(_EQZ), _back(), _back(_EQZ), _select)
KINDS = ("constant", "parameter", "local 0", "local 1", "local 2", "made", "through the stack")


def _functions(
    op: Op, takes: Sequence[NumType], gives: Sequence[NumType], constants: Sequence[int], rng: Random, share: float
) -> Iterator[tuple[_Case, bool]]:
    """The cases, each with whether its result is the i32 of a decision."""
    uses = (_USES + (_DECISIONS if gives[0] is I32 else ())) if gives else (_left,)
    for kinds, waiting, use in product(product(KINDS, repeat=len(takes)), (False, True), uses):
        if rng.random() >= share * (0.3 if waiting else 1):
            continue
        case = _Case(op, takes, gives, constants)
        decides = use in _DECISIONS
        try:
            if gives and use in _HOT:
                case.hot(gives[0], _HOT.index(use))
            case.prologue(kinds)
            if waiting and gives:
                case.code.append(_ins("global.get", _NUMBERS.index(gives[0]) * _GLOBALS))
            case.code.append(_MARK)
            for n, kind in enumerate(kinds):
                case.operand(kind, n)
            use(case)
        except _Clash:
            continue
        case.code.remove(_MARK)
        if waiting and gives:
            local = case.cold(I32 if decides else gives[0])
            case.code += [_ins("local.set", local), _ins("drop"), _ins("local.get", local)]
        case.code.append(END)
        yield case, decides


def plain_rows() -> list[tuple[Op, tuple[NumType, ...], tuple[NumType, ...]]]:
    """Numeric instructions and memory accesses, with operands and results."""
    rows = []
    for op, takes, gives in PLAIN:
        if op.immediates not in (("mem",), ("zero",)):
            numbers = [tuple(t for t in types if isinstance(t, NumType)) for types in (takes, gives)]
            rows.append((op, numbers[0], numbers[1]))
    return rows


def operand_module(
    op: Op, takes: tuple[NumType, ...], gives: tuple[NumType, ...], seed: int, share: float = 1
) -> Module:
    """All combinations for one instruction, or a share of them. The seed chooses the constants and the share."""
    rng = Random(seed)
    access = "memarg" in op.immediates
    constants = [rng.choice(EDGES[t]) for t in takes]
    if access:
        constants[0] = rng.choice((0, 5, 65520, 65528) if op.atomic else (0, 5, 65528, 65535))
    cases = list(_functions(op, takes, gives, constants, rng, share))
    types = (FuncType(takes, (gives[0],) if gives else ()), FuncType(takes, (I32,)))
    funcs = [Func(int(decides), _contents=(tuple(case.locals), tuple(case.code))) for case, decides in cases]
    globals_ = tuple(Global(GlobalType(t, True), (const(t, 1), END)) for t in _NUMBERS for _ in range(_GLOBALS))
    return Module(
        rec_types=tuple(RecType((SubType(type),)) for type in types),
        funcs=tuple(funcs),
        mems=(MemType(Limits(1, 1, shared=op.atomic)),),
        globals=globals_,
        exports=tuple(Export(f"f{n}", "func", n) for n in range(len(funcs))),
    )


def arguments(op: Op, takes: Sequence[NumType], seed: int) -> list[tuple[int, ...]]:
    """Arguments to try: edges against edges; addresses mostly inside."""
    rng = Random(seed)
    out = []
    for _ in range(4):
        args = [rng.choice(EDGES[t]) if rng.random() < 0.8 else rng.getrandbits(t.bits) for t in takes]
        if "memarg" in op.immediates:
            args[0] = rng.choice((0, 1, 64, 1000, 65520, 65528) if op.atomic else (0, 1, 64, 65525, 65535))
        out.append(tuple(args))
    return out
