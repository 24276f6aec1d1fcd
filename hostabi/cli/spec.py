"""`tamis spec`: run .wast scripts, and say what passed."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hostabi.cli.errors import FAILURE, CommandError, printable
from hostabi.cli.run_options import ENGINE, FEATURES

if TYPE_CHECKING:
    import interp
    from interp.tools.spec import FileResult

Job = tuple[str, Path, str | None, "interp.Features"]
"""Name to show, path, engine, features."""


@click.command
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@ENGINE
@FEATURES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--testsuite",
    envvar="TAMIS_TESTSUITE",
    metavar="DIR",
    help="Where the test suite is: a PATH that is not here is looked for there.  [env: TAMIS_TESTSUITE]",
)
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Files at a time.")
@click.option("-q", "--quiet", is_flag=True, help="Only failures and the last line.")
@click.pass_context
def spec(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    engine: str | None,
    features: interp.Features,
    as_json: bool,
    testsuite: str | None,
    jobs: int,
    quiet: bool,
) -> None:
    """Run scripts of the specification's test suite; a folder stands for all .wast files below it.

    What is on is version 3.0 and the proposal that the script's folder is named after, or what --features says. A
    command that needs a feature which is off is said to wait for it: neither passed nor failed. The exit code is 1 if a
    command failed.
    """
    from hostabi.cli.sources import make_store

    name = make_store(engine).engine.name
    found: list[Job] = [(shown, path, name, features) for shown, path in scripts(paths, testsuite)]
    results: list[FileResult] = []
    with _progress(len(found), show=not as_json) as step:
        for result in _run(found, jobs):
            results.append(result)
            step(() if as_json else tuple(_lines(result, quiet)))
    waiting = sum((result.waiting for result in results), Counter[str]())
    passed, total = sum(r.passed for r in results), sum(r.total for r in results)
    failed = sum(len(r.failures) for r in results)
    if as_json:
        summary = {"engine": name, "passed": passed, "total": total, "failed": failed}
        extra = {"waiting": dict(sorted(waiting.items())), "files": [result.json() for result in results]}
        click.echo(json.dumps(summary | extra, indent=2))
    else:
        if failed:
            click.echo(f"{failed} failed")
        for feature, count in sorted(waiting.items()):
            click.echo(f"{count} wait for {feature}")
        click.echo(f"passed {passed} of {total}")
    ctx.exit(FAILURE if failed else 0)


def scripts(paths: Sequence[str], testsuite: str | None) -> Iterator[tuple[str, Path]]:
    """The .wast files behind the arguments, as (name to show, path); folders are walked in order. Raises CommandError.

    A path that does not exist here is looked for below the test suite's folder.
    """
    for text in paths:
        path = Path(text)
        if not path.exists() and testsuite and not path.is_absolute():
            path = Path(testsuite) / text
        if path.is_dir():
            found = sorted(path.rglob("*.wast"))
            if not found:
                raise CommandError(f"{text}: no .wast file in this folder")
            yield from ((os.path.join(text, str(file.relative_to(path))), file) for file in found)
        elif path.exists():
            yield text, path
        else:
            hint = "" if testsuite else " (neither --testsuite nor TAMIS_TESTSUITE says where the suite is)"
            raise CommandError(f"{text}: no such file or folder{hint}")


def _run_one(job: Job) -> FileResult:
    from interp.tools.spec import run_file

    shown, path, engine, features = job
    return run_file(path, shown, engine, features)


def _run(found: Sequence[Job], jobs: int) -> Iterator[FileResult]:
    if jobs == 1 or len(found) < 2:
        yield from map(_run_one, found)
        return
    with ProcessPoolExecutor(min(jobs, len(found))) as pool:
        try:
            yield from pool.map(_run_one, found)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _lines(result: FileResult, quiet: bool) -> Iterator[str]:
    """A file's line, unless quiet, and one for each failure."""
    if not quiet:
        waits = ", ".join(f"{count} wait for {feature}" for feature, count in sorted(result.waiting.items()))
        yield f"{result.path}: {result.passed} of {result.total}" + (f" ({waits})" if waits else "")
    for failure in result.failures:
        yield printable(str(failure))


class _Step:
    """Shows the lines of a finished file and moves the progress bar, if there is one."""

    def __init__(self, total: int, bar: bool) -> None:
        self.total = total
        self.bar = bar
        self.done = 0

    def __call__(self, lines: Sequence[str]) -> None:
        self.done += 1
        self.clear()
        for line in lines:
            click.echo(line)
        self.draw()

    def draw(self) -> None:
        """A bar on standard error, which a redirected standard output does not get."""
        if self.bar and self.done < self.total:
            filled = 30 * self.done // self.total
            click.echo(f"[{'#' * filled:<30}] {self.done}/{self.total}", nl=False, err=True)

    def clear(self) -> None:
        """Take it away again."""
        if self.bar:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextmanager
def _progress(total: int, show: bool) -> Iterator[_Step]:
    step = _Step(total, bar=show and total > 1 and sys.stderr.isatty() and sys.stdout.isatty())
    step.draw()
    try:
        yield step
    finally:
        step.clear()
