"""Random well-typed bodies, straight from THE TABLE.

The generator knows the operand stack's types as a validator does. `value` pushes one value of a type and leaves what is
below alone; `statement` may take what is there, and leaves results for later statements: operands that wait, as locals
and constants do in an engine that names them instead of copying them, are where lowering goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, ClassVar

from interp.syntax.features import WASM_2, Feature
from interp.syntax.instructions import BY_NAME, OPS, Ins, MemArg, Op
from interp.syntax.module import Expr
from interp.syntax.types import (
    EXTERNREF,
    F64,
    FUNCREF,
    I32,
    I64,
    NUM_TYPES_BY_NAME,
    BlockType,
    FuncType,
    NumType,
    RefType,
    ValType,
)

from .shape import END, Shape, const, constant

#: What random programs use.
RUNNABLE = WASM_2 | {Feature.WIDE_ARITHMETIC, Feature.THREADS, Feature.CUSTOM_PAGE_SIZES}


def _types(names: tuple[str, ...]) -> tuple[ValType, ...]:
    return tuple(I32 if name == "addr" else NUM_TYPES_BY_NAME[name] for name in names)


#: Plain rows: numeric instructions and memory accesses, with operands and results as types.
PLAIN = [
    (op, _types(op.params), _types(op.results))
    for op in OPS
    if op.feature in RUNNABLE
    and op.params is not None
    and op.results is not None
    and not any(kind in ("data", "i32", "i64", "f32", "f64", "v128") for kind in op.immediates)
    and op.name not in ("memory.copy", "nop")
]
_BY_RESULT: dict[ValType, list[tuple[Op, tuple[ValType, ...]]]] = {}
for _op, _takes, _gives in PLAIN:
    if len(_gives) == 1 and _op.immediates != ("mem",):
        _BY_RESULT.setdefault(_gives[0], []).append((_op, _takes))
_COMPARE = [(op, takes) for op, takes in _BY_RESULT[I32] if op.group.startswith("Numeric instructions: comparisons")]
_DIVIDES = frozenset(f"{t}.{op}_{s}" for t in ("i32", "i64") for op in ("div", "rem") for s in "su")
#: Instructions for the locals of a kernel: two of a type give one of it, and none traps.
_BINARY: dict[ValType, list[str]] = {
    t: [op.name for op, takes in _BY_RESULT[t] if takes == (t, t) and not op.immediates and op.name not in _DIVIDES]
    for t in (I32, I64, F64)
}
_WIDE = [(op, takes, gives) for op, takes, gives in PLAIN if len(gives) > 1]
_ATOMIC = [(op, takes, gives) for op, takes, gives in PLAIN if op.atomic]
_STORES = [(op, takes) for op, takes, gives in PLAIN if not gives and op.immediates and op.immediates != ("mem",)]
_TRUNCATES = frozenset(op.name for op in OPS if ".trunc_f" in op.name)


#: Statements, and how often each is taken.
Weighted = tuple[list[Callable[[Any], None]], list[int]]


def weighted(rows: Sequence[tuple[Callable[[Any], None], int]]) -> Weighted:
    """Rows as two lists."""
    return [statement for statement, _ in rows], [weight for _, weight in rows]


class Label:
    """An open block: what a branch to it carries, the stack below it, its kind, whether the rest of it is dead."""

    def __init__(self, types: tuple[ValType, ...], height: int, loop: bool, kind: str = "") -> None:
        self.kind = kind
        self.types = types
        self.height = height
        self.loop = loop
        self.dead = False


class Body:
    """One body in the making. `budget` is about how many instructions it may have."""

    STATEMENTS: ClassVar[Weighted]

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
        if op.name in _DIVIDES and self.chance(0.85):
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
        rows = _BY_RESULT[type]
        op, takes = self.rng.choice(rows)
        if op.name in _TRUNCATES and self.chance(0.9):
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
            op, takes = self.rng.choice(_COMPARE)
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

    # -- blocks --------------------------------------------------------------------------------------------------

    def block(self, kind: str, type: FuncType) -> None:
        """block, loop or if of a type: takes its parameters and pushes its results."""
        rng = self.rng
        self.take(type.params)
        self.push(*type.params)
        if kind == "if":
            self.test()
            self.stack.pop()
        height = len(self.stack) - len(type.params)
        if not type.params and len(type.results) < 2 and self.chance(0.8):
            shown = BlockType(type.results[0] if type.results else None)
        else:
            shown = BlockType(self.s.type_index(type))
        self.emit(kind, shown)
        floor, unset = self.floor, set(self.unset)
        counter = self._arm(kind, type, height, rng.randrange(4))
        if kind == "loop" and counter is not None:
            self.emit("br_if", 0)  # the parameters are on the stack, as the label wants them
        if kind == "if" and (type.params != type.results or self.chance(0.5)):
            self._close(type.results, height)
            self.emit("else")
            self.unset = set(unset)
            del self.stack[height:]
            self.push(*type.params)
            self._arm("else", type, height, rng.randrange(3))
        self._close(type.results, height)
        self.code.append(END)
        self.unset = unset
        del self.stack[height:]
        self.push(*type.results)
        self.floor = floor

    def _arm(self, kind: str, type: FuncType, height: int, statements: int) -> int | None:
        """The instructions of an arm; its label stays open. A loop may end in a branch back while it counts down."""
        loop = kind == "loop"
        self.labels.append(Label(type.params if loop else type.results, height, loop, kind))
        self.floor = height
        for _ in range(statements):
            self.statement()
        if not loop:
            return None
        counters = self.writable(I32)
        label = self.labels[-1]
        if not counters or label.dead or self.chance(0.3):
            return None
        self.settle(type.params, height)
        counter = self.rng.choice(counters)
        self.emit("local.get", counter)
        self.code.append(const(I32, self.rng.choice((1, 1, 3))))
        self.emit("i32.sub")
        self.emit("local.tee", counter)
        if self.chance(0.7):
            self.code += [const(I32, self.rng.choice((7, 15))), Ins(BY_NAME["i32.and"])]
        if self.chance(0.3):
            self.code += [const(I32, 2), Ins(BY_NAME["i32.gt_s"])]
        return counter

    def _close(self, results: tuple[ValType, ...], height: int) -> None:
        """Leave the results and nothing else, or dead code that need not."""
        label = self.labels[-1]
        self.floor = height
        if label.dead:
            self.junk()
            if len(self.stack) > height:
                self.code.append(Ins(BY_NAME["unreachable"]))
                del self.stack[height:]
            keep = self.rng.randrange(len(results) + 1)
            for type in results[len(results) - keep :]:
                self.leaf(type)
        elif not label.loop and self.stack[height:] != list(results) and len(self.labels) > 1 and self.chance(0.15):
            self.branch(0)
        else:
            self.settle(results, height)
        self.labels.pop()

    def settle(self, types: Sequence[ValType], height: int) -> None:
        """Make the stack above `height` exactly these types, by using up what is there."""
        if self.stack[height:] == list(types) and self.chance(0.8):
            return
        while len(self.stack) > height:
            self.consume()
        for type in types:
            self.value(type)

    def consume(self) -> None:
        """Use up the topmost operand."""
        type = self.stack.pop()
        locals = self.writable(type)
        if locals and self.chance(0.5):
            index = self.rng.choice(locals)
            self.emit("local.set", index)
            self.unset.discard(index)
        elif globals := [
            i for i, g in enumerate(self.s.globals) if self.fits(type, g.type) and g.mutable and self.chance(0.5)
        ]:
            self.emit("global.set", self.rng.choice(globals))
        else:
            self.emit("drop")

    def junk(self) -> None:
        """Instructions that only dead code may have: their operands come from nowhere."""
        for _ in range(self.rng.choice((0, 0, 1, 3))):
            base = self.labels[-1].height
            op, takes, gives = self.rng.choice(PLAIN)
            if op.immediates and not self.s.mems:
                continue
            if self.chance(0.2):
                self.emit("drop")
                del self.stack[max(base, len(self.stack) - 1) :]
                continue
            if self.chance(0.1) and len(self.stack) == base:
                self.emit("select")
                self.emit("drop")
                continue
            have = self.stack[base:][-len(takes) :] if takes else []
            deeper = len(self.stack) - base > len(have)
            if have != list(takes[len(takes) - len(have) :]) or (len(have) < len(takes) and deeper):
                continue
            del self.stack[len(self.stack) - len(have) :]
            self.emit(op.name, *(self.immediate(op, kind) for kind in op.immediates))
            self.push(*gives)

    # -- statements ----------------------------------------------------------------------------------------------

    def statement(self) -> None:
        """Something that may use the operands that wait, and may leave more of them."""
        if self.budget <= 0:
            return
        self.depth += 1
        self.rng.choices(*self.STATEMENTS)[0](self)
        self.depth -= 1
        base = max(self.labels[-1].height, self.floor)
        while len(self.stack) - base > 14:
            self.consume()

    def die(self) -> None:
        label = self.labels[-1]
        label.dead = True
        del self.stack[label.height :]

    def branch(self, depth: int) -> None:
        self.take(self.labels[-1 - depth].types)
        self.emit("br", depth)
        self.die()

    def _some_values(self) -> None:
        for _ in range(self.rng.choice((1, 2, 4))):
            self.value(self.s.pick())

    def _some_locals(self) -> None:
        if self.locals:
            for _ in range(self.rng.choice((1, 2, 3, 6, 20))):
                index = self.rng.randrange(len(self.locals))
                if index not in self.unset:
                    self.emit("local.get", index)
                    self.push(self.locals[index])

    def _set(self) -> None:
        if self.locals:
            index = self.rng.randrange(len(self.locals))
            self.take((self.locals[index],))
            if self.chance(0.3):
                self.emit("local.tee", index)
                self.push(self.locals[index])
            else:
                self.emit("local.set", index)
            self.unset.discard(index)

    def _set_global(self) -> None:
        mutable = [i for i, g in enumerate(self.s.globals) if g.mutable]
        if mutable:
            index = self.rng.choice(mutable)
            self.take((self.s.globals[index].type,))
            self.emit("global.set", index)

    def _plain(self) -> None:
        op, takes, gives = self.rng.choice(PLAIN)
        if op.name == "memory.fill":
            self._fill()
        elif op.name == "memory.grow":
            self._grow()
        elif (op.immediates and not self.s.mems) or (op.name in _TRUNCATES and self.chance(0.8)):
            self._some_values()
        else:
            self.plain(op, takes, gives)

    def _proposal(self) -> None:
        """A row of a proposal, of which there are too many or too few to come by chance."""
        op, takes, gives = self.rng.choice(_ATOMIC if self.s.mems and self.chance(0.7) else _WIDE)
        self.plain(op, takes, gives)

    def _store(self) -> None:
        if self.s.mems:
            op, takes = self.rng.choice(_STORES)
            self.plain(op, takes, ())

    def _some_block(self) -> None:
        rng = self.rng
        kind = rng.choice(("block", "block", "loop", "loop", "if", "if", "if"))
        base = max(self.labels[-1].height, self.floor)
        waiting = self.stack[base:]
        if waiting and self.chance(0.4):
            params = tuple(waiting[len(waiting) - rng.randrange(1, len(waiting) + 1) :][-5:])
        else:
            params = tuple(self.s.pick() for _ in range(rng.choice((0, 0, 1, 2) if kind != "if" else (0, 0, 1, 2, 3))))
        results = params if self.chance(0.3) else tuple(self.s.pick() for _ in range(rng.choice((0, 0, 1, 2, 3))))
        self.block(kind, FuncType(params, results))

    def _kernel(self) -> None:
        """A loop over a few locals, as compilers write them; a call in it makes an engine put its registers away."""
        rng = self.rng
        numbers = [i for i, t in enumerate(self.locals) if t in _BINARY]
        if not numbers:
            return
        hot = rng.sample(numbers, min(len(numbers), rng.choice((2, 3, 4, 6))))
        height = len(self.stack)
        floor, self.floor, unset = self.floor, height, set(self.unset)
        self.emit("loop", BlockType())
        self.labels.append(Label((), height, True))
        for _ in range(rng.randrange(4, 12)):
            index = rng.choice(hot)
            type = self.locals[index]
            same = [i for i in hot if self.locals[i] == type]
            self.emit("local.get", rng.choice(same))
            if self.chance(0.6):
                self.emit("local.get", rng.choice(same))
            else:
                self.leaf(type)
                self.stack.pop()
            self.emit(rng.choice(_BINARY[type]))
            self.emit("local.set", index)
            if self.chance(0.12):
                self.statement()
                if self.labels[-1].dead:
                    break
        dead = self.labels[-1].dead
        while len(self.stack) > height:
            self.consume()
        if not dead:
            self.condition()
            self.stack.pop()
            self.emit("br_if", 0)
        self.labels.pop()
        self.code.append(END)
        self.floor, self.unset = floor, unset

    def _some_call(self) -> None:
        self.call(self.rng.randrange(len(self.s.funcs)))

    def _some_call_indirect(self) -> None:
        self.call_indirect(self.rng.choice(self.s.signatures())[0])

    def _some_select(self) -> None:
        self.select(self.s.pick())

    def _br_if(self) -> None:
        depth = self.rng.randrange(len(self.labels))
        types = self.labels[-1 - depth].types
        self.take(types)
        self.push(*types)
        self.test()
        self.stack.pop()
        self.emit("br_if", depth)

    def _br_table(self) -> None:
        rng = self.rng
        default = rng.randrange(len(self.labels))
        types = self.labels[-1 - default].types
        same = [depth for depth, label in enumerate(reversed(self.labels)) if label.types == types]
        self.take(types)
        self.push(*types)
        if self.chance(0.7):
            self.take(())
            self.value(I32)
            self.code += [const(I32, 3), Ins(BY_NAME["i32.and"])]
        else:
            self.value(I32)
        self.emit("br_table", (*(rng.choice(same) for _ in range(rng.choice((0, 1, 2, 3, 5, 40)))), default))
        self.die()

    def _leave(self) -> None:
        roll = self.rng.random()
        if roll < 0.15:
            self.emit("unreachable")
            self.die()
        elif roll < 0.5:
            self.take(self.results)
            self.emit("return")
            self.die()
        else:
            self.branch(self.rng.randrange(len(self.labels)))

    def _pile(self) -> None:
        """Many operands at once, then all of them taken."""
        type = self.rng.choice((I32, I64))
        n = self.rng.choice((17, 18, 33, 70))
        for _ in range(n):
            self.leaf(type)
        if self.chance(0.5):
            self._set()
        base = len(self.stack) - n
        while len(self.stack) > max(base, self.labels[-1].height, self.floor) + 1 and self.stack[-2:] == [type, type]:
            self.emit(f"{type}.{self.rng.choice(('add', 'sub', 'xor', 'rotl'))}")
            self.stack.pop()

    def _grow(self) -> None:
        if self.s.mems:
            if self.chance(0.8):
                self.code.append(const(I32, self.rng.choice((0, 1, 1, 2))))
            else:
                self.value(I32)
                self.stack.pop()
            self.emit("memory.grow", 0)
            self.push(I32)

    def _three(self, middle: ValType, top: int) -> None:
        """Three operands of a bulk instruction, mostly small; taken off."""
        for type in (I32, middle, I32):
            if isinstance(type, NumType) and self.chance(0.93):
                self.code.append(const(type, self.rng.randrange(top)))
                self.push(type)
            else:
                self.value(type)
        del self.stack[-3:]

    def _fill(self) -> None:
        if self.s.mems:
            self._three(I32, self.rng.choice((20, 20, 9000)))
            self.emit("memory.fill", 0)

    def _bulk_memory(self) -> None:
        if not self.s.mems:
            return
        roll = self.rng.random()
        if roll < 0.5:
            self._three(I32, self.rng.choice((20, 20, 9000)))
            self.emit("memory.copy", 0, 0)
        elif self.s.datas and roll < 0.9:
            self._three(I32, 12)
            self.emit("memory.init", self.rng.randrange(len(self.s.datas)), 0)
        elif self.s.datas:
            self.emit("data.drop", self.rng.randrange(len(self.s.datas)))

    def _bulk_table(self) -> None:
        rng, s = self.rng, self.s
        if not s.tables:
            return
        x = rng.randrange(len(s.tables))
        ref = s.tables[x].ref
        elems = [i for i, e in enumerate(s.elems) if e.ref == ref]
        match rng.randrange(8):
            case 0:
                self.index(x)
                self.push(I32)
                self.value(ref)
                del self.stack[-2:]
                self.emit("table.set", x)
            case 1:
                self.emit("table.size", x)
                self.push(I32)
            case 2:
                self.value(ref)
                self.code.append(const(I32, rng.choice((0, 1, 2, 700))))
                self.stack.pop()
                self.emit("table.grow", x)
                self.push(I32)
            case 3:
                self._three(ref, 4)
                self.emit("table.fill", x)
            case 4 | 5:
                same = [i for i, t in enumerate(s.tables) if t.ref == ref]
                self._three(I32, 4)
                self.emit("table.copy", x, rng.choice(same))
            case 6 if elems:
                self._three(I32, 3)
                self.emit("table.init", rng.choice(elems), x)
            case _:
                if elems:
                    self.emit("elem.drop", rng.choice(elems))

    def _consume(self) -> None:
        if len(self.stack) > max(self.labels[-1].height, self.floor):
            self.consume()
        else:
            self.emit("nop")

    # -- all of it -----------------------------------------------------------------------------------------------

    def whole(self) -> Expr:
        """The body, `end` included."""
        for _ in range(self.rng.randrange(1, 9)):
            self.statement()
        self._close(self.results, 0)
        self.code.append(END)
        return tuple(self.code)


WEIGHTED: list[tuple[Callable[[Any], None], int]] = [
    (Body._some_values, 6),
    (Body._some_locals, 8),
    (Body._set, 12),
    (Body._set_global, 4),
    (Body._plain, 14),
    (Body._store, 6),
    (Body._proposal, 4),
    (Body._some_block, 16),
    (Body._kernel, 4),
    (Body._some_call, 5),
    (Body._some_call_indirect, 3),
    (Body._some_select, 4),
    (Body._br_if, 8),
    (Body._br_table, 3),
    (Body._leave, 2),
    (Body._pile, 1),
    (Body._grow, 2),
    (Body._fill, 1),
    (Body._bulk_memory, 2),
    (Body._bulk_table, 4),
    (Body._consume, 5),
]
Body.STATEMENTS = weighted(WEIGHTED)
