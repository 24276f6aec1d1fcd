"""`tamis tap`: a filter made talkative, for any host that has a log."""

from __future__ import annotations

from pathlib import Path

import click

from hostabi.cli.errors import CommandError, standard_output


@click.command
@click.argument("module", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option(
    "--level", default="info", show_default=True, metavar="LEVEL", help="The level of the lines: trace to critical."
)
@click.option("--mark", default="tap", show_default=True, metavar="WORD", help="What the lines begin with.")
def tap(module: str, output: str, level: str, mark: str) -> None:
    """Write IN to OUT so that each host call says with proxy_log what went in, and what came out.

    \b
    tap > proxy_on_request_headers 00000002 00000005 00000001     a callback, its arguments
    tap proxy_get_header_map_value 00000000 00010047 00000005 ... a host call, its arguments
    :path                                                         each input, as it is in memory
    tap = 00000000                                                its status
    /index.html                                                   each output, if it is OK
    tap < 00000000                                                what the callback returns

    Numbers are hexadecimal. The filter does what it did before: its memory, its addresses and its results are the same.
    OUT may be "-" for standard output.
    """
    from hostabi.abi.enums import LogLevel
    from hostabi.cli.sources import load_binary, named
    from hostabi.oracle.tap import TapError, tap

    levels = {one.name.lower(): int(one) for one in LogLevel}
    if level not in levels:
        raise click.UsageError(f"there is no level {level!r}; known are {', '.join(levels)}")
    data = load_binary(module)
    with named(module):
        try:
            tapped = tap(data, mark=mark, level=levels[level])
        except TapError as error:
            raise CommandError(f"{module} cannot be tapped: {error}") from error
    if output == "-":
        standard_output().buffer.write(tapped)
    else:
        Path(output).write_bytes(tapped)
