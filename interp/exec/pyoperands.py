"""What the writing of a function starts from: its lines with their places, and the operand stack as expressions."""

from __future__ import annotations

from dataclasses import dataclass, field

from interp.syntax.errors import Crash
from interp.syntax.module import Expr, Module
from interp.syntax.types import FuncType, NumType, ValType

from .code import match_parts
from .pyvalues import DEEPEST, M, Value, canonical, whole


class NotLowered(Exception):
    """The body has something that is not written as Python: it runs on the reference engine."""


#: The place of lines before the body: the function is not entered yet.
PROLOGUE = -2
MOST_INSTRUCTIONS = 40_000
#: The longest table of a br_table that is written out.
MOST_TARGETS = 20_000
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
    """What a branch needs of a block: where results go, how many, which Python loop it is the end (or start) of.

    `place` is where a branch goes on by the program counter, `otherwise` where an `if` does (pycounter.py).
    """

    number: int
    kind: str
    height: int
    types: list[str]
    results: list[str]
    loop: While | None = None
    alias_of: int = -1
    place: int = -1
    otherwise: int = -1
    else_seen: bool = False
    wrapped: bool = False
    reached: bool = False
    saved: list[Value] = field(default_factory=list)
    begun: int = 0


def kind(type: ValType) -> str:
    """The type of a value as expressions know it."""
    return type.name if isinstance(type, NumType) else "ref"


class Operands:
    """Lines, places and operands of one function that is being written."""

    def __init__(
        self, module: Module, index: int, type: FuncType, locals: list[ValType], body: Expr, cells: int
    ) -> None:
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
        self.dispatcher = While()
        self.dispatch = Label(-1, "loop", 0, [], [], loop=self.dispatcher)
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
        self.ends, self.elses, _ = match_parts(body)
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
            elif name in ("call", "call_indirect", "call_ref"):
                self.leaf = False
            elif name in ("local.set", "local.tee"):
                self.set_locals.add(ins.imm[0])
        self.ticks = "n" if self.counts else "A[0]"

    def func_type(self, type_index: int) -> FuncType:
        """A function type of the module."""
        type = self.module.comp(type_index)
        if not isinstance(type, FuncType):
            raise Crash("a valid call has a type that is no function type")
        return type

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
