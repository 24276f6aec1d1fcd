"""What the host allows and how it behaves where hosts differ: limits, and profiles of named switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from hostabi.abi.codec import PairsLimits
from hostabi.abi.enums import Status


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that a guest or a peer can make large. What a limit answers is in host_contract 2 and 7."""

    memory_pages: int = 16_384
    call_depth: int = 16_384
    fuel_per_call: int | None = 1_000_000_000
    """Ticks that one call of the guest may use, seconds of a busy loop on the native engine; None for no limit."""
    pairs: PairsLimits = field(default_factory=PairsLimits)
    header_pairs: int = 1_000
    header_bytes: int = 1 << 20
    body_buffer: int = 1 << 20
    connection_buffer: int = 1 << 20
    """Bytes that filters may hold of one side of a connection before it is read no further."""
    log_line_bytes: int = 1 << 20
    log_lines_per_second: int = 100_000
    shared_data_bytes: int = 64 << 20
    shared_data_keys: int = 100_000
    queues: int = 10_000
    queue_messages: int = 10_000
    queue_bytes: int = 64 << 20
    metrics: int = 10_000
    metric_name_bytes: int = 64 << 10
    outstanding_calls: int = 1_000
    call_body_bytes: int = 32 << 20
    redis_services: int = 100
    redis_response_bytes: int = 16 << 20
    foreign_argument_bytes: int = 16 << 20
    grpc_message_bytes: int = 32 << 20
    grpc_queue_bytes: int = 32 << 20
    """Bytes of messages for one gRPC stream that have not left yet."""
    foreign_result_bytes: int = 16 << 20
    declared_properties: int = 1_000
    expressions: int = 1_000
    expression_bytes: int = 16 << 10
    expression_steps: int = 10_000
    random_bytes: int = 1 << 20
    deferred_actions: int = 1_000
    filter_state_bytes: int = 1 << 20


class Restriction(Enum):
    """What happens to a host call that is not allowed in the phase the guest is in (abi_reference 12.8)."""

    NONE = "none"
    ANSWER = "answer 10"
    TRAP = "trap"


@dataclass(frozen=True, slots=True)
class Profile:
    """Named switches for every point where hosts differ; the values here are the profile `default`.

    hostabi/PROFILES.md says of each what it does and where hosts differ.
    """

    name: str = "default"
    # loading
    malloc_first: bool = False
    allocator_required: bool = False
    first_marker_wins: bool = False
    newer_versions: bool = True
    higress_version: bool = True
    allow_unversioned: bool = False
    strict_versions: bool = False
    import_variants: bool = True
    stubs: bool = True
    absent_imports: frozenset[str] = frozenset()
    one_start_function: bool = False
    start_restriction: Restriction = Restriction.ANSWER
    allocator_restriction: Restriction = Restriction.ANSWER
    allocator_trap_unwinds: bool = True
    # WASI
    random_bytes: int | None = None
    """The most that one random_get gives where the profile asks for less than the limit of that name."""
    wasi_errnos: Mapping[str, int] = field(default_factory=dict)
    wasi_clocks: int = 4
    poll_reports_clocks: bool = True
    proc_exit_returns: bool = False
    # host calls at large
    misuse_traps: bool = False
    trapping_calls: frozenset[str] = frozenset()
    # configuration
    plugin_configuration_always: bool = True
    # contexts
    related_contexts_only: bool = True
    tick_on_root_only: bool = False
    tick_set_once: bool = False
    continue_needs_stream: bool = False
    # maps
    malformed_map_is_empty: bool = True
    absent_map_is_empty: bool = True
    map_size_is_serialized: bool = False
    only_stream_maps_have_size: bool = False
    """No size of the maps of calls, nor of any in the access log (seen on Envoy 1.40)."""
    set_pairs_keeps_pseudo: bool = False
    readonly_pseudo_headers: frozenset[bytes] = frozenset()
    reject_bad_header_bytes: bool = False
    continue_drops_maps: bool = True
    passed_maps_are_gone: bool = False
    """Headers and trailers cannot be had any more once their callback has continued (seen on Envoy 1.40)."""
    joins_headers: bool = True
    """Headers that Envoy has a field for (via, content-type, ...) have one entry; further values join it."""
    # buffers
    absent_body_is_empty: bool = True
    empty_body_is_not_written: bool = False
    reject_range_overflow: bool = False
    set_buffer_replaces_part: bool = True
    set_buffer_cuts: bool = False
    fix_content_length: bool = False
    # streams
    shows_trailers: bool = True
    literal_stop_iteration: bool = False
    wide_actions: bool = True
    response_headers_can_pause: bool = True
    continue_before_action: bool = True
    upstream_can_continue: bool = False
    log_before_done: bool = True
    stream_done_waits: bool = False
    create_context_at_log: bool = True
    header_end_of_stream_always_0: bool = False
    connection_buffer_is_shared: bool = True
    upstream_close_at_end: bool = True
    failure_status: int = 503
    # callouts
    call_timeout_is_504: bool = True
    """A call without an answer in time comes back as a response with status 504, and not as a failure."""
    call_trailers_are_lost: bool = False
    grpc_timeout_is_unavailable: bool = False
    grpc_message_is_raw: bool = False
    grpc_failed_start_is_told: bool = False
    status_code_stays: bool = False
    dispatch_status: bool = False
    # local replies
    check_reply_status: bool = False
    reply_needs_stream: bool = False
    second_reply_is_misuse: bool = False
    # properties, shared data, queues, metrics
    properties_as_text: bool = False
    empty_path_status_is_bad_argument: bool = False
    old_attribute_names: bool = True
    """Attributes can be had by the names they had of their own until Envoy 1.30, such as `node` and `route_name`."""
    only_host_properties_set: bool = False
    cas_0_compares: bool = False
    cas_needs_key: bool = False
    queue_wakes: bool = True
    strict_metrics: bool = False

    @property
    def loading(self) -> tuple[bool, ...]:
        """The switches on which reading a module depends."""
        return self.first_marker_wins, self.newer_versions, self.higress_version, self.allow_unversioned


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASSEMBLYSCRIPT = frozenset({"abort", "seed", "trace"})
_EMSCRIPTEN = frozenset({"emscripten_resize_heap", "emscripten_memcpy_js", "emscripten_memcpy_big"})
"""What builds without emscripten's STANDALONE_WASM import."""

_ENVOY_WASI = {
    "fd_read": 52,
    "fd_seek": 0,
    "fd_fdstat_set_flags": 52,
    "fd_readdir": 20,
    "fd_prestat_dir_name": 52,
    "path_filestat_get": 58,
}
"""Errnos of cpp-host's placeholders, where those of the default are nearer to the standard (abi_reference 9.2)."""

_NGINX_WASI = {
    "fd_read": 8,
    "fd_seek": 8,
    "fd_close": 8,
    "fd_fdstat_get": 8,
    "fd_fdstat_set_flags": 8,
    "fd_prestat_dir_name": 58,
    "path_open": 54,
    "poll_oneoff": 58,
    "sched_yield": 58,
}

_NGINX_HAS_NOT = _ASSEMBLYSCRIPT | _EMSCRIPTEN | _names(
    """
    proxy_get_header_map_size proxy_get_buffer_status proxy_get_log_level envoy_resolve_dns
    emscripten_notify_memory_growth pthread_equal wasi_unstable
    fd_advise fd_allocate fd_datasync fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size fd_filestat_set_times
    fd_pread fd_pwrite fd_readdir fd_renumber fd_sync fd_tell path_create_directory path_filestat_get
    path_filestat_set_times path_link path_readlink path_remove_directory path_rename path_symlink path_unlink_file
    clock_res_get sock_accept sock_recv sock_send sock_shutdown
    """
)

_NGINX_NOT_YET = _names(
    """
    proxy_done proxy_close_stream proxy_continue_response proxy_clear_route_cache proxy_get_status
    proxy_resolve_shared_queue proxy_grpc_call proxy_grpc_stream proxy_grpc_send proxy_grpc_cancel proxy_grpc_close
    """
)


PROFILES: dict[str, Profile] = {
    "default": Profile(),
    "envoy": Profile(
        name="envoy",
        malloc_first=True,
        allocator_required=True,
        first_marker_wins=True,
        newer_versions=False,
        higress_version=False,
        strict_versions=True,
        import_variants=False,
        stubs=False,
        # The last two it has with another number of parameters.
        absent_imports=_ASSEMBLYSCRIPT | _EMSCRIPTEN | {"path_link", "path_symlink"},
        start_restriction=Restriction.TRAP,
        allocator_restriction=Restriction.TRAP,
        allocator_trap_unwinds=False,
        random_bytes=1 << 16,
        wasi_errnos=_ENVOY_WASI,
        wasi_clocks=2,
        poll_reports_clocks=False,
        proc_exit_returns=True,
        plugin_configuration_always=False,
        related_contexts_only=False,
        passed_maps_are_gone=True,
        only_stream_maps_have_size=True,
        old_attribute_names=False,
        call_trailers_are_lost=True,
        grpc_timeout_is_unavailable=True,
        grpc_message_is_raw=True,
        grpc_failed_start_is_told=True,
        status_code_stays=True,
    ),
    "spec": Profile(
        name="spec",
        higress_version=False,
        malformed_map_is_empty=False,
        absent_map_is_empty=False,
        map_size_is_serialized=True,
        joins_headers=False,
        reject_bad_header_bytes=True,
        continue_drops_maps=False,
        absent_body_is_empty=False,
        reject_range_overflow=True,
        set_buffer_replaces_part=False,
        literal_stop_iteration=True,
        continue_before_action=False,
        upstream_can_continue=True,
        log_before_done=False,
        stream_done_waits=True,
        connection_buffer_is_shared=False,
        upstream_close_at_end=False,
        call_timeout_is_504=False,
        check_reply_status=True,
        reply_needs_stream=True,
        empty_path_status_is_bad_argument=True,
    ),
    "nginx": Profile(
        name="nginx",
        malloc_first=True,
        allocator_required=True,
        first_marker_wins=True,
        newer_versions=False,
        higress_version=False,
        import_variants=False,
        stubs=False,
        absent_imports=_NGINX_HAS_NOT,
        one_start_function=True,
        wasi_errnos=_NGINX_WASI,
        wasi_clocks=2,
        misuse_traps=True,
        trapping_calls=_NGINX_NOT_YET,
        tick_on_root_only=True,
        tick_set_once=True,
        continue_needs_stream=True,
        set_pairs_keeps_pseudo=True,
        readonly_pseudo_headers=frozenset({b":scheme", b":authority"}),
        joins_headers=False,
        continue_drops_maps=False,
        absent_body_is_empty=False,
        empty_body_is_not_written=True,
        set_buffer_cuts=True,
        fix_content_length=True,
        shows_trailers=False,
        wide_actions=False,
        response_headers_can_pause=False,
        continue_before_action=False,
        log_before_done=False,
        header_end_of_stream_always_0=True,
        failure_status=500,
        call_timeout_is_504=False,
        dispatch_status=True,
        second_reply_is_misuse=True,
        properties_as_text=True,
        only_host_properties_set=True,
        cas_0_compares=True,
        cas_needs_key=True,
        queue_wakes=False,
        strict_metrics=True,
    ),
}

_B, _N, _I = Status.BAD_ARGUMENT, Status.NOT_FOUND, Status.INTERNAL_FAILURE

MISUSE: Mapping[str, frozenset[Status]] = {
    name: frozenset(statuses)
    for names, statuses in {
        "set_tick_period_milliseconds continue_stream continue_request send_local_response": {_B},
        "set_buffer_bytes": {_N, _B},
        "add_header_map_value replace_header_map_value remove_header_map_value set_header_map_pairs": {_B},
        "set_property": {_B},
        "http_call": {_B},
        "register_shared_queue define_metric set_shared_data": {_I},
        "enqueue_shared_queue": {_N, _I},
        "dequeue_shared_queue": {_N},
        "get_metric record_metric increment_metric": {_N, _B},
        "call_foreign_function": {_N},
    }.items()
    for name in (f"proxy_{short}" for short in names.split())
}
"""Answers that end the guest where a profile says `misuse_traps`; wrong pointers do so in every call."""


def profile(name: str, **switches: object) -> Profile:
    """The profile of this name, with some switches set otherwise; ValueError for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"there is no profile {name!r}; known are {', '.join(PROFILES)}")
    return replace(PROFILES[name], **switches)  # type: ignore[arg-type]
