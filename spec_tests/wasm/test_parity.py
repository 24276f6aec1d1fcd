"""Random well-typed programs see the same world on every engine, in both memory modes, and however fuel is fed.

`finds/` has the cases that fuzzing found, by name; they run like the random ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from interp import _native
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec import steps
from interp.exec.driver import invoke_bits
from interp.exec.engines import available
from interp.exec.native import NativeState
from interp.syntax.errors import WasmError
from interp.syntax.features import EVERY_FEATURE, Feature
from interp.syntax.instructions import OPS
from interp.testing import parity
from interp.testing.generator import Program, program
from interp.testing.parity import COLLECTING, DRIVEN, MACHINES, REFERENCE, Machine, difference
from interp.testing.rows import RUNNABLE
from interp.testing.strategies import programs
from interp.text.parser import parse
from interp.valid.module import validate

FINDS = sorted((Path(__file__).parent / "finds").glob("*.wat"))

both = pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")


def check(case: Program, name: object, machines: Sequence[Machine] = MACHINES) -> None:
    found = difference(case, machines)
    assert not found, f"program {name}: {found}"


@both
@pytest.mark.parametrize("batch", range(8))
def test_random_programs(batch: int) -> None:
    for seed in range(30 * batch, 30 * batch + 30):
        check(program(seed), seed)


@pytest.mark.parametrize("batch", range(4))
def test_random_programs_as_python(batch: int) -> None:
    for seed in range(20 * batch, 20 * batch + 20):
        found = difference(program(seed), (REFERENCE, *DRIVEN))
        assert not found, f"program {seed}: {found}"


@both
@pytest.mark.long
@pytest.mark.parametrize("batch", range(100))
def test_many_random_programs(batch: int) -> None:
    for seed in range(100_000 + 200 * batch, 100_200 + 200 * batch):
        check(program(seed, 60 if seed % 3 else 400), seed)


@both
@pytest.mark.parametrize("batch", range(6))
def test_random_programs_with_objects(batch: int) -> None:
    """Typed references, structures and arrays; collected at every allocation, and not at all."""
    for seed in range(10 * batch, 10 * batch + 10):
        found = difference(program(seed, objects=True), COLLECTING)
        assert not found, f"program {seed} with objects: {found}"


@both
@pytest.mark.long
@pytest.mark.parametrize("batch", range(50))
def test_many_random_programs_with_objects(batch: int) -> None:
    for seed in range(100_000 + 100 * batch, 100_100 + 100 * batch):
        found = difference(program(seed, 60 if seed % 3 else 300, objects=True), COLLECTING)
        assert not found, f"program {seed} with objects: {found}"


@both
@pytest.mark.parametrize("objects", [False, True], ids=["numbers", "objects"])
@pytest.mark.parametrize("batch", range(4))
def test_random_programs_that_throw(batch: int, objects: bool) -> None:
    """By both proposals; host functions throw, too."""
    for seed in range(10 * batch, 10 * batch + 10):
        found = difference(program(seed, objects=objects, throws=True), COLLECTING)
        assert not found, f"program {seed} that throws: {found}"


@both
@pytest.mark.long
@pytest.mark.parametrize("batch", range(60))
def test_many_random_programs_that_throw(batch: int) -> None:
    for seed in range(100_000 + 100 * batch, 100_100 + 100 * batch):
        case = program(seed, 60 if seed % 3 else 300, objects=seed % 4 == 0, throws=True)
        found = difference(case, COLLECTING)
        assert not found, f"program {seed} that throws: {found}"


@both
@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
@given(programs(30))
def test_programs_that_hypothesis_draws(case: Program) -> None:
    check(case, case)


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.stem)
def test_finds(path: Path) -> None:
    machines = (*MACHINES, *DRIVEN) if "native" in available() else (REFERENCE, *DRIVEN)
    for seed in range(3):
        check(Program((encode(parse(path.read_text())),), seed), path.stem, machines)


@pytest.mark.parametrize("machine", [Machine("reference", "reserved", 1), Machine("reference", "moving", 5)], ids=str)
def test_slices_and_memories_do_not_show(machine: Machine) -> None:
    for seed in range(20):
        found = difference(program(seed), (REFERENCE, machine))
        assert not found, f"program {seed}: {found}"


# -- what the tests above rest on -----------------------------------------------------------------------------------


def test_the_generator_uses_every_instruction_and_makes_valid_modules_only() -> None:
    used = set()
    for seed in range(250):
        for data in program(seed).modules:
            module = decode(data, features=RUNNABLE)
            validate(module, features=RUNNABLE)
            used |= {ins.op.name for func in module.funcs for ins in func.body}
    rest = {op.name for op in OPS if op.feature in RUNNABLE} - used
    assert len(rest) <= 3, rest  # a rare one may be missing from 250 programs, a forgotten kind of them not


def test_with_objects_it_uses_every_instruction_of_theirs() -> None:
    used = set()
    for seed in range(60):
        for data in program(seed, objects=True).modules:
            module = decode(data, features="all")
            validate(module, features="all")
            used |= {ins.op.name for func in module.funcs for ins in func.body}
    rest = {op.name for op in OPS if op.feature in (Feature.FUNCTION_REFERENCES, Feature.GC)} - used
    assert len(rest) <= 2, rest


def test_those_that_throw_use_every_instruction_for_it_and_catch() -> None:
    used = set()
    for seed in range(60):
        for data in program(seed, throws=True).modules:
            module = decode(data, features=EVERY_FEATURE)
            validate(module, features=EVERY_FEATURE)
            used |= {ins.op.name for func in module.funcs for ins in func.body}
    throwing = {op.name for op in OPS if op.feature in (Feature.EXCEPTIONS, Feature.LEGACY_EXCEPTIONS)}
    assert throwing <= used
    seen = [item for seed in range(30) for item in parity.observe(program(seed, throws=True), REFERENCE)]
    assert sum(item[0] == "threw" for item in seen) > 5


def test_a_program_is_a_function_of_its_seed() -> None:
    assert program(5) == program(5) != program(6)


def test_random_programs_end_in_every_way() -> None:
    ways: set[Any] = set()
    for seed in range(150):
        for item in parity.observe(program(seed), Machine(available()[0])):
            ways.add(item[1] if item[0] in ("trap", "error") else item[0])
    assert ways >= {"returned", "fuel", "host", "called back", "Trap", "Exhaustion", "HostError"}


def test_a_wrong_meaning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that sees no difference would prove nothing: one instruction is made wrong on one machine."""
    right = parity.observe

    def wrong(case: Program, machine: Machine, jobs: int = 4) -> parity.Seen:
        handler, meaning = steps.STEPS["i32.sub"]
        assert meaning is not None
        with pytest.MonkeyPatch.context() as patch:
            if machine.slice == 77:
                patch.setitem(steps.STEPS, "i32.sub", (handler, lambda a, b: meaning(a, b) ^ 1))
            return right(case, machine, jobs)

    monkeypatch.setattr(parity, "observe", wrong)
    machines = (REFERENCE, Machine("reference", "reserved", 77))
    assert any(difference(program(seed), machines) for seed in range(40))


@both
def test_an_object_that_the_collector_does_not_see_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack of the native engine is kept from the collector."""
    machines = (REFERENCE, Machine("native", collecting=True))
    cases = [program(seed, objects=True) for seed in range(30)]
    assert not any(difference(case, machines) for case in cases[:3])
    monkeypatch.setattr(NativeState, "roots", lambda self: memoryview(b""))
    assert any(difference(case, machines) for case in cases)


@both
def test_collecting_machines_collect() -> None:
    world = parity.World(program(1, objects=True), Machine("native", collecting=True))
    assert world.instantiate()
    before = world.store.heap.collections
    for func, args in world.jobs(20):
        with suppress(WasmError, parity.HostError):
            invoke_bits(world.store, func, args)
    assert world.store.heap.collections > before + 5


@pytest.mark.skipif(_native.lib is None, reason="this installation has no C extension")
def test_every_machine_is_what_it_says() -> None:
    names = {(machine.store().engine.name, machine.store().memory_mode) for machine in MACHINES}
    assert names == {("reference", "reserved"), ("native", "reserved"), ("native", "moving")}
