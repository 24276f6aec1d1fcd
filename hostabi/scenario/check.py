"""Holds an expectation against an observation: the differences, each with the path of the key it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import Status
from hostabi.abi.resp import read_command
from hostabi.adapters.grpc_message import GrpcRecord
from hostabi.adapters.message import Message
from hostabi.adapters.streams import MadeCall
from hostabi.core.commands import Log, RedisCall, StartCall
from hostabi.core.transcript import Called
from hostabi.scenario.expect import (
    LEVELS,
    CallExpect,
    Expect,
    HostCallExpect,
    HostCallsExpect,
    LocalResponseExpect,
    LogExpect,
    LogsExpect,
    RequestExpect,
    ResponseExpect,
    TcpExpect,
)
from hostabi.scenario.matchers import Matcher, NumberMatcher, as_text, data_value, matches, number_matches
from hostabi.scenario.observe import Observation, TcpView, plain
from hostabi.scenario.places import Loc

_NOT_THERE = "not there, after the ones before it"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as expected. `loc` is the path of the key below `expect`."""

    loc: Loc
    wanted: object
    """What the file says, as plain data."""
    observed: object
    """What there was, as plain data that could stand in its place; None where there was nothing."""
    note: str = ""


@dataclass(slots=True)
class Accounted:
    """Which things of an observation were expected, by identity: what `strict` leaves is the rest."""

    logs: set[int] = field(default_factory=set)
    calls: set[int] = field(default_factory=set)
    host_calls: set[int] = field(default_factory=set)

    def add(self, other: Accounted) -> None:
        """Take in what another expectation accounted for."""
        self.logs |= other.logs
        self.calls |= other.calls
        self.host_calls |= other.host_calls


def check(expect: Expect, seen: Observation) -> tuple[list[Difference], Accounted]:
    """The differences between what was expected and what was seen, and what the expectation accounts for."""
    accounted = Accounted()
    found: list[Difference] = []
    stream = seen.stream
    if expect.given("request"):
        found += _request(expect.request, stream.request)
    if expect.given("response"):
        found += _response(expect.response, stream.response)
    if expect.given("local_response"):
        found += _local(expect.local_response, seen)
    if expect.tcp is not None:
        found += _tcp(expect.tcp, stream.tcp)
    if expect.paused is not None:
        found += _paused(expect.paused, stream.paused)
    if expect.given("reset"):
        found += _text(("reset",), expect.reset, stream.reset)
    if expect.given("trap"):
        found += _text(("trap",), expect.trap, seen.trap)
    if expect.logs is not None:
        found += _logs(expect.logs, seen, accounted)
    if expect.calls is not None:
        found += _calls(expect.calls, seen, accounted)
    if expect.host_calls is not None:
        found += _host_calls(expect.host_calls, seen, accounted)
    if expect.callbacks is not None and expect.callbacks != seen.callbacks:
        found.append(Difference(("callbacks",), expect.callbacks, seen.callbacks))
    found += _state(expect, seen)
    return [one for one in found if one.loc[0] not in seen.unseen], accounted


def unexpected(seen: Observation, accounted: Accounted) -> Iterator[Difference]:
    """What `strict` forbids: log lines, HTTP calls and host calls that nothing expected.

    A log line accounts for the proxy_log behind it and a call for the host call that began it; WASI is the runtime's.
    """
    for log in seen.logs:
        if id(log) not in accounted.logs:
            yield Difference(("strict",), None, log_data(log), "a log line that nothing expects")
    for call in seen.calls:
        if id(call) not in accounted.calls:
            yield Difference(("strict",), None, call_data(call), "a call that nothing expects")
    for made in seen.host_calls:
        logged = made.function in ("proxy_log", "proxy_http_call", "proxy_grpc_call", "proxy_grpc_stream")
        if made.is_status and not logged and id(made) not in accounted.host_calls:
            yield Difference(("strict",), None, host_call_data(made), "a host call that nothing expects")


# --- parts -----------------------------------------------------------------------------------------------------------


def wanted_data(wanted: object) -> object:
    """An expectation as plain data."""
    if isinstance(wanted, BaseModel):
        return {
            (type(wanted).model_fields[name].alias or name): wanted_data(getattr(wanted, name))
            for name in type(wanted).model_fields
            if name in wanted.model_fields_set
        }
    if isinstance(wanted, list | tuple):
        return [wanted_data(one) for one in wanted]
    if isinstance(wanted, dict):
        return {key: wanted_data(one) for key, one in wanted.items()}
    return wanted


def _text(loc: Loc, wanted: Matcher | str | None, value: str | bytes | None) -> Iterator[Difference]:
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    fine = data is None if wanted is None else matches(wanted, data)
    if not fine:
        yield Difference(loc, wanted_data(wanted), None if data is None else data_value(data))


def _number(loc: Loc, wanted: NumberMatcher | int | None, value: int | None) -> Iterator[Difference]:
    if wanted is not None and not number_matches(wanted, value):
        yield Difference(loc, wanted_data(wanted), value)


def _headers(loc: Loc, wanted: dict[str, Any] | None, pairs: HeaderPairs) -> Iterator[Difference]:
    for name, expected in (wanted or {}).items():
        values = [value for key, value in pairs if key == name.lower().encode()]
        if not _header_matches(expected, values):
            shown = [data_value(value) for value in values]
            yield Difference((*loc, name), wanted_data(expected), shown[0] if len(shown) == 1 else shown or None)


def _header_matches(expected: Any, values: list[bytes]) -> bool:
    if isinstance(expected, list):
        return len(expected) == len(values) and all(map(matches, expected, values))
    if not values:
        return matches(expected, None)
    return len(values) == 1 and matches(expected, values[0])


def _one(pairs: HeaderPairs, name: bytes) -> bytes | None:
    return next((value for key, value in pairs if key == name), None)


def _message_parts(
    loc: Loc, expect: RequestExpect | ResponseExpect | LocalResponseExpect | CallExpect, pairs: HeaderPairs, body: bytes
) -> Iterator[Difference]:
    for name in ("method", "path", "authority", "scheme"):
        wanted = getattr(expect, name, None)
        if wanted is not None:
            yield from _text((*loc, name), wanted, _one(pairs, b":" + name.encode()))
    yield from _headers((*loc, "headers"), expect.headers, pairs)
    if expect.body is not None:
        yield from _text((*loc, "body"), expect.body, body)


def _request(expect: RequestExpect | None, message: Message | None) -> Iterator[Difference]:
    yield from _message(("request",), expect, message, "nothing went to the upstream")


def _response(expect: ResponseExpect | None, message: Message | None) -> Iterator[Difference]:
    if expect is not None and message is not None:
        yield from _number(("response", "status"), expect.status, message.status)
    yield from _message(("response",), expect, message, "nothing went to the client")


def _message(
    loc: Loc, expect: RequestExpect | ResponseExpect | None, message: Message | None, nothing: str
) -> Iterator[Difference]:
    if expect is None:
        if message is not None:
            yield Difference(loc, None, message_data(message, loc[0] == "request"))
        return
    if message is None:
        yield Difference(loc, wanted_data(expect), None, nothing)
        return
    yield from _message_parts(loc, expect, message.headers, message.body)
    yield from _headers((*loc, "trailers"), expect.trailers, message.trailers)
    if expect.complete is not None and expect.complete is not message.complete:
        yield Difference((*loc, "complete"), expect.complete, message.complete)


def _local(expect: LocalResponseExpect | None, seen: Observation) -> Iterator[Difference]:
    reply = seen.stream.local_response
    loc: Loc = ("local_response",)
    if expect is None or reply is None:
        if (expect is None) != (reply is None):
            shown = None if reply is None else {"status": reply.status, "details": reply.details}
            yield Difference(loc, wanted_data(expect), shown, "" if reply else "no filter has answered by itself")
        return
    yield from _number((*loc, "status"), expect.status, reply.status)
    yield from _message_parts(loc, expect, reply.headers, reply.body)
    if expect.details is not None:
        yield from _text((*loc, "details"), expect.details, reply.details)
    yield from _number((*loc, "grpc_status"), expect.grpc_status, reply.grpc_status)


def _tcp(expect: TcpExpect, seen: TcpView | None) -> Iterator[Difference]:
    loc: Loc = ("tcp",)
    if seen is None:
        yield Difference(loc, wanted_data(expect), None, "this is no connection")
        return
    if expect.given("upstream"):
        yield from _text((*loc, "upstream"), expect.upstream, seen.upstream)
    if expect.downstream is not None:
        yield from _text((*loc, "downstream"), expect.downstream, seen.downstream)
    for name in ("upstream_end", "downstream_end"):
        wanted = getattr(expect, name)
        if wanted is not None and wanted is not getattr(seen, name):
            yield Difference((*loc, name), wanted, getattr(seen, name))
    if expect.given("closed") and expect.closed != seen.closed:
        yield Difference((*loc, "closed"), expect.closed, seen.closed)
    if expect.given("reason"):
        yield from _text((*loc, "reason"), expect.reason, seen.reason)


def _paused(wanted: str | bool, paused: frozenset[str]) -> Iterator[Difference]:
    fine = wanted in paused if isinstance(wanted, str) else bool(paused) is wanted
    if not fine:
        yield Difference(("paused",), wanted, min(paused) if len(paused) == 1 else bool(paused))


def _in_order(wanted: Sequence[Any], there: Sequence[Any], fits: Any) -> tuple[list[int], int | None]:
    """Where each of `wanted` is found, in order; and the first one that is not."""
    found: list[int] = []
    at = 0
    for i, one in enumerate(wanted):
        place = next((j for j in range(at, len(there)) if fits(one, there[j])), None)
        if place is None:
            return found, i
        found.append(place)
        at = place + 1
    return found, None


# --- logs ------------------------------------------------------------------------------------------------------------


def log_data(log: Log) -> dict[str, object]:
    """A log line as it is written in a file."""
    return {"level": log.level.name.lower(), "message": as_text(log.message)}


def _log_fits(wanted: LogExpect | str, log: Log, seen: Observation) -> bool:
    if isinstance(wanted, str):
        return as_text(log.message) == wanted
    return (
        (wanted.message is None or matches(wanted.message, log.message))
        and (wanted.level is None or LEVELS[wanted.level] == log.level)
        and (wanted.filter is None or wanted.filter == seen.name_of(log.plugin))
    )


def _logs(expect: list[LogExpect | str] | LogsExpect, seen: Observation, accounted: Accounted) -> Iterator[Difference]:
    whole = [log_data(log) for log in seen.logs]
    lines = expect if isinstance(expect, list) else expect.lines
    loc: Loc = ("logs",) if isinstance(expect, list) else ("logs", "lines")
    if lines is not None:
        if not lines and whole:
            yield Difference(loc, [], whole)
        found, missing = _in_order(lines, seen.logs, lambda wanted, log: _log_fits(wanted, log, seen))
        accounted.logs |= {id(seen.logs[i]) for i in found}
        if missing is not None:
            yield Difference((*loc, missing), wanted_data(lines[missing]), whole, _NOT_THERE)
    if isinstance(expect, LogsExpect):
        yield from _log_limits(expect, seen)


def _log_limits(expect: LogsExpect, seen: Observation) -> Iterator[Difference]:
    if expect.none_above is not None:
        over = [log_data(log) for log in seen.logs if log.level > LEVELS[expect.none_above]]
        if over:
            yield Difference(("logs", "none_above"), expect.none_above, over)
    for i, wanted in enumerate(expect.none or []):
        hits = [log_data(log) for log in seen.logs if matches(wanted, log.message)]
        if hits:
            yield Difference(("logs", "none", i), wanted_data(wanted), hits)


# --- calls -----------------------------------------------------------------------------------------------------------


def call_data(call: MadeCall) -> dict[str, object]:
    """A call as it is written in a file."""
    if isinstance(call, GrpcRecord):
        return _grpc_data(call)
    pseudo = {as_text(key[1:]): data_value(value) for key, value in call.headers if key.startswith(b":")}
    data: dict[str, object] = {"upstream": call.upstream, **pseudo}
    headers = pairs_data(tuple(pair for pair in call.headers if not pair[0].startswith(b":")))
    if headers:
        data["headers"] = headers
    if call.body:
        data["body"] = data_value(call.body)
    return data | {"timeout_ms": call.timeout_ms}


def _grpc_data(call: GrpcRecord) -> dict[str, object]:
    command = call.command
    data: dict[str, object] = {"upstream": call.upstream, "service": command.service, "method": command.method}
    if command.metadata:
        data["headers"] = pairs_data(command.metadata)
    data["messages"] = [data_value(message) for message in call.messages]
    data |= {name: True for name in ("ended", "cancelled") if getattr(call, name) and not call.unary}
    return data | ({"timeout_ms": call.timeout_ms} if call.unary else {})


def call_differences(loc: Loc, wanted: Any, call: MadeCall, name: str) -> Iterator[Difference]:
    """How a call differs from what is wanted of it: a CallExpect, a CallMatch, or the cluster."""
    if isinstance(wanted, str):
        if call.upstream != wanted:
            yield Difference(loc, wanted, call.upstream)
        return
    if wanted.upstream is not None:
        yield from _text((*loc, "upstream"), wanted.upstream, call.upstream)
    if isinstance(call, GrpcRecord):
        yield from _grpc_differences(loc, wanted, call)
    else:
        yield from _http_differences(loc, wanted, call)
    if wanted.filter is not None and wanted.filter != name:
        yield Difference((*loc, "filter"), wanted.filter, name)


def _http_differences(loc: Loc, wanted: Any, call: StartCall) -> Iterator[Difference]:
    yield from _message_parts(loc, wanted, call.headers, call.body)
    for part in ("service", "messages", "ended", "cancelled"):
        if getattr(wanted, part, None) is not None:
            yield Difference((*loc, part), wanted_data(getattr(wanted, part)), None, "it is an HTTP call")
    if isinstance(wanted, CallExpect):
        yield from _headers((*loc, "trailers"), wanted.trailers, call.trailers)
        yield from _number((*loc, "timeout_ms"), wanted.timeout_ms, call.timeout_ms)


def _grpc_differences(loc: Loc, wanted: Any, call: GrpcRecord) -> Iterator[Difference]:
    """Of a gRPC call: `method` is its own, `path` is service and method, `headers` are its metadata."""
    command = call.command
    said = {"service": command.service, "method": command.method, "path": command.path}
    said["authority"] = command.authority or command.upstream
    for part, value in said.items():
        if getattr(wanted, part) is not None:
            yield from _text((*loc, part), getattr(wanted, part), value)
    yield from _headers((*loc, "headers"), wanted.headers, command.metadata)
    if wanted.body is not None:
        yield from _text((*loc, "body"), wanted.body, call.messages[0] if call.messages else None)
    if not isinstance(wanted, CallExpect):
        return
    if wanted.messages is not None:
        fits = len(wanted.messages) == len(call.messages) and all(map(matches, wanted.messages, call.messages))
        if not fits:
            shown = [data_value(message) for message in call.messages]
            yield Difference((*loc, "messages"), wanted_data(wanted.messages), shown)
    for part in ("ended", "cancelled"):
        if getattr(wanted, part) is not None and getattr(wanted, part) is not getattr(call, part):
            yield Difference((*loc, part), getattr(wanted, part), getattr(call, part))
    yield from _number((*loc, "timeout_ms"), wanted.timeout_ms, call.timeout_ms)


def redis_differences(wanted: Any, call: RedisCall, name: str) -> Iterator[Difference]:
    """How a query to Redis differs from what is wanted of it: a RedisMatch, or the cluster."""
    if isinstance(wanted, str):
        if call.upstream != wanted:
            yield Difference((), wanted, call.upstream)
        return
    words = b" ".join(read_command(call.query)).decode("utf-8", "surrogateescape")
    if wanted.upstream is not None:
        yield from _text(("upstream",), wanted.upstream, call.upstream)
    if wanted.command is not None:
        yield from _text(("command",), wanted.command, words)
    if wanted.filter is not None and wanted.filter != name:
        yield Difference(("filter",), wanted.filter, name)


def _calls(expect: list[CallExpect | str], seen: Observation, accounted: Accounted) -> Iterator[Difference]:
    for i, (wanted, call) in enumerate(zip(expect, seen.calls, strict=False)):
        accounted.calls.add(id(call))
        yield from call_differences(("calls", i), wanted, call, seen.name_of(call.plugin))
    if len(expect) != len(seen.calls):
        note = f"{len(expect)} expected, {len(seen.calls)} made"
        yield Difference(("calls",), wanted_data(expect), [call_data(call) for call in seen.calls], note)


# --- host calls ------------------------------------------------------------------------------------------------------


def host_call_data(call: Called) -> dict[str, object]:
    """A call of the host as it is written in a file."""
    data: dict[str, object] = {"call": call.function}
    if call.args:
        data["args"] = {name: plain(value) for name, value in call.args}
    if call.result is not None:
        data["status"] = Status(call.result).name if call.is_status and call.result in list(Status) else call.result
    if call.outputs:
        data["outputs"] = [plain(value) for value in call.outputs]
    return data


def _host_call_fits(wanted: HostCallExpect | str, call: Called, seen: Observation) -> bool:
    if isinstance(wanted, str):
        return call.function == wanted
    args = dict(call.args)
    return (
        call.function == wanted.call
        and (wanted.status is None or wanted.status == call.result)
        and all(name in args and _value_fits(one, args[name]) for name, one in (wanted.args or {}).items())
        and (
            wanted.outputs is None
            or (len(wanted.outputs) == len(call.outputs) and all(map(_value_fits, wanted.outputs, call.outputs)))
        )
        and (wanted.filter is None or wanted.filter == seen.name_of(call.plugin))
    )


def _value_fits(wanted: object, value: object) -> bool:
    shown = plain(value)
    if isinstance(wanted, dict):
        data = value if isinstance(value, bytes) else json.dumps(shown, ensure_ascii=False).encode()
        return matches(Matcher.model_validate(wanted), data)
    if isinstance(value, bytes):
        return isinstance(wanted, str | int | float) and matches(str(getattr(wanted, "text", wanted)), value)
    if isinstance(wanted, list) and isinstance(shown, list):
        return len(wanted) == len(shown) and all(map(_same_shown, wanted, shown))
    return wanted == shown or (isinstance(value, int) and not isinstance(wanted, bool) and wanted == int(value))


def _same_shown(wanted: object, shown: object) -> bool:
    if isinstance(wanted, list) and isinstance(shown, list):
        return len(wanted) == len(shown) and all(map(_same_shown, wanted, shown))
    return wanted == shown or str(getattr(wanted, "text", wanted)) == shown


def _host_calls(
    expect: list[HostCallExpect | str] | HostCallsExpect, seen: Observation, accounted: Accounted
) -> Iterator[Difference]:
    made = seen.host_calls
    whole = [host_call_data(call) for call in made if call.is_status]
    ordered = expect if isinstance(expect, list) else expect.ordered
    loc: Loc = ("host_calls",) if isinstance(expect, list) else ("host_calls", "ordered")
    if ordered is not None:
        if not ordered and whole:
            yield Difference(loc, [], whole)
        found, missing = _in_order(ordered, made, lambda wanted, call: _host_call_fits(wanted, call, seen))
        accounted.host_calls |= {id(made[i]) for i in found}
        if missing is not None:
            yield Difference((*loc, missing), wanted_data(ordered[missing]), whole, _NOT_THERE)
    if isinstance(expect, HostCallsExpect):
        yield from _unordered(expect, seen, made, whole, accounted)


def _unordered(
    expect: HostCallsExpect, seen: Observation, made: list[Called], whole: list[dict[str, object]], accounted: Accounted
) -> Iterator[Difference]:
    left = list(made)
    for i, wanted in enumerate(expect.unordered or []):
        hit = next((call for call in left if _host_call_fits(wanted, call, seen)), None)
        if hit is None:
            yield Difference(("host_calls", "unordered", i), wanted_data(wanted), whole, "no such call")
        else:
            left = [call for call in left if call is not hit]
            accounted.host_calls.add(id(hit))
    for i, name in enumerate(expect.none or []):
        hits = [host_call_data(call) for call in made if call.function == name]
        if hits:
            yield Difference(("host_calls", "none", i), name, hits)


# --- what lasts ------------------------------------------------------------------------------------------------------


def _state(expect: Expect, seen: Observation) -> Iterator[Difference]:
    state = seen.state
    for name, wanted in (expect.metrics or {}).items():
        value = state.metrics.get(name)
        if isinstance(wanted, list) or isinstance(value, list):
            there = isinstance(wanted, NumberMatcher) and wanted.any and value is not None
            if wanted != value and not there:
                yield Difference(("metrics", name), wanted_data(wanted), value)
        else:
            yield from _number(("metrics", name), wanted, value)
    for key, one in (expect.shared_data or {}).items():
        yield from _text(("shared_data", key), one, state.shared_data.get(key))
    for path, one in (expect.properties or {}).items():
        yield from _text(("properties", path), one, state.properties.get(path))
    yield from _number(("fuel",), expect.fuel, seen.fuel)
    yield from _number(("pages",), expect.pages, state.pages)


# --- observed values as they are written in a file -------------------------------------------------------------------


def pairs_data(pairs: HeaderPairs) -> dict[str, object]:
    """Headers as a mapping, a list of values where a name repeats."""
    found: dict[str, object] = {}
    for name in dict.fromkeys(key for key, _ in pairs):
        values = [data_value(value) for key, value in pairs if key == name]
        found[as_text(name)] = values[0] if len(values) == 1 else values
    return found


def tcp_data(seen: TcpView) -> dict[str, object]:
    """A connection as an expectation of it."""
    data: dict[str, object] = {"upstream": None if seen.upstream is None else data_value(seen.upstream)}
    if seen.downstream:
        data["downstream"] = data_value(seen.downstream)
    data |= {name: True for name in ("upstream_end", "downstream_end") if getattr(seen, name)}
    data["closed"] = seen.closed
    return data


def message_data(message: Message, request: bool) -> dict[str, object]:
    """A message as an expectation of it."""
    pseudo = {as_text(key[1:]): data_value(value) for key, value in message.headers if key.startswith(b":")}
    data: dict[str, object] = dict(pseudo) if request else {"status": message.status}
    headers = pairs_data(tuple(pair for pair in message.headers if not pair[0].startswith(b":")))
    if headers:
        data["headers"] = headers
    if message.body:
        body = data_value(message.body)
        data["body"] = body
    if message.trailers:
        data["trailers"] = pairs_data(message.trailers)
    return data
