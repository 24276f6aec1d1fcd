"""Every plain instruction with every kind of operand and every use of its result: equal on every engine."""

from __future__ import annotations

from typing import Any

import pytest

from interp.api import Store
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec.driver import instantiate, invoke_bits
from interp.exec.engines import available
from interp.runtime.store import FuncInst
from interp.syntax.errors import FuelExhausted, Trap
from interp.syntax.features import EVERY_FEATURE, Feature
from interp.syntax.types import V128
from interp.testing.operands import arguments, operand_module, plain_rows
from interp.valid.module import validate

ROWS = plain_rows()
PROPOSALS = (Feature.WIDE_ARITHMETIC, Feature.THREADS)


def outcome(store: Store, func: FuncInst, args: tuple[int, ...]) -> Any:
    store.fuel = 5
    try:
        return invoke_bits(store, func, args), store.fuel
    except Trap as trap:
        return trap.message, trap.backtrace[0].offset, store.fuel
    except FuelExhausted as error:
        return "fuel", error.where, store.fuel


def seen(engine: str, data: bytes, calls: list[tuple[int, ...]]) -> list[Any]:
    store = Store(engine)
    store.sleep = None
    inst = instantiate(store, validate(decode(data, features=EVERY_FEATURE), features=EVERY_FEATURE))
    found = []
    for name, func in inst.exports.items():
        assert isinstance(func, FuncInst)
        for args in calls:
            found.append((name, args, outcome(store, func, args)))
        found.append([g.bits for g in inst.globals])
    found.append(bytes(inst.mems[0].view))
    return found


def check(row: Any, share: float, engines: tuple[str, ...] = ("native",)) -> None:
    op = row[0]
    data = encode(operand_module(*row, seed=op.id, share=share))
    calls = arguments(op, row[1], op.id)
    expected = seen("reference", data, calls)
    for engine in engines:
        for a, b in zip(expected, seen(engine, data, calls), strict=True):
            assert a == b


def few(row: Any) -> int:
    """By how much to cut the combinations of three operands and more."""
    return int(7 ** max(0, len(row[1]) - 2))


both = pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")


@both
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].name)
def test_operands(row: Any) -> None:
    """Some of an instruction's combinations: a few hundred, or a few dozen where vectors leave an engine fewer ways."""
    share = 0.12 if len(row[1]) > 1 else 0.5
    check(row, share / len(row[1]) ** 3 if V128 in (*row[1], *row[2]) else share / few(row))


@both
@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].name)
def test_all_operands(row: Any) -> None:
    check(row, 1 / (few(row) if len(row[1]) > 3 else 1))


@pytest.mark.parametrize("row", [row for row in ROWS if row[0].feature in PROPOSALS], ids=lambda row: row[0].name)
def test_operands_of_proposals_as_python(row: Any) -> None:
    """A few of the combinations on the engine that writes Python; for other rows the random programs have to do."""
    check(row, 0.03 / few(row) if len(row[1]) > 1 else 0.1, ("python",))
