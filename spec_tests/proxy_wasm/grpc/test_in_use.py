"""gRPC calls of a filter where users meet them: FilterHost, FilterSession, and `tamis run` with a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from hostabi.cli import cli
from hostabi.testing import Answer, FilterHost, FilterSession, GrpcAnswer, Outcome, Request, SessionError
from spec_tests.proxy_wasm.grpc.servers import Address, grpc_server
from spec_tests.proxy_wasm.grpc_talk import ORDERS

UNARY = "request_headers: unary up a.B/echo 1000 hello\ngrpc_receive: read 5 0 max\ngrpc_close: status\n"
HELD = (
    UNARY + "request_headers: return 4\ngrpc_receive: effective\ngrpc_receive: continue 0\n"
    "grpc_close: effective\ngrpc_close: continue 0\n"
)
BIDI = """\
request_headers: stream up a.B/bidi
request_headers: send 0 one
grpc_receive: read 5 0 max
grpc_receive/1: send 1 two
grpc_close: status
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    pytest.importorskip("h2", reason="h2 is not installed (the extra grpc)")
    pytest.importorskip("grpc", reason="grpcio is not installed (the extra test)")
    with grpc_server() as (address, _):
        yield address


# --- answers that are given


def test_answers_by_cluster(engine: str) -> None:
    done = FilterHost(ORDERS, config=HELD, engine=engine, calls={"up": GrpcAnswer([b"fine"])}).exchange()
    assert done.log_lines == ["unary 0 5", "read 0 fine", "effective 0", "continue 0"]
    assert done.status == 200


@pytest.mark.parametrize("calls", [{}, {"up": Answer(200)}, {"other": GrpcAnswer()}])
def test_calls_without_an_answer_fail(engine: str, calls: dict[str, Answer | GrpcAnswer]) -> None:
    """An HTTP answer is none."""
    done = FilterHost(ORDERS, config=HELD, engine=engine, calls=calls).exchange()
    assert done.log_lines[1].startswith("status 0 14 upstream connect error")
    assert done.status == 200


def test_a_session_answers_a_stream_in_parts(engine: str) -> None:
    session = FilterSession(ORDERS, config=BIDI, engine=engine)
    session.request(Request())
    session.callout("up", GrpcAnswer(["a"], end=False))
    session.callout("up", GrpcAnswer(["b"], end=False))
    assert session.logs == ["stream 0 6", "send 0", "read 0 a", "send 0", "read 0 b"]
    session.callout("up", GrpcAnswer(status=10, message="enough"))
    assert session.logs[-1] == "status 0 10 enough"
    assert session.waiting == []


def test_answers_given_beforehand_come_one_after_another(engine: str) -> None:
    session = FilterSession(ORDERS, config=BIDI, engine=engine)
    session.callout("up", GrpcAnswer(["a"], end=False))
    session.callout("up", Answer(500))
    session.callout("up", GrpcAnswer(["b"]))
    session.request(Request())
    assert session.logs[2:] == ["read 0 a", "send 0", "read 0 b", "status 0 0 "]
    assert len(session.rules) == 1, "the HTTP answer waits for an HTTP call"


def test_a_held_answer(engine: str) -> None:
    session = FilterSession(ORDERS, config=BIDI, engine=engine)
    session.request(Request())
    session.callout("up", GrpcAnswer(["a"], end=False), hold="later")
    assert session.logs[2:] == []
    session.release("later")
    assert session.logs[2:] == ["read 0 a", "send 0"]


def test_a_stream_has_no_timeout(engine: str) -> None:
    session = FilterSession(ORDERS, config=BIDI, engine=engine)
    session.request(Request())
    session.callout("up", Outcome.TIMEOUT)
    assert len(session.waiting) == len(session.rules) == 1
    with pytest.raises(SessionError):
        session.release("nothing")


# --- a real server


def test_a_real_server(engine: str, server: Address) -> None:
    from hostabi.testing import GrpcNetwork

    with GrpcNetwork({"up": server}) as network:
        host = FilterHost(ORDERS, config=HELD, engine=engine, network=network)
        assert host.exchange().log_lines == ["unary 0 5", "read 0 echo:hello", "effective 0", "continue 0"]
        host = FilterHost(ORDERS, config=BIDI, engine=engine, network=network)
        done = host.exchange()
        assert done.log_lines == [
            *("stream 0 6", "send 0", "read 0 echo:one", "send 0"),
            *("read 0 echo:two", "status 0 0 "),
        ]


def test_a_session_listens(engine: str, server: Address) -> None:
    from hostabi.testing import GrpcNetwork

    orders = "request_headers: stream up a.B/forever\nrequest_headers: send 1 x\ngrpc_receive/3: cancel\n"
    with GrpcNetwork({"up": server}) as network:
        session = FilterSession(ORDERS, config=orders, engine=engine, network=network)
        session.request(Request())
        while session.online:
            assert session.listen(10)
        assert session.logs == ["stream 0 6", "send 0", "cancel 0"]


# --- the command line


def run(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["run", str(ORDERS), *args])
    return done.exit_code, done.output


def test_run_with_an_answer() -> None:
    code, text = run("--config", UNARY, "--grpc-response", "up=OK:fine")
    assert code == 0
    assert "gRPC call /a.B/echo to up (token 5), answered with OK" in text
    assert "read 0 fine" in text
    _, text = run("--config", UNARY, "--grpc-response", "up=NOT_FOUND:no such user")
    assert "status 0 5 no such user" in text
    _, text = run("--config", UNARY, "--grpc-response", "up=5")
    assert "answered with NOT_FOUND" in text
    _, text = run("--config", UNARY)
    assert "failed, for want of a --grpc-response or --grpc-cluster" in text


def test_run_with_a_server(server: Address) -> None:
    code, text = run("--config", BIDI, "--grpc-cluster", f"up={server[0]}:{server[1]}", "--json")
    assert code == 0
    (call,) = json.loads(text)["calls"]
    assert call == {
        "upstream": "up",
        "service": "a.B",
        "method": "bidi",
        "metadata": [],
        "messages": [{"body": "one"}, {"body": "two"}],
        "ended": True,
        "cancelled": False,
        "timeout_ms": None,
    }


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--grpc-response", "up"),
        ("--grpc-response", "up=FINE"),
        ("--grpc-cluster", "up"),
        ("--grpc-cluster", "up=host"),
        ("--grpc-cluster", "up=host:0"),
        ("--grpc-cluster", "up=:80"),
        ("--grpc-cluster", "=host:80"),
    ],
)
def test_wrong_options(option: str, value: str) -> None:
    code, text = run(option, value)
    assert code == 2
    assert "is not" in text
