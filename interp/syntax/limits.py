"""Every size that a module or a run can make large, with its name and its default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VmLimits:
    """Limits of loading and running; passing one is a LimitError at load, a trap or -1 at run time."""

    # loading: counts
    module_bytes: int = 256 << 20
    types: int = 100_000
    functions: int = 1_000_000
    imports: int = 100_000
    exports: int = 100_000
    globals: int = 100_000
    tables: int = 1_000
    memories: int = 100
    tags: int = 100_000
    elements: int = 100_000
    data_segments: int = 100_000
    params: int = 1_000
    results: int = 1_000
    fields: int = 10_000
    subtype_depth: int = 63
    custom_sections: int = 100_000
    name_bytes: int = 100_000
    constant_instructions: int = 10_000
    # loading: one function
    function_bytes: int = 8 << 20
    locals: int = 50_000
    nesting: int = 100_000
    br_table: int = 1_000_000
    catches: int = 10_000  # of one try block
    frame_cells: int = 60_000
    # text
    text_bytes: int = 64 << 20
    # running
    memory_pages: int = 65_536  # of 64 KiB, whatever the size of a memory's own pages
    table_entries: int = 10_000_000
    heap_bytes: int = 256 << 20
    externs: int = 1_000_000
    store_bytes: int = 8 << 30
    call_depth: int = 16_384
    value_stack_cells: int = 1 << 20
    nested_activations: int = 64
    wait_seconds: int = 3_600  # the longest timeout of memory.atomic.wait
    ticks_per_slice: int = 1 << 16


DEFAULT_LIMITS = VmLimits()
