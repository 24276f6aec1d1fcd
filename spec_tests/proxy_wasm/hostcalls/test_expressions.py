"""Expressions in CEL over the attributes: what each gives was asked of Envoy 1.40 (abi_reference 11.1)."""

from __future__ import annotations

from time import monotonic
from types import ModuleType
from typing import Any

import pytest

from hostabi import Limits, Status
from hostabi.core.events import StreamInfo
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.hostcalls.test_foreign import made
from spec_tests.proxy_wasm.kit import callback, expression

pytest.importorskip("celpy", reason="pip install tamis[cel] for these")

VALUES = [
    ("1 == 'a'", b"\x00"),
    ("1 != 'a'", b"\x01"),
    ("[1]==[1u]", b"\x01"),
    ("null == 1", b"\x00"),
    ("has(request.headers.nope)", b"\x00"),
    ("request.nope == 1 || true", b"\x01"),
    ("true || 1/0 > 0", b"\x01"),
    ("1/0 > 0 || true", b"\x01"),
    ("1/0 > 0 && false", b"\x00"),
    ("[1,2].all(x, x > 0)", b"\x01"),
    ("request.headers['DUP']", b"1,2"),
    ("request['path']", b"/a/b?q=1&r=2"),
    ("string(1.5)", b"1.5"),
    ("string(true)", b"true"),
    ("int(1.9)", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("double('1.5')", b"\x00\x00\x00\x00\x00\x00\xf8?"),
    ("uint(5)", b"\x05\x00\x00\x00\x00\x00\x00\x00"),
    ("timestamp(0)", b"\x00\x00\x00\x00\x00\x00\x00\x00"),
    ("string(timestamp(0))", b"1970-01-01T00:00:00Z"),
    ("bytes('é')", b"\xc3\xa9"),
    ("size('é')", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("size(b'é')", b"\x02\x00\x00\x00\x00\x00\x00\x00"),
    ("1.0/0.0", b"\x00\x00\x00\x00\x00\x00\xf0\x7f"),
    ("-1 / 2", b"\x00\x00\x00\x00\x00\x00\x00\x00"),
    ("-1 % 2", b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    ("'a' < 'b'", b"\x01"),
    ("true < false", b"\x00"),
    ("b'a' < b'b'", b"\x01"),
    ("duration('1s') < duration('2s')", b"\x01"),
    ("request.headers == {}", b"\x00"),
    ("xds.node == xds.node", b"\x01"),
    ("size(xds.node.metadata)", b"\x03\x00\x00\x00\x00\x00\x00\x00"),
    ("type(request.path) == string", b"\x01"),
    ("'x' in ['x']", b"\x01"),
    ("1 in [1u]", b"\x01"),
    ("1 in {1u: 2}", b"\x01"),
    ("dyn([1])[0]", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("[[1]][0][0]", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("{'a': {'b': 1}}.a.b", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("true ? 1 : 'x'", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("bool('true')", b"\x01"),
    ("string(b'abc')", b"abc"),
    ("int(timestamp('2020-01-01T00:00:00Z'))", b"\x00\xe1\x0b^\x00\x00\x00\x00"),
    ("timestamp('2020-01-01T00:00:00Z') - timestamp('2019-12-31T00:00:00Z')", b"\x00\x00O\x91\x94N\x00\x00"),
    ("request.path.size()", b"\x0c\x00\x00\x00\x00\x00\x00\x00"),
    ("'abc'.endsWith('c')", b"\x01"),
    ("has(xds.node.id)", b"\x01"),
    ("has(xds.node.cluster)", b"\x01"),
    (
        "[1,2,3].filter(x,x>1)",
        b"\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ),
    ("[1,2].exists_one(x,x==1)", b"\x01"),
    ("{'a':1}.map(k,k)", b"\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00a\x00\x00"),
    ("request.time == request.time", b"\x01"),
    ("connection_id", b"\x00\x00\x00\x00\x00\x00\x00\x00"),
    ("has(response.code)", b"\x00"),
    ("xds.node.locality", b"\n\x01r\x12\x01z"),
    ("request.time > timestamp('2020-01-01T00:00:00Z')", b"\x01"),
    ("double(1)/3.0", b"UUUUUU\xd5?"),
    ("[1,2][0u]", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ("[1,2][1.0]", b"\x02\x00\x00\x00\x00\x00\x00\x00"),
    ("{1:2}[1]", b"\x02\x00\x00\x00\x00\x00\x00\x00"),
    ("duration('1h').getMinutes()", b"<\x00\x00\x00\x00\x00\x00\x00"),
    ("'%d'", b"%d"),
    ("1--1", b"\x02\x00\x00\x00\x00\x00\x00\x00"),
    ("0x10", b"\x10\x00\x00\x00\x00\x00\x00\x00"),
    ("'''a'''", b"a"),
    ('r"a\\n"', b"a\\n"),
    ('"a\\n"', b"a\n"),
    ("'\\x41'", b"A"),
    ("b'\\xff'", b"\xff"),
    ("1e3", b"\x00\x00\x00\x00\x00@\x8f@"),
    ("  1  // c", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
]

NO_EXPRESSION = [
    "min(1,2)",
    "[1].min()",
    "map(1)",
    "list(1)",
    "has(request)",
    "getDate(1)",
    "cel.bind(x,1,x)",
    "`a`",
    "optional.of(1)",
    "[?optional.none()]",
]

NO_VALUE = [
    "1 < 'a'",
    "'a' + 1",
    "1 + 1u",
    "1 + 1.5",
    "!1",
    "-'a'",
    "xds.node.none",
    "'a'.map(x,x)",
    "request.path.nope",
    "upstream_filter_state",
    "response.headers.x",
    "uint(-1)",
    "int('x')",
    "'abc'[1]",
    "b'abc'[1]",
    "'a' in 'abc'",
    "{'a':1,'a':2}",
    "1 ? 2 : 3",
    "size(5)",
    "x.y.z",
]

CANNOT_BE_WRITTEN = [
    "filter_state",
    "response",
    "null",
    "type(1)",
    "request",
]

# What the library does otherwise than Envoy's: what Envoy answers, and what comes here.
DIFFERENT: dict[str, tuple[object, object]] = {
    "has(xds.node.none)": (Status.INTERNAL_FAILURE, b"\0"),
    "true && 1": (Status.INTERNAL_FAILURE, b"\1" + bytes(7)),
    "5.nope": (Status.INTERNAL_FAILURE, Status.BAD_ARGUMENT),
    "1.": (Status.BAD_ARGUMENT, bytes(6) + b"\xf0?"),
    "google.protobuf.StringValue{value:'x'}": (b"x", Status.INTERNAL_FAILURE),
    "timestamp('2020-01-01T00:00:00.123456789Z')": (
        b"\x15\xcd\xe5\xc0\x35\x9a\xe5\x15",
        b"\x00\xca\xe5\xc0\x35\x9a\xe5\x15",
    ),
}

SENT: dict[str, Any] = {
    "path": "/a/b?q=1&r=2",
    "authority": "ex.com",
    "headers": [("dup", "1"), ("dup", "2")],
}
NODE = {
    "id": "nid",
    "cluster": "ncl",
    "metadata": {"NUM": 3, "SUB": {"a": "b"}, "NAME": "nm"},
    "locality": {"region": "r", "zone": "z"},
}
CREATE, EVALUATE, DELETE, SOURCE, TOKEN = 64, 80, 96, 1024, 128
NAMES = {CREATE: b"expr_create", EVALUATE: b"expr_evaluate", DELETE: b"expr_delete"}


def foreign(name: int, at: int, size: int) -> str:
    return expression("proxy_call_foreign_function", [name, len(NAMES[name]), at, size])


def play(
    engine: str,
    *sources: str | bytes,
    during: str = "proxy_on_request_headers",
    then: tuple[str, ...] = (),
    **host: Any,
) -> list[tuple[Status, object]]:
    """Create each expression, evaluate it with the token that came, and say what came of all that."""
    steps: list[str] = []
    data = dict(NAMES)
    at = SOURCE
    for source in sources:
        text = source.encode() if isinstance(source, str) else source
        data[at] = text
        keep = f"(i32.store (i32.const {TOKEN}) (i32.load (i32.load (i32.const 256))))"
        steps += [foreign(CREATE, at, len(text)), keep, foreign(EVALUATE, TOKEN, 4)]
        at += len(text)
    host = {"properties": {"xds.node": NODE}, "name": "pl", "root_id": "ro", **host}
    text = small_filter({during: callback(during, *steps, *then)}, data=data, pages=4)
    filter_host = FilterHost(text, engine=engine, **host)
    info = StreamInfo(metadata={"dyn": {"k": "v", "n": 2}}, route_name="rt", source_address="127.0.0.1:46068")
    return made(filter_host, filter_host.exchange(**SENT, info=info).transcript)


def value(engine: str, source: str) -> object:
    created, *evaluated = play(engine, source)
    if created[0] is not Status.OK:
        return created[0]
    return evaluated[0][1] if evaluated[0][0] is Status.OK else evaluated[0][0]


@pytest.mark.parametrize(("source", "wanted"), VALUES)
def test_values(engine: str, source: str, wanted: bytes) -> None:
    assert value(engine, source) == wanted


@pytest.mark.parametrize("source", NO_EXPRESSION)
def test_what_is_no_expression(engine: str, source: str) -> None:
    assert value(engine, source) is Status.BAD_ARGUMENT


@pytest.mark.parametrize("source", NO_VALUE)
def test_what_has_no_value(engine: str, source: str) -> None:
    assert value(engine, source) is Status.INTERNAL_FAILURE


@pytest.mark.parametrize("source", CANNOT_BE_WRITTEN)
def test_what_cannot_be_written(engine: str, source: str) -> None:
    assert value(engine, source) is Status.SERIALIZATION_FAILURE


@pytest.mark.parametrize("source", DIFFERENT)
def test_what_the_library_does_otherwise(engine: str, source: str) -> None:
    envoy, ours = DIFFERENT[source]
    assert value(engine, source) == ours != envoy


def test_tokens(engine: str) -> None:
    """They count up, also over an expression with functions that are not there; not over what cannot be parsed."""
    got = play(engine, "1", "1+", "1", "nope()", "1")
    tokens = [output for status, output in got[::2]]
    assert tokens == [bytes(4), None, b"\1\0\0\0", None, b"\3\0\0\0"]


def test_bad_tokens_and_deleting(engine: str) -> None:
    rest = (
        foreign(EVALUATE, TOKEN, 3),
        foreign(EVALUATE, SOURCE, 4),
        foreign(DELETE, TOKEN, 1),
        foreign(DELETE, SOURCE, 4),
        foreign(DELETE, TOKEN, 4),
        foreign(EVALUATE, TOKEN, 4),
    )
    wanted = [Status.BAD_ARGUMENT, Status.NOT_FOUND, Status.BAD_ARGUMENT, Status.OK, Status.OK, Status.NOT_FOUND]
    assert [status for status, _ in play(engine, "true", then=rest)[2:]] == wanted


def test_without_a_stream(engine: str) -> None:
    got = play(engine, "plugin_name", "request.path", "xds.node.id", during="proxy_on_configure")
    assert got[1::2] == [(Status.OK, b"pl"), (Status.INTERNAL_FAILURE, None), (Status.OK, b"nid")]


def test_what_filters_stored(engine: str) -> None:
    set_it = expression("proxy_set_property", [SOURCE, 2, SOURCE, 2])
    evaluate = foreign(EVALUATE, TOKEN, 4)
    got = play(engine, "pp", then=(set_it, evaluate))
    assert [status for status, _ in got[1:]] == [Status.INTERNAL_FAILURE, Status.OK, Status.OK] and got[3][1] == b"pp"
    stored = play(engine, "filter_state['wasm.fi']", then=(set_it, evaluate))
    assert (stored[1][0], stored[3]) == (Status.INTERNAL_FAILURE, (Status.OK, b"fi"))


def test_without_the_library_they_are_unknown(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> ModuleType:
        raise ImportError(module)

    monkeypatch.setattr("hostabi.hostcalls.foreign.import_module", missing)
    got = play(engine, "1", then=(foreign(DELETE, TOKEN, 4),))
    assert [status for status, _ in got] == [Status.NOT_FOUND] * 3


# --- hostile ones

TEN = "[1,2,3,4,5,6,7,8,9,10]"


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("(" * 20 + "1" + ")" * 20, Status.OK),
        ("(" * 40 + "1" + ")" * 40, Status.BAD_ARGUMENT),
        ("(" * 7000 + "1" + ")" * 7000, Status.BAD_ARGUMENT),
        ("1+" * 300 + "1", Status.BAD_ARGUMENT),
        ("!" * 5000 + "true", Status.BAD_ARGUMENT),
        ("[" * 5000, Status.BAD_ARGUMENT),
        ("\xff\xfe", Status.BAD_ARGUMENT),
        (f"'{'x' * 16400}'", Status.BAD_ARGUMENT),
        (f"{TEN}.map(a, {TEN}.map(b, {TEN}.map(c, {TEN}.map(d, a+b+c+d))))", Status.INTERNAL_FAILURE),
        ("['" + "x" * 9000 + "']" + "".join(f".map(a{i}, a{i}+a{i})" for i in range(12)), Status.INTERNAL_FAILURE),
        ("'" + "a" * 9000 + "'.matches('(a*)*(a*)*(a*)*b')", Status.OK),
        ("'a'.matches('[')", Status.INTERNAL_FAILURE),
        ("timestamp('9999-12-31T23:59:59Z') + duration('100000000h')", Status.INTERNAL_FAILURE),
        ("9223372036854775807 * 2", Status.INTERNAL_FAILURE),
    ],
)
def test_hostile_expressions_end_soon(engine: str, source: str, status: Status) -> None:
    began = monotonic()
    created, evaluated = [*play(engine, source, limits=Limits(foreign_result_bytes=1 << 20)), (Status.OK, None)][:2]
    assert (created[0] if created[0] is not Status.OK else evaluated[0]) is status
    assert monotonic() - began < 30


def test_expressions_are_limited(engine: str) -> None:
    got = play(engine, "1", "2", limits=Limits(expressions=1))
    assert got[2][0] is Status.INTERNAL_FAILURE
    assert play(engine, "12345", limits=Limits(expression_bytes=4))[0][0] is Status.BAD_ARGUMENT
    assert play(engine, "1+1", limits=Limits(expression_steps=2))[1][0] is Status.INTERNAL_FAILURE
