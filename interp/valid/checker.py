"""The state of checking one body (specification, appendix 7.3): operand types and control frames.

On the operand stack None is Unknown, the bottom type that dead code conjures up. A v128 takes two cells, everything
else one, Unknown included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NoReturn, overload

from interp.syntax.errors import body_error
from interp.syntax.types import I32, I64, BlockType, FuncType, HeapType, NumType, RefType, ValType

from .context import Context

_EMPTY = FuncType()
#: Frames that keep a caught exception.
HANDLERS = frozenset({"catch", "catch_all"})

#: A type on the operand stack; None is Unknown.
Operand = ValType | None
Types = Sequence[ValType]


class Frame:
    """A control frame: the opcode's name, types at its start and end, the stack below it, whether its rest is dead.

    `inits` is how many locals were set before that had to be, `caught` how many handlers a legacy try has so far.
    """

    __slots__ = ("caught", "cells", "dead", "end", "height", "inits", "name", "start")

    def __init__(self, name: str, start: Types, end: Types, height: int, cells: int, inits: int = 0) -> None:
        self.name = name
        self.start = start
        self.end = end
        self.height = height
        self.cells = cells
        self.inits = inits
        self.caught = 0
        self.dead = False

    @property
    def label(self) -> Types:
        """What a branch to this frame carries."""
        return self.start if self.name == "loop" else self.end


def plural(types: Types) -> str:
    """Types as messages write them."""
    return "[" + " ".join(map(str, types)) + "]"


def is_defaultable(type: ValType) -> bool:
    """Whether a local of this type has a value before it is set."""
    return not isinstance(type, RefType) or type.nullable


class LocalTypes(Sequence[ValType]):
    """Many locals by their runs: a body of ten bytes can declare 50,000, a module can have a million such bodies."""

    def __init__(self, runs: Sequence[tuple[int, ValType]]) -> None:
        self._types = [type for _, type in runs]
        self._ends = list(accumulate(count for count, _ in runs))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> ValType: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ValType]: ...
    def __getitem__(self, index: int | slice) -> ValType | Sequence[ValType]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._types[bisect_right(self._ends, range(len(self))[index])]


#: More locals than this are looked up in their runs.
_FEW = 500


class Checker:
    """Operands and frames of one body.

    `locals` are the declared ones as runs of (how many, type); `start` is the offset for what is wrong with the whole.
    """

    def __init__(
        self, context: Context, type: FuncType, locals: Sequence[tuple[int, ValType]], where: str = "", start: int = -1
    ) -> None:
        self.c = context
        self.results = type.results
        runs = [*((1, param) for param in type.params), *locals]
        few = sum(count for count, _ in runs) <= _FEW
        self.locals: Sequence[ValType] = (
            [value for count, value in runs for _ in range(count)] if few else LocalTypes(runs)
        )
        self.local_cells = sum(count * value.cells for count, value in runs)
        #: Locals without a default that were not set so far, and those that were, in order.
        self.unset: set[int] = set()
        self.inits: list[int] = []
        if any(not is_defaultable(value) for _, value in locals):
            self._find_unset(len(type.params), locals)
        self.where = where
        self.start = start
        self.at = start
        self.stack: list[Operand] = []
        self.frames = [Frame("func", (), type.results, 0, 0)]
        self.base = 0
        self.cells = 0
        self.top = 0
        #: How many handlers of the legacy proposal are open, and the most that were at once.
        self.caught = 0
        self.most_caught = 0

    @property
    def frame_cells(self) -> int:
        """Parameters, locals, the highest operand stack, and a cell for each exception kept at once."""
        return self.local_cells + self.top + self.most_caught

    def fail(self, id: str, a: object = "", b: object = "") -> NoReturn:
        """Raise an error of BODY_ERRORS at the current instruction."""
        raise body_error(id, self.at, a, b, self.where)

    # Operands.

    def push(self, type: Operand) -> None:
        """Push one operand."""
        self.stack.append(type)
        self.cells += 1 if type is None else type.cells

    def push_all(self, types: Iterable[ValType]) -> None:
        """Push operands, the last one ends on top."""
        for type in types:
            self.push(type)

    def pop(self, wanted: str = "a value") -> Operand:
        """Pop any operand; `wanted` is for the message."""
        if len(self.stack) == self.base:
            if self.frames[-1].dead:
                return None
            self.fail("type_mismatch", wanted, "empty")
        type = self.stack.pop()
        self.cells -= 1 if type is None else type.cells
        return type

    def expect(self, want: ValType) -> Operand:
        """Pop an operand of a type; gives what was there."""
        if len(self.stack) == self.base:
            if self.frames[-1].dead:
                return None
            self.fail("type_mismatch", want, "empty")
        found = self.pop()
        if found is not want and found is not None and found != want and not self.c.subtyping.value(found, want):
            self.fail("type_mismatch", want, found)
        return found

    def pop_ref(self) -> RefType:
        """Pop any reference; out of dead code comes one of the bottom heap type."""
        found = self.pop("a reference")
        if found is None:
            return RefType(False, "bot")
        if not isinstance(found, RefType):
            self.fail("type_mismatch", "a reference", found)
        return found

    def pop_all(self, types: Types) -> list[Operand]:
        """Pop operands of these types, the last one first; gives what was there."""
        return [self.expect(type) for type in reversed(types)][::-1]

    # Control frames.

    def enter(self, name: str, start: Types, end: Types) -> None:
        """Push a control frame and the operands that it begins with."""
        if len(self.frames) > self.c.limits.nesting:
            self.fail("nesting_limit")
        self.base = len(self.stack)
        if name in HANDLERS:
            self.caught += 1
            self.most_caught = max(self.most_caught, self.caught)
        self.frames.append(Frame(name, start, end, self.base, self.cells, len(self.inits)))
        self.push_all(start)

    def leave(self) -> Frame:
        """Pop a control frame whose operands must be exactly those that it ends with."""
        frame = self.frames[-1]
        self.pop_all(frame.end)
        if len(self.stack) != frame.height:
            self.fail("type_mismatch_height")
        self.frames.pop()
        if frame.name in HANDLERS:
            self.caught -= 1
        self.base = self.frames[-1].height if self.frames else 0
        while len(self.inits) > frame.inits:
            self.unset.add(self.inits.pop())
        return frame

    def die(self) -> None:
        """What follows in this frame is dead."""
        frame = self.frames[-1]
        del self.stack[frame.height :]
        self.cells = frame.cells
        frame.dead = True

    def label(self, depth: int) -> Types:
        """The types of a label."""
        if depth >= len(self.frames):
            self.fail("unknown_label", depth)
        return self.frames[-1 - depth].label

    # Locals.

    def _find_unset(self, first: int, runs: Sequence[tuple[int, ValType]]) -> None:
        for count, type in runs:
            if not is_defaultable(type):
                self.unset.update(range(first, first + count))
            first += count

    def initialize(self, index: int) -> None:
        """Note that a local is set, until the end of the block."""
        if index in self.unset:
            self.unset.remove(index)
            self.inits.append(index)

    # The context.

    def matches(self, sub: ValType, sup: ValType) -> bool:
        """Subtyping."""
        return self.c.subtyping.value(sub, sup)

    def type(self, index: int) -> int:
        """A type index that must be there."""
        if index >= len(self.c.types):
            self.fail("unknown_type", index)
        return index

    def heap(self, heap: HeapType) -> HeapType:
        """A heap type whose index, if it is one, must be there."""
        return self.type(heap) if isinstance(heap, int) else heap

    def value_type(self, type: ValType) -> ValType:
        """A value type, likewise."""
        if isinstance(type, RefType):
            self.heap(type.heap)
        return type

    def func_type(self, index: int) -> FuncType:
        """A function type by type index."""
        type = self.c.types[self.type(index)]
        if not isinstance(type, FuncType):
            self.fail("not_a_function_type", index)
        return type

    def block_type(self, type: BlockType) -> FuncType:
        """A block type as a function type."""
        if type.value is None:
            return _EMPTY
        if isinstance(type.value, int):
            return self.func_type(type.value)
        return FuncType((), (self.value_type(type.value),))

    def address(self, mem: int) -> NumType:
        """The type of addresses of a memory."""
        if mem >= len(self.c.mems):
            self.fail("unknown_memory", mem)
        return I64 if self.c.mems[mem].limits.index == "i64" else I32
