"""Connections through filters that obey orders, as transcripts. Those of the first part were seen so on Envoy 1.40."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hostabi import CloseConnection, Host, Limits, PluginConfig, Profile, Watermark
from hostabi.abi.enums import PeerType
from hostabi.adapters.session import Session
from hostabi.adapters.streams import SessionError
from hostabi.core.transcript import Broke, Entered, Left

ORDERS = Path(__file__).parents[1] / "scenarios" / "filters" / "network_orders.wasm"


class Line:
    """A connection through filters named A, B, ... with orders each, played by words."""

    def __init__(
        self,
        engine: str,
        *orders: str,
        profile: str | Profile = "default",
        limits: Limits | None = None,
        fail_open: bool = False,
    ) -> None:
        self.host = Host(engine=engine, profile=profile, limits=limits, record=True)
        plugins = [
            self.host.plugin(
                ORDERS,
                PluginConfig(name, configuration=order.replace("; ", "\n").encode(), vm_id=name, fail_open=fail_open),
            )
            for name, order in zip("ABC", orders, strict=False)
        ]
        self.session = Session(self.host, self.host.chain(plugins))
        self.session.start()
        self.host.transcript.clear()

    def play(self, script: str) -> str:
        """What comes of it: callbacks with their results, lines of the log, and what came out at the two ends."""
        lines: list[str] = []
        for word in script.split(" | "):
            self._do(*word.split(" ", 1))
            lines += [f"> {word}", *self._seen()]
        return "\n".join(lines)

    def _do(self, what: str, data: str = "") -> None:
        session = self.session
        match what:
            case "connect":
                session.connect(data or "main")
                self._out = [b"", b""]
            case "client":
                session.downstream_data(data.removesuffix(".").encode(), end=data.endswith("."))
            case "upstream":
                session.upstream_data(data.removesuffix(".").encode(), end=data.endswith("."))
            case "gone":
                (session.abort_client if data == "client" else session.abort_upstream)()
            case "wait":
                session.advance(int(data) * 1_000_000)
            case _:
                raise AssertionError(what)

    def _seen(self) -> list[str]:
        found: list[str] = []
        for record in self.host.transcript:
            if isinstance(record, Entered):
                args = ", ".join(str(value) for _, value in record.args)
                found.append(f"{record.plugin} {record.callback.removeprefix('proxy_on_')}({args})")
            elif isinstance(record, Left) and record.result:
                found.append(f"{record.plugin}   {record.result}")
            elif isinstance(record, Broke):
                found.append(f"{record.plugin}   {record.message}")
            elif getattr(record, "function", "") == "proxy_log":
                found.append(f"{record.plugin}   {dict(record.args)['message'].decode()}")  # type: ignore[attr-defined]
        self.host.transcript.clear()
        mine = self.session.connection()
        for i, (whom, now) in enumerate((("upstream", mine.upstream or b""), ("client", mine.downstream))):
            new, self._out[i] = now[len(self._out[i]) :], now
            if new:
                found.append(f"{whom} gets {new.decode()}")
        if mine.closed is not None:
            found.append(f"closed: {mine.closed.name.lower()}, {mine.reason}")
        return found


def played(engine: str, *orders: str, script: str, **options: Any) -> list[str]:
    return Line(engine, *orders, **options).play(script).splitlines()


def test_a_whole_connection_that_the_upstream_ends_last(engine: str) -> None:
    script = "connect | client hello | upstream world | client . | upstream more | upstream ."
    assert played(engine, "done: log 2 bye; log: read 2", script=script) == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "> client hello",
        "A downstream_data(2, 5, 0)",
        "upstream gets hello",
        "> upstream world",
        "A upstream_data(2, 5, 0)",
        "client gets world",
        "> client .",
        "A downstream_data(2, 0, 1)",
        "> upstream more",
        "A upstream_data(2, 4, 0)",
        "client gets more",
        "> upstream .",
        "A upstream_data(2, 0, 1)",
        "A upstream_connection_close(2, 0)",
        "A downstream_connection_close(2, 1)",
        "A done(2)",
        "A   bye",
        "A   1",
        "A log(2)",
        "A   read 0",
        "A delete(2)",
        "closed: local, both sides have ended",
    ]


def test_the_client_ends_last(engine: str) -> None:
    script = "connect | upstream . | client y | client ."
    assert played(engine, "", script=script)[3:] == [
        "> upstream .",
        "A upstream_data(2, 0, 1)",
        "A upstream_connection_close(2, 0)",
        "> client y",
        "A downstream_data(2, 1, 0)",
        "upstream gets y",
        "> client .",
        "A downstream_data(2, 0, 1)",
        "A downstream_connection_close(2, 2)",
        "A done(2)",
        "A   1",
        "A log(2)",
        "A delete(2)",
        "closed: remote, both sides have ended",
    ]


@pytest.mark.parametrize(("who", "peer"), [("client", "remote"), ("upstream", "local")])
def test_somebody_breaks_off(engine: str, who: str, peer: str) -> None:
    assert played(engine, "downstream_connection_close: told", script=f"connect | gone {who}")[4:] == [
        f"A downstream_connection_close(2, {PeerType[peer.upper()]:d})",
        f"A   told {PeerType[peer.upper()]:d}",
        "A done(2)",
        "A   1",
        "A log(2)",
        "A delete(2)",
        f"closed: {peer}, the {who} went away",
    ]


def test_held_bytes_are_shown_with_what_follows(engine: str) -> None:
    orders = """downstream_data: read 2; downstream_data/1: return 1; downstream_data/1: write 2 0 0 [
upstream_data: read 3; upstream_data/1: return 1"""
    script = "connect | client aa | client bb | upstream 11 | upstream 22 | client cc"
    assert played(engine, orders, script=script)[3:] == [
        "> client aa",
        "A downstream_data(2, 2, 0)",
        "A   read 0 aa",
        "A   1",
        "> client bb",
        "A downstream_data(2, 5, 0)",
        "A   read 0 [aabb",
        "upstream gets [aabb",
        "> upstream 11",
        "A upstream_data(2, 2, 0)",
        "A   read 0 11",
        "A   1",
        "> upstream 22",
        "A upstream_data(2, 4, 0)",
        "A   read 0 1122",
        "client gets 1122",
        "> client cc",
        "A downstream_data(2, 2, 0)",
        "A   read 0 cc",
        "upstream gets cc",
    ]


def test_an_end_that_is_held_goes_no_further(engine: str) -> None:
    line = Line(engine, "downstream_data: return 1; upstream_data: return 1")
    line.play("connect | client aa | client . | upstream 11 | upstream .")
    mine = line.session.connection()
    assert (mine.upstream, mine.downstream, mine.upstream_end, mine.closed) == (b"", b"", False, None)


def test_nothing_is_read_until_the_connection_is_let_through(engine: str) -> None:
    orders = "new_connection: return 1; new_connection: tick 300; tick: effective; tick: continue 2; tick: tick 0"
    assert played(engine, orders, script="connect | client aa | wait 300 | client bb") == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "A   1",
        "> client aa",
        "> wait 300",
        "A tick(1)",
        "A   effective 0",
        "A   continue 0",
        "A downstream_data(2, 2, 0)",
        "upstream gets aa",
        "> client bb",
        "A downstream_data(2, 2, 0)",
        "upstream gets bb",
    ]


def test_a_continue_before_the_action(engine: str) -> None:
    """What is held leaves before the action takes effect, and the callback's own bytes with it."""
    orders = "downstream_data: continue 2; downstream_data/1: return 1; downstream_data/end: return 1"
    assert played(engine, orders, script="connect | client aa | client bb | client .")[3:] == [
        "> client aa",
        "A downstream_data(2, 2, 0)",
        "A   continue 0",
        "A   1",
        "upstream gets aa",
        "> client bb",
        "A downstream_data(2, 2, 0)",
        "A   continue 0",
        "upstream gets bb",
        "> client .",
        "A downstream_data(2, 0, 1)",
        "A   continue 0",
        "A   1",
    ]


@pytest.mark.parametrize("stream", [2, 3])
def test_a_filter_closes(engine: str, stream: int) -> None:
    """Both streams are the same connection; the bytes it was shown stay, and can be read until it is forgotten."""
    orders = f"downstream_data: close {stream}; downstream_data: continue 2; downstream_connection_close: read 2"
    assert played(engine, orders, script="connect | client aa")[3:] == [
        "> client aa",
        "A downstream_data(2, 2, 0)",
        "A   close 0",
        "A   continue 0",
        "A downstream_connection_close(2, 1)",
        "A   read 0 aa",
        "A done(2)",
        "A   1",
        "A log(2)",
        "A delete(2)",
        "closed: local, closed by the filter",
    ]


def test_the_upstream_side_cannot_be_continued(engine: str) -> None:
    orders = "upstream_data: continue 3; upstream_data: return 1"
    assert "A   continue 12" in played(engine, orders, script="connect | upstream aa")


def test_what_a_connection_has_not(engine: str) -> None:
    """Maps, bodies and local replies are of HTTP; nothing of that fails harder than where there is no stream."""
    orders = """downstream_data: reply 403 x no; downstream_data: get 0 x; downstream_data: pairs 0
downstream_data: set 0 a b; downstream_data: read 0; downstream_data: write 0 0 0 x; downstream_data: read 3
downstream_data: write 3 0 0 x; downstream_data: write 2 1 1 x; downstream_data: write 2 99 1 x
downstream_data: write 2 0 1 y; downstream_data: length 2; downstream_data: continue 0; downstream_data: close 0
log: write 2 0 0 x; new_connection: write 2 0 0 x; new_connection: read 2"""
    assert played(engine, orders, script="connect | client 12345 | gone client") == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "A   write 2",
        "A   read 0",
        "> client 12345",
        "A downstream_data(2, 5, 0)",
        *("A   get 2", "A   pairs 0", "A   set 2", "A   read 0", "A   write 2", "A   read 0", "A   write 2"),
        *("A   write 2", "A   length 0 6", "A   continue 0", "A   close 0"),
        "upstream gets y2345x",
        "> gone client",
        "A downstream_connection_close(2, 2)",
        "A done(2)",
        "A   1",
        "A log(2)",
        "A   write 2",
        "A delete(2)",
        "closed: remote, the client went away",
    ]


# --- chains


def test_filters_of_a_chain_share_a_buffer(engine: str) -> None:
    first = (
        "downstream_data: read 2; downstream_data: write 2 0 0 A; upstream_data: read 3; upstream_data: write 3 0 0 a"
    )
    second = "downstream_data: read 2; downstream_data/1: return 1; upstream_data: read 3; upstream_data/2: return 1"
    script = "connect | client 11 | client 22 | upstream xx | upstream yy | upstream zz"
    assert played(engine, first, second, script=script) == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "B context_create(2, 1)",
        "B new_connection(2)",
        "> client 11",
        "A downstream_data(2, 2, 0)",
        "A   read 0 11",
        "B downstream_data(2, 3, 0)",
        "B   read 0 A11",
        "B   1",
        "> client 22",
        "A downstream_data(2, 5, 0)",
        "A   read 0 A1122",
        "B downstream_data(2, 6, 0)",
        "B   read 0 AA1122",
        "upstream gets AA1122",
        "> upstream xx",
        "B upstream_data(2, 2, 0)",
        "B   read 0 xx",
        "A upstream_data(2, 2, 0)",
        "A   read 0 xx",
        "client gets axx",
        "> upstream yy",
        "B upstream_data(2, 2, 0)",
        "B   read 0 yy",
        "B   1",
        "> upstream zz",
        "B upstream_data(2, 4, 0)",
        "B   read 0 yyzz",
        "A upstream_data(2, 4, 0)",
        "A   read 0 yyzz",
        "client gets ayyzz",
    ]


def test_the_first_filter_holds_what_the_last_has_changed(engine: str) -> None:
    first = "upstream_data: read 3; upstream_data/1: return 1"
    second = "upstream_data: read 3; upstream_data: write 3 0 0 b"
    assert played(engine, first, second, script="connect | upstream xx | upstream yy")[5:] == [
        "> upstream xx",
        "B upstream_data(2, 2, 0)",
        "B   read 0 xx",
        "A upstream_data(2, 3, 0)",
        "A   read 0 bxx",
        "A   1",
        "> upstream yy",
        "B upstream_data(2, 5, 0)",
        "B   read 0 bxxyy",
        "A upstream_data(2, 6, 0)",
        "A   read 0 bbxxyy",
        "client gets bbxxyy",
    ]


def test_a_continue_asks_whoever_holds_later_once_more(engine: str) -> None:
    first = "new_connection: tick 400; tick: tick 0; tick: effective; tick: continue 2"
    second = "downstream_data: read 2; downstream_data/1: return 1"
    assert played(engine, first, second, script="connect | client 11 | wait 400")[10:] == [
        "> wait 400",
        "A tick(1)",
        "A   effective 0",
        "A   continue 0",
        "B downstream_data(2, 2, 0)",
        "B   read 0 11",
        "upstream gets 11",
    ]


def test_a_later_filter_holds_the_connection_open(engine: str) -> None:
    second = "new_connection: return 1; new_connection: tick 500; tick: effective; tick: tick 0; tick: continue 2"
    assert played(engine, "", second, script="connect | client 11 | wait 500") == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "B context_create(2, 1)",
        "B new_connection(2)",
        "B   1",
        "> client 11",
        "> wait 500",
        "B tick(1)",
        "B   effective 0",
        "B   continue 0",
        "A downstream_data(2, 2, 0)",
        "B downstream_data(2, 2, 0)",
        "upstream gets 11",
    ]


def test_one_closes_and_all_that_know_of_it_are_told(engine: str) -> None:
    closing = "new_connection: close 2; downstream_connection_close: told"
    assert played(engine, closing, "", script="connect") == [
        "> connect",
        "A context_create(2, 1)",
        "A new_connection(2)",
        "A   close 0",
        "A downstream_connection_close(2, 1)",
        "A   told 1",
        "A done(2)",
        "A   1",
        "A log(2)",
        "A delete(2)",
        "closed: local, closed by the filter",
    ]
    both = played(engine, "downstream_data: close 3", "", script="connect | client 11")
    assert [line for line in both if "close(" in line or "delete" in line] == [
        "A downstream_connection_close(2, 1)",
        "A delete(2)",
        "B downstream_connection_close(2, 1)",
        "B delete(2)",
    ]


# --- failures


def test_a_trap_closes(engine: str) -> None:
    assert played(engine, "downstream_data: trap", "", script="connect | client 11")[5:] == [
        "> client 11",
        "A downstream_data(2, 2, 0)",
        "A   unreachable",
        "B downstream_connection_close(2, 1)",
        "B done(2)",
        "B   1",
        "B log(2)",
        "B delete(2)",
        "closed: local, wasm_fail_stream",
    ]


def test_a_trap_is_passed_by_where_the_policy_is_open(engine: str) -> None:
    """From the byte where the filter stood, with what it had changed; later connections go past it as well."""
    orders = "downstream_data: return 1; downstream_data/2: write 2 0 0 [; downstream_data/2: trap"
    line = Line(engine, orders, "downstream_data: read 2", fail_open=True)
    assert line.play("connect | client 11 | client 22 | client 33 | upstream 44").splitlines()[5:] == [
        "> client 11",
        "A downstream_data(2, 2, 0)",
        "A   1",
        "> client 22",
        "A downstream_data(2, 4, 0)",
        "A   unreachable",
        "B downstream_data(2, 5, 0)",
        "B   read 0 [1122",
        "upstream gets [1122",
        "> client 33",
        "B downstream_data(2, 2, 0)",
        "B   read 0 33",
        "upstream gets 33",
        "> upstream 44",
        "B upstream_data(2, 2, 0)",
        "client gets 44",
    ]
    line.session.connect("late")
    line.session.downstream_data(b"55", "late")
    assert line.session.connection("late").upstream == b"55"


def test_a_trap_ends_the_other_connections_too(engine: str) -> None:
    line = Line(engine, "downstream_data: trap")
    line.session.connect("one")
    line.session.connect("two")
    line.session.downstream_data(b"x", "two")
    for name in ("one", "two"):
        closed = line.session.connection(name)
        assert (closed.closed, closed.reason) == (PeerType.LOCAL, "wasm_fail_stream")
    line.session.connect("three")
    assert line.session.connection("three").reason == "wasm_fail_stream"


def test_a_trap_while_the_connection_opens(engine: str) -> None:
    for fail_open, upstream in ((False, None), (True, b"11")):
        line = Line(engine, "new_connection: trap", fail_open=fail_open)
        line.session.connect()
        mine = line.session.connection()
        if fail_open:
            line.session.downstream_data(b"11")
        assert (mine.upstream, mine.ended) == (upstream, not fail_open)


# --- limits


def test_too_much_held_stops_reading(engine: str) -> None:
    """Above the limit a side is read no further; it goes on when what is held has left."""
    orders = "downstream_data: return 1; downstream_data/2: tick 400; tick: tick 0; tick: effective; tick: continue 2"
    line = Line(engine, orders, limits=Limits(connection_buffer=10))
    line.play("connect | client 12345 | client 67890123 | client 45")
    marks = [command for command in line.session.seen.commands if isinstance(command, Watermark)]
    assert [mark.above for mark in marks] == [True]
    assert line.play("wait 400").splitlines() == [
        "> wait 400",
        "A tick(1)",
        "A   effective 0",
        "A   continue 0",
        "A downstream_data(2, 2, 0)",
        "A   1",
        "upstream gets 1234567890123",
    ]


def test_what_waits_for_the_connection_counts(engine: str) -> None:
    line = Line(engine, "new_connection: return 1", limits=Limits(connection_buffer=4))
    line.play("connect | client 12345 | client 6")
    assert line.session.connection().stalled and line.session.connection().unread
    assert [mark.above for mark in line.session.seen.commands if isinstance(mark, Watermark)] == [True]


def test_a_filter_cannot_make_more_than_the_limit(engine: str) -> None:
    orders = "downstream_data: write 2 0 0 12345; downstream_data: write 2 0 9 1234"
    lines = played(engine, orders, script="connect | client ab", limits=Limits(connection_buffer=4))
    assert lines[-2:] == ["A   write 2", "upstream gets 1234"]


# --- profiles


def test_the_specification_has_a_buffer_for_each_filter(engine: str) -> None:
    first = "downstream_data: read 2; upstream_connection_close: told"
    second = "downstream_data: read 2; downstream_data/1: return 1; upstream_data: return 1; upstream_data: continue 3"
    lines = played(engine, first, second, script="connect | client 11 | client 22 | upstream 33.", profile="spec")
    assert lines[5:] == [
        "> client 11",
        "A downstream_data(2, 2, 0)",
        "A   read 0 11",
        "B downstream_data(2, 2, 0)",
        "B   read 0 11",
        "B   1",
        "> client 22",
        "A downstream_data(2, 2, 0)",
        "A   read 0 22",
        "B downstream_data(2, 4, 0)",
        "B   read 0 1122",
        "upstream gets 1122",
        "> upstream 33.",
        "B upstream_data(2, 2, 1)",
        "B   continue 0",
        "B   1",
        "A upstream_data(2, 2, 1)",
        "client gets 33",
    ]


def test_the_specification_tells_of_the_upstream_when_it_is_gone(engine: str) -> None:
    orders = "upstream_connection_close: told"
    lines = played(engine, orders, script="connect | upstream . | gone upstream", profile="spec")
    assert lines[3:8] == [
        "> upstream .",
        "A upstream_data(2, 0, 1)",
        "> gone upstream",
        "A upstream_connection_close(2, 2)",
        "A   told 2",
    ]


# --- order of use


def test_actions_out_of_order(engine: str) -> None:
    session = Line(engine, "new_connection: return 1").session
    with pytest.raises(SessionError, match="no connection 'main' has begun"):
        session.downstream_data(b"x")
    session.connect()
    with pytest.raises(SessionError, match="has not reached the upstream"):
        session.upstream_data(b"x")
    with pytest.raises(SessionError, match="has begun already"):
        session.connect()
    session.downstream_data(b"x", end=True)
    with pytest.raises(SessionError, match="has sent to its end already"):
        session.downstream_data(b"x")
    session.abort_client()
    with pytest.raises(SessionError, match="is over"):
        session.downstream_data(b"x")
    with pytest.raises(SessionError, match="is a connection"):
        session.stream()


def test_a_connection_that_was_closed_is_forgotten(engine: str) -> None:
    line = Line(engine, "downstream_data: close 2; done: return 0")
    line.play("connect | client x")
    assert any(isinstance(command, CloseConnection) for command in line.session.seen.commands)
    plugin = line.session.chain.plugins[0]
    assert len(plugin.connections) == 0 and len(plugin.vm.state.contexts) == 1
    assert not line.session.chain.has(1)


def test_properties_of_a_connection(engine: str) -> None:
    """Those of HTTP are not there; what is stored lasts to its access log."""
    orders = """downstream_data: property source.address; downstream_data: number connection.id
downstream_data: property request.path; downstream_data: property request.protocol; downstream_data: number request.size
downstream_data: number request.total_size; downstream_data: number response.code; downstream_data: number response.size
downstream_data: property response.code_details; downstream_data: keep a val; downstream_data: property a
log: property a; log: number request.size; log: number response.size; log: number request.duration"""
    lines = played(engine, orders, script="connect | client 12345 | upstream abc | gone client")
    assert [line.removeprefix("A   ") for line in lines if "property" in line or "number" in line] == [
        "property 0 127.0.0.1:50000",
        "number 0 1",
        "property 1",
        "property 1",
        "number 0 5",
        "number 0 5",
        "number 1",
        "number 0 0",
        "property 1",
        "property 0 val",
        "property 0 val",
        "number 0 5",
        "number 0 3",
        "number 1",
    ]
