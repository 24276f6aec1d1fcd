"""Two transcripts as neutral lists of events, and what is different between them.

Neutral is what both hosts must agree on: callbacks with arguments and results, host calls with inputs, statuses and
outputs, log lines. Numbers that a host is free to choose (contexts, tokens, queues, CAS numbers) count by the order in
which they turn up. Left out are the runtimes' own calls (WASI), clocks, durations, addresses of peers, headers that a
proxy adds, and the words for a trap, which are the engine's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hostabi.abi.codec import CodecError, decode_pairs
from hostabi.abi.enums import MetricType, Status
from hostabi.core.transcript import Broke, Called, Entered, Left, Record
from hostabi.core.vm import short

_PROXYS = (b"x-envoy-", b"x-forwarded-", b"x-tamis-", b"date", b"x-request-id")
_OWN_VALUES = (
    *(b"source\0", b"destination\0", b"upstream\0", b"connection_id", b"connection\0id", b"node", b"cluster_", b"xds"),
    *(b"request\0time", b"request\0duration", b"request\0total_size", b"response\0total_size", b"listener_", b"route_"),
    *(b"request\0headers_bytes", b"response\0headers_bytes", b"response\0backend_latency", b"request\0id"),
)
"""Properties whose values are those of the host at hand; that they are there, or not, counts."""
_CONTEXTS = {"context", "root", "parent", "context_id"}
_NO_OUTPUT = {"proxy_get_current_time_nanoseconds"}
_MAPS = (b"request\0headers", b"response\0headers", b"response\0trailers")
_READ_LATE = {("proxy_set_buffer_bytes", "data")}
"""Inputs that a host need not look at when it refuses the call for another reason."""
_SERVICE_TIME = re.compile(r"(x-envoy-upstream-service-time\W{1,4})\d+")


@dataclass(slots=True)
class _Numbers:
    """Numbers of one kind, by the order in which they turn up."""

    seen: dict[object, int] = field(default_factory=dict)

    def __call__(self, value: object) -> object:
        return f"#{self.seen.setdefault(value, len(self.seen) + 1)}" if value else value


@dataclass(slots=True)
class _Neutral:
    """The state of one translation; contexts are numbered in each VM, so by plugin."""

    positions: Mapping[str, str]
    contexts: dict[str, _Numbers] = field(default_factory=dict)
    tokens: _Numbers = field(default_factory=_Numbers)
    queues: _Numbers = field(default_factory=_Numbers)
    versions: _Numbers = field(default_factory=_Numbers)

    def line(self, record: Record) -> str | None:
        """A record as a line, None for one that does not count."""
        who = self.positions.get(record.plugin, record.plugin)
        contexts = self.contexts.setdefault(who, _Numbers())
        match record:
            case Entered():
                args = [self._callback_arg(contexts, name, value) for name, value in record.args]
                return f"{who} > {record.callback}({', '.join(args)})"
            case Left():
                return f"{who} < {record.callback}" + ("" if record.result is None else f" {record.result}")
            case Broke():
                return f"{who} ! {record.callback} failed"
            case Called() if record.is_status and record.function.startswith(("proxy_", "envoy_")):
                return f"{who}   {self._call(record, contexts)}"
            case _:
                return None

    def _callback_arg(self, contexts: _Numbers, name: str, value: object) -> str:
        if name in _CONTEXTS:
            value = contexts(value)
        elif name == "token":
            value = self.tokens(value)
        elif name == "queue_id":
            value = self.queues(value)
        return f"{name}={value}"

    def _call(self, record: Called, contexts: _Numbers) -> str:
        name, status = record.function, record.result
        bad_memory = status == Status.INVALID_MEMORY_ACCESS
        known = [(key, value) for key, value in record.args if not (status != 0 and (name, key) in _READ_LATE)]
        if name == "proxy_record_metric":
            known = [pair for pair in known if pair[0] == "metric" or not _is_histogram(record)]
        args = [] if bad_memory else [self._arg(name, contexts, key, value) for key, value in known]
        outputs = (
            []
            if status != 0 or name in _NO_OUTPUT
            else [self._output(record, one, i) for i, one in enumerate(record.outputs)]
        )
        word = Status(status).name if status in list(Status) else status
        return f"{name}({', '.join(args)}) {word}" + "".join(f" {one}" for one in outputs)

    def _arg(self, call: str, contexts: _Numbers, name: str, value: object) -> str:
        if name == "context_id":
            value = contexts(value)
        elif name == "token":
            value = self.tokens(value)
        elif name in ("queue", "queue_id") and isinstance(value, int):
            value = self.queues(value)
        elif name == "cas":
            value = self.versions(value)
        elif name == "headers" and call == "proxy_http_call":
            value = tuple(pair for pair in value if pair[0] != b"content-length")  # type: ignore[attr-defined]
        return f"{name}={_text(value)}"

    def _output(self, record: Called, value: object, index: int) -> str:
        args = dict(record.args)
        path = args.get("path")
        path = path.rstrip(b"\0") if isinstance(path, bytes) else b""
        match record.function:
            case "proxy_http_call" | "proxy_grpc_call" | "proxy_grpc_stream" | "proxy_redis_call" | "envoy_resolve_dns":
                value = self.tokens(value)
            case "proxy_get_log_level" if isinstance(value, int):
                value = int(value)
            case "proxy_register_shared_queue" | "proxy_resolve_shared_queue":
                value = self.queues(value)
            case "proxy_get_shared_data" if index == 1:
                value = self.versions(value)
            case "proxy_get_property" if path.startswith(_OWN_VALUES):
                return "something" if value else "nothing"
            case "proxy_get_property" if path in _MAPS:
                value = _pairs_of(value)
            case "proxy_get_header_map_value" if _is_proxys(args.get("key")):
                return "something"
            case _:
                pass
        return _text(value)


def _is_histogram(record: Called) -> bool:
    """Samples are mostly durations; that there is one counts."""
    metric = dict(record.args).get("metric")
    return isinstance(metric, int) and metric & 3 == MetricType.HISTOGRAM


def _is_proxys(name: object) -> bool:
    return isinstance(name, bytes) and name.lower().startswith(_PROXYS)


def _pairs_of(value: object) -> object:
    """A map in the encoding of properties, in no order."""
    if not isinstance(value, bytes):
        return value
    try:
        return tuple(sorted(decode_pairs(value)))
    except CodecError:
        return value


def _text(value: object) -> str:
    if isinstance(value, tuple):
        kept = [pair for pair in value if not (isinstance(pair, tuple) and _is_proxys(pair[0]))]
        return "{" + ", ".join(f"{short(a, 400)}: {short(b, 400)}" for a, b in kept) + "}"
    if value is None or value == b"":
        return "''"
    if isinstance(value, Status):
        return str(int(value))
    return _SERVICE_TIME.sub(r"\1N", short(value, 4000))


def neutral(records: Sequence[Record], positions: Mapping[str, str]) -> list[str]:
    """The neutral list of a transcript; `positions` says which filter a record's plugin is."""
    state = _Neutral(positions)
    found = [state.line(record) for record in records]
    return [line for line in found if line is not None]


def differences(ours: Sequence[str], theirs: Sequence[str], most: int = 40) -> list[str]:
    """How two neutral lists differ, as lines that begin with "-" (ours) and "+" (Envoy's); none when they are equal."""
    if list(ours) == list(theirs):
        return []
    lines = list(difflib.unified_diff(list(ours), list(theirs), "ours", "Envoy", lineterm="", n=2))[2:]
    return lines[:most] + ([f"... and {len(lines) - most} lines more"] if len(lines) > most else [])
