"""The other private calls of Higress: injected bytes, hosts of the upstream, the log level (abi_reference 11.4)."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import AbiVersion, LogLevel, Status
from hostabi.core.commands import OverrideHost
from hostabi.core.events import StreamInfo
from hostabi.core.transcript import Noted
from hostabi.hostcalls.higress import _INJECT
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import Outcome, call, callback, expression

HIGRESS = AbiVersion.V0_2_100
INJECT = expression("proxy_inject_encoded_data_to_filter_chain", [512, 3, 0])
END = expression("proxy_inject_encoded_data_to_filter_chain", [512, 3, 1])


def higress(engine: str, name: str, *values: Any, **rest: Any) -> Outcome:
    return call(engine, name, *values, abi=HIGRESS, **rest)


def answered(engine: str, bodies: dict[str, str], **exchange: Any) -> tuple[bytes, bool, list[str]]:
    """What came to the client of a response `hello` in two chunks, and remarks of the host."""
    host = FilterHost(small_filter(bodies, data={512: b"new", **exchange.pop("data", {})}, abi=HIGRESS), engine=engine)
    done = host.exchange(response_chunks=["hel", "lo"], **exchange)
    assert done.trap is None, done.trap
    remarks = [one.message for one in done.transcript if isinstance(one, Noted)]
    return (done.response.body, done.response.complete, remarks) if done.response else (b"", False, remarks)


HEADERS, BODY = "proxy_on_response_headers", "proxy_on_response_body"


@pytest.mark.parametrize(
    ("bodies", "body", "complete"),
    [
        # past a response that flows, and past one that is held
        ({HEADERS: callback(HEADERS, INJECT)}, b"newhello", True),
        ({BODY: callback(BODY, INJECT)}, b"newhelnewlo", True),
        ({BODY: callback(BODY, INJECT, result=1)}, b"newnew", False),
        ({HEADERS: callback(HEADERS, INJECT, result=1)}, b"newhello", True),
        ({HEADERS: callback(HEADERS, INJECT, result=4)}, b"new", False),
        # with the end, nothing comes after
        ({HEADERS: callback(HEADERS, END, result=4)}, b"new", True),
        ({BODY: callback(BODY, END, result=1)}, b"new", True),
        ({HEADERS: callback(HEADERS, INJECT, END, result=4)}, b"newnew", True),
    ],
)
def test_injected_bytes(engine: str, bodies: dict[str, str], body: bytes, complete: bool) -> None:
    assert answered(engine, bodies)[:2] == (body, complete)


@pytest.mark.parametrize("during", ["proxy_on_request_headers", "proxy_on_configure"])
def test_without_a_response_nothing_is_injected(engine: str, during: str) -> None:
    body, complete, remarks = answered(engine, {during: callback(during, INJECT)})
    assert (body, complete) == (b"hello", True)
    assert remarks == ["no response is under way that bytes could be injected into"]


@pytest.mark.parametrize(
    "name", ["inject_encoded_data_to_filter_chain", "inject_encoded_data_to_filter_chain_on_header"]
)
def test_injecting_by_name(engine: str, name: str) -> None:
    arguments = _INJECT.encode({"body": b"made", "end_stream": True})
    made = expression("proxy_call_foreign_function", [600, len(name), 700, len(arguments)])
    data = {600: name.encode(), 700: arguments}
    assert answered(engine, {HEADERS: callback(HEADERS, made, result=4)}, data=data)[:2] == (b"made", True)
    bad = higress(engine, "proxy_call_foreign_function", name.encode(), b"\xff")
    assert bad.status is Status.BAD_ARGUMENT
    other = call(engine, "proxy_call_foreign_function", name.encode(), arguments)
    assert other.status is Status.NOT_FOUND


# --- hosts of the upstream


def test_hosts(engine: str) -> None:
    info = StreamInfo(upstream_hosts={b"10.0.0.1:80": b"{}", b"10.0.0.2:80": b""})
    got = higress(engine, "proxy_get_upstream_hosts", info=info)
    assert (got.status, got.output) == (Status.OK, ((b"10.0.0.1:80", b"{}"), (b"10.0.0.2:80", b"")))
    assert higress(engine, "proxy_get_upstream_hosts").output == ()
    assert higress(engine, "proxy_get_upstream_hosts", during="proxy_on_configure").status is Status.NOT_FOUND


@pytest.mark.parametrize(
    ("address", "taken"),
    [(b"10.0.0.1:80", True), (b"[::1]:80", True), (b"", False), (b"host", False), (b":80", False), (b"a:99999", False)],
)
def test_a_host_is_chosen(engine: str, address: bytes, taken: bool) -> None:
    info = StreamInfo()
    got = higress(engine, "proxy_set_upstream_override_host", address, info=info)
    assert got.status is Status.OK and info.upstream_override == (address.decode() if taken else "")
    chosen = [one for one in got.exchange.commands if isinstance(one, OverrideHost)]
    assert chosen == ([OverrideHost(1, address.decode())] if taken else [])
    root = higress(engine, "proxy_set_upstream_override_host", address, during="proxy_on_configure")
    assert root.status is Status.OK and not [one for one in root.exchange.commands if isinstance(one, OverrideHost)]


# --- the log level


def test_the_log_level_by_name(engine: str) -> None:
    host = {"log_level": LogLevel.WARN}
    got = higress(engine, "proxy_call_foreign_function", b"get_log_level", b"", host=host)
    assert (got.status, got.output) == (Status.OK, b"\3\0\0\0")
    assert call(engine, "proxy_call_foreign_function", b"get_log_level", b"").status is Status.NOT_FOUND


# --- a fresh VM

FLAG = b"wasm_need_rebuild"
COUNT = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"


def counting(engine: str, *, value: bytes = b"true", abi: AbiVersion = HIGRESS) -> FilterHost:
    """A filter that counts its requests in its memory and wants a fresh VM after the second."""
    third = f"(if (i32.eq (i32.load (i32.const 0)) (i32.const 2)) (then (drop {SET})))"
    body = {"proxy_on_request_headers": f"{COUNT} {third} (i32.const 0)"}
    return FilterHost(small_filter(body, data={512: FLAG, 600: value}, abi=abi), engine=engine)


SET = expression("proxy_set_property", [512, len(FLAG), 600, 4])


def counts(host: FilterHost, requests: int) -> list[int]:
    found = []
    for _ in range(requests):
        assert host.exchange().trap is None
        (plugin,) = host.exchanger.session.chain.plugins
        found.append(int.from_bytes(plugin.vm.guest.memory.read(0, 4), "little"))
    return found


def test_a_filter_gets_a_fresh_vm_when_it_wants_one(engine: str) -> None:
    host = counting(engine)
    assert counts(host, 5) == [1, 0, 1, 0, 1]
    assert len(host.host.plugins) == len(host.host.vms) == 1


def test_others_do_not(engine: str) -> None:
    assert counts(counting(engine, value=b"nope"), 3) == [1, 2, 3]
    assert counts(counting(engine, abi=AbiVersion.V0_2_1), 3) == [1, 2, 3]


def test_streams_under_way_keep_the_old_vm(engine: str) -> None:
    from hostabi.adapters.message import Request

    made = counting(engine)
    session = made.exchanger.session
    session.request(Request(), "a")
    session.request(Request(), "b")
    session.request(Request(), "c")
    assert session.chain is made.chain
    for name in ("a", "b", "c"):
        assert session.chain is made.chain
        session.abort_client(name)
    assert session.chain is not made.chain
