"""How the result of a test is shown: its transcript step by step, with each difference in its place."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

from hostabi.cli.transcript import Page, steps
from hostabi.core.commands import Log
from hostabi.scenario.places import Loc, path_text
from hostabi.scenario.report import Report
from hostabi.scenario.run import Failure, Moment, Result

_MOST_LINES = 40
_LEVEL_STYLES = {"warn": "yellow", "error": "red", "critical": "bold red"}


def report(result: Result, *, width: int | None = None, colour: bool | None = None, verbose: bool = False) -> Report:
    """A result as text; of one that passed, nothing but its name, unless `verbose`."""
    message = ""
    if result.failures:
        first = result.failures[0]
        what = first.message.partition("\n")[0]
        message = f"{path_text(inside(first.loc))}{': ' if what else ''}{what} ({_place(result, first)})"
    text = transcript(result, width=width, colour=colour) if verbose or not result.passed else ""
    test = result.test
    return Report(test.document.file, test.line, test.id, result.passed, result.seconds, message, text)


def transcript(result: Result, *, width: int | None = None, colour: bool | None = None) -> str:
    """Every step with what happened in it and, where something is wrong, the difference."""
    out = io.StringIO()
    page = Page(width, colour, out)
    for moment in result.moments:
        _moment(page, result, moment)
    return out.getvalue()


def _moment(page: Page, result: Result, moment: Moment) -> None:
    seen = moment.observation
    found = steps(seen.transcript) if seen is not None else []
    if not found and not moment.failures and moment.title in ("start", "end"):
        return
    page.line(2, (moment.title, "bold"))
    page.steps(found, 4)
    for log in seen.logs if seen is not None else ():
        page.line(4, *_log_parts(log))
    for failure in moment.failures:
        _failure(page, result, failure)


def _place(result: Result, failure: Failure) -> str:
    line, column = result.test.document.place(failure.loc)
    return f"{result.test.document.file}:{line}:{column}"


def _failure(page: Page, result: Result, failure: Failure) -> None:
    page.line(4, ("x ", "bold red"), (path_text(inside(failure.loc)), "bold"), (f"  {_place(result, failure)}", "dim"))
    for text in failure.message.splitlines():
        page.line(6, (text, "red"))
    difference = failure.difference
    if difference is None:
        return
    if difference.note and difference.note != failure.message:
        page.line(6, (difference.note, "red"))
    if difference.loc[:1] != ("strict",):
        for text in _lines(difference.wanted):
            page.line(6, (f"- {text}", "red"))
    for text in _lines(difference.observed):
        page.line(6, (f"+ {text}", "green"))


def inside(loc: Loc) -> Loc:
    """A path as it is known in its expectation, or in its case."""
    for word in ("expect", "start"):
        if word in loc[2:-1]:
            return loc[loc.index(word, 2) + 1 :]
    return loc[2:] if loc[:1] == ("cases",) and loc[2:] else loc


def _lines(value: object) -> Iterable[str]:
    """A value on lines: text in quotes, a list one item a line, nothing as (nothing)."""
    if value is None:
        return ["(nothing)"]
    if isinstance(value, list) and value:
        lines = [json.dumps(one, ensure_ascii=False) for one in value]
        more = len(lines) - _MOST_LINES
        return lines if more <= 0 else [*lines[:_MOST_LINES], f"... {more} more"]
    if isinstance(value, str) and "\n" in value:
        return [json.dumps(line, ensure_ascii=False) for line in value.splitlines(keepends=True)]
    return [json.dumps(value, ensure_ascii=False, default=str)]


def _log_parts(log: Log) -> list[tuple[str, str]]:
    level = log.level.name.lower()
    return [
        ("log ", "dim"),
        (f"{level} ", _LEVEL_STYLES.get(level, "dim")),
        (log.message.decode("utf-8", "replace"), ""),
    ]
