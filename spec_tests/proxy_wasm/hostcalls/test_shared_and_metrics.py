"""Shared data, queues and metrics (abi_reference 8.11 to 8.13)."""

from __future__ import annotations

import pytest

from hostabi import Host, Limits, MetricType, PluginConfig, Start, Status
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import call, callback, callbacks, expression

KEY, VALUE = (0, 1), (8, 3)  # address and length of "k" and "val" below
TEXT = {0: b"k", 8: b"val"}


def put(cas: int = 0, value: tuple[int, int] = VALUE) -> str:
    return expression("proxy_set_shared_data", [*KEY, *value, cas])


# --- data


def test_get_what_was_never_set(engine: str) -> None:
    assert call(engine, "proxy_get_shared_data", b"none").status is Status.NOT_FOUND


def test_set_and_get(engine: str) -> None:
    got = call(engine, "proxy_get_shared_data", b"k", before=(put(),), data=TEXT)
    assert (got.status, got.called.outputs) == (Status.OK, (b"val", 1))


def test_every_set_counts_the_cas_up(engine: str) -> None:
    got = call(engine, "proxy_get_shared_data", b"k", before=(put(), put(), put()), data=TEXT)
    assert got.called.outputs == (b"val", 3)


def test_an_empty_value_keeps_the_key(engine: str) -> None:
    got = call(engine, "proxy_get_shared_data", b"k", before=(put(value=(0, 0)),), data=TEXT)
    assert (got.status, got.called.outputs) == (Status.OK, (b"", 1))


@pytest.mark.parametrize(
    ("before", "cas", "status"),
    [
        ((), 0, Status.OK),
        ((), 5, Status.OK),  # a number on an absent key is accepted, as in Envoy
        ((put(),), 0, Status.OK),
        ((put(),), 1, Status.OK),
        ((put(),), 2, Status.CAS_MISMATCH),
    ],
)
def test_cas(engine: str, before: tuple[str, ...], cas: int, status: Status) -> None:
    got = call(engine, "proxy_set_shared_data", b"k", b"new", cas, before=before, data=TEXT)
    assert got.status is status


@pytest.mark.parametrize(
    ("before", "cas", "status"),
    [
        ((), 0, Status.OK),
        ((), 5, Status.CAS_MISMATCH),
        ((put(),), 0, Status.CAS_MISMATCH),
        ((put(),), 1, Status.OK),
    ],
)
def test_cas_in_nginx(engine: str, before: tuple[str, ...], cas: int, status: Status) -> None:
    got = call(engine, "proxy_set_shared_data", b"k", b"new", cas, before=before, data=TEXT, host={"profile": "nginx"})
    assert got.status is status


def test_the_limit_of_shared_data(engine: str) -> None:
    limits = {"limits": Limits(shared_data_bytes=4)}
    assert call(engine, "proxy_set_shared_data", b"k", b"val", 0, host=limits).status is Status.OK
    got = call(engine, "proxy_set_shared_data", b"k", b"valu", 0, host=limits)
    assert got.status is Status.INTERNAL_FAILURE


@pytest.mark.parametrize(("other", "status"), [("a", Status.OK), ("b", Status.NOT_FOUND)])
def test_two_vms_share_by_vm_id(engine: str, other: str, status: Status) -> None:
    host = Host(engine=engine, record=True)
    writer = small_filter({"proxy_on_configure": callback("proxy_on_configure", put())}, data=TEXT)
    read = expression("proxy_get_shared_data", [*KEY])
    reader = small_filter({"proxy_on_configure": callback("proxy_on_configure", read)}, data=TEXT)
    host.plugin(writer, PluginConfig(name="w", vm_id="a"))
    second = host.plugin(reader, PluginConfig(name="r", vm_id=other))
    host.handle(Start())
    assert second.vm.state.records[-2].result == status  # type: ignore[attr-defined]


# --- queues

REGISTER = expression("proxy_register_shared_queue", [*KEY])


def test_register_and_resolve(engine: str) -> None:
    assert call(engine, "proxy_register_shared_queue", b"k").output == 1
    again = call(engine, "proxy_register_shared_queue", b"k", before=(REGISTER,), data=TEXT)
    assert again.output == 1
    found = call(engine, "proxy_resolve_shared_queue", b"", b"k", before=(REGISTER,), data=TEXT)
    assert found.output == 1
    found = call(engine, "proxy_resolve_shared_queue", b"v", b"k", before=(REGISTER,), data=TEXT, host={"vm_id": "v"})
    assert found.output == 1
    assert call(engine, "proxy_resolve_shared_queue", b"", b"k").status is Status.NOT_FOUND
    other = call(engine, "proxy_resolve_shared_queue", b"x", b"k", before=(REGISTER,), data=TEXT)
    assert other.status is Status.NOT_FOUND


def test_enqueue_and_dequeue_in_order(engine: str) -> None:
    first = expression("proxy_enqueue_shared_queue", [1, *VALUE])
    second = expression("proxy_enqueue_shared_queue", [1, 0, 0])
    take = expression("proxy_dequeue_shared_queue", [1])
    got = call(engine, "proxy_dequeue_shared_queue", 1, before=(REGISTER, first, second, take, take), data=TEXT)
    assert got.status is Status.EMPTY
    taken = [r for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_dequeue_shared_queue"]
    assert [(r.result, r.outputs) for r in taken] == [(0, (b"val",)), (0, (b"",)), (7, ())]


@pytest.mark.parametrize("name", ["proxy_enqueue_shared_queue", "proxy_dequeue_shared_queue"])
def test_an_unknown_queue(engine: str, name: str) -> None:
    values = (9, b"m") if "enqueue" in name else (9,)
    assert call(engine, name, *values).status is Status.NOT_FOUND


def test_the_registrant_is_woken_after_the_call(engine: str) -> None:
    take = expression("proxy_dequeue_shared_queue", [1])
    got = call(
        engine,
        "proxy_enqueue_shared_queue",
        1,
        b"m",
        before=(REGISTER,),
        data=TEXT,
        also={"proxy_on_queue_ready": f"(drop {take})"},
    )
    assert got.status is Status.OK
    assert callbacks(got.exchange.transcript) == ["on_request_headers(2, 4, 1)", "on_queue_ready(1, 1)"]


def test_the_wake_up_crosses_vms(engine: str) -> None:
    host = Host(engine=engine, record=True)
    take = expression("proxy_dequeue_shared_queue", [1])
    registrant = small_filter(
        {
            "proxy_on_configure": callback("proxy_on_configure", REGISTER),
            "proxy_on_queue_ready": f"(drop {take})",
        },
        data=TEXT,
    )
    sender = small_filter(
        {"proxy_on_configure": callback("proxy_on_configure", expression("proxy_enqueue_shared_queue", [1, *VALUE]))},
        data=TEXT,
    )
    first = host.plugin(registrant, PluginConfig(name="first"))
    second = host.plugin(sender, PluginConfig(name="second"))
    first.handle(Start())
    wakes = [c for c in second.handle(Start()) if type(c).__name__ == "Wake"]
    assert [(w.plugin, w.queue) for w in wakes] == [("first", 1)]  # type: ignore[attr-defined]


def test_the_limit_of_a_queue(engine: str) -> None:
    send = expression("proxy_enqueue_shared_queue", [1, *VALUE])
    got = call(
        engine,
        "proxy_enqueue_shared_queue",
        1,
        b"m",
        before=(REGISTER, send, send),
        data=TEXT,
        host={"limits": Limits(queue_messages=2)},
    )
    assert got.status is Status.INTERNAL_FAILURE


# --- metrics


def define(kind: MetricType) -> str:
    return expression("proxy_define_metric", [kind, *KEY])


@pytest.mark.parametrize(("kind", "ids"), [(0, [4, 8, 12]), (1, [5, 9, 13]), (2, [6, 10, 14])])
def test_every_definition_has_a_new_id(engine: str, kind: int, ids: list[int]) -> None:
    again = define(MetricType(kind))
    got = call(engine, "proxy_define_metric", kind, b"k", before=(again, again), data=TEXT)
    made = [r.outputs[0] for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_define_metric"]
    assert made == ids


@pytest.mark.parametrize("kind", [3, 0xFFFFFFFF])
def test_a_metric_type_out_of_range(engine: str, kind: int) -> None:
    assert call(engine, "proxy_define_metric", kind, b"k").status is Status.BAD_ARGUMENT


def test_the_limit_of_metrics(engine: str) -> None:
    got = call(
        engine,
        "proxy_define_metric",
        0,
        b"x",
        before=(define(MetricType.COUNTER),),
        data=TEXT,
        host={"limits": Limits(metrics=1)},
    )
    assert got.status is Status.INTERNAL_FAILURE


COUNTER, GAUGE, HISTOGRAM = 4, 5, 6


@pytest.mark.parametrize(
    ("kind", "number", "name", "value", "status", "after"),
    [
        (0, COUNTER, "proxy_increment_metric", 3, Status.OK, 3),
        (0, COUNTER, "proxy_increment_metric", 0, Status.BAD_ARGUMENT, 0),
        (0, COUNTER, "proxy_increment_metric", -1, Status.BAD_ARGUMENT, 0),
        (0, COUNTER, "proxy_record_metric", 3, Status.OK, 3),
        (1, GAUGE, "proxy_increment_metric", 3, Status.OK, 3),
        (1, GAUGE, "proxy_increment_metric", -3, Status.OK, 0),
        (1, GAUGE, "proxy_record_metric", 7, Status.OK, 7),
        (2, HISTOGRAM, "proxy_increment_metric", 1, Status.BAD_ARGUMENT, 0),
        (2, HISTOGRAM, "proxy_record_metric", 7, Status.OK, 1),
    ],
)
def test_changing_metrics(
    engine: str, kind: int, number: int, name: str, value: int, status: Status, after: int
) -> None:
    got = call(engine, name, number, value, before=(define(MetricType(kind)),), data=TEXT)
    assert (got.status, got.host.metrics()) == (status, {"k": after})


@pytest.mark.parametrize(
    ("kind", "number", "status"), [(0, COUNTER, Status.OK), (1, GAUGE, Status.OK), (2, HISTOGRAM, Status.BAD_ARGUMENT)]
)
def test_reading_metrics(engine: str, kind: int, number: int, status: Status) -> None:
    record = expression("proxy_record_metric", [number, 7])
    got = call(engine, "proxy_get_metric", number, before=(define(MetricType(kind)), record), data=TEXT)
    assert (got.status, got.called.outputs) == (status, (7,) if status is Status.OK else ())


@pytest.mark.parametrize("name", ["proxy_increment_metric", "proxy_record_metric", "proxy_get_metric"])
def test_an_unknown_metric(engine: str, name: str) -> None:
    values = (4,) if name == "proxy_get_metric" else (4, 1)
    assert call(engine, name, *values).status is Status.NOT_FOUND


def test_two_ids_of_one_name_are_one_metric(engine: str) -> None:
    again = define(MetricType.COUNTER)
    add = expression("proxy_increment_metric", [4, 2])
    got = call(engine, "proxy_get_metric", 8, before=(again, again, add), data=TEXT)
    assert got.output == 2


def test_metrics_survive_the_stream(engine: str) -> None:
    body = callback("proxy_on_request_headers", expression("proxy_increment_metric", [4, 1]))
    text = small_filter(
        {
            "proxy_on_configure": callback("proxy_on_configure", define(MetricType.COUNTER)),
            "proxy_on_request_headers": body,
        },
        data=TEXT,
    )
    host = FilterHost(text, engine=engine)
    host.exchange()
    host.exchange()
    assert host.metrics() == {"k": 2}
