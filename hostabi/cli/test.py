"""`tamis test`: run scenario files, show where a filter did something else, write down what it does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hostabi.cli.errors import FAILURE, USAGE, complain

if TYPE_CHECKING:
    from hostabi.scenario.load import Trial

_FOLDERS_NOT_SEARCHED = {"node_modules", "build", "dist", "target", "__pycache__"}


@click.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("-k", "pattern", metavar="TEXT", help="Only tests whose file and name have TEXT in them.")
@click.option("--engine", metavar="NAME", help="native, reference or python.")
@click.option("--profile", metavar="NAME", help="Which host to behave like, whatever the files say.")
@click.option("-v", "--verbose", is_flag=True, help="Show the transcript of tests that pass, too.")
@click.pass_context
def test(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    """Run the tests in FILES: scenario files, and folders, in which *.tamis.yaml are looked for.

    Exit codes: 0 all passed, 1 some failed, 2 a file is wrong, or there are no tests.
    """
    from hostabi.cli.result_page import ResultPage
    from hostabi.core.policy import PROFILES
    from hostabi.scenario.run import run_test
    from hostabi.scenario.stage import LocalStage, Modules

    if options["profile"] is not None and options["profile"] not in PROFILES:
        raise click.UsageError(f"there is no profile {options['profile']!r}; known are {', '.join(PROFILES)}")
    tests, wrong = read_tests(find_files(files or (".",)))
    tests = [one for one in tests if matches(one, options["pattern"])]
    modules = Modules()
    page = ResultPage(options["verbose"])
    for one in tests:
        page.result(
            run_test(one, lambda t: LocalStage(t, modules, engine=options["engine"], profile=options["profile"]))
        )
    page.summary()
    if wrong or not tests:
        if not tests and not wrong:
            complain("there are no tests" + (f" with {options['pattern']!r}" if options["pattern"] else ""))
        ctx.exit(USAGE)
    if page.failed:
        ctx.exit(FAILURE)


def find_files(places: tuple[str, ...]) -> list[Path]:
    """The scenario files at these places: files as they are, and those in folders. Raises UsageError."""
    from hostabi.scenario.load import SUFFIXES

    found: list[Path] = []
    for place in map(Path, places):
        if place.is_dir():
            for folder, folders, names in os.walk(place):
                folders[:] = sorted(f for f in folders if f not in _FOLDERS_NOT_SEARCHED and not f.startswith("."))
                found += [Path(folder, name) for name in sorted(names) if name.endswith(SUFFIXES)]
        elif place.exists():
            found.append(place)
        else:
            raise click.UsageError(f"there is no file {str(place)!r}")
    return list(dict.fromkeys(found))


def read_tests(files: list[Path]) -> tuple[list[Trial], bool]:
    """The tests of all files, with a complaint about each that is wrong; whether there was one."""
    from hostabi.scenario.load import load
    from hostabi.scenario.places import FileError

    tests: list[Trial] = []
    wrong = False
    for file in files:
        try:
            tests += load(file)
        except FileError as error:
            wrong = True
            complain(f"{file} cannot be used", *map(str, error.problems))
    return tests, wrong


def matches(test: Trial, pattern: str | None) -> bool:
    """Whether a test is meant by -k."""
    return pattern is None or pattern.lower() in f"{test.document.file}::{test.id}".lower()
