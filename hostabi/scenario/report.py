"""Results for others: one record a test, and JUnit's XML of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one test, as text."""

    file: str
    line: int
    id: str
    passed: bool
    seconds: float
    message: str = ""
    """The first thing that was wrong, on one line."""
    text: str = ""
    """The transcript with the differences."""
    note: str = ""
    """What people should know of it in any case, on one line; of one that was skipped, why."""
    skipped: bool = False


def junit(reports: Sequence[Report]) -> bytes:
    """The reports as a JUnit file, one suite for each file of tests."""
    root = ElementTree.Element("testsuites", _counts(reports))
    for file, group in groupby(reports, key=lambda report: report.file):
        of_file = list(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": file, **_counts(of_file)})
        for one in of_file:
            _case(suite, one)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _counts(reports: Iterable[Report]) -> dict[str, str]:
    all_of_them = list(reports)
    return {
        "tests": str(len(all_of_them)),
        "failures": str(sum(not one.passed for one in all_of_them)),
        "errors": "0",
        "skipped": str(sum(one.skipped for one in all_of_them)),
        "time": f"{sum(one.seconds for one in all_of_them):.3f}",
    }


def _case(suite: ElementTree.Element, report: Report) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": report.file,
            "name": _legal(report.id),
            "file": report.file,
            "line": str(report.line),
            "time": f"{report.seconds:.3f}",
        },
    )
    if report.skipped:
        ElementTree.SubElement(case, "skipped", {"message": _legal(report.note)})
    if not report.passed:
        failure = ElementTree.SubElement(case, "failure", {"message": _legal(report.message)})
        failure.text = _legal(report.text)


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _legal(text: str) -> str:
    """Text without colours, and without what XML 1.0 has no place for."""
    text = _COLOUR.sub("", text)
    return "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "?"
        for c in text
    )
