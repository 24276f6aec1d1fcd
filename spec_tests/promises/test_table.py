"""The instruction table says everything once: names and opcodes are unique, every column is filled, none is missing."""

from __future__ import annotations

import re
from collections import Counter

from interp.syntax.features import WASM_2, WASM_3, Feature
from interp.syntax.instructions import BY_NAME, BY_OPCODE, OPS
from interp.syntax.rows import TABLE

ROWS = [line for line in TABLE.strip().splitlines() if not line.startswith("#")]
TYPES = {"i32", "i64", "f32", "f64", "v128", "addr"}
IMMEDIATES = {
    *("block", "label", "labels", "func", "type", "table", "local", "global", "mem", "data", "elem", "tag", "field"),
    *("memarg", "lane", "lanes16", "i32", "i64", "f32", "f64", "v128", "types", "heap", "catches", "castflags", "u32"),
    "zero",
}


def repeated(values: list[object]) -> list[object]:
    return [value for value, times in Counter(values).items() if times > 1]


def test_names_and_opcodes_are_unique() -> None:
    assert repeated([op.name for op in OPS]) == []
    assert repeated([op.ident for op in OPS]) == []
    assert repeated([(op.prefix, op.code) for op in OPS]) == []
    assert len(BY_NAME) == len(BY_OPCODE) == len(OPS) == len(ROWS)


def test_ids_are_the_positions() -> None:
    assert [op.id for op in OPS] == list(range(len(OPS)))


def test_every_column_is_filled() -> None:
    for row in ROWS:
        columns = [column.strip() for column in row.split("|")]
        assert len(columns) == 6, row
        assert all(columns), row
        assert re.fullmatch(r"[0-9A-F]{2}( [0-9A-F]{2,3})?", columns[0]), row
        assert columns[3] == "special" or "->" in columns[3], row
        assert columns[5] in "0123", row


def test_columns_hold_known_words() -> None:
    for op in OPS:
        assert set(op.immediates) <= IMMEDIATES, op
        assert op.special == (op.results is None), op
        assert set((op.params or ()) + (op.results or ())) <= TYPES, op
        assert op.group, op


def test_memory_accesses_have_a_width_and_lanes_a_count() -> None:
    for op in OPS:
        assert (op.width in (1, 2, 4, 8, 16)) == ("memarg" in op.immediates), op
        assert (op.lanes in (2, 4, 8, 16)) == ("lane" in op.immediates), op


def test_prefixes_are_no_instructions() -> None:
    assert {op.prefix for op in OPS} <= {0, 0xFB, 0xFC, 0xFD, 0xFE}
    assert [op for op in OPS if op.prefix == 0 and op.code >= 0xFB] == []


def test_special_rows_are_the_exception() -> None:
    assert sum(op.special for op in OPS) / len(OPS) < 0.2


def test_counts_by_version() -> None:
    """Pinned: the specification's index has 172 opcodes in 1.0, with select's second one 437 in 2.0, and 499 in 3.0."""
    of = Counter(op.feature for op in OPS)
    assert of[Feature.MVP] == 172
    assert of[Feature.SIGN_EXTENSION] == 5
    assert of[Feature.SATURATING_FLOAT_TO_INT] == 8
    assert of[Feature.BULK_MEMORY] + of[Feature.REFERENCE_TYPES] == 7 + 5 + 3 + 1
    assert of[Feature.SIMD] == 236
    assert sum(of[feature] for feature in WASM_2) == 437
    assert sum(of[feature] for feature in WASM_3) == 499
