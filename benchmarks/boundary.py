"""The way in and out of Python: what one call, one host call, one read and one write cost, in nanoseconds."""

from __future__ import annotations

import gc
import time
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any

from rich.table import Table

import interp

TEXT = """
(module
  (import "env" "host" (func $host (param i32 i32 i32 i32) (result i32)))
  (import "env" "back" (func $back (param i32) (result i32)))
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 1024))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "malloc") (param i32) (result i32)
    (global.set $top (i32.and (i32.add (global.get $top) (local.get 0)) (i32.const 0x7fff))) (global.get $top))
  (func (export "hosts") (param i32) (result i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (call $host (local.get 0) (i32.const 2) (i32.const 3) (i32.const 4))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $sum))
  (func (export "backs") (param i32) (result i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (call $back (i32.const 16))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $sum)))
"""

BYTES = bytes(range(64))
#: What is measured: what it is, the peer it is compared with, the ratio to stay under.
WHAT = {
    "call": ("call an export, (i32, i32) -> i32", "wasm3", 0.5),
    "host": ("host call with four i32", "wasm3", 1.0),
    "back": ("host call that calls malloc back", "wasm3", 1.0),
    "read": ("read 64 bytes of memory", "wasm3", 0.5),
    "write": ("write 64 bytes of memory", "wasm3", 1.0),
}
Times = dict[str, dict[str, list[float]]]
Works = dict[str, Callable[[int], float]]


def timed(statement: str, names: dict[str, Any]) -> Callable[[int], float]:
    """What gives the seconds that one of so many turns of a statement takes; the loop is `timeit`'s."""
    timer = timeit.Timer(statement, globals={**names, "BYTES": BYTES})
    return lambda turns: timer.timeit(turns) / turns


def inside(turns: int, call: Callable[[int], Any]) -> float:
    """Seconds of one of so many host calls within one call."""
    begin = time.perf_counter()
    call(turns)
    return (time.perf_counter() - begin) / turns


def tamis(data: bytes) -> Works:
    """Ours, as `interp.load` gives it: all checks on."""
    instance = interp.load(data, {"env": {"host": lambda a, b, c, d: a + b, "back": lambda n: malloc(n)}})
    malloc = instance.exports.malloc
    names = {"add": instance.exports.add, "memory": instance.exports.memory}
    return {
        "call": timed("add(3, 4)", names),
        "host": lambda n: inside(n, instance.exports.hosts),
        "back": lambda n: inside(n, instance.exports.backs),
        "read": timed("memory[256:320]", names),
        "write": timed("memory[256:320] = BYTES", names),
    }


def wasm3(data: bytes) -> Works:
    """pywasm3: what it reads is a copy too, by `bytes`, since a view of memory that moves is none."""
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 20)
    module = environment.parse_module(data)
    runtime.load(module)
    module.link_function("env", "host", "i(iiii)", lambda a, b, c, d: a + b)
    module.link_function("env", "back", "i(i)", lambda n: malloc(n))
    malloc = runtime.find_function("malloc")
    hosts, backs = runtime.find_function("hosts"), runtime.find_function("backs")
    names = {"add": runtime.find_function("add"), "memory": runtime.get_memory(0), "environment": environment}
    return {
        "call": timed("add(3, 4)", names),
        "host": lambda n: inside(n, hosts),
        "back": lambda n: inside(n, backs),
        "read": timed("bytes(memory[256:320])", names),
        "write": timed("memory[256:320] = BYTES", names),
    }


def wasmtime(data: bytes) -> Works:
    """wasmtime-py, the common binding of the compiler."""
    import wasmtime

    store = wasmtime.Store()
    i32 = wasmtime.ValType.i32()
    host = wasmtime.Func(store, wasmtime.FuncType([i32] * 4, [i32]), lambda a, b, c, d: a + b)
    back = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), lambda n: malloc(store, n))
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, data), [host, back]).exports(store)
    add, malloc, hosts, backs, memory = (exports[name] for name in ("add", "malloc", "hosts", "backs", "memory"))
    names = {"add": add, "memory": memory, "store": store}
    return {
        "call": timed("add(store, 3, 4)", names),
        "host": lambda n: inside(n, lambda k: hosts(store, k)),
        "back": lambda n: inside(n, lambda k: backs(store, k)),
        "read": timed("bytes(memory.read(store, 256, 320))", names),
        "write": timed("memory.write(store, BYTES, 256)", names),
    }


MAKERS: dict[str, Callable[[bytes], Works]] = {"tamis": tamis, "wasm3": wasm3, "wasmtime": wasmtime}
#: A slow peer takes this share of the turns.
SHARE = {"wasmtime": 100}


def measure(peers: list[str], rounds: int, turns: int, tick: Callable[[str], None]) -> Times:
    """Nanoseconds of every round, by what was measured and the peer; the peers take turns within a round."""
    data = interp.encode(interp.parse(TEXT))
    works = {peer: MAKERS[peer](data) for peer in peers}
    times: Times = {what: {peer: [] for peer in peers} for what in WHAT}
    for what in WHAT:
        for turn in range(rounds):
            tick(WHAT[what][0])
            gc.collect()
            for peer in peers if turn % 2 else reversed(peers):
                n = max(turns // SHARE.get(peer, 1), 1)
                times[what][peer].append(works[peer][what](n) * 1e9)
    return times


def ratio(times: dict[str, list[float]], peer: str) -> float:
    """Ours over the peer's: the median of the ratios within each round."""
    return median(ours / theirs for ours, theirs in zip(times["tamis"], times[peer], strict=True))


def table(times: Times) -> Table:
    """Nanoseconds (median), the ratios, and the target."""
    shown = Table(title="ns (median), and ours over each peer's: lower is better")
    peers = list(next(iter(times.values())))
    shown.add_column("what")
    for peer in peers:
        shown.add_column(peer, justify="right")
        if peer != "tamis":
            shown.add_column(f"/ {peer}", justify="right", style="bold")
    shown.add_column("target", justify="right")
    for what, (label, base, target) in WHAT.items():
        cells = []
        for peer in peers:
            cells.append(f"{median(times[what][peer]):,.0f}")
            if peer != "tamis":
                cells.append(f"{ratio(times[what], peer):.3g}")
        shown.add_row(label, *cells, f"{target} of {base}")
    return shown
