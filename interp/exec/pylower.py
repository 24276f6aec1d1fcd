"""A function body as Python source: statements, control flow, places (engine contract 14).

Wasm locals are `l0`, `l1`, ...; the operand at height h is an expression, or the variable `s<h>`. Each statement that
can trap, call or run out of ticks has a line of its own, and the table of lines gives the byte offset of each.

A loop that is branched to is `while True`, left by `break` and repeated by `continue`; so is a block or `if`, but that
one is never repeated. A branch further out sets `b` to the target's number, breaks, and the code behind each `while` on
the way breaks on. CPython allows 20 nested loops and 99 levels of indentation: the outer blocks of a body that needs
more are places of a program counter (pycounter.py).

Ticks left are in `A[0]`, or, in functions with loops, in `n` between calls. `d` and `c` are the depth and the cells
left to the callee.
"""

from __future__ import annotations

from interp.syntax.instructions import Ins
from interp.syntax.types import FuncType

from .pyaccess import Accesses
from .pycounter import Counter
from .pyoperands import PROLOGUE, Label, NotLowered, Source, kind
from .pysteps import SIMPLE
from .pyvalues import PLAIN, TRAPPING, M, Value, canonical, helper, plain, signed, whole


class Lowering(Accesses, Counter):
    """Writes one function."""

    # -- the whole -----------------------------------------------------------------------------------------------

    def lower(self) -> Source:
        """The function. Raises NotLowered."""
        self._prologue()
        self.begin()
        self.labels = [Label(0, "func", 0, self.results, self.results)]
        body = self.body
        last = len(body) - 1
        while self.pc < last:
            ins = body[self.pc]
            self.at = ins.at
            self.step(ins)
            self.pc += 1
        if self.pc == last:
            self.at = body[last].at
            self.return_()
        self.assemble()
        if self.flags:
            head = self.head
            self.lines.insert(head, " b = 0")
            self.places.insert(head, PROLOGUE)
            self.calls = {line + 1 if line > head else line for line in self.calls}
        return Source(
            "\n".join(self.lines) + "\n", frozenset(self.names), self.places, frozenset(self.calls), self.counts
        )

    def _prologue(self) -> None:
        declared = len(self.locals) - self.params
        cost = 1 + (declared + 63) // 64
        params = "".join(f"l{i}, " for i in range(self.params))
        self.indent = 0
        self.line(f"def F{self.index}({params}d, c):")
        self.indent = 1
        self.line(f"n = A[0] - {cost}")
        self.line(f"if n < 0: n = MORE(n, {cost})")
        if not self.counts:
            self.line("A[0] = n")
        if self.leaf:
            self.line(f"if d < 1 or c < {self.cells}: EXHAUST(n, d - 1)")
        else:
            self.line("d -= 1")
            self.line(f"c -= {self.cells}")
            self.line("if d < 0 or c < 0: EXHAUST(n, d)")
        for zero, types in (("0", ("i32", "i64", "f32", "ref", "v128")), ("0.0", ("f64",))):
            names = [f"l{i}" for i in range(self.params, len(self.locals)) if self.locals[i] in types]
            for first in range(0, len(names), 50):
                self.line(" = ".join([*names[first : first + 50], zero]))

    def step(self, ins: Ins) -> None:
        """One instruction."""
        name = ins.op.name
        if name in SIMPLE:
            SIMPLE[name](self, ins)
        elif name in PLAIN:
            self.plain(ins)
        elif ".load" in name and name[0] != "v":
            self.load(ins)
        elif ".store" in name and name[0] != "v":
            self.store(ins)
        elif name.startswith("v128."):
            self.vector_access(ins)
        else:
            raise NotLowered(name)

    def plain(self, ins: Ins) -> None:
        """A function of the operands."""
        count = len(ins.op.params or ())
        name = ins.op.name
        if name in TRAPPING:
            self.trapping(ins, count)
            return
        low = len(self.stack) - count
        if name == "f64.div":
            if self.stack[low].depth > 4:
                self.name(low, exact=False)
            if not self.stack[low + 1].simple:
                if f"s{low + 1}" in self.stack[low].reads:
                    self.name(low, exact=False)
                self.name(low + 1, exact=False)
        elif name in _TWICE:
            for position in range(low, len(self.stack)):
                self.simple(position)
        of = self.stack[low:]
        floats = _float_ends(ins)
        if floats:
            of = [canonical(v) if v.type == "f64" else v for v in of]
            of = [Value(f"BITS({v.text})", "f64", 0, 0, v.reads, v.depth + 1) if v.type == "f64" else v for v in of]
        del self.stack[low:]
        v = plain(ins.op, of, ins.imm)
        if floats and v.type == "f64":
            v = Value(f"FLOAT({v.text})", "f64", 0, 0, v.reads, v.depth + 1)
        if "H_" in v.text:
            self.names.add(helper(ins.op))
        self.push(v)

    def trapping(self, ins: Ins, count: int) -> None:
        """Division and truncation."""
        name = ins.op.name
        type = name[:3]
        m = M[32 if type == "i32" else 64]
        if count == 1:
            v = self.pop()
            self.result(f"{self.use(helper(ins.op))}({canonical(v).text})", type, 0, m)
            return
        divisor = self.stack[-1]
        k = int(signed(divisor).text.strip("()")) if divisor.constant else 0
        if name.endswith("_u"):
            b, a = self.popc(), self.popc()
            sign = "//" if "div" in name else "%"
            hi = a.hi if "div" in name else (min(a.hi, max(b.hi - 1, 0)))
            text = f"({a.text} {sign} {b.text})"
            if k:
                self.push(Value(text, type, 0, hi, a.reads, a.depth + 1))
            else:
                self.result(text, type, 0, hi)
        elif k > 0:
            self.pop()
            if not (self.stack[-1].lo >= 0 and self.stack[-1].hi <= m >> 1):
                self.stack[-1] = signed(self.stack[-1])
                self.result_in_place()
            a = self.pop()
            sign = "//" if "div" in name else "%"
            if a.lo >= 0:
                hi = a.hi // k if "div" in name else min(a.hi, k - 1)
                self.push(Value(f"({a.text} {sign} {k})", type, 0, hi, a.reads, a.depth + 1))
            else:
                text = f"({a.text} {sign} {k} if {a.text} >= 0 else -(-{a.text} {sign} {k}))"
                most = (m >> 1) + 1 if k == 1 or "rem" not in name else k
                self.push(Value(text, type, -most, min(most, m >> 1), a.reads, a.depth + 2))
        else:
            b, a = self.popc(), self.popc()
            self.result(f"{self.use(helper(ins.op))}({a.text}, {b.text})", type, 0, m)

    def result_in_place(self) -> None:
        """Give the topmost operand a name, signed or not."""
        position = len(self.stack) - 1
        v = self.stack[position]
        if v.simple:
            return
        self.settle_readers(f"s{position}", position)
        self.line(f"s{position} = {v.text}")
        self.stack[position] = Value(f"s{position}", v.type, v.lo, v.hi, frozenset((f"s{position}",)))

    # -- calls ---------------------------------------------------------------------------------------------------

    def call(self, text: str, type: FuncType) -> None:
        """A call of what `text` names, with the operands on the stack."""
        count = len(type.params)
        low = len(self.stack) - count
        args = "".join(f"{canonical(v).text}, " for v in self.stack[low:])
        del self.stack[low:]
        if self.counts:
            self.line("A[0] = n")
        d, c = "d", "c"
        called = f"{text}({args}{d}, {c})"
        results = [kind(t) for t in type.results]
        if not results:
            self.line(called, call=True)
            self.after_call(True)
        elif len(results) == 1:
            v = whole("", results[0])
            self.result(called, results[0], v.lo, v.hi, call=True)
        else:
            for position in range(low, low + len(results)):
                self.settle_readers(f"s{position}", low)
            names = [f"s{low + i}" for i in range(len(results))]
            self.line(f"{', '.join(names)} = {called}", call=True)
            self.after_call(True)
            self.stack += [whole(name, t) for name, t in zip(names, results, strict=True)]

    def charge(self, ticks: str) -> None:
        """Take ticks for a bulk operation."""
        self.line(f"{self.ticks} = CHARGE({self.ticks}, {ticks})")


#: Written with operands that are named first, since their text stands twice.
_TWICE = frozenset({"i32.rotl", "i32.rotr", "i64.rotl", "i64.rotr"})


def _float_ends(ins: Ins) -> bool:
    """A vector instruction with f64 operands or results: its meaning wants bits."""
    types = (*(ins.op.params or ()), *(ins.op.results or ()))
    return "v128" in types and "f64" in types
