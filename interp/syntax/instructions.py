"""The instruction set as data: `Op` rows parsed from THE TABLE in rows.py, and `Ins`, one instruction of a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .features import Feature
from .rows import TABLE


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """A row: `id` is its dense number, `prefix` 0 or 0xFB to 0xFE, `code` the byte or the number after the prefix.

    `params` and `results` hold type names (`addr` for a memory's index type) and are None for a special row.
    `width` is the natural width in bytes of a memory access, `lanes` the number of lanes a lane immediate
    chooses from, else 0.
    """

    id: int
    prefix: int
    code: int
    name: str
    immediates: tuple[str, ...]
    params: tuple[str, ...] | None
    results: tuple[str, ...] | None
    feature: Feature
    heat: int
    group: str
    width: int
    lanes: int

    @property
    def special(self) -> bool:
        """Whether the typing rule needs the context."""
        return self.params is None

    @property
    def atomic(self) -> bool:
        """Whether it is an atomic access to a memory, whose alignment must be the natural one."""
        return self.prefix == 0xFE and "memarg" in self.immediates

    @property
    def ident(self) -> str:
        """The name as an identifier, for C and for Python handlers: `i32.add` is `i32_add`."""
        return self.name.replace(".", "_")

    @property
    def text(self) -> str:
        """The name as the text format writes it; the two opcodes of select share one."""
        if self.name == "select_t":
            return "select"
        return self.name.removesuffix("_null") if self.name in _CASTS else self.name

    def __repr__(self) -> str:
        return f"<Op {self.name}>"


_CASTS = ("ref.test_null", "ref.cast_null")


class Ins(NamedTuple):
    """One instruction: its row, its immediates in the row's order, and its byte offset in the module (or -1).

    Immediates are integers (indices, lanes, labels, integer constants as unsigned bits, float and vector constants as
    bit patterns), `BlockType`, `MemArg`, tuples of labels (default last), tuples of value types, heap types, or tuples
    of `Catch`.
    """

    op: Op
    imm: tuple[Any, ...] = ()
    at: int = -1


class MemArg(NamedTuple):
    """Alignment as a power of two, offset, memory index."""

    align: int
    offset: int
    mem: int = 0


class Catch(NamedTuple):
    """A clause of try_table. `kind` as in the binary format: 0 catch, 1 catch_ref, 2 catch_all, 3 catch_all_ref.

    `tag` is -1 for the last two.
    """

    kind: int
    tag: int
    label: int


def _number(field: str, kind: str) -> int:
    return next((int(part.split(":")[1]) for part in field.split() if part.startswith(kind + ":")), 0)


def _parse() -> tuple[Op, ...]:
    rows: list[Op] = []
    group = ""
    for line in TABLE.strip().splitlines():
        if line.startswith("#"):
            group = line[1:].strip()
            continue
        opcode, name, immediates, type_, feature, heat = (column.strip() for column in line.split("|"))
        numbers = [int(part, 16) for part in opcode.split()]
        before, _, after = type_.partition("->")
        special = type_ == "special"
        rows.append(
            Op(
                id=len(rows),
                prefix=numbers[0] if len(numbers) == 2 else 0,
                code=numbers[-1],
                name=name,
                immediates=() if immediates == "-" else tuple(part.split(":")[0] for part in immediates.split()),
                params=None if special else tuple(before.split()),
                results=None if special else tuple(after.split()),
                feature=Feature(feature),
                heat=int(heat),
                group=group,
                width=_number(immediates, "memarg"),
                lanes=_number(immediates, "lane"),
            )
        )
    return tuple(rows)


OPS: tuple[Op, ...] = _parse()
BY_NAME: dict[str, Op] = {op.name: op for op in OPS}
BY_OPCODE: dict[tuple[int, int], Op] = {(op.prefix, op.code): op for op in OPS}
PREFIXES = frozenset(op.prefix for op in OPS if op.prefix)
