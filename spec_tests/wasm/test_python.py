"""The python engine beyond what every engine is tested for: depth, recursion errors, shapes that it cannot write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

import pytest

import interp
from interp.exec import pystate
from interp.exec.pycounter import Counter
from interp.exec.pyoperands import MOST_TARGETS, NotLowered
from interp.exec.pystate import Shared
from interp.runtime.store import FuncInst
from interp.syntax.errors import Exhaustion, FuelExhausted, Trap
from interp.syntax.features import WASM_2, Feature
from interp.testing.generator import program
from interp.testing.parity import DRIVEN, REFERENCE, difference


def load(text: str, imports: dict[str, dict[str, Callable[..., object]]] | None = None) -> interp.Instance:
    return interp.load(text, imports, engine="python")


DOWN = """(func $down (export "down") (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
    (else {bottom})))"""


def test_as_deep_as_the_limit_and_no_deeper() -> None:
    before = sys.getrecursionlimit()
    instance = load(f"(module {DOWN.format(bottom='(i32.const 0)')})")
    assert instance.exports.down(16383) == 16383
    with pytest.raises(Exhaustion) as caught:
        instance.exports.down(16384)
    assert len(caught.value.backtrace) == 16384
    assert instance.exports.down(16383) == 16383
    assert sys.getrecursionlimit() == before


class Endless:
    """Recurses through C."""

    def __getattr__(self, name: str) -> object:
        return getattr(self, name + "a")


@pytest.mark.parametrize("depth", [1, 16_000])
def test_a_host_function_without_end_gets_its_recursion_error(depth: int) -> None:
    def host(n: int) -> int:
        try:
            return len(str(Endless().start))
        except RecursionError:
            return 5

    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    text = f"""(module (import "e" "h" (func $h (param i32) (result i32)))
      {DOWN.format(bottom="(call $h (i32.const 0))")})"""
    assert load(text, {"e": {"h": host}}).exports.down(depth) == depth + 5
    with pytest.raises(RecursionError):
        load(text, {"e": {"h": deeper}}).exports.down(depth)


def nested(blocks: int) -> str:
    """A switch of that many cases in blocks, each within the next one."""
    labels = " ".join(str(i) for i in range(blocks))
    body = f"(br_table {labels} (local.get 0))"
    for case in range(blocks):
        body = f"(block {body}) (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (i32.const {case})))"
    return f"""(module (func (export "f") (param i32) (result i32) (local i32)
      (loop $again (block $out {body})
        (local.set 0 (i32.add (local.get 0) (i32.const 2)))
        (br_if $again (i32.lt_u (local.get 0) (i32.const {blocks}))))
      (local.get 1)))"""


@pytest.mark.parametrize("blocks", [3, 17, 19, 25, 300])
def test_switches_of_any_depth(blocks: int) -> None:
    mine, other = load(nested(blocks)), interp.load(nested(blocks), engine="reference")
    for n in (0, 1, blocks - 1, blocks, blocks + 7):
        assert mine.exports.f(n) == other.exports.f(n)
    assert mine.store.ticks == other.store.ticks
    assert written(mine)


def test_ifs_deeper_than_python_indents() -> None:
    body = "(local.set 1 (i32.add (local.get 1) (i32.const 1)))"
    up = body
    for _ in range(150):
        body = f"{up} (if (i32.lt_u (local.get 1) (local.get 0)) (then {body}))"
    text = f'(module (func (export "f") (param i32) (result i32) (local i32) {body} (local.get 1)))'
    instance = load(text)
    assert [instance.exports.f(n) for n in (0, 1, 7, 149, 1000)] == [1, 1, 7, 149, 151]
    assert written(instance)


def test_tables_of_many_runs() -> None:
    """Two targets that alternate a thousand times."""
    text = f"""(module (func (export "f") (param i32) (result i32)
      (block $a (block $b (br_table {"$a $b " * 1000} $b (local.get 0))) (return (i32.const 2))) (i32.const 1)))"""
    instance = load(text)
    assert [instance.exports.f(n) for n in (0, 1, 1998, 1999, 2000, -1)] == [1, 2, 1, 2, 2, 2]
    assert written(instance)


def written(instance: interp.Instance) -> bool:
    """Whether the only function runs as Python code."""
    return list(instance.store.instances[0].native.sources) == [0]


@pytest.mark.parametrize("near", [(0, 0), (1, 1), (2, 3)])
def test_places_instead_of_blocks(monkeypatch: pytest.MonkeyPatch, near: tuple[int, int]) -> None:
    """With a program counter wherever there can be one, everything seen stays the same, places and ticks included."""
    monkeypatch.setattr(Counter, "most", (-1, -1))
    monkeypatch.setattr(Counter, "near", near)
    for seed in range(30):
        found = difference(program(seed), (REFERENCE, *DRIVEN))
        assert not found, f"program {seed}: {found}"


def test_a_table_too_long_to_be_written() -> None:
    """It stays on the reference engine."""
    text = f"""(module (func (export "f") (param i32) (result i32)
      (block $a (block $b (br_table {"$a $b " * (MOST_TARGETS // 2)} $b (local.get 0))) (return (i32.const 2)))
      (i32.const 1)))"""
    instance = load(text)
    assert [instance.exports.f(n) for n in (0, 1, MOST_TARGETS - 2, MOST_TARGETS, -1)] == [1, 2, 1, 2, 2]
    assert not written(instance)


def test_functions_on_the_reference_engine_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every other function cannot be written, everything seen stays the same, places and ticks included."""

    class Fussy(pystate.Lowering):
        def lower(self) -> pystate.Source:
            if self.index % 2:
                raise NotLowered("for the test")
            return super().lower()

    referred = []
    right = Shared.reference

    def reference(self: Shared, func: FuncInst) -> Callable[..., object]:
        referred.append(func.index)
        return right(self, func)

    monkeypatch.setattr(pystate, "Lowering", Fussy)
    monkeypatch.setattr(Shared, "reference", reference)
    for seed in range(20):
        found = difference(program(seed), (REFERENCE, *DRIVEN))
        assert not found, f"program {seed}: {found}"
    assert len(referred) > 50


def test_what_is_on_the_stack_keeps_its_value() -> None:
    """A local changes while its old value waits, in every way that locals change."""
    instance = load("""(module (memory 1)
      (func $id (param i32) (result i32) (local.get 0))
      (func (export "f") (param i32) (result i32)
        (local.get 0) (local.set 0 (i32.const 10))
        (local.get 0) (local.set 0 (i32.load8_u (i32.const 0)))
        (local.get 0) (local.set 0 (call $id (i32.const 1000)))
        (local.get 0) (block (br_if 0 (i32.const 1)) (local.set 0 (i32.const 7)))
        (loop (param i32) (result i32) (local.set 0 (i32.add (local.get 0) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 0) (i32.const 1005))))
        i32.add i32.add i32.add))""")
    assert instance.exports.f(3) == 3 + 10 + 0 + 1000


def test_the_place_of_a_trap_within_one_expression() -> None:
    """Two loads and two divisions in a line of text: the backtrace says which one it was."""
    text = """(module (memory 1) (func (export "f") (param i32 i32 i32) (result i32)
      (i32.add (i32.div_s (i32.load (local.get 0)) (local.get 2))
               (i32.rem_u (i32.load (local.get 1)) (local.get 2)))))"""
    places = {}
    for engine in ("python", "reference"):
        found = []
        data = interp.encode(interp.parse(text))
        for args in ((70000, 0, 1), (0, 70000, 1), (0, 0, 0)):
            with pytest.raises(Trap) as caught:
                interp.load(data, engine=engine).exports.f(*args)
            found.append((caught.value.message, [frame.offset for frame in caught.value.backtrace]))
        places[engine] = found
    assert places["python"] == places["reference"]
    assert len({offset for _, (offset,) in places["python"]}) == 3


def test_fuel_that_ends_in_a_function_on_the_reference_engine() -> None:
    text = """(module
      (func $inner (param i32) (return_call $count (local.get 0)))
      (func $count (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "f") (param i32) (call $inner (local.get 0))))"""
    seen = []
    for engine in ("python", "reference"):
        instance = interp.load(text, engine=engine, features=WASM_2 | {Feature.TAIL_CALL})
        instance.store.fuel = 20
        with pytest.raises(FuelExhausted) as caught:
            instance.exports.f(1000)
        seen.append((instance.store.ticks, [frame.func_index for frame in caught.value.backtrace]))
    assert seen[0] == seen[1] == (20, [1, 2])


def test_random_arithmetic_is_masked_where_it_must_be() -> None:
    """Long chains of wrapping operations, whose masks are put off, against the same on the reference engine."""
    rng = Random(11)
    names = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "rotl", "lt_s", "ge_u", "div_u", "rem_s"]

    def tree(type: str, depth: int) -> str:
        if depth == 0 or rng.random() < 0.15:
            return rng.choice([f"({type}.const {rng.choice([-1, 1, 7, 255, -128, 2**31 - 1, -(2**31)])})", "A", "B"])
        name = rng.choice(names)
        a, b = tree(type, depth - 1), tree(type, depth - 1)
        if name in ("div_u", "rem_s"):
            b = f"({type}.const {rng.choice([1, 3, 10, 4096, -7])})"
        text = f"({type}.{name} {a} {b})"
        return f"(i64.extend_i32_s {text})" if type == "i64" and name in ("lt_s", "ge_u") else text

    for _ in range(60):
        type = rng.choice(["i32", "i64"])
        body = tree(type, 6).replace("A", "(local.get 0)").replace("B", "(local.get 1)")
        text = f'(module (func (export "f") (param {type} {type}) (result {type}) {body}))'
        mine, other = load(text), interp.load(text, engine="reference")
        for _ in range(6):
            args = [rng.choice([0, 1, -1, 2**31 - 1, -(2**31), rng.getrandbits(31)]) for _ in range(2)]
            assert mine.exports.f(*args) == other.exports.f(*args), (body, args)
