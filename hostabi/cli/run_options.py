"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from hostabi.cli.program import Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_NUMBER = re.compile(r"-(?:0x[0-9a-fA-F]|[0-9]|\.[0-9]|inf\Z|nan(?:\Z|:))")


class Seconds(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Seconds since 1970, fractions allowed, as an integer of nanoseconds."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Exact for as many digits as are given."""
        if isinstance(value, int):
            return value
        try:
            seconds = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        if not seconds.is_finite() or not 0 <= seconds < 1 << 33:
            self.fail(f"{value!r} is no time between 0 and {1 << 33} seconds", param, ctx)
        return int(seconds * 10**9)


class Folder(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """HOST::GUEST, or one path for both; the value is (guest, host)."""

    name = "host::guest"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The host's folder must be there."""
        if isinstance(value, tuple):
            return value
        host, colons, guest = value.rpartition("::")
        host, guest = (host, guest) if colons else (value, value)
        if not host or not guest:
            self.fail(f"{value!r} is not HOST::GUEST", param, ctx)
        if not Path(host).is_dir():
            self.fail(f"{host!r} is no folder", param, ctx)
        return guest, host


class Pair(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Two texts with a separator between them."""

    def __init__(self, separator: str, name: str) -> None:
        self.separator = separator
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The two texts as they are."""
        if isinstance(value, tuple):
            return value
        first, found, second = value.partition(self.separator)
        if not found or not first:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return first, second


class Property(Pair):
    """A path and a value: a JSON number, `true` or `false` has that type, a JSON string is text, and so is the rest.

    So 5 is a number and \"5\" in double quotes the text; a number must fit 64 bits.
    """

    def __init__(self) -> None:
        super().__init__("=", "a.b=VALUE")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path and the typed value."""
        path, text = super().convert(value, param, ctx)
        try:
            typed = json.loads(text, parse_constant=lambda name: name)  # NaN and Infinity are no JSON, and text here
        except (ValueError, RecursionError):
            typed = text
        if (isinstance(typed, int) and not -(1 << 63) <= typed < 1 << 63) or typed in (inf, -inf):
            self.fail(f"{text} does not fit 64 bits; as text it is '{path}=\"{text}\"'", param, ctx)
        return path, typed if isinstance(typed, bool | int | float | str) else text


class FeatureList(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A line such as 2.0,+threads,-simd as a set of features."""

    name = "features"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As `interp.feature_set` reads it."""
        import interp

        if not isinstance(value, str):
            return value
        try:
            return interp.feature_set(value)
        except interp.EmbedderError as error:
            self.fail(str(error), param, ctx)


FEATURES = click.option(
    "--features",
    type=FeatureList(),
    metavar="LIST",
    help="Which features modules may use, as in 2.0,+threads,-simd; without it those of version 3.0.",
)
ENGINE = click.option("--engine", metavar="NAME", help="native, or reference (slow and plain).")
FUEL = click.option(
    "--fuel",
    type=click.IntRange(0),
    metavar="TICKS",
    help="How many ticks one call of the guest may use: of a filter 1,000,000,000 without this, of others any number.",
)
CLOCK = click.option("--clock", type=Seconds(), metavar="SECONDS", help="Let time start here and repeat exactly.")
SEED = click.option("--seed", type=int, metavar="N", help="Let random numbers repeat.")

PROGRAM_OPTIONS = [
    FUEL,
    CLOCK,
    SEED,
    click.option(
        "--dir",
        "folders",
        multiple=True,
        type=Folder(),
        metavar="HOST::GUEST",
        help="Give it a folder; no other is in reach.",
    ),
    click.option(
        "--env",
        "environ",
        multiple=True,
        type=Pair("=", "NAME=VALUE"),
        metavar="NAME=VALUE",
        help="Set an environment variable.",
    ),
]


def add_options(options: Sequence[Callable[[Decorated], Decorated]]) -> Callable[[Decorated], Decorated]:
    """A decorator that adds all of them, in order."""

    def add(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def refuse(names: Sequence[str], why: str) -> None:
    """A usage error if one of these options was given to the command under way: it would be without effect."""
    ctx = click.get_current_context()
    for param in ctx.command.params:
        if param.name in names and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[-1]} {why}", ctx)


def program_settings(options: dict[str, Any], engine: str | None = None) -> Settings:
    """The settings of a program from parsed options."""
    from hostabi.cli.program import Settings

    return Settings(
        engine or options.get("engine"),
        options["fuel"],
        tuple(options["folders"]),
        tuple(options["environ"]),
        options["clock"],
        options["seed"],
    )


class GuestCommand(click.Command):
    """A command whose last arguments are the guest's: numbers such as -5 are arguments, other unknown options errors.

    Options may stand before and after MODULE; everything behind `--` is the guest's. `sections` groups the help.
    """

    sections: dict[str, tuple[str, ...]] = {}  # noqa: RUF012  # set by subclasses, once

    def make_parser(self, ctx: click.Context) -> Any:
        """click's parser, but for negative numbers."""
        parser = super().make_parser(ctx)
        process = parser._process_opts

        def process_unless_number(arg: str, state: Any) -> None:
            if _NUMBER.match(arg):
                state.largs.append(arg)
            else:
                process(arg, state)

        parser._process_opts = process_unless_number  # type: ignore[method-assign]
        return parser

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their headings."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {str(param.name): record for param in params if (record := param.get_help_record(ctx)) is not None}
        placed = {name for names in self.sections.values() for name in names}
        groups = {
            **self.sections,
            "Options": tuple(name for name in records if name not in placed),
        }
        for heading, names in groups.items():
            rows = [records[name] for name in names if name in records]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows, col_max=34)
