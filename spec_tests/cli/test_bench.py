"""`tamis bench`: the counts are those of `tamis run` and of `tamis profile`, and the same on every run."""

from __future__ import annotations

import json

from spec_tests.cli.conftest import EXAMPLES, PROGRAMS, Tamis

FILTER = str(EXAMPLES / "header_rewrite" / "header_rewrite.wasm")
CONFIG = ("--config", f"@{EXAMPLES / 'header_rewrite' / 'rules.txt'}")


def measured(tamis: Tamis, *args: str) -> dict[str, object]:
    ran = tamis("bench", "--json", "--seconds", "0.05", *args)
    assert ran.code == 0, ran.err
    found: dict[str, object] = json.loads(ran.out)
    return found


def test_counts_repeat_and_agree_with_the_other_commands(tamis: Tamis) -> None:
    one, two = measured(tamis, FILTER, *CONFIG), measured(tamis, FILTER, *CONFIG, "--engine", "reference")
    for key in ("ticks", "instructions", "host_calls", "bytes_copied", "linear_memory"):
        assert one[key] == two[key], key
    assert two["engine"] == "reference"
    assert one["host_calls"]
    assert one["bytes_copied"]
    profiled = json.loads(tamis("profile", "--json", FILTER, *CONFIG).out)
    totals = {row["name"]: row["total"] for row in profiled["functions"]}
    assert one["instructions"]["proxy_on_request_headers"] == totals["proxy_on_request_headers"]  # type: ignore[index]
    assert one["requests_per_second"] > 0  # type: ignore[operator]


def test_the_table_names_what_it_counts(tamis: Tamis) -> None:
    ran = tamis("bench", FILTER, "--seconds", "0.05", "--no-instructions")
    assert ran.code == 0
    assert "requests a second" in ran.out
    assert "instructions in" not in ran.out


def test_a_filter_that_traps_or_a_program_is_refused(tamis: Tamis) -> None:
    crash = str(EXAMPLES / "crash" / "crash.wasm")
    ran = tamis("bench", crash, "-H", "x-crash: 1", "--seconds", "0.05")
    assert ran.code == 134
    assert tamis("bench", str(PROGRAMS / "echo.wasm")).code == 1
