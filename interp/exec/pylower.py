"""A function body as Python source: statements, control flow, places (engine contract 14).

Wasm locals are `l0`, `l1`, ...; the operand at height h is an expression, or the variable `s<h>`. Each statement that can
trap, call or run out of ticks has a line of its own, and the table of lines gives the byte offset of each.

A loop that is branched to is `while True`, left by `break` and repeated by `continue`; so is a block or `if`, but that
one is never repeated. A branch further out sets `b` to the target's number, breaks, and the code behind each `while` on
the way breaks on. CPython allows 20 nested loops and 99 levels of indentation: a body that needs more is not lowered.

Ticks left are in `A[0]`, or, in functions with loops, in `n` between calls. `d` and `c` are the depth and the cells
left to the callee.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from interp.syntax.instructions import BY_NAME, Ins, MemArg
from interp.syntax.module import Expr, Module
from interp.syntax.types import FuncType, NumType, ValType

from .code import block_type, match_ends
from .pyvalues import (
    DEEPEST,
    M,
    NOTHING,
    PLAIN,
    TRAPPING,
    Value,
    canonical,
    helper,
    number,
    plain,
    signed,
    type_name,
    whole,
)


class NotLowered(Exception):
    """The body has something that is not written as Python: it runs on the reference engine."""


#: The place of lines before the body: the function is not entered yet.
PROLOGUE = -2
MOST_INSTRUCTIONS = 40_000
MOST_LOOPS = 19
MOST_INDENT = 80


@dataclass(frozen=True, slots=True)
class Source:
    """A function as source. `names` are the globals that it needs; line i + 1 has offset `places[i]`.

    `calls` are the lines on which `A[0]` has the ticks left, even where `n` has them elsewhere; `counts` says whether
    there is an `n` at all.
    """

    text: str
    names: frozenset[str]
    places: list[int]
    calls: frozenset[int]
    counts: bool


class While:
    """A Python loop that is open: the labels that are branched to through it."""

    def __init__(self) -> None:
        self.through: list[Label] = []
        self.left = False


@dataclass(eq=False)
class Label:
    """What a branch needs of a block: where results go, how many, which Python loop it is the end (or start) of."""

    number: int
    kind: str
    height: int
    types: list[str]
    results: list[str]
    loop: While | None = None
    alias_of: int = -1
    else_seen: bool = False
    wrapped: bool = False
    reached: bool = False
    saved: list[Value] = field(default_factory=list)


def kind(type: ValType) -> str:
    """The type of a value as expressions know it."""
    return type.name if isinstance(type, NumType) else "ref"


_NARROW = {"8_s": ("b", 1), "8_u": ("B", 1), "16_s": ("h", 2), "16_u": ("H", 2), "32_s": ("i", 4), "32_u": ("I", 4)}
_FULL = {"i32": ("I", 4), "i64": ("Q", 8), "f32": ("I", 4), "f64": ("d", 8)}


class Lowering:
    """Writes one function."""

    def __init__(self, module: Module, index: int, type: FuncType, locals: list[ValType], body: Expr, cells: int) -> None:
        self.module = module
        self.type = type
        self.body = body
        self.cells = cells
        self.locals = [kind(t) for t in (*type.params, *locals)]
        self.params = len(type.params)
        self.results = [kind(t) for t in type.results]
        self.index = index
        self.lines: list[str] = []
        self.places: list[int] = []
        self.calls: set[int] = set()
        self.names: set[str] = set()
        self.indent = 1
        self.at = PROLOGUE
        self.stack: list[Value] = []
        self.labels: list[Label] = []
        self.whiles: list[While] = []
        self.pc = 0
        self.flags = False
        self.made = 0
        self._scan()

    # -- looking ahead -------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """Which blocks are branched to and from where, whether there are calls and loops, which locals change."""
        body = self.body
        if len(body) > MOST_INSTRUCTIONS:
            raise NotLowered("size")
        self.ends, self.elses = match_ends(body)
        self.branches: dict[int, list[int]] = {}
        self.set_locals: set[int] = set()
        self.leaf, self.counts = True, False
        opened = [-1]
        for pc, ins in enumerate(body):
            name = ins.op.name
            if name in ("block", "loop", "if"):
                opened.append(pc)
            elif name == "end":
                opened.pop()
            elif name in ("br", "br_if", "br_table"):
                labels = ins.imm[0] if name == "br_table" else ins.imm
                for depth in set(labels):
                    target = opened[-1 - depth]
                    self.branches.setdefault(target, []).append(pc)
                    if target >= 0 and body[target].op.name == "loop":
                        self.counts = True
            elif name in ("call", "call_indirect"):
                self.leaf = False
            elif name in ("local.set", "local.tee"):
                self.set_locals.add(ins.imm[0])
        self.ticks = "n" if self.counts else "A[0]"

    # -- lines ---------------------------------------------------------------------------------------------------

    def line(self, text: str, *, call: bool = False) -> None:
        """Write a statement."""
        self.lines.append(" " * self.indent + text)
        self.places.append(self.at)
        if call:
            self.calls.add(len(self.lines))

    def deeper(self) -> None:
        """Indent."""
        self.indent += 1
        if self.indent > MOST_INDENT:
            raise NotLowered("indentation")

    def use(self, name: str) -> str:
        """A global of the generated code."""
        self.names.add(name)
        return name

    # -- the operand stack ---------------------------------------------------------------------------------------

    def push(self, v: Value) -> None:
        """Push an expression; one that is too deep gets a name."""
        self.stack.append(v)
        if v.depth > DEEPEST:
            self.name(len(self.stack) - 1)

    def pop(self) -> Value:
        """Pop one."""
        return self.stack.pop()

    def popc(self) -> Value:
        """Pop one in canonical form."""
        return canonical(self.stack.pop())

    def settle_readers(self, name: str, below: int) -> None:
        """Name the expressions below a height that read a variable, which is about to change."""
        for position in range(below):
            v = self.stack[position]
            if name in v.reads and v.text != f"s{position}":
                self.name(position)

    def name(self, position: int, *, exact: bool = True) -> Value:
        """Put the operand at a position into the variable of that position."""
        v = self.stack[position]
        if v.text == f"s{position}":
            return v
        for above in range(position + 1, len(self.stack)):
            if f"s{position}" in self.stack[above].reads:
                raise NotLowered("operands")  # an operand reads only variables of its own height and above
        self.settle_readers(f"s{position}", position)
        v = self.stack[position]
        v = canonical(v) if exact else v
        self.line(f"s{position} = {v.text}")
        named = Value(f"s{position}", v.type, v.lo, v.hi, frozenset((f"s{position}",)), loose=v.loose)
        self.stack[position] = named
        return named

    def simple(self, position: int) -> Value:
        """The operand at a position as something that may be written twice."""
        v = self.stack[position]
        return v if v.simple else self.name(position)

    def settle(self, below: int | None = None) -> None:
        """Before control flow parts: every operand that reads what may change gets its own variable."""
        count = len(self.stack) if below is None else below
        for position in range(count):
            v = self.stack[position]
            if v.text == f"s{position}" or (v.simple and not v.reads):
                continue
            if v.simple and v.text[0] == "l" and int(v.text[1:]) not in self.set_locals:
                continue
            self.name(position)

    def result(self, text: str, type: str, lo: int = 0, hi: int = 0, *, call: bool = False) -> None:
        """Write a statement that gives one value, into the next variable or the local that takes it."""
        exact = type not in ("i32", "i64") or (lo >= 0 and hi <= M[32 if type == "i32" else 64])
        following = self.body[self.pc + 1]
        if exact and following.op.name in ("local.set", "local.tee"):
            index = following.imm[0]
            self.settle_readers(f"l{index}", len(self.stack))
            self.line(f"l{index} = {text}", call=call)
            self.after_call(call)
            self.pc += 1
            if following.op.name == "local.tee":
                self.push(whole(f"l{index}", type))
            return
        position = len(self.stack)
        self.settle_readers(f"s{position}", position)
        self.line(f"s{position} = {text}", call=call)
        self.after_call(call)
        if not exact:
            self.stack.append(Value(f"s{position}", type, lo, hi, frozenset((f"s{position}",))))
        else:
            self.stack.append(Value(f"s{position}", type, lo, hi, frozenset((f"s{position}",))))

    def after_call(self, call: bool) -> None:
        """Take the ticks back after a call."""
        if call and self.counts:
            self.line("n = A[0]")

    # -- the whole -----------------------------------------------------------------------------------------------

    def lower(self) -> Source:
        """The function. Raises NotLowered."""
        self._prologue()
        head = len(self.lines)
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
        if self.flags:
            self.lines.insert(head, " b = 0")
            self.places.insert(head, PROLOGUE)
            self.calls = {line + 1 if line > head else line for line in self.calls}
        return Source("\n".join(self.lines) + "\n", frozenset(self.names), self.places, frozenset(self.calls), self.counts)

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
        if name in _SIMPLE:
            _SIMPLE[name](self, ins)
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
            text = v.text if v.type != "f64" else v.text
            self.result(f"{self.use(helper(ins.op))}({text})", type, 0, m)
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

    # -- memory --------------------------------------------------------------------------------------------------

    def address(self, memarg: MemArg, width: int, *, whole_check: bool = False) -> tuple[str, int]:
        """The effective address as a simple text, and how far it is known to be a multiple of the width (0 or 1).

        The operand is popped; what is written is one line.
        """
        a = self.popc()
        mem, offset = memarg.mem, memarg.offset
        if whole_check or self.module.mem_types[mem].limits.index == "i64":
            self.line(f"e = {self.use(f'MEM{mem}')}.effective_address({a.text}, {offset}, {width})")
            return "e", 0
        if a.constant:
            k = a.lo + offset
            return str(k), 1 if k % width == 0 else 0
        if a.simple and not offset:
            return a.text, 0
        self.line(f"e = {a.text} + {offset}" if offset else f"e = {a.text}")
        return "e", 0

    def load(self, ins: Ins) -> None:
        """A load of a number."""
        name = ins.op.name
        type, access = name[:3], name[8:]
        format, width = _NARROW[access] if access else _FULL[type]
        memarg: MemArg = ins.imm[0]
        e, aligned = self.address(memarg, width)
        text = self._read(memarg, format, width, e, aligned)
        if format in "bhi":
            half = 1 << (8 * width - 1)
            self.result(text, type, -half, half - 1)
        else:
            self.result(text, type, 0, (1 << 8 * width) - 1)

    def _read(self, memarg: MemArg, format: str, width: int, e: str, aligned: int) -> str:
        mem = memarg.mem
        slow = f"U{format}({self.use(f'mB{mem}')}, {e})[0]"
        view = f"m{format}{mem}"
        shift = width.bit_length() - 1
        if width == 1:
            return f"{self.use(view)}[{e}]"
        if aligned:
            return f"{self.use(view)}[{int(e) >> shift}]"
        if 1 << memarg.align < width:
            return slow
        return f"{self.use(view)}[{e} >> {shift}] if not {e} & {width - 1} else {slow}"

    def store(self, ins: Ins) -> None:
        """A store of a number."""
        name = ins.op.name
        type, access = name[:3], name[9:]
        format, width = _NARROW[f"{access}_u"] if access else _FULL[type]
        memarg: MemArg = ins.imm[0]
        v = self.pop()
        bits = 8 * width
        if type in ("i32", "i64"):
            if not (v.lo >= 0 and v.hi < 1 << bits):
                k = (1 << bits) - 1
                v = number(type, int(v.text.strip("()")) & k) if v.constant else Value(
                    f"({v.text} & {k})", type, 0, k, v.reads, v.depth + 1
                )
        else:
            v = canonical(v)
        mem = memarg.mem
        shift = width.bit_length() - 1
        e, aligned = self.address(memarg, width)
        view = f"m{format}{mem}"
        slow = f"P{format}({self.use(f'mB{mem}')}, {e}, {v.text})"
        if width == 1:
            self.line(f"{self.use(view)}[{e}] = {v.text}")
        elif aligned:
            self.line(f"{self.use(view)}[{int(e) >> shift}] = {v.text}")
        elif 1 << memarg.align < width:
            self.line(slow)
        else:
            self.line(f"if {e} & {width - 1}: {slow}")
            self.line(f"else: {self.use(view)}[{e} >> {shift}] = {v.text}")

    def vector_access(self, ins: Ins) -> None:
        """Loads and stores of vectors and lanes."""
        name = ins.op.name
        width = ins.op.width
        if name == "v128.const":
            self.push(Value(str(ins.imm[0]), "v128"))
            return
        memarg: MemArg = ins.imm[0]
        vector = self.pop() if name.endswith("_lane") or name == "v128.store" else None
        e, _ = self.address(memarg, width, whole_check=True)
        view = self.use(f"mB{memarg.mem}")
        raw = f'int.from_bytes({view}[{e}:{e} + {width}], "little")'
        if name == "v128.store" and vector:
            self.line(f'{view}[{e}:{e} + 16] = ({vector.text}).to_bytes(16, "little")')
        elif name.startswith("v128.store") and vector:
            k = width * ins.imm[1]
            self.line(f'{view}[{e}:{e} + {width}] = ({vector.text}).to_bytes(16, "little")[{k}:{k + width}]')
        elif vector:
            shape = {1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2"}[width]
            replace = self.use(helper(BY_NAME[f"{shape}.replace_lane"]))
            self.result(f"{replace}({vector.text}, {raw}, {ins.imm[1]})", "v128")
        else:
            self.result(f"{self.use(helper(ins.op))}({raw})", "v128")

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
        """The loop or block right within this one, over its whole length, that has all branches to it: one `while` will do.

        -1 if there is none.
        """
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
        condition = canonical(self.pop())
        # The condition is read before anything it reads could change.
        height = len(self.stack) - len(type.params)
        position = len(self.stack)
        self.stack.append(condition)
        self._settle_below_condition(position)
        condition = self.stack.pop()
        results = [kind(t) for t in type.results]
        self.made += 1
        label = Label(self.made, "if", height, results, results)
        if self.pc in self.branches:
            label.loop = self.open_while()
            label.wrapped = True
        self.line(f"if {condition.truth}:")
        self.deeper()
        label.saved = list(self.stack)
        label.left_lines = len(self.lines)  # type: ignore[attr-defined]
        self.labels.append(label)

    def _settle_below_condition(self, position: int) -> None:
        """Settle what lies below the condition; where that would change what it reads, it gets a name first."""
        reads = self.stack[position].reads
        if any(f"s{p}" in reads for p in range(position)):
            self.name(position)
        self.settle(position)

    def else_(self, *, live: bool) -> None:
        """The end of the first arm."""
        label = self.labels[-1]
        if live:
            self.carry_results(label)
            label.reached = True
        if len(self.lines) == label.left_lines:  # type: ignore[attr-defined]
            self.line("pass")
        self.indent -= 1
        self.line("else:")
        self.deeper()
        label.else_seen = True
        label.left_lines = len(self.lines)  # type: ignore[attr-defined]
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
            label.live_end = True  # type: ignore[attr-defined]
        if len(self.lines) == label.left_lines:  # type: ignore[attr-defined]
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
        """br_table: a binary search over runs of equal targets."""
        position = len(self.stack) - 1
        self.stack[position] = canonical(self.stack[position])
        self.simple(position)
        index = self.pop().text
        depths: tuple[int, ...] = ins.imm[0]
        runs: list[tuple[int, int]] = []  # from this index on, to that depth
        for i, depth in enumerate(depths):
            if not runs or runs[-1][1] != depth:
                runs.append((i, depth))
        if len(runs) > 500:
            raise NotLowered("br_table")
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


def type_kind(type: str) -> str:
    """A type of the table."""
    return type_name(type)


from .pysteps import SIMPLE as _SIMPLE  # noqa: E402
