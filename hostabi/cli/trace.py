"""`tamis trace`: run an export, a program or a filter on the reference engine and show each instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.errors import standard_output
from hostabi.cli.watched import OPTIONS, WatchCommand, check_options, is_filter, trapped, watch_export, watch_filter

if TYPE_CHECKING:
    import interp
    from interp.tools.trace import Tracer


@click.command(cls=WatchCommand)
@click.argument("module")
@click.option("--invoke", metavar="NAME", help="Call this export with ARGS.")
@click.option("--limit", type=click.IntRange(0), default=10_000, show_default=True, help="Stop after N instructions.")
@shared.add_options(OPTIONS)
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
    filter = is_filter(valid) and invoke is None
    check_options(module, filter, args)
    try:
        if filter:
            _trace_filter(module, valid, tracer, options)
        else:
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
    from hostabi.cli.transcript import ticks

    texts, used = watch_export(module, valid, tracer, invoke, args, options, tracer.unfinished)
    _write(f"returned [{texts}] after {tracer.count} instructions, {ticks(used)}")


def _trace_filter(module: str, valid: interp.ValidModule, tracer: Tracer, options: dict[str, Any]) -> None:
    from hostabi.cli.transcript import ticks

    exchange = watch_filter(module, valid, tracer, options)
    if exchange.trap is not None:
        tracer.unfinished()
    trapped(module, exchange)
    _write(f"done after {tracer.count} instructions, {ticks(exchange.fuel)}")


def _write(line: str) -> None:
    standard_output().write(line + "\n")
