"""Host functions: how they are called, what leaves through them, and how they nest."""

from __future__ import annotations

import pytest

import interp
from spec_tests.wasm.programs import CALLS, make, raw_host


def test_host_functions_are_called_directly_and_through_tables(engine):
    inst = make(CALLS, engine, host=lambda x: x + 1)
    assert inst.exports.call(5) == 106
    assert inst.exports.indirect(-2) == -1


def test_a_host_function_may_call_back(engine):
    inst = make(CALLS, engine, host=lambda x: inst.exports.double(x) if x < 50 else inst.exports.call(x - 50))
    assert inst.exports.call(7) == 114
    assert inst.exports.call(57) == 214
    assert inst.store.activations == 0


def test_memory_grown_by_the_host_during_a_call_is_seen(engine):
    text = """(module (import "env" "grow" (func $grow)) (memory (export "mem") 1)
      (func (export "f") (result i32) (call $grow) (i32.store8 (i32.const 70000) (i32.const 7))
        (i32.add (i32.load8_u (i32.const 70000)) (memory.size))))"""
    inst = make(text, engine, grow=lambda: None if inst.exports.mem.grow(1) == 1 else 1 / 0)
    assert inst.exports.f() == 9


def test_an_exception_leaves_as_the_same_object_with_a_note(engine):
    error = ZeroDivisionError("mine")

    def host(x: int) -> int:
        raise error

    inst = make(CALLS, engine, host=host)
    with pytest.raises(ZeroDivisionError) as caught:
        inst.exports.call(1)
    assert caught.value is error
    assert "inner" in caught.value.__notes__[0]
    assert "call" in caught.value.__notes__[0]
    assert inst.exports.double(4) == 8
    assert inst.store.activations == inst.store.depth == 0


def test_system_exit_unwinds_the_guest(engine):
    def host(x: int) -> int:
        raise SystemExit(x)

    inst = make(CALLS, engine, host=host)
    with pytest.raises(SystemExit) as caught:
        inst.exports.call(3)
    assert caught.value.code == 3


def test_a_trap_raised_by_a_host_function_is_a_trap_with_the_guests_frames(engine):
    trap = interp.Trap("of the host")

    def host(x: int) -> int:
        raise trap

    inst = make(CALLS, engine, host=host)
    with pytest.raises(interp.Trap) as caught:
        inst.exports.call(1)
    assert caught.value is trap
    assert [frame.func_index for frame in trap.backtrace] == [1, 2]


def test_a_trap_of_an_inner_activation_passes_or_is_caught(engine):
    caught: list[interp.Trap] = []

    def host(x: int) -> int:
        if x:
            inst.exports.trap()
        try:
            inst.exports.trap()
        except interp.Trap as trap:
            caught.append(trap)
        return 5

    inst = make(CALLS, engine, host=host)
    assert inst.exports.call(0) == 105
    assert caught[0].message == "unreachable"
    with pytest.raises(interp.Trap, match="unreachable") as outer:
        inst.exports.call(1)
    assert [frame.func_index for frame in outer.value.backtrace] == [5, 1, 2]


def test_activations_nest_to_a_limit(engine):
    deepest = 0

    def host(x: int) -> int:
        nonlocal deepest
        deepest = max(deepest, inst.store.activations)
        return inst.exports.call(x)  # type: ignore[no-any-return]

    inst = make(CALLS, engine, host=host)
    with pytest.raises(interp.LimitError, match="nested_activations"):
        inst.exports.call(1)
    assert deepest == 64
    assert inst.store.activations == 0
    assert inst.exports.double(1) == 2


@pytest.mark.parametrize("result", [None, (), (1, 2), -1, 1 << 32, "a", 1.5, [None]])
def test_wrong_raw_results_of_a_host_function_are_the_embedders_error(engine, result):
    store, inst = raw_host(engine, lambda x: result)
    with pytest.raises((interp.EmbedderError, TypeError)):
        interp.invoke_bits(store, inst.exports["call"], [1])
    assert interp.invoke_bits(store, inst.exports["double"], [3]) == [6]


@pytest.mark.parametrize("args", [[], [1, 2], [-1], [1 << 32], [1.5]])
def test_wrong_raw_arguments_are_the_embedders_error(engine, args):
    store, inst = raw_host(engine, lambda x: x)
    with pytest.raises(interp.EmbedderError):
        interp.invoke_bits(store, inst.exports["double"], args)
