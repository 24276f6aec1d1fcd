"""A profile that is the same on every run: instructions by function and by who called whom, counted, never sampled.

Set a `Profile` as `store.monitor` of a store on the reference engine; the tree is `root` afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from interp.runtime.backtrace import frame_name
from interp.runtime.engine import FrameInfo

if TYPE_CHECKING:
    from interp.runtime.instance import ModuleInst
    from interp.runtime.store import FuncInst, HostFunc

#: What is called deeper than this counts together: recursion would make the tree as large as the square of its depth.
DEEPEST = 200


class Node:
    """A function as called by the functions above it: how often, and instructions of its own."""

    __slots__ = ("calls", "children", "count", "depth", "name")

    def __init__(self, name: str, depth: int = 0) -> None:
        self.name = name
        self.depth = depth
        self.count = 0
        self.calls = 0
        self.children: dict[object, Node] = {}

    def child(self, key: object, name: str) -> Node:
        """The node of a function that this one calls."""
        if self.depth >= DEEPEST:
            if self.depth > DEEPEST:
                self.calls += 1
                return self
            key, name = None, "(deeper)"
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = Node(name, self.depth + 1)
        found.calls += 1
        return found


@dataclass(slots=True)
class Row:
    """A function in the whole of a profile: its calls, its own instructions, and with those of what it called."""

    name: str
    calls: int = 0
    own: int = 0
    total: int = 0
    live: int = field(default=0, repr=False)


class Profile:
    """Counts instructions into a tree of calls."""

    def __init__(self) -> None:
        self.root = Node("all")
        #: Where the innermost activation was called from.
        self.current = self.root
        self._names: dict[tuple[int, int], str] = {}
        self._insts: list[ModuleInst] = []  # so that no other instance gets the number of one that went

    def entered(self, parent: Node | None, func: FuncInst, activations: int) -> Node:
        """A function begins: `parent` is the caller's node, None for one called from outside of the guest."""
        if parent is None:
            parent = self.current if activations > 1 else self.root
        inst = func.module
        key = id(inst), func.index
        name = self._names.get(key)
        if name is None:
            self._insts.append(inst)
            name = self._names[key] = frame_name(FrameInfo(inst, func.index, -1))
        return parent.child(key, name)

    def left(self, node: Node, func: HostFunc) -> None:
        """A function calls a host function, which may call the guest."""
        self.current = node.child(func.addr, func.name or f"host function {func.addr}")

    @property
    def count(self) -> int:
        """All instructions."""
        return sum(node.count for _, node in walk(self.root))

    def by_export(self) -> dict[str, int]:
        """Instructions by the function that was called from outside, with what it called."""
        totals = {id(node): total for node, total in _totals(self.root)}
        return {node.name: totals[id(node)] for node in self.root.children.values()}

    def rows(self) -> list[Row]:
        """Functions by their own instructions, most first; recursive calls count once in `total`."""
        rows: dict[str, Row] = {}
        pending: list[tuple[Node, bool]] = [(self.root, False)]
        totals = {id(node): total for node, total in _totals(self.root)}
        while pending:
            node, done = pending.pop()
            row = rows.setdefault(node.name, Row(node.name))
            if done:
                row.live -= 1
                continue
            row.calls += node.calls
            row.own += node.count
            if not row.live:
                row.total += totals[id(node)]
            row.live += 1
            pending.append((node, True))
            pending += [(child, False) for child in node.children.values()]
        del rows[self.root.name]
        return sorted(rows.values(), key=lambda row: (-row.own, -row.total, row.name))


def walk(root: Node) -> Iterator[tuple[tuple[Node, ...], Node]]:
    """Every node below the root with the nodes above it, callers first."""
    pending: list[tuple[tuple[Node, ...], Node]] = [((), child) for child in reversed(root.children.values())]
    while pending:
        path, node = pending.pop()
        yield path, node
        below = (*path, node)
        pending += [(below, child) for child in reversed(node.children.values())]


def _totals(root: Node) -> list[tuple[Node, int]]:
    """Every node with its instructions and those of what it called, callees first."""
    order: list[Node] = [root]
    for node in order:
        order += node.children.values()
    totals: dict[int, int] = {}
    found = []
    for node in reversed(order):
        total = totals[id(node)] = node.count + sum(totals[id(child)] for child in node.children.values())
        found.append((node, total))
    return found


# -- pictures -------------------------------------------------------------------------------------------------------


def speedscope(profile: Profile, title: str) -> dict[str, Any]:
    """The profile in the file format of speedscope (https://www.speedscope.app/file-format-schema.json)."""
    places: dict[str, int] = {}
    samples: list[list[int]] = []
    weights: list[int] = []
    for path, node in walk(profile.root):
        stack = [places.setdefault(n.name, len(places)) for n in (*path, node)]
        if node.count:
            samples.append(stack)
            weights.append(node.count)
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": name} for name in places]},
        "profiles": [
            {
                "type": "sampled",
                "name": title,
                "unit": "none",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
        "name": title,
        "exporter": "tamis",
    }


WIDTH, LINE, LETTER = 1200, 18, 6.6


def flame_graph(profile: Profile, title: str) -> str:
    """The profile as an SVG that stands alone: a box per call path, as wide as its instructions, callers below."""
    totals = {id(node): total for node, total in _totals(profile.root)}
    whole = totals[id(profile.root)] or 1
    boxes: list[tuple[float, int, Node]] = []
    deepest = 0
    pending: list[tuple[float, int, Node]] = [(0.0, 0, profile.root)]
    while pending:
        x, depth, node = pending.pop()
        boxes.append((x, depth, node))
        deepest = max(deepest, depth)
        for child in node.children.values():
            if totals[id(child)] / whole * WIDTH >= 0.3:  # narrower ones are not seen
                pending.append((x, depth + 1, child))
            x += totals[id(child)] / whole * WIDTH
    height = (deepest + 1) * LINE + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="6" y="20" font-size="13">{escape(title)}: {whole:,} instructions</text>',
    ]
    for x, depth, node in boxes:
        total = totals[id(node)]
        width = total / whole * WIDTH
        y = height - (depth + 1) * LINE - 6
        room = int(width / LETTER) - 1
        text = node.name if len(node.name) <= room else node.name[: room - 2] + ".." if room > 3 else ""
        tip = f"{node.name}: {total:,} instructions ({total / whole:.1%}), {node.count:,} own, {node.calls:,} calls"
        lines.append(
            f'<g><title>{escape(tip)}</title><rect x="{x:.2f}" y="{y}" width="{max(width - 0.5, 0.2):.2f}"'
            f' height="{LINE - 1}" fill="{_colour(node.name)}" rx="1"/>'
            + (f'<text x="{x + 3:.2f}" y="{y + 12}">{escape(text)}</text>' if text else "")
            + "</g>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _colour(name: str) -> str:
    """A warm colour that is always the same for a name."""
    value = 0
    for letter in name.encode():
        value = (value * 31 + letter) & 0xFFFF
    return f"hsl({value % 45 + 5},{70 + value // 45 % 20}%,{66 + value // 900 % 14}%)"


def percent(part: int, whole: int) -> str:
    """A share as it is shown."""
    return f"{part / whole:.1%}" if whole else "-"


def stacks(profile: Profile) -> Sequence[str]:
    """The profile as collapsed stacks: a line per call path, `a;b;c count`, as flame graph tools read."""
    return [
        ";".join(n.name.replace(";", ":") for n in (*path, node)) + f" {node.count}"
        for path, node in walk(profile.root)
        if node.count
    ]
