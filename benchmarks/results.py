"""RESULTS.md out of the JSON of a run of each benchmark, so that no figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import boundary, load, pure
from benchmarks.compute import geometric_mean

#: The benchmarks, each with the file that it leaves and the minutes it takes on two quiet cores.
RUNS = {
    "": ("speed.json", 4),
    "load": ("load.json", 2),
    "boundary": ("calls.json", 2),
    "snapshot": ("fresh.json", 1),
    "ticks": ("ticks.json", 5),
    "request": ("request.json", 1),
    "growth": ("growth.json", 1),
    "python": ("python.json", 4),
}
COMMAND = " && ".join(
    [" ".join(f"python -m benchmarks {name} --json {file}".split()) for name, (file, _) in RUNS.items()]
    + ["python -m benchmarks results"]
)


def write(folder: Path, target: Path) -> None:
    """Write the page from the JSON files in a folder."""
    found = {name: json.loads((folder / file).read_text()) for name, (file, _) in RUNS.items()}
    fast = found[""]
    parts = [f"`{COMMAND}`", "# Results", about(fast["environment"]), targets_part(found), speed_part(fast)]
    parts += [ticks_part(found["ticks"]), load_part(found["load"]), boundary_part(found["boundary"])]
    parts += [request_part(found["request"]), snapshot_part(found["snapshot"]), growth_part(found["growth"])]
    parts.append(python_part(found["python"]))
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
    steps = [step for step in load.STEPS if all(plugin.get(step) for plugin in plugins)]
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
        *(f"{step.replace('_', '-')}, ms" for step in steps),
        "times faster than wasmtime",
        "MB of code validated a second",
        "resident memory / file size",
    ]
    text = (
        "## Loading\n\nOurs is decode, validate and instantiate; wasmtime's is its compilation on all cores, wasm3's is"
        " without validation, and wasm-tools' is `wasm-tools validate` on all cores, a process of which"
        f" {(result['wasm_tools_start'] or 0) * 1e3:.1f} ms are its start. Resident memory is the growth of"
        " a fresh process, the module's bytes and its linear"
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


def least(seconds: list[float]) -> float:
    """The round that was least disturbed."""
    return min(seconds)


def request_ratios(result: dict[str, Any]) -> dict[str, float]:
    """How many times faster than the shim, by filter."""
    base, other = result["base"], "wasmtime"
    return {
        one["name"]: least(one["seconds"][other]) / least(one["seconds"][base])
        for one in result["filters"]
        if other in one["seconds"]
    }


def request_part(result: dict[str, Any]) -> str:
    """Requests through filters, and how much of them is the same Python on both sides."""
    base, ratios = result["base"], request_ratios(result)
    rows = []
    for one in result["filters"]:
        cells = [one["name"], one["language"], f"{one['ticks']:,}"]
        for machine in (base, "wasmtime"):
            cells += [f"{least(one['seconds'][machine]) * 1e6:,.0f}", f"{one['host_seconds'][machine] * 1e6:,.0f}"]
        rows.append([*cells, f"{ratios[one['name']]:.2f}"])
    rows.append(["**geometric mean**", *[""] * 6, f"**{geometric_mean(ratios.values()):.2f}**"])
    text = (
        "## Requests\n\nOne request through a filter, the whole host included, warm: `hostabi` on our engine, and on"
        " wasmtime (`benchmarks/peers/shim.py`, which passes the tests of filters: `python -m benchmarks shim`)."
        " Microseconds of the least disturbed of many short rounds; of them, what is spent in the host's own Python."
        " Target: 3 times faster."
    )
    head = [
        "filter",
        "language",
        "ticks",
        "tamis, µs",
        "of it the host",
        "wasmtime, µs",
        "of it the host",
        "times faster",
    ]
    return text + "\n\n" + table(head, rows)


def growth_part(result: dict[str, Any]) -> str:
    """What a request's cost grows with."""
    rows = []
    for curve in result["curves"]:
        first, last = curve["points"][0], curve["points"][-1]
        slope = "" if curve["promised"] == 0 else f"{curve['seconds_per_unit'] * 1e9:,.1f}"
        cells = [f"{least(point['seconds']) * 1e6:,.0f}" for point in (first, last)]
        counts = " to ".join(
            f"{point['ticks']}, {point['host_calls']}, {point['bytes_copied']:,}" for point in (first, last)
        )
        size = f"{first['size']:,} to {last['size']:,} {curve['unit']}"
        rows.append([curve["name"], size, *cells, counts, f"{curve['promised']}", f"{curve['exponent']:.2f}", slope])
    text = (
        "## Growth\n\nWhat a request costs at the smallest and at the largest size, and the exponent of the power of"
        " the size that its cost grows with: 0 is flat, 1 is linear. `--plot` draws the curves."
    )
    head = [
        "grows",
        "from, to",
        "first, µs",
        "last, µs",
        "ticks, host calls, bytes copied",
        "promised",
        "exponent",
        "ns for one more",
    ]
    return text + "\n\n" + table(head, rows)


def python_means(result: dict[str, Any]) -> dict[str, float]:
    """How many times faster than each peer in pure Python, geometric means."""
    peers = list(result["workloads"][0]["seconds"])
    told = {peer: [one for one in result["workloads"] if one["ours"][peer]] for peer in peers}
    return {peer: geometric_mean(python_ratio(one, peer) for one in found) for peer, found in told.items()}


def python_ratio(one: dict[str, Any], peer: str) -> float:
    """How many times faster ours is: the median over the rounds."""
    return median(a / b for a, b in zip(one["seconds"][peer], one["ours"][peer], strict=True))


def beside(ours: list[float], theirs: list[float]) -> str:
    """Milliseconds of both; nothing where there was no run."""
    return " / ".join(f"{median(seconds) * 1e3:,.0f}" for seconds in (ours, theirs)) if ours else ""


def python_part(result: dict[str, Any]) -> str:
    """The engines in pure Python."""
    means = python_means(result)
    rows = [
        [one["name"], *(beside(one["ours"][peer], one["seconds"][peer]) for peer in means)]
        + [f"{python_ratio(one, peer):.3g}" if one["ours"][peer] else "" for peer in means]
        for one in result["workloads"]
    ]
    rows.append(["**geometric mean**", *[""] * len(means), *(f"**{mean:.3g}**" for mean in means.values())])
    versions = ", ".join(f"{name} {version}" for name, version in result["environment"]["peers"].items())
    text = (
        f"## In pure Python\n\nOur `python` engine, ticks and depth counted, beside others ({versions}): ours / theirs"
        ' in ms, and how many times faster ours is. pwasm makes source of everything (mode "compile"), without and with'
        " its fuel; pywasm gets smaller sizes. Targets: 1.5 times pwasm, 100 times pywasm."
    )
    head = ["workload", *(f"{peer}, ms" for peer in means), *(f"times faster than {peer}" for peer in means)]
    return text + "\n\n" + table(head, rows)


#: Why a target may be missed, by how its row begins.
WHY = {
    "request through": (
        "Requests: most of one is the host's own Python, the same on both sides. The gain is at the boundary, where a"
        " call into the guest costs wasmtime-py some hundred times ours; the more the host does, the less it shows."
        " Where a filter computes much (transformer, http_gate), compiled code also wins some of it back from an"
        " interpreter. The table of requests tells the two apart."
    ),
    "python engine, times faster than pwasm": (
        "Pure Python: pwasm 0.2 makes much the same Python source as we do and counts nothing; with its fuel on, which"
        " counts calls and loops as our ticks do, most of the distance is gone."
    ),
    "fresh instance, times faster": (
        "Fresh instances: initialising has become faster since the target was set; the first store does little."
    ),
    "bulk": "Bulk memory: both sides call the machine's memmove.",
}


def targets_part(found: dict[str, Any]) -> str:
    """Every target with its figure, the missed ones too."""
    fast, loaded, calls = found[""], found["load"]["plugins"], found["boundary"]["ns"]
    ours = next(name for name in fast["geometric_mean"] if name.startswith("tamis"))
    kernels = {name: one for name, one in fast["workloads"].items() if not one["apart"]}
    apart = {name: one["ratio"][ours] for name, one in fast["workloads"].items() if one["apart"]}
    worst = max(kernels, key=lambda name: kernels[name]["ratio"][ours])
    rows: list[tuple[str, str, float, float, bool]] = [
        ("compute, geometric mean of time over wasm3's", "<=", 0.50, fast["geometric_mean"][ours], True),
        (f"compute, the slowest ({worst})", "<=", 0.80, kernels[worst]["ratio"][ours], True),
        *((f"{name}, apart", "<=", 1.05, ratio, True) for name, ratio in apart.items()),
    ]
    for what, times in calls.items():
        label, base, target = boundary.WHAT[what]
        rows.append((f"{label}, of {base}'s time", "<=", float(target), boundary.ratio(times, base), True))
        if what in ("host", "back") and "wasmtime" in times:
            rows.append((f"{label}, of wasmtime's time", "<=", 0.02, boundary.ratio(times, "wasmtime"), True))
    rows += [
        (
            "load, times faster than wasmtime, the least",
            ">=",
            50,
            min(p["times_faster_than_wasmtime"] for p in loaded),
            False,
        ),
        (
            "load, MB of code validated a second, the least",
            ">=",
            60,
            min(p["code_mb_per_second"] for p in loaded),
            False,
        ),
    ]
    resident = [plugin["resident_bytes"] / plugin["bytes"] for plugin in loaded if plugin.get("resident_bytes")]
    if resident:
        rows.append(("resident memory over file size, the most", "<=", 3, max(resident), True))
    ratios = request_ratios(found["request"])
    rows += [
        (f"request through {name}, times faster than on wasmtime", ">=", 3, ratio, False)
        for name, ratio in ratios.items()
    ]
    for store in found["snapshot"]["stores"]:
        start, fresh = median(store["initialise"]), median(store["fresh"])
        rows.append((f"fresh instance, ms ({store['name']})", "<=", 1, fresh * 1e3, True))
        rows.append(
            (f"fresh instance, times faster than initialising ({store['name']})", ">=", 20, start / fresh, False)
        )
    ticks = geometric_mean(kernel["ratio"] for kernel in found["ticks"].values())
    rows.append(("ticks, time with over time without", "<=", 1.15, ticks, True))
    means = python_means(found["python"])
    for peer, target in pure.TARGETS.items():
        if peer in means:
            rows.append((f"python engine, times faster than {peer}", ">=", target, means[peer], False))
    for curve in found["growth"]["curves"]:
        off = abs(curve["exponent"] - curve["promised"])
        rows.append(
            (f"growth with {curve['name']}, distance of the exponent from {curve['promised']}", "<=", 0.1, off, True)
        )
    lines = [
        [
            label,
            f"{sign} {target:g}",
            f"{value:.3g}",
            "yes" if (value <= target if most else value >= target) else "**no**",
        ]
        for label, sign, target, value, most in rows
    ]
    text = "## Targets\n\nEvery target of the project with its figure, the missed ones too; more of each stands below."
    missed = [label for (label, *_), line in zip(rows, lines, strict=True) if line[-1] != "yes"]
    why = [text for start, text in WHY.items() if any(label.startswith(start) for label in missed)]
    return "\n\n".join([text, table(["what", "target", "measured", "met"], lines), *why])
