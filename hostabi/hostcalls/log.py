"""Logging (abi_reference 8.1)."""

from __future__ import annotations

from hostabi.abi.enums import LogLevel
from hostabi.abi.hostcall import SINCE_0_2_1, Bytes, OutU32, Phase, hostcall
from hostabi.core.context import VmState


@hostcall("proxy_log", phases=Phase.LINK | Phase.START | Phase.ALLOCATE)
def log(vm: VmState, level: LogLevel, message: Bytes) -> None:
    """Write a line to the log; below the threshold it is dropped, which is OK too."""
    vm.log(level, message)


@hostcall("proxy_get_log_level", versions=SINCE_0_2_1, phases=Phase.LINK | Phase.START)
def get_log_level(vm: VmState) -> OutU32:
    """The lowest level that is logged."""
    return vm.log_threshold
