"""What the Rust SDK, the most used one, makes of statuses: it panics on any that a wrapper does not expect (14.2)."""

from __future__ import annotations

from hostabi.abi.enums import Status

_ROWS = {
    (): """
        log get_log_level get_current_time_nanoseconds set_tick_period_milliseconds set_buffer_bytes
        get_header_map_pairs set_header_map_pairs add_header_map_value replace_header_map_value
        remove_header_map_value set_property register_shared_queue continue_stream close_stream
        send_local_response get_status done define_metric
    """,
    (Status.NOT_FOUND,): """
        get_buffer_bytes get_header_map_value get_shared_data resolve_shared_queue enqueue_shared_queue
        grpc_cancel grpc_close record_metric
    """,
    (Status.NOT_FOUND, Status.SERIALIZATION_FAILURE, Status.INTERNAL_FAILURE): "get_property",
    (Status.CAS_MISMATCH,): "set_shared_data",
    (Status.EMPTY, Status.NOT_FOUND): "dequeue_shared_queue",
    (Status.BAD_ARGUMENT, Status.INTERNAL_FAILURE): "http_call",
    (Status.PARSE_FAILURE, Status.INTERNAL_FAILURE): "grpc_call grpc_stream",
    (Status.NOT_FOUND, Status.BAD_ARGUMENT): "grpc_send get_metric increment_metric",
    (Status.BAD_ARGUMENT,): "set_effective_context",
    (Status.NOT_FOUND, Status.BAD_ARGUMENT, Status.SERIALIZATION_FAILURE, Status.INTERNAL_FAILURE): """
        call_foreign_function
    """,
}

ACCEPTED: dict[str, frozenset[Status]] = {
    f"proxy_{name}": frozenset({Status.OK, *statuses}) for statuses, names in _ROWS.items() for name in names.split()
}
"""The statuses with which a filter on the Rust SDK goes on, by host call; calls that it does not make are absent."""
