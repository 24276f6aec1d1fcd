"""`tamis bench`: what a request through a filter costs, in time, instructions, host calls, bytes and memory."""

from __future__ import annotations

import gc
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.errors import CommandError
from hostabi.cli.run import ANSWER, FILTER, REQUEST, SECTIONS
from hostabi.cli.watched import is_filter, trapped

if TYPE_CHECKING:
    import interp
    from hostabi.cli.exchange import Run

#: Rounds that the time is the median of, requests before the first one, and fresh VMs that memory is the mean of.
ROUNDS, WARM, VMS = 7, 20, 8


class BenchCommand(shared.GuestCommand):
    """The command with its options under headings."""

    sections = SECTIONS


@dataclass
class Cost:
    """What was found out of a filter. Counts are of one request after others went before it."""

    engine: str = ""
    requests_per_second: float = 0.0
    microseconds: float = 0.0
    ticks: int = 0
    instructions: dict[str, int] = field(default_factory=dict)
    host_calls: dict[str, int] = field(default_factory=dict)
    bytes_copied: int = 0
    start_ms: float = 0.0
    linear_memory: int = 0
    lowered_code: int | None = None
    resident_per_vm: int | None = None


@click.command(cls=BenchCommand)
@click.argument("module")
@click.option("--seconds", type=click.FloatRange(0.01, 600), default=2.0, show_default=True, help="Measure so long.")
@click.option("--no-instructions", is_flag=True, help="Leave out what the slow reference engine counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@shared.ENGINE
@shared.FEATURES
@shared.add_options(shared.PROGRAM_OPTIONS)
@shared.add_options(REQUEST)
@shared.add_options(ANSWER)
@shared.add_options(FILTER)
def bench(module: str, seconds: float, no_instructions: bool, as_json: bool, **options: Any) -> None:
    """Send the same request through the filter MODULE again and again, and say what one costs.

    Time is the median of rounds after a warm-up. Instructions, host calls and bytes are counted of one request that
    comes after others: they are the same on every run.
    """
    from hostabi.cli.sources import load_valid

    shared.refuse(("folders",), "is for programs: a filter has no files")
    valid = load_valid(module, options["features"])
    if not is_filter(valid):
        raise CommandError(f"{module}: not a filter (no proxy_abi_version_* export)")
    cost = Cost()
    _count(module, valid, options, cost)
    if not no_instructions:
        _instructions(module, valid, options, cost)
    _time(module, valid, options, seconds, cost)
    _memory(module, valid, options, cost)
    if as_json:
        click.echo(json.dumps(asdict(cost), indent=2))
    else:
        _show(module, cost)


def _started(module: str, valid: interp.ValidModule, options: dict[str, Any], *, record: bool) -> Run:
    from hostabi.cli.exchange import Run

    return Run(module, valid, options, record=record)


def _time(module: str, valid: interp.ValidModule, options: dict[str, Any], seconds: float, cost: Cost) -> None:
    begin = time.perf_counter()
    run = _started(module, valid, options, record=False)
    run.exchanger.start()
    cost.start_ms = (time.perf_counter() - begin) * 1e3
    for _ in range(WARM):
        run.again()
    rounds: list[float] = []
    gc.collect()
    n, end = 1, time.perf_counter() + seconds
    while len(rounds) < ROUNDS or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(n):
            run.again()
        took = time.perf_counter() - begin
        if took < seconds / ROUNDS / 2 and len(rounds) < ROUNDS:
            n *= 2  # a round too short for the clock
            rounds.clear()
        rounds.append(took / n)
    cost.microseconds = median(rounds) * 1e6
    cost.requests_per_second = 1 / median(rounds)


def _count(module: str, valid: interp.ValidModule, options: dict[str, Any], cost: Cost) -> None:
    from hostabi.core.plugin import WasmGuest
    from hostabi.core.transcript import Called

    run = _started(module, valid, options, record=True)
    guest = run.plugin.vm.guest
    trapped(module, run.perform())
    run.again()
    before = guest.bytes_copied if isinstance(guest, WasmGuest) else 0
    exchange = run.again()
    trapped(module, exchange)
    cost.engine, cost.ticks = exchange.engine, exchange.fuel
    calls = Counter(record.function for record in exchange.transcript if isinstance(record, Called))
    cost.host_calls = dict(calls.most_common())
    if isinstance(guest, WasmGuest):
        cost.bytes_copied = guest.bytes_copied - before
        cost.linear_memory = sum(memory.length for memory in guest.store.mems)
        native = valid.native
        cost.lowered_code = native.lowered_bytes if native is not None else None


def _instructions(module: str, valid: interp.ValidModule, options: dict[str, Any], cost: Cost) -> None:
    from hostabi.core.plugin import WasmGuest
    from interp.tools.profile import Profile

    run = _started(module, valid, dict(options, engine="reference"), record=False)
    guest = run.plugin.vm.guest
    run.perform()
    run.again()
    if isinstance(guest, WasmGuest):
        counted = guest.store.monitor = Profile()
        run.again()
        cost.instructions = counted.by_export()


def _memory(module: str, valid: interp.ValidModule, options: dict[str, Any], cost: Cost) -> None:
    if (before := resident()) is None:
        return
    runs = []
    for _ in range(VMS):
        run = _started(module, valid, options, record=False)
        run.perform()
        runs.append(run)
    after = resident()
    if after is not None:
        cost.resident_per_vm = max(after - before, 0) // VMS


def resident() -> int | None:
    """Bytes of this process in memory, where the system says it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize()


def _show(module: str, cost: Cost) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 100
    table = Table(title=f"{module} on {cost.engine}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("requests a second", f"{cost.requests_per_second:,.0f}")
    table.add_row("a request", f"{cost.microseconds:,.1f} µs")
    table.add_row("start", f"{cost.start_ms:,.1f} ms")
    table.add_section()
    table.add_row("ticks a request", f"{cost.ticks:,}")
    for name, count in cost.instructions.items():
        table.add_row(f"  instructions in {name}", f"{count:,}")
    table.add_section()
    table.add_row("host calls a request", f"{sum(cost.host_calls.values()):,}")
    for name, count in cost.host_calls.items():
        table.add_row(f"  {name}", f"{count:,}")
    table.add_row("bytes copied a request", f"{cost.bytes_copied:,}")
    table.add_section()
    table.add_row("linear memory of a VM", f"{cost.linear_memory / 1024:,.0f} KiB")
    if cost.lowered_code is not None:
        table.add_row("lowered code, of all VMs together", f"{cost.lowered_code / 1024:,.0f} KiB")
    if cost.resident_per_vm is not None:
        table.add_row("resident memory of one more VM", f"{cost.resident_per_vm / 1024:,.0f} KiB")
    console.print(table)
