"""What the host allows and how it behaves where hosts differ: limits, and profiles of named switches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from hostabi.abi.codec import PairsLimits


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
    foreign_result_bytes: int = 16 << 20
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
    """Named switches for every point where hosts differ; the values here are the profile `default`."""

    name: str = "default"
    # loading
    malloc_first: bool = False
    allocator_required: bool = False
    strict_abi: bool = False
    allow_unversioned: bool = False
    start_restriction: Restriction = Restriction.ANSWER
    allocator_restriction: Restriction = Restriction.ANSWER
    random_bytes: int | None = None
    """The most that one random_get gives where the profile asks for less than the limit of that name."""
    # configuration
    plugin_configuration_always: bool = True
    # maps
    malformed_map_is_empty: bool = True
    absent_map_is_empty: bool = True
    map_size_is_serialized: bool = False
    set_pairs_merges: bool = False
    reject_bad_header_bytes: bool = False
    continue_drops_maps: bool = True
    passed_maps_are_gone: bool = False
    """Headers and trailers cannot be had any more once their callback has continued (seen on Envoy 1.40)."""
    joins_headers: bool = True
    """Headers that Envoy has a field for (via, content-type, ...) have one entry; further values join it."""
    # buffers
    absent_body_is_empty: bool = True
    reject_range_overflow: bool = False
    # streams
    literal_stop_iteration: bool = False
    continue_before_action: bool = True
    upstream_can_continue: bool = False
    log_before_done: bool = True
    create_context_at_log: bool = True
    header_end_of_stream_always_0: bool = False
    failure_status: int = 503
    # callouts
    call_timeout_is_504: bool = True
    """A call without an answer in time comes back as a response with status 504, and not as a failure."""
    # local replies
    check_reply_status: bool = False
    reply_needs_stream: bool = False
    # properties, shared data
    properties_as_text: bool = False
    strict_cas: bool = False
    empty_path_status_is_bad_argument: bool = False


PROFILES: dict[str, Profile] = {
    "default": Profile(),
    "envoy": Profile(
        name="envoy",
        malloc_first=True,
        allocator_required=True,
        strict_abi=True,
        start_restriction=Restriction.TRAP,
        allocator_restriction=Restriction.TRAP,
        random_bytes=1 << 16,
        plugin_configuration_always=False,
        passed_maps_are_gone=True,
    ),
    "spec": Profile(
        name="spec",
        malformed_map_is_empty=False,
        absent_map_is_empty=False,
        map_size_is_serialized=True,
        joins_headers=False,
        reject_bad_header_bytes=True,
        continue_drops_maps=False,
        absent_body_is_empty=False,
        reject_range_overflow=True,
        literal_stop_iteration=True,
        continue_before_action=False,
        upstream_can_continue=True,
        log_before_done=False,
        call_timeout_is_504=False,
        check_reply_status=True,
        reply_needs_stream=True,
        empty_path_status_is_bad_argument=True,
    ),
    "nginx": Profile(
        name="nginx",
        malloc_first=True,
        set_pairs_merges=True,
        joins_headers=False,
        continue_drops_maps=False,
        continue_before_action=False,
        log_before_done=False,
        call_timeout_is_504=False,
        header_end_of_stream_always_0=True,
        failure_status=500,
        properties_as_text=True,
        strict_cas=True,
    ),
}


def profile(name: str, **switches: object) -> Profile:
    """The profile of this name, with some switches set otherwise; ValueError for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"there is no profile {name!r}; known are {', '.join(PROFILES)}")
    return replace(PROFILES[name], **switches)  # type: ignore[arg-type]
