"""How fast is loading: real plugins of several MB, decoded, validated and instantiated, against a compiler's load."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.compute import geometric_mean
from interp.testing.wasm_tools import WasmTools

CODE_SECTION = 10
#: What is timed of a plugin.
STEPS = ("decode", "validate", "instantiate", "wasm3", "wasm_tools", "wasmtime")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A module that others built."""

    name: str
    path: Path


@dataclass(slots=True)
class Loaded:
    """Seconds of each step in each round; the compiler's and wasm3's in rounds of their own number, or none."""

    plugin: Plugin
    size: int
    code_size: int
    decode: list[float] = field(default_factory=list)
    validate: list[float] = field(default_factory=list)
    instantiate: list[float] = field(default_factory=list)
    wasm3: list[float] = field(default_factory=list)
    wasmtime: list[float] = field(default_factory=list)
    wasm_tools: list[float] = field(default_factory=list)
    resident: int | None = None
    """Bytes by which a fresh process grows, its linear memory included; None where that cannot be found out."""

    @property
    def ours(self) -> float:
        """Seconds of all three steps, median."""
        return median(map(sum, zip(self.decode, self.validate, self.instantiate, strict=True)))

    @property
    def code_rate(self) -> float:
        """MB of code validated in a second."""
        return self.code_size / 1e6 / median(self.validate)

    @property
    def times_faster(self) -> float:
        """How many of our loads fit into one of the compiler's; nan without it."""
        return median(self.wasmtime) / self.ours if self.wasmtime else float("nan")


def plugins() -> list[Plugin]:
    """The plugins of the package gpustack-higress-plugins, if it is installed; its code is not imported."""
    spec = importlib.util.find_spec("gpustack_higress_plugins")
    if spec is None or spec.origin is None:
        return []
    found = sorted(Path(spec.origin).parent.glob("plugins/*/*/plugin.wasm"))
    return [Plugin(path.parent.parent.name, path) for path in found]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that work takes, and what it gives."""
    begin = time.perf_counter()
    given = work()
    return time.perf_counter() - begin, given


def measure(plugin: Plugin, rounds: int, peers: set[str]) -> Loaded:
    """Load a plugin on each peer. The compiler takes part in the first round only: it needs seconds."""
    data = plugin.path.read_bytes()
    loaded = Loaded(plugin, len(data), 0)
    for turn in range(rounds):
        ours(data, loaded)
        if "wasm3" in peers:
            loaded.wasm3.append(load_wasm3(data))
        if "wasm_tools" in peers:
            loaded.wasm_tools.append(validate_by_tools(plugin.path))
        if "wasmtime" in peers and turn == 0:
            loaded.wasmtime.append(load_wasmtime(data))
    loaded.resident = resident(plugin)
    return loaded


def resident(plugin: Plugin) -> int | None:
    """What `benchmarks.resident` finds in a process of its own."""
    if not Path("/proc/self/statm").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.resident", str(plugin.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def ours(data: bytes, loaded: Loaded) -> None:
    """One load of ours, each step timed. Imported functions are stand-ins that give zeros."""
    import interp

    seconds, module = timed(lambda: interp.decode(data))
    loaded.decode.append(seconds)
    seconds, valid = timed(lambda: interp.validate(module))
    loaded.validate.append(seconds)
    loaded.code_size = sum(length for id, _, length in module.sections if id == CODE_SECTION)
    store = interp.Store()

    def stand_in(desc: int) -> Any:
        zeros = [0] * len(module.comp(desc).results)
        return store.host_func(module.comp(desc), lambda *_: zeros)

    def instantiate() -> Any:
        return interp.instantiate(store, valid, [stand_in(i.desc) for i in module.imports])

    loaded.instantiate.append(timed(instantiate)[0])


def load_wasm3(data: bytes) -> float:
    """wasm3's load, which validates nothing and compiles nothing yet."""
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 20)
    return timed(lambda: runtime.load(environment.parse_module(data)))[0]


def validate_by_tools(path: Path) -> float:
    """`wasm-tools validate`, which decodes and validates on all cores: a process, its start included."""
    tools = WasmTools.find()
    if tools is None:
        raise ModuleNotFoundError("wasm-tools")
    command = [str(tools.program), "validate", "--features", "all", str(path)]
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))[0]


def tools_start() -> float:
    """Seconds that a process of wasm-tools takes with the smallest module there is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.wasm"
        path.write_bytes(b"\0asm\1\0\0\0")
        return median(validate_by_tools(path) for _ in range(5))


def load_wasmtime(data: bytes) -> float:
    """wasmtime's load: it validates and compiles everything, on all cores."""
    import wasmtime

    engine = wasmtime.Engine()
    return timed(lambda: wasmtime.Module(engine, data))[0]


def table(loaded: list[Loaded]) -> Table:
    """Milliseconds by step, the code validated in a second, and how many times faster than the compiler."""
    shown = Table(title="loading, ms (median)")
    shown.add_column("plugin")
    for column in ("MB", "decode", "validate", "instantiate", "tamis", "wasm3", "wasm-tools", "wasmtime"):
        shown.add_column(column, justify="right")
    for column in ("times faster", "MB code/s", "RSS / file"):
        shown.add_column(column, justify="right", style="bold")
    for item in loaded:
        steps = (item.decode, item.validate, item.instantiate, [item.ours], item.wasm3, item.wasm_tools, item.wasmtime)
        ms = [f"{median(times) * 1000:,.1f}" if times else "-" for times in steps]
        grown = "-" if item.resident is None else f"{item.resident / item.size:.2f}"
        rates = (f"{item.times_faster:.0f}", f"{item.code_rate:.0f}", grown)
        shown.add_row(item.plugin.name, f"{item.size / 1e6:.1f}", *ms, *rates)
    if len(loaded) > 1:
        shown.add_section()
        worst = (f"{min(item.times_faster for item in loaded):.0f}", f"{min(item.code_rate for item in loaded):.0f}")
        mean = (geometric_mean(i.times_faster for i in loaded), geometric_mean(i.code_rate for i in loaded))
        shown.add_row("geometric mean", *[""] * 8, *(f"{value:.0f}" for value in mean))
        shown.add_row("lowest", *[""] * 8, *worst)
    return shown


def as_json(item: Loaded) -> dict[str, Any]:
    """All times of one plugin, in seconds."""
    return {
        "name": item.plugin.name,
        "bytes": item.size,
        "code_bytes": item.code_size,
        **{step: getattr(item, step) for step in STEPS},
        "resident_bytes": item.resident,
        "times_faster_than_wasmtime": item.times_faster,
        "code_mb_per_second": item.code_rate,
    }
