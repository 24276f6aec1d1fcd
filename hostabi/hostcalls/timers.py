"""The clock and the tick (abi_reference 8.1)."""

from __future__ import annotations

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import U32, HostError, OutU64, Phase, hostcall
from hostabi.core.commands import SetTimer
from hostabi.core.context import RootContext, VmState


@hostcall("proxy_get_current_time_nanoseconds", phases=Phase.LINK | Phase.START | Phase.ALLOCATE)
def get_current_time_nanoseconds(vm: VmState) -> OutU64:
    """The wall clock, ns since 1970."""
    return vm.clock.read()


@hostcall("proxy_set_tick_period_milliseconds")
def set_tick_period_milliseconds(vm: VmState, period: U32) -> None:
    """Run proxy_on_tick of the calling context's plugin so often, first after one full period; 0 stops it."""
    root = vm.root
    if vm.profile.tick_on_root_only and vm.traffic is not None:
        raise HostError(Status.BAD_ARGUMENT, "the period can be set on the plugin's own context only")
    if vm.profile.tick_set_once and period and root.tick_period_ms:
        raise HostError(Status.BAD_ARGUMENT, "the period is set already")
    root.tick_period_ms = period
    arm_tick(vm, root)


def arm_tick(vm: VmState, root: RootContext) -> None:
    """Ask for the plugin's next tick, one period from now."""
    deadline = vm.clock.peek() + root.tick_period_ms * 1_000_000 if root.tick_period_ms else None
    vm.emit(SetTimer(root.plugin, deadline))
