"""Random well-typed bodies, straight from THE TABLE: statements, by how often they come.

`value` pushes one value of a type and leaves what is below alone (values.py); `statement` may take what is there, and
leaves results for later statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.module import Expr
from interp.syntax.types import I32, I64, BlockType, FuncType, NumType, ValType

from .blocks import Blocks
from .rows import ATOMIC, BINARY, PLAIN, STORES, TRUNCATES, WIDE
from .shape import END, const
from .values import Label

#: Statements, and how often each is taken.
Weighted = tuple[list[Callable[[Any], None]], list[int]]


def weighted(rows: Sequence[tuple[Callable[[Any], None], int]]) -> Weighted:
    """Rows as two lists."""
    return [statement for statement, _ in rows], [weight for _, weight in rows]


class Body(Blocks):
    """One body in the making."""

    STATEMENTS: ClassVar[Weighted]

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
        elif (op.immediates and not self.s.mems) or (op.name in TRUNCATES and self.chance(0.8)):
            self._some_values()
        else:
            self.plain(op, takes, gives)

    def _proposal(self) -> None:
        """A row of a proposal, of which there are too many or too few to come by chance."""
        op, takes, gives = self.rng.choice(ATOMIC if self.s.mems and self.chance(0.7) else WIDE)
        self.plain(op, takes, gives)

    def _store(self) -> None:
        if self.s.mems:
            op, takes = self.rng.choice(STORES)
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
        numbers = [i for i, t in enumerate(self.locals) if t in BINARY]
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
            self.emit(rng.choice(BINARY[type]))
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
