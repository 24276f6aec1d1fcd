"""`tamis wat` and `tamis wasm`: from binary to text and back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hostabi.cli.errors import CommandError, standard_output
from hostabi.cli.run_options import FEATURES

if TYPE_CHECKING:
    import interp


def write_lines(lines: Iterable[str], output: str | None) -> None:
    """Write lines to a file, or to standard output for None and "-"."""
    if output in (None, "-"):
        out = standard_output()
        for line in lines:
            out.write(line + "\n")
        return
    with open(str(output), "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


@click.command
@click.argument("module")
@click.option("-o", "--output", metavar="FILE", help="Where to write; standard output without it.")
@click.option("--fold", is_flag=True, help="Write operands inside the instructions that take them.")
@click.option("--no-names", is_flag=True, help="Write numbers in place of names.")
def wat(module: str, output: str | None, fold: bool, no_names: bool) -> None:
    """Turn a binary module into text, whatever features it uses."""
    from hostabi.cli.sources import load_text, named
    from interp.tools.wat import to_wat

    found = load_text(module)
    with named(module):
        text = to_wat(found, names=not no_names, folded=fold)
    write_lines(text.splitlines(), output)


@click.command
@click.argument("module")
@click.option("-o", "--output", metavar="FILE", help='Where to write: MODULE with .wasm for its end; "-" is stdout.')
@FEATURES
@click.option("--no-check", is_flag=True, help="Write the module even if it is not valid.")
def wasm(module: str, output: str | None, features: interp.Features, no_check: bool) -> None:
    """Turn a text module into binary."""
    import interp
    from hostabi.cli.sources import load, load_valid, named

    with named(module):
        data = interp.encode(load(module, interp.EVERY_FEATURE) if no_check else load_valid(module, features).module)
    if output is None:
        if module == "-":
            raise CommandError("standard input has no name to write to: use -o")
        output = str(Path(module).with_suffix(".wasm"))
        if output == module:
            raise CommandError(f"{module}: would overwrite its own source: use -o")
    if output == "-":
        standard_output().buffer.write(data)
    else:
        Path(output).write_bytes(data)
