"""The proposals an instruction or a type may belong to, and the sets that a version of the standard lets through."""

from __future__ import annotations

from enum import Enum


class Feature(Enum):
    """One proposal by the name its repository has; `MVP` is version 1.0."""

    MVP = "mvp"
    MUTABLE_GLOBALS = "mutable-globals"
    SIGN_EXTENSION = "sign-extension"
    SATURATING_FLOAT_TO_INT = "saturating-float-to-int"
    MULTI_VALUE = "multi-value"
    BULK_MEMORY = "bulk-memory"
    REFERENCE_TYPES = "reference-types"
    SIMD = "simd"
    EXTENDED_CONST = "extended-const"
    TAIL_CALL = "tail-call"
    FUNCTION_REFERENCES = "function-references"
    GC = "gc"
    EXCEPTIONS = "exceptions"
    RELAXED_SIMD = "relaxed-simd"
    MULTI_MEMORY = "multi-memory"
    MEMORY64 = "memory64"
    THREADS = "threads"
    CUSTOM_PAGE_SIZES = "custom-page-sizes"
    WIDE_ARITHMETIC = "wide-arithmetic"
    LEGACY_EXCEPTIONS = "legacy-exceptions"

    @property
    def bit(self) -> int:
        """The bit that stands for this feature in the masks shared with the C validator."""
        return 1 << _ORDER[self]


_ORDER = {feature: position for position, feature in enumerate(Feature)}

WASM_1 = frozenset({Feature.MVP, Feature.MUTABLE_GLOBALS})
WASM_2 = WASM_1 | {
    Feature.SIGN_EXTENSION,
    Feature.SATURATING_FLOAT_TO_INT,
    Feature.MULTI_VALUE,
    Feature.BULK_MEMORY,
    Feature.REFERENCE_TYPES,
    Feature.SIMD,
}
#: What `decode` and `validate` accept unless told otherwise.
DEFAULT_FEATURES = WASM_2


def mask(features: frozenset[Feature]) -> int:
    """The bits of a set of features."""
    return sum(feature.bit for feature in features)


def from_mask(bits: int) -> frozenset[Feature]:
    """The set of features behind a mask."""
    return frozenset(feature for feature in Feature if bits & feature.bit)
