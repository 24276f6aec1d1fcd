"""Streams through obedient filters, as transcripts (abi_reference 2.10, 5.3, 7; host_contract 1.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hostabi import AbiVersion
from hostabi.core.state import BODY_EFFECTS, HEADERS_EFFECTS, TRAILERS_EFFECTS
from spec_tests.proxy_wasm.stream.scene import Scene

FOLDER = Path(__file__).parent / "transcripts"


@dataclass
class Case:
    """One transcript: its filters and options, and the lines."""

    name: str
    filters: list[dict[str, Any]]
    options: dict[str, Any]
    lines: list[str]


def read(path: Path) -> Iterator[Case]:
    """The cases of a file: `= name`, a `filter` line for each filter, a `with` line for options, the transcript."""
    case: Case | None = None
    for line in path.read_text().splitlines():
        if line.startswith("= "):
            if case:
                yield case
            case = Case(f"{path.stem}: {line[2:]}", [], {}, [])
        elif case and line.startswith("filter "):
            case.filters.append(json.loads(line[7:]))
        elif case and line.startswith("with "):
            case.options = json.loads(line[5:])
        elif case and line:
            case.lines.append(line)
    if case:
        yield case


CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_stream(engine: str, case: Case) -> None:
    options = dict(case.options)
    if "abi" in options:
        options["abi"] = next(version for version in AbiVersion if version.text == options["abi"])
    script = "\n".join(line[2:] for line in case.lines if line.startswith("> "))
    assert Scene(engine, *case.filters, **options).play(script) == "\n".join(case.lines)


def test_every_action_has_a_case() -> None:
    seen: dict[str, set[int]] = {}
    for case in CASES:
        for actions in case.filters:
            for kind, values in actions.items():
                seen.setdefault(kind, set()).update(v for v in values if isinstance(v, int))
    for way in ("request", "response"):
        for kind, effects in (("headers", HEADERS_EFFECTS), ("body", BODY_EFFECTS), ("trailers", TRAILERS_EFFECTS)):
            beyond = len(effects)
            assert set(range(1, beyond + 1)) | {0xFFFFFFFF} <= seen[f"{way}_{kind}"], (way, kind)
