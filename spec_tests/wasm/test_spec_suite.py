"""Scripts through the embedding interface on each engine: ours, and the official suite where it is to be found.

The counts of the official suite are pinned in pinned.json: for each engine, file to the commands that pass, and those
that wait, by the feature they wait for; the core, custom sections, legacy exceptions and the proposals that there are.
Nothing may fail, and nothing may change without the table changing with it.
`python spec_tests/wasm/test_spec_suite.py FOLDER` writes the table and the page SUITE.md anew.

Scripts of ours that need more than version 2.0 stand in a folder with the name of the feature: on an engine that lacks
it, what is to be run waits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from interp.exec.engines import available, choose
from interp.syntax.features import Feature
from interp.tools.spec import FileResult, run_file, run_script
from spec_tests.wasm import suite_page

HERE = Path(__file__).parent
#: By engine, then by file.
PINNED: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "pinned.json").read_text())
FILES = sorted(set().union(*PINNED.values()))
OURS = sorted((HERE / "suite").glob("*.wast"))
#: (feature, path)
OURS_BY_FEATURE = [(path.parent.name, path) for path in sorted((HERE / "suite").glob("*/*.wast"))]
MEMORY_PREFIXES = ("proposals/custom-page", "core/simd/simd_address", "core/simd/simd_load", "core/simd/simd_store")
#: Files whose commands read, write or grow memories: these run with moving memories as well.
MEMORY_FILES = [
    name
    for name in FILES
    if "memory" in name
    or name.startswith(MEMORY_PREFIXES)
    or Path(name).stem
    in {"address", "align", "bulk", "data", "endianness", "float_exprs", "imports", "linking", "load", "store", "traps"}
]


def run(path: Path, engine: str) -> FileResult:
    return run_file(path, path.name, engine)


def counts(result: FileResult) -> dict[str, Any]:
    pinned: dict[str, Any] = {"passed": result.passed}
    if result.waiting:
        pinned["waiting"] = dict(sorted(result.waiting.items()))
    return pinned


#: Folders of the suite that have to pass.
PROPOSALS = ("custom-page-sizes", "threads", "wide-arithmetic")
FOLDERS = ("core", "custom", "legacy", *(f"proposals/{name}" for name in PROPOSALS))


def suite_files(folder: Path) -> list[Path]:
    found = [path for name in FOLDERS for path in (*(folder / name).glob("*.wast"), *(folder / name).glob("*/*.wast"))]
    return sorted(found)


def assert_clean(result: FileResult) -> None:
    assert not result.failures, "\n".join(map(str, result.failures))


# -- our own scripts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours(path, engine):
    result = run(path, engine)
    assert_clean(result)
    assert not result.waiting
    assert result.passed == result.total > 0


@pytest.mark.parametrize("feature, path", OURS_BY_FEATURE, ids=lambda value: getattr(value, "stem", value))
def test_ours_that_need_a_feature(feature, path, engine):
    result = run(path, engine)
    assert_clean(result)
    if Feature(feature) in choose(engine).features:
        assert not result.waiting
        assert result.passed == result.total > 0
    else:
        assert result.waiting
        assert result.waiting.total() + result.passed == result.total


@pytest.mark.parametrize(
    "path", [p for p in OURS if "memory" in p.stem or "linking" in p.stem], ids=lambda path: path.stem
)
def test_ours_with_moving_memories(path, engine, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", "moving")
    test_ours(path, engine)


def test_a_script_can_fail(engine):
    """A runner that passes everything would prove nothing: each kind of command is made to fail once."""
    module = '(module (func (export "one") (result i32) i32.const 1) (func (export "trap") unreachable)\n'
    module += ' (func (export "nan") (result f32) f32.const nan:0x200000))\n'
    wrong = [
        '(assert_return (invoke "one") (i32.const 2))',
        '(assert_return (invoke "one") (i64.const 1))',
        '(assert_return (invoke "one"))',
        '(assert_return (invoke "nan") (f32.const nan:canonical))',
        '(assert_return (invoke "absent"))',
        '(assert_return (invoke "trap"))',
        '(invoke "trap")',
        '(assert_trap (invoke "one") "unreachable")',
        '(assert_trap (invoke "trap") "integer overflow")',
        '(assert_exhaustion (invoke "trap") "call stack exhausted")',
        '(assert_invalid (module (func)) "type mismatch")',
        '(assert_malformed (module quote "(func)") "unexpected token")',
        '(assert_malformed (module binary "\\00asm" "\\01\\00\\00\\00") "unexpected end")',
        '(assert_unlinkable (module) "unknown import")',
        '(assert_unlinkable (module (import "a" "b" (func))) "incompatible import type")',
        "(module (func (result i32)))",
        '(module (import "a" "b" (func)))',
        '(register "m" $absent)',
    ]
    for command in wrong:
        result = run_script(module + command, "wrong", engine)
        assert (result.total, result.passed, len(result.failures)) == (2, 1, 1), command
        assert result.failures[0].line == 3


def test_what_waits_is_counted_by_feature_and_passes_for_nothing(engine):
    script = """
        (module $m (memory 1 1 shared))
        (assert_return (invoke "f"))
        (register "m" $m)
        (module (import "m" "t" (memory 1 1 shared)))
        (assert_invalid (module (memory 1 1 shared) (func (result i32))) "type mismatch")
        (module (func (export "f")))
        (assert_return (invoke "f"))
    """
    result = run_script(script, "waiting", engine)
    assert_clean(result)
    assert (result.passed, dict(result.waiting)) == (2, {"threads": 5})


def test_what_a_waiting_module_was_to_write_is_no_failure_and_hides_none(engine):
    script = """
        (module $a (memory (export "m") 1) (func (export "byte") (result i32) (i32.load8_u (i32.const 0))))
        (register "a" $a)
        (module (import "a" "m" (memory 1)) (func atomic.fence) (data (i32.const 0) "x"))
        (assert_return (invoke $a "byte") (i32.const 0x78))
        (assert_return (invoke $a "byte") (i32.const 0))
        (module $b (memory 1) (func (export "byte") (result i32) (i32.load8_u (i32.const 0))))
        (assert_return (invoke $b "byte") (i32.const 0x78))
    """
    result = run_script(script, "waiting", engine)
    assert (result.passed, dict(result.waiting)) == (4, {"threads": 2})
    assert [failure.line for failure in result.failures] == [8]


def test_a_folder_says_what_is_on(tmp_path):
    script = "(module (memory 1 1 shared)) (assert_invalid (module (memory 1) (memory 1)) \"multiple memories\")"
    outcomes = {}
    for name in ("core", "threads", "proposals/threads", "proposals/unheard-of"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        path = folder / "script.wast"
        path.write_text(script)
        result = run_file(path, name)
        outcomes[name] = (result.passed, dict(result.waiting), len(result.failures))
    assert outcomes == {
        "core": (0, {"threads": 1}, 1),
        "threads": (1, {}, 1),
        "proposals/threads": (2, {}, 0),  # these scripts are of an older standard
        "proposals/unheard-of": (0, {"threads": 1, "unheard-of": 1}, 0),
    }
    assert dict(run_file(path, "off", features="1.0").waiting) == {"threads": 1}


# -- the official suite ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_official(name, engine, testsuite):
    result = run(testsuite / name, engine)
    assert_clean(result)
    assert counts(result) == PINNED[engine][name]


@pytest.mark.parametrize("name", MEMORY_FILES)
def test_official_with_moving_memories(name, engine, testsuite, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", "moving")
    test_official(name, engine, testsuite)


def test_every_official_file_is_pinned(testsuite):
    found = {path.relative_to(testsuite).as_posix() for path in suite_files(testsuite)}
    assert all(set(table) == found for table in PINNED.values())


def test_the_page_says_what_is_pinned():
    assert suite_page.PAGE.read_text() == suite_page.page(PINNED)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tables = []
    for engine in available():
        rows = []
        for path in suite_files(folder):
            row = counts(run(path, engine))
            rows.append(f"    {json.dumps(path.relative_to(folder).as_posix())}: {json.dumps(row)}")
        tables.append(f"  {json.dumps(engine)}: {{\n" + ",\n".join(rows) + "\n  }")
    (HERE / "pinned.json").write_text("{\n" + ",\n".join(tables) + "\n}\n")
    suite_page.PAGE.write_text(suite_page.page(json.loads((HERE / "pinned.json").read_text())))
