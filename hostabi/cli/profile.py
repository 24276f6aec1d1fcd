"""`tamis profile`: where a module spends its instructions, by function and by who called whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.errors import CommandError
from hostabi.cli.watched import OPTIONS, WatchCommand, check_options, is_filter, trapped, watch_export, watch_filter

if TYPE_CHECKING:
    from interp.tools.profile import Profile

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=WatchCommand)
@click.argument("module")
@click.option("--invoke", metavar="NAME", help="Call this export with ARGS.")
@click.option("--top", type=click.IntRange(1), default=25, show_default=True, help="Show so many functions.")
@click.option("--svg", type=_FILE, metavar="FILE", help="Draw a flame graph.")
@click.option("--speedscope", "scope", type=_FILE, metavar="FILE", help="Write a profile for speedscope.")
@click.option("--stacks", type=_FILE, metavar="FILE", help="Write collapsed stacks, a line per call path.")
@click.option("--json", "as_json", is_flag=True, help="Print all functions as one JSON object.")
@shared.add_options(OPTIONS)
@click.argument("args", nargs=-1)
def profile(
    module: str,
    invoke: str | None,
    top: int,
    svg: Path | None,
    scope: Path | None,
    stacks: Path | None,
    as_json: bool,
    args: tuple[str, ...],
    **options: Any,
) -> None:
    """Run MODULE as `tamis run` does and count the instructions of each function.

    The counts are of the module's own instructions, one by one on the reference engine, not of time: the same run has
    the same profile, on every machine. Of a filter, its start and the callbacks of one exchange are counted.
    """
    from hostabi.cli.sources import load_valid
    from interp.tools import profile as tools

    valid = load_valid(module, options["features"])
    counted = tools.Profile()
    filter = is_filter(valid) and invoke is None
    check_options(module, filter, args)
    title = module if invoke is None else f"{module} {invoke}"
    try:
        if filter:
            trapped(module, watch_filter(module, valid, counted, options))
        else:
            watch_export(module, valid, counted, invoke, args, options)
    finally:  # what ran until a trap is a profile too
        if counted.root.children:
            _write(svg, tools.flame_graph(counted, title))
            _write(scope, json.dumps(tools.speedscope(counted, title)) + "\n")
            _write(stacks, "".join(f"{line}\n" for line in tools.stacks(counted)))
            _show(counted, top, as_json)


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error


def _show(counted: Profile, top: int, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from interp.tools.profile import percent

    rows, whole = counted.rows(), counted.count
    if as_json:
        functions = [{"name": r.name, "calls": r.calls, "own": r.own, "total": r.total} for r in rows]
        click.echo(json.dumps({"instructions": whole, "functions": functions}, indent=2))
        return
    table = Table(title=f"{whole:,} instructions")
    for column in ("own", "", "total", "", "calls"):
        table.add_column(column, justify="right")
    table.add_column("function", overflow="fold")
    for r in rows[:top]:
        shares = percent(r.own, whole), percent(r.total, whole)
        table.add_row(f"{r.own:,}", shares[0], f"{r.total:,}", shares[1], f"{r.calls:,}", r.name, end_section=False)
    if len(rows) > top:
        table.add_row(*[""] * 5, f"and {len(rows) - top} more")
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 120
    console.print(table)
