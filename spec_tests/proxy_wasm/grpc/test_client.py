"""The gRPC client on h2: against a real server (grpcio), and against servers that break the rules."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hostabi import CancelCall, Event, GrpcClosed, GrpcInitialMetadata, GrpcMessage, GrpcSent, GrpcTimedOut
from hostabi.abi.codec import HeaderPairs
from hostabi.core.commands import SendGrpc, StartGrpcCall, StartGrpcStream
from spec_tests.proxy_wasm.grpc.servers import Address, grpc_server, strange_server

pytest.importorskip("h2", reason="h2 is not installed (the extra grpc)")

from hostabi.adapters.grpc_network import GrpcNetwork

PATIENCE = 10.0


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    pytest.importorskip("grpc", reason="grpcio is not installed (the extra test)")
    with grpc_server() as (address, _):
        yield address


def unary(method: str, message: bytes, timeout_ms: int = 5000, metadata: HeaderPairs = (), token: int = 5) -> Any:
    return StartGrpcCall("p", token, "up", "a.B", method, metadata, "", False, message, timeout_ms)


def stream(method: str, token: int = 6) -> Any:
    return StartGrpcStream("p", token, "up", "a.B", method, (), "", False)


def wait_for(network: GrpcNetwork, many: int = 1) -> list[Event]:
    """What comes until so many calls are over; what was sent is left out."""
    found: list[Event] = []
    until = time.monotonic() + PATIENCE
    while sum(isinstance(one, GrpcClosed | GrpcTimedOut) for one in found) < many:
        assert time.monotonic() < until, found
        found += [one for one in network.poll(0.5) if not isinstance(one, GrpcSent)]
    return found


def ask(address: Address, command: Any, *sends: tuple[bytes | None, bool], **options: Any) -> list[Event]:
    with GrpcNetwork({"up": address}, **options) as network:
        assert network.takes(command)
        network.carry_out(command)
        for message, end in sends:
            network.carry_out(SendGrpc("p", command.token, message, end))
        found = wait_for(network)
        assert not network.busy
        return found


def closed(events: list[Event]) -> tuple[int, bytes]:
    last = events[-1]
    assert isinstance(last, GrpcClosed)
    return last.status, last.message


def messages(events: list[Event]) -> list[bytes]:
    return [one.message for one in events if isinstance(one, GrpcMessage)]


# --- a real server


def test_unary(server: Address) -> None:
    first, message, last = ask(server, unary("echo", b"hello"))
    assert isinstance(first, GrpcInitialMetadata) and isinstance(last, GrpcClosed)
    assert {(b":status", b"200"), (b"content-type", b"application/grpc"), (b"x-init", b"i1")} <= set(first.metadata)
    assert message == GrpcMessage("p", 5, b"echo:hello")
    assert last.status == 0
    assert {(b"grpc-status", b"0"), (b"x-trail", b"t1"), (b"x-bin", b"AP8")} <= set(last.metadata)


def test_a_failure_with_a_message(server: Address) -> None:
    found = ask(server, unary("fail", b""))
    assert closed(found) == (5, b"no caf%C3%A9 50%25")


def test_a_method_that_is_not_there(server: Address) -> None:
    """The server sends nothing but a status."""
    (only,) = ask(server, unary("none", b""))
    assert isinstance(only, GrpcClosed) and only.status == 12
    assert (b":status", b"200") in only.metadata and (b"grpc-status", b"12") in only.metadata


def test_metadata_and_deadline(server: Address) -> None:
    metadata = ((b"x-a", b"1"), (b"x-a", b"2"), (b":path", b"/no"), (b"te", b"no"), (b"grpc-timeout", b"1n"))
    said = messages(ask(server, unary("meta", b"", 5000, metadata)))[0].decode().split("\n")
    assert [line for line in said if line.startswith("x-")] == ["x-a=1", "x-a=2"]
    assert said[-1] == "deadline"
    assert messages(ask(server, unary("meta", b"", 0)))[0].endswith(b"no deadline")


def test_the_time_of_a_call(server: Address) -> None:
    """Either side may be the first to see it: the server says DEADLINE_EXCEEDED, which is what a time-out becomes."""
    began = time.monotonic()
    (only,) = ask(server, unary("slow", b"", 100))
    assert time.monotonic() - began < 0.9
    assert isinstance(only, GrpcTimedOut) or (isinstance(only, GrpcClosed) and only.status == 4)


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 << 20])
def test_large_messages_both_ways(server: Address, size: int) -> None:
    """More than any window: the answer to what is sent comes when all of it has gone."""
    assert messages(ask(server, unary("echo", b"x" * size))) == [b"echo:" + b"x" * size]
    assert messages(ask(server, unary("large", b"%d" % size))) == [b"x" * size]


def test_a_huge_message(server: Address) -> None:
    """As much as the limit lets through, in both directions; the time is not that of its square."""
    size = 12 << 20
    began = time.monotonic()
    found = ask(server, unary("echo", b"x" * size, 60_000), most_message_bytes=16 << 20)
    assert messages(found) == [b"echo:" + b"x" * size]
    assert time.monotonic() - began < PATIENCE


def test_a_message_that_is_too_large(server: Address) -> None:
    found = ask(server, unary("large", b"1001"), most_message_bytes=1000)
    assert closed(found) == (8, b"a message of 1001 bytes, and 1000 are the most")
    assert messages(ask(server, unary("large", b"1000"), most_message_bytes=1000)) == [b"x" * 1000]


def test_server_stream(server: Address) -> None:
    found = ask(server, stream("count"), (b"5", True))
    assert isinstance(found[0], GrpcInitialMetadata)
    assert messages(found) == [b"m0", b"m1", b"m2", b"m3", b"m4"]
    assert closed(found)[0] == 0


def test_client_stream(server: Address) -> None:
    found = ask(server, stream("join"), (b"a", False), (b"", False), (b"c", False), (None, True))
    assert messages(found) == [b"a++c"]


def test_bidirectional_stream(server: Address) -> None:
    """One message after the answer to the one before it."""
    with GrpcNetwork({"up": server}) as network:
        network.carry_out(stream("bidi"))
        for word in (b"one", b"two"):
            network.carry_out(SendGrpc("p", 6, word, False))
            found: list[Event] = []
            while not messages(found):
                found += network.poll(PATIENCE)
            assert messages(found) == [b"echo:" + word]
            assert GrpcSent("p", 6, 3) in found
        network.carry_out(SendGrpc("p", 6, None, True))
        assert closed(wait_for(network)) == (0, b"")


def test_a_server_that_has_had_enough(server: Address) -> None:
    found = ask(server, stream("enough"), (b"a", False))
    assert messages(found) == [b"one"]
    assert closed(found) == (10, b"enough")


def test_cancel(server: Address) -> None:
    """A stream that would never end: nothing more comes of it, and the connection goes on."""
    with GrpcNetwork({"up": server}) as network:
        network.carry_out(stream("forever"))
        network.carry_out(SendGrpc("p", 6, b"", True))
        found: list[Event] = []
        while not messages(found):
            found += network.poll(PATIENCE)
        network.carry_out(CancelCall("p", 6))
        network.carry_out(CancelCall("p", 6))
        network.carry_out(SendGrpc("p", 6, b"late", False))
        assert network.poll(0.1) == [] and not network.busy
        network.carry_out(unary("echo", b"x"))
        assert messages(wait_for(network)) == [b"echo:x"]
        assert len(network._links) == 1


def test_many_calls_at_once(server: Address) -> None:
    """More than a server takes at once wait for their turn; each gets its own answer."""
    with GrpcNetwork({"up": server}) as network:
        for i in range(150):
            network.carry_out(unary("echo", b"%d" % i, token=4 * i + 1))
        found = wait_for(network, 150)
        answers = {one.token: one.message for one in found if isinstance(one, GrpcMessage)}
        assert answers == {4 * i + 1: b"echo:%d" % i for i in range(150)}


def test_a_server_that_goes_away() -> None:
    pytest.importorskip("grpc")
    with grpc_server() as (address, server), GrpcNetwork({"up": address}) as network:
        network.carry_out(stream("bidi"))
        network.carry_out(SendGrpc("p", 6, b"x", False))
        found: list[Event] = []
        while not messages(found):
            found += network.poll(PATIENCE)
        server.stop(0)
        assert closed(wait_for(network))[0] in (1, 14)
        network.carry_out(unary("echo", b"x"))
        assert closed(wait_for(network))[0] == 14


def test_a_graceful_end() -> None:
    """GOAWAY: the call that is under way is answered, and the next one finds another server."""
    pytest.importorskip("grpc")
    with grpc_server() as (address, server), GrpcNetwork({"up": address}) as network:
        network.carry_out(unary("slow", b"", 5000))
        for _ in range(5):
            network.poll(0.1)
            time.sleep(0.05)  # so that the method has begun
        server.stop(5)
        assert messages(wait_for(network)) == [b"late"]


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    (only,) = ask(address, unary("echo", b"x"))
    assert isinstance(only, GrpcClosed) and only.status == 14 and only.message.startswith(b"upstream connect error")


def test_calls_to_others_are_not_taken() -> None:
    with GrpcNetwork({"other": ("127.0.0.1", 1)}) as network:
        assert not network.takes(unary("echo", b""))
        network.carry_out(CancelCall("p", 5))
        assert network.poll(0) == [] and not network.busy


# --- servers that break the rules

HEAD = [(":status", "200"), ("content-type", "application/grpc")]


def strange(*steps: Any) -> Any:
    """A script: each step gets (connection, stream) when a request has come."""

    def script(connection: Any, event: Any, client: socket.socket) -> None:
        if type(event).__name__ == "RequestReceived":
            for step in steps:
                step(connection, event.stream_id)

    return script


def headers(*pairs: tuple[str, str], end: bool = False) -> Any:
    return lambda connection, stream_id: connection.send_headers(stream_id, list(pairs), end_stream=end)


def data(content: bytes, end: bool = False) -> Any:
    return lambda connection, stream_id: connection.send_data(stream_id, content, end_stream=end)


def reset(code: int) -> Any:
    return lambda connection, stream_id: connection.reset_stream(stream_id, code)


@pytest.mark.parametrize(
    ("steps", "status", "text"),
    [
        ([headers((":status", "503"), ("content-type", "text/plain")), data(b"x", True)], 14, b"HTTP status 503"),
        ([headers((":status", "404"), end=True)], 12, b"HTTP status 404"),
        ([headers((":status", "403"), ("grpc-status", "9"), end=True)], 9, b""),
        ([headers((":status", "200"), ("content-type", "text/html")), data(b"x", True)], 2, b"the answer is no gRPC"),
        ([headers(*HEAD), data(b"", True)], 2, b"the stream ended without a status"),
        ([headers(*HEAD), headers(("x", "1"), end=True)], 2, b""),
        ([headers(*HEAD), headers(("grpc-status", "x"), end=True)], -1, b""),
        ([headers(*HEAD), headers(("grpc-status", "99"), end=True)], 99, b""),
        ([headers(*HEAD), data(b"\x01\0\0\0\x01x")], 13, b"a compressed message, and none was asked for"),
        ([headers(*HEAD), data(b"\0\xff\xff\xff\xff")], 8, b"a message of 4294967295 bytes, and 4194304 are the most"),
        (
            [headers(*HEAD), data(b"\0\0\0\0\x05x"), headers(("grpc-status", "0"), end=True)],
            13,
            b"the stream ended within a message",
        ),
        ([reset(8)], 1, b"stream reset by the server%2C error code 8"),
        ([reset(7)], 14, b"stream reset by the server%2C error code 7"),
        ([reset(11)], 8, b"stream reset by the server%2C error code 11"),
        ([reset(12)], 7, b"stream reset by the server%2C error code 12"),
        ([reset(0)], 13, b"stream reset by the server%2C error code 0"),
        ([reset(77)], 13, b"stream reset by the server%2C error code 77"),
        ([headers(*HEAD), reset(2)], 13, b"stream reset by the server%2C error code 2"),
    ],
)
def test_what_servers_do_wrong(steps: list[Any], status: int, text: bytes) -> None:
    with strange_server(strange(*steps)) as address:
        found = ask(address, unary("m", b"x"))
        assert closed(found) == (status, text.replace(b"%2C", b","))


def test_a_server_that_hangs_up() -> None:
    def script(connection: Any, event: Any, client: socket.socket) -> None:
        if type(event).__name__ == "RequestReceived":
            client.shutdown(socket.SHUT_RDWR)

    with strange_server(script) as address:
        assert closed(ask(address, unary("m", b"x"))) == (14, b"connection termination")


@pytest.mark.parametrize(("code", "first"), [(0, (0, b"")), (11, (14, b"the server goes away, error code 11"))])
def test_a_server_that_goes_away_in_order(code: int, first: tuple[int, bytes]) -> None:
    """GOAWAY names the last call that it will answer; with an error it answers none. Later ones are sent elsewhere."""
    seen: list[int] = []

    def script(connection: Any, event: Any, client: socket.socket) -> None:
        if type(event).__name__ != "StreamEnded":
            return
        seen.append(event.stream_id)
        if len(seen) == 2:
            # By hand, since h2 sends nothing behind a GOAWAY of its own.
            connection.send_headers(1, HEAD)
            connection.send_headers(1, [("grpc-status", "0")], end_stream=True)
            answer = connection.data_to_send()
            client.sendall(b"\0\0\x08\x07\0\0\0\0\0" + (1).to_bytes(4, "big") + code.to_bytes(4, "big") + answer)
        elif len(seen) > 2:
            connection.send_headers(event.stream_id, [*HEAD, ("grpc-status", "7")], end_stream=True)

    with strange_server(script) as address, GrpcNetwork({"up": address}) as network:
        network.carry_out(unary("m", b"x"))
        network.carry_out(unary("m", b"y", token=9))
        ends = {one.token: one for one in wait_for(network, 2) if isinstance(one, GrpcClosed)}
        assert (ends[5].status, ends[5].message) == first
        assert (ends[9].status, ends[9].message) == (14, b"the server goes away, error code %d" % code)
        network.carry_out(unary("m", b"z", token=13))
        assert closed(wait_for(network))[0] == 7


def test_a_server_that_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, GrpcNetwork({"up": listener.getsockname()}) as network:
        network.carry_out(unary("m", b"x"))
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            assert closed(wait_for(network))[0] == 13


def test_a_server_that_takes_one_call_at_a_time_in_small_pieces() -> None:
    """Windows and numbers of streams are the server's to choose."""
    import h2.settings

    seen: dict[int, int] = {}

    def script(connection: Any, event: Any, client: socket.socket) -> None:
        kind = type(event).__name__
        if kind == "RemoteSettingsChanged":
            codes = h2.settings.SettingCodes
            connection.update_settings({codes.MAX_CONCURRENT_STREAMS: 1, codes.INITIAL_WINDOW_SIZE: 10})
        elif kind == "DataReceived":
            seen[event.stream_id] = seen.get(event.stream_id, 0) + len(event.data)
            if event.flow_controlled_length:
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif kind == "StreamEnded":
            connection.send_headers(event.stream_id, HEAD)
            connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)

    with strange_server(script) as address, GrpcNetwork({"up": address}) as network:
        network.carry_out(unary("m", b"x" * 100))
        network.poll(0.1)
        network.carry_out(unary("m", b"x" * 100, token=9))
        wait_for(network, 2)
        assert list(seen.values()) == [105, 105]


def test_metadata_that_cannot_be_sent() -> None:
    with strange_server(strange()) as address:
        found = ask(address, unary("m", b"x", metadata=((b"bad name", b"\r\n"),)))
        assert closed(found)[0] == 13
