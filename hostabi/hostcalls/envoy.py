"""Calls that only Envoy has (abi_reference 11.2)."""

from __future__ import annotations

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import Bytes, HostError, OutToken, hostcall
from hostabi.core.context import VmState


@hostcall("envoy_resolve_dns")
def resolve_dns(vm: VmState, name: Bytes) -> OutToken:
    """Look up a host name; INTERNAL_FAILURE, as this host resolves none for guests."""
    raise HostError(Status.INTERNAL_FAILURE, f"no resolver for {name.decode('utf-8', 'replace')!r}")
