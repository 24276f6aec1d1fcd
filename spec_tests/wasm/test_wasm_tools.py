"""wasm-tools and our two validators say the same of every module: of those it makes, and of those changed by chance.

Three kinds of change: of bytes, of structures (interp/testing/rewriting.py), and those of `wasm-tools mutate`. Features
are on and off by chance. What was once a difference is in `suite/` as a script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from interp import _native
from interp.binary.decode import decode
from interp.binary.leb128 import unsigned as u
from interp.syntax.errors import WasmError
from interp.syntax.features import WASM_2, WASM_3, Feature
from interp.testing import differential
from interp.testing.differential import disagreement, dispute, mutate, refusal, script_modules, verdict
from interp.testing.rewriting import rewrite
from interp.testing.wasm_tools import SWITCHES, THEIR_LIMITS, WasmTools, smith_options, subset
from interp.valid.context import VALIDATED
from interp.valid.module import validate

FEATURES = frozenset(VALIDATED)
#: What `wasm-tools mutate` can read.
SIMPLE = WASM_2 - {Feature.REFERENCE_TYPES}


Case = tuple[str, bytes]


def smithed(tools: WasmTools, seed: int) -> Iterator[Case]:
    """One module of `wasm-tools smith`, and what changes make of it."""
    rng = Random(seed)
    features = SIMPLE if seed % 3 == 0 else FEATURES if seed % 3 == 1 else subset(rng, FEATURES)
    module = tools.smith(rng.randbytes(rng.choice((2_000, 8_000, 40_000))), smith_options(rng, features))
    if module is not None:
        yield f"smith {seed}", module
        yield from changed(tools, rng, f"smith {seed}", module, 14, 4 if features is SIMPLE else 0)


def changed(tools: WasmTools, rng: Random, name: str, module: bytes, count: int, mutations: int) -> Iterator[Case]:
    """The module with changes of each kind."""
    for number in range(count):
        other = mutate(rng, module) if number % 3 == 0 else rewrite(rng, module, FEATURES)
        if other is not None:
            yield f"{name} changed {number}", other
    for number in range(mutations):
        mutant = tools.mutate(module, number)
        if mutant is not None:
            yield f"{name} mutated {number}", mutant


def check(tools: WasmTools, rng: Random, cases: Iterator[Case]) -> Counter[str]:
    """Hold all verdicts against each other; gives how many there were of each kind."""
    found: Counter[str] = Counter()
    for name, data in cases:
        features = rng.choice((FEATURES, FEATURES, WASM_3, WASM_2, subset(rng, FEATURES)))
        words = dispute(tools, data, features)
        if _native.lib is not None:
            words = disagreement(data, features=features) or words
        assert not words, f"{name}\n{words}\n{data.hex() if len(data) < 5_000 else ''}"
        found["valid" if not refusal(data, features) else "refused"] += 1
    return found


def check_seeds(tools: WasmTools, seeds: range) -> int:
    cases = (case for seed in seeds for case in smithed(tools, seed))
    found = check(tools, Random(seeds.start), cases)
    assert min(found["valid"], found["refused"]) > found.total() / 10
    return found.total()


@pytest.mark.parametrize("batch", range(4))
def test_made_and_changed_modules(tools: WasmTools, batch: int) -> None:
    assert check_seeds(tools, range(10 * batch, 10 * batch + 10)) > 125


@pytest.mark.long
@pytest.mark.parametrize("batch", range(40))
def test_many_made_and_changed_modules(tools: WasmTools, batch: int) -> None:
    assert check_seeds(tools, range(1000 + 40 * batch, 1040 + 40 * batch)) > 500


def check_suite(tools: WasmTools, folder: Path, step: int, changes: int) -> int:
    rng = Random(step)

    def cases() -> Iterator[Case]:
        number = 0
        for path in sorted((folder / "core").rglob("*.wast")):
            for name, data in script_modules(path):
                number += 1
                if number % step == 0 and len(data) < 50_000:
                    yield name, data
                    yield from changed(tools, rng, name, data, changes, 1)

    return check(tools, rng, cases()).total()


def test_modules_of_the_suite(tools: WasmTools, testsuite: Path) -> None:
    assert check_suite(tools, testsuite, 41, 2) > 300


@pytest.mark.long
def test_all_modules_of_the_suite(tools: WasmTools, testsuite: Path) -> None:
    assert check_suite(tools, testsuite, 1, 3) > 20_000


# -- limits ---------------------------------------------------------------------------------------------------------


def section(id: int, contents: bytes) -> bytes:
    return bytes((id,)) + u(len(contents)) + contents


@pytest.mark.skipif(_native.lib is None, reason="seven million instructions are for the C validator")
def test_limits_of_theirs_are_what_we_say(tools: WasmTools) -> None:
    body = b"\0" + b"\1" * 7_654_320 + b"\x0b"
    data = b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + section(10, b"\1" + u(len(body)) + body)
    assert not refusal(data, WASM_3)
    assert THEIR_LIMITS["function_bytes"] in tools.complaint(data, WASM_3)
    assert not dispute(tools, data, WASM_3)


def test_limits_of_ours_are_no_difference(tools: WasmTools) -> None:
    """A module that passes one of our limits only is valid once that is raised, and then the same is said of it."""
    data = b"\0asm\1\0\0\0" + section(13, u(200_000) + b"\0\0" * 200_000)
    assert verdict(data, "python")[0] == "LimitError"
    assert "unknown type" in refusal(data, WASM_3)
    assert not dispute(tools, data, WASM_3)


# -- what the tests above rest on -----------------------------------------------------------------------------------


def test_modules_are_a_function_of_their_seed(tools: WasmTools) -> None:
    assert list(smithed(tools, 3)) == list(smithed(tools, 3)) != list(smithed(tools, 6))


def test_made_modules_use_every_feature_that_it_has_a_switch_for(tools: WasmTools) -> None:
    used: set[Feature] = set()
    for seed in range(150):
        rng = Random(seed)
        module = tools.smith(rng.randbytes(20_000), smith_options(rng, FEATURES))
        try:
            used |= validate(decode(module or b"", features=FEATURES), features=FEATURES).features
        except WasmError:
            continue
    assert used >= FEATURES.intersection(SWITCHES.values()), FEATURES - used


def test_changes_break_many_rules(tools: WasmTools) -> None:
    found: Counter[str] = Counter()
    for seed in range(1, 40):
        for _, data in smithed(tools, seed):
            said = verdict(data, "python", features=FEATURES)
            found[said[0] if said[0] == "valid" else said[1] or said[2].rstrip("0123456789 ")] += 1
    assert len(found) > 40, found
    assert found["valid"] > 100


def test_a_difference_is_seen(tools: WasmTools, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail would prove nothing: one rule of the Python validator is switched off."""
    from interp.valid.checker import Checker

    monkeypatch.setattr(_native, "lib", None)
    monkeypatch.setattr(Checker, "die", lambda self: None)
    assert any(differential.dispute(tools, data, FEATURES) for seed in range(20) for _, data in smithed(tools, seed))
