"""Blocks that would nest deeper than Python allows, as places of a program counter (engine contract 14).

A function that has such blocks is one `while True` around a binary search for `p`:

    while True:
     if p < 1:
      ...            # what comes before the first place; a branch to place 2 is `p = 2` and `continue`
     elif p < 2:
      ...

The start of a deep loop, the end of a deep block, the else and the end of a deep `if` are places; at each of them the
operands are in their variables. Blocks within that are not deep are written as anywhere else, and a branch out of their
`while` to a place sets `p` and breaks outward.
"""

from __future__ import annotations

from interp.syntax.instructions import Ins

from .code import block_type
from .pyblocks import Blocks
from .pyoperands import MOST_INDENT, MOST_LOOPS, Label, kind

#: In a function with a program counter, blocks that need more nested loops or indentation than this are its places.
NEAR_LOOPS = 6
NEAR_INDENT = 40
#: What a branch at the bottom of it all may indent in addition.
_BRANCH_INDENT = 6


class Counter(Blocks):
    """The part that writes blocks as places, and puts them together."""

    #: The deepest nesting of a function without a program counter: loops, and levels of indentation.
    most = MOST_LOOPS, MOST_INDENT - _BRANCH_INDENT
    near = NEAR_LOOPS, NEAR_INDENT

    def begin(self) -> None:
        """Before the first instruction: find the places."""
        self.head = len(self.lines)
        self.made_places = 0
        self.segments: list[tuple[int, int]] = []
        self.deep = self._find_deep()
        if self.deep:
            self.whiles.append(self.dispatcher)
            self._segment(self._place())

    def _find_deep(self) -> frozenset[int]:
        """The blocks, by position, that are places."""
        needs: dict[int, tuple[int, int]] = {}
        opened = [(-1, 0, 0)]

        def need(loops: int, indent: int) -> None:
            pc, most_loops, most_indent = opened[-1]
            opened[-1] = pc, max(most_loops, loops), max(most_indent, indent)

        for pc, ins in enumerate(self.body[:-1]):
            match ins.op.name:
                case "block" | "loop" | "if":
                    opened.append((pc, 0, 0))
                case "end":
                    start, loops, indent = opened.pop()
                    while_ = start in self.branches
                    needs[start] = loops + while_, indent + while_ + (self.body[start].op.name == "if")
                    need(*needs[start])
                case "br_table":
                    need(0, len(ins.imm[0]).bit_length())
        loops, indent = opened[0][1:]
        if loops <= self.most[0] and indent <= self.most[1]:
            return frozenset()
        return frozenset(
            start
            for start, (loops, indent) in needs.items()
            if (loops > self.near[0] or indent > self.near[1])
            and (start in self.branches or self.body[start].op.name == "if")
        )

    # -- places --------------------------------------------------------------------------------------------------

    def _place(self) -> int:
        self.made_places += 1
        return self.made_places - 1

    def _segment(self, place: int) -> None:
        """What follows is at a place."""
        self.segments.append((place, len(self.lines)))

    def _go(self, place: int) -> None:
        """Go on at a place; nothing follows in this segment."""
        self.line(f"p = {place}")

    def enter(self, ins: Ins) -> None:
        """block and loop."""
        if self.pc not in self.deep:
            super().enter(ins)
            return
        name = ins.op.name
        self.settle()
        label = self._label(ins, self._place())
        if name == "loop":
            self.params_settled(label.height)
            self._go(label.place)
            self._segment(label.place)
        self.labels.append(label)

    def _label(self, ins: Ins, place: int) -> Label:
        type = block_type(self.module, ins.imm[0])
        params, results = [kind(t) for t in type.params], [kind(t) for t in type.results]
        self.made += 1
        name = ins.op.name
        height = len(self.stack) - len(params)
        carried = params if name == "loop" else results
        return Label(self.made, name, height, carried, results, loop=self.dispatcher, place=place)

    def if_(self, ins: Ins) -> None:
        """if: the first arm follows at once, the other is at a place."""
        if self.pc not in self.deep:
            super().if_(ins)
            return
        condition = self.condition()
        label = self._label(ins, self._place())
        self.params_settled(label.height)
        if self.pc in self.elses:
            label.otherwise = self._place()
        else:
            label.otherwise = label.place
            label.reached = True
        self.line(f"if not ({condition.truth}):")
        self.deeper()
        self._go(label.otherwise)
        self.line("continue")
        self.indent -= 1
        label.saved = list(self.stack)
        self.labels.append(label)

    def else_(self, *, live: bool) -> None:
        """The end of the first arm."""
        label = self.labels[-1]
        if label.place < 0:
            super().else_(live=live)
            return
        if live:
            self.carry_results(label)
            label.reached = True
            self._go(label.place)
        self._segment(label.otherwise)
        self.stack = list(label.saved)

    def end(self, *, live: bool) -> None:
        """The end of a block."""
        label = self.labels[-1]
        if label.place < 0:
            super().end(live=live)
            return
        self.labels.pop()
        if label.kind == "loop":
            if not live:
                self.stay_dead()
            return
        if live:
            self.carry_results(label)
        if label.reached:
            if live:
                self._go(label.place)
            self._segment(label.place)
        if live or label.reached:
            self.come_together(label)
        else:
            self.stay_dead()

    # -- the whole -----------------------------------------------------------------------------------------------

    def assemble(self) -> None:
        """After the last instruction: the segments in the order of their places, within the search for `p`."""
        if not self.deep:
            return
        lines, places, calls = self.lines, self.places, self.calls
        self.lines, self.places = lines[: self.head], places[: self.head]
        self.calls = {line for line in calls if line <= self.head}
        ends = [start for _, start in self.segments[1:]] + [len(lines)]
        spans = sorted((place, start, end) for (place, start), end in zip(self.segments, ends, strict=True))

        def write(low: int, high: int) -> None:
            if high - low == 1:
                _, start, end = spans[low]
                margin = " " * (self.indent - 1)
                for i in range(start, end):
                    self.lines.append(margin + lines[i])
                    self.places.append(places[i])
                    if i + 1 in calls:
                        self.calls.add(len(self.lines))
                return
            middle = (low + high) // 2
            self.line(f"if p < {spans[middle][0]}:")
            self.deeper()
            write(low, middle)
            self.indent -= 1
            self.line("else:")
            self.deeper()
            write(middle, high)
            self.indent -= 1

        self.at = self.body[0].at
        self.line("p = 0")
        self.line("while True:")
        self.deeper()
        write(0, len(spans))
        self.indent -= 1
