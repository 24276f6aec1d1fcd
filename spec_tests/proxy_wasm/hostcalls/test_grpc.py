"""gRPC calls and streams as a guest sees them (abi_reference 8.9): host calls, callbacks, and what is readable in them.

The guest is `scenarios/filters/grpc_orders.wasm`, which does what its configuration orders; what comes from servers are
events. What real Envoy does of this is in `scenarios/grpc_*.tamis.yaml`.
"""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import (
    CallFailed,
    CancelCall,
    Event,
    GrpcClosed,
    GrpcInitialMetadata,
    GrpcMessage,
    GrpcSent,
    GrpcTimedOut,
    Limits,
    RequestHeaders,
    SendGrpc,
    Shutdown,
    StartGrpcCall,
    StartGrpcStream,
    Status,
    StreamEnd,
)
from hostabi.abi.enums import AbiVersion
from hostabi.core.transcript import Called
from hostabi.testing import FilterHost
from spec_tests.proxy_wasm.grpc_talk import ORDERS, Talk
from spec_tests.proxy_wasm.kit import call, line

READ = """\
grpc_initial: pairs 4
grpc_initial: pairs 5
grpc_receive: read 5 0 max
grpc_receive: pairs 4
grpc_trailing: pairs 5
grpc_trailing: read 5 0 max
grpc_close: status
grpc_close: pairs 5
"""
UNARY = "request_headers: unary up a.B/c 1000 hello\n" + READ
STREAM = "request_headers: stream up a.B/c\n" + READ


def initial(talk: Talk, token: int, *pairs: tuple[bytes, bytes]) -> Event:
    return GrpcInitialMetadata(talk.key, token, pairs)


def message(talk: Talk, token: int, data: bytes) -> Event:
    return GrpcMessage(talk.key, token, data)


def closed(talk: Talk, token: int, status: int = 0, text: bytes = b"", *pairs: tuple[bytes, bytes]) -> Event:
    return GrpcClosed(talk.key, token, status, text, pairs)


# --- unary calls


def test_a_unary_call(engine: str) -> None:
    talk = Talk(engine, UNARY)
    talk.begin()
    assert talk.grpc == [StartGrpcCall("plugin", 5, "up", "a.B", "c", (), "", False, b"hello", 1000)]
    talk.take()
    talk.give(initial(talk, 5, (b"x", b"1")), message(talk, 5, b"answer"))
    assert talk.callbacks() == [], "a message without its status is no answer yet"
    talk.give(closed(talk, 5, 0, b"", (b"grpc-status", b"0")))
    assert talk.callbacks() == ["on_grpc_receive(1, 5, 6)"]
    assert talk.take() == ["read 0 answer", "pairs 0"]
    talk.give(closed(talk, 5), message(talk, 5, b"late"))
    assert talk.callbacks() == []


def test_a_unary_call_that_fails(engine: str) -> None:
    talk = Talk(engine, UNARY)
    talk.begin()
    talk.take()
    talk.give(message(talk, 5, b"unused"), closed(talk, 5, 5, b"no caf%C3%A9%21%", (b"x-t", b"1")))
    assert talk.callbacks() == ["on_grpc_close(1, 5, 5)"]
    assert talk.take() == ["status 0 5 no café!%", "pairs 0"]


def test_a_success_without_a_message_is_a_failure(engine: str) -> None:
    talk = Talk(engine, UNARY)
    talk.begin()
    talk.give(closed(talk, 5, 0, b"fine"))
    assert talk.callbacks() == ["on_grpc_close(1, 5, 13)"]
    assert "status 0 13 " in talk.take()


def test_the_last_message_of_a_unary_call_counts(engine: str) -> None:
    talk = Talk(engine, UNARY)
    talk.begin()
    talk.give(message(talk, 5, b"one"), message(talk, 5, b"two"), closed(talk, 5))
    assert "read 0 two" in talk.take()


def test_a_status_that_is_none(engine: str) -> None:
    """Envoy gives -1 for a grpc-status that cannot be read."""
    talk = Talk(engine, UNARY)
    talk.begin()
    talk.give(closed(talk, 5, -1))
    assert talk.callbacks() == ["on_grpc_close(1, 5, 4294967295)"]


@pytest.mark.parametrize(
    ("profile", "told"),
    [("default", "4 upstream request timeout"), ("envoy", "14 upstream request timeout{response_timeout}")],
)
def test_a_timeout(engine: str, profile: str, told: str) -> None:
    """`grpc_timeout_is_unavailable`, as seen on Envoy 1.40."""
    talk = Talk(engine, UNARY, profile=profile)
    talk.begin()
    talk.give(GrpcTimedOut("plugin", 5))
    assert f"status 0 {told}" in talk.take()


@pytest.mark.parametrize(
    ("text", "profile", "told"),
    [
        (b"caf%C3%A9", "default", "café"),
        (b"caf%C3%A9", "spec", "café"),
        (b"caf%C3%A9", "envoy", "caf%C3%A9{via_upstream}"),
        (b"", "envoy", "via_upstream"),
        (b"", "default", ""),
    ],
)
def test_messages_of_statuses(engine: str, text: bytes, profile: str, told: str) -> None:
    """`grpc_message_is_raw`, as seen on Envoy 1.40."""
    talk = Talk(engine, UNARY, profile=profile)
    talk.begin()
    talk.give(closed(talk, 5, 5, text))
    assert f"status 0 5 {told}" in talk.take()


@pytest.mark.parametrize(("profile", "after"), [("default", "status 0 0 "), ("envoy", "status 0 5 ")])
def test_the_status_after_the_callback(engine: str, profile: str, after: str) -> None:
    """`status_code_stays`, as seen on Envoy 1.40."""
    talk = Talk(engine, UNARY + "request_headers/2: status\n", profile=profile)
    talk.begin()
    talk.give(closed(talk, 5, 5, b"no"))
    talk.take()
    talk.begin()
    assert talk.take()[-1] == after


# --- streams


def test_a_stream(engine: str) -> None:
    talk = Talk(engine, STREAM + "request_headers: send 0 one\nrequest_headers: send 1 two\n")
    talk.begin()
    assert talk.grpc == [
        StartGrpcStream("plugin", 6, "up", "a.B", "c", (), "", False),
        SendGrpc("plugin", 6, b"one", False),
        SendGrpc("plugin", 6, b"two", True),
    ]
    talk.take()
    talk.give(
        initial(talk, 6, (b":status", b"200"), (b"x", b"1")),
        message(talk, 6, b"m0"),
        message(talk, 6, b""),
        closed(talk, 6, 0, b"", (b"grpc-status", b"0"), (b"t", b"2")),
    )
    assert talk.callbacks() == [
        "on_grpc_receive_initial_metadata(1, 6, 2)",
        "on_grpc_receive(1, 6, 2)",
        "on_grpc_receive(1, 6, 0)",
        "on_grpc_receive_trailing_metadata(1, 6, 2)",
        "on_grpc_close(1, 6, 0)",
    ]
    assert talk.take() == [
        *("pairs 0 :status=200 x=1", "pairs 0"),
        *("read 0 m0", "pairs 0", "read 0", "pairs 0"),
        *("pairs 0 grpc-status=0 t=2", "read 0"),
        *("status 0 0 ", "pairs 0"),
    ]


def test_initial_metadata_comes_first_and_once(engine: str) -> None:
    """A server that sends nothing but a status, and one that says twice that it has begun."""
    talk = Talk(engine, STREAM)
    talk.begin()
    talk.give(closed(talk, 6, 12, b"no", (b"grpc-status", b"12")))
    assert talk.callbacks() == [
        "on_grpc_receive_initial_metadata(1, 6, 0)",
        "on_grpc_receive_trailing_metadata(1, 6, 1)",
        "on_grpc_close(1, 6, 12)",
    ]
    talk.begin()
    talk.give(message(talk, 10, b"m"), initial(talk, 10), initial(talk, 10))
    assert talk.callbacks() == ["on_grpc_receive_initial_metadata(1, 10, 0)", "on_grpc_receive(1, 10, 1)"]


def test_half_close(engine: str) -> None:
    talk = Talk(engine, STREAM + "request_headers: end\nrequest_headers: end\nrequest_headers: send 0 late\n")
    talk.begin()
    assert talk.grpc[1:] == [SendGrpc("plugin", 6, None, True)], "the second close and what is sent after it do nothing"
    assert talk.take() == ["stream 0 6", "end 0", "end 0", "send 0"]
    talk.give(message(talk, 6, b"m"), closed(talk, 6))
    assert talk.callbacks()[-1] == "on_grpc_close(1, 6, 0)"
    talk.give(message(talk, 6, b"m"))
    assert talk.callbacks() == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ["send 0", "end 0", "end 1", "send 1", "cancel 1"]),
        ("request_headers/1: end\n", ["send 1", "end 1", "end 1", "send 1", "cancel 1"]),
        ("grpc_close: end\n", ["send 1", "end 1", "end 1", "send 1", "cancel 1"]),
        ("grpc_close: cancel\n", ["send 1", "end 1", "end 1", "send 1", "cancel 1"]),
    ],
)
def test_a_stream_that_the_server_has_closed_is_known_until_the_guest_closes_it(
    engine: str, before: str, after: list[str]
) -> None:
    orders = "".join(f"request_headers/2: {one}\n" for one in ("send 0 x", "end", "end", "send 0 x", "cancel"))
    talk = Talk(engine, "request_headers/1: stream up a.B/c\n" + before + orders)
    talk.begin()
    talk.give(closed(talk, 6))
    talk.take()
    talk.begin()
    assert talk.take() == after
    assert talk.grpc == [], "nobody is told of it"


@pytest.mark.parametrize("where", ["grpc_initial", "grpc_receive", "grpc_trailing"])
def test_nothing_comes_of_a_cancelled_stream(engine: str, where: str) -> None:
    talk = Talk(engine, f"request_headers: stream up a.B/c\n{where}: cancel\n")
    talk.begin()
    talk.give(initial(talk, 6), message(talk, 6, b"m"), message(talk, 6, b"m"), closed(talk, 6))
    assert len(talk.callbacks()) == {"grpc_initial": 1, "grpc_receive": 2, "grpc_trailing": 4}[where]
    assert talk.grpc[-1] == CancelCall("plugin", 6)


def test_messages_within_one_callback_of_another(engine: str) -> None:
    """A call that is made in a callback is begun after it; its answer comes as an event of its own."""
    talk = Talk(engine, STREAM + "grpc_receive/1: unary up a.B/d 0 more\ngrpc_receive/1: read 5 0 max\n")
    talk.begin()
    talk.take()
    made = talk.give(message(talk, 6, b"m"))
    assert made == [StartGrpcCall("plugin", 5, "up", "a.B", "d", (), "", False, b"more", 0)]
    assert talk.take()[2:] == ["read 0 m", "pairs 0", "unary 0 5", "read 0 m"], "the message is there until the end"


# --- tokens


def test_each_kind_of_call_counts_by_itself(engine: str) -> None:
    orders = ["unary up a.B/c 0 x", "stream up a.B/c", "trailed up / 100 t=1", "unary up a.B/c 0 x", "stream up a.B/c"]
    talk = Talk(engine, "".join(f"request_headers: {one}\n" for one in orders))
    talk.begin()
    assert talk.take() == ["unary 0 5", "stream 0 6", "trailed 0 4", "unary 0 9", "stream 0 10"]


@pytest.mark.parametrize(
    ("token", "send", "end", "cancel"),
    [
        (5, 2, 0, 1),  # the unary call: a close of it is a cancel
        (6, 0, 0, 0),
        (9, 2, 1, 1),
        (10, 1, 1, 1),
        (4, 2, 2, 2),  # an HTTP call
        (7, 2, 2, 2),
        (0, 2, 2, 2),
        (0xFFFFFFFF, 2, 2, 2),
    ],
)
def test_tokens(engine: str, token: int, send: int, end: int, cancel: int) -> None:
    orders = ["unary up a.B/c 0 x", "stream up a.B/c", "trailed up / 100 t=1"]
    orders += [f"token {token}", "send 0 x", "end", "cancel"]
    talk = Talk(engine, "".join(f"request_headers: {one}\n" for one in orders))
    talk.begin()
    assert talk.take()[3:] == [f"send {send}", f"end {end}", f"cancel {cancel}"]


def test_a_token_belongs_to_its_plugin(engine: str) -> None:
    """Another root context of the same VM does not hold it."""
    orders = "request_headers/1: stream up a.B/c\nrequest_headers/2: token 6\nrequest_headers/2: cancel\n"
    host = FilterHost(ORDERS, ORDERS, config=orders, engine=engine)
    done = host.exchange()
    assert done.log_lines == ["stream 0 6", "cancel 1"]


# --- which server


SERVICE = [
    (b"up", "up", "", (), False),
    (b"users", "users", "", (), False),  # a message, with an unknown field 14, and a name all the same
    (b"\x0a\x04\x0a\x02up", "up", "", (), False),
    (b"\x0a\x0a\x0a\x02up\x12\x04auth", "up", "auth", (), False),
    (b"\x12\x07\x0a\x05a:123", "a:123", "", (), True),
    (b"\x0a\x04\x0a\x02up\x12\x04\x0a\x02go", "go", "", (), True),
    (b"\x12\x04\x0a\x02go\x0a\x04\x0a\x02up", "up", "", (), False),
    (b"\x0a\x04\x0a\x02up\x1a\x02\x08\x05\x2a\x08\x0a\x03X-a\x12\x011", "up", "", ((b"x-a", b"1"),), False),
    (b"\x0a\x04\x0a\x02up\x2a\x08\x0a\x03x-b\x1a\x01\xff", "up", "", ((b"x-b", b"\xff"),), False),
    (b"\x0a\x04\x0a\x02up\xfa\x07\x01z\x98\x06\x01", "up", "", (), False),
]


@pytest.mark.parametrize(("service", "upstream", "authority", "metadata", "is_address"), SERVICE)
def test_servers(
    engine: str, service: bytes, upstream: str, authority: str, metadata: tuple[Any, ...], is_address: bool
) -> None:
    talk = Talk(engine, f"request_headers: meta x-g=2\nrequest_headers: stream hex:{service.hex()} a.B/c\n")
    talk.begin()
    wanted = StartGrpcStream("plugin", 6, upstream, "a.B", "c", (*metadata, (b"x-g", b"2")), authority, is_address)
    assert talk.grpc == [wanted]


@pytest.mark.parametrize(
    ("server", "status"),
    [
        ("up", Status.OK),
        ("other", Status.PARSE_FAILURE),
        ("envoy:up", Status.OK),
        ("envoy:other", Status.INTERNAL_FAILURE),
        ("envoy:", Status.INTERNAL_FAILURE),
        ("google:anything", Status.OK),
        ("hex:", Status.PARSE_FAILURE),  # a GrpcService without a server: Envoy crashes
        ("hex:1a00", Status.PARSE_FAILURE),
        ("hex:0a", Status.PARSE_FAILURE),
        ("hex:0a040a02ffff", Status.PARSE_FAILURE),
        ("hex:0801", Status.PARSE_FAILURE),
        ("hex:ffffff", Status.PARSE_FAILURE),
    ],
)
@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_servers_that_are_not_there(engine: str, kind: str, server: str, status: Status) -> None:
    rest = " 100 x" if kind == "unary" else ""
    talk = Talk(engine, f"request_headers: {kind} {server} a.B/c{rest}\n", upstreams=frozenset({"up"}))
    talk.begin()
    assert int(talk.take()[0].split()[1]) == status
    assert talk.callbacks() == []


def test_a_start_that_fails_is_told_to_who_wants_it(engine: str) -> None:
    """`grpc_failed_start_is_told`: Envoy closes a call whose token it has not given out; the token is spent."""
    for profile, told in (("default", []), ("envoy", ["on_grpc_close(1, 5, 14)"])):
        orders = "request_headers/1: unary envoy:other a.B/c 100 x\nrequest_headers/2: unary up a.B/c 100 x\n"
        talk = Talk(engine, orders, upstreams=frozenset({"up"}), profile=profile)
        talk.begin()
        assert talk.callbacks() == told
        talk.begin()
        assert talk.take() == ["unary 10 0", "unary 0 9"]


# --- limits


def test_limits_of_numbers_and_sizes(engine: str) -> None:
    orders = ["unary up a.B/c 0 *11", "stream up a.B/c", "send 0 *11", "send 0 *10", "send 0 *5", "send 0 *1"]
    orders += ["unary up a.B/c 0 *10", "unary up a.B/c 0 x", "trailed up / 0 t=1", "stream up a.B/c"]
    limits = Limits(outstanding_calls=2, grpc_message_bytes=10, grpc_queue_bytes=15)
    talk = Talk(engine, "".join(f"request_headers: {one}\n" for one in orders), limits=limits)
    talk.begin()
    assert talk.take() == [
        *("unary 10 0", "stream 0 6", "send 2", "send 0", "send 0", "send 2"),
        *("unary 0 9", "unary 10 0", "trailed 10 0", "stream 10 0"),
    ]


def test_what_has_left_makes_room(engine: str) -> None:
    limits = Limits(grpc_queue_bytes=10)
    talk = Talk(engine, "request_headers/1: stream up a.B/c\nrequest_headers: send 0 *10\n", limits=limits)
    talk.begin()
    talk.begin()
    talk.give(GrpcSent("plugin", 6, 10))
    talk.begin()
    talk.give(GrpcSent("plugin", 6, 99))
    talk.begin()
    assert talk.take() == ["stream 0 6", "send 0", "send 2", "send 0", "send 0"]


@pytest.mark.parametrize(("orders", "token"), [(UNARY, 5), (STREAM, 6)])
def test_a_message_that_is_too_large_ends_the_call(engine: str, orders: str, token: int) -> None:
    talk = Talk(engine, orders, limits=Limits(grpc_message_bytes=10))
    talk.begin()
    talk.take()
    made = talk.give(message(talk, token, b"x" * 10), message(talk, token, b"x" * 11), closed(talk, token))
    assert made == [CancelCall("plugin", token)]
    assert talk.callbacks()[-1] == f"on_grpc_close(1, {token}, 8)"
    assert "status 0 8 a message of 11 bytes is over the limit" in talk.take()


def test_streams_that_the_guest_never_closes_are_forgotten_in_the_end(engine: str) -> None:
    """Nothing of a guest's grows without a limit; the newest of them stay, and none counts as under way."""
    ninth = "".join(f"request_headers/9: {one}\n" for one in ("token 6", "end", "token 34", "end"))
    talk = Talk(engine, "request_headers: stream up a.B/c\n" + ninth, limits=Limits(outstanding_calls=2))
    for i in range(9):
        talk.begin()
        talk.give(closed(talk, 6 + 4 * i))
    assert talk.take()[-3:] == ["stream 0 38", "end 1", "end 0"]


# --- who gets what


def test_answers_come_to_the_root_when_the_stream_is_gone(engine: str) -> None:
    talk = Talk(engine, UNARY + "grpc_receive: effective\n")
    talk.begin()
    talk.give(StreamEnd(1))
    talk.callbacks()
    talk.give(message(talk, 5, b"late"), closed(talk, 5))
    assert talk.callbacks() == ["on_grpc_receive(1, 5, 4)"]
    assert talk.take()[-3:] == ["read 0 late", "pairs 0", "effective 2"], "its context is no more"


def test_what_came_is_readable_from_the_stream_context(engine: str) -> None:
    orders = ["request_headers: unary up a.B/c 0 x", "grpc_receive: effective", "grpc_receive: read 5 0 max"]
    talk = Talk(engine, "\n".join([*orders, "grpc_receive: get 0 :path"]))
    talk.begin()
    talk.give(message(talk, 5, b"m"), closed(talk, 5))
    assert talk.take()[1:] == ["effective 0", "read 0 m", "get 0 /"]


def test_calls_end_with_the_plugin(engine: str) -> None:
    talk = Talk(engine, UNARY + "request_headers: stream up a.B/c\nrequest_headers: trailed up / 0 t=1\n")
    talk.begin()
    talk.give(StreamEnd(1))
    made = talk.give(Shutdown("plugin"))
    assert [one for one in made if isinstance(one, CancelCall)] == [CancelCall("plugin", t) for t in (4, 5, 6)]
    talk.take()
    assert talk.give(closed(talk, 5), closed(talk, 6), CallFailed("plugin", 4)) == []


def test_calls_end_with_the_vm(engine: str) -> None:
    talk = Talk(engine, UNARY + "request_headers: trailed up / 0 t=1\ngrpc_receive: trap\n")
    talk.begin()
    talk.begin()
    made = talk.give(message(talk, 5, b"m"), closed(talk, 5))
    assert [one for one in made if isinstance(one, CancelCall)] == [CancelCall("plugin", t) for t in (4, 8, 9)]
    talk.callbacks()
    talk.give(message(talk, 9, b"m"), closed(talk, 9))
    assert talk.callbacks() == []


def test_maps_of_a_call_are_read_only(engine: str) -> None:
    first = "".join(
        f"grpc_initial: {one}\n" for one in ("get 4 x", "get 4 y", "set 4 x 2", "size 4", "get 5 x", "length 5")
    )
    then = "grpc_receive: length 5\ngrpc_receive: write 5 0 0 x\n"
    talk = Talk(engine, "request_headers: stream up a.B/c\n" + first + then)
    talk.begin()
    talk.give(initial(talk, 6, (b"x", b"1")), message(talk, 6, b"hello"))
    assert talk.take()[1:] == ["get 0 1", "get 1", "set 2", "size 0 2", "get 2", "length 0 0", "length 0 5", "write 2"]


@pytest.mark.parametrize("abi", list(AbiVersion))
@pytest.mark.parametrize("short", [False, True])
def test_both_spellings(engine: str, abi: AbiVersion, short: bool) -> None:
    """The AssemblyScript SDK imports both calls without initial metadata."""
    types = {"proxy_grpc_call": 10 if short else 12, "proxy_grpc_stream": 7 if short else 9}
    imports = "".join(
        f'(import "env" "{name}" (func ${name} (param {"i32 " * count}) (result i32)))' for name, count in types.items()
    )
    where = "(i32.const 0) (i32.const 2) (i32.const 2) (i32.const 1) (i32.const 3) (i32.const 1)"
    meta = "" if short else "(i32.const 32) (i32.const 16)"
    end = "" if abi is AbiVersion.V0_1_0 else "i32"
    text = f"""(module {imports} (memory (export "memory") 1)
      (data (i32.const 0) "upsm") (data (i32.const 32) "\\01\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00a\\00b\\00")
      (func (export "{abi.marker}")) (func (export "malloc") (param i32) (result i32) (i32.const 0))
      (func (export "proxy_on_request_headers") (param i32 i32 {end}) (result i32)
        (drop (call $proxy_grpc_call {where} {meta} (i32.const 3) (i32.const 1) (i32.const 7) (i32.const 100)))
        (drop (call $proxy_grpc_stream {where} {meta} (i32.const 104))) (i32.const 0)))"""
    host = FilterHost(text, engine=engine)
    made = host.chain.handle(RequestHeaders(1, ((b":path", b"/"),), True))
    metadata = () if short else ((b"a", b"b"),)
    starts = [one for one in made if isinstance(one, StartGrpcCall | StartGrpcStream)]
    assert [(one.upstream, one.path, one.metadata) for one in starts] == [("up", "/s/m", metadata)] * 2
    memory = host.plugins[0].vm.guest.memory
    assert [memory.read(at, 4)[0] for at in (100, 104)] == [5, 6]


@pytest.mark.parametrize("name", ["proxy_grpc_call", "proxy_grpc_stream"])
def test_the_token_cell_is_tried_before_the_call(engine: str, name: str) -> None:
    values: tuple[Any, ...] = (b"up", b"s", b"m", ()) + ((b"x", 0) if name == "proxy_grpc_call" else ())
    got = call(engine, name, *values, 65533)
    assert got.status is Status.INVALID_MEMORY_ACCESS
    assert not [one for one in got.exchange.commands if isinstance(one, StartGrpcCall | StartGrpcStream)]


def test_a_transcript_holds_bytes_and_numbers(engine: str) -> None:
    talk = Talk(engine, UNARY)
    talk.begin()
    records = [one for one in talk.filter_host.host.transcript if isinstance(one, Called) and "grpc" in one.function]
    assert [line(one) for one in records] == [
        "  proxy_grpc_call(service='up', service_name='a.B', method='c', initial_metadata=(), message='hello', "
        "timeout_ms=1000) = 0 5"
    ]
    for _, value in records[0].args:
        assert isinstance(value, bytes | int | tuple)
