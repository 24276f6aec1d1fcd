"""A fresh instance from a snapshot, against initialising one: a plugin with its configuration, and 16 MiB by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

import interp
from benchmarks.load import plugins

#: A memory of 16 MiB that a start function fills.
FILLED = """
(module (memory (export "m") 256) (func $fill (local i32)
  (loop $l
    (i64.store (local.get 0) (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const 0x9e3779b97f4a7c15)))
    (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 8))) (i32.const 0x1000000)))))
  (start $fill))
"""
#: Pages of 64 KiB apart that a fresh instance writes to.
TOUCHED = 64
PLUGIN, CONFIG = "transformer", b'{"reqRules": [{"operate": "add", "headers": [{"key": "x-a", "value": "b"}]}]}'


@dataclass
class Fresh:
    """Seconds of initialising, of taking the snapshot, of a fresh instance with its pages touched; bytes of memory."""

    name: str
    memory: int
    initialise: list[float] = field(default_factory=list)
    take: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)


def timed(times: list[float], work: Callable[[], Any]) -> Any:
    """What the work gives; its seconds are appended."""
    begin = time.perf_counter()
    given = work()
    times.append(time.perf_counter() - begin)
    return given


def filled() -> interp.Store:
    """A store whose start function did some work."""
    return interp.load(FILLED).store


def plugin() -> interp.Store:
    """The store of a real plugin that was started and configured."""
    from hostabi.testing import FilterHost

    path = next(plugin.path for plugin in plugins() if PLUGIN in plugin.name)
    host = FilterHost(path, config=CONFIG)
    guest = host.chain.plugins[0].vm.guest
    store: interp.Store = guest.store  # type: ignore[union-attr]
    return store


def measure(name: str, make: Callable[[], interp.Store], rounds: int) -> Fresh:
    """Initialise, snapshot and begin anew, in turns."""
    found = Fresh(name, 0)
    for _ in range(rounds):
        store = timed(found.initialise, make)
        found.memory = sum(memory.length for memory in store.mems)
        snapshot = timed(found.take, store.snapshot)
        for _ in range(5):
            timed(found.fresh, lambda snapshot=snapshot: touch(snapshot.store()))
    return found


def touch(store: interp.Store) -> interp.Store:
    """Write to pages, as a request would."""
    memory = store.mems[0]
    for page in range(TOUCHED):
        memory.write(page * memory.length // TOUCHED, b"x")
    return store


def table(found: list[Fresh]) -> Table:
    """Milliseconds, and how many times faster than initialising."""
    shown = Table(title=f"a fresh instance with {TOUCHED} pages written, ms (median); target 1 ms and 20 times")
    shown.add_column("store")
    for column in ("MiB", "initialise", "snapshot", "fresh", "times faster"):
        shown.add_column(column, justify="right")
    for one in found:
        ms = [f"{median(times) * 1e3:.2f}" for times in (one.initialise, one.take, one.fresh)]
        faster = median(one.initialise) / median(one.fresh)
        shown.add_row(one.name, f"{one.memory / 2**20:.0f}", *ms, f"{faster:.0f}")
    return shown
