"""The private calls of Higress, marker 0_2_100 (abi_reference 11.4). The services behind them are not there: 10."""

from __future__ import annotations

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import HIGRESS, U32, Bytes, HostError, OutPairs, OutToken, hostcall
from hostabi.core.context import VmState


@hostcall("proxy_redis_init", versions=HIGRESS)
def redis_init(vm: VmState, service: Bytes, user: Bytes, password: Bytes, timeout_ms: U32) -> None:
    """Connect to a Redis service; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, "this host has no Redis client")


@hostcall("proxy_redis_call", versions=HIGRESS)
def redis_call(vm: VmState, service: Bytes, query: Bytes) -> OutToken:
    """Send a query in RESP; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, "this host has no Redis client")


@hostcall("proxy_inject_encoded_data_to_filter_chain", versions=HIGRESS)
def inject_encoded_data(vm: VmState, data: Bytes, end_stream: U32) -> None:
    """Push bytes of a response downstream while it is paused; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, "response bytes cannot be injected")


@hostcall("proxy_get_upstream_hosts", versions=HIGRESS)
def get_upstream_hosts(vm: VmState) -> OutPairs:
    """Hosts of the chosen upstream as address and details; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, "the hosts of the upstream are not known here")


@hostcall("proxy_set_upstream_override_host", versions=HIGRESS)
def set_upstream_override_host(vm: VmState, address: Bytes) -> None:
    """Choose a host of the upstream; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, "the host of the upstream cannot be chosen here")
