"""A test played on real Envoy: the same steps as on our host, and what could be seen of them from outside.

One exchange at a time, one frame at a time: each is sent when everything that the one before it brought about is over
(`Envoy.settle`). The filters are tapped, so the log says what they were told and what they asked.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import LogLevel
from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord
from hostabi.adapters.message import HTTP2, Answer, Message, Request, framed, to_pairs
from hostabi.adapters.outcomes import suits
from hostabi.adapters.streams import CallOutcome, MadeCall, Outcome
from hostabi.core.commands import LocalReply, Log, StartCall
from hostabi.core.transcript import Called, Entered, Left, Record
from hostabi.oracle import config
from hostabi.oracle.config import STREAM_HEADER, UPSTREAM, WasmFilter
from hostabi.oracle.envoy import Envoy, Line
from hostabi.oracle.grpc_calls import is_grpc, path_of, send
from hostabi.oracle.loop import OracleError
from hostabi.oracle.peers import Flow, Peer, Server, connect
from hostabi.oracle.tap import TapError, tap
from hostabi.oracle.trace import Reader, mark
from hostabi.scenario.check import call_differences
from hostabi.scenario.expect import LEVELS
from hostabi.scenario.load import Trial
from hostabi.scenario.model import CalloutStep, Filter, RequestStep, Step, UpstreamStep
from hostabi.scenario.observe import Observation, State, StreamView
from hostabi.scenario.stage import Modules, StageError, config_bytes, configuration, outcome

UNSEEN = frozenset({"fuel", "pages", "paused", "shared_data", "properties"})
"""What nobody can see from outside."""
_NOTHING_SEEN = frozenset({"request", "response", "local_response", "reset", "trap", "logs", "calls"}) | frozenset(
    {"host_calls", "callbacks", "metrics"}
)
_MOST_ADVANCE = 10 * 1_000_000_000
_NS = 1_000_000_000
_LATE_SECONDS = 3.0
_LARGE = 256 << 10
_ADDED_BY_ENVOY = (b"x-envoy-", b"x-forwarded-", b"x-tamis-", b"date", b"x-request-id")


def cleaned(pairs: HeaderPairs) -> HeaderPairs:
    """Headers without what Envoy adds behind the filters' backs."""
    return tuple(pair for pair in pairs if not pair[0].startswith(_ADDED_BY_ENVOY))


@dataclass(slots=True)
class _Trip:
    """A stream: our end as the client, and as the upstream once the request has got there."""

    name: str
    flow: Flow
    port: int
    method: bytes
    upstream: Flow | None = None
    request_ended: bool = False
    aborted: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """A filter's call that has reached us and waits for what comes of it."""

    made: MadeCall
    flow: Flow
    outcome: CallOutcome | None = None
    held: str = ""


@dataclass(slots=True)
class _Rule:
    step: CalloutStep


@dataclass
class Tapped:
    """Tapped modules in a folder, made once for each module and VM."""

    folder: Path
    made: dict[tuple[str, int], Path] = field(default_factory=dict)

    def file(self, module: Path, group: int) -> Path:
        """The module, tapped with the mark of this VM; raises StageError."""
        try:
            data = module.read_bytes()
        except OSError as error:
            raise StageError(f"{module}: {error.strerror or error}") from error
        key = (hashlib.sha256(data).hexdigest(), group)
        if key not in self.made:
            place = self.folder / f"{key[0][:16]}-{group}.wasm"
            try:
                place.write_bytes(tap(data, mark=mark(group)))
            except TapError as error:
                raise StageError(f"{module}: {error}") from error
            self.made[key] = place
        return self.made[key]


class Oracle:
    """Real Envoy for many tests, one after the other. Close it at the end; OracleError when it cannot be had."""

    def __init__(self, modules: Modules | None = None) -> None:
        self.modules = modules or Modules()
        self.envoy = Envoy()
        self.tapped = Tapped(Path(self.envoy.folder))
        self.numbers = itertools.count(1)
        self.keepers: dict[str, config.Json] = {}
        """Listeners that stay for the sake of a large module: what V8 has compiled lives as long as a VM with it."""
        self.run = secrets.token_hex(4)

    def close(self) -> None:
        """End Envoy."""
        self.envoy.close()

    def stage(self, test: Trial, clusters: Sequence[str]) -> EnvoyStage:
        """A stage for one test, whose filters can call these clusters."""
        return EnvoyStage(self, test, clusters)


class EnvoyStage:
    """Plays one test. Its methods are those of `scenario.stage.Stage`; OracleError when Envoy does not go along."""

    def __init__(self, oracle: Oracle, test: Trial, clusters: Sequence[str]) -> None:
        self.oracle = oracle
        self.envoy = oracle.envoy
        self.test = test
        self.cluster_names = list(clusters)
        self.number = next(oracle.numbers)
        self.token = f"~{oracle.run}.{self.number}"
        self.protocol = test.case.protocol or test.scenario.protocol or HTTP2
        self.refused: str | None = None
        self._trips: dict[str, _Trip] = {}
        self._all: list[_Trip] = []
        self._servers: list[Server] = []
        self._calls: list[Flow] = []
        self._call_clusters: dict[int, str] = {}
        self._waiting: list[_Waiting] = []
        self._rules: list[_Rule] = []
        self._paired: dict[int, _Waiting] = {}
        self._groups: list[list[int]] = []
        self._worker: Reader | None = None
        self._main: Reader | None = None
        self._main_thread = 0
        self._read = len(self.envoy.lines)
        self._seen = [0, 0, 0, 0]
        self._port = 0
        self._baseline: dict[str, int] = {}
        self._listener: config.Json = {}
        self._large: list[str] = []
        self._vms = 0
        self._started = False

    # --- start

    def start(self) -> Observation:
        """Tap the filters, and put up a listener with them."""
        filters = self._filters()
        token = self.token.encode()
        self._worker, self._main = Reader(token, self._groups), Reader(token, self._groups)
        self._baseline = self._stats()
        loop = self.envoy.loop
        upstream = Server(loop, self.protocol, self._at_upstream)
        self._servers.append(upstream)
        told = [config.cluster(UPSTREAM, upstream.port, self.protocol == HTTP2)]
        for name in self.cluster_names:
            server = Server(loop, HTTP2, lambda flow, name=name: self._at_cluster(name, flow))  # type: ignore[misc]
            self._servers.append(server)
            told.append(config.cluster(name, server.port, True))
        self.envoy.clusters(told)
        listener = f"l{self.number}"
        self._listener = made = config.listener(listener, filters, UPSTREAM, self.protocol == HTTP2)
        self._large = [one.file for one in filters if Path(one.file).stat().st_size > _LARGE]
        self._vms = self.envoy.active_vms
        self.refused = self.envoy.listeners([*self.oracle.keepers.values(), made])
        if self.refused is None:
            self._port = self.envoy.port(listener)
        return self._observe(None)

    def _filters(self) -> list[WasmFilter]:
        """The filters as Envoy is to run them; those with the same module, vm_id and VM configuration share a VM."""
        made: list[WasmFilter] = []
        keys: list[tuple[str, str, bytes]] = []
        for i, one in enumerate(self.test.scenario.filters):
            module = self.oracle.modules.file(one, self.test.folder)
            if module is None:
                raise StageError("a filter in Python cannot be run by Envoy")
            key = (str(module), one.vm_id, config_bytes(one.vm_config))
            if key not in keys:
                keys.append(key)
                self._groups.append([])
            group = keys.index(key)
            self._groups[group].append(i)
            made.append(self._filter(one, i, self.oracle.tapped.file(module, group)))
        return made

    def _filter(self, one: Filter, position: int, file: Path) -> WasmFilter:
        given = self.test.case.config if position == 0 else None
        return WasmFilter(
            str(file),
            one.name,
            one.root_id,
            one.vm_id + self.token,
            configuration(self.test, one, given),
            config_bytes(one.vm_config),
            one.policy.fail_open,
            one.policy.allow_on_headers_stop_iteration,
            dict(one.env),
            list(one.policy.allowed_capabilities),
        )

    # --- what reaches us

    def _at_upstream(self, flow: Flow) -> None:
        headers = flow.received.headers if flow.received else ()
        source = next((value for name, value in headers if name == STREAM_HEADER.encode()), b"")
        for trip in reversed(self._all):
            if str(trip.port).encode() == source:
                trip.upstream = flow
                return

    def _at_cluster(self, name: str, flow: Flow) -> None:
        self._calls.append(flow)
        self._call_clusters[id(flow)] = name

    def _pair(self) -> None:
        """Give each request that has reached a cluster its call: the oldest one that looks like it."""
        self._take_lines()
        for flow in [one for one in self._calls if one.complete or is_grpc(one)]:
            name = self._call_clusters[id(flow)]
            known = [
                i
                for i, call in enumerate(self._reader.calls)
                if call.upstream == name and i not in self._paired and isinstance(call, GrpcRecord) is is_grpc(flow)
            ]
            alike = [i for i in known if _same(self._reader.calls[i], flow)]
            found = alike or known
            if not found or flow.received is None:
                continue
            self._calls.remove(flow)
            arrived = self._reader.calls[found[0]]
            if isinstance(arrived, StartCall):
                headers, got = cleaned(flow.received.headers), flow.received
                arrived = replace(arrived, headers=headers, body=got.body, trailers=got.trailers)
                self._reader.calls[found[0]] = arrived
            waiting = _Waiting(arrived, flow)
            self._paired[found[0]] = waiting
            self._waiting.append(waiting)
            self._apply_rules(waiting)

    def _apply_rules(self, waiting: _Waiting) -> None:
        while waiting in self._waiting and waiting.outcome is None:
            rule = next((one for one in self._rules if self._fits(one.step, waiting.made)), None)
            if rule is None:
                return
            self._rules.remove(rule)
            self._decide(waiting, rule.step)

    def _settle(self) -> None:
        """Until all is quiet, the calls that have rules answered as well."""
        for _ in range(100):
            self.envoy.settle()
            before = len(self._paired)
            self._pair()
            if len(self._paired) == before:
                return
        raise OracleError("the filters went on calling")

    # --- steps

    def perform(self, step: Step) -> Observation:
        """Do one step."""
        if self.refused is None:
            self._do(step)
            self._settle()
        return self._observe(step.stream)

    def _do(self, step: Step) -> None:
        match step.action:
            case "request" if step.request is not None:
                self._request(step.request, step.stream)
            case "upstream" if step.upstream is not None:
                self._upstream(step.upstream, step.stream)
            case "callout" if step.callout is not None:
                self._callout(step.callout)
            case "release" if step.release is not None:
                waiting = next((one for one in self._waiting if one.held == step.release), None)
                if waiting is None:
                    raise StageError(f"no call is held as {step.release!r}")
                self._finish_call(waiting)
            case "advance" if step.advance is not None:
                if step.advance > _MOST_ADVANCE:
                    raise StageError("so much time does not pass for a test on real Envoy")
                self.envoy.loop.wait(step.advance / _NS)
            case "abort":
                self._abort(step.stream, step.abort or "")
            case "expect":
                pass
            case action:
                raise StageError(f"{action} is nothing that can be done to real Envoy")

    def _trip(self, name: str) -> _Trip:
        if name not in self._trips:
            raise StageError(f"no stream {name!r} has begun")
        return self._trips[name]

    def _request(self, step: RequestStep, stream: str) -> None:
        end = step.end is not False
        known = self._trips.get(stream)
        going_on = known is not None and not self._over(known) and not known.request_ended
        opening = {"method", "path", "authority", "scheme", "headers"} & step.model_fields_set
        body, trailers = step.pieces(), to_pairs(step.trailers)
        if known is not None and going_on and not opening:
            self._rest_of_request(known, body or ([b""] if end and not trailers else []), trailers, end)
            return
        request = Request(step.method, step.path, step.authority, step.scheme, step.headers)
        try:
            peer = connect(self.envoy.loop, self._port, self.protocol)
        except OSError as error:
            raise OracleError(f"Envoy's listener cannot be reached: {error}") from error
        trip = _Trip(stream, peer.open(), peer.sock.getsockname()[1], step.method.encode())
        self._trips[stream] = trip
        self._all.append(trip)
        only = end and not body and not trailers
        trip.request_ended = only
        pairs = framed(request.header_pairs(), self.protocol, not only)
        trip.flow.headers(pairs, only)
        self._settle()
        self._rest_of_request(trip, body, trailers, end)

    def _rest_of_request(self, trip: _Trip, body: Sequence[bytes], trailers: HeaderPairs, end: bool) -> None:
        for i, chunk in enumerate(body):
            if not self._takes_request(trip):
                return
            last = end and i + 1 == len(body) and not trailers
            trip.request_ended = last
            trip.flow.data(chunk, last)
            self._settle()
        if trailers and self._takes_request(trip):
            trip.request_ended = True
            trip.flow.trailers(trailers)
            self._settle()

    def _over(self, trip: _Trip) -> bool:
        return trip.aborted or trip.flow.reset is not None or trip.flow.complete

    def _takes_request(self, trip: _Trip) -> bool:
        return not self._over(trip) and not (trip.upstream is None and trip.flow.received is not None)

    def takes_response(self, stream: str) -> bool:
        """Whether the upstream could answer now."""
        trip = self._trips.get(stream)
        return (
            trip is not None
            and trip.upstream is not None
            and trip.upstream.reset is None
            and not self._over(trip)
            and not trip.upstream.ended
        )

    def _upstream(self, step: UpstreamStep, stream: str) -> None:
        trip = self._trip(stream)
        flow = trip.upstream
        if flow is None or not self.takes_response(stream):
            raise StageError(f"the upstream cannot answer on stream {stream!r}")
        if step.reset:
            flow.close()
            return
        end = step.end is not False
        body, trailers = step.pieces(), to_pairs(step.trailers)
        if flow.started and not {"status", "headers"} & step.model_fields_set:
            self._rest_of_response(trip, flow, body or ([b""] if end and not trailers else []), trailers, end)
            return
        only = end and not body and not trailers
        pairs = framed(Answer(step.status, step.headers).header_pairs(), self.protocol, not only)
        flow.headers(pairs, only)
        self._settle()
        self._rest_of_response(trip, flow, body, trailers, end)

    def _rest_of_response(
        self, trip: _Trip, flow: Flow, body: Sequence[bytes], trailers: HeaderPairs, end: bool
    ) -> None:
        for i, chunk in enumerate(body):
            if self._over(trip) or flow.reset is not None:
                return
            flow.data(chunk, end and i + 1 == len(body) and not trailers)
            self._settle()
        if trailers and not self._over(trip) and flow.reset is None:
            flow.trailers(trailers)
            self._settle()

    def _abort(self, stream: str, who: str) -> None:
        trip = self._trip(stream)
        if who == "client":
            trip.aborted = True
            trip.flow.close()
        elif trip.upstream is not None:
            trip.upstream.close()
        else:
            raise StageError(f"no request of stream {stream!r} has reached the upstream")

    # --- calls

    def _fits(self, step: CalloutStep, call: MadeCall) -> bool:
        if not suits(call, outcome(step)):
            return False
        name = self.test.scenario.filters[int(call.plugin or 0)].name or call.plugin
        return not list(call_differences((), step.match, call, name))

    def _callout(self, step: CalloutStep) -> None:
        waiting = next((one for one in self._waiting if one.outcome is None and self._fits(step, one.made)), None)
        if waiting is None:
            self._rules.append(_Rule(step))
        else:
            self._decide(waiting, step)

    def _decide(self, waiting: _Waiting, step: CalloutStep) -> None:
        waiting.outcome, waiting.held = outcome(step), step.hold or ""
        if not waiting.held:
            self._finish_call(waiting)

    def _finish_call(self, waiting: _Waiting) -> None:
        waiting.held = ""
        flow = waiting.flow
        if isinstance(waiting.outcome, GrpcAnswer) and not waiting.outcome.end:
            send(flow, waiting.outcome)  # more of it is to come, and it waits on
            waiting.outcome = None
            return
        self._waiting.remove(waiting)
        if isinstance(waiting.outcome, GrpcAnswer):
            send(flow, waiting.outcome)
            return
        if waiting.outcome is Outcome.RESET and isinstance(waiting.made, GrpcRecord):
            flow.close()
            return
        if isinstance(waiting.outcome, Answer):
            answer = waiting.outcome
            body, trailers = bytes(answer.body), to_pairs(answer.trailers)  # type: ignore[arg-type]
            flow.headers(answer.header_pairs(), not body and not trailers)
            if body:
                flow.data(body, not trailers)
            if trailers:
                flow.trailers(trailers)
        elif waiting.outcome is Outcome.RESET:
            # A connection that breaks before an answer is answered by Envoy itself, with 503. One that breaks within
            # an answer is what a filter is told as a failure.
            flow.headers(((b":status", b"200"),), False)
            self.envoy.settle()
            flow.close()
        else:
            self._let_time_out(waiting.made.timeout_ms)

    def _let_time_out(self, timeout_ms: int) -> None:
        answered = len(self._answers())
        seconds = timeout_ms / 1000 + _LATE_SECONDS
        self.envoy.loop.until(
            lambda: self._more_answers(answered), seconds, "Envoy to give up a call that nobody answers"
        )

    def _answers(self) -> list[Record]:
        return [
            one
            for one in self._reader.records
            if isinstance(one, Entered) and one.callback in ("proxy_on_http_call_response", "proxy_on_grpc_close")
        ]

    def _more_answers(self, than: int) -> bool:
        self._take_lines()
        return len(self._answers()) > than

    # --- the end

    def finish(self) -> Observation:
        """The clients of all streams go away, then the listener does."""
        unused = len(self._rules)
        for trip in self._all:
            trip.flow.close()
        self._settle()
        seen = self._observe(None)
        if unused and self.refused is None:
            raise StageError(f"{unused} callout{'s' if unused > 1 else ''} of this case never came")
        return seen

    def close(self) -> None:
        """Take the listener away, and wait until the filters' VMs are gone."""
        keepers = self.oracle.keepers
        try:
            for trip in self._all:
                trip.flow.close()
            if self.refused is None and self._large and not set(self._large) <= set(keepers):
                keepers.update(dict.fromkeys(self._large, self._listener))
                return
            self.envoy.keep_listeners(list(keepers.values()))
            self.envoy.loop.reached(lambda: self.envoy.active_vms <= self._vms, _LATE_SECONDS)
            self.envoy.settle()
        finally:
            for server in self._servers:
                server.close()

    # --- what is seen

    @property
    def _reader(self) -> Reader:
        if self._worker is None or self._main is None:
            raise StageError("the filters have not been started")
        return self._main if self.refused is not None else self._worker

    def _take_lines(self) -> None:
        self.envoy.flush()
        lines = self.envoy.lines
        if self._worker is None or self._main is None:
            return
        for line in lines[self._read :]:
            (self._main if line.thread == self.envoy.main_thread else self._worker).feed(line)
        self._read = len(lines)

    @property
    def records(self) -> list[Record]:
        """Everything that crossed, so far."""
        self._take_lines()
        return list(self._reader.records)

    def _observe(self, name: str | None) -> Observation:
        self._take_lines()
        reader = self._reader
        since = self._seen
        logs = reader.logs[since[0] :]
        calls: list[MadeCall] = [*reader.calls[since[1] :]]
        records, failures = reader.records[since[2] :], reader.failures[since[3] :]
        self._seen = [len(reader.logs), len(reader.calls), len(reader.records), len(reader.failures)]
        trip = self._trips.get(name) if name is not None else (self._all[-1] if self._all else None)
        trap, report = failures[0] if failures else (_refusal(records), "")
        for callback_failure in failures:
            logs.append(Log("0", LogLevel.CRITICAL, callback_failure[1].encode()))
        return Observation(
            self._view(trip),
            [log for log in logs if log.level >= self._threshold(log.plugin)],
            calls,
            records,
            trap,
            report,
            0,
            State(metrics=self._metrics()),
            {str(i): one.name or str(i) for i, one in enumerate(self.test.scenario.filters)},
            UNSEEN if self.refused is None or not self._trips_expected() else UNSEEN | _NOTHING_SEEN,
        )

    def _trips_expected(self) -> bool:
        """Whether the start is over: with a listener that was refused nothing more can be seen."""
        expected, self._started = self._started, True
        return expected

    def _threshold(self, plugin: str) -> int:
        filters = self.test.scenario.filters
        return LEVELS[filters[int(plugin) if plugin else 0].policy.log_level]

    def _view(self, trip: _Trip | None) -> StreamView:
        if trip is None:
            return StreamView()
        request = trip.upstream.received if trip.upstream is not None else None
        return StreamView(_clean(request), _clean(trip.flow.received), self._local_reply(trip), trip.flow.reset)

    def _local_reply(self, trip: _Trip) -> LocalReply | None:
        """The last of the filters' own responses that has the status the client got, as they asked for it."""
        got = trip.flow.received.status if trip.flow.received is not None else None
        for record in reversed(self._reader.records):
            if isinstance(record, Called) and record.function == "proxy_send_local_response" and record.result == 0:
                args = dict(record.args)
                grpc = args["grpc_status"]
                if got not in (args["status_code"], 200 if grpc != 0xFFFFFFFF else None):
                    continue
                return LocalReply(
                    int(args["status_code"] or 0),  # type: ignore[call-overload]
                    to_pairs(args["headers"] or ()),  # type: ignore[arg-type]
                    bytes(args["body"] or b""),  # type: ignore[call-overload]
                    bytes(args["details"] or b"").decode(errors="replace"),  # type: ignore[call-overload]
                    grpc if isinstance(grpc, int) and 0 <= grpc <= 16 else None,
                )
        return None

    # --- metrics

    def _stats(self) -> dict[str, int]:
        found = self.envoy.ask("/stats?format=json&filter=^wasmcustom\\.").get("stats", [])
        return {one["name"].removeprefix("wasmcustom."): one["value"] for one in found if "value" in one}

    def _metrics(self) -> dict[str, int | list[int]]:
        """Counters and gauges as Envoy counts them, since the start of this test; samples as the filters gave them."""
        if not any(isinstance(one, Called) and one.function == "proxy_define_metric" for one in self._reader.records):
            return {}
        found: dict[str, int | list[int]] = {
            name: value - self._baseline.get(name, 0) for name, value in self._stats().items()
        }
        names: dict[object, str] = {}
        for one in self._reader.records:
            if not isinstance(one, Called) or one.result != 0:
                continue
            args = dict(one.args)
            if one.function == "proxy_define_metric" and args["kind"] == 2:
                names[one.outputs[0]] = bytes(args["name"]).decode(errors="replace")  # type: ignore[call-overload]
            elif one.function == "proxy_record_metric" and args["metric"] in names:
                samples = found.setdefault(names[args["metric"]], [])
                if isinstance(samples, list):
                    samples.append(int(args["value"]))  # type: ignore[call-overload]
        return found


def _clean(message: Message | None) -> Message | None:
    if message is None:
        return None
    return Message(cleaned(message.headers), message.body, message.trailers, message.complete)


def _same(call: MadeCall, flow: Flow) -> bool:
    """Whether what arrived looks like this call."""
    got = flow.received
    if isinstance(call, GrpcRecord):
        return call.command.path == path_of(flow)
    if got is None or got.body != call.body:
        return False
    return all(pair in got.headers for pair in call.headers if not pair[0].startswith(b":scheme"))


def _refusal(records: Sequence[Record]) -> str | None:
    """A callback of the start that said no."""
    for one in records:
        if isinstance(one, Left) and one.callback in ("proxy_on_vm_start", "proxy_on_configure") and one.result == 0:
            return f"{one.callback} returned false"
    return None


def lines_of(lines: Sequence[Line]) -> str:
    """Log lines as text, for messages."""
    return "\n".join(f"{line.level} {line.text.decode(errors='replace')}" for line in lines)


__all__ = ["EnvoyStage", "Oracle", "Peer"]
