"""Log, log level, clock, tick and status, one small filter each (abi_reference 8.1, 8.2)."""

from __future__ import annotations

import pytest

from hostabi import Limits, LogLevel, Status
from hostabi.abi.enums import AbiVersion
from hostabi.testing import Answer, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import call, callback, callbacks, expression, lines


@pytest.mark.parametrize("level", list(LogLevel))
def test_log_levels(engine: str, level: LogLevel) -> None:
    got = call(engine, "proxy_log", level, b"hello", host={"log_level": LogLevel.TRACE})
    assert got.status is Status.OK
    assert [(log.level, log.message) for log in got.exchange.logs] == [(level, b"hello")]


def test_log_below_the_threshold_is_dropped_and_ok(engine: str) -> None:
    got = call(engine, "proxy_log", 1, b"hello", host={"log_level": LogLevel.INFO})
    assert (got.status, got.exchange.logs) == (Status.OK, [])


@pytest.mark.parametrize("level", [6, 0xFFFFFFFF])
def test_log_level_out_of_range(engine: str, level: int) -> None:
    got = call(engine, "proxy_log", level, b"hello")
    assert (got.status, got.exchange.logs) == (Status.BAD_ARGUMENT, [])


def test_an_empty_line_is_logged(engine: str) -> None:
    assert call(engine, "proxy_log", 2, b"").exchange.log_lines == [""]


def test_log_text_is_bytes(engine: str) -> None:
    assert call(engine, "proxy_log", 2, b"\xff\0\n").exchange.logs[0].message == b"\xff\0\n"


def test_log_over_the_rate_is_dropped_with_one_notice(engine: str) -> None:
    many = "(local $i i32) (loop (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 1)))" + (
        " (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20)))) (i32.const 0)"
    )
    text = small_filter({"proxy_on_request_headers": many}, data={0: b"x"})
    done = FilterHost(text, engine=engine, limits=Limits(log_lines_per_second=5)).exchange()
    assert done.log_lines == ["x"] * 5 + ["log lines of this plugin are dropped until the next second"]
    assert [c.result for c in done.transcript if getattr(c, "function", "") == "proxy_log"] == [0] * 20


def test_get_log_level(engine: str) -> None:
    assert call(engine, "proxy_get_log_level", host={"log_level": LogLevel.ERROR}).output == 4


def test_get_current_time(engine: str) -> None:
    got = call(engine, "proxy_get_current_time_nanoseconds", host={"clock": 1_700_000_000})
    # The exchange begins a millisecond after the start; the first reading is a microsecond later.
    assert got.output == 1_700_000_000_001_001_000


def test_the_clock_moves_with_each_reading(engine: str) -> None:
    again = (expression("proxy_get_current_time_nanoseconds", []),)
    got = call(engine, "proxy_get_current_time_nanoseconds", before=again * 2, host={"clock": 0})
    assert got.output == 1_003_000


def test_tick(engine: str) -> None:
    text = small_filter(
        {
            "proxy_on_configure": callback(
                "proxy_on_configure", expression("proxy_set_tick_period_milliseconds", [5000])
            ),
            "proxy_on_tick": expression("proxy_log", [2, 0, 4]).join(["(drop ", ")"]),
        },
        data={0: b"tick"},
    )
    host = FilterHost(text, engine=engine, clock=100)
    assert host.exchanger.take().logs == []
    assert host.tick() and host.exchanger.now >= 105_000_000_000
    assert host.tick() and host.exchanger.now >= 110_000_000_000
    assert host.exchanger.take().log_lines == ["tick", "tick"]


def test_tick_period_0_stops_the_timer(engine: str) -> None:
    text = small_filter(
        {
            "proxy_on_configure": callback(
                "proxy_on_configure", expression("proxy_set_tick_period_milliseconds", [5000])
            ),
            "proxy_on_tick": f"(drop {expression('proxy_set_tick_period_milliseconds', [0])})",
        }
    )
    host = FilterHost(text, engine=engine)
    assert host.tick()
    assert not host.tick()


def test_a_tick_set_on_a_stream_is_that_of_the_plugin(engine: str) -> None:
    got = call(engine, "proxy_set_tick_period_milliseconds", 10, also={"proxy_on_tick": ""})
    assert got.status is Status.OK
    got.host.tick()
    assert callbacks(got.host.exchanger.take().transcript) == ["on_tick(1)"]


def test_status_outside_of_a_callout(engine: str) -> None:
    got = call(engine, "proxy_get_status")
    assert (got.status, got.called.outputs) == (Status.OK, (0, b""))


CALL = ("proxy_http_call", b"up", ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")), b"", (), 1000)


@pytest.mark.parametrize(("failed", "expected"), [("", (0, b"")), ("reset", (11, b"reset"))])
def test_status_in_a_callout(engine: str, failed: str, expected: tuple[int, bytes]) -> None:
    also = {"proxy_on_http_call_response": f"(drop {expression('proxy_get_status', [])})"}
    got = call(engine, *CALL, also=also, host={"calls": {"up": Answer(failed=failed)}})
    status = [r for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_get_status"]
    assert [s.outputs for s in status] == [expected]


def test_get_configuration_of_0_1_0(engine: str) -> None:
    got = call(
        engine, "proxy_get_configuration", abi=AbiVersion.V0_1_0, during="proxy_on_configure", host={"config": "abc"}
    )
    assert got.output == b"abc", lines(got.exchange.transcript)
