"""RESULTS.md out of the JSON of a run of each benchmark, so that no figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import boundary
from benchmarks.compute import geometric_mean

COMMAND = (
    "python -m benchmarks --json speed.json && python -m benchmarks load --json load.json"
    " && python -m benchmarks boundary --json calls.json"
    " && python -m benchmarks snapshot --json fresh.json"
    " && python -m benchmarks ticks --json ticks.json"
    " && python -m benchmarks results speed.json load.json calls.json fresh.json ticks.json"
)


def write(speed: Path, load: Path, calls: Path, fresh: Path, counts: Path, target: Path) -> None:
    """Write the page."""
    files = (speed, load, calls, fresh, counts)
    fast, loaded, called, begun, counted = (json.loads(path.read_text()) for path in files)
    parts = [f"`{COMMAND}`", "# Results", about(fast["environment"]), speed_part(fast), ticks_part(counted)]
    parts += [load_part(loaded), boundary_part(called), snapshot_part(begun)]
    target.write_text("\n\n".join(parts) + "\n")


def about(environment: dict[str, Any]) -> str:
    """What the figures depend on."""
    ours = ", ".join(f"{key} {value}" for key, value in environment["tamis"].items())
    peers = ", ".join(f"{name} {version}" for name, version in environment["peers"].items() if "tamis" not in name)
    return f"{environment['machine']}; {environment['python']}. tamis: {ours}. Peers: {peers}."


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all but the first column are numbers."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def speed_part(result: dict[str, Any]) -> str:
    """Ratios to the base, with the base's milliseconds."""
    base, means = result["base"], result["geometric_mean"]
    others = [name for name in means if name != base]
    rows = []
    for name, workload in result["workloads"].items():
        ms = f"{median(workload['seconds'][base]) * 1000:,.0f}"
        label = f"{name}{' (apart)' if workload['apart'] else ''}: {workload['kind']}"
        rows.append([label, ms, *(f"{workload['ratio'][other]:.2f}" for other in others)])
    counted = sum(not workload["apart"] for workload in result["workloads"].values())
    rows.append([f"**geometric mean of {counted}**", "", *(f"**{means[other]:.2f}**" for other in others)])
    head = ["workload", f"{base}, ms", *(f"{other} / {base}" for other in others)]
    text = f"## Speed of code\n\nTime relative to {base}, less is faster; medians of interleaved rounds."
    return text + "\n\n" + table(head, rows)


def ticks_part(result: dict[str, Any]) -> str:
    """What counting ticks costs."""
    rows = [[name, f"{kernel['ratio']:.2f}"] for name, kernel in result.items()]
    rows.append(["**geometric mean**", f"**{geometric_mean(kernel['ratio'] for kernel in result.values()):.2f}**"])
    text = "## Ticks\n\nTime of this build over that of one which counts no ticks. Target: 1.15."
    return text + "\n\n" + table(["workload", "with / without"], rows)


def load_part(result: dict[str, Any]) -> str:
    """Loading, step by step."""
    plugins = result["plugins"]
    steps = ("decode", "validate", "instantiate", "wasm3", "wasmtime")
    rows = [
        [
            plugin["name"],
            f"{plugin['bytes'] / 1e6:.1f}",
            *(f"{median(plugin[step]) * 1000:,.1f}" for step in steps),
            f"{plugin['times_faster_than_wasmtime']:.0f}",
            f"{plugin['code_mb_per_second']:.0f}",
            f"{plugin['resident_bytes'] / plugin['bytes']:.2f}" if plugin.get("resident_bytes") else "",
        ]
        for plugin in plugins
    ]
    faster = [plugin["times_faster_than_wasmtime"] for plugin in plugins]
    rates = [plugin["code_mb_per_second"] for plugin in plugins]
    empty = [""] * (len(steps) + 1)
    for label, of in (("geometric mean", geometric_mean), ("lowest", min)):
        rows.append([f"**{label}**", *empty, f"**{of(faster):.0f}**", f"**{of(rates):.0f}**", ""])
    head = [
        "plugin",
        "MB",
        *(f"{step}, ms" for step in steps),
        "times faster than wasmtime",
        "MB of code validated a second",
        "resident memory / file size",
    ]
    text = (
        "## Loading\n\nOurs is decode, validate and instantiate; wasmtime's is its compilation on all cores, wasm3's is"
        " without validation. Resident memory is the growth of a fresh process, the module's bytes and its linear"
        " memory included. Targets: 50 times faster than wasmtime, 60 MB a second, 3 times the file. On a busy"
        f" machine the ratio flatters us, since wasmtime wants every core; this was {result['environment']['machine']}."
    )
    return text + "\n\n" + table(head, rows)


def boundary_part(result: dict[str, Any]) -> str:
    """Calls, host calls and memory, in nanoseconds and as ratios."""
    peers = [peer for peer in next(iter(result["ns"].values())) if peer != "tamis"]
    rows = []
    for what, times in result["ns"].items():
        label, base, target = boundary.WHAT[what]
        ns = [f"{median(times[peer]):,.0f}" for peer in ("tamis", *peers)]
        rows.append([label, *ns, *(f"{boundary.ratio(times, peer):.3g}" for peer in peers), f"{target} of {base}"])
    head = ["what", *(f"{peer}, ns" for peer in ("tamis", *peers)), *(f"tamis / {peer}" for peer in peers), "target"]
    text = "## In and out of Python\n\nMedians of rounds in which the peers take turns, all of our checks on."
    return text + "\n\n" + table(head, rows)


def snapshot_part(result: dict[str, Any]) -> str:
    """Fresh instances beside initialising."""
    rows = []
    for store in result["stores"]:
        ms = [median(store[step]) * 1000 for step in ("initialise", "take", "fresh")]
        figures = (*(f"{m:.2f}" for m in ms), f"{ms[0] / ms[2]:.0f}")
        rows.append([store["name"], f"{store['memory'] / 2**20:.0f}", *figures])
    head = ["store", "MiB", "initialise, ms", "take a snapshot, ms", "fresh instance, ms", "times faster"]
    text = (
        "## Fresh instances from a snapshot\n\nA fresh store with 64 pages written, against initialising."
        " Targets: 1 ms, and 20 times faster."
    )
    return text + "\n\n" + table(head, rows)
