"""The promises of running (engine contract 2, 5, 6, 8, 11): exits, ticks, depth, nesting, interruption, memories."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import replace
from typing import Any

import pytest

import interp
from interp.exec.engines import available
from interp.runtime.engine import Exhausted, HostCall, OutOfFuel, Paused, Returned, Trapped
from interp.syntax.instructions import Ins
from spec_tests.wasm.programs import CALLS, FIB, bits, make, raw_host

# -- ticks and fuel -------------------------------------------------------------------------------------------------


def test_ticks_count_entries_and_taken_branches_back(engine):
    inst = make(FIB, engine)
    assert bits(inst, "fib", 10) == [55]
    assert inst.store.ticks == 177  # one per call
    inst.store.ticks = 0
    bits(inst, "count", 10)
    assert inst.store.ticks == 1 + 1 + 9  # entry, one started 64 locals, nine branches back


@pytest.mark.parametrize("locals, ticks", [(0, 1), (1, 2), (64, 2), (65, 3), (128, 3), (129, 4)])
def test_declared_locals_cost_ticks_and_parameters_do_not(engine, locals, ticks):
    inst = make(f'(module (func (export "f") (param i64 i64) (local {"i32 " * locals})))', engine)
    bits(inst, "f", 1, 2)
    assert inst.store.ticks == ticks


BULK = """
(module
  (memory 2 10) (table 4000 funcref)
  (data $d "0123456789")
  (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "copy") (param i32) (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "init") (param i32) (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
  (func (export "table-fill") (param i32) (table.fill (i32.const 0) (ref.null func) (local.get 0)))
  (func (export "table-copy") (param i32) (table.copy (i32.const 1) (i32.const 0) (local.get 0)))
  (func (export "table-grow") (param i32) (drop (table.grow (ref.null func) (local.get 0)))))
"""


@pytest.mark.parametrize(
    "name, n, ticks",
    [
        ("fill", 0, 0),
        ("fill", 1, 1),
        ("fill", 4096, 1),
        ("fill", 4097, 2),
        ("fill", 131072, 32),
        ("copy", 8192, 2),
        ("init", 10, 1),
        ("grow", 0, 0),
        ("grow", 1, 16),
        ("table-fill", 512, 1),
        ("table-fill", 513, 2),
        ("table-copy", 1024, 2),
        ("table-grow", 1024, 2),
    ],
)
def test_bulk_instructions_cost_a_tick_per_started_4_kib(engine, name, n, ticks):
    inst = make(BULK, engine)
    bits(inst, name, n)
    assert inst.store.ticks == 1 + ticks


def test_a_bulk_instruction_that_traps_is_paid_for_all_the_same(engine):
    inst = make(BULK, engine)
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        bits(inst, "fill", 131073)
    assert inst.store.ticks == 1 + 33


@pytest.mark.parametrize("name", ["grow", "table-grow"])
def test_growing_that_a_limit_refuses_costs_nothing(engine, name):
    inst = make(BULK, engine, interp.VmLimits(table_entries=5000))
    bits(inst, name, 0xFFFFFFFF)
    assert inst.store.ticks == 1


def test_a_host_function_costs_one_tick(engine):
    inst = make('(module (import "env" "f" (func $f)) (func (export "g") (call $f) (call $f)))', engine, f=lambda: None)
    bits(inst, "g")
    assert inst.store.ticks == 3
    interp.invoke_bits(inst.store, inst.raw.funcs[0], [])
    assert inst.store.ticks == 4


@pytest.mark.resumable
def test_fuel_cut_at_every_tick_and_given_back(engine):
    """At each possible amount of fuel the run stops, charges nothing more, and goes on to the same end."""
    whole = make(FIB, engine)
    assert bits(whole, "fib", 6) == [8]
    total = whole.store.ticks
    for fuel in range(total):
        inst = make(FIB, engine)
        store = inst.store
        store.fuel = fuel
        thread = store.engine.start(store, inst.raw.exports["fib"], [6])
        assert isinstance(thread.run(), OutOfFuel)
        assert (store.fuel, store.ticks) == (0, fuel)
        assert isinstance(thread.run(), OutOfFuel)  # nothing was given
        store.fuel = total
        exit = thread.run()
        assert isinstance(exit, Returned)
        assert list(exit.values) == [8]
        assert (store.fuel, store.ticks) == (fuel, total)


def test_fuel_that_is_too_little_for_one_charge_stays(engine):
    inst = make(BULK, engine)
    inst.store.fuel = 10
    with pytest.raises(interp.FuelExhausted) as caught:
        bits(inst, "fill", 131072)
    assert inst.store.fuel == 9
    assert caught.value.where is not None
    assert caught.value.backtrace[0].offset == caught.value.where.offset
    assert inst.raw.mems[0].read(0, 4) == bytes(4)
    inst.store.fuel = 33
    bits(inst, "fill", 131072)
    assert inst.store.fuel == 0


def test_without_fuel_not_even_the_first_function_is_entered(engine):
    inst = make(FIB, engine)
    inst.store.fuel = 0
    with pytest.raises(interp.FuelExhausted):
        bits(inst, "fib", 1)
    assert inst.store.ticks == 0


def exits(inst: interp.Instance, name: str, args: list[int], fuel: int) -> list[Any]:
    """Every exit of a run that is given one tick after the other, from `fuel` on, with places."""
    store = inst.store
    store.fuel = fuel
    thread = store.engine.start(store, inst.raw.exports[name], args)
    seen: list[Any] = []
    exit = thread.run()
    while isinstance(exit, OutOfFuel):
        seen.append((exit, store.ticks, [(f.func_index, f.offset) for f in thread.backtrace()]))
        store.fuel += 1
        exit = thread.run()
    return [*seen, list(exit.values) if isinstance(exit, Returned) else exit, store.ticks]


@pytest.mark.skipif("native" not in interp.engines(), reason="compares two engines, and there is no native one")
@pytest.mark.parametrize(
    "text, name, args", [(FIB, "fib", [7]), (FIB, "count", [9]), (BULK, "fill", [70000]), (BULK, "grow", [2])]
)
def test_both_engines_leave_at_the_same_places(text, name, args):
    one, other = (exits(make(text, engine), name, args, 0) for engine in ("reference", "native"))
    assert one == other
    assert len(one) > 9


# -- slices, deadlines, interruption --------------------------------------------------------------------------------


@pytest.mark.resumable
def test_a_thread_pauses_after_a_slice(engine):
    inst = make(FIB, engine, interp.VmLimits(ticks_per_slice=10))
    store = inst.store
    thread = store.engine.start(store, inst.raw.exports["count"], [35])
    pauses = 0
    while isinstance(exit := thread.run(), Paused):
        pauses += 1
    assert list(exit.values) == [35]
    assert store.ticks == 36
    assert pauses == 3


def test_a_charge_larger_than_a_slice_goes_through(engine):
    inst = make(BULK, engine, interp.VmLimits(ticks_per_slice=2))
    bits(inst, "fill", 131072)
    assert inst.store.ticks == 33


def test_a_deadline_ends_an_endless_loop(engine):
    inst = make(FIB, engine)
    inst.store.deadline = time.monotonic() + 0.05
    with pytest.raises(interp.Interrupted) as caught:
        bits(inst, "forever")
    assert caught.value.backtrace
    inst.store.deadline = None
    assert bits(inst, "fib", 5) == [5]


def test_a_signal_ends_an_endless_loop(engine):
    """Ctrl-C comes through, from a timer that raises in the main thread as the signal handler would."""
    import signal

    inst = make(FIB, engine)

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            bits(inst, "forever")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert bits(inst, "fib", 5) == [5]
    assert inst.store.activations == 0


# -- depth ----------------------------------------------------------------------------------------------------------


def test_the_depth_limit_is_exact(engine):
    inst = make(FIB, engine, interp.VmLimits(call_depth=100))
    bits(inst, "down", 99)
    with pytest.raises(interp.Exhaustion, match="call stack exhausted") as caught:
        bits(inst, "down", 100)
    assert len(caught.value.backtrace) == 100
    assert inst.store.depth == inst.store.cells == 0
    bits(inst, "down", 99)


def test_the_cells_limit_is_exact(engine):
    # A frame of `down` holds its parameter and one operand.
    inst = make(FIB, engine, interp.VmLimits(value_stack_cells=2 * 50))
    cells = list(inst.raw.valid.frame_cells)[2]
    inst = make(FIB, engine, interp.VmLimits(value_stack_cells=cells * 50))
    bits(inst, "down", 49)
    with pytest.raises(interp.Exhaustion):
        bits(inst, "down", 50)


def test_depth_is_counted_over_nested_activations(engine):
    text = """(module (import "env" "again" (func $again))
      (func $down (export "down") (param i32)
        (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (call $again)))))"""
    depths = [29, 29]

    def again() -> None:
        if depths:
            inst.exports.down(depths.pop())

    inst = make(text, engine, interp.VmLimits(call_depth=100), again=again)
    inst.exports.down(39)  # 40 + 30 + 30 frames
    depths[:] = [30, 29]
    with pytest.raises(interp.Exhaustion):
        inst.exports.down(39)
    assert inst.store.activations == inst.store.depth == inst.store.cells == 0
    depths[:] = [29, 29]
    inst.exports.down(39)


# -- owners ---------------------------------------------------------------------------------------------------------


def test_objects_of_another_store_are_refused(engine):
    one, other = make(CALLS, engine, host=lambda x: x), make(CALLS, engine, host=lambda x: x)
    with pytest.raises(interp.EmbedderError, match="another store"):
        interp.invoke_bits(other.store, one.raw.exports["double"], [1])
    with pytest.raises(interp.EmbedderError, match="another store"):
        interp.instantiate(other.store, one.raw.valid, [one.raw.funcs[0]])
    linker = interp.Linker(other.store)
    with pytest.raises(interp.EmbedderError, match="another store"):
        linker.define("env", "host", one.raw.funcs[0])


def test_a_second_thread_is_refused_at_once(engine):
    errors: list[BaseException] = []

    def other_thread() -> None:
        try:
            inst.exports.double(1)
        except interp.EmbedderError as error:
            errors.append(error)

    def host(x: int) -> int:
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        return x

    inst = make(CALLS, engine, host=host)
    assert inst.exports.call(1) == 101
    assert "one thread at a time" in str(errors[0])
    thread = threading.Thread(target=other_thread)  # between calls any thread may use it
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_a_store_that_refers_to_itself_is_collected(engine):
    class Plugin:
        def __init__(self) -> None:
            self.inst = make(CALLS, engine, host=self.host)

        def host(self, x: int) -> int:
            return x

    plugin = Plugin()
    plugin.inst.exports.call(1)
    alive = [weakref.ref(plugin), weakref.ref(plugin.inst.store), weakref.ref(plugin.inst.raw.mems[0])]
    del plugin
    gc.collect()
    assert [ref() for ref in alive] == [None, None, None]


# -- threads by hand ------------------------------------------------------------------------------------------------


@pytest.mark.resumable
def test_a_thread_takes_only_the_answer_it_waits_for(engine):
    store, inst = raw_host(engine, lambda x: x)
    thread = store.engine.start(store, inst.exports["call"], [1])
    with pytest.raises(interp.EmbedderError):
        thread.resume([1])
    exit = thread.run()
    assert isinstance(exit, HostCall)
    assert list(exit.args) == [1]
    with pytest.raises(interp.EmbedderError):
        thread.run()
    exit = thread.resume([7])
    assert isinstance(exit, Returned)
    assert list(exit.values) == [107]
    for answer in (thread.run, lambda: thread.resume([1]), lambda: thread.throw_trap(interp.Trap("late"))):
        with pytest.raises(interp.EmbedderError):
            answer()
    thread.abort()
    thread.abort()


def test_exits_of_traps_and_exhaustion(engine):
    store, inst = raw_host(engine, lambda x: x)
    exit = store.engine.start(store, inst.exports["trap"], []).run()
    assert isinstance(exit, Trapped)
    assert exit.trap.message == "unreachable"
    deep = make(FIB, engine, interp.VmLimits(call_depth=5))
    exit = deep.store.engine.start(deep.store, deep.raw.exports["down"], [9]).run()
    assert isinstance(exit, Exhausted)
    assert exit.which == "depth"


def test_backtraces_name_functions_and_places(engine):
    text = """(module $m (func $innermost unreachable) (func $middle nop (call $innermost))
      (func (export "outer") (call $middle)))"""
    inst = make(text, engine)
    with pytest.raises(interp.Trap) as caught:
        inst.exports.outer()
    body = inst.raw.module.funcs[1].body
    assert caught.value.backtrace[1].offset == body[1].at
    lines = interp.backtrace_lines(caught.value)
    assert [line.split()[-1] for line in lines] == ["innermost", "middle", "outer"]
    assert lines[1].startswith(f"#1 {body[1].at:#x} ")


def test_the_middle_of_a_long_backtrace_is_one_line(engine):
    inst = make(FIB, engine)
    with pytest.raises(interp.Exhaustion) as caught:
        bits(inst, "down", 1 << 20)
    lines = interp.backtrace_lines(caught.value)
    assert len(lines) == 61
    assert lines[40] == f"... {16384 - 60} more"
    assert lines[-1].startswith("#16383 ")


def test_a_monitor_sees_each_instruction_with_the_stack():
    class Log:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def before(self, frame: interp.FrameInfo, ins: Ins, operands: list[int]) -> None:
            self.lines.append(f"{ins.op.name} {list(operands)}")

        def after(self, frame: interp.FrameInfo, ins: Ins, operands: list[int]) -> None:
            self.lines[-1] += f" -> {list(operands)}"

    inst = make(
        '(module (func $g (param i32) (result i32) local.get 0) (func (export "f") (result i32) i32.const 5 call $g))',
        "reference",
    )
    log = inst.store.monitor = Log()
    assert inst.exports.f() == 5
    assert log.lines == [
        "i32.const [] -> [5]",
        "call [5] -> []",
        "local.get [] -> [5]",
        "end [5] -> [5]",
        "end [5] -> [5]",
    ]
    inst.store.monitor = None
    assert inst.exports.f() == 5
    assert len(log.lines) == 5


def test_a_monitor_sees_an_instruction_once_even_if_it_is_repeated():
    class Count:
        before_count = after_count = 0

        def before(self, *event: Any) -> None:
            self.before_count += 1

        def after(self, *event: Any) -> None:
            self.after_count += 1

    def watched(slice: int) -> tuple[int, int]:
        inst = make(FIB, "reference", interp.VmLimits(ticks_per_slice=slice))
        count = inst.store.monitor = Count()
        assert bits(inst, "count", 20) == [20]
        return count.before_count, count.after_count

    assert watched(2) == watched(1000)


@pytest.mark.skipif("native" not in interp.engines(), reason="the native engine is the one that refuses")
def test_an_engine_that_cannot_show_instructions_refuses_a_monitor():
    with pytest.raises(interp.EmbedderError, match="native engine"):
        interp.Store("native").monitor = object()


@pytest.mark.parametrize("engine", available())
def test_a_tail_call_that_finds_no_room_is_where_it_stands(engine: str) -> None:
    """Its frame is still there: what asks for room is the callee, which has no place yet."""
    locals_ = " ".join(["i64"] * 80)
    text = f"""(module
      (func $small (return_call $large))
      (func $large (export "f") (local {locals_}) (call $small)))"""
    instance = interp.load(text, engine=engine, limits=replace(interp.VmLimits(), value_stack_cells=1000))
    with pytest.raises(interp.Exhaustion) as caught:
        instance.exports.f()
    indices = [frame.func_index for frame in caught.value.backtrace]
    assert indices == [0] + [1] * (len(indices) - 1)
