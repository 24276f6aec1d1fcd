"""Random values: each is pushed by instructions that leave what is below alone.

The generator knows the operand stack's types as a validator does. Operands that wait, as locals and constants do in an
engine that names them instead of copying them, are where lowering goes wrong: `take` uses up what is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random

from interp.syntax.instructions import BY_NAME, Ins, MemArg, Op
from interp.syntax.types import EXTERNREF, FUNCREF, I32, I64, FuncType, NumType, RefType, ValType

from .rows import BY_RESULT, COMPARE, DIVIDES, TRUNCATES
from .shape import Shape, const, constant


class Label:
    """An open block: what a branch to it carries, the stack below it, its kind, whether the rest of it is dead."""

    def __init__(self, types: tuple[ValType, ...], height: int, loop: bool, kind: str = "") -> None:
        self.kind = kind
        self.types = types
        self.height = height
        self.loop = loop
        self.dead = False


class Values(ABC):
    """The part that pushes values. `budget` is about how many instructions the body may have."""

    def __init__(self, shape: Shape, type: FuncType, locals: Sequence[ValType], budget: int) -> None:
        self.s = shape
        self.rng: Random = shape.rng
        self.locals: tuple[ValType, ...] = (*type.params, *locals)
        self.own = len(type.params)
        self.results = type.results
        self.budget = budget
        self.code: list[Ins] = []
        self.stack: list[ValType] = []
        self.labels = [Label(type.results, 0, False)]
        self.floor = 0
        self.depth = 0
        #: Locals that have no value yet.
        self.unset: set[int] = set()
        #: How often a leaf is a local. With few locals and many uses an engine may keep them in registers.
        self.thirst = self.rng.choice((0.4, 0.6, 0.9))

    # -- types ---------------------------------------------------------------------------------------------------

    def fits(self, found: ValType, wanted: ValType) -> bool:
        """Whether a value of one type may stand where another is wanted."""
        return found == wanted

    def all_fit(self, found: Sequence[ValType], wanted: Sequence[ValType]) -> bool:
        """The same of lists."""
        return len(found) == len(wanted) and all(map(self.fits, found, wanted))

    def readable(self, type: ValType) -> list[int]:
        """The locals that give a value of a type."""
        return [i for i, t in enumerate(self.locals) if self.fits(t, type) and i not in self.unset]

    def writable(self, type: ValType) -> list[int]:
        """The locals that take one."""
        return [i for i, t in enumerate(self.locals) if self.fits(type, t)]

    # -- the small things ----------------------------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def emit(self, name: str, *imm: object) -> None:
        self.code.append(Ins(BY_NAME[name], imm))
        self.budget -= 1

    def push(self, *types: ValType) -> None:
        self.stack.extend(types)

    def take(self, types: Sequence[ValType]) -> None:
        """Have operands of these types on top, taking those that are there or making them, and take them off."""
        n = len(types)
        have = self.stack[max(self.floor, self.labels[-1].height) :][-n:] if n else []
        whole = len(have) == n or (self.labels[-1].dead and len(self.stack) - len(have) == self.labels[-1].height)
        if n and whole and self.all_fit(have, types[n - len(have) :]) and self.chance(0.6):
            del self.stack[len(self.stack) - len(have) :]
            return
        for type in types:
            self.value(type)
        if n:
            del self.stack[len(self.stack) - n :]

    def plain(self, op: Op, takes: Sequence[ValType], gives: Sequence[ValType]) -> None:
        """One instruction by its row."""
        if op.name in DIVIDES and self.chance(0.85):
            self.take(takes[:1])
            self.push(takes[0])
            type = I32 if op.name[:3] == "i32" else I64
            self.code.append(const(type, constant(self.rng, type) | 1))
            self.stack.pop()
        elif op.immediates and op.immediates[0] == "memarg":
            self.address(takes[1:], op.width if op.atomic else 1)
        else:
            self.take(takes)
        self.emit(op.name, *(self.immediate(op, kind) for kind in op.immediates))
        self.push(*gives)

    def immediate(self, op: Op, kind: str) -> object:
        if kind == "memarg":
            return self.memarg(op)
        if kind == "lanes16":
            return tuple(self.rng.randrange(32) for _ in range(16))
        return self.rng.randrange(op.lanes) if kind == "lane" else 0

    def memarg(self, op: Op) -> MemArg:
        offset = self.rng.choice((1, 8, 100, 65528, 65535, 65536, 0xFFFFFFFF) if self.chance(0.06) else (0, 4))
        if op.atomic:
            return MemArg(op.width.bit_length() - 1, offset if self.chance(0.1) else offset & -op.width)
        return MemArg(self.rng.randrange(op.width.bit_length()), offset)

    def address(self, values: Sequence[ValType], align: int = 1) -> None:
        """An address, mostly inside and a multiple of `align`, and what is to be stored there; both are taken off."""
        if self.chance(0.4):
            edge = self.rng.choice((0, 1, 8, 64, 255, 1000, 65528)) & -align
            self.code.append(const(I32, self.rng.choice((65535, 65536, 0xFFFFFFFF)) if self.chance(0.03) else edge))
            self.push(I32)
        else:
            self.value(I32)
            if self.chance(0.97):
                self.code += [const(I32, 0x1000 - align), Ins(BY_NAME["i32.and"])]
        for type in values:
            self.value(type)
        del self.stack[len(self.stack) - 1 - len(values) :]

    # -- values --------------------------------------------------------------------------------------------------

    def value(self, type: ValType) -> None:
        """Push one value of a type."""
        floor, self.floor = self.floor, len(self.stack)
        self.depth += 1
        if self.budget <= 0 or self.depth > 7 or self.chance(0.4):
            self.leaf(type)
        else:
            self.tree(type)
        self.depth -= 1
        self.floor = floor

    def leaf(self, type: ValType) -> None:
        rng = self.rng
        locals = self.readable(type)
        if locals and self.chance(self.thirst):
            self.emit("local.get", rng.choice(locals))
        else:
            globals = [i for i, g in enumerate(self.s.globals) if self.fits(g.type, type)]
            if globals and self.chance(0.15):
                self.emit("global.get", rng.choice(globals))
            elif isinstance(type, NumType):
                self.code.append(const(type, constant(rng, type)))
                self.budget -= 1
            elif type == FUNCREF and self.chance(0.7):
                self.emit("ref.func", rng.randrange(len(self.s.funcs)))
            else:
                self.made(type)
        self.push(type)

    def made(self, type: RefType) -> None:
        """A reference out of nothing; not pushed."""
        self.emit("ref.null", type.heap)

    def tree(self, type: ValType) -> None:
        rng = self.rng
        roll = rng.random()
        if roll < 0.12:
            self.select(type)
        elif roll < 0.24 and (locals := [i for i, t in enumerate(self.locals) if t == type]):
            self.take((type,))
            index = rng.choice(locals)
            self.emit("local.tee", index)
            self.unset.discard(index)
            self.push(type)
        elif roll < 0.34:
            params = tuple(self.s.pick() for _ in range(rng.choice((0, 0, 0, 1, 2))))
            self.block(rng.choice(("block", "if", "if", "loop")), FuncType(params, (type,)))
        elif roll < 0.40 and (funcs := [i for i in range(len(self.s.funcs)) if self.s.func_type(i).results == (type,)]):
            self.call(rng.choice(funcs))
        elif roll < 0.45 and (types := [i for i, t in self.s.signatures() if t.results == (type,)]):
            if not self.call_indirect(rng.choice(types)):
                self.leaf(type)
        elif type == I32 and roll < 0.7:
            self.condition()
        elif isinstance(type, RefType):
            self.reference(type)
        else:
            self.numeric(type)

    def numeric(self, type: ValType) -> None:
        rows = BY_RESULT[type]
        op, takes = self.rng.choice(rows)
        if op.name in TRUNCATES and self.chance(0.9):
            op, takes = self.rng.choice(rows)
        if not self.s.mems and "memarg" in op.immediates:
            self.leaf(type)
        else:
            self.plain(op, takes, (type,))

    def reference(self, type: RefType) -> None:
        tables = [i for i, t in enumerate(self.s.tables) if t.ref == type]
        if not tables:
            self.leaf(type)
            return
        table = self.rng.choice(tables)
        self.index(table)
        self.emit("table.get", table)
        self.push(type)

    def index(self, table: int) -> None:
        """An index into a table, mostly inside; it is taken off."""
        low = self.s.tables[table].limits.min
        if self.chance(0.9) and low:
            self.code.append(const(I32, self.rng.randrange(low)))
        else:
            self.value(I32)
            self.stack.pop()

    def condition(self) -> None:
        """An i32 for a branch: a comparison as often as not, eqz around it now and then."""
        if self.chance(0.25):
            self.take((I32,))
            self.emit("i32.eqz")
            self.push(I32)
        elif self.chance(0.12):
            self.take((I64,))
            self.emit("i64.eqz")
            self.push(I32)
        elif self.chance(0.1):
            kind = self.rng.choice((FUNCREF, EXTERNREF))
            self.take((kind,))
            self.emit("ref.is_null")
            self.push(I32)
        else:
            op, takes = self.rng.choice(COMPARE)
            self.plain(op, takes, (I32,))

    def select(self, type: ValType) -> None:
        self.take((type, type))
        self.push(type, type)
        self.test()
        del self.stack[-3:]
        if isinstance(type, RefType) or self.chance(0.3):
            self.emit("select_t", (type,))
        else:
            self.emit("select")
        self.push(type)

    def test(self) -> None:
        """Push a condition, without taking what is there."""
        floor, self.floor = self.floor, len(self.stack)
        if self.budget > 0 and self.chance(0.6):
            self.depth += 1
            self.condition()
            self.depth -= 1
        else:
            self.value(I32)
        self.floor = floor

    def call(self, index: int) -> None:
        type = self.s.func_type(index)
        self.take(type.params)
        self.emit("call", index)
        self.push(*type.results)

    def call_indirect(self, type_index: int) -> bool:
        tables = [i for i, t in enumerate(self.s.tables) if self.fits(t.ref, FUNCREF)]
        if not tables:
            return False
        type = self.s.signature(type_index)
        table = self.rng.choice(tables)
        self.take(type.params)
        self.push(*type.params)
        fitting = [i for i, f in enumerate(self.s.filled) if self.s.func_type(f) == type]
        if table == 0 and fitting and self.chance(0.9):
            self.code.append(const(I32, self.rng.choice(fitting)))
        else:
            self.index(table)
        del self.stack[len(self.stack) - len(type.params) :]
        self.emit("call_indirect", type_index, table)
        self.push(*type.results)
        return True

    @abstractmethod
    def block(self, kind: str, type: FuncType) -> None:
        """block, loop or if of a type: takes its parameters and pushes its results."""
