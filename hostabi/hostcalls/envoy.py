"""Calls that only Envoy has (abi_reference 11.2)."""

from __future__ import annotations

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import Bytes, HostError, OutToken, hostcall
from hostabi.core.commands import ResolveDns
from hostabi.core.context import VmState


@hostcall("envoy_resolve_dns")
def resolve_dns(vm: VmState, name: Bytes) -> OutToken:
    """Look a host name up; the answer comes to the plugin as envoy_on_resolve_dns with this token.

    INTERNAL_FAILURE when too many are under way.
    """
    if len(vm.lookups) >= vm.limits.outstanding_calls:
        raise HostError(Status.INTERNAL_FAILURE, "too many names are being looked up")
    root = vm.root
    token = vm.new_lookup(root)
    vm.emit(ResolveDns(root.plugin, token, name.decode("utf-8", "surrogateescape")))
    return token
