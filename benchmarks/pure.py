"""Engines in pure Python: our `python` engine with ticks and depth counted, against pwasm and pywasm.

A run is one call on a fresh instance, as in `compute.py`: what an engine makes of a function on its first call is in
the time. pwasm is told to make Python source of everything (its mode "compile", its fastest); by itself it interprets
a function the first time. pywasm, an interpreter of 100 times the time, gets smaller sizes, on which ours runs as
well, and one run a workload. All must compute what our fastest engine computes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.compute import WrongResult, geometric_mean
from benchmarks.peers import Tamis, version_of
from benchmarks.workloads import FOLDER

MASK = 0xFFFFFFFF
#: What pwasm and we get, and what pywasm and we get: on this scale pywasm takes some seconds. What it needs half a
#: minute for at the smallest size, it does not get (0).
SIZES = {
    "fib": (26, 17),
    "sieve": (5, 1),
    "sha256": (40, 2),
    "hash64": (20, 1),
    "crc32": (4, 1),
    "collatz": (20_000, 1_000),
    "matmul": (1, 0),
    "nbody": (10_000, 300),
    "mandelbrot": (140, 20),
    "sort": (2, 1),
    "bytecode": (2_000, 200),
    "json": (6, 1),
    "regex": (1, 0),
    "compress": (4, 1),
    "mix": (30, 1),
}
#: What pywasm needs more than ten seconds for, for a smoke test to leave out.
QUICK = ("fib", "sha256", "collatz")
TARGETS = {"pwasm": 1.5, "pywasm": 100.0}


class Pwasm:
    """pwasm makes Python source of WebAssembly; with `limits` it counts fuel, as we count ticks."""

    def __init__(self, limits: bool = False) -> None:
        import pwasm
        from pwasm.runtime import Limits

        self.name = "pwasm with fuel" if limits else "pwasm"
        self._pwasm = pwasm
        self._limits = Limits if limits else None
        self.version = version_of("pwasm")

    def load(self, data: bytes) -> Callable[[int], int]:
        """A fresh instance's export `run`."""
        limits = self._limits(fuel=1 << 60) if self._limits else None
        instance = self._pwasm.instantiate(self._pwasm.decode_module(data), mode="compile", limits=limits)
        return lambda n: instance.exports.run(n) & MASK


class Pywasm:
    """pywasm interprets."""

    name = "pywasm"

    def __init__(self) -> None:
        import pywasm

        self._pywasm = pywasm
        self.version = version_of("pywasm")

    def load(self, data: bytes) -> Callable[[int], int]:
        """A fresh instance's export `run`."""
        runtime = self._pywasm.Runtime()
        module = runtime.instance(self._pywasm.ModuleDesc.from_reader(io.BytesIO(data)))
        return lambda n: int(runtime.invocate(module, "run", [n])[0]) & MASK


@dataclass
class Measured:
    """A workload: seconds by peer and round, ours beside each of them at the same size."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ours: dict[str, list[float]] = field(default_factory=dict)

    def faster(self, peer: str) -> float:
        """How many times faster ours is: the median over the rounds."""
        return median(a / b for a, b in zip(self.seconds[peer], self.ours[peer], strict=True))


def present() -> tuple[list[Any], list[str]]:
    """The peers that are installed, and the names of those that are not."""
    found: list[Any] = []
    missing = []
    for name, make in {"pwasm": Pwasm, "pwasm with fuel": lambda: Pwasm(limits=True), "pywasm": Pywasm}.items():
        try:
            found.append(make())
        except ModuleNotFoundError:
            missing.append(name)
    return found, missing


def measure(name: str, peers: list[Any], rounds: int, quick: bool, done: Callable[[str], None]) -> Measured:
    """Time a workload on each peer and on ours by turns. Raises WrongResult."""
    data = (FOLDER / f"{name}.wasm").read_bytes()
    found = Measured(name, {peer.name: [] for peer in peers}, {peer.name: [] for peer in peers})
    ours = Tamis("python")
    for peer in peers:
        size = SIZES[name][peer.name == "pywasm" or quick]
        if not size:
            continue
        right = Tamis().load(data)(size)
        for turn in range(1 if peer.name == "pywasm" or quick else rounds):
            done(f"{name}: {peer.name}")
            order = ((ours, found.ours[peer.name]), (peer, found.seconds[peer.name]))
            for engine, times in order if turn % 2 else reversed(order):
                run = engine.load(data)
                begin = time.perf_counter()
                got = run(size)
                times.append(time.perf_counter() - begin)
                if got != right:
                    raise WrongResult(f"{engine.name} computes {got:#x} for {name}({size}), and not {right:#x}")
    return found


def table(found: list[Measured]) -> Table:
    """Milliseconds, and how many times faster ours is."""
    peers = list(found[0].seconds)
    shown = Table(title="pure Python, ms a run (median): how many times faster ours is")
    shown.add_column("workload")
    for peer in peers:
        for column in ("ours", peer):
            shown.add_column(column, justify="right")
        target = f", target {TARGETS[peer]:g}" if peer in TARGETS else ""
        shown.add_column(f"times faster{target}", justify="right", style="bold")
    for one in found:
        cells = []
        for peer in peers:
            if not one.seconds[peer]:
                cells += ["-"] * 3
                continue
            cells += [f"{median(times) * 1e3:,.0f}" for times in (one.ours[peer], one.seconds[peer])]
            cells.append(f"{one.faster(peer):.3g}")
        shown.add_row(one.name, *cells)
    shown.add_section()
    means = [geometric_mean(one.faster(peer) for one in found if one.ours[peer]) for peer in peers]
    shown.add_row("geometric mean", *(cell for mean in means for cell in ("", "", f"{mean:.3g}")), style="bold")
    return shown


def as_json(one: Measured) -> dict[str, Any]:
    """All times of a workload."""
    return {"name": one.name, "seconds": one.seconds, "ours": one.ours}
