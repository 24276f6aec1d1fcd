"""Every row of the page of features has tests: a map from the row to tests of this folder, which exist."""

from __future__ import annotations

import pytest

from hostabi.testing.features_page import FEATURES, NO, PEERS, YES
from spec_tests.proxy_wasm.named import exists

CALLS = "hostcalls/test_"
START = "start/test_startup.py::"

TESTS: dict[str, tuple[str, ...]] = {
    "ABI 0.1.0": (
        START + "test_markers",
        START + "test_header_callbacks_of_0_1_0_have_no_end_of_stream",
        CALLS + "log_and_time.py::test_get_configuration_of_0_1_0",
        CALLS + "stream_control.py::test_continue_of_0_1_0",
        CALLS + "stream_control.py::test_clear_route_cache_of_0_1_0",
        "scenarios/version_1.tamis.yaml",
    ),
    "ABI 0.2.0": (START + "test_markers", "real/test_higress.py::*"),
    "ABI 0.2.1": (START + "test_markers", CALLS + "pointers.py::test_every_row_of_the_master_table_is_registered"),
    "ABI 0.2.100 (Higress)": (
        START + "test_markers",
        "start/test_allocators.py::test_higress_has_no_such_restriction",
        CALLS + "buffers.py::test_buffer_9_exists_in_0_2_100",
        "scenarios/literal_stop.tamis.yaml",
    ),
    "old vNEXT names": (START + "test_markers_that_do_not_do", "start/test_linking.py::test_refusals"),
    "tolerant linking": (
        "start/test_linking.py::test_stubs",
        "start/test_linking.py::test_arity_variants",
        "start/test_linking.py::test_duplicate_imports",
        "start/test_linking.py::test_envoy_has_a_strict_set_of_imports",
    ),
    "start section": (START + "test_start_functions", START + "test_host_calls_while_starting_fail"),
    "`_initialize`, `main`, `__main_void`": (START + "test_start_functions",),
    "`_start`": (START + "test_start_functions", START + "test_proc_exit_0_while_starting_is_success"),
    "`malloc`, `proxy_on_memory_allocate`": ("start/test_allocators.py::test_which_allocator",),
    "proxy_log": (CALLS + "log_and_time.py::test_log_levels", CALLS + "log_and_time.py::test_log_text_is_bytes"),
    "proxy_get_log_level": (CALLS + "log_and_time.py::test_get_log_level",),
    "clocks": (
        CALLS + "log_and_time.py::test_get_current_time",
        CALLS + "log_and_time.py::test_the_clock_moves_with_each_reading",
    ),
    "ticks": (CALLS + "log_and_time.py::test_tick", CALLS + "log_and_time.py::test_tick_period_0_stops_the_timer"),
    "properties, reading": (
        CALLS + "properties.py::test_attributes_of_a_request",
        CALLS + "properties.py::test_attributes_in_the_log_phase",
        CALLS + "attributes.py::*",
    ),
    "properties, writing": (
        CALLS + "properties.py::test_set_and_get",
        CALLS + "properties.py::test_set_is_seen_by_later_callbacks_and_as_filter_state",
    ),
    "header callbacks": ("stream/transcripts/a_whole_exchange.txt::everything continues",),
    "body callbacks": ("stream/transcripts/a_whole_exchange.txt::everything continues",),
    "trailers": (
        CALLS + "headers.py::test_trailers",
        CALLS + "headers.py::test_trailers_are_made_at_the_end_of_the_body",
    ),
    "HTTP/2 metadata callbacks": (
        "core/test_host.py::test_metadata",
        "stream/test_metadata.py::*",
        "checklist/test_actions.py::test_metadata_always_goes_on",
    ),
    "header maps: pairs, value, add, replace, remove, set": (
        CALLS + "headers.py::test_pairs_in_order_lower_case_with_duplicates",
        CALLS + "headers.py::test_value_is_the_first_of_its_name",
        CALLS + "headers.py::test_add_appends",
        CALLS + "headers.py::test_replace_leaves_one",
        CALLS + "headers.py::test_remove_drops_all_of_a_name",
        CALLS + "headers.py::test_set_pairs_replaces_everything",
    ),
    "header map size": (CALLS + "headers.py::test_size_is_the_sum_of_names_and_values",),
    "body, reading and writing ranges": (
        "checklist/test_buffers.py::test_reading",
        "checklist/test_buffers.py::test_writing",
    ),
    "StopIteration, literally": (
        "stream/transcripts/actions_of_header_callbacks.txt::stop iteration, literally",
        "stream/transcripts/actions_of_header_callbacks.txt::stop iteration, literally, on the response",
    ),
    "StopAllIteration, buffer and watermark": (
        "stream/transcripts/actions_of_header_callbacks.txt::request headers 3: stop all and buffer",
        "stream/transcripts/actions_of_header_callbacks.txt::request headers 4: stop all and watermark",
        "stream/transcripts/limits.txt::too much waits behind stop all and buffer",
        "stream/transcripts/limits.txt::too much waits behind stop all and watermark",
    ),
    "continue and close of streams": (
        CALLS + "stream_control.py::test_continue_when_nothing_is_paused",
        CALLS + "stream_control.py::test_close_resets_the_stream",
        "checklist/test_actions.py::test_resume_from_a_tick",
    ),
    "local response": (
        CALLS + "stream_control.py::test_local_response",
        "checklist/test_local_reply.py::test_from_a_callback_of_the_stream",
    ),
    "HTTP callout": (
        CALLS + "callouts.py::test_http_call",
        CALLS + "callouts.py::test_a_call_that_fails",
        "checklist/test_callouts.py::test_a_call_that_times_out",
    ),
    "HTTP callout trailers": (CALLS + "callouts.py::test_http_call", CALLS + "callouts.py::test_maps_of_an_answer"),
    "gRPC unary": (CALLS + "grpc.py::*", "scenarios/grpc_calls.tamis.yaml"),
    "gRPC stream": (CALLS + "grpc.py::*", "scenarios/grpc_streams.tamis.yaml"),
    "get_status": (
        CALLS + "log_and_time.py::test_status_in_a_callout",
        CALLS + "log_and_time.py::test_status_outside_of_a_callout",
    ),
    "shared data with CAS": (
        CALLS + "shared_and_metrics.py::test_cas",
        CALLS + "shared_and_metrics.py::test_two_vms_share_by_vm_id",
        "checklist/test_shared.py::test_cas_races",
    ),
    "shared queues: register, resolve, send, take, wake": (
        CALLS + "shared_and_metrics.py::test_register_and_resolve",
        CALLS + "shared_and_metrics.py::test_enqueue_and_dequeue_in_order",
        CALLS + "shared_and_metrics.py::test_the_registrant_is_woken_after_the_call",
        "checklist/test_shared.py::test_wake_ups_cross_threads",
    ),
    "metrics: counter, gauge, histogram": (
        CALLS + "shared_and_metrics.py::test_changing_metrics",
        CALLS + "shared_and_metrics.py::test_reading_metrics",
    ),
    "foreign functions": (CALLS + "foreign.py::*", CALLS + "expressions.py::*"),
    "set_effective_context, done": (
        CALLS + "stream_control.py::test_effective_context",
        CALLS + "stream_control.py::test_done_later",
        "checklist/test_rules.py::test_effective_context_only_between_related_contexts",
    ),
    "TCP filters": ("stream/test_connections.py::*", "stream/test_pipes.py::*", "scenarios/tcp.tamis.yaml"),
    "DNS, stats sink": (
        CALLS + "envoy_calls.py::*",
        "abi/test_envoy.py::*",
        "scenarios/dns.tamis.yaml",
        "scenarios/stats.tamis.yaml",
    ),
    "Redis callout": (CALLS + "redis.py::*",),
    "injected response bytes, choice of the upstream host": (CALLS + "higress_calls.py::*",),
    "WASI preview1": (
        "core/test_host.py::test_how_much_random_get_gives",
        "start/test_linking.py::test_one_wasi_name_twice_with_two_types",
        "checklist/test_rules.py::test_wasi_during_start_up",
        "checklist/test_capabilities.py::test_a_function_of_wasi",
    ),
    "`wasi_unstable`": ("features/test_modules.py::test_wasi_under_its_two_names",),
    "emscripten's imports": (CALLS + "leftovers.py::test_emscripten",),
    "AssemblyScript's `abort`, `seed`, `trace`": (
        CALLS + "leftovers.py::test_abort_logs_and_traps",
        CALLS + "leftovers.py::test_trace",
        CALLS + "leftovers.py::test_seed_comes_from_the_injected_entropy",
    ),
}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_has_tests(feature: object) -> None:
    name, ours = feature.name, feature.ours  # type: ignore[attr-defined]
    assert [test for test in TESTS[name] if not exists(test)] == []
    assert bool(TESTS[name]) is (ours != NO), "a row without tests says no"


def test_every_row_is_mapped_and_complete() -> None:
    assert list(TESTS) == [feature.name for feature in FEATURES]
    assert all(len(feature.peers) == len(PEERS) for feature in FEATURES)


def test_no_peer_has_more() -> None:
    """Where another host says yes, so do we."""
    for feature in FEATURES:
        if YES in feature.peers:
            assert feature.ours == YES, feature.name
