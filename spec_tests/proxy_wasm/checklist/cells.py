"""The checklist (abi_reference 14.3) as a map: line -> cell -> the tests that do it.

A test is `file::name`, from the folder above; of a transcript, `file.txt::its name`. A cell that starts with LATER
belongs to a part that is not built yet, and says to which.
"""

from __future__ import annotations

LATER = "later: "

START = "start/test_startup.py::"
LINK = "start/test_linking.py::"
ALLOC = "start/test_allocators.py::"
POINTERS = "hostcalls/test_pointers.py::"
EVERY = "checklist/test_every_call.py::"
MAPS = "checklist/test_maps.py::"
BUFFERS = "checklist/test_buffers.py::"
ACTIONS = "checklist/test_actions.py::"
REPLY = "checklist/test_local_reply.py::"
CALLS = "checklist/test_callouts.py::"
TRAPS = "checklist/test_traps.py::"
ENDS = "checklist/test_ends.py::"
SHARED = "checklist/test_shared.py::"
CAPABLE = "checklist/test_capabilities.py::"
HEADERS_OF = "stream/transcripts/actions_of_header_callbacks.txt::"
BODY_OF = "stream/transcripts/actions_of_body_callbacks.txt::"
TRAILERS_OF = "stream/transcripts/actions_of_trailer_callbacks.txt::"
RESUMING = "stream/transcripts/resuming.txt::"
TRAPPING = "stream/transcripts/traps.txt::"

CELLS: dict[str, dict[str, tuple[str, ...]]] = {
    "markers": {
        "none": (START + "test_markers_that_do_not_do", START + "test_without_a_marker_if_allowed"),
        "two": (START + "test_markers", START + "test_envoy_takes_the_first_marker"),
        "unknown": (START + "test_markers", START + "test_markers_that_do_not_do"),
        "as non-function export": (START + "test_markers_that_do_not_do",),
        "duplicate imports": (LINK + "test_duplicate_imports", LINK + "test_one_wasi_name_twice_with_two_types"),
        "import of an unknown function": (LINK + "test_stubs", LINK + "test_envoy_has_a_strict_set_of_imports"),
        "wrong type": (LINK + "test_refusals", START + "test_a_callback_of_the_wrong_type"),
        "10-parameter grpc_call": (
            LINK + "test_arity_variants",
            LINK + "test_the_short_variant_is_refused_where_the_set_is_strict",
        ),
        "7-parameter path_link": ("checklist/test_markers.py::test_path_link_as_the_standard_has_it",),
    },
    "start": {
        "_initialize only": (START + "test_start_functions",),
        "_initialize and main": (START + "test_start_functions",),
        "_initialize and __main_void": (START + "test_start_functions",),
        "_start": (START + "test_start_functions",),
        "_start ending with proc_exit(0)": (START + "test_proc_exit_0_while_starting_is_success",),
        "_start ending with proc_exit(1)": (START + "test_proc_exit_with_a_code_while_starting_is_a_failure",),
        "start section": (START + "test_start_functions",),
        "none": (START + "test_start_functions",),
    },
    "allocators": {
        "only malloc": (ALLOC + "test_which_allocator",),
        "only proxy_on_memory_allocate": (ALLOC + "test_which_allocator",),
        "both": (ALLOC + "test_which_allocator",),
        "none": (ALLOC + "test_no_allocator",),
        "returning 0": (ALLOC + "test_an_allocator_with_nothing_in_range",),
        "returning out of range": (
            ALLOC + "test_an_allocator_with_nothing_in_range",
            ALLOC + "test_an_allocator_at_the_very_end_of_memory",
        ),
        "growing memory": (ALLOC + "test_an_allocator_that_grows_memory",),
        "calling proxy_log": (ALLOC + "test_an_allocator_that_logs",),
        "calling a forbidden host function": (
            ALLOC + "test_a_forbidden_call_in_an_allocator_fails",
            ALLOC + "test_a_forbidden_call_in_an_allocator_traps_in_envoy",
            EVERY + "test_while_allocating",
        ),
        "trapping": (ALLOC + "test_an_allocator_that_traps",),
    },
    "every host call": {
        "bad input pointer": (POINTERS + "test_an_input_outside_of_memory",),
        "bad output pointer": (
            POINTERS + "test_an_output_outside_of_memory",
            EVERY + "test_a_bad_output_is_never_written_and_never_fatal",
        ),
        "length 0 with null and dangling pointers": (POINTERS + "test_inputs_at_the_edges_of_memory_are_fine",),
        "address exactly at memory end": (
            POINTERS + "test_inputs_at_the_edges_of_memory_are_fine",
            POINTERS + "test_outputs_at_the_end_of_memory_are_written",
        ),
        "enum max+1": (POINTERS + "test_an_enumeration_goes_before_memory",),
        "enum 0xFFFFFFFF": (POINTERS + "test_an_enumeration_goes_before_memory",),
        "on root context": (EVERY + "test_on_the_plugin_itself",),
        "after stream end": (
            EVERY + "test_after_the_end_of_the_stream",
            EVERY + "test_with_the_context_of_a_stream_that_is_over",
        ),
        "while restricted": (
            EVERY + "test_while_starting",
            EVERY + "test_while_allocating",
            "checklist/test_rules.py::test_wasi_during_start_up",
            "checklist/test_rules.py::test_wasi_during_allocation",
        ),
    },
    "maps": {
        "empty": (MAPS + "test_what_is_given_is_sent", "abi/test_codec.py::test_the_forms_of_the_empty_map"),
        "duplicate": (MAPS + "test_what_is_given_is_sent",),
        "non-UTF-8": (MAPS + "test_what_is_given_is_sent",),
        "embedded NUL": (MAPS + "test_what_is_given_is_sent",),
        "1025 pairs": (MAPS + "test_what_is_malformed", "abi/test_codec.py::test_limits_of_a_map"),
        "over 1 MiB": (MAPS + "test_what_is_malformed", "abi/test_codec.py::test_limits_of_a_map"),
        "truncated at each byte": (MAPS + "test_truncated_at_each_byte",),
        "trailing byte": (MAPS + "test_what_is_malformed",),
    },
    "buffers": {
        "reading, chunked and buffered": (BUFFERS + "test_reading", BUFFERS + "test_a_range_that_overflows"),
        "status": (BUFFERS + "test_status",),
        "writing, chunked and buffered": (BUFFERS + "test_writing",),
        "type beyond the last, no buffer, none yet": (
            BUFFERS + "test_which_buffers_can_be_had_in_a_body_callback",
            "hostcalls/test_buffers.py::test_a_buffer_type_out_of_range",
            "hostcalls/test_buffers.py::test_a_body_that_is_not_there_yet",
            "hostcalls/test_buffers.py::test_write_without_a_body",
        ),
        "order of checks": ("hostcalls/test_buffers.py::test_a_missing_buffer_comes_before_bad_memory",),
    },
    "actions": {
        "headers: all, out of range, negative": (
            HEADERS_OF + "request headers 1: stop iteration is stop all",
            HEADERS_OF + "request headers 2: continue and end stream is continue",
            HEADERS_OF + "request headers 3: stop all and buffer",
            HEADERS_OF + "request headers 4: stop all and watermark",
            HEADERS_OF + "request headers 5: one out of range",
            HEADERS_OF + "request headers 4294967295: far out of range",
            HEADERS_OF + "response headers 4294967295: far out of range",
        ),
        "body: all, out of range, negative": (
            BODY_OF + "request body 1: buffer, then continue",
            BODY_OF + "request body 2: watermark, then continue",
            BODY_OF + "request body 3: no buffer, then continue",
            BODY_OF + "request body 4: one out of range, then continue",
            BODY_OF + "request body 4294967295: far out of range, then continue",
            BODY_OF + "response body 4294967295: far out of range, resumed in the middle",
        ),
        "trailers: all, out of range, negative": (
            TRAILERS_OF + "request trailers 1",
            TRAILERS_OF + "request trailers 2",
            TRAILERS_OF + "request trailers 4294967295",
            TRAILERS_OF + "response trailers 4294967295",
        ),
        "metadata: all, out of range, negative": (ACTIONS + "test_metadata_always_goes_on",),
        "yes and no": (
            ACTIONS + "test_any_number_but_0_is_true",
            ACTIONS + "test_any_number_but_0_agrees_to_be_done",
            ACTIONS + "test_a_stream_ends_whatever_on_done_says",
        ),
        "every action has a case": ("stream/test_streams.py::test_every_action_has_a_case",),
        "resume from tick": (ACTIONS + "test_resume_from_a_tick",),
        "resume from callout": (
            "core/test_host.py::test_a_gate_in_python",
            CALLS + "test_an_answer_is_never_given_within_the_call",
        ),
        "resume from the same callback": (
            RESUMING + "in the header callback itself",
            RESUMING + "in the body callback itself",
            RESUMING + "in the trailer callback itself",
            "hostcalls/test_stream_control.py::test_continue_in_the_callback_that_pauses",
        ),
        "resume twice": (RESUMING + "the wrong direction, then twice", ACTIONS + "test_resume_from_a_tick"),
        "resume in the wrong direction": (
            RESUMING + "the wrong direction, then twice",
            ACTIONS + "test_resume_of_the_wrong_direction_from_a_tick",
        ),
    },
    "local reply": {
        "from each callback": (
            REPLY + "test_from_a_callback_of_the_stream",
            REPLY + "test_from_a_callback_of_the_plugin",
            REPLY + "test_from_a_callback_without_a_stream_to_answer",
            REPLY + "test_when_the_context_is_created",
        ),
        "twice": (REPLY + "test_twice",),
        "then Continue returned": (
            REPLY + "test_from_a_callback_of_the_stream",
            REPLY + "test_then_a_continue_of_both_directions",
        ),
        "with trap right after": (REPLY + "test_with_a_trap_right_after",),
    },
    "callouts": {
        "response after stream death": (CALLS + "test_after_the_streams_death",),
        "response after VM death": (CALLS + "test_after_the_vms_death", CALLS + "test_after_the_plugins_end"),
        "re-entrant": (CALLS + "test_an_answer_is_never_given_within_the_call",),
        "timeouts": (
            CALLS + "test_a_call_that_times_out",
            CALLS + "test_a_call_that_is_reset",
            "scenarios/test_session.py::test_profiles_differ_in_what_a_timeout_looks_like",
        ),
        "token reuse": (CALLS + "test_a_token_is_good_for_one_answer", CALLS + "test_tokens_are_not_used_again"),
    },
    "traps": {
        "in each callback, by policy": (
            TRAPS + "test_while_a_stream_is_held",
            TRAPS + "test_at_the_start",
            TRAPS + "test_when_a_stream_is_created",
            TRAPS + "test_when_the_plugin_goes",
            TRAPS + "test_every_callback_has_a_place_here",
            TRAPPING + "fail open in request_headers",
            TRAPPING + "fail closed in request_headers",
            TRAPPING + "fail open in response_trailers",
            TRAPPING + "fail closed in response_trailers",
            "core/test_host.py::test_a_trap_at_the_end_of_a_stream_changes_nothing_of_it",
        ),
        "reload backoff with fake clock": (LATER + "operations, which rebuild a failed VM",),
        "crash counter limit": (LATER + "operations, which count crashes",),
    },
    "ends": {
        "done false, proxy_done later": (
            "hostcalls/test_stream_control.py::test_done_later",
            ENDS + "test_between_false_and_proxy_done_events_still_arrive",
            ENDS + "test_on_delete_comes_after_the_call_that_said_done",
        ),
        "proxy_done without pending": ("hostcalls/test_stream_control.py::test_done_when_nobody_waits",),
        "shutdown with pending streams": (
            ENDS + "test_shutdown_waits_for_streams",
            ENDS + "test_forced_shutdown_with_streams",
        ),
    },
    "shared": {
        "two VMs, same vm_id and different": ("hostcalls/test_shared_and_metrics.py::test_two_vms_share_by_vm_id",),
        "CAS races over threads": (SHARED + "test_cas_races",),
        "queue wake-up over threads": (SHARED + "test_wake_ups_cross_threads",),
    },
    "capabilities": {
        "each import": (CAPABLE + "test_a_host_call",),
        "each export": (CAPABLE + "test_a_callback", CAPABLE + "test_the_other_callbacks"),
        "WASI restricted is 76": (CAPABLE + "test_a_function_of_wasi",),
    },
    "differential": {
        "one scenario, each SDK's filter": ("real/test_examples.py::*", "real/test_higress.py::*"),
        "one scenario, each engine": ("scenarios/test_engines.py::*",),
    },
    "fuzz": {
        "pairs decoder": ("abi/test_codec.py::test_any_bytes_are_pairs_or_an_error",),
        "bytecode section scanner": (
            "start/test_hostile.py::test_every_cut",
            "start/test_hostile.py::test_every_byte_flipped",
        ),
        "property paths": ("abi/test_codec.py::test_paths_come_back",),
        "host calls with random arguments": ("hostcalls/test_any_numbers.py::test_any_numbers",),
    },
}
