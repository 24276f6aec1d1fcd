"""Printed modules are read back as the same modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.syntax.errors import MalformedError
from interp.syntax.features import Feature
from interp.syntax.instructions import OPS, Op
from interp.syntax.module import Custom, Func, Module
from interp.syntax.names import Names, decode_names, encode_names
from interp.syntax.types import FuncType, RecType, SubType
from interp.text.commands import TextSource
from interp.text.notation import print_instruction
from interp.text.parser import parse
from interp.text.printer import print_module
from interp.text.script import parse_script
from spec_tests.wasm.text_samples import PLAIN_OPS, STRUCTURED, bare, samples

EVERYTHING = frozenset(Feature)
STYLES = [{}, {"names": False}, {"folded": True}]
CONTEXT = """(type (func)) (type (func (param i32) (result i32 i32)))
    (type (struct (field i32 i32))) (func) (func) (tag) (tag)
    (func (type 0) block block block {} {})"""


@pytest.mark.parametrize("op", PLAIN_OPS, ids=lambda op: op.name)
def test_every_instruction_is_read_back(op: Op) -> None:
    opens = "block" in op.immediates
    for ins in samples(op):
        text = print_instruction(ins)
        code = parse(CONTEXT.format(text, "end " * (4 if opens else 3))).funcs[2].body
        assert code[3][:2] == ins[:2], text


def test_every_row_of_the_table_has_a_text() -> None:
    assert {op.name for op in PLAIN_OPS} | STRUCTURED == {op.name for op in OPS}


MODULES = [
    "(module)",
    "(module $m)",
    '(module $"a b" (func $"" ))'.replace('$"" ', ""),
    """(module (type $a (array (mut i8))) (rec (type $s (sub (struct (field i16) (field (ref null $t)))))
        (type $t (sub final $s (struct (field i16 (ref null $t) (mut (ref $a))))))))""",
    """(import "a\\00\\u{1f600}" "" (func $f (param $x i32))) (import "" "t" (table 1 2 externref))
        (import "" "m" (memory 1 2 shared)) (import "" "g" (global (mut v128))) (import "" "e" (tag (param i32)))""",
    """(memory i64 1) (memory 0 1 (pagesize 1)) (data "\\00\\ff\\"é") (data (memory 1) (offset i32.const 1
        i32.const 2 i32.add) "x") (global f32 (f32.const nan:0x200000)) (global $g i32 (i32.const -1))
        (export "\\n" (global $g))""",
    """(table i64 1 funcref) (table 2 (ref func) (ref.func $f)) (func $f) (elem func $f 0) (elem declare func $f)
        (elem (table 1) (i32.const 0) (ref func) (ref.func 0)) (elem externref (ref.null extern))
        (elem (i64.const 0) func) (start $f)""",
    """(tag $e (param i32)) (func $f (param $x i32) (param i64) (param $y f32) (result i32) (local i32 i32)
        (local $z f64) (block $l (result i32) (loop (try_table (catch $e $l) (catch_all 0))) (local.get $x))
        (if (result i32) (then (i32.const 1)) (else (call $f (i32.const 1) (i64.const 2) (f32.const 3)))))""",
    """(func (try (do (nop)) (catch_all (rethrow 0))) try try delegate 0 end)""",
    """(func (result i32) i32.const 1 (i32.const 2) nop i32.add (if (then)) unreachable (return (i32.const 3)))""",
    """(@custom "c" (before first) "a\\00") (@custom "d" (after code)) (func (@name "x") ) (func $x) (func (@name ""))
        (func (param $p (@name "q") i32) (param $q i32) (param i32) (local $r (@name "q") i32) (local $s (@name "")
        i32))""",
]


@pytest.mark.parametrize("style", STYLES, ids=["plain", "numbers", "folded"])
@pytest.mark.parametrize("text", MODULES)
def test_modules_are_read_back(text: str, style: dict[str, bool]) -> None:
    module = parse(text)
    assert bare(parse(print_module(module, **style))) == bare(module)


@given(
    st.none() | st.text(),
    st.dictionaries(st.integers(0, 3), st.text(max_size=3)),
    st.dictionaries(st.integers(0, 3), st.dictionaries(st.integers(0, 3), st.text(max_size=3), min_size=1)),
)
def test_any_names_are_read_back(
    module_name: str | None, funcs: dict[int, str], locals_: dict[int, dict[int, str]]
) -> None:
    names = Names(module_name, funcs, locals_)
    assert decode_names(encode_names(names)) == names
    plain = parse("(type (func (param i32 i32))) " + "(func (type 0) (local i32 i32) (drop (local.get 3)))" * 4)
    customs = (Custom("name", encode_names(names), 11),) if names else ()
    module = Module(rec_types=plain.rec_types, funcs=plain.funcs, customs=customs)
    for style in STYLES:
        assert bare(parse(print_module(module, **style))) == bare(module)


def test_a_broken_body_raises_when_it_is_printed() -> None:
    def reader(offset: int, length: int) -> tuple[tuple, tuple]:
        raise MalformedError("illegal opcode ff")

    module = Module(rec_types=(RecType((SubType(FuncType()),)),), funcs=(Func(0, 0, 1, None, reader),))
    with pytest.raises(MalformedError):
        print_module(module)


def test_text_stays_in_proportion_to_the_code() -> None:
    depth = 50_000
    text = "(func " + "block " * depth + "end " * depth + ")"
    for style in STYLES:
        assert len(print_module(parse(text), **style)) < 2 * depth * 60


def test_folding_keeps_what_cannot_be_folded() -> None:
    module = parse("(func (result i32) i32.const 1 call 0 nop i32.add i32.const 2 br_if 0 drop)")
    assert bare(parse(print_module(module, folded=True))) == bare(module)


def test_what_printed_modules_look_like() -> None:
    module = parse("""(module $m (memory 1) (func $f (export "f") (param $x i32) (result i32) (local i64 i64)
        (if (result i32) (i32.eqz (local.get $x))
          (then (i32.add (i32.const 1) (call $f (i32.load offset=4 align=1 (i32.const 0)))))
          (else (drop (i32.const 2)) (unreachable)))) (data (i32.const 0) "a\\00"))""")
    assert (
        print_module(module)
        == """(module $m
  (type (;0;) (func (param i32) (result i32)))
  (func $f (;0;) (type 0) (param $x i32) (result i32)
    (local i64 i64)
    local.get $x
    i32.eqz
    if (result i32)
      i32.const 1
      i32.const 0
      i32.load offset=4 align=1
      call $f
      i32.add
    else
      i32.const 2
      drop
      unreachable
    end)
  (memory (;0;) 1)
  (export "f" (func $f))
  (data (;0;) (i32.const 0) "a\\00")
)
"""
    )
    folded = print_module(module, folded=True).splitlines()
    assert folded[4:11] == [
        "    (if (result i32)",
        "      (i32.eqz (local.get $x))",
        "      (then",
        "        (i32.add",
        "          (i32.const 1)",
        "          (call $f (i32.load offset=4 align=1 (i32.const 0)))))",
        "      (else (drop (i32.const 2)) (unreachable))))",
    ]


def test_operands_are_folded_as_far_as_each_leaves_a_value() -> None:
    module = parse("(func i32.const 1 nop drop i32.const 2 i32.const 3 i32.add drop)")
    lines = print_module(module, folded=True).splitlines()
    assert lines[3:] == ["    (i32.const 1)", "    (nop)", "    (drop)",
                         "    (drop (i32.add (i32.const 2) (i32.const 3))))", ")"]  # fmt: skip


def test_the_name_section_is_written_as_short_as_can_be() -> None:
    long = "n" * 128
    names = Names("m" * 64, {1: long}, {2: {3: "l"}})
    assert encode_names(names) == (
        b"\0\x41\x40" + b"m" * 64 + b"\1\x84\1\1\1\x80\1" + long.encode() + b"\2\6\1\2\1\3\1l"
    )


def text_modules(path: Path) -> Iterator[tuple[int, Module]]:
    for command in parse_script(path.read_bytes()):
        source = getattr(command, "source", None)
        if isinstance(source, TextSource):
            try:
                yield command.line, source.parse()
            except MalformedError:
                continue


@pytest.mark.parametrize("folder", ["core", "core/bulk-memory", "core/gc", "core/memory64", "core/exceptions",
                                    "core/multi-memory", "core/simd", "core/relaxed-simd", "legacy"])  # fmt: skip
def test_the_official_suite_is_read_back(folder: str, testsuite: Path) -> None:
    count = 0
    for path in sorted((testsuite / folder).glob("*.wast")):
        for line, module in text_modules(path):
            here = f"{path.name}:{line}"
            count += 1
            plain = bare(module)
            for style in STYLES:
                assert bare(parse(print_module(module, **style))) == plain, here
            again = decode(encode(module), features=EVERYTHING)
            assert bare(again) == plain, here
            assert bare(parse(print_module(again))) == plain, here
    assert count > 5
