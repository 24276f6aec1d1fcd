"""How long does one request take: real filters, the whole host included, warm, on our engine and on the shim.

A request is what a proxy would make of one: events of a stream go into a chain with one filter, commands come out, the
filter's calls are answered, and the stream ends. No network is in it, and no test harness either. The same lines run it
on every machine; what comes out must be equal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.compute import WrongResult, geometric_mean
from benchmarks.load import plugins
from hostabi.adapters.message import Answer, Request, to_bytes
from hostabi.core.commands import Command, Log, PluginFailed, Send, SendLocalReply, StartCall
from hostabi.core.events import (
    CallResponse,
    Event,
    RequestHeaders,
    ResponseBody,
    ResponseHeaders,
    Start,
    StreamEnd,
)
from hostabi.core.host import Host, PluginConfig
from hostabi.core.link import Code
from hostabi.core.plugin import MACHINES, CountedMemory, WasmGuest

EXAMPLES = Path(__file__).parents[1] / "examples" / "filters"
WARM = 30
#: Seconds of a round, less than a busy machine gives a process at a time.
ROUND = 0.003
TARGET = 3.0
JSON = (("content-type", "application/json"),)
BROWSER = (
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-request-id", "6f0c2b1e-6c5e-4a0c-9f5e-0c1b7a3d9a11"),
)


@dataclass(frozen=True)
class Case:
    """A filter, its configuration, and what is sent through it."""

    name: str
    language: str
    path: Path
    config: bytes
    request: Request
    upstream: Answer = field(default_factory=Answer)
    answers: dict[str, Answer] = field(default_factory=dict)


def cases() -> list[Case]:
    """What is measured; the Higress plugin only where its package is installed."""

    def example(name: str) -> Path:
        return EXAMPLES / name / f"{name}.wasm"

    get = Request("GET", "/docs/start?lang=en", "www.example.com", headers=BROWSER)
    token = Request("GET", "/", "www.example.com", headers=(*BROWSER, ("authorization", "Bearer s3cret")))
    page = b"<p>see staging.example.org, or secret</p>\n" * 20
    user = b'{"user": "ann", "password": "123", "roles": [{"name": "a", "token": "b"}]}'
    found = [
        Case("auth", "AssemblyScript", example("auth"), b"s3cret alice", token),
        Case(
            *("http_gate", "AssemblyScript", example("http_gate"), b""),
            token,
            answers={"auth_service": Answer(200, (("x-user", "alice"),))},
        ),
        Case("json_redact", "Go", example("json_redact"), b"password,token", get, Answer(200, JSON, user)),
        Case(
            *("header_rewrite", "C", example("header_rewrite")),
            b"request set x-team blue\nrequest remove cookie\nresponse add via 1.1 tamis\nresponse remove server\n",
            get,
            Answer(200, (("server", "upstream"), ("content-length", "0"))),
        ),
        Case(
            *("body_rewrite", "C", example("body_rewrite"), b"staging.example.org=www.example.org\nsecret=\n", get),
            Answer(200, (("content-type", "text/html"),), page),
        ),
    ]
    rule = b'{"reqRules": [{"operate": "add", "headers": [{"key": "x-a", "value": "b"}]}]}'
    for plugin in plugins():
        if plugin.name == "transformer":
            found.insert(0, Case("transformer", "Go, Higress", plugin.path, rule, get))
    return found


@dataclass
class Split:
    """Seconds on either side of the boundary: in the machine (calls, memory), and in the host's own Python."""

    machine: float = 0.0
    host: float = 0.0
    inside: bool = False
    since: float = 0.0

    def cross(self, inside: bool) -> bool:
        """Go to a side; where we were."""
        now, was = time.perf_counter(), self.inside
        if was:
            self.machine += now - self.since
        else:
            self.host += now - self.since
        self.inside, self.since = inside, now
        return was

    def across(self, work: Callable[..., Any], inside: bool) -> Callable[..., Any]:
        """The same function, on a side of its own."""

        def timed(*args: Any) -> Any:
            was = self.cross(inside)
            try:
                return work(*args)
            finally:
                self.cross(was)

        return timed


class SplitMemory:
    """A memory whose reading and writing count as the machine's."""

    def __init__(self, memory: CountedMemory, split: Split) -> None:
        self._memory = memory
        self.copied = 0
        self.read = split.across(memory.read, True)
        self.write = split.across(memory.write, True)

    @property
    def length(self) -> int:
        """Size in bytes."""
        return self._memory.length


def timed(kind: type[WasmGuest], engine: str, split: Split) -> type[WasmGuest]:
    """A machine that tells the two sides apart; what that costs is in both."""

    class Timed(kind):  # type: ignore[valid-type,misc]
        def open(self, name: str | None) -> None:
            super().open(engine)
            self.memory = SplitMemory(self.memory, split)

        def instantiate(self, codes: Sequence[Code]) -> None:
            super().instantiate([split.across(code, False) for code in codes])
            self.call = split.across(super().call, True)  # type: ignore[method-assign]
            self.allocate = split.across(super().allocate, True)  # type: ignore[method-assign]

    return Timed


class Runner:
    """A filter that was started on a machine, and a number of warming requests later."""

    def __init__(self, case: Case, engine: str | None) -> None:
        self._host = Host(engine=engine)
        plugin = self._host.plugin(case.path, PluginConfig(configuration=case.config))
        self._chain = self._host.chain([plugin])
        self._case = case
        self._request, self._upstream = case.request.header_pairs(), case.upstream.header_pairs()
        self._answers = {name: answer.header_pairs() for name, answer in case.answers.items()}
        self._body = to_bytes(case.upstream.body)
        self._now = self._stream = 0
        self._host.feed(self._chain, Start())
        for _ in range(WARM):
            before, self.last = plugin.vm.guest.ticks, self.run()
            self.ticks = plugin.vm.guest.ticks - before

    def run(self) -> list[Command]:
        """One request; all that the host asks for."""
        self._stream += 1
        number, body = self._stream, self._body
        commands = self._feed(RequestHeaders(number, self._request, True, now=self._now))
        for command in commands:
            if isinstance(command, StartCall):
                answer = CallResponse(command.plugin, command.token, self._answers[command.upstream], now=self._now)
                commands += self._feed(answer)
        if not any(isinstance(command, SendLocalReply) for command in commands):
            commands += self._feed(ResponseHeaders(number, self._upstream, not body, now=self._now))
            if body:
                commands += self._feed(ResponseBody(number, body, True, now=self._now))
        return commands + self._feed(StreamEnd(number, now=self._now))

    def _feed(self, event: Event) -> list[Command]:
        self._now += 1_000_000
        return self._host.feed(self._chain, event)

    def seconds(self) -> float:
        """Seconds of a request: of so many as fit into a few milliseconds."""
        begin, n = time.perf_counter(), 0
        while not n or time.perf_counter() - begin < ROUND:
            self.run()
            n += 1
        return (time.perf_counter() - begin) / n


@dataclass
class Measured:
    """Seconds of a request in each round by machine; the seconds of them in the host's own Python."""

    case: Case
    ticks: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)

    def least(self, machine: str) -> float:
        """Seconds in the round that was least disturbed."""
        return min(self.seconds[machine])

    def ratio(self, machine: str, base: str) -> float:
        """How many times as long another machine takes."""
        return self.least(machine) / self.least(base)


def measure(case: Case, machines: list[str], rounds: int) -> Measured:
    """Send requests on each machine by turns. Raises WrongResult where what comes out differs."""
    runners = {machine: Runner(case, machine) for machine in machines}
    first = next(iter(runners.values()))
    for machine, runner in runners.items():
        if seen(runner.last) != seen(first.last):
            raise WrongResult(f"{case.name} on {machine}: {seen(runner.last)}, and not {seen(first.last)}")
    found = Measured(case, first.ticks, {machine: [] for machine in machines})
    for turn in range(rounds):
        for machine in machines[turn % len(machines) :] + machines[: turn % len(machines)]:
            found.seconds[machine].append(runners[machine].seconds())
    for machine in machines:
        found.host[machine] = share(case, machine, rounds) * found.least(machine)
    return found


def share(case: Case, machine: str, rounds: int) -> float:
    """How much of a request's time is the host's own Python."""
    split = Split()
    MACHINES["timed"] = timed(MACHINES.get(machine, WasmGuest), machine, split)
    try:
        runner = Runner(case, "timed")
        seen: list[tuple[float, float]] = []
        for _ in range(rounds):
            split.machine = split.host = 0.0
            split.since = time.perf_counter()
            taken = runner.seconds()
            split.cross(False)
            seen.append((taken, split.host / (split.host + split.machine)))
    finally:
        del MACHINES["timed"]
    return min(seen)[1]


def seen(commands: list[Command]) -> list[Command]:
    """What must be equal of what a host asked for: all but the numbers that it counts up."""
    return [
        replace(command, stream=0) if isinstance(command, Send | Log) else command
        for command in commands
        if isinstance(command, Send | SendLocalReply | Log | PluginFailed)
    ]


def table(found: list[Measured], base: str) -> Table:
    """Microseconds, how many times faster, and how much of it is the same Python on both sides."""
    shown = Table(title=f"one request, µs (least disturbed round); target: {TARGET:g} times faster")
    shown.add_column("filter")
    shown.add_column("language")
    shown.add_column("ticks", justify="right")
    machines = list(found[0].seconds)
    for machine in machines:
        shown.add_column(machine, justify="right")
        shown.add_column("of it the host", justify="right", style="dim")
    others = [machine for machine in machines if machine != base]
    for machine in others:
        shown.add_column(f"{machine} / {base}", justify="right", style="bold")
    for one in found:
        cells = []
        for machine in machines:
            cells += [f"{one.least(machine) * 1e6:,.0f}", f"{one.host[machine] * 1e6:,.0f}"]
        ratios = [f"{one.ratio(machine, base):.2f}" for machine in others]
        shown.add_row(one.case.name, one.case.language, f"{one.ticks:,}", *cells, *ratios)
    if others:
        shown.add_section()
        means = [f"{geometric_mean(one.ratio(machine, base) for one in found):.2f}" for machine in others]
        shown.add_row("geometric mean", "", "", *[""] * 2 * len(machines), *means, style="bold")
    return shown


def as_json(one: Measured) -> dict[str, Any]:
    """All times of one filter."""
    return {
        "name": one.case.name,
        "language": one.case.language,
        "ticks": one.ticks,
        "seconds": one.seconds,
        "host_seconds": one.host,
    }
