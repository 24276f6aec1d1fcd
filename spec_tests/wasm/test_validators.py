"""The Python validator and the C one say the same of every module: verdict, id, offset, words, frame cells, features.

Modules: the official suite's, valid and not, generated ones, real filters, and all of them with bytes changed. wasmtime
is asked for its verdict too where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from interp import _native
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.binary.types import Gate
from interp.syntax.errors import WasmError
from interp.syntax.features import DEFAULT_FEATURES, EVERY_FEATURE, WASM_2, WASM_3, Feature
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.testing.differential import disagreement, mutate, script_modules, verdict
from interp.testing.generator import program
from interp.testing.rows import RUNNABLE
from interp.text.parser import parse
from interp.valid.module import _check_body, validate
from interp.valid.rules_module import make_context

pytestmark = pytest.mark.skipif(_native.lib is None, reason="this installation has no C validator")

ROOT = Path(__file__).resolve().parents[2]
BUILT = sorted(path for folder in ("examples", "benchmarks", "spec_tests") for path in (ROOT / folder).rglob("*.wasm"))
EVERYTHING = frozenset(Feature)
#: wasmtime answers for version 2.0 with these off; it has no switch for extended constant expressions.
LATER = (
    "threads", "tail_call", "relaxed_simd", "memory64", "multi_memory", "gc", "function_references", "exceptions",
    "wide_arithmetic", "custom_page_sizes", "stack_switching",
)  # fmt: skip


def agree(data: bytes, name: str, **more: object) -> None:
    found = disagreement(data, **more)  # type: ignore[arg-type]
    assert not found, f"{name}\n{found}\n{data.hex() if len(data) < 4000 else ''}"


@pytest.fixture(scope="session")
def wasmtime_says() -> Callable[[bytes], str]:
    """What wasmtime finds wrong with a module of version 2.0; empty if nothing."""
    wasmtime = pytest.importorskip("wasmtime", reason="wasmtime is not installed (extra: bench)")
    config = wasmtime.Config()
    for feature in LATER:
        if hasattr(type(config), f"wasm_{feature}"):
            setattr(config, f"wasm_{feature}", False)
    engine = wasmtime.Engine(config)

    def says(data: bytes) -> str:
        try:
            wasmtime.Module.validate(engine, data)
        except wasmtime.WasmtimeError as error:
            return str(error)
        return ""

    return says


# -- what was different once --------------------------------------------------------------------------------------

FINDS = {
    "br_table looks at the last operand first": "(func (result v128 f32) (br_table 0 0 (i64.const 0) (i32.const 0)))",
    "the type of a function reference": "(elem declare func 0) (func (result i32) (ref.func 0))",
}


@pytest.mark.parametrize("name", FINDS)
def test_finds(name: str) -> None:
    agree(encode(parse(f"(module {FINDS[name]})")), name)


#: Segments of function indices are of non-null references, an empty one too.
INDICES = {
    "an array": """(type $a (array (ref func))) (func $f) (elem $e func $f)
        (func (result (ref $a)) (array.new_elem $a $e (i32.const 0) (i32.const 1)))""",
    "an empty segment": """(type $a (array (mut (ref func)))) (elem $e func)
        (func (param (ref $a)) (array.init_elem $a $e (local.get 0) (i32.const 0) (i32.const 0) (i32.const 0)))""",
    "a table": """(func $f) (table 1 (ref func) (ref.func $f)) (elem $e func $f)
        (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))""",
}


@pytest.mark.parametrize("name", INDICES)
def test_segments_of_function_indices_hold_no_null(name: str) -> None:
    data = encode(parse(f"(module {INDICES[name]})"))
    agree(data, name)
    assert verdict(data, "native")[0] == "valid"
    for before in ("2.0,+function-references,+gc", "3.0,-function-references", "2.0"):
        agree(data, name, features=before)


# -- the official suite ---------------------------------------------------------------------------------------------


def suite_files(folder: Path) -> list[Path]:
    return sorted((folder / "core").rglob("*.wast"))


def check_suite(folder: Path, step: int, changes: int) -> int:
    count = 0
    rng = Random(step)
    for path in suite_files(folder):
        for number, (name, data) in enumerate(script_modules(path)):
            if number % step or len(data) > 100_000:
                continue
            agree(data, name)
            agree(data, name, features=EVERYTHING)
            for change in range(changes):
                agree(mutate(rng, data), f"{name} changed {change}")
            count += 1
    return count


def test_modules_of_the_suite(testsuite: Path) -> None:
    assert check_suite(testsuite, 7, 0) > 400


@pytest.mark.long
def test_all_modules_of_the_suite(testsuite: Path) -> None:
    assert check_suite(testsuite, 1, 4) > 4000


# -- generated modules, and modules with bytes changed --------------------------------------------------------------


def check_changed(seeds: range, changes: int) -> None:
    for seed in seeds:
        rng = Random(seed)
        for data in program(seed).modules:
            agree(data, f"program {seed}", features=RUNNABLE)
            for change in range(changes):
                agree(mutate(rng, data), f"program {seed} changed {change}", features=RUNNABLE)


@pytest.mark.parametrize("batch", range(4))
def test_changed_programs(batch: int) -> None:
    check_changed(range(12 * batch, 12 * batch + 12), 10)


def check_changed_objects(seeds: range, changes: int) -> None:
    """Typed references and garbage collection; some changes are asked about with those features off."""
    for seed in seeds:
        rng = Random(seed)
        for data in program(seed, objects=True).modules:
            agree(data, f"program {seed} with objects", features=EVERYTHING)
            for change in range(changes):
                name = f"program {seed} with objects changed {change}"
                agree(mutate(rng, data), name, features=WASM_2 if change % 8 == 7 else EVERYTHING)


@pytest.mark.parametrize("batch", range(4))
def test_changed_programs_with_objects(batch: int) -> None:
    check_changed_objects(range(8 * batch, 8 * batch + 8), 10)


def check_changed_throwing(seeds: range, changes: int) -> None:
    """Both proposals for exceptions; some changes are asked about with one of them off."""
    for seed in seeds:
        rng = Random(seed)
        for data in program(seed, 80, throws=True).modules:
            agree(data, f"program {seed} that throws", features=EVERY_FEATURE)
            for change in range(changes):
                name = f"program {seed} that throws changed {change}"
                agree(mutate(rng, data), name, features=WASM_3 if change % 8 == 7 else EVERY_FEATURE)


@pytest.mark.parametrize("batch", range(4))
def test_changed_programs_that_throw(batch: int) -> None:
    check_changed_throwing(range(8 * batch, 8 * batch + 8), 10)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(20))
def test_many_changed_programs_that_throw(batch: int) -> None:
    check_changed_throwing(range(1000 + 40 * batch, 1040 + 40 * batch), 25)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(20))
def test_many_changed_programs_with_objects(batch: int) -> None:
    check_changed_objects(range(1000 + 40 * batch, 1040 + 40 * batch), 25)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(20))
def test_many_changed_programs(batch: int) -> None:
    check_changed(range(1000 + 60 * batch, 1060 + 60 * batch), 25)


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_built_modules(path: Path) -> None:
    data = path.read_bytes()
    if len(data) > 100_000:
        pytest.skip("for the C validator alone")
    agree(data, path.name)
    rng = Random(5)
    for change in range(6):
        agree(mutate(rng, data), f"{path.name} changed {change}")


@pytest.mark.parametrize("limit", ["locals", "nesting", "br_table", "frame_cells", "function_bytes"])
def test_limits_are_met_at_the_same_place(limit: str) -> None:
    for seed in range(30):
        for data in program(seed).modules:
            agree(data, f"program {seed}", features=RUNNABLE, limits=VmLimits(**{limit: 3 + 7 * (seed % 4)}))


def check_functions(data: bytes, count: int, longest: int) -> int:
    """Some functions of a large filter, by the Python validator too."""
    module = decode(data)
    valid = validate(module, bodies="native")
    context = make_context(module, DEFAULT_FEATURES, DEFAULT_LIMITS)
    short = [n for n, func in enumerate(module.funcs) if func.length < longest]
    chosen = Random(3).sample(short, min(count, len(short)))
    for own in chosen:
        assert _check_body(module, context, Gate(DEFAULT_FEATURES), own) == valid.frame_cells[own]
    return len(chosen)


def plugin_files() -> list[Path]:
    package = pytest.importorskip("gpustack_higress_plugins")
    return sorted(Path(package.__file__).parent.rglob("*.wasm"))


def test_functions_of_filters() -> None:
    assert sum(check_functions(path.read_bytes(), 40, 400) for path in plugin_files()[:3]) == 120


@pytest.mark.long
def test_many_functions_of_filters() -> None:
    assert sum(check_functions(path.read_bytes(), 3000, 4000) for path in plugin_files()) > 10_000


# -- a third opinion ------------------------------------------------------------------------------------------------


def check_wasmtime(data: bytes, name: str, says: Callable[[bytes], str]) -> None:
    """The verdict, but for what only we limit or leave off: extended constants have no switch in wasmtime."""
    ours = verdict(data, "native", features=WASM_2)
    theirs = says(data)
    if ours[0] in ("LimitError", "UnsupportedError"):
        return
    assert (ours[0] == "valid") == (not theirs), f"{name}: {ours}\nwasmtime: {theirs}"


def test_wasmtime_on_changed_programs(wasmtime_says: Callable[[bytes], str]) -> None:
    for seed in range(2000, 2050):
        rng = Random(seed)
        for data in program(seed).modules:
            assert not wasmtime_says(data) or verdict(data, "native", features=WASM_2)[0] != "valid"
            for change in range(10):
                check_wasmtime(mutate(rng, data), f"program {seed} changed {change}", wasmtime_says)


@pytest.mark.long
def test_wasmtime_on_the_suite_changed(testsuite: Path, wasmtime_says: Callable[[bytes], str]) -> None:
    rng = Random(9)
    for path in suite_files(testsuite):
        for name, data in script_modules(path):
            for change in range(3):
                check_wasmtime(mutate(rng, data), f"{name} changed {change}", wasmtime_says)


# -- what the tests above rest on -----------------------------------------------------------------------------------


def test_changes_find_many_rules() -> None:
    """Changes that all ended in the same error would prove little."""
    ids = set()
    for seed in range(40):
        rng = Random(seed)
        for data in program(seed).modules:
            for _ in range(15):
                found = verdict(mutate(rng, data), "native", features=RUNNABLE)
                ids.add(found[1] if found[0] != "valid" else "valid")
    assert len(ids) > 25, ids


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail would prove nothing: one rule of the Python validator is switched off."""
    from interp.valid.checker import Checker

    monkeypatch.setattr(Checker, "die", lambda self: None)
    assert any(disagreement(data, features=RUNNABLE) for seed in range(20) for data in program(seed).modules)


def test_verdicts_are_of_public_kinds() -> None:
    with pytest.raises(WasmError):
        decode(b"\0asm\1\0\0\0\1\x85")
    assert verdict(b"\0asm\1\0\0\0\1\x85", "python")[0] == "MalformedError"
