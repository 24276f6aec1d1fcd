"""`tamis trace`: run an export, a program or a filter on the reference engine and show each instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.errors import standard_output
from hostabi.cli.run import ANSWER, FILTER, FILTER_ONLY, REQUEST, SECTIONS

if TYPE_CHECKING:
    import interp
    from interp.tools.trace import Tracer


class TraceCommand(shared.GuestCommand):
    """The command with its options under headings."""

    sections = SECTIONS


@click.command(cls=TraceCommand)
@click.argument("module")
@click.option("--invoke", metavar="NAME", help="Call this export with ARGS.")
@click.option("--limit", type=click.IntRange(0), default=10_000, show_default=True, help="Stop after N instructions.")
@shared.FEATURES
@shared.add_options(shared.PROGRAM_OPTIONS)
@shared.add_options(REQUEST)
@shared.add_options(ANSWER)
@shared.add_options(FILTER)
@click.argument("args", nargs=-1)
def trace(module: str, invoke: str | None, limit: int, args: tuple[str, ...], **options: Any) -> None:
    """Run MODULE as `tamis run` does, on the reference engine, and show each instruction.

    A line has the offset, the function, the instruction, and the stack before and after it. The last line says how it
    ended. Of a filter the callbacks of one exchange are shown.
    """
    from hostabi.cli.sources import load_valid
    from interp.tools.trace import LimitReached, Tracer

    valid = load_valid(module, options["features"])
    tracer = Tracer(_write, limit)
    is_filter = any(export.name.startswith("proxy_abi_version_") for export in valid.module.exports)
    try:
        if is_filter and invoke is None:
            if args:
                raise click.UsageError(f"{module} is a filter and takes no arguments: {' '.join(args)}")
            shared.refuse(("folders",), "is for programs: a filter has no files")
            _trace_filter(module, valid, tracer, options)
        else:
            shared.refuse(FILTER_ONLY, "goes with a filter's exchange")
            _trace_export(module, valid, tracer, invoke, args, options)
    except LimitReached:
        _write(f"... stopped after {tracer.count} instructions (--limit)")


def _trace_export(
    module: str,
    valid: interp.ValidModule,
    tracer: Tracer,
    invoke: str | None,
    args: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    import interp
    from hostabi.cli import program
    from hostabi.cli.transcript import ticks
    from interp.tools.notation import print_value

    settings = shared.program_settings(options, engine="reference")
    store = program.make_store(settings)
    with program.loaded(module, valid, settings, () if invoke else args, store) as inst:
        func = program.exported_function(module, inst, invoke or "_start")
        bits = program.arguments(invoke, func.type, args) if invoke else []
        store.monitor = tracer
        try:
            results = interp.invoke_bits(store, func, bits)
        except interp.Trap:
            tracer.unfinished()
            raise
        texts = " ".join(print_value(t, b) for t, b in zip(func.type.results, results, strict=True))
        _write(f"returned [{texts}] after {tracer.count} instructions, {ticks(store.ticks)}")


def _trace_filter(module: str, valid: interp.ValidModule, tracer: Tracer, options: dict[str, Any]) -> None:
    from hostabi.cli.errors import TrapError, cut_frames
    from hostabi.cli.exchange import Run
    from hostabi.cli.transcript import ticks
    from hostabi.core.plugin import WasmGuest

    run = Run(module, valid, dict(options, engine="reference"))
    guest = run.plugin.vm.guest
    if isinstance(guest, WasmGuest):
        guest.store.monitor = tracer
    exchange = run.perform()
    if exchange.trap is not None:
        tracer.unfinished()
        frames = cut_frames(exchange.trap.backtrace)
        raise TrapError(f"{module}: {exchange.trap.message}", tuple(f"  {frame}" for frame in frames))
    _write(f"done after {tracer.count} instructions, {ticks(exchange.fuel)}")


def _write(line: str) -> None:
    standard_output().write(line + "\n")
