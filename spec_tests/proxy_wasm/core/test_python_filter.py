"""A filter in Python is a filter: every callback and every host call leaves the same transcript as from Wasm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hostabi import HostCalls, HostError, LoadError, Profile, Status
from hostabi.abi.callbacks import CALLBACKS, Answers, Callback
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY, HostCall, Wire
from hostabi.core.policy import PROFILES, profile
from hostabi.core.transcript import Broke, Called, Entered, Left, Noted, Record
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.hostcalls.test_pointers import good, ids
from spec_tests.proxy_wasm.kit import callback

CALLS = list(REGISTRY.calls.values())
HIGRESS = AbiVersion.V0_2_100
Make = Callable[[HostCalls], object]


def shown(records: list[Record]) -> list[object]:
    """A transcript without what only Wasm has: ticks."""
    found: list[object] = []
    for record in records:
        match record:
            case Left():
                found.append(("left", record.callback, record.result or 0))
            case Entered() | Called() | Noted():
                found.append(record)
    return found


# --- callbacks


def python_with(row: Callback) -> Make:
    """A filter with one callback that answers 1."""
    answer = None if row.answers is Answers.NOTHING else 1
    body = {row.name.removeprefix("proxy_"): lambda self, *args: answer}
    return lambda host: type("Filter", (), body)()


@pytest.mark.parametrize("abi", AbiVersion)
@pytest.mark.parametrize("name", CALLBACKS)
def test_every_callback(name: str, abi: AbiVersion) -> None:
    row = CALLBACKS[name]
    text = small_filter({name: "" if row.answers is Answers.NOTHING else "(i32.const 1)"}, abi=abi)
    seen = []
    for source in (text, python_with(row)):
        host = FilterHost(source, abi=abi)
        plugin = host.plugins[0]
        plugin.vm.call(name, plugin.root, *[0] * (len(row.params) - 1))
        seen.append(shown(host.exchanger.take().transcript))
    assert seen[0] == seen[1]
    assert bool(seen[0]) is (row.since <= abi)


# --- host calls


def values(call: HostCall) -> list[object]:
    """What `good` gives in numbers, as Python values."""
    made: list[object] = []
    for param in call.params:
        if param.wire in (Wire.BYTES, Wire.LATE_BYTES):
            made.append(bytes(4))
        elif param.wire is Wire.PAIRS:
            made.append(())
        else:
            made.append(0)
    return made


def python_calling(call: HostCall, given: list[object], during: str = "on_request_body") -> Make:
    class Calls:
        def __init__(self, host: HostCalls) -> None:
            self.host = host
            if during == "start":
                self.ask()

        def ask(self) -> None:
            try:
                getattr(self.host, call.name)(*given)
            except HostError:
                pass

    if during != "start":
        setattr(Calls, during, lambda self, *args: self.ask())
    return Calls


def wasm_calling(call: HostCall, raw: list[int], during: str = "proxy_on_request_body") -> str:
    args = " ".join(f"({t}.const {v})" for t, v in zip(call.wasm_params(), raw, strict=True))
    text = f"(call ${call.name} {args})"
    data = {1024: bytes(4)}
    if during == "start":
        return small_filter(extra=f'(func (export "_initialize") (drop {text}))', data=data, abi=HIGRESS)
    return small_filter({during: callback(during, text)}, data=data, abi=HIGRESS)


def both(call: HostCall, raw: list[int], given: list[object], start: bool = False, **host: Any) -> list[list[object]]:
    """The transcripts of the call from Wasm and from Python."""
    found = []
    names = ("start", "start") if start else ("proxy_on_request_body", "on_request_body")
    for source in (wasm_calling(call, raw, names[0]), python_calling(call, given, names[1])):
        done = FilterHost(source, abi=HIGRESS, **host).exchange(body="body")
        found.append([record for record in shown(done.transcript) if isinstance(record, Called | Noted)])
    return found


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_every_host_call(call: HostCall) -> None:
    wasm, python = both(call, good(call), values(call))
    assert wasm == python and any(isinstance(record, Called) for record in wasm)


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_what_is_restricted(call: HostCall) -> None:
    """By the capability list, and while starting."""
    wasm, python = both(call, good(call), values(call), allowed_capabilities=["proxy_on_request_body"])
    assert wasm == python
    wasm, python = both(call, good(call), values(call), start=True)
    assert wasm == python


def test_calls_that_trap_in_a_profile() -> None:
    chosen = profile("default", trapping_calls=PROFILES["nginx"].trapping_calls)
    for name in sorted(chosen.trapping_calls):
        call = REGISTRY.calls[name]
        for source in (wasm_calling(call, good(call)), python_calling(call, values(call))):
            done = FilterHost(source, abi=HIGRESS, profile=chosen).exchange(body="body")
            assert [r.message for r in done.transcript if isinstance(r, Broke)], name
            assert done.trap and done.trap.message.endswith(f"{name}: function not yet implemented")


@pytest.mark.parametrize("call", [c for c in CALLS if any(p.enum for p in c.params)], ids=ids)
def test_a_number_that_is_no_member_is_a_bad_argument(call: HostCall) -> None:
    given = [99 if param.enum else value for param, value in zip(call.params, values(call), strict=True)]
    caught: list[Status] = []

    class Asks:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, *args: int) -> None:
            try:
                getattr(self.host, call.name)(*given)
            except HostError as error:
                caught.append(error.status)

    FilterHost(Asks, abi=HIGRESS).exchange()
    assert caught == [Status.BAD_ARGUMENT]


def test_what_goes_wrong_in_the_constructor_is_a_failed_start() -> None:
    def fails(host: HostCalls) -> object:
        raise RuntimeError("not today")

    with pytest.raises(LoadError, match="RuntimeError: not today"):
        FilterHost(fails)
    with pytest.raises(LoadError, match="restricted_callback: proxy_define_metric during start-up"):
        FilterHost(lambda host: host.define_metric(0, b"m"), profile=PROFILES["envoy"])


def test_there_is_no_call_of_this_name() -> None:
    class Asks:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, *args: int) -> None:
            self.host.make_coffee()

    done = FilterHost(Asks).exchange()
    assert done.trap and "there is no host call 'make_coffee'" in done.trap.message


def test_names_with_and_without_their_prefix() -> None:
    class Logs:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, *args: int) -> bool:
            self.host.log(2, b"short")
            self.host.proxy_log(2, b"long")
            assert self.host.get_buffer_status(7) == (1, 0), "two outputs are a tuple"
            return False

    assert FilterHost(Logs, config="c", profile=Profile()).exchange().log_lines == ["short", "long"]
