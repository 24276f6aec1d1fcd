"""The transcript: every crossing between host and guest, in order, as plain values that are the same in every run."""

from __future__ import annotations

from hostabi.abi.values import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a transcript; `plugin` is the key of the plugin at work, or "" before there is one."""

    plugin: str


@dataclass(frozen=True, slots=True)
class Entered(Record):
    """The host calls the guest. `args` are (name, value)."""

    callback: str
    args: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Left(Record):
    """The guest's call returned `result` after so much fuel."""

    callback: str
    result: int | None
    fuel: int


@dataclass(frozen=True, slots=True)
class Called(Record):
    """The guest called the host: inputs by name, status (a host call) or result (a raw function), outputs."""

    function: str
    args: tuple[tuple[str, object], ...]
    result: int | None
    outputs: tuple[object, ...] = ()
    is_status: bool = True


@dataclass(frozen=True, slots=True)
class Broke(Record):
    """The guest's call ended in a trap; `frames` are the lines of its backtrace."""

    callback: str
    message: str
    frames: tuple[str, ...]
    fuel: int


@dataclass(frozen=True, slots=True)
class Noted(Record):
    """A remark of the host: a stub that was called, a status that may surprise the guest."""

    message: str
