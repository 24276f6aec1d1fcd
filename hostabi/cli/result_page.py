"""How results of tests are shown: a line each, and for a failure the transcript with the difference in its place."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hostabi.cli.transcript import Page, steps
from hostabi.core.commands import Log
from hostabi.scenario.places import Loc, path_text
from hostabi.scenario.run import Failure, Moment, Result

_MOST_LINES = 40


class ResultPage:
    """Lays out results as they come, and counts them."""

    def __init__(self, verbose: bool = False, page: Page | None = None) -> None:
        self.page = page or Page()
        self.verbose = verbose
        self.passed = 0
        self.failed = 0
        self._seconds = 0.0

    def result(self, result: Result) -> None:
        """One test."""
        self._seconds += result.seconds
        where = f"{result.test.document.file}:{result.test.line}"
        word = ("PASS", "green") if result.passed else ("FAIL", "bold red")
        self.page.line(0, word, (f" {where} ", "dim"), (result.test.id, "" if result.passed else "bold"))
        if result.passed:
            self.passed += 1
        else:
            self.failed += 1
        if not result.passed or self.verbose:
            self.transcript(result)
            self.page.blank()

    def transcript(self, result: Result) -> None:
        """Every step with what happened in it and, where something is wrong, the difference."""
        for moment in result.moments:
            self._moment(result, moment)

    def _moment(self, result: Result, moment: Moment) -> None:
        seen = moment.observation
        found = steps(seen.transcript) if seen is not None else []
        if not found and not moment.failures and moment.title in ("start", "end"):
            return
        self.page.line(2, (moment.title, "bold"))
        self.page.steps(found, 4)
        for log in seen.logs if seen is not None else ():
            self.page.line(4, *_log_parts(log))
        for failure in moment.failures:
            self._failure(result, failure)

    def _failure(self, result: Result, failure: Failure) -> None:
        document = result.test.document
        line, column = document.place(failure.loc)
        shown = path_text(_inside(failure.loc))
        place = f"{document.file}:{line}:{column}"
        self.page.line(4, ("x ", "bold red"), (shown, "bold"), (f"  {place}", "dim"))
        if failure.message:
            for text in failure.message.splitlines():
                self.page.line(6, (text, "red"))
        difference = failure.difference
        if difference is None:
            return
        if difference.note and difference.note != failure.message:
            self.page.line(6, (difference.note, "red"))
        if difference.loc[:1] != ("strict",):
            for text in _lines(difference.wanted):
                self.page.line(6, (f"- {text}", "red"))
        for text in _lines(difference.observed):
            self.page.line(6, (f"+ {text}", "green"))

    def summary(self) -> None:
        """The last line."""
        if not self.passed and not self.failed:
            return
        parts = [(f"{self.failed} failed, ", "bold red")] if self.failed else []
        style = "green" if not self.failed else ""
        self.page.line(0, *parts, (f"{self.passed} passed", style), (f" in {self._seconds:.2f} s", "dim"))


def _inside(loc: Loc) -> Loc:
    """A path as it is known in its expectation, or in its case."""
    for word in ("expect", "start"):
        if word in loc[2:-1]:
            return loc[loc.index(word, 2) + 1 :]
    return loc[2:] if loc[:1] == ("cases",) and loc[2:] else loc


def _lines(value: object) -> Iterable[str]:
    """A value on lines: text as it is written in quotes, a list one item a line, nothing as (nothing)."""
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
    return [("log ", "dim"), (f"{log.level.name.lower()} ", "yellow"), (log.message.decode("utf-8", "replace"), "")]
