"""Bodies as folded instructions: operands inside what takes them.

Folding is a matter of syntax alone: `(op a b)` is `a b op`, whatever `a` and `b` leave behind. So the numbers of
operands below decide how a body looks and never what it means; an instruction without one takes nothing inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from interp.syntax.instructions import Ins
from interp.syntax.module import Expr, Module
from interp.syntax.types import BlockType, FuncType

from .notation import Labels, print_instruction

#: Longest line that an instruction and its operands share.
_WIDTH = 72
#: Depth beyond which lines are not indented further, so that the text stays in proportion to the code.
MOST_INDENT = 12

#: Operands and results of instructions whose row does not say.
_ARITY = {
    "drop": (1, 0),
    "select": (3, 1),
    "select_t": (3, 1),
    "local.get": (0, 1),
    "local.set": (1, 0),
    "local.tee": (1, 1),
    "global.get": (0, 1),
    "global.set": (1, 0),
    "table.get": (1, 1),
    "table.set": (2, 0),
    "table.init": (3, 0),
    "table.copy": (3, 0),
    "table.grow": (2, 1),
    "table.size": (0, 1),
    "table.fill": (3, 0),
    "br_if": (1, 0),
    "br_table": (1, 0),
    "ref.null": (0, 1),
    "ref.func": (0, 1),
    "ref.is_null": (1, 1),
    "ref.eq": (2, 1),
}
_NO_NOTES: Mapping[int, str] = {}
_LEGACY = frozenset(("try", "catch", "catch_all", "delegate"))


class _Node:
    """An instruction with what stands inside it; `line` is all of it on one line if that is short.

    `before` is an annotation in front of it.
    """

    __slots__ = ("before", "children", "head", "line", "values")

    def __init__(self, head: str, children: list[_Node], values: int, before: str = "") -> None:
        self.before = before
        self.head = head
        self.children = children
        self.values = values
        self.line: str | None = None
        length = len(before) + len(head) + 2
        for child in children:
            if child.line is None:
                return
            length += len(child.line) + 1
        if length <= _WIDTH:
            self.line = f"{before}({' '.join([head, *(child.line or '' for child in children)])})"


class _Frame:
    """An open block: its condition, the head of its node, how many values it leaves, its `then` if it has one.

    `before` is an annotation in front of it.
    """

    __slots__ = ("before", "condition", "head", "items", "then", "values")

    def __init__(self, head: str, values: int, condition: list[_Node] | None, before: str = "") -> None:
        self.before = before
        self.head = head
        self.values = values
        self.items: list[_Node] = []
        self.condition = condition
        self.then: _Node | None = None


def fold(
    module: Module, type_index: int, body: Expr, labels: Labels, func: int | None, notes: Mapping[int, str] = _NO_NOTES
) -> Iterator[str]:
    """The lines of a body, folded. A body that uses the legacy `try` is not: its parts have no operands.

    `notes` are annotations by the number of the instruction that they stand before.
    """
    if any(ins.op.name in _LEGACY for ins in body):
        yield from plain(body, labels, func, notes)
        return
    comp = module.types[type_index].comp if type_index < len(module.types) else None
    results = len(comp.results) if isinstance(comp, FuncType) else 0
    frames = [_Frame("", 0, None)]
    for number, ins in enumerate(body[:-1]):
        before = notes[number] + " " if number in notes else ""
        _step(module, frames, ins, print_instruction(ins, labels, func), results, before)
    for frame in frames:
        yield from _render(frame.items)


def _step(module: Module, frames: list[_Frame], ins: Ins, head: str, results: int, before: str) -> None:
    name = ins.op.name
    top = frames[-1]
    if "block" in ins.op.immediates:
        condition = _take(top.items, 1) if name == "if" else None
        frames.append(_Frame(head, _block_results(module, ins.imm[0]), condition, before))
    elif name == "else":
        top.then = _Node("then", top.items, 0)
        top.items = []
    elif name == "end":
        frames.pop()
        frames[-1].items.append(_close(top))
    else:
        operands, values = _arity(module, ins, results)
        top.items.append(_Node(head, _take(top.items, operands), values, before))


def _close(frame: _Frame) -> _Node:
    if frame.condition is None:
        return _Node(frame.head, frame.items, frame.values, frame.before)
    if frame.then is None:
        parts = [_Node("then", frame.items, 0)]
    else:
        parts = [frame.then, _Node("else", frame.items, 0)]
    return _Node(frame.head, frame.condition + parts, frame.values, frame.before)


def _take(items: list[_Node], operands: int) -> list[_Node]:
    """Take the last nodes that together leave no more than so many values, as long as each leaves some."""
    start = len(items)
    while start and operands and 0 < items[start - 1].values <= operands:
        start -= 1
        operands -= items[start].values
    taken = items[start:]
    del items[start:]
    return taken


def _block_results(module: Module, type: BlockType) -> int:
    if isinstance(type.value, int):
        found = _func_type(module, type.value)
        return len(found.results) if found else 0
    return 0 if type.value is None else 1


def _func_type(module: Module, index: int) -> FuncType | None:
    comp = module.types[index].comp if index < len(module.types) else None
    return comp if isinstance(comp, FuncType) else None


def _arity(module: Module, ins: Ins, results: int) -> tuple[int, int]:
    op = ins.op
    if op.params is not None and op.results is not None:
        return len(op.params), len(op.results)
    if op.name in _ARITY:
        return _ARITY[op.name]
    if op.name == "return":
        return results, 0
    type = None
    if op.name in ("call", "return_call"):
        total = len(module.imported("func")) + len(module.funcs)
        type = _func_type(module, module.func_type_index(ins.imm[0])) if ins.imm[0] < total else None
    elif op.immediates[:1] == ("type",) and "call" in op.name:
        type = _func_type(module, ins.imm[0])
    if type is None:
        return 0, 0
    more = 0 if op.name in ("call", "return_call") else 1
    return len(type.params) + more, 0 if op.name.startswith("return") else len(type.results)


def _render(items: Sequence[_Node]) -> Iterator[str]:
    """Nodes as lines. The stack holds nodes to come, last first, and None where a level ends."""
    stack: list[_Node | None] = list(reversed(items))
    depth = 0
    held: str | None = None  # the latest line: closing parentheses join it
    while stack:
        node = stack.pop()
        if node is None:
            depth -= 1
            held = f"{held})"
            continue
        if held is not None:
            yield held
        indent = "  " * min(depth, MOST_INDENT)
        if node.line is not None:
            held = indent + node.line
        else:
            held = f"{indent}{node.before}({node.head}"
            depth += 1
            stack.append(None)
            stack.extend(reversed(node.children))
    if held is not None:
        yield held


_OPENING = frozenset(("block", "loop", "if", "else", "try", "catch", "catch_all", "try_table"))
_CLOSING = frozenset(("end", "else", "catch", "catch_all", "delegate"))


def plain(body: Expr, labels: Labels, func: int | None, notes: Mapping[int, str] = _NO_NOTES) -> Iterator[str]:
    """The lines of a body, one instruction each, with the annotations before them; its last `end` is not among them."""
    depth = 0
    for number, ins in enumerate(body[:-1]):
        name = ins.op.name
        if name in _CLOSING:
            depth -= 1
        before = notes[number] + " " if number in notes else ""
        yield "  " * min(depth, MOST_INDENT) + before + print_instruction(ins, labels, func)
        if name in _OPENING:
            depth += 1
