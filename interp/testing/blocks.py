"""Random blocks: what opens and closes them, and how operands that wait are used up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from interp.syntax.instructions import BY_NAME, Ins
from interp.syntax.types import I32, BlockType, FuncType, ValType

from .rows import PLAIN
from .shape import END, const
from .values import Label, Values


class Blocks(Values):
    """The part that writes blocks."""

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

    def die(self) -> None:
        """What follows in this block is dead."""
        label = self.labels[-1]
        label.dead = True
        del self.stack[label.height :]

    def branch(self, depth: int) -> None:
        """A branch that is always taken."""
        self.take(self.labels[-1 - depth].types)
        self.emit("br", depth)
        self.die()

    @abstractmethod
    def statement(self) -> None:
        """Something that may use the operands that wait, and may leave more of them."""
