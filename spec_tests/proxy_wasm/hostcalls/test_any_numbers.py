"""Any host call with any numbers answers a status that the reference page lists, and leaves the host in one piece."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostabi import Status
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY
from hostabi.core.transcript import Called
from hostabi.testing import FilterHost
from hostabi.testing.answers import answers
from hostabi.testing.wat import small_filter

CALLS = sorted(REGISTRY.calls)
EDGES = [0, 1, 2, 3, 4, 7, 8, 9, 10, 64, 1024, 65532, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(0, 0xFFFFFFFF), st.integers(0, 70000))


@cache
def host(engine: str) -> FilterHost:
    """A filter whose body callback makes the host call that memory says, with numbers from memory."""
    arms = []
    for i, name in enumerate(CALLS):
        params = REGISTRY.calls[name].wasm_params()
        args = " ".join(f"({t}.load (i32.const {200 + 8 * k}))" for k, t in enumerate(params))
        arms.append(f"(if (i32.eq (i32.load (i32.const 192)) (i32.const {i})) (then (drop (call ${name} {args}))))")
    text = small_filter({"proxy_on_request_body": " ".join(arms) + " (i32.const 0)"}, abi=AbiVersion.V0_2_100)
    return FilterHost(text, engine=engine)


@cache
def statuses(name: str) -> frozenset[Status]:
    """What the reference page says that a call answers."""
    return answers(REGISTRY.calls[name]).statuses


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(range(len(CALLS))), numbers=st.lists(NUMBERS, min_size=12, max_size=12))
def test_any_numbers(engine: str, call: int, numbers: list[int]) -> None:
    filter_host = host(engine)
    memory = filter_host.plugins[0].vm.guest.memory
    memory.write(0, bytes(65536))
    memory.write(192, call.to_bytes(8, "little"))
    memory.write(200, b"".join(n.to_bytes(8, "little") for n in numbers))
    done = filter_host.exchange(body="some body")
    assert done.trap is None, done.trap
    made = [r for r in done.transcript if isinstance(r, Called) and r.function == CALLS[call]]
    assert len(made) == 1
    assert Status(made[0].result or 0) in {Status.OK, *statuses(CALLS[call])}
