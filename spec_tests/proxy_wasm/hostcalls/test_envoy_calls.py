"""Names, statistics and access logs as events and commands of the core (abi_reference 5.3, 11.2)."""

from __future__ import annotations

from pathlib import Path

from hostabi import AccessLog, DnsResolved, Host, Limits, Plugin, PluginConfig, ResolveDns, StatsUpdate, Status
from hostabi.adapters.session import Session
from hostabi.core.events import Start, StreamInfo
from hostabi.core.transcript import Called
from hostabi.testing import Answer, FilterHost, FilterSession, Request
from spec_tests.proxy_wasm.kit import call, callbacks, expression

ORDERS = Path(__file__).parents[1] / "scenarios" / "filters" / "network_orders.wasm"


def started(engine: str, orders: str, **options: object) -> tuple[Host, Plugin]:
    host = Host(engine=engine, record=True, **options)  # type: ignore[arg-type]
    plugin = host.plugin(ORDERS, PluginConfig("A", configuration=orders.replace("; ", "\n").encode()))
    host.transcript.clear()
    return host, plugin


def said(host: Host) -> list[object]:
    """What was logged since the last time."""
    found = [dict(r.args)["message"] for r in host.transcript if isinstance(r, Called) and r.function == "proxy_log"]
    host.transcript.clear()
    return found


def test_a_name_is_looked_up_and_answered(engine: str) -> None:
    host, plugin = started(engine, "configure: lookup a.test; resolve_dns: told; resolve_dns: addresses")
    asked = [c for c in plugin.handle(Start()) if isinstance(c, ResolveDns)]
    assert asked == [ResolveDns("A", 2, "a.test")]
    plugin.handle(DnsResolved("A", 2, (("1.2.3.4", 9),)))
    assert said(host) == [b"lookup 0 2", b"told 2", b"addresses 0 1 9s 1.2.3.4:0"]


def test_an_answer_that_nobody_waits_for_is_dropped(engine: str) -> None:
    host, plugin = started(engine, "configure: lookup a.test; resolve_dns: told")
    plugin.handle(Start())
    for token in (1, 3, 2, 2):
        plugin.handle(DnsResolved("A", token))
    assert said(host) == [b"lookup 0 2", b"told 2"]


def test_a_resolver_that_fails_says_nothing(engine: str) -> None:
    """Size 0, and an empty buffer; a name without an address has one of 4 bytes."""
    host, plugin = started(engine, "configure: lookup a; resolve_dns: length 8; resolve_dns: addresses")
    plugin.handle(Start())
    host.transcript.clear()
    plugin.handle(DnsResolved("A", 2, None))
    assert callbacks(list(host.transcript)) == ["envoy_on_resolve_dns(1, 2, 0)"]
    assert said(host) == [b"length 0 0", b"addresses 0"]


def test_names_under_way_are_limited(engine: str) -> None:
    again = expression("envoy_resolve_dns", [0, 1])
    got = call(engine, "envoy_resolve_dns", b"b", before=(again,), host={"limits": Limits(outstanding_calls=1)})
    assert got.status is Status.INTERNAL_FAILURE


def test_statistics_reach_every_plugin(engine: str) -> None:
    host, plugin = started(engine, "stats_update: told; stats_update: statistic up; stats_update: statistic live")
    plugin.handle(Start())
    said(host)
    plugin.handle(StatsUpdate("A", ((b"up", 10, 3),), ((b"live", 1),)))
    assert said(host) == [b"told 72", b"statistic 0 counter 10 +3", b"statistic 0 gauge 1"]


def test_the_filters_own_counters_are_among_them(engine: str) -> None:
    session = FilterSession(ORDERS, config="configure: define 0 n\nconfigure: count 4", engine=engine)
    assert session.host.statistics() == (((b"wasmcustom.n", 4, 4),), ())
    assert session.host.statistics() == (((b"wasmcustom.n", 4, 0),), ())


def test_an_access_log_without_a_stream(engine: str) -> None:
    """On the plugin's own context: no other is made."""
    orders = "log: get 0 :path; log: get 2 :status; log: get 3 t; log: property request.path; log: write 0 0 0 x"
    host, plugin = started(engine, orders)
    plugin.handle(Start())
    host.transcript.clear()
    event = AccessLog("A", StreamInfo(), ((b":path", b"/a"),), ((b":status", b"200"),), ((b"t", b"1"),))
    plugin.handle(event)
    assert callbacks(list(host.transcript)) == ["on_log(1)"]
    assert said(host) == [b"get 0 /a", b"get 0 200", b"get 0 1", b"property 0 /a", b"write 2"]
    plugin.handle(AccessLog("A", StreamInfo()))
    assert said(host)[:3] == [b"get 1", b"get 1", b"get 1"]
    assert len(plugin.vm.state.contexts) == 1


def test_a_logger_is_started_and_ended_with_its_chain(engine: str) -> None:
    host = Host(engine=engine, record=True)
    plugin = host.plugin(ORDERS, PluginConfig("log", configuration=b"log: get 0 :path"))
    session = Session(host, host.chain([], [plugin]))
    session.start()
    session.request(Request(path="/x"))
    session.upstream(Answer(body="hi"))
    assert session.stream().response is not None
    session.connect()
    session.abort_client()
    session.shutdown()
    assert callbacks(list(host.transcript)) == [
        *("on_context_create(1, 0)", "on_configure(1, 16)", "on_log(1)", "on_log(1)", "on_done(1)", "on_delete(1)"),
    ]
    assert said(host) == [b"get 0 /x", b"get 1"] and plugin.gone


def test_a_filter_host_has_names_and_connections(engine: str) -> None:
    host = FilterHost(
        ORDERS,
        config="new_connection: lookup a\nnew_connection: return 1\nresolve_dns: addresses\n"
        "resolve_dns: effective\nresolve_dns: continue 2",
        engine=engine,
        dns={"a": ["10.0.0.1"]},
    )
    done = host.connection(["hello ", "again"], ["world"])
    assert done.log_lines[1] == "addresses 0 1 60s 10.0.0.1:0"
    mine = done.connection
    assert mine is not None and (mine.upstream, mine.downstream, done.paused) == (b"hello again", b"world", False)


def test_a_connection_that_a_filter_holds_is_paused(engine: str) -> None:
    host = FilterHost(ORDERS, config="new_connection: return 1", engine=engine)
    done = host.connection(["hello"], ["world"])
    assert done.paused and done.connection is not None and done.connection.upstream is None


def test_a_tick_lets_a_held_connection_go(engine: str) -> None:
    orders = "new_connection: tick 50\nnew_connection: return 1\ntick: effective\ntick: continue 2\ntick: tick 0"
    done = FilterHost(ORDERS, config=orders, engine=engine).connection(["hello"], ["world"])
    assert not done.paused and done.connection is not None
    assert (done.connection.upstream, done.connection.downstream) == (b"hello", b"world")
