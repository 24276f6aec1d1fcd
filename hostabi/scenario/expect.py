"""What a test expects: the models of `expect`. Names are those of `tamis run --json`; what is not named is free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

import hostabi.hostcalls  # noqa: F401  (fills the registry)
from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.enums import LogLevel, Status
from hostabi.abi.grpc import GrpcStatus
from hostabi.abi.hostcall import REGISTRY
from hostabi.core.faults import ALLOCATOR
from hostabi.hostcalls.wasi import SIGNATURES
from hostabi.scenario.fields import BY_SHAPE, Model, Text
from hostabi.scenario.matchers import Match, Matcher, Matches, Number, NumberMatcher

Level = Literal["trace", "debug", "info", "warn", "error", "critical"]
LEVELS: dict[str, LogLevel] = {level.name.lower(): level for level in LogLevel}


def _call_name(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("the name of a host call is wanted here, such as proxy_log")
    known = REGISTRY.calls.keys() | REGISTRY.raw.keys() | SIGNATURES.keys()
    for name in (value, f"proxy_{value}"):
        if name in known:
            return name
    raise ValueError(f"there is no host call {value!r}")


def _callback_name(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("the name of a callback is wanted here, such as proxy_on_tick")
    for name in (value, f"proxy_{value}"):
        if name in CALLBACKS:
            return name
    raise ValueError(f"there is no callback {value!r}")


def _fault_name(value: object) -> object:
    return value if value == ALLOCATOR else _call_name(value)


CallName = Annotated[str, BeforeValidator(_call_name)]
FaultName = Annotated[str, BeforeValidator(_fault_name)]
"""A host call, or the guest's allocator."""
CallbackName = Annotated[str, BeforeValidator(_callback_name)]


def _status(value: object) -> object:
    if isinstance(value, str):
        if value not in Status.__members__:
            raise ValueError(f"there is no status {value!r}; known are {', '.join(Status.__members__)}")
        return int(Status[value])
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a status is wanted here: OK, NOT_FOUND, ... or a number")
    return int(value)


StatusName = Annotated[int, BeforeValidator(_status)]
"""A status of a host call by name or number."""


def _grpc_status(value: object) -> object:
    if isinstance(value, str):
        if value not in GrpcStatus.__members__:
            raise ValueError(f"there is no status {value!r}; known are {', '.join(GrpcStatus.__members__)}")
        return int(GrpcStatus[value])
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a gRPC status is wanted here: OK, NOT_FOUND, ... or a number")
    return int(value)


GrpcStatusName = Annotated[int, BeforeValidator(_grpc_status), WithJsonSchema({"type": ["string", "integer"]})]
"""A gRPC status by name or number."""


# --- messages --------------------------------------------------------------------------------------------------------


class _MessageExpect(Model):
    headers: dict[Text, Matches] | None = Field(None, description="Headers by name; others are free.")
    body: Match | None = Field(None, description="The whole body so far.")
    trailers: dict[Text, Matches] | None = Field(None, description="Trailers by name.")
    complete: bool | None = Field(None, description="Whether its end has left.")


class RequestExpect(_MessageExpect):
    """The request as it went to the upstream."""

    method: Match | None = None
    path: Match | None = None
    authority: Match | None = None
    scheme: Match | None = None


class ResponseExpect(_MessageExpect):
    """The response as it went to the client."""

    status: Number | None = None


class LocalResponseExpect(Model):
    """The response that the filter made itself."""

    status: Number | None = None
    headers: dict[Text, Matches] | None = None
    body: Match | None = None
    details: Match | None = None
    grpc_status: Number | None = None


class TcpExpect(Model):
    """What has become of a connection."""

    null_means: ClassVar[frozenset[str]] = frozenset({"upstream", "closed", "reason"})

    upstream: Annotated[Text | Matcher | None, BY_SHAPE] = Field(
        None, description="All bytes that went to the upstream so far; null: it was not even connected."
    )
    downstream: Match | None = Field(None, description="All bytes that went to the client so far.")
    upstream_end: bool | None = Field(None, description="Whether the upstream was told that no more comes.")
    downstream_end: bool | None = Field(None, description="Whether the client was told that no more comes.")
    closed: Literal["local", "remote"] | None = Field(
        None, description="Whether it was closed by the proxy or by the client, as filters are told; null: it is open."
    )
    reason: Annotated[Text | Matcher | None, BY_SHAPE] = Field(None, description="Why it was closed.")


# --- what the filter did ---------------------------------------------------------------------------------------------


class LogExpect(Model):
    """One line of the log."""

    message: Match | None = Field(None, description="Its text.")
    level: Level | None = None
    filter: Text | None = Field(None, description="The filter that wrote it.")


class LogsExpect(Model):
    """Lines of the log, and what must not be in it."""

    lines: list[Annotated[Text | LogExpect, BY_SHAPE]] | None = Field(
        None, description="Lines that are there in this order; others may stand between them."
    )
    none_above: Level | None = Field(None, description="No line has a higher level.")
    none: list[Match] | None = Field(None, description="No line is like one of these.")


class CallExpect(Model):
    """A call that the filter made: an HTTP call, or a gRPC call or stream."""

    upstream: Match | None = Field(None, description="The cluster.")
    service: Match | None = Field(None, description="The service of a gRPC call.")
    method: Match | None = Field(None, description="The method: GET, or of a gRPC call its name.")
    path: Match | None = Field(None, description="The path; of a gRPC call /service/method.")
    authority: Match | None = None
    headers: dict[Text, Matches] | None = Field(None, description="The headers; of a gRPC call its metadata.")
    body: Match | None = Field(None, description="The body; of a gRPC call its first message.")
    messages: list[Match] | None = Field(None, description="The messages of a gRPC call so far, all of them.")
    ended: bool | None = Field(None, description="Whether the filter sends no more on a gRPC stream.")
    cancelled: bool | None = Field(None, description="Whether the filter has given up a gRPC call.")
    trailers: dict[Text, Matches] | None = Field(None, description="The trailers of an HTTP call.")
    timeout_ms: Number | None = None
    filter: Text | None = None


class HostCallExpect(Model):
    """A call of the host."""

    call: CallName
    args: dict[str, Any] | None = Field(None, description="Inputs by name: text, numbers, enumerations by name.")
    status: StatusName | None = Field(None, description="Its answer: OK, NOT_FOUND, ...")
    outputs: list[Any] | None = Field(None, description="What it gave back.")
    filter: Text | None = None


HostCall = Annotated[CallName | HostCallExpect, BY_SHAPE]


class HostCallsExpect(Model):
    """Calls of the host, in some order or none, and calls that are not made."""

    ordered: list[HostCall] | None = Field(None, description="Made in this order; others may stand between them.")
    unordered: list[HostCall] | None = Field(None, description="Made, in whatever order.")
    none: list[CallName] | None = Field(None, description="Not made.")


class Expect(Model):
    """What must have come of a step, or of a whole case; what is not named is free.

    `request`, `response`, `local_response`, `tcp`, `reset` and `paused` are about the step's stream, as it is by then;
    `logs`, `calls`, `host_calls`, `callbacks`, `fuel` and `trap` about what happened in the step (or in the case);
    `metrics`, `shared_data`, `properties` and `pages` about the state after it.
    """

    null_means: ClassVar[frozenset[str]] = frozenset({"request", "response", "local_response", "reset", "trap"})

    request: Annotated[RequestExpect | None, BY_SHAPE] = Field(
        None, description="What went to the upstream; null: nothing did."
    )
    response: Annotated[ResponseExpect | None, BY_SHAPE] = Field(
        None, description="What went to the client; null: nothing did."
    )
    local_response: Annotated[LocalResponseExpect | None, BY_SHAPE] = Field(
        None, description="The filter's own response; null: it made none."
    )
    tcp: TcpExpect | None = Field(None, description="What has become of the connection.")
    paused: Literal["request", "response", "downstream", "upstream"] | bool | None = Field(
        None, description="Whether the filters hold something back, or in which direction."
    )
    reset: Annotated[Text | Matcher | None, BY_SHAPE] = Field(
        None, description="Why the stream was reset; null: it was not."
    )
    logs: Annotated[list[Annotated[Text | LogExpect, BY_SHAPE]] | LogsExpect, BY_SHAPE] | None = Field(
        None, description="Lines that are logged, in this order; an empty list: none at all."
    )
    calls: list[Annotated[Text | CallExpect, BY_SHAPE]] | None = Field(
        None, description="The HTTP and gRPC calls that are made, all of them, in order; text is the cluster."
    )
    host_calls: Annotated[list[HostCall] | HostCallsExpect, BY_SHAPE] | None = Field(
        None, description="Calls of the host, in this order; an empty list: none at all."
    )
    callbacks: list[CallbackName] | None = Field(None, description="The callbacks, all of them, in order.")
    metrics: dict[Text, Annotated[int | NumberMatcher | list[int], BY_SHAPE]] | None = Field(
        None, description="Metrics by name: a value, of a histogram the list of samples."
    )
    shared_data: dict[Text, Match] | None = Field(None, description="Shared data by key.")
    properties: dict[Text, Match] | None = Field(None, description="What filters stored with the stream, by path.")
    trap: Annotated[Text | Matcher | None, BY_SHAPE] = Field(
        None, description="The message of the trap; null: there was none."
    )
    fuel: Number | None = Field(None, description="Ticks used.")
    pages: Number | None = Field(None, description="Pages of the first filter's memory.")
