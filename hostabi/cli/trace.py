"""`tamis trace`: run an export or a program on the reference engine and show each instruction."""

from __future__ import annotations

import click

from hostabi.cli.errors import standard_output
from hostabi.cli.run_options import PROGRAM_OPTIONS, GuestCommand, add_options, program_settings


@click.command(cls=GuestCommand)
@click.argument("module")
@click.option("--invoke", metavar="NAME", help="The export to call; _start without it.")
@click.option("--limit", type=click.IntRange(0), default=10_000, show_default=True, help="Stop after N instructions.")
@add_options(PROGRAM_OPTIONS)
@click.argument("args", nargs=-1)
def trace(module: str, invoke: str | None, limit: int, args: tuple[str, ...], **options: object) -> None:
    """Run an export with ARGS and show each instruction with the stack before and after it.

    The last line says how it ended.
    """
    import interp
    from hostabi.cli import program
    from hostabi.cli.sources import load_binary, named
    from interp.tools.notation import print_value
    from interp.tools.trace import LimitReached, Tracer

    settings = program_settings(options, engine="reference")
    with named(module):
        # Through the binary form, so that the instructions of a text module have offsets, too.
        valid = interp.validate(interp.decode(load_binary(module)))
    store = program.make_store(settings)
    tracer = Tracer(_write, limit)
    with program.loaded(module, valid, settings, () if invoke else args, store) as inst:
        func = program.exported_function(module, inst, invoke or "_start")
        bits = program.arguments(invoke, func.type, args) if invoke else []
        store.monitor = tracer
        try:
            results = interp.invoke_bits(store, func, bits)
        except interp.Trap:
            tracer.unfinished()
            raise
        except LimitReached:
            _write(f"... stopped after {tracer.count} instructions (--limit)")
            return
        texts = " ".join(print_value(t, b) for t, b in zip(func.type.results, results, strict=True))
        _write(f"returned [{texts}] after {tracer.count} instructions, {store.ticks} ticks")


def _write(line: str) -> None:
    standard_output().write(line + "\n")
