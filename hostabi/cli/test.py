"""`tamis test`: run scenario files, show where a filter did something else, write down what it does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hostabi.cli.errors import FAILURE, USAGE, CommandError, complain

if TYPE_CHECKING:
    from hostabi.cli.transcript import Page
    from hostabi.scenario.load import Trial
    from hostabi.scenario.report import Report
    from hostabi.scenario.run import Result

_FOLDERS_NOT_SEARCHED = {"node_modules", "build", "dist", "target", "__pycache__"}


@dataclass(frozen=True)
class Settings:
    """How tests are run and shown; goes to worker processes."""

    engine: str | None
    profile: str | None
    verbose: bool
    width: int | None
    colour: bool
    envoy: bool = False


@click.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("-k", "pattern", metavar="TEXT", help="Only tests whose file and name have TEXT in them.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, metavar="N", help="Run in N processes.")
@click.option("--engine", metavar="NAME", help="native, reference or python.")
@click.option("--profile", metavar="NAME", help="Which host to behave like, whatever the files say.")
@click.option("--envoy", is_flag=True, help="Play the tests on real Envoy, and compare (extra `oracle`).")
@click.option("--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Write the results as JUnit XML.")
@click.option("-v", "--verbose", is_flag=True, help="Show the transcript of tests that pass, too.")
@click.option("--update", is_flag=True, help="Write what was observed over what was expected, in the files.")
@click.option("--init", "module", type=click.Path(), metavar="FILTER", help="Write a first file for FILTER to FILES.")
@click.option("--config", metavar="TEXT|@FILE", help="The plugin configuration, for --init.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the files, for editors.")
@click.pass_context
def test(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    """Run the tests in FILES: scenario files, and folders, in which *.tamis.yaml are looked for.

    Exit codes: 0 all passed, 1 some failed, 2 a file is wrong, or there are no tests.
    """
    from hostabi.core.policy import PROFILES

    if options["schema"]:
        from hostabi.scenario.schema import schema

        click.echo(json.dumps(schema(), indent=2))
        return
    if options["profile"] is not None and options["profile"] not in PROFILES:
        raise click.UsageError(f"there is no profile {options['profile']!r}; known are {', '.join(PROFILES)}")
    if options["module"] is not None:
        _init(options["module"], options["config"], files, options["engine"])
        return
    if options["config"] is not None:
        raise click.UsageError("--config goes with --init; in a file it is the filter's config")
    if options["envoy"]:
        _check_envoy(options)
    ctx.exit(_run(files, options))


def _run(files: tuple[str, ...], options: dict[str, Any]) -> int:
    from hostabi.cli.transcript import Page

    tests, wrong = read_tests(find_files(files or (".",)))
    tests = [one for one in tests if matches(one, options["pattern"])]
    if not tests:
        if not wrong:
            complain("there are no tests" + (f" with {options['pattern']!r}" if options["pattern"] else ""))
        return USAGE
    page = Page()
    width = page.console.width if page.terminal else None
    settings = Settings(
        options["engine"], options["profile"], options["verbose"], width, page.terminal, options["envoy"]
    )
    _check_engine(settings.engine)
    if options["update"]:
        _update(tests, settings)
        tests, _ = read_tests([Path(name) for name in dict.fromkeys(one.document.file for one in tests)])
        tests = [one for one in tests if matches(one, options["pattern"])]
    reports = []
    for one in _reports(tests, settings, options["jobs"]):
        show(page, one)
        reports.append(one)
    summary(page, reports)
    if options["junit"] is not None:
        from hostabi.scenario.report import junit

        Path(options["junit"]).write_bytes(junit(reports))
    return USAGE if wrong else 0 if all(one.passed for one in reports) else FAILURE


def _check_envoy(options: dict[str, Any]) -> None:
    from hostabi.oracle.envoy import missing

    for name in ("update", "profile"):
        if options[name]:
            raise click.UsageError(f"--envoy and --{name} exclude each other")
    if options["jobs"] > 1:
        raise click.UsageError("--envoy runs one test after the other: -j is for our own host")
    reason = missing()
    if reason is not None:
        raise CommandError(f"real Envoy cannot be asked: {reason}", code=USAGE)


def _check_engine(name: str | None) -> None:
    from hostabi.cli.sources import make_store

    if name is not None:
        make_store(name)


# --- files -----------------------------------------------------------------------------------------------------------


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


# --- running ---------------------------------------------------------------------------------------------------------


def _results(tests: Sequence[Trial], settings: Settings) -> Iterator[Result]:
    from hostabi.scenario.run import run_test
    from hostabi.scenario.stage import LocalStage, Modules

    modules = Modules()
    for one in tests:
        yield run_test(one, lambda trial: LocalStage(trial, modules, engine=settings.engine, profile=settings.profile))


def _reports(tests: Sequence[Trial], settings: Settings, jobs: int) -> Iterator[Report]:
    """The reports in the order of the tests, made here or by so many processes."""
    if jobs == 1 or len(tests) == 1:
        yield from _reports_here(tests, settings)
        return
    share = max(1, -(-len(tests) // (4 * jobs)))
    parts = [
        [(one.document.file, one.id) for one in tests[start : start + share]] for start in range(0, len(tests), share)
    ]
    with ProcessPoolExecutor(min(jobs, len(parts))) as pool:
        for found in pool.map(_work, parts, [settings] * len(parts)):
            yield from found


def _reports_here(tests: Sequence[Trial], settings: Settings) -> Iterator[Report]:
    from hostabi.cli.result_page import report

    if settings.envoy:
        yield from _reports_of_envoy(tests, settings)
        return
    for result in _results(tests, settings):
        yield report(result, width=settings.width, colour=settings.colour, verbose=settings.verbose)


def _reports_of_envoy(tests: Sequence[Trial], settings: Settings) -> Iterator[Report]:
    """The same tests on real Envoy; those that are not for it are skipped."""
    from hostabi.cli.result_page import report
    from hostabi.oracle.run import EnvoyRun, not_seen, reason_against
    from hostabi.scenario.report import Report

    run = EnvoyRun(engine=settings.engine)
    try:
        for one in tests:
            reason = reason_against(one)
            if reason is not None:
                yield Report(one.document.file, one.line, one.id, True, 0.0, note=reason, skipped=True)
                continue
            result = run.run(one)
            found = report(result, width=settings.width, colour=settings.colour, verbose=settings.verbose)
            passed_over = ", ".join(not_seen(one))
            yield replace(found, note=f"cannot be seen there: {passed_over}" if passed_over else "")
    finally:
        run.close()


def _work(wanted: list[tuple[str, str]], settings: Settings) -> list[Report]:
    """What a worker process does: read the files again, and run these tests of them."""
    from hostabi.scenario.load import load

    files = {file: {one.id: one for one in load(file)} for file in dict.fromkeys(file for file, _ in wanted)}
    return list(_reports_here([files[file][id] for file, id in wanted], settings))


def show(page: Page, report: Report) -> None:
    """A line for a test, and its transcript if there is one to be shown."""
    word = ("SKIP", "yellow") if report.skipped else ("PASS", "green") if report.passed else ("FAIL", "bold red")
    note = (f"  ({report.note})", "dim") if report.note else ("", "")
    page.line(0, word, (f" {report.file}:{report.line} ", "dim"), (report.id, "" if report.passed else "bold"), note)
    if report.text:
        click.echo(report.text)


def summary(page: Page, reports: Sequence[Report]) -> None:
    """The last line."""
    skipped = sum(one.skipped for one in reports)
    passed = sum(one.passed for one in reports) - skipped
    failed = len(reports) - passed - skipped
    parts = [(f"{failed} failed, ", "bold red")] if failed else []
    seconds = sum(one.seconds for one in reports)
    left = (f", {skipped} skipped" if skipped else "", "yellow")
    page.line(0, *parts, (f"{passed} passed", "" if failed else "green"), left, (f" in {seconds:.2f} s", "dim"))


# --- writing ---------------------------------------------------------------------------------------------------------


def _update(tests: Sequence[Trial], settings: Settings) -> None:
    from hostabi.scenario.update import update

    by_file: dict[str, list[Result]] = {}
    for result in _results(tests, settings):
        by_file.setdefault(result.test.document.file, []).append(result)
    for file, results in by_file.items():
        updated = update(results[0].test.document, results)
        if updated.changed:
            _write(Path(file), updated.text)
        for path in updated.changed:
            click.echo(f"updated {file}: {path}")
        for line in updated.kept:
            click.echo(f"kept {file}: {line}")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _init(module: str, config: str | None, files: tuple[str, ...], engine: str | None) -> None:
    from hostabi.cli.exchange import text_or_file
    from hostabi.scenario.init import default_target, first_file
    from hostabi.scenario.places import FileError
    from hostabi.scenario.stage import StageError

    if len(files) > 1:
        raise click.UsageError("--init writes one file")
    path = Path(module)
    if not path.is_file():
        raise click.UsageError(f"there is no file {module!r}")
    target = Path(files[0]) if files else default_target(path)
    if target.exists():
        raise CommandError(f"{target} is there already; name another file, or remove it first", code=USAGE)
    _check_engine(engine)
    try:
        text = first_file(path, text_or_file(config).decode("utf-8", "replace"), target, engine)
    except (StageError, FileError) as error:
        raise CommandError(str(error)) from error
    _write(target, text)
    click.echo(f"wrote {target}; run it with:  tamis test {target}")
