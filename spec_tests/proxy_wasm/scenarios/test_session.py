"""The same from Python: FilterSession plays a filter step by step, and the pytest plugin makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hostabi import CallFailed, HostCalls, MapType, Plugin, PluginConfig, Start, StreamType
from hostabi.abi.hostcall import EmbedderError
from hostabi.core.events import RequestHeaders, StreamEnd, Way
from hostabi.testing import Answer, FilterHost, FilterSession, Outcome, Request, SessionError, run_scenario

HERE = Path(__file__).parent
ORDERS = HERE / "filters" / "orders.wasm"
GATE = HERE.parents[2] / "examples" / "filters" / "http_gate" / "http_gate.wasm"

WAIT = """request_headers: call auth / 1000
request_headers: return 4
http_call_response: get 6 :status
http_call_response: effective
http_call_response: continue 0"""


def test_a_callout_that_waits(engine: str) -> None:
    session = FilterSession(GATE, config="gate /ask", engine=engine)
    session.request(Request("POST", "/door", body="knock"))
    assert session.stream().held == [Way.REQUEST]
    assert [call.command.upstream for call in session.waiting] == ["gate"]
    session.callout("gate", Answer(200, {"x-user": "alice"}))
    stream = session.stream()
    assert stream.request is not None and stream.request.get("x-user") == "alice"
    assert stream.request.body == b"knock" and stream.held == [] and session.waiting == []
    session.upstream(Answer(body="page"))
    assert stream.response is not None and stream.response.body == b"page" and stream.ended


def test_profiles_differ_in_what_a_timeout_looks_like() -> None:
    for profile, said in (("default", "get 0 504"), ("envoy", "get 0 504"), ("spec", "get 1")):
        session = FilterSession(ORDERS, config=WAIT, profile=profile)
        session.request(Request())
        session.advance(1_000_000_000)
        assert session.logs[0] == said, profile


def test_outcomes_and_holding() -> None:
    session = FilterSession(ORDERS, config=WAIT)
    session.callout("auth", Outcome.RESET, hold="slow")
    session.request(Request())
    session.advance(10_000_000_000)
    assert session.logs == [], "a call that is held does not time out"
    session.release("slow")
    assert session.logs[0] == "get 1"
    with pytest.raises(SessionError, match="no call is held as 'slow'"):
        session.release("slow")


def test_a_request_in_pieces() -> None:
    session = FilterSession(ORDERS, config="request_body/end: read 0 0 max\nrequest_body: return 0")
    session.request(Request(chunks=["a"]), end=False)
    session.more_request([b"b"], (), end=False)
    session.more_request([b"c"], ())
    request = session.stream().request
    assert request is not None and request.body == b"abc" and request.complete
    with pytest.raises(SessionError, match="to its end already"):
        session.more_request([b"d"], ())
    with pytest.raises(SessionError, match="has not begun to answer"):
        session.more_upstream([b"d"], ())
    session.upstream(Answer(chunks=["x"]), end=False)
    session.more_upstream([b"y"], ((b"t", b"1"),))
    response = session.stream().response
    assert response is not None and response.body == b"xy" and response.trailers == ((b"t", b"1"),)


def test_many_configurations_leave_nothing_behind() -> None:
    session = FilterSession(ORDERS, config="request_headers: set 0 x-version 0")
    for version in range(1, 20):
        config = f"request_headers: set 0 x-version {version}".encode()
        session.request(Request(), f"old {version}")

        def make(old: Plugin, config: bytes = config) -> Plugin:
            return session.host.plugin(ORDERS, PluginConfig(configuration=config), now=session.now)

        session.reconfigure(0, make)
        session.request(Request(), "new")
        new = session.stream("new").request
        assert new is not None and new.get("x-version") == str(version)
        old = session.stream(f"old {version}").request
        assert old is not None and old.get("x-version") == str(version - 1)
        session.abort_client("new")
        session.abort_client(f"old {version}")
    assert len(session.host.chains) == 1 and len(session.host.plugins) == 1


class Resumes:
    """Two streams of one VM: the callout that the second one made lets the first one go."""

    waiting: int | None = None

    def __init__(self, host: HostCalls) -> None:
        self.host = host

    def on_request_headers(self, context: int, count: int, end: bool) -> int:
        path = self.host.get_header_map_value(MapType.HTTP_REQUEST_HEADERS, b":path")
        if path == b"/wait":
            Resumes.waiting = context
            return 4
        if Resumes.waiting is not None:
            self.host.set_effective_context(Resumes.waiting)
            self.host.continue_stream(StreamType.HTTP_REQUEST)
        return 0


def test_a_filter_that_serves_two_chains_speaks_on_streams_of_both() -> None:
    """An event of one chain lets go a stream of the other: the old and the new one share a filter."""
    made = FilterHost(Resumes, start=False)
    host, plugin = made.host, made.plugins[0]
    plugin.handle(Start())
    second = host.chain([plugin])
    headers = ((b":method", b"GET"), (b":path", b"/wait"))
    assert host.feed(made.chain, RequestHeaders(1, headers, True)) == []
    sent = host.feed(second, RequestHeaders(2, ((b":method", b"GET"), (b":path", b"/go")), True))
    assert sorted(getattr(one, "stream", 0) for one in sent) == [1, 2]
    assert made.chain.has(1) and not made.chain.has(2) and second.has(2)
    assert second.take_elsewhere() == []
    host.feed(made.chain, StreamEnd(1))
    host.feed(second, StreamEnd(2))
    host.drop(second)
    with pytest.raises(EmbedderError):
        host.handle(CallFailed("nobody", 4))


def test_a_scenario_file_from_python(engine: str) -> None:
    results = run_scenario(HERE / "redirect.tamis.yaml", engine=engine)
    assert len(results) == 7 and all(result.passed for result in results)


def test_the_fixtures_make_hosts(
    filter_host: Callable[..., FilterHost], filter_session: Callable[..., FilterSession]
) -> None:
    assert filter_host(ORDERS, config="request_headers: reply 418 tea").exchange().status == 418
    session = filter_session(ORDERS, config="")
    session.request(Request(path="/x"))
    request = session.stream().request
    assert request is not None and request.get(":path") == "/x"
