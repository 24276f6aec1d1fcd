"""What was observed, as plain values under the names of `tamis run --json`: what expectations are held against.

A stage (`stage.Stage`) makes one `Observation` for the start, for each step and for the end; what it cannot see it
names in `unseen`, and expectations of these names are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from hostabi.adapters.message import Message
from hostabi.adapters.streams import MadeCall
from hostabi.core.commands import LocalReply, Log
from hostabi.core.transcript import Called, Entered, Record
from hostabi.scenario.matchers import data_value


@dataclass(slots=True)
class TcpView:
    """A connection as it is at a moment: what came out at both ends."""

    upstream: bytes | None = None
    downstream: bytes = b""
    upstream_end: bool = False
    downstream_end: bool = False
    closed: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class StreamView:
    """A stream as it is at a moment."""

    request: Message | None = None
    response: Message | None = None
    local_response: LocalReply | None = None
    reset: str | None = None
    paused: frozenset[str] = frozenset()
    """What of "request" and "response", or of "downstream" and "upstream", the filters hold back."""
    tcp: TcpView | None = None
    """When it is a connection."""


@dataclass(slots=True)
class State:
    """What lasts: metrics, shared data, what filters stored with the stream, memory."""

    metrics: Mapping[str, int | list[int]] = field(default_factory=dict)
    shared_data: Mapping[str, bytes] = field(default_factory=dict)
    properties: Mapping[str, bytes] = field(default_factory=dict)
    pages: int | None = None


@dataclass(slots=True)
class Observation:
    """What happened in a step, and how things are after it."""

    stream: StreamView = field(default_factory=StreamView)
    logs: list[Log] = field(default_factory=list)
    calls: list[MadeCall] = field(default_factory=list)
    transcript: list[Record] = field(default_factory=list)
    trap: str | None = None
    """The message of the first filter that failed."""
    report: str = ""
    """The same for people, with its backtrace."""
    fuel: int = 0
    state: State = field(default_factory=State)
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of filters by the key that logs and calls carry."""
    unseen: frozenset[str] = frozenset()
    """Keys of `expect` about which this stage knows nothing, such as `fuel` on another host."""

    @property
    def host_calls(self) -> list[Called]:
        """The calls of the host, runtimes' own (WASI) included."""
        return [record for record in self.transcript if isinstance(record, Called)]

    @property
    def callbacks(self) -> list[str]:
        """The callbacks by name."""
        return [record.callback for record in self.transcript if isinstance(record, Entered)]

    def name_of(self, plugin: str) -> str:
        """The name of a filter."""
        return self.names.get(plugin, plugin)


def together(parts: list[Observation]) -> Observation:
    """The observations of a case's steps as one: all that happened, and how things were at the end."""
    if not parts:
        return Observation()
    last = parts[-1]
    first_trap = next((part for part in parts if part.trap is not None), None)
    return Observation(
        last.stream,
        [log for part in parts for log in part.logs],
        [call for part in parts for call in part.calls],
        [record for part in parts for record in part.transcript],
        first_trap.trap if first_trap else None,
        first_trap.report if first_trap else "",
        sum(part.fuel for part in parts),
        last.state,
        last.names,
        last.unseen,
    )


def plain(value: object) -> object:
    """A value of a transcript as it is written in a file: enumerations by name, bytes as text, headers as pairs."""
    match value:
        case IntEnum():
            return value.name
        case bytes():
            return data_value(value)
        case tuple() | list():
            return [plain(one) for one in value]
        case _:
            return value
