"""How records become lines: nesting, names, repetition, long values, narrow terminals."""

from __future__ import annotations

import pytest

from hostabi.abi.enums import LogLevel, MapType
from hostabi.cli.transcript import Page, steps
from hostabi.core.transcript import Broke, Called, Entered, Left, Noted, Record


def shown(capsys: pytest.CaptureFixture[str], records: list[Record], width: int | None = None) -> list[str]:
    Page(width=width).steps(steps(records), 0)
    return capsys.readouterr().out.splitlines()


def test_calls_stand_in_their_callback(capsys: pytest.CaptureFixture[str]) -> None:
    records: list[Record] = [
        Entered("p", "proxy_on_request_body", (("context", 2), ("body_size", 5))),
        Called("p", "proxy_log", (("level", LogLevel.WARN), ("message", b"hm")), 0),
        Noted("p", "odd"),
        Left("p", "proxy_on_request_body", 1, 7),
        Entered("p", "proxy_on_done", (("context", 2),)),
        Left("p", "proxy_on_done", 0, 1),
    ]
    assert shown(capsys, records) == [
        "proxy_on_request_body(context=2, body_size=5) -> STOP_ITERATION_AND_BUFFER  7 ticks",
        "    proxy_log(level=WARN, message='hm') -> OK",
        "    note: odd",
        "proxy_on_done(context=2) -> false  1 tick",
    ]


@pytest.mark.parametrize(
    ("callback", "result", "name"),
    [
        ("proxy_on_request_headers", 4, "STOP_ALL_ITERATION_AND_WATERMARK"),
        ("proxy_on_response_headers", 9, "9"),
        ("proxy_on_response_body", 3, "STOP_ITERATION_NO_BUFFER"),
        ("proxy_on_response_trailers", 1, "STOP_ITERATION"),
        ("proxy_on_vm_start", 1, "true"),
        ("proxy_on_configure", 0, "false"),
    ],
)
def test_results_by_name(capsys: pytest.CaptureFixture[str], callback: str, result: int, name: str) -> None:
    records: list[Record] = [Entered("p", callback, ()), Left("p", callback, result, 0)]
    assert shown(capsys, records) == [f"{callback}() -> {name}  0 ticks"]


def test_values(capsys: pytest.CaptureFixture[str]) -> None:
    records: list[Record] = [
        Called("p", "a", (("map", MapType.HTTP_RESPONSE_HEADERS), ("pairs", ((b"x", b"1"), (b"y", b"\xff")))), 1),
        Called("p", "b", (("max_size", 0xFFFFFFFF), ("grpc_status", 0xFFFFFFFF)), 77, (b"it's", 5)),
        Called("p", "c", (("data", b"z" * 500),), 0),
        Called("p", "fd_read", (("fd", 9),), 8, (), is_status=False),
        Called("p", "seed", (), None, (), is_status=False),
        Called("p", "d", (("text", b"\x1b[2J\r\n"),), 0),
    ]
    lines = shown(capsys, records)
    assert lines[0] == r"a(map=HTTP_RESPONSE_HEADERS, pairs=[x: 1, y: \xff]) -> NOT_FOUND"
    assert lines[1] == "b(max_size=max, grpc_status=none) -> 77 'it's', 5"
    assert lines[2].endswith("zzz...') -> OK")
    assert len(lines[2]) < 130
    assert lines[3:5] == ["fd_read(fd=9) -> BADF", "seed()"]
    assert lines[5] == r"d(text='\x1b[2J\r\n') -> OK"


def test_the_same_again_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    again = Called("p", "clock_time_get", (("clock", 0),), 0, (), is_status=False)
    other = Called("p", "clock_time_get", (("clock", 1),), 0, (), is_status=False)
    assert shown(capsys, [again, again, again, other, again]) == [
        "clock_time_get(clock=0) -> SUCCESS  x 3",
        "clock_time_get(clock=1) -> SUCCESS",
        "clock_time_get(clock=0) -> SUCCESS",
    ]


def test_a_trap_stands_last_and_long_backtraces_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    frames = tuple(f"#{n} 0x1 f" for n in range(1000))
    records: list[Record] = [
        Entered("p", "proxy_on_tick", (("root", 1),)),
        Called("p", "proxy_log", (), 0),
        Broke("p", "proxy_on_tick", "unreachable", frames, 3),
    ]
    lines = shown(capsys, records)
    assert lines[:4] == [
        "proxy_on_tick(root=1) trapped  3 ticks",
        "    proxy_log() -> OK",
        "    trap: unreachable",
        "      #0 0x1 f",
    ]
    assert len(lines) == 3 + 26
    assert "      ... 975 more frames ..." in lines
    assert lines[-1] == "      #999 0x1 f"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_narrow_terminals(capsys: pytest.CaptureFixture[str], width: int) -> None:
    pairs = tuple((b"name%d" % n, b"value") for n in range(9))
    records: list[Record] = [
        Entered("p", "proxy_on_request_headers", (("context", 2), ("num_headers", 4), ("end_of_stream", 1))),
        Called("p", "proxy_http_call", (("upstream", b"service"), ("headers", pairs), ("body", b"w" * 90)), 0),
        Left("p", "proxy_on_request_headers", 0, 7),
    ]
    lines = shown(capsys, records, width)
    assert max(map(len, lines)) <= width
    assert len(lines) > 2
    call = next(i for i, line in enumerate(lines) if line.startswith("    proxy_http_call("))
    assert all(line.startswith("      ") for line in lines[call + 1 :])
    joined = "".join(line.strip() for line in lines).replace(" ", "")
    assert "name8:value" in joined
    assert "w" * 90 in joined
