"""`tamis dis`: a listing of a module's functions with offsets, names and instructions."""

from __future__ import annotations

import click

from hostabi.cli.errors import CommandError


@click.command
@click.argument("module")
@click.option("-f", "--func", metavar="NAME|INDEX", help="Only this function: by index, export or name.")
@click.option("-o", "--output", metavar="FILE", help="Where to write; standard output without it.")
def dis(module: str, func: str | None, output: str | None) -> None:
    """Disassemble a module, whatever features it uses: each instruction with its offset in the file."""
    import interp
    from hostabi.cli.convert import write_lines
    from hostabi.cli.sources import load_binary, named
    from interp.tools import disasm

    with named(module):
        listing = disasm.Listing(interp.decode(load_binary(module), features=interp.EVERY_FEATURE))
        if func is None:
            write_lines(listing.lines(), output)
            return
        index = listing.find(func)
        if index is None:
            raise CommandError(f"{module}: no function {func}")
        write_lines(listing.function(index), output)
