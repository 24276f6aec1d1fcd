"""From a file to tests: read, variables and table rows filled in, checked by the models, errors with their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hostabi.scenario.model import Case, Scenario
from hostabi.scenario.places import Document, FileError, Loc, Problem, written
from hostabi.scenario.variables import UnknownVariable, substitute

SUFFIXES = (".tamis.yaml", ".tamis.yml")
"""How the names of scenario files end, for whoever looks for them in folders."""


@dataclass(frozen=True)
class Trial:
    """One case of a file, with one row of its table: what is run, and reported, as one test."""

    document: Document
    scenario: Scenario
    """The file with this case alone."""
    index: int
    row: int | None
    id: str
    variables: dict[str, object]
    folder: Path
    """The folder that paths in the file start from."""

    @property
    def case(self) -> Case:
        """The case."""
        return self.scenario.cases[0]

    @property
    def loc(self) -> Loc:
        """The path of the case in the file."""
        return ("cases", self.index)

    @property
    def line(self) -> int:
        """Where the case stands."""
        return self.document.place(self.loc)[0]


def load(path: Path | str, shown: str | None = None) -> list[Trial]:
    """The tests of a file, which messages call `shown`.

    Raises FileError, with every problem that was found, and OSError.
    """
    name = str(path) if shown is None else shown
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError([Problem(name, line, 1, "", "not UTF-8")]) from error
    return loads(text, name, Path(path).parent)


def loads(text: str, file: str = "scenario.tamis.yaml", folder: Path | None = None) -> list[Trial]:
    """The tests of a file's text; paths in it start from `folder`, without one from where `file` lies."""
    base = Path(file).parent if folder is None else folder
    document = Document(file, text)
    problems: dict[tuple[int, int, str], Problem] = {}
    tests: list[Trial] = []

    def note(found: Iterable[Problem]) -> None:
        for problem in found:
            problems.setdefault((problem.line, problem.column, problem.message), problem)

    data: dict[str, Any] = dict(document.data) if isinstance(document.data, dict) else {}
    cases = data.get("cases")
    if data.get("version", 1) != 1:
        raise document.error(("version",), f"version 1 is what this tamis reads, and not {data['version']!r}")
    if not isinstance(cases, list) or not cases:
        _check(document, data, 0, note)
        raise FileError(list(problems.values()) or [document.problem(("cases",), "there are no cases")])
    for index, case in enumerate(cases):
        for row, values in _rows(document, data, index, case, note):
            test = _expand(document, data, index, row, values, base, note)
            if test is not None:
                tests.append(test)
    if problems:
        raise FileError(list(problems.values()))
    return _unique(tests)


def _rows(
    document: Document, data: dict[str, Any], index: int, case: Any, note: Any
) -> list[tuple[int | None, dict[str, object]]]:
    """The rows of a case's table with the variables of the file; one without a number when there is no table."""
    common = data.get("vars")
    values: dict[str, object] = dict(common) if isinstance(common, dict) else {}
    table = case.get("table") if isinstance(case, dict) else None
    if table is None:
        return [(None, values)]
    if not isinstance(table, list) or not table or not all(isinstance(row, dict) for row in table):
        note([document.problem(("cases", index, "table"), "a table is a list of rows, each a mapping of variables")])
        return []
    return [(number, values | row) for number, row in enumerate(table)]


def _expand(
    document: Document,
    data: dict[str, Any],
    index: int,
    row: int | None,
    values: dict[str, object],
    base: Path,
    note: Any,
) -> Trial | None:
    rest = {key: value for key, value in data.items() if key not in ("cases", "vars")}
    given = data["cases"][index]
    table = given.get("table") if isinstance(given, dict) else None
    case = {key: value for key, value in given.items() if key != "table"} if isinstance(given, dict) else given
    try:
        whole = substitute(rest, values)
        filled = substitute(case, values, ("cases", index))
    except UnknownVariable as error:
        note([document.problem(error.loc, str(error))])
        return None
    if isinstance(filled, dict) and table is not None:
        filled = filled | {"table": table}
    if not isinstance(whole, dict):
        return None
    scenario = _check(document, whole | {"vars": data.get("vars", {}), "cases": [filled]}, index, note)
    if scenario is None:
        return None
    name = scenario.cases[0].name or f"case {index + 1}"
    varies = isinstance(given, dict) and "${" in str(given.get("name", ""))
    label = "" if row is None or table is None or varies else f" [{_row_label(table[row])}]"
    return Trial(document, scenario, index, row, name + label, values, base)


def _row_label(row: dict[str, Any]) -> str:
    parts = []
    for key, value in row.items():
        text = written(value)
        parts.append(f"{key}={text if text is not None and len(text) <= 24 else '...'}")
    return ", ".join(parts)


def _check(document: Document, data: dict[str, Any], index: int, note: Any) -> Scenario | None:
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        note(_problems(document, error, index))
        return None


def _problems(document: Document, error: ValidationError, index: int) -> Iterable[Problem]:
    for one in error.errors(include_url=False):
        loc: Loc = tuple(one["loc"])
        if loc[:2] == ("cases", 0):
            loc = ("cases", index, *loc[2:])
        message = str(one["msg"]).removeprefix("Value error, ")
        kind = one["type"]
        if kind == "extra_forbidden":
            yield document.problem(loc, f"there is no key {loc[-1]!r} here", key=True)
        elif kind == "missing":
            yield document.problem(loc[:-1], f"{loc[-1]} is missing")
        elif kind == "null":
            yield document.problem((*loc, one["ctx"]["key"]), message, key=True)
        else:
            yield document.problem(loc, message)


def _unique(tests: list[Trial]) -> list[Trial]:
    """The same with ids that differ."""
    seen: dict[str, int] = {}
    out = []
    for test in tests:
        seen[test.id] = seen.get(test.id, 0) + 1
        again = seen[test.id]
        out.append(test if again == 1 else Trial(**{**vars(test), "id": f"{test.id} #{again}"}))
    return out
