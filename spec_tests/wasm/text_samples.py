"""Material for the tests of the text format: modules without what the text does not keep, and samples of immediates."""

from __future__ import annotations

from typing import Any

from interp.syntax.instructions import OPS, Catch, Ins, MemArg, Op
from interp.syntax.module import Expr, Module
from interp.syntax.types import I32, BlockType


def bare_expr(expr: Expr) -> list[tuple[str, tuple[Any, ...]]]:
    """Instructions without their positions."""
    return [(ins.op.name, ins.imm) for ins in expr]


def bare(module: Module, *, customs: bool = True) -> dict[str, Any]:
    """A module as plain data, without positions and without the places of custom sections."""
    return {
        "types": module.rec_types,
        "imports": module.imports,
        "funcs": [(func.type_index, func.locals, bare_expr(func.body)) for func in module.funcs],
        "tables": [(table.type, table.init and bare_expr(table.init)) for table in module.tables],
        "mems": module.mems,
        "tags": module.tags,
        "globals": [(item.type, bare_expr(item.init)) for item in module.globals],
        "exports": module.exports,
        "start": module.start,
        "elems": [
            (
                elem.ref,
                elem.mode,
                [item if isinstance(item, int) else bare_expr(item) for item in elem.items],
                elem.table,
                bare_expr(elem.offset),
            )
            for elem in module.elems
        ],
        "datas": [(data.mode, bytes(data.init), data.mem, bare_expr(data.offset)) for data in module.datas],
        "customs": [(custom.name, bytes(custom.data)) for custom in module.customs] if customs else [],
    }


def _samples(op: Op, kind: str) -> list[Any]:
    """Two or more immediates of a kind, the smallest and the largest that the text can show among them."""
    match kind:
        case "block":
            return [BlockType(None), BlockType(I32), BlockType(1)]
        case "labels":
            return [(0,), (0, 1, 0)]
        case "memarg":
            natural = op.width.bit_length() - 1
            return [MemArg(natural, 0), MemArg(0, 2**64 - 1), MemArg(natural, 7, 3), MemArg(5, 1, 2)]
        case "lane":
            return [0, op.lanes - 1]
        case "lanes16":
            return [tuple(range(16)), (255,) * 16]
        case "i32":
            return [0, 2**31, 2**32 - 1]
        case "i64":
            return [0, 2**63, 2**64 - 1]
        case "f32":
            return [0, 0x80000000, 0x7F800001, 0xFFC00000, 0x3DCCCCCD, 1]
        case "f64":
            return [0, 1 << 63, 0x7FF0000000000001, 0xFFF8000000000000, 0x3FB999999999999A, 1]
        case "v128":
            return [0, 2**128 - 1, 0x000102030405060708090A0B0C0D0E0F]
        case "types":
            return [(), (I32,), (I32, I32)]
        case "heap":
            return ["func", "none", 0]
        case "catches":
            return [(), (Catch(0, 0, 0), Catch(1, 0, 1)), (Catch(2, -1, 0), Catch(3, -1, 1))]
        case "castflags":
            return [0, 1, 2, 3]
        case "zero":
            return [0]
        case _:
            return [0, 1]


#: Words that are instructions only together with the block around them.
STRUCTURED = frozenset(("else", "end", "catch", "catch_all", "delegate"))


def samples(op: Op) -> list[Ins]:
    """Instructions of one row that together show each sample of each immediate."""
    columns = [_samples(op, kind) for kind in op.immediates]
    count = max((len(column) for column in columns), default=1)
    # The second round shifts the columns against each other, so that equal samples do not hide a wrong order.
    return [
        Ins(op, tuple(column[(n + shift * place) % len(column)] for place, column in enumerate(columns)))
        for shift in (0, 1)
        for n in range(count)
    ]


PLAIN_OPS = tuple(op for op in OPS if op.name not in STRUCTURED)
