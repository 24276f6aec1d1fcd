"""The page of profiles: what each switch does, and where hosts differ, topic by topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum

from hostabi.core.policy import MISUSE, PROFILES, Profile

SWITCHES: dict[str, str] = {
    # loading
    "malloc_first": "of two allocators, `malloc` is used and not `proxy_on_memory_allocate`",
    "allocator_required": "a module without an allocator is refused, even if nothing is ever allocated",
    "first_marker_wins": "of several ABI markers the first counts, not the highest version",
    "newer_versions": "an unknown 0.2.x is taken for 0.2.1; otherwise it is no version at all",
    "higress_version": "the marker of 0.2.100, Higress' own version, is known",
    "allow_unversioned": "a module without a marker is taken for 0.2.1",
    "strict_versions": "calls and shapes of callbacks of other versions than the announced one are refused",
    "import_variants": "a gRPC call may be imported without metadata, and any call without its status",
    "stubs": "unknown imports, and known ones of an unknown type, are stubs that answer 12 or 52, and not refused",
    "absent_imports": "imports by these names, or from these modules, are refused",
    "one_start_function": "the first exported of `_start` and `_initialize` is run, and never `main`",
    "start_restriction": "what becomes of a host call that is not allowed while the guest starts",
    "allocator_restriction": "what becomes of a host call that is not allowed within the guest's allocator",
    "allocator_trap_unwinds": "a trap in the allocator ends the callback at once; otherwise when it has returned",
    # WASI
    "random_bytes": "the most that one `random_get` gives, where that is less than the limit of this name",
    "wasi_errnos": "functions of WASI that answer this errno and do nothing",
    "wasi_clocks": "how many clocks WASI has: 2 without those of the process",
    "poll_reports_clocks": "`poll_oneoff` moves the clock and reports every timer as run out; otherwise nothing",
    "proc_exit_returns": "`proc_exit` is logged as an error and returns to the guest; otherwise it unwinds the guest",
    # host calls at large
    "misuse_traps": "a wrong pointer, and some refusals by call, end the guest after the status is known",
    "trapping_calls": "calls that link, and end the guest when they are made",
    # configuration
    "plugin_configuration_always": "buffer 7 can be read at any time, and not only while the plugin is configured",
    # contexts
    "related_contexts_only": "`proxy_set_effective_context` takes contexts of the calling plugin only",
    "tick_on_root_only": "the tick period cannot be set while a stream's callback runs",
    "tick_set_once": "a period that is set cannot be set to another one, only to 0",
    "continue_needs_stream": "to continue where there is no stream is BAD_ARGUMENT, and not OK",
    # maps
    "malformed_map_is_empty": "a map from the guest that cannot be read counts as empty; otherwise PARSE_FAILURE",
    "absent_map_is_empty": "all pairs of a map that is not there are none; otherwise NOT_FOUND",
    "map_size_is_serialized": "the size of a map is that of its encoding; otherwise the sum of names and values",
    "only_stream_maps_have_size": "no map of a call has a size, and none in the access log; BAD_ARGUMENT",
    "set_pairs_keeps_pseudo": "setting all pairs leaves pseudo-headers that are not among them; otherwise all go",
    "readonly_pseudo_headers": "request headers of which a change is OK and has no effect",
    "reject_bad_header_bytes": "CR, LF and NUL in names and values are BAD_ARGUMENT",
    "continue_drops_maps": "after a continue, the maps of that direction cannot be had until the next callback",
    "passed_maps_are_gone": "headers and trailers cannot be had any more once their callback has continued",
    "joins_headers": "of some headers (`via`, `content-type`, ...) there is one: further values join it with a comma",
    # buffers
    "absent_body_is_empty": "a body that is not there reads as empty; otherwise NOT_FOUND",
    "empty_body_is_not_written": "when nothing is read, neither address nor size is written",
    "reject_range_overflow": "a start and size whose sum passes 32 bits is BAD_ARGUMENT; otherwise it is cut",
    "set_buffer_replaces_part": "start 0 with a size within the body replaces that part; otherwise BAD_ARGUMENT",
    "set_buffer_cuts": "a start within the body cuts it there, and at most `size` bytes of the data are appended",
    "fix_content_length": "content-length of a request follows a changed body, while the headers are still held",
    # streams
    "shows_trailers": "filters are shown trailers",
    "literal_stop_iteration": "result 1 of a header callback holds headers only; otherwise nothing more is shown",
    "wide_actions": "results of callbacks beyond 1 mean what they do in Envoy; otherwise they end the guest",
    "response_headers_can_pause": "response headers can be held; otherwise they go on, whatever is returned",
    "continue_before_action": "a continue takes effect before the action that the same callback returns",
    "upstream_can_continue": "stream type 3 can be continued; otherwise UNIMPLEMENTED",
    "log_before_done": "at the end of a stream `proxy_on_log` comes before `proxy_on_done`",
    "stream_done_waits": "false from a stream's `proxy_on_done` means to wait for `proxy_done`",
    "create_context_at_log": "a stream that never reached a filter is created there for its access log",
    "header_end_of_stream_always_0": "header callbacks are never told that nothing follows",
    "connection_buffer_is_shared": "bytes of a connection that a later filter holds are shown to earlier ones again",
    "upstream_close_at_end": "`proxy_on_upstream_connection_close` comes with the end of the upstream's bytes, by "
    "peer 0; otherwise when its connection is gone",
    "failure_status": "the status with which a filter that failed, and is not to be passed by, is answered",
    # callouts
    "call_timeout_is_504": "a call that times out has a response of status 504; otherwise it has none",
    "call_trailers_are_lost": "trailers of a filter's HTTP call are not sent",
    "grpc_timeout_is_unavailable": "a gRPC call that times out ends with UNAVAILABLE; otherwise DEADLINE_EXCEEDED",
    "grpc_message_is_raw": "the message of a gRPC status is not percent-decoded, and says in braces who ended the call",
    "grpc_failed_start_is_told": "a gRPC call refused for want of its cluster is closed, too, by a token nobody has",
    "status_code_stays": "`proxy_get_status` goes on giving the code of the last callout that failed",
    "dispatch_status": "`:dispatch_status` among the headers of a call that failed says why; their number stays 0",
    # local replies
    "check_reply_status": "a local reply with a status outside of 200 to 599 is BAD_ARGUMENT",
    "reply_needs_stream": "a local reply where there is no stream is BAD_ARGUMENT, and not OK",
    "second_reply_is_misuse": "a local reply after another, or after the response began, is BAD_ARGUMENT, and not OK",
    # properties, shared data, queues, metrics
    "properties_as_text": "properties are text: numbers in decimal, `true`, `false`",
    "empty_path_status_is_bad_argument": "an empty property path is BAD_ARGUMENT; otherwise SERIALIZATION_FAILURE",
    "old_attribute_names": "`node`, `route_name` and six others have the names of their own that Envoy 1.30 still gave",
    "only_host_properties_set": "`ngx.*`, `wasmx.*` and `request.query` can be set and read back, and nothing else set",
    "cas_0_compares": "a CAS number of 0 does not overwrite what is stored: CAS_MISMATCH",
    "cas_needs_key": "a CAS number other than 0 for a key that is not stored is CAS_MISMATCH",
    "queue_wakes": "a message in a queue wakes the plugin that registered it",
    "strict_metrics": "only counters are incremented, and never recorded",
}
"""What each switch does when it is true, or what its value is."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A point where hosts differ: by which switches we follow them, or why by none."""

    name: str
    where: str
    """The section of the ABI reference."""
    switches: tuple[str, ...] = ()
    reason: str = ""


def _topic(name: str, where: str, switches: str = "", reason: str = "") -> Topic:
    return Topic(name, where, tuple(switches.split()), reason)


TOPICS: tuple[Topic, ...] = (
    # the table of section 13, row by row
    _topic(
        "ABI",
        "13",
        "first_marker_wins newer_versions higress_version allow_unversioned strict_versions import_variants stubs "
        "absent_imports",
    ),
    _topic("allocator", "13", "malloc_first allocator_required"),
    _topic("on misuse of a host call", "13", "misuse_traps"),
    _topic("unsupported host calls", "13", "trapping_calls absent_imports stubs"),
    _topic("header Pause", "13", "literal_stop_iteration response_headers_can_pause wide_actions"),
    _topic("trailers", "13", "shows_trailers"),
    _topic("TCP", "13", reason="who has no connections gives a plugin none; its callbacks are then never called"),
    _topic(
        "gRPC callouts",
        "13",
        "trapping_calls grpc_timeout_is_unavailable grpc_message_is_raw grpc_failed_start_is_told status_code_stays",
    ),
    _topic("dispatch target", "13", reason="the name is opaque here; `Host.upstreams` says which names there are"),
    _topic("timeout shape", "13", "call_timeout_is_504 dispatch_status"),
    _topic("missing map in get_pairs", "13", "absent_map_is_empty"),
    _topic("set_pairs", "13", "set_pairs_keeps_pseudo"),
    _topic("middle-start set_buffer", "13", "set_buffer_cuts set_buffer_replaces_part fix_content_length"),
    _topic("property encoding", "13", "properties_as_text"),
    _topic("end order (HTTP)", "13", "log_before_done"),
    _topic("shared data, cas = 0 on an existing key", "13", "cas_0_compares"),
    _topic("shared data, cas != 0 on an absent key", "13", "cas_needs_key"),
    _topic("plugin config after start", "13", "plugin_configuration_always"),
    _topic("1 VM =", "13", reason="which plugins share a VM is a choice of the configuration, in every profile"),
    _topic("crash", "13", "failure_status", "the failure policy is the plugin's: `PluginConfig.fail_open`"),
    _topic("local reply in response phase", "13", "second_reply_is_misuse"),
    # named in other sections
    _topic("several markers", "1.1", "first_marker_wins"),
    _topic("a marker of an unknown version", "1.1", "newer_versions"),
    _topic("calls of another version", "1.3", "strict_versions"),
    _topic("actions beyond 1", "2.10", "wide_actions"),
    _topic("an empty result", "3.1", "empty_body_is_not_written"),
    _topic("a map that cannot be read", "3.3", "malformed_map_is_empty"),
    _topic("an empty property path", "3.4", "empty_path_status_is_bad_argument"),
    _topic("start functions", "4.2", "one_start_function"),
    _topic("proc_exit", "4.2", "proc_exit_returns start_restriction"),
    _topic("vm_start of each plugin", "5.2", reason="every host calls it for each plugin that it starts, and so do we"),
    _topic("end of a stream", "5.3", "log_before_done stream_done_waits create_context_at_log"),
    _topic("contexts of other plugins", "5.4", "related_contexts_only"),
    _topic(
        "set_effective_context without effect",
        "5.4",
        reason="nginx brings a call's answer on its stream, so it can ignore the call; here answers come to the plugin",
    ),
    _topic("bytes that filters of a connection hold", "6", "connection_buffer_is_shared"),
    _topic("the end of an upstream connection", "6", "upstream_close_at_end"),
    _topic("end_of_stream of headers", "6", "header_end_of_stream_always_0"),
    _topic("second values", "8.6", "joins_headers"),
    _topic("sizes of maps", "8.6", "map_size_is_serialized only_stream_maps_have_size"),
    _topic("maps after continue", "7.6", "continue_drops_maps passed_maps_are_gone"),
    _topic("continue in the callback that pauses", "7.6", "continue_before_action"),
    _topic("continue of the upstream side", "7.6", "upstream_can_continue"),
    _topic("failure replies", "7.5", "failure_status"),
    _topic("a second local reply", "7.4", "second_reply_is_misuse"),
    _topic("a local reply without a stream", "7.4", "reply_needs_stream"),
    _topic("tick on a stream, and a second period", "8.1", "tick_on_root_only tick_set_once"),
    _topic("old names of attributes", "10.2", "old_attribute_names"),
    _topic("properties that can be set", "8.3", "only_host_properties_set"),
    _topic("stream control on the plugin's own context", "8.4", "continue_needs_stream"),
    _topic("status of a local reply", "8.5", "check_reply_status"),
    _topic("bytes that break a header", "8.6", "reject_bad_header_bytes"),
    _topic("pseudo-headers that cannot be set", "8.6", "readonly_pseudo_headers"),
    _topic("a body that is not there", "8.7", "absent_body_is_empty"),
    _topic("a range that overflows", "8.7", "reject_range_overflow"),
    _topic("replacing a part of a body", "8.7", "set_buffer_replaces_part"),
    _topic("content-length after a change", "8.7", "fix_content_length"),
    _topic("trailers of an HTTP call", "8.8", "call_trailers_are_lost"),
    _topic("queues", "8.12", "queue_wakes trapping_calls"),
    _topic("kinds of metric", "8.13", "strict_metrics"),
    _topic("names of metrics", "8.13", reason="a prefix is of the page that shows them; lengths have a limit"),
    _topic("functions of WASI", "9.2", "wasi_errnos wasi_clocks poll_reports_clocks random_bytes absent_imports"),
    _topic("functions of AssemblyScript", "9.4", "absent_imports"),
    _topic("emscripten in the allocator", "9.3", "allocator_restriction"),
    _topic("a trap in the allocator", "3.1", "allocator_trap_unwinds"),
    _topic("which properties there are", "10.3", reason="a property that a host lacks is missed by no filter of ours"),
    _topic("calls while starting and allocating", "12.8", "start_restriction allocator_restriction"),
)

_INTRO = """\
Hosts of Proxy-Wasm differ. Where they do, this one has a switch, and a profile is a choice of switches: `default` is
what Envoy does where a filter could notice, and more than that where that hurts nobody; `envoy` is Envoy 1.40 with
cpp-host; `spec` is the text of the specification; `nginx` is ngx_wasm_module. `Host(profile=...)`, `tamis run
--profile` and the key `profile` of a test file choose one; `hostabi.core.policy.profile("envoy", cas_needs_key=True)`
sets a switch of it otherwise.

Each switch has a test that shows it both ways (`spec_tests/proxy_wasm/profiles/`). What a host call has to do with a
switch stands in [the ABI, call by call](ABI.md)."""


_MISUSE_INTRO = """\
Where `misuse_traps`, these answers end the guest, and INVALID_MEMORY_ACCESS of any call does so too. A number that is
no member of its enumeration never does."""


def value_text(value: object) -> str:
    """A switch's value in a cell of a table."""
    match value:
        case Enum():
            return str(value.value)
        case bool() | None:
            return str(value).lower()
        case frozenset() | Mapping():
            return f"{len(value)} below" if value else "none"
        case _:
            return str(value)


def profiles_page() -> str:
    """Every profile, switch and topic."""
    lines = ["# Profiles", "", _INTRO, "", "## Switches", ""]
    lines += [f"| switch | {' | '.join(PROFILES)} | |", "|---" * (len(PROFILES) + 2) + "|"]
    for name, doc in SWITCHES.items():
        values = " | ".join(value_text(getattr(profile, name)) for profile in PROFILES.values())
        lines.append(f"| `{name}` | {values} | {doc} |")
    lines += ["", *_long_values(), "## Where hosts differ", "", "| topic | ABI | switches |", "|---|---|---|"]
    for topic in TOPICS:
        said = [", ".join(f"`{name}`" for name in topic.switches), topic.reason]
        lines.append(f"| {topic.name} | {topic.where} | {'; '.join(filter(None, said))} |")
    lines += ["", "## Misuse", "", _MISUSE_INTRO, ""]
    lines += [f"- `{name}`: {', '.join(s.name for s in sorted(statuses))}" for name, statuses in MISUSE.items()]
    return "\n".join(lines) + "\n"


def _long_values() -> Iterator[str]:
    for field in fields(Profile):
        for profile in PROFILES.values():
            value = getattr(profile, field.name)
            if isinstance(value, Mapping) and value:
                listed = [f"`{name}` {number}" for name, number in sorted(value.items())]
            elif isinstance(value, frozenset) and value:
                names = (one.decode() if isinstance(one, bytes) else str(one) for one in value)
                listed = [f"`{name}`" for name in sorted(names)]
            else:
                continue
            yield from (f"`{field.name}` of `{profile.name}`: {', '.join(listed)}.", "")
