"""Foreign functions that Envoy has (abi_reference 11.1); what they answer was asked of Envoy 1.40."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import pytest

from hostabi import Limits, LogLevel, Status
from hostabi.abi.codec import encode_pairs
from hostabi.abi.messages import Kind, Member, Message
from hostabi.core.events import StreamInfo
from hostabi.core.filter_state import FilterState, StateStore
from hostabi.core.transcript import Called
from hostabi.hostcalls import signatures
from hostabi.hostcalls.filter_objects import FACTORIES
from hostabi.hostcalls.foreign import _DECLARE
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import Outcome, call, callback, expression, layout

needs_crypto = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is None, reason="pip install tamis[crypto] for these"
)
SET = Message("", (Member(1, "path", Kind.STRING), Member(2, "value", Kind.BYTES), Member(3, "span", Kind.INT)))


def foreign(engine: str, name: str, arguments: bytes, **rest: Any) -> Outcome:
    return call(engine, "proxy_call_foreign_function", name.encode(), arguments, **rest)


def made(host: FilterHost, records: list[Any]) -> list[tuple[Status, object]]:
    """Statuses and outputs of the calls of properties and foreign functions in a transcript."""
    names = ("proxy_get_property", "proxy_set_property", "proxy_call_foreign_function")
    return [
        (Status(r.result or 0), r.outputs[0] if r.outputs else None)
        for r in records
        if isinstance(r, Called) and r.function in names
    ]


def play(engine: str, calls: dict[str, list[tuple[Any, ...]]], info: StreamInfo | None = None, **host: Any) -> Any:
    """Make calls of "get", "set" and foreign functions in callbacks; their statuses and outputs, in order."""
    names = {"get": "proxy_get_property", "set": "proxy_set_property"}
    bodies, data, at = {}, {}, 4096
    for during, made_here in calls.items():
        statements = []
        for name, *values in made_here:
            if name not in names:
                values = [name.encode(), *values]
            raw, placed = layout(*values)
            moved = {address: at + address - 1024 for address in placed}
            raw = [moved.get(number, number) if i % 2 == 0 else number for i, number in enumerate(raw)]
            data |= {moved[address]: content for address, content in placed.items()}
            at += 512
            statements.append(expression(names.get(name, "proxy_call_foreign_function"), raw))
        bodies[during] = callback(during, *statements)
    filter_host = FilterHost(small_filter(bodies, data=data), engine=engine, **host)
    return made(filter_host, filter_host.exchange(info=info).transcript)


# --- at large


def test_arguments_over_the_limit(engine: str) -> None:
    limits = {"limits": Limits(foreign_argument_bytes=4)}
    assert foreign(engine, "compress", b"1234", host=limits).status is Status.OK
    assert foreign(engine, "compress", b"12345", host=limits).status is Status.INTERNAL_FAILURE


@pytest.mark.parametrize("name", ["verify_signature", "sign"])
def test_without_the_library_a_function_is_unknown(engine: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> ModuleType:
        raise ImportError(module)

    monkeypatch.setattr("hostabi.hostcalls.foreign.import_module", missing)
    again = expression("proxy_call_foreign_function", [1024, len(name), 0, 0])
    got = foreign(engine, name, b"", before=(again, again))
    assert got.status is Status.NOT_FOUND
    lines = [log for log in got.exchange.logs if log.level is LogLevel.WARN]
    assert [log.message for log in lines] == [b"a foreign function needs what `pip install tamis[crypto]` installs"]


def test_clear_route_cache_without_a_stream(engine: str) -> None:
    assert foreign(engine, "clear_route_cache", b"", during="proxy_on_configure").status is Status.OK


# --- declared properties


def declare(name: str, **values: object) -> tuple[str, bytes]:
    return "declare_property", _DECLARE.encode({"name": name, **values})


STRING_VALUE = b"type.googleapis.com/google.protobuf.StringValue"
STRUCT = b"type.googleapis.com/google.protobuf.Struct"
METADATA = b"type.googleapis.com/envoy.config.core.v3.Metadata"
OK = (Status.OK, None)


def test_a_property_is_declared_once(engine: str) -> None:
    got = play(engine, {"proxy_on_configure": [declare("p"), declare("p"), declare(""), ("declare_property", b"\xff")]})
    assert [status for status, _ in got] == [Status.OK, Status.BAD_ARGUMENT, Status.OK, Status.BAD_ARGUMENT]


def test_declarations_are_limited(engine: str) -> None:
    got = play(engine, {"proxy_on_configure": [declare("a"), declare("b")]}, limits=Limits(declared_properties=1))
    assert [status for status, _ in got] == [Status.OK, Status.INTERNAL_FAILURE]


def test_a_read_only_property_is_set_once(engine: str) -> None:
    steps = [("set", b"p", b"1"), ("set", b"p", b"2"), ("get", b"p")]
    got = play(engine, {"proxy_on_configure": [declare("p", readonly=True)], "proxy_on_request_headers": steps})
    assert got[1:] == [OK, (Status.BAD_ARGUMENT, None), (Status.OK, b"1")]


def test_a_declaration_on_a_stream_has_no_effect(engine: str) -> None:
    steps = [declare("p", readonly=True), declare("p"), ("set", b"p", b"1"), ("set", b"p", b"2"), ("get", b"p")]
    got = play(engine, {"proxy_on_request_headers": steps})
    assert got[1:] == [(Status.BAD_ARGUMENT, None), OK, OK, (Status.OK, b"2")]


@pytest.mark.parametrize(
    ("schema", "value", "path", "seen"),
    [
        (STRING_VALUE, b"\n\x03abc", b"p", b"\n\x03abc"),
        (STRING_VALUE, b"\n\x03abc", b"p\0value", Status.NOT_FOUND),
        (STRING_VALUE, b"\n\x03abc", b"filter_state\0wasm.p", b"abc"),
        (STRUCT, b"\n\x08\n\x01a\x12\x03\x1a\x01b", b"p\0a", b"b"),
        (STRUCT, b"\n\x08\n\x01a\x12\x03\x1a\x01b", b"filter_state\0wasm.p", encode_pairs([(b"a", b"b")])),
        (STRUCT, b"\n\x08\n\x01a\x12\x03\x1a\x01b", b"filter_state\0wasm.p\0a", b"b"),
        (STRUCT, b"\xff", b"p", b"\xff"),
        (STRUCT, b"\xff", b"p\0a", Status.NOT_FOUND),
        (STRUCT, b"\xff", b"filter_state\0wasm.p", Status.SERIALIZATION_FAILURE),
        (METADATA, b"\n\x05\n\x03abc", b"filter_state\0wasm.p", b"\n\x07\n\x03abc\x12\x00"),
        (METADATA, b"\n\x05\n\x03abc", b"p\0filter_metadata\0abc", encode_pairs([])),
        (b"type.googleapis.com/no.such", b"x", b"p", b"x"),
        (b"type.googleapis.com/no.such", b"x", b"p\0a", Status.NOT_FOUND),
        (b"type.googleapis.com/no.such", b"x", b"filter_state\0wasm.p", Status.SERIALIZATION_FAILURE),
    ],
)
def test_a_property_that_holds_a_message(engine: str, schema: bytes, value: bytes, path: bytes, seen: object) -> None:
    declared = [declare("p", type=3, schema=schema)]
    got = play(
        engine, {"proxy_on_configure": declared, "proxy_on_request_headers": [("set", b"p", value), ("get", path)]}
    )
    assert got[2] == ((seen, None) if isinstance(seen, Status) else (Status.OK, seen))


@pytest.mark.parametrize("kind", [0, 1, 2, 9])
def test_the_other_types_read_as_they_were_set(engine: str, kind: int) -> None:
    steps = [("set", b"p", b"val"), ("get", b"p"), ("get", b"filter_state\0wasm.p"), ("get", b"p\0x")]
    got = play(engine, {"proxy_on_configure": [declare("p", type=kind)], "proxy_on_request_headers": steps})
    assert got[2:] == [(Status.OK, b"val"), (Status.OK, b"val"), (Status.NOT_FOUND, None)]


def test_a_value_lives_as_long_as_was_declared(engine: str) -> None:
    """Streams of one connection share what lives as long as it."""
    spans = [declare("one", span=1), declare("many", span=2)]
    steps = [("get", b"one"), ("get", b"many"), ("set", b"one", b"1"), ("set", b"many", b"2")]
    data: dict[str, list[tuple[Any, ...]]] = {"proxy_on_configure": spans, "proxy_on_request_headers": steps}
    connection = StateStore()
    assert play(engine, data, StreamInfo(filter_state=FilterState(connection)))[2:4] == [(Status.NOT_FOUND, None)] * 2
    later = FilterState(connection)
    assert play(engine, data, StreamInfo(filter_state=later))[2:4] == [(Status.NOT_FOUND, None), (Status.OK, b"2")]
    assert sorted(later.items()) == [(b"many", b"2"), (b"one", b"1")]


# --- objects of the proxy


@pytest.mark.parametrize(
    ("name", "value", "path", "seen"),
    [
        ("envoy.string", b"abc", b"", b"abc"),
        ("envoy.string", b"", b"", b""),
        ("envoy.hashable_string", b"abc", b"", b"abc"),
        ("envoy.bool", b"True", b"", b"true"),
        ("envoy.bool", b"abc", b"", Status.BAD_ARGUMENT),
        ("envoy.tcp_proxy.cluster", b"abc", b"", b"abc"),
        ("envoy.tcp_proxy.disable_tunneling", b"true", b"", b"true"),
        ("envoy.tcp_proxy.disable_tunneling", b"abc", b"", b"false"),
        ("envoy.tcp_proxy.per_connection_idle_timeout_ms", b"7", b"", b"7"),
        ("envoy.network.upstream_server_name", b"abc", b"", b"abc"),
        ("envoy.network.upstream_subject_alt_names", b"a,b", b"", b"a,b"),
        ("envoy.network.network_namespace", b"abc", b"", b"abc"),
        ("envoy.network.application_protocols", b"abc", b"", Status.NOT_FOUND),
        ("envoy.network.ip", b"1.2.3.4", b"", b"1.2.3.4:0"),
        ("envoy.network.ip", b"::1", b"", b"[::1]:0"),
        ("envoy.network.ip", b"1.2.3.4:80", b"", Status.BAD_ARGUMENT),
        ("envoy.network.transport_socket.original_dst_address", b"1.2.3.4:80", b"\0ip", b"1.2.3.4"),
        ("envoy.network.transport_socket.original_dst_address", b"1.2.3.4:80", b"\0port", b"P" + bytes(7)),
        ("envoy.network.transport_socket.original_dst_address", b"1.2.3.4:80", b"\0x", Status.NOT_FOUND),
        ("envoy.filters.listener.original_dst.local_ip", b"[::1]:80", b"\0ip", b"::1"),
        ("envoy.filters.listener.original_dst.remote_ip", b"1.2.3.4", b"", Status.BAD_ARGUMENT),
        ("envoy.ratelimit.hits_addend", b"7", b"", b"7"),
        ("envoy.ratelimit.hits_addend", b"5000000000", b"", Status.BAD_ARGUMENT),
        ("envoy.upstream.dynamic_host", b"abc", b"", b"abc"),
        ("envoy.upstream.dynamic_port", b" 8 ", b"", b"8"),
        ("envoy.upstream.dynamic_port", b"-1", b"", Status.BAD_ARGUMENT),
        ("no.such", b"abc", b"", Status.NOT_FOUND),
    ],
)
def test_objects_of_the_proxy(engine: str, name: str, value: bytes, path: bytes, seen: object) -> None:
    arguments = SET.encode({"path": name, "value": value})
    steps = [("set_envoy_filter_state", arguments), ("get", b"filter_state\0" + name.encode() + path)]
    got = play(engine, {"proxy_on_request_headers": steps})
    if isinstance(seen, bytes):
        assert got == [(Status.OK, b""), (Status.OK, seen)]
    else:
        assert seen in (got[0][0], got[1][0]) and got[1] == (Status.NOT_FOUND, None)


def test_every_object_of_the_proxy_is_in_the_test_above() -> None:
    cases = test_objects_of_the_proxy.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {case[0] for case in cases} - {"no.such"} == set(FACTORIES)


def test_an_object_is_replaced_and_limited(engine: str) -> None:
    def put(value: bytes) -> tuple[str, bytes]:
        return "set_envoy_filter_state", SET.encode({"path": "envoy.string", "value": value, "span": 2})

    steps = [put(b"one"), put(b"twenty"), ("get", b"filter_state\0envoy.string"), put(b"too long a value")]
    got = play(engine, {"proxy_on_request_headers": steps}, limits=Limits(filter_state_bytes=20))
    assert [status for status, _ in got] == [Status.OK, Status.OK, Status.OK, Status.BAD_ARGUMENT]
    assert got[2][1] == b"twenty"


@pytest.mark.parametrize(("arguments", "status"), [(b"\xff", Status.BAD_ARGUMENT), (b"", Status.NOT_FOUND)])
def test_arguments_that_name_no_object(engine: str, arguments: bytes, status: Status) -> None:
    assert foreign(engine, "set_envoy_filter_state", arguments).status is status


def test_an_object_needs_a_stream(engine: str) -> None:
    arguments = SET.encode({"path": "envoy.string", "value": b"v"})
    got = foreign(engine, "set_envoy_filter_state", arguments, during="proxy_on_configure")
    assert got.status is Status.NOT_FOUND


# --- signatures


def keys() -> Any:
    """Keys that never change, so that a failure can be repeated."""
    primitives = "cryptography.hazmat.primitives"
    rsa = importlib.import_module(f"{primitives}.asymmetric.rsa")
    ec = importlib.import_module(f"{primitives}.asymmetric.ec")
    ed = importlib.import_module(f"{primitives}.asymmetric.ed25519")
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.derive_private_key(12345, ec.SECP256R1()),
        "ed": ed.Ed25519PrivateKey.from_private_bytes(bytes(32)),
    }


@pytest.fixture(scope="module")
def held() -> Any:
    return keys() if importlib.util.find_spec("cryptography") else {}


def private(key: Any, encoding: str = "DER", form: str = "PKCS8") -> bytes:
    s = importlib.import_module("cryptography.hazmat.primitives.serialization")
    found: bytes = key.private_bytes(getattr(s.Encoding, encoding), getattr(s.PrivateFormat, form), s.NoEncryption())
    return found


def public(key: Any, encoding: str = "DER", form: str = "SubjectPublicKeyInfo") -> bytes:
    s = importlib.import_module("cryptography.hazmat.primitives.serialization")
    found: bytes = key.public_key().public_bytes(getattr(s.Encoding, encoding), getattr(s.PublicFormat, form))
    return found


def signed(engine: str, **arguments: object) -> tuple[Status, Any]:
    got = foreign(engine, "sign", signatures._SIGN.encode({"text": b"text", "hash_function": "sha256", **arguments}))
    return got.status, signatures._SIGNED.decode(got.called.outputs[0]).values if got.called.outputs else None  # type: ignore[arg-type]


def verified(engine: str, **arguments: object) -> tuple[Status, Any]:
    values = {"text": b"text", "hash_function": "sha256", **arguments}
    got = foreign(engine, "verify_signature", signatures._VERIFY.encode(values))
    return got.status, signatures._VERIFIED.decode(got.called.outputs[0]).values if got.called.outputs else None  # type: ignore[arg-type]


@needs_crypto
@pytest.mark.parametrize("hash", ["sha1", "sha224", "sha256", "SHA384", "sha512"])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("form", ["der", "pem"])
def test_what_is_signed_can_be_verified(engine: str, held: Any, kind: str, hash: str, form: str) -> None:
    key = held[kind]
    status, result = signed(engine, hash_function=hash, **{form: private(key, form.upper())})
    assert status is Status.OK and result["result"] and "error" not in result
    good = {"hash_function": hash, form: public(key, form.upper()), "signature": result["signature"]}
    assert verified(engine, **good) == (Status.OK, {"result": True})
    wrong = {"error": "Failed to verify digest. Error code: 0"}
    assert verified(engine, **{**good, "text": b"other"}) == (Status.OK, wrong)
    assert verified(engine, **{**good, "signature": b""}) == (Status.OK, wrong)


@needs_crypto
def test_a_signature_is_the_same_each_time(engine: str, held: Any) -> None:
    assert signed(engine, der=private(held["ec"])) == signed(engine, der=private(held["ec"]))


INIT = {"error": "Failed to initialize digest verify."}
NO_KEY = {"error": "Invalid key type: private key required for signing operation."}


@needs_crypto
def test_keys_for_verifying(engine: str, held: Any) -> None:
    rsa = held["rsa"]
    signature = signed(engine, der=private(rsa))[1]["signature"]

    def verify(**arguments: object) -> tuple[Status, Any]:
        return verified(engine, signature=signature, **arguments)

    der, pem = public(rsa), public(rsa, "PEM")
    assert verify(der=der + b"x") == (Status.OK, {"result": True})
    assert verify() == verify(der=der, pem=pem) == (Status.BAD_ARGUMENT, None)
    assert verify(der=b"junk") == verify(pem=b"junk") == verify(der=b"\x30") == (Status.OK, INIT)
    assert verify(der=public(rsa, form="PKCS1")) == verify(der=public(held["ed"], form="SubjectPublicKeyInfo"))
    assert verify(der=public(held["ed"])) == (Status.OK, INIT)
    assert verify(der=der, hash_function="md5") == (Status.OK, {"error": "md5 is not supported."})
    assert verify(der=der, hash_function="") == (Status.OK, {"error": " is not supported."})


@needs_crypto
def test_keys_for_signing(engine: str, held: Any) -> None:
    rsa = held["rsa"]
    der, pem = private(rsa), private(rsa, "PEM")
    assert signed(engine, der=der + b"x")[1]["result"]
    assert signed(engine) == signed(engine, der=der, pem=pem) == (Status.BAD_ARGUMENT, None)
    assert signed(engine, der=b"junk") == signed(engine, pem=b"junk") == (Status.OK, NO_KEY)
    assert signed(engine, der=private(rsa, form="TraditionalOpenSSL")) == (Status.OK, NO_KEY)
    malformed = {"error": "Invalid private key: key data is corrupted or malformed."}
    assert signed(engine, der=private(held["ed"])) == (Status.OK, malformed)
    assert signed(engine, der=der, hash_function="md5") == (Status.OK, {"error": "md5 is not supported."})


@needs_crypto
@pytest.mark.parametrize("name", ["verify_signature", "sign"])
@pytest.mark.parametrize("arguments", [b"\xff", b"", b"\x0a\x02\xff\xfe"])
def test_arguments_that_are_none(engine: str, name: str, arguments: bytes) -> None:
    assert foreign(engine, name, arguments).status is Status.BAD_ARGUMENT
