"""One exchange through a filter, from options to transcript or JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import click

import interp
from hostabi.abi.enums import LogLevel
from hostabi.abi.grpc import GrpcStatus
from hostabi.adapters.exchange import Exchange, Exchanger
from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord
from hostabi.adapters.message import Answer, Request
from hostabi.adapters.redis_calls import RedisAnswers, RedisOutcome, Reply
from hostabi.adapters.report import exchange_data
from hostabi.adapters.streams import CallOutcome, Connection, MadeCall, SessionError
from hostabi.cli.errors import FAILURE, TRAPPED, CommandError, complain, cut_frames
from hostabi.cli.sources import named, read
from hostabi.cli.transcript import Page, body_text, steps, ticks
from hostabi.core.clock import seed_bytes
from hostabi.core.events import StreamInfo
from hostabi.core.host import Host, PluginConfig
from hostabi.core.network import BOTH_ENDED
from hostabi.core.plugin import LoadedFilter, LoadError, find_abi
from hostabi.core.policy import PROFILES, Limits
from hostabi.hostcalls.attributes import for_plugins

if TYPE_CHECKING:
    from hostabi.adapters.grpc_network import GrpcNetwork

DEFAULT_BODY = "hello from the upstream\n"


def text_or_file(value: str | None) -> bytes:
    """The bytes of TEXT, or of FILE for @FILE. Raises CommandError."""
    if value is None:
        return b""
    return read(value[1:]) if value.startswith("@") else os.fsencode(value)


def run_filter(ctx: click.Context, path: str, valid: interp.ValidModule, options: Mapping[str, Any]) -> None:
    """Run the exchange, show it, and leave with 134 if the filter trapped, 1 if it refused its configuration."""
    run = Run(path, valid, options)
    with run.network or nullcontext():
        exchange = run.perform()
    if options["json"]:
        click.echo(json.dumps(exchange_data(exchange), indent=2))
    else:
        show(path, exchange, Page(), run)
    for reason in dict.fromkeys(getattr(run.redis, "failures", ())):
        complain(f"Redis: {reason}")
    if exchange.trap is not None:
        complain(f"{path}: {exchange.trap.message}", *(f"  {frame}" for frame in cut_frames(exchange.trap.backtrace)))
        ctx.exit(TRAPPED if run.trapped else FAILURE)


class Run:
    """A filter in a host, and the exchange it is to see."""

    def __init__(
        self, path: str, valid: interp.ValidModule, options: Mapping[str, Any], *, record: bool = True
    ) -> None:
        """Raises CommandError for a filter that does not load or start, and usage errors."""
        if options["profile"] not in PROFILES:
            raise click.UsageError(f"there is no profile {options['profile']!r}; known are {', '.join(PROFILES)}")
        self.path = path
        self.options = options
        self.request, self.upstream = _request(options), _upstream(options)
        sent = (options.get("downstream", ()), options.get("upstream", ()))
        self.pieces = tuple([text_or_file(piece) for piece in side] for side in sent)
        self.is_connection = bool(options.get("tcp") or any(self.pieces))
        self.now: int = time.time_ns() if options["clock"] is None else options["clock"]
        seed = options["seed"]
        host = Host(
            engine=options["engine"],
            profile=options["profile"],
            limits=Limits() if options["fuel"] is None else Limits(fuel_per_call=options["fuel"]),
            seed=os.urandom(16) if seed is None else seed_bytes(seed),
            record=record,
        )
        config = PluginConfig(
            root_id=options["root_id"],
            configuration=text_or_file(options["config"]),
            vm_configuration=text_or_file(options["vm_config"]),
            environ=tuple((os.fsencode(name), os.fsencode(value)) for name, value in options["environ"]),
            attributes=for_plugins(dict(options["property"])),
            log_level=LogLevel[options["log_level"].upper()],
        )
        with _load_errors(path):
            abi, warnings = find_abi(valid.module, host.profile)
            digest = sha256(valid.module.binary).hexdigest()
            self.plugin = host.plugin(LoadedFilter(valid, abi, digest, tuple(warnings)), config, now=self.now)
        self.answers = {cluster: Answer(status, body=body) for cluster, status, body in options["call_response"]}
        self.grpc_answers = {one[0]: _grpc_answer(*one[1:]) for one in options["grpc_response"]}
        self.network = _network(options["grpc_cluster"])
        chain, names = host.chain([self.plugin]), _names(options.get("dns", ()))
        network, self.redis = self.network, _redis(options)
        self.exchanger = Exchanger(
            host, chain, now=self.now, answers=self._answer, network=network, redis=self.redis, dns=names
        )

    def _answer(self, call: MadeCall) -> CallOutcome | None:
        answers: Mapping[str, CallOutcome] = self.grpc_answers if isinstance(call, GrpcRecord) else self.answers
        return answers.get(call.upstream)

    @property
    def trapped(self) -> bool:
        """Whether the guest is dead, and has not just refused its configuration."""
        return self.plugin.vm.failure is not None

    def perform(self) -> Exchange:
        """Start the plugin and send the exchange through it; CommandError when it keeps the host busy without end."""
        try:
            self.exchanger.start()
            return self.again()
        except SessionError as error:
            raise CommandError(f"{self.path}: {error}") from error

    def again(self) -> Exchange:
        """Send the exchange through the plugin, which was started."""
        attributes: dict[str, object] = dict(self.options["property"])
        if self.is_connection:
            info = StreamInfo(attributes=attributes, connection_id=1, protocol="")
            return self.exchanger.connect(self.pieces[0], self.pieces[1], info)
        return self.exchanger.run(self.request, self.upstream, StreamInfo(attributes=attributes, connection_id=1))


def _names(options: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, int]]]:
    return {name: [(address, 60) for address in found.split(",")] for name, found in options}


def _grpc_answer(status: int, message: str) -> GrpcAnswer:
    return GrpcAnswer(status=status, message=message) if status else GrpcAnswer([message])


def _network(clusters: Mapping[str, tuple[str, int]]) -> GrpcNetwork | None:
    if not clusters:
        return None
    try:
        from hostabi.adapters.grpc_network import GrpcNetwork
    except ModuleNotFoundError as error:
        raise CommandError(f"--grpc-cluster needs the package {error.name}: pip install 'tamis[grpc]'") from error
    return GrpcNetwork(clusters)


@contextmanager
def _load_errors(path: str) -> Iterator[None]:
    try:
        with named(path):
            yield
    except LoadError as error:
        raise CommandError(f"{path}: {error.reasons[0]}", tuple(f"  {line}" for line in error.reasons[1:])) from error
    except interp.EmbedderError as error:
        raise CommandError(str(error)) from error


def _redis(options: Mapping[str, Any]) -> RedisAnswers:
    canned: dict[str, RedisOutcome] = {name: Reply(value) for name, value in options.get("redis_response", {}).items()}
    if not options.get("redis_cluster"):
        return canned
    from hostabi.adapters.redis import RedisServers

    servers = RedisServers(options["redis_cluster"], canned)
    click.get_current_context().call_on_close(servers.close)
    return servers


def _request(options: Mapping[str, Any]) -> Request:
    if options["body"] is not None and options["body_file"] is not None:
        raise click.UsageError("--body and --body-file exclude each other")
    body = read(options["body_file"]) if options["body_file"] is not None else os.fsencode(options["body"] or "")
    return Request(
        options["method"],
        options["path"],
        options["authority"],
        options["scheme"],
        options["header"],
        body,
        _chunks(body, options["chunk"]),
    )


def _upstream(options: Mapping[str, Any]) -> Answer:
    body = DEFAULT_BODY.encode() if options["response_body"] is None else text_or_file(options["response_body"])
    headers = options["response_header"]
    if body and not any(name == "content-type" for name, _ in headers):
        headers = (("content-type", "text/plain"), *headers)
    return Answer(options["status"], headers, body, _chunks(body, options["chunk"]))


def _chunks(body: bytes, size: int | None) -> list[bytes]:
    return [body[i : i + size] for i in range(0, len(body), size)] if size else []


# --- showing

_LEVEL_STYLES = {LogLevel.WARN: "yellow", LogLevel.ERROR: "red", LogLevel.CRITICAL: "bold red"}


def show(path: str, exchange: Exchange, page: Page, run: Run) -> None:
    """The transcript, what went to the upstream and to the client, calls and log."""
    page.line(0, (os.path.basename(path), "bold"), (f"  ABI {exchange.abi}, {exchange.engine} engine", "dim"))
    page.blank()
    found = steps(exchange.transcript)
    start = next((i for i, step in enumerate(found) if step.callback), len(found))
    if start:
        page.line(2, ("start-up", "bold blue"))
        page.steps(found[:start], 6)
    page.steps(found[start:])
    for call in exchange.calls:
        _show_call(page, call, run)
    if exchange.connection is not None:
        _show_connection(page, exchange.connection)
    else:
        _show_request(page, exchange, run.request)
        _show_response(page, exchange, run.upstream)
    if exchange.logs:
        page.heading("Log")
        for log in exchange.logs:
            lines = log.message.decode("utf-8", "backslashreplace").split("\n")
            page.line(2, (f"{log.level.name.lower():<9}", _LEVEL_STYLES.get(log.level, "")), (lines[0], ""))
            for line in cut_frames(lines[1:], 40, 20):
                page.line(11, (line, ""))
    page.blank()
    page.line(0, (f"{ticks(exchange.fuel)} of fuel", "dim"))


def _show_call(page: Page, call: MadeCall, run: Run) -> None:
    if isinstance(call, GrpcRecord):
        _show_grpc(page, call, run)
        return
    answer = run.answers.get(call.upstream)
    outcome = f"answered with {answer.status}" if answer is not None else "failed, for want of a --call-response"
    page.heading(f"HTTP call to {call.upstream} (token {call.token}), {outcome}")
    page.message(call.headers, call.body, call.trailers, call.headers)


def _show_connection(page: Page, connection: Connection) -> None:
    sides = (("upstream", connection.upstream), ("client", connection.downstream))
    for whom, data in sides:
        page.heading(f"To the {whom}" if data is not None else f"The {whom} was not connected")
        for line in body_text(data or b"").splitlines():
            page.line(2, (line, ""))
    page.blank()
    closed = None if connection.closed is None else connection.closed.name.lower()
    style = "" if connection.reason == BOTH_ENDED else "yellow"
    page.line(0, (f"closed: {closed}, {connection.reason}", style))


def _show_grpc(page: Page, call: GrpcRecord, run: Run) -> None:
    if call.online:
        outcome = "sent to its server"
    elif call.upstream in run.grpc_answers:
        status = run.grpc_answers[call.upstream].status
        outcome = f"answered with {GrpcStatus(status).name if status in list(GrpcStatus) else status}"
    else:
        outcome = "failed, for want of a --grpc-response or --grpc-cluster"
    kind = "call" if call.unary else "stream"
    page.heading(f"gRPC {kind} {call.command.path} to {call.upstream} (token {call.token}), {outcome}")
    page.message(call.command.metadata, b"", (), call.command.metadata)
    for message in call.messages:
        page.line(4, (body_text(message), ""))
    if call.cancelled:
        page.line(2, ("cancelled by the filter", "yellow"))


def _show_request(page: Page, exchange: Exchange, request: Request) -> None:
    if exchange.request is None:
        page.heading("Nothing went to the upstream")
        return
    page.heading("To the upstream")
    message = exchange.request
    page.message(message.headers, message.body, message.trailers, request.header_pairs())


def _show_response(page: Page, exchange: Exchange, upstream: Answer) -> None:
    reply, message = exchange.local_response, exchange.response
    if message is None:
        page.heading("Nothing went to the client")
    else:
        details = f": {reply.details}" if reply is not None and reply.details else ""
        page.heading(f"To the client{f' (a local response{details})' if reply is not None else ''}")
        before = message.headers if reply is not None else upstream.header_pairs()
        page.message(message.headers, message.body, message.trailers, before)
    if exchange.reset is not None:
        page.line(2, (f"the stream was reset: {exchange.reset}", "red"))
    elif exchange.paused:
        page.line(2, ("the filter still held the stream when nothing was left to happen", "yellow"))
