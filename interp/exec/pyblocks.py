"""Control flow as Python: blocks, loops, branches (see pylower.py for the scheme)."""

from __future__ import annotations

from interp.syntax.instructions import Ins

from .code import block_type
from .pyoperands import MOST_LOOPS, MOST_TARGETS, Label, NotLowered, Operands, While, kind
from .pyvalues import Value, canonical, whole


class Blocks(Operands):
    """The part that writes blocks and branches.

    `dispatcher` is the loop over the program counter, `dispatch` what a branch from within other loops goes through to
    reach it, whatever its place.
    """

    # -- branches ------------------------------------------------------------------------------------------------

    def carry(self, label: Label) -> None:
        """Put the values that a branch carries where the target has them."""
        count = len(label.types)
        low = len(self.stack) - count
        names, texts = [], []
        for i in range(count):
            v = canonical(self.stack[low + i])
            if v.text != f"s{label.height + i}":
                names.append(f"s{label.height + i}")
                texts.append(v.text)
        if names:
            self.line(f"{', '.join(names)} = {', '.join(texts)}")

    def branch(self, depth: int) -> None:
        """Write a taken branch; the operands stay."""
        label = self.labels[-1 - depth]
        if label.kind == "func":
            self.give()
            return
        self.carry(label)
        if label.kind == "loop":
            self.line("n -= 1")
            self.line("if n < 0: n = MORE(n, 1)")
        label.reached = True
        loop = label.loop
        if loop is None:
            raise NotLowered("branch")
        if label.place >= 0:
            self.line(f"p = {label.place}")
            label = self.dispatch
        if loop is self.whiles[-1]:
            self.line("continue" if label.kind == "loop" else "break")
        else:
            self.flags = True
            if label not in self.whiles[-1].through:
                self.whiles[-1].through.append(label)
            self.line(f"b = {label.number}")
            self.line("break")

    def give(self) -> None:
        """Write the return of the topmost operands."""
        count = len(self.results)
        values = [canonical(v).text for v in self.stack[len(self.stack) - count :]] if count else []
        if self.counts:
            self.line("A[0] = n")
        self.line(f"return {', '.join(values)}" if count != 1 else f"return {values[0]}")

    def return_(self) -> None:
        """The end of the function."""
        self.give()

    def dead(self) -> None:
        """Skip to the end or else of the innermost block, whose rest is dead."""
        nested = 0
        while True:
            self.pc += 1
            name = self.body[self.pc].op.name
            if name in ("block", "loop", "if"):
                nested += 1
            elif name == "end":
                if nested == 0:
                    break
                nested -= 1
            elif name == "else" and nested == 0:
                break
        if len(self.labels) == 1:
            self.pc = len(self.body)  # nothing after it
            return
        self.at = self.body[self.pc].at
        if self.body[self.pc].op.name == "else":
            self.else_(live=False)
        else:
            self.end(live=False)

    # -- blocks --------------------------------------------------------------------------------------------------

    def open_while(self) -> While:
        """`while True:`"""
        loop = While()
        self.line("while True:")
        self.deeper()
        self.whiles.append(loop)
        if len(self.whiles) > MOST_LOOPS:
            raise NotLowered("loops")
        return loop

    def close_while(self, loop: While) -> None:
        """After a Python loop: branches that go on outward."""
        self.indent -= 1
        self.whiles.pop()
        if not loop.through:
            return
        parent = self.whiles[-1]
        self.line("if b:")
        self.deeper()
        here = [label for label in loop.through if label.loop is parent]
        further = [label for label in loop.through if label.loop is not parent]
        for label in here:
            if further or len(here) > 1:
                self.line(f"if b == {label.number}:")
                self.deeper()
            self.line("b = 0")
            self.line("continue" if label.kind == "loop" else "break")
            if further or len(here) > 1:
                self.indent -= 1
        if further:
            self.line("break")
        for label in further:
            if label not in parent.through:
                parent.through.append(label)
        self.indent -= 1

    def enter(self, ins: Ins) -> None:
        """block and loop."""
        type = block_type(self.module, ins.imm[0])
        pc = self.pc
        name = ins.op.name
        height = len(self.stack) - len(type.params)
        params, results = [kind(t) for t in type.params], [kind(t) for t in type.results]
        self.made += 1
        label = Label(self.made, name, height, params if name == "loop" else results, results)
        branches = self.branches.get(pc)
        if branches:
            self.settle()
            if name == "block":
                label.alias_of = self._stand_in(pc, branches, len(results))
            if label.alias_of >= 0:
                pass
            else:
                if name == "loop":
                    self.params_settled(height)
                label.loop = self.open_while()
                for outer in self.labels:
                    if outer.alias_of == pc:
                        outer.loop = label.loop
                        if outer.height != height:
                            raise NotLowered("alias")
        self.labels.append(label)

    def params_settled(self, height: int) -> None:
        """The operands that a loop takes are in their variables, since a branch puts new ones there."""
        for position in range(height, len(self.stack)):
            v = self.name(position)
            exact = canonical(v)
            if exact.text != v.text:
                self.line(f"{v.text} = {exact.text}")
            self.stack[position] = whole(v.text, v.type)

    def _stand_in(self, pc: int, branches: list[int], arity: int) -> int:
        """The loop or block right within this one and as long, whose `while` will do for both; -1 if there is none."""
        inner = pc + 1
        ins = self.body[inner]
        if ins.op.name not in ("loop", "block") or inner not in self.branches or self.ends[inner] + 1 != self.ends[pc]:
            return -1
        type = block_type(self.module, ins.imm[0])
        if type.params or len(type.results) != arity or block_type(self.module, self.body[pc].imm[0]).params:
            return -1
        if ins.op.name == "block":
            further = self._stand_in(inner, branches, arity)
            if self._stand_in(inner, self.branches[inner], arity) >= 0:
                return further
        return inner

    def if_(self, ins: Ins) -> None:
        """if: the condition decides, both arms leave their results in the same variables."""
        type = block_type(self.module, ins.imm[0])
        condition = self.condition()
        height = len(self.stack) - len(type.params)
        results = [kind(t) for t in type.results]
        self.made += 1
        label = Label(self.made, "if", height, results, results)
        if self.pc in self.branches:
            label.loop = self.open_while()
            label.wrapped = True
        self.line(f"if {condition.truth}:")
        self.deeper()
        label.saved = list(self.stack)
        label.begun = len(self.lines)
        self.labels.append(label)

    def condition(self) -> Value:
        """Pop a condition and settle what lies below; where that would change what it reads, it gets a name first."""
        position = len(self.stack) - 1
        self.stack[position] = canonical(self.stack[position])
        reads = self.stack[position].reads
        if any(f"s{p}" in reads for p in range(position)):
            self.name(position)
        self.settle(position)
        return self.stack.pop()

    def else_(self, *, live: bool) -> None:
        """The end of the first arm."""
        label = self.labels[-1]
        if live:
            self.carry_results(label)
            label.reached = True
        if len(self.lines) == label.begun:
            self.line("pass")
        self.indent -= 1
        self.line("else:")
        self.deeper()
        label.else_seen = True
        label.begun = len(self.lines)
        self.stack = list(label.saved)

    def carry_results(self, label: Label) -> None:
        """Fall out of a block: its results go to their variables."""
        kept = label.types
        label.types = label.results
        self.carry(label)
        label.types = kept

    def end(self, *, live: bool) -> None:
        """The end of a block."""
        label = self.labels.pop()
        if label.kind == "if":
            self._end_if(label, live)
            return
        if label.loop is None or label.alias_of >= 0:
            if label.alias_of >= 0 and (label.reached or live):
                if live:
                    self.carry_results(label)
                self.come_together(label)
                return
            if not live:
                self.stay_dead()
            return
        if live:
            self.carry_results(label)
            self.line("break")
        self.close_while(label.loop)
        outside = label.reached and label.kind == "block"
        aliased = any(outer.loop is label.loop and outer.reached for outer in self.labels)
        if live or outside:
            self.come_together(label)
        elif aliased:
            self.stay_dead()  # the end of the aliased block follows at once, and is reached
        else:
            self.stay_dead()

    def come_together(self, label: Label) -> None:
        """After a block that was left in several ways: its results are in their variables."""
        del self.stack[label.height :]
        for i, type in enumerate(label.results):
            self.stack.append(whole(f"s{label.height + i}", type))

    def stay_dead(self) -> None:
        """What follows is dead as well."""
        self.dead()

    def _end_if(self, label: Label, live: bool) -> None:
        if live:
            self.carry_results(label)
        if len(self.lines) == label.begun:
            self.line("pass")
        self.indent -= 1
        if not label.else_seen:
            live = True  # the condition was zero; the parameters are the results
            self.stack = list(label.saved)
            if label.results:
                low = label.height
                names = [v for i, v in enumerate(self.stack[low:]) if v.text != f"s{low + i}"]
                if names:
                    self.line("else:")
                    self.deeper()
                    self.carry_results(label)
                    self.indent -= 1
        if label.wrapped and label.loop is not None:
            if live or label.reached:
                self.line("break")
            self.close_while(label.loop)
        if live or label.reached:
            self.come_together(label)
        else:
            self.stay_dead()

    def br(self, ins: Ins) -> None:
        """br."""
        self.branch(ins.imm[0])
        self.dead()

    def br_if(self, ins: Ins) -> None:
        """br_if: what it carries is read in the taken case only."""
        condition = self.popc()
        self.line(f"if {condition.truth}:")
        self.deeper()
        self.branch(ins.imm[0])
        self.indent -= 1

    def br_table(self, ins: Ins) -> None:
        """br_table: a binary search over runs of equal targets, or over the targets."""
        position = len(self.stack) - 1
        self.stack[position] = canonical(self.stack[position])
        self.simple(position)
        index = self.pop().text
        depths: tuple[int, ...] = ins.imm[0]
        runs: list[tuple[int, int]] = []  # from this index on, to that depth
        for i, depth in enumerate(depths):
            if not runs or runs[-1][1] != depth:
                runs.append((i, depth))
        targets = dict.fromkeys(depths)
        if len(runs) > 2 * len(targets):  # fewer lines by a table of which target it is
            if len(depths) > MOST_TARGETS:
                raise NotLowered("br_table")
            order = {depth: i for i, depth in enumerate(targets)}
            cases = [order[depth] for depth in depths]
            self.line(f"t = {tuple(cases)}[{index}] if {index} < {len(cases)} else {cases[-1]}")
            index, runs = "t", [(i, depth) for i, depth in enumerate(targets)]
        self._search(index, runs)
        self.dead()

    def _search(self, index: str, runs: list[tuple[int, int]]) -> None:
        if len(runs) == 1:
            self.branch(runs[0][1])
            return
        middle = len(runs) // 2
        self.line(f"if {index} < {runs[middle][0]}:")
        self.deeper()
        self._search(index, runs[:middle])
        self.indent -= 1
        self._search(index, runs[middle:])
