"""Shared data and queues over threads: each thread has a host of its own, and they share what VMs share."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from queue import Queue
from threading import Barrier, RLock, Thread
from time import sleep
from typing import Any

import pytest

from hostabi import Host, Limits, PluginConfig, QueueReady, Start, Tick, Wake
from hostabi.core.shared import Shared
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

THREADS, TIMES = 4, 250
KEY = {0: b"k", 8: b"q"}

# Read value and CAS, add one, and try again until the set is accepted.
SET = (
    "(call $proxy_set_shared_data (i32.const 0) (i32.const 1) (i32.const 300) (i32.const 8) (i32.load (i32.const 264)))"
)
ADD = f"""
  (loop $again
    (drop {expression("proxy_get_shared_data", [0, 1, 256, 260, 264])})
    (i64.store (i32.const 300) (i64.add (i64.const 1) (i64.load (i32.load (i32.const 256)))))
    (br_if $again (i32.eq (i32.const 8) {SET})))
"""


class Dawdling(dict[tuple[bytes, bytes], tuple[bytes, int]]):
    """A dictionary that lets other threads in after each look."""

    def get(self, key: object, default: object = None) -> Any:
        found = super().get(key, default)  # type: ignore[call-overload]
        sleep(0)
        return found


@pytest.fixture(autouse=True)
def _often() -> Iterator[None]:
    """Let threads take turns much more often than they would."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def test_cas_races(engine: str) -> None:
    """No increment is lost, whoever comes in between."""
    shared = Shared(Limits(), RLock())
    shared.data = Dawdling()
    shared.set(b"", b"k", bytes(8), 0)
    barrier = Barrier(THREADS)
    text = small_filter({"proxy_on_tick": ADD}, data=KEY)
    failures: list[str] = []

    def work(number: int) -> None:
        plugin = Host(engine=engine, shared=shared).plugin(text, PluginConfig(name=f"p{number}"))
        plugin.handle(Start())
        plugin.root.tick_period_ms = 1
        barrier.wait(10)
        for _ in range(TIMES):
            plugin.handle(Tick(plugin.key))
        if plugin.failure:
            failures.append(plugin.failure)

    threads = [Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert int.from_bytes(shared.get(b"", b"k")[0], "little") == THREADS * TIMES


def test_wake_ups_cross_threads(engine: str) -> None:
    """Each message wakes the one who registered, in its own thread, once."""
    shared = Shared(Limits(), RLock())
    take = expression("proxy_dequeue_shared_queue", [1])
    register = callback("proxy_on_configure", expression("proxy_register_shared_queue", [8, 1]))
    reader = small_filter({"proxy_on_configure": register, "proxy_on_queue_ready": f"(drop {take})"}, data=KEY)
    writer = small_filter({"proxy_on_tick": f"(drop {expression('proxy_enqueue_shared_queue', [1, 0, 1])})"}, data=KEY)
    wakes: Queue[Wake | None] = Queue()
    taken: Counter[int] = Counter()
    ready = Barrier(THREADS)

    def read() -> None:
        host = Host(engine=engine, shared=shared, record=True)
        plugin = host.plugin(reader, PluginConfig(name="reader"))
        plugin.handle(Start())
        ready.wait(10)
        while (wake := wakes.get(timeout=10)) is not None:
            host.transcript.clear()
            host.handle(QueueReady(wake.plugin, wake.queue))
            taken.update(
                r.result for r in host.transcript if getattr(r, "function", "") == "proxy_dequeue_shared_queue"
            )

    def write(number: int) -> None:
        plugin = Host(engine=engine, shared=shared).plugin(writer, PluginConfig(name=f"writer{number}"))
        plugin.handle(Start())
        plugin.root.tick_period_ms = 1
        ready.wait(10)
        for _ in range(TIMES):
            for command in plugin.handle(Tick(plugin.key)):
                if isinstance(command, Wake):
                    wakes.put(command)

    reading = Thread(target=read)
    writing = [Thread(target=write, args=(i,)) for i in range(THREADS - 1)]
    for thread in (reading, *writing):
        thread.start()
    for thread in writing:
        thread.join(30)
    wakes.put(None)
    reading.join(30)
    assert taken == {0: (THREADS - 1) * TIMES}
    assert not shared.queues[1].messages


def test_metrics_add_up(engine: str) -> None:
    """A counter of one name, incremented in several threads."""
    shared = Shared(Limits(), RLock())
    define = callback("proxy_on_configure", expression("proxy_define_metric", [0, 0, 1]))
    add = f"(drop {expression('proxy_increment_metric', [4, 1])})"
    text = small_filter({"proxy_on_configure": define, "proxy_on_tick": add}, data=KEY)

    def work(number: int) -> None:
        plugin = Host(engine=engine, shared=shared).plugin(text, PluginConfig(name=f"p{number}"))
        plugin.handle(Start())
        plugin.root.tick_period_ms = 1
        for _ in range(TIMES):
            plugin.handle(Tick(plugin.key))

    threads = [Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [cell.value for cell in shared.metrics.values()] == [THREADS * TIMES]
