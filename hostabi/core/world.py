"""The world that raw functions of a filter see (abi.hostcall.GuestEnv)."""

from __future__ import annotations

from collections.abc import Sequence

from hostabi.abi.enums import LogLevel
from hostabi.abi.marshal import GuestMemory
from hostabi.core.context import VmState


class FilterWorld:
    """GuestEnv of a filter: injected clock and entropy, no arguments, files or input; output goes to the log."""

    def __init__(self, state: VmState) -> None:
        self._state = state
        self.args: Sequence[bytes] = ()
        self.preopens: Sequence[tuple[str, str]] = ()

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory now."""
        return self._state.memory

    @property
    def environ(self) -> Sequence[tuple[bytes, bytes]]:
        """The configured environment."""
        return self._state.environ

    def time_ns(self) -> int:
        """Wall clock, ns since 1970."""
        return self._state.clock.read()

    def monotonic_ns(self) -> int:
        """ns since the VM's first event."""
        return self._state.clock.read_monotonic()

    def sleep_ns(self, duration: int) -> None:
        """Move the clock."""
        self._state.clock.sleep(duration)

    def random(self, n: int) -> bytes:
        """n bytes of entropy."""
        return self._state.entropy.take(n)

    def write_output(self, fd: int, data: bytes) -> None:
        """A line for the log."""
        text = data.removesuffix(b"\n")
        if text:
            self._state.log(LogLevel.ERROR if fd == 2 else LogLevel.INFO, text)

    def read_input(self, n: int) -> bytes:
        """Nothing."""
        return b""
