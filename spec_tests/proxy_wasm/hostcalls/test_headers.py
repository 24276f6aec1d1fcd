"""Header maps, cell by cell of the table in abi_reference 8.6."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import Limits, MapType, Status
from hostabi.abi.enums import AbiVersion
from spec_tests.proxy_wasm.kit import call, expression

REQUEST, RESPONSE = MapType.HTTP_REQUEST_HEADERS, MapType.HTTP_RESPONSE_HEADERS
SENT: dict[str, Any] = {"headers": [("A", "1"), ("b", "2"), ("a", "3"), ("Empty", "")]}
OWN = ((b":authority", b"localhost"), (b":path", b"/"), (b":method", b"GET"), (b":scheme", b"http"))
GIVEN = ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"empty", b""))


def after(got: Any) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(pair for pair in got.exchange.request.headers if not pair[0].startswith(b":"))


# --- the map is there


def test_pairs_in_order_lower_case_with_duplicates(engine: str) -> None:
    got = call(engine, "proxy_get_header_map_pairs", REQUEST, **SENT)
    assert (got.status, got.output) == (Status.OK, OWN + GIVEN)


@pytest.mark.parametrize(("key", "value"), [(b"b", b"2"), (b"A", b"1"), (b"empty", b""), (b":path", b"/")])
def test_value_is_the_first_of_its_name(engine: str, key: bytes, value: bytes) -> None:
    got = call(engine, "proxy_get_header_map_value", REQUEST, key, **SENT)
    assert (got.status, got.output) == (Status.OK, value)


def test_value_of_an_absent_key(engine: str) -> None:
    assert call(engine, "proxy_get_header_map_value", REQUEST, b"none", **SENT).status is Status.NOT_FOUND
    old = call(engine, "proxy_get_header_map_value", REQUEST, b"none", abi=AbiVersion.V0_1_0, **SENT)
    assert (old.status, old.output) == (Status.OK, b"")


def test_add_appends(engine: str) -> None:
    got = call(engine, "proxy_add_header_map_value", REQUEST, b"B", b"x", **SENT)
    assert (got.status, after(got)) == (Status.OK, (*GIVEN, (b"b", b"x")))


def test_replace_leaves_one(engine: str) -> None:
    got = call(engine, "proxy_replace_header_map_value", REQUEST, b"A", b"x", **SENT)
    assert (got.status, after(got)) == (Status.OK, ((b"a", b"x"), (b"b", b"2"), (b"empty", b"")))


def test_replace_creates(engine: str) -> None:
    got = call(engine, "proxy_replace_header_map_value", REQUEST, b"c", b"x", **SENT)
    assert (got.status, after(got)) == (Status.OK, (*GIVEN, (b"c", b"x")))


def test_remove_drops_all_of_a_name(engine: str) -> None:
    got = call(engine, "proxy_remove_header_map_value", REQUEST, b"A", **SENT)
    assert (got.status, after(got)) == (Status.OK, ((b"b", b"2"), (b"empty", b"")))


def test_remove_of_an_absent_name_is_ok(engine: str) -> None:
    got = call(engine, "proxy_remove_header_map_value", REQUEST, b"none", **SENT)
    assert (got.status, after(got)) == (Status.OK, GIVEN)


def test_set_pairs_replaces_everything(engine: str) -> None:
    got = call(engine, "proxy_set_header_map_pairs", REQUEST, ((b":path", b"/x"), (b"Q", b"1"), (b"q", b"2")), **SENT)
    assert got.status is Status.OK
    assert got.exchange.request and got.exchange.request.headers == ((b":path", b"/x"), (b"q", b"1"), (b"q", b"2"))


def test_size_is_the_sum_of_names_and_values(engine: str) -> None:
    assert call(engine, "proxy_get_header_map_size", REQUEST, **SENT).output == sum(
        len(k) + len(v) for k, v in OWN + GIVEN
    )


def test_size_in_the_specification_is_that_of_the_serialized_map(engine: str) -> None:
    got = call(engine, "proxy_get_header_map_size", REQUEST, host={"profile": "spec"}, **SENT)
    assert got.output == 4 + sum(10 + len(k) + len(v) for k, v in OWN + GIVEN)


def test_response_headers(engine: str) -> None:
    got = call(
        engine,
        "proxy_add_header_map_value",
        RESPONSE,
        b"x",
        b"y",
        during="proxy_on_response_headers",
        response_headers={"Server": "s"},
    )
    assert got.exchange.response
    assert got.exchange.response.headers == ((b":status", b"200"), (b"server", b"s"), (b"x", b"y"))


def test_request_headers_can_still_be_written_in_the_response_phase(engine: str) -> None:
    got = call(engine, "proxy_add_header_map_value", REQUEST, b"x", b"y", during="proxy_on_response_headers")
    assert got.status is Status.OK


@pytest.mark.parametrize(("profile", "status"), [("default", Status.OK), ("envoy", Status.BAD_ARGUMENT)])
def test_headers_that_have_gone_on(engine: str, profile: str, status: Status) -> None:
    """Envoy 1.40 takes headers away once their callback has continued, and shows them again to the log (seen)."""
    host = {"profile": profile}
    during = {"during": "proxy_on_request_body", "body": "x", "host": host}
    assert call(engine, "proxy_get_header_map_value", REQUEST, b":path", **during).status is status
    during = {"during": "proxy_on_response_body", "response_body": "x", "host": host}
    assert call(engine, "proxy_get_header_map_value", RESPONSE, b":status", **during).status is status
    assert call(engine, "proxy_get_header_map_value", REQUEST, b":path", **LOG, host=host).status is Status.OK


def test_trailers(engine: str) -> None:
    got = call(
        engine,
        "proxy_add_header_map_value",
        MapType.HTTP_REQUEST_TRAILERS,
        b"x",
        b"y",
        during="proxy_on_request_trailers",
        trailers={"T": "1"},
    )
    assert got.exchange.request and got.exchange.request.trailers == ((b"t", b"1"), (b"x", b"y"))


@pytest.mark.parametrize(
    ("kind", "callback", "side"),
    [
        (MapType.HTTP_REQUEST_TRAILERS, "proxy_on_request_body", "request"),
        (MapType.HTTP_RESPONSE_TRAILERS, "proxy_on_response_body", "response"),
    ],
)
def test_trailers_are_made_at_the_end_of_the_body(engine: str, kind: MapType, callback: str, side: str) -> None:
    got = call(
        engine, "proxy_add_header_map_value", kind, b"x", b"y", during=callback, body="req", response_body="resp"
    )
    message = getattr(got.exchange, side)
    assert got.status is Status.OK
    assert (message.trailers, message.complete) == (((b"x", b"y"),), True)


def test_trailers_are_not_there_before(engine: str) -> None:
    got = call(engine, "proxy_add_header_map_value", MapType.HTTP_REQUEST_TRAILERS, b"x", b"y", body="b")
    assert got.status is Status.BAD_ARGUMENT


# --- the map is not there now

ABSENT = MapType.HTTP_RESPONSE_HEADERS


def test_pairs_of_an_absent_map_are_none(engine: str) -> None:
    got = call(engine, "proxy_get_header_map_pairs", ABSENT)
    assert (got.status, got.output) == (Status.OK, ())
    assert call(engine, "proxy_get_header_map_pairs", ABSENT, host={"profile": "spec"}).status is Status.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("proxy_get_header_map_value", (b"k",)),
        ("proxy_add_header_map_value", (b"k", b"v")),
        ("proxy_replace_header_map_value", (b"k", b"v")),
        ("proxy_remove_header_map_value", (b"k",)),
        ("proxy_set_header_map_pairs", (((b"k", b"v"),),)),
        ("proxy_get_header_map_size", ()),
    ],
)
def test_an_absent_map_is_a_bad_argument(engine: str, name: str, values: tuple[Any, ...]) -> None:
    assert call(engine, name, ABSENT, *values).status is Status.BAD_ARGUMENT


@pytest.mark.parametrize("kind", [8, 0xFFFFFFFF])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("proxy_get_header_map_pairs", ()),
        ("proxy_get_header_map_value", (b"k",)),
        ("proxy_add_header_map_value", (b"k", b"v")),
        ("proxy_replace_header_map_value", (b"k", b"v")),
        ("proxy_remove_header_map_value", (b"k",)),
        ("proxy_set_header_map_pairs", (((b"k", b"v"),),)),
        ("proxy_get_header_map_size", ()),
    ],
)
def test_a_map_type_out_of_range(engine: str, name: str, values: tuple[Any, ...], kind: int) -> None:
    assert call(engine, name, kind, *values).status is Status.BAD_ARGUMENT


# --- the log phase

LOG: dict[str, Any] = {
    "during": "proxy_on_log",
    "trailers": {"rt": "1"},
    "response_trailers": {"t": "1"},
    "response_body": "b",
}


@pytest.mark.parametrize(
    ("kind", "key", "status"),
    [
        (REQUEST, b":path", Status.OK),
        (RESPONSE, b":status", Status.OK),
        (MapType.HTTP_RESPONSE_TRAILERS, b"t", Status.OK),
        (MapType.HTTP_REQUEST_TRAILERS, b"rt", Status.NOT_FOUND),
        (RESPONSE, b"none", Status.NOT_FOUND),
    ],
)
def test_maps_in_the_log_phase(engine: str, kind: MapType, key: bytes, status: Status) -> None:
    assert call(engine, "proxy_get_header_map_value", kind, key, **LOG).status is status


def test_maps_in_the_log_phase_cannot_be_changed(engine: str) -> None:
    assert call(engine, "proxy_add_header_map_value", REQUEST, b"k", b"v", **LOG).status is Status.BAD_ARGUMENT
    assert call(engine, "proxy_set_header_map_pairs", RESPONSE, (), **LOG).status is Status.BAD_ARGUMENT


# --- maps that cannot be read, and limits


def blob(engine: str, data: bytes, profile: str) -> Any:
    """set_pairs with raw bytes in place of a map."""
    raw = [REQUEST, 2048, len(data)]
    return call(
        engine,
        "proxy_get_header_map_size",
        REQUEST,
        before=(expression("proxy_set_header_map_pairs", raw),),
        data={2048: data},
        host={"profile": profile},
        headers={"a": "1"},
    )


def set_status(got: Any) -> Status:
    return next(
        Status(r.result) for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_set_header_map_pairs"
    )


MALFORMED = b"\1\0\0\0\1\0\0\0\1\0\0\0a\0bx"


def test_a_malformed_map_wipes_the_headers_as_in_envoy(engine: str) -> None:
    got = blob(engine, MALFORMED, "default")
    assert (set_status(got), got.output) == (Status.OK, 0)


def test_a_malformed_map_is_a_parse_failure_in_the_specification(engine: str) -> None:
    got = blob(engine, MALFORMED, "spec")
    assert set_status(got) is Status.PARSE_FAILURE
    assert len(got.exchange.request.headers) == 5


def test_1025_pairs(engine: str) -> None:
    many = tuple((b"k", b"v") for _ in range(1025))
    got = call(engine, "proxy_set_header_map_pairs", REQUEST, many, host={"limits": Limits(header_pairs=5000)})
    assert (got.status, got.exchange.request and got.exchange.request.headers) == (Status.OK, ())
    spec = call(engine, "proxy_set_header_map_pairs", REQUEST, many, host={"profile": "spec"})
    assert spec.status is Status.PARSE_FAILURE


def test_the_limit_of_headers(engine: str) -> None:
    got = call(
        engine, "proxy_add_header_map_value", REQUEST, b"k", b"v", host={"limits": Limits(header_pairs=8)}, **SENT
    )
    assert (got.status, after(got)) == (Status.BAD_ARGUMENT, GIVEN)


def test_nul_in_a_value(engine: str) -> None:
    got = call(engine, "proxy_add_header_map_value", REQUEST, b"k", b"a\nb")
    assert (got.status, after(got)) == (Status.OK, ((b"k", b"a\nb"),))
    spec = call(engine, "proxy_add_header_map_value", REQUEST, b"k", b"a\nb", host={"profile": "spec"})
    assert (spec.status, after(spec)) == (Status.BAD_ARGUMENT, ())


def test_nginx_keeps_pseudo_headers(engine: str) -> None:
    got = call(
        engine, "proxy_set_header_map_pairs", REQUEST, ((b"b", b"x"), (b"n", b"y")), host={"profile": "nginx"}, **SENT
    )
    assert after(got) == ((b"b", b"x"), (b"n", b"y"))
    assert got.exchange.request and got.exchange.request.get(":path") == "/"
