"""The driver in C and the one in Python are one contract: the same program by either, at every amount of fuel.

`entry` calls an export as users do, `stepwise` by a thread and its exits.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import interp
from interp import _native
from interp.exec.driver import invoke_stepwise

pytestmark = pytest.mark.skipif(_native.boundary is None, reason="this installation has no driver in C")

TEXT = """
(module
  (import "env" "host" (func $host (param i32 i64 f32 f64) (result i32)))
  (import "env" "none" (func $none))
  (import "env" "pair" (func $pair (param i32) (result i32 i64)))
  (import "env" "ref" (func $ref (param externref) (result externref)))
  (memory (export "mem") 1 4)
  (table (export "tab") 4 funcref)
  (elem (i32.const 0) $add $host)
  (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "swap") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "count") (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func $calls (export "calls") (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s)
        (call $host (local.get 0) (i64.const -2) (f32.const 0.5) (f64.const 1e300))))
      (call $none)
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $s))
  (func (export "pairs") (param i32) (result i64)
    (call $pair (local.get 0)) (drop) (i64.extend_i32_s) (call $calls (i32.const 2)) (drop))
  (func (export "grow") (param i32) (result i32)
    (call $none)
    (drop (memory.grow (local.get 0)))
    (memory.fill (i32.const 0) (i32.const 7) (i32.const 9000))
    (call $none)
    (memory.size))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect (param i32 i32) (result i32) (i32.const 1) (i32.const 2) (local.get 0)))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
      (else (call $host (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4)))))
  (func (export "trap") (result i32) (call $none) (i32.div_u (i32.const 1) (i32.const 0)))
  (func (export "same") (param externref) (result externref) (call $ref (local.get 0)))
  (func (export "forever") (loop $l (br $l)))
  (func (export "sums") (param i32) (result i64 f64) (local $n i64) (local $x f64)
    (loop $l
      (local.set $n (i64.add (local.get $n) (i64.const 3)))
      (local.set $x (f64.add (local.get $x) (f64.const 0.5)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $n) (local.get $x)))
"""

Way = Callable[[interp.Instance, str, tuple[int, ...]], list[int]]


def by_entry(inst: interp.Instance, name: str, bits: tuple[int, ...]) -> list[int]:
    func = inst.exports[name].raw
    entry = func.entry or inst.store.engine.entry(func)
    assert entry is not None
    return entry(*bits)


def by_steps(inst: interp.Instance, name: str, bits: tuple[int, ...]) -> list[int]:
    return invoke_stepwise(inst.store, inst.exports[name].raw, bits)


WAYS = (by_entry, by_steps)


def load(**changed: Any) -> tuple[interp.Instance, list[object]]:
    seen: list[object] = []

    def host(a: int, b: int, c: float, d: float) -> int:
        seen.append((a, b, c, d))
        return a - 1

    env = {
        "host": host,
        "none": lambda: seen.append("none"),
        "pair": lambda x: (x, -x),
        "ref": lambda x: x,
    }
    return interp.load(TEXT, {"env": env | changed}, engine="native"), seen


def outcome(way: Way, inst: interp.Instance, name: str, bits: tuple[int, ...]) -> object:
    try:
        return way(inst, name, bits)
    except interp.WasmError as error:
        frames = [(f.func_index, f.offset) for f in getattr(error, "backtrace", ())]
        return type(error).__name__, str(error), frames
    except (interp.EmbedderError, TypeError, OverflowError, ZeroDivisionError) as error:
        return type(error).__name__, str(error), list(getattr(error, "__notes__", ()))


CALLS: list[tuple[str, tuple[int, ...]]] = [
    ("add", (1, 0xFFFFFFFF)),
    ("swap", (0xFFFFFFFF, 1 << 63, 0x7F800001, 0xFFF0000000000001)),
    ("count", (40,)),
    ("calls", (7,)),
    ("pairs", (5,)),
    ("grow", (1,)),
    ("grow", (100,)),
    ("indirect", (0,)),
    ("indirect", (1,)),
    ("indirect", (9,)),
    ("deep", (5,)),
    ("deep", (1 << 20,)),
    ("trap", ()),
    ("same", (0,)),
    ("add", (1,)),
    ("add", (1, -1)),
    ("add", (1, 1 << 32)),
    ("add", (1, 1.5)),
]


@pytest.mark.parametrize(("name", "bits"), CALLS)
def test_both_drivers_agree_at_every_amount_of_fuel(name, bits):
    whole, _ = load()
    outcome(by_steps, whole, name, bits)
    most = min(whole.store.ticks, 60)
    for fuel in (None, *range(most + 2)):
        runs = []
        for way in WAYS:
            inst, seen = load()
            inst.store.fuel = fuel
            store = inst.store
            runs.append((outcome(way, inst, name, bits), seen, store.fuel, store.ticks, inst.exports.mem[:64]))
            assert inst.store.activations == inst.store.depth == inst.store.cells == 0
            inst.store.fuel = None
            assert inst.exports.add(2, 3) == 5
        assert repr(runs[0]) == repr(runs[1]), fuel


class Odd(int):
    """An integer of another type."""


ANSWERS = [5, -5, True, 2**32 - 1, 2**32, -(2**31) - 1, 1.5, None, "x", (1, 2), Odd(9), 1 << 70]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_both_drivers_take_the_same_answers_of_host_functions(answer):
    runs = []
    for way in WAYS:
        inst, _ = load(host=lambda *args: answer)
        runs.append(outcome(way, inst, "deep", (2,)))
        assert inst.exports.add(2, 3) == 5
    assert runs[0] == runs[1]


ERRORS = [ZeroDivisionError("mine"), interp.Trap("mine"), interp.FuelExhausted(), SystemExit(3)]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_both_drivers_let_the_same_errors_out(error):
    for way in WAYS:

        def host(*args: object) -> int:
            raise error

        inst, _ = load(host=host)
        with pytest.raises(type(error)) as caught:
            way(inst, "deep", (3,))
        assert caught.value is error
        assert inst.store.activations == 0
        assert inst.exports.add(2, 3) == 5
    if isinstance(error, ZeroDivisionError):
        assert len(error.__notes__) == 2
        assert len(set(error.__notes__)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_activations_nest_in_any_mixture_of_the_drivers(way):
    other = WAYS[way is by_entry]
    inst, _ = load()
    depth = 0

    def host(a: int, b: int, c: float, d: float) -> int:
        nonlocal depth
        depth += 1
        assert inst.store.activations == depth
        if depth < 9:
            assert (way if depth % 3 else other)(inst, "calls", (2,)) != []
            assert inst.exports.add(depth, 1) == depth + 1
            if depth == 5:
                with pytest.raises(interp.Trap):
                    inst.exports.trap()
        depth -= 1
        return a

    inst, _ = load(host=host)
    assert way(inst, "calls", (2,)) == [3]
    assert inst.store.activations == 0


def test_activations_nest_up_to_the_limit():
    inst, _ = load(host=lambda *args: inst.exports.deep(0))
    with pytest.raises(interp.LimitError, match="nested_activations"):
        inst.exports.deep(0)
    assert inst.store.activations == 0
    assert inst.exports.add(2, 3) == 5


def test_a_host_function_made_during_a_call_is_known_to_it():
    text = """(module (import "e" "make" (func $make)) (table (export "t") 1 funcref)
      (func (export "f") (param i32) (result i32)
        (call $make)
        (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))"""

    def make() -> None:
        raw = inst.store.host_func(interp.FuncType((interp.I32,), (interp.I32,)), lambda x: x * 2)
        inst.exports.t.raw.cells[0] = raw.addr + 1

    inst = interp.load(text, {"e": {"make": make}}, engine="native")
    assert [inst.exports.f(n) for n in (1, 21)] == [2, 42]


def test_a_deadline_ends_loops_and_calls():
    for name, args in (("forever", ()), ("calls", (0,))):
        inst, _ = load()
        inst.store.deadline = time.monotonic() + 0.05
        with pytest.raises(interp.Interrupted):
            inst.exports[name](*args)
        inst.store.deadline = None
        assert inst.exports.add(2, 3) == 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that signals")
def test_a_signal_interrupts_a_loop_and_its_handler_may_call_in():
    inst, _ = load()
    got = []

    def handler(*args: object) -> None:
        got.append(inst.exports.add(20, 1))
        if len(got) == 3:
            signal.setitimer(signal.ITIMER_REAL, 0)  # or a slow machine is told once more
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with pytest.raises(KeyboardInterrupt) as caught:
            inst.exports.forever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert got == [21] * 3
    assert "forever" in caught.value.__notes__[0]
    assert inst.exports.add(2, 3) == 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that signals")
def test_what_a_signal_calls_leaves_the_registers_of_the_loop_alone():
    inst, _ = load()
    got = []
    inside = False

    def handler(*args: object) -> None:
        nonlocal inside
        if not inside:  # it takes some slices, at whose ends a signal may come again
            inside = True
            got.append(inst.exports.sums(many))
            inside = False

    many = 1 << 18
    before = signal.signal(signal.SIGALRM, handler)
    turns = 1 << 16
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        while len(got) < 3:  # a fast machine may be through before the first
            turns *= 4
            assert inst.exports.sums(turns) == (3 * turns, turns / 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(got) == {(3 * many, many / 2)}


def test_other_threads_run_and_are_kept_out():
    inst, _ = load()
    errors: list[BaseException] = []
    turns = []
    inst.store.deadline = time.monotonic() + 60

    def other() -> None:
        while not inst.store.activations:
            time.sleep(0.001)
        for _ in range(5):
            turns.append(time.monotonic())
            try:
                inst.exports.add(1, 2)
            except interp.EmbedderError as error:
                errors.append(error)
        inst.store.deadline = time.monotonic()

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(interp.Interrupted):
        inst.exports.forever()
    ended = time.monotonic()
    thread.join()
    assert turns[-1] < ended
    assert len(errors) == 5
    assert "another one is in it" in str(errors[0])


def test_numbers_are_converted_as_the_long_way_does():
    inst, _ = load()
    swap = inst.exports.swap
    cases: list[tuple[Any, ...]] = [
        (1, 2, 0.1, 0.1),
        (-1, -1, float("inf"), float("-inf")),
        (2**32 - 1, 2**64 - 1, float("nan"), struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000123))[0]),
        (-(2**31), -(2**63), 1e300, -0.0),
        (True, False, 3, 2**60 + 1),
        (Odd(4), 5, -1e-50, 1e-320),
        *((sign * (2**30 + near), sign * (2**30 + near), 0.0, 1.0) for sign in (1, -1) for near in (-1, 0, 1)),
        (2**31, 2**63, 0.0, 1.0),
    ]
    for case in cases:
        assert repr(swap(*case)) == repr(swap.long_way(*case))
    wrongs: list[tuple[Any, ...]] = [(2**32, 0, 0, 0), (0, 2**64, 0, 0), (0, -(2**63) - 1, 0, 0), (0.0, 0, 0, 0)]
    for wrong in (*wrongs, (0, 0, "1", 0), (0, 0, 0)):
        got = []
        for call in (swap, swap.long_way):
            with pytest.raises((TypeError, OverflowError)) as caught:
                call(*wrong)
            got.append((type(caught.value), str(caught.value)))
        assert got[0] == got[1]
    with pytest.raises(TypeError, match="keyword"):
        swap(a=1)


def test_a_store_that_refers_to_itself_is_collected():
    holder: list[object] = []
    inst, _ = load(none=lambda: holder.append(inst))
    inst.exports.calls(1)
    gone = weakref.ref(inst.store)
    holder.clear()
    inst = None
    gc.collect()
    assert gone() is None


def test_calls_survive_garbage_collection_at_any_place():
    inst, _ = load()
    swap = inst.exports.swap

    class Loud:
        """Calls the guest when it is collected."""

        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            inst.exports.calls(1)

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for n in range(200):
            Loud()
            assert swap(n, n, 0.5, 0.25) == (0.25, 0.5, n, n)
    finally:
        gc.set_threshold(*before)


#: Leaves garbage of which a finalizer calls the store, reads and grows its memory, and begins a fresh one.
FINALIZER = """\
import gc
import interp

seen = []

def leave_garbage():
    inst = interp.load(TEXT, {"env": {"none": lambda: None}}, engine=ENGINE)
    image = interp.load(PLAIN, engine=ENGINE).snapshot()

    class Loud:
        def __init__(self):
            self.me = self

        def __del__(self):
            seen.append(inst.exports.calls(1))
            seen.append(inst.exports.mem[:4])
            seen.append((inst.exports.mem.grow(1), bytes(memoryview(inst.exports.mem))[:2]))
            seen.append(image.instance().exports.first())

    Loud()

gc.disable()
leave_garbage()
gc.collect()
assert seen == [98, b"abcd", (1, b"ab"), 101], seen
"""
MORTAL = """
(module
  (import "env" "none" (func $none))
  (type $pair (struct (field i32 i64)))
  (memory (export "mem") 1)
  (data (i32.const 0) "abcd")
  (func (export "calls") (param i32) (result i32)
    (call $none)
    (i32.add (struct.get $pair 0 (struct.new $pair (local.get 0) (i64.const 2))) (i32.load8_u (i32.const 0)))))
"""
PLAIN = """
(module (memory 1) (data (i32.const 0) "ef") (func (export "first") (result i32) (i32.load8_u (i32.const 0))))
"""


@pytest.mark.parametrize("mode", ["reserved", "moving"])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_finalizers_may_call_a_store_that_goes_with_them(engine, mode):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", f"ENGINE, TEXT, PLAIN = {engine, MORTAL, PLAIN}\n{FINALIZER}"],
        env={**os.environ, "TAMIS_MEMORY": mode, "MALLOC_PERTURB_": "165"},  # glibc then spoils what is freed
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("mode", ["reserved", "moving"])
def test_memories_slice_as_bytes_do(mode, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", mode)
    inst, _ = load()
    memory, mirror = inst.exports.mem, bytearray(65536)
    for at, data in ((0, b"ab"), (65530, b"sixsix"), (100, bytearray(b"xyz")), (7, memoryview(b"-"))):
        memory[at : at + len(data)] = data
        mirror[at : at + len(data)] = data
    memory[-1] = mirror[-1] = 250
    for key in (slice(0, 8), slice(None, 9), slice(-6, None), slice(110, 90, -1), slice(5, 5), slice(0, 300, 7), 3, -1):
        assert memory[key] == (bytes(mirror[key]) if isinstance(key, slice) else mirror[key])
    for key, wrong in ((65536, IndexError), (-65537, IndexError), ("x", TypeError), (1 << 70, IndexError)):
        with pytest.raises(wrong):
            memory[key]
    for key, value, wrong in (
        (slice(0, 2), b"abc", ValueError), (0, 256, ValueError), (0, "x", TypeError), (slice(0, 1), 5, TypeError),
        (65536, 1, IndexError),
    ):  # fmt: skip
        with pytest.raises(wrong):
            memory[key] = value
    with pytest.raises((TypeError, AttributeError)):
        del memory[0]
    assert bytes(memoryview(memory)) == mirror
    memory.grow(1)
    memory[65536:65540] = b"more"
    assert memory.read(65534, 6)[2:] == b"more"
    with pytest.raises(IndexError):
        memory.read(131070, 3)
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        memory.raw.write(131071, b"ab")
    with pytest.raises(interp.Trap):
        memory.raw.read(-1, 1)
    assert len(memory) == 131072
