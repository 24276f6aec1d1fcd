"""`tamis validate`: say of each file whether it is a valid module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hostabi.cli.errors import FAILURE, CommandError, complain
from hostabi.cli.run_options import FEATURES

if TYPE_CHECKING:
    import interp


@click.command
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@FEATURES
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of valid modules.")
@click.pass_context
def validate(ctx: click.Context, files: tuple[str, ...], features: interp.Features, quiet: bool) -> None:
    """Validate modules: exit code 1 and a line for each that is not valid."""
    from hostabi.cli.sources import load_valid

    bad = 0
    for path in files:
        try:
            load_valid(path, features)
        except CommandError as error:
            bad += 1
            complain(error.message)
        else:
            if not quiet:
                click.echo(f"{path}: valid")
    ctx.exit(FAILURE if bad else 0)
