"""The proposals an instruction or a type may belong to, and the sets that a version of the standard lets through."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .errors import EmbedderError


class Feature(Enum):
    """One proposal by its short name; `MVP` is version 1.0."""

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
WASM_3 = WASM_2 | {
    Feature.EXTENDED_CONST,
    Feature.TAIL_CALL,
    Feature.FUNCTION_REFERENCES,
    Feature.GC,
    Feature.EXCEPTIONS,
    Feature.RELAXED_SIMD,
    Feature.MULTI_MEMORY,
    Feature.MEMORY64,
}
#: Every feature there is, those that are in no version of the standard included.
EVERY_FEATURE = frozenset(Feature)
#: What `decode` and `validate` accept unless told otherwise.
DEFAULT_FEATURES = WASM_3

#: The sets that have a name of their own.
VERSIONS = {"1.0": WASM_1, "2.0": WASM_2, "3.0": WASM_3, "all": EVERY_FEATURE}
#: Repositories whose names are not the proposals' short ones.
_REPOSITORIES = {
    "mutable-global": Feature.MUTABLE_GLOBALS,
    "sign-extension-ops": Feature.SIGN_EXTENSION,
    "nontrapping-float-to-int-conversions": Feature.SATURATING_FLOAT_TO_INT,
    "bulk-memory-operations": Feature.BULK_MEMORY,
    "exception-handling": Feature.EXCEPTIONS,
}
_NAMED: dict[str, frozenset[Feature]] = {
    **VERSIONS,
    **{name: frozenset({feature}) for name, feature in _REPOSITORIES.items()},
    **{feature.value: frozenset({feature}) for feature in Feature},
}

#: Which features are on: a line such as "2.0,+threads,-simd", features and names of features or versions, or None.
Features = str | Iterable[Feature | str] | None


def feature_set(features: Features) -> frozenset[Feature]:
    """The features that are meant; 1.0's instructions are always among them.

    None is the default, version 3.0. A collection is exactly what it names: features, proposals by name, versions
    (1.0, 2.0, 3.0, all). A line is read from left to right, beginning with the default: a version puts its own set in
    place of what came before, a name or `+name` adds, `-name` takes away. Raises EmbedderError for an unknown name.
    """
    if features is None:
        return DEFAULT_FEATURES
    if isinstance(features, str):
        return _read_line(features)
    if isinstance(features, frozenset) and Feature.MVP in features and EVERY_FEATURE.issuperset(features):
        return features
    found = {Feature.MVP}
    for item in features:
        found |= {item} if isinstance(item, Feature) else _named(item)
    return frozenset(found)


def _read_line(line: str) -> frozenset[Feature]:
    found = DEFAULT_FEATURES
    for term in (part.strip() for part in line.split(",")):
        meant = _named(term[1:] if term[:1] in ("+", "-") else term)
        if term in VERSIONS:
            found = meant
        else:
            found = found - meant if term[:1] == "-" else found | meant
    return found | {Feature.MVP}


def _named(name: object) -> frozenset[Feature]:
    found = _NAMED.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(feature.value for feature in Feature)
        raise EmbedderError(f"there is no feature {name!r}; known are the versions {', '.join(VERSIONS)}, and {known}")
    return found


def mask(features: frozenset[Feature]) -> int:
    """The bits of a set of features."""
    return sum(feature.bit for feature in features)


def from_mask(bits: int) -> frozenset[Feature]:
    """The set of features behind a mask."""
    return frozenset(feature for feature in Feature if bits & feature.bit)
