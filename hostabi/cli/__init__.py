"""The command `tamis`. Each subcommand lives in a module of its own, imported when it is run and not before."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from hostabi.cli.errors import guarded

#: Name -> module (which has the command as `command`) and its line in the help.
COMMANDS = {
    "run": ("run", "Run a filter on one exchange, an export, or a WASI program."),
    "test": ("test", "Run tests of filters, written as YAML."),
    "tap": ("tap", "Make a filter say in the log what crosses between it and its host."),
    "check": ("check", "Say what a module is, what it needs, and whether it would load."),
    "validate": ("validate", "Validate modules."),
    "dis": ("dis", "Disassemble: offsets, names, instructions."),
    "wat": ("convert", "Turn a binary module into text."),
    "wasm": ("convert", "Turn a text module into binary."),
    "trace": ("trace", "Run an export and show every instruction."),
    "profile": ("profile", "Count the instructions of each function."),
    "bench": ("bench", "Say what a request through a filter costs."),
    "spec": ("spec", "Run .wast scripts of the specification's test suite."),
    "demo": ("demo", "Show a filter at work on a sample request."),
}


class Tamis(click.Group):
    """The group of all commands, which ends the process with our exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hostabi.cli.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As click's, but every error goes through `guarded`; click would write to standard error at Ctrl-C."""
        name = prog_name or "tamis"

        def run() -> Any:
            self._main_shell_completion(extra, name, complete_var)
            with self.make_context(name, list(sys.argv[1:] if args is None else args), **extra) as ctx:
                return self.invoke(ctx)

        if not standalone_mode:
            return run()
        sys.exit(guarded(run))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _show_version(bool(ctx.params.get("verbose")))
        ctx.exit()


def _show_version(verbose: bool) -> None:
    from hostabi.cli.version import version_lines

    for line in version_lines(verbose):
        click.echo(line)


@click.group(
    cls=Tamis,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.option("-v", "--verbose", is_flag=True, is_eager=True, help="Show engine, dispatch and compiler as well.")
@click.option("--version", is_flag=True, callback=_version, expose_value=False, help="Show the version and exit.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool) -> None:
    """A WebAssembly virtual machine and a Proxy-Wasm host.

    MODULE is a binary (.wasm) or a text (.wat) module everywhere; "-" reads standard input.
    """
    if ctx.invoked_subcommand is None:
        if not verbose:
            raise click.exceptions.NoArgsIsHelpError(ctx)
        _show_version(verbose)


def main() -> None:
    """Entry point of the console script."""
    cli.main()
