"""The grammar of the text format: abbreviations against their long forms, and what makes a text malformed."""

from __future__ import annotations

import pytest

from interp.syntax.errors import LimitError, MalformedError
from interp.syntax.instructions import Catch
from interp.syntax.limits import VmLimits
from interp.syntax.names import Names, decode_names
from interp.syntax.types import (
    I8,
    I16,
    I32,
    ArrayType,
    FieldType,
    FuncType,
    Limits,
    MemType,
    RefType,
    StructType,
    SubType,
)
from interp.text.parser import parse
from spec_tests.wasm.text_samples import bare, bare_expr


def body(text: str) -> list[tuple[str, tuple]]:
    return bare_expr(parse(text).funcs[0].body)


SAME = [
    # (abbreviation, what it stands for)
    ("(func)", "(module (type (func)) (func (type 0)))"),
    ("(func (param i32 i64) (local f32 f64))", "(func (param i32) (param i64) (local f32) (local f64))"),
    ("(func (type 0)) (type (func))", "(type (func)) (func)"),
    ("(type $t (func (param i32))) (func (type $t))", "(type (func (param i32))) (func (type 0) (param i32))"),
    ("(func (result i64) unreachable) (func)", "(type (func (result i64))) (type (func)) (func (type 0) unreachable)"
     " (func (type 1))"),
    # Types written inline are appended in the order of the text, those of blocks where they stand.
    ("(func (block (param i32) (result i64)) ) (func (param f32))",
     "(type (func)) (type (func (param i32) (result i64))) (type (func (param f32)))"
     " (func (type 0) (block (type 1))) (func (type 2))"),
    ("(rec (type (func))) (func)", "(rec (type (func))) (func (type 0))"),
    ("(rec (type (func)) (type (struct))) (func)", "(rec (type (func)) (type (struct))) (type (func)) (func (type 2))"),
    ("(type (sub (func))) (func)", "(type (sub (func))) (type (func)) (func (type 1))"),
    ('(func (export "a") (export "b"))', '(func) (export "a" (func 0)) (export "b" (func 0))'),
    ('(func (export "a") (import "m" "n") (param i32))',
     '(import "m" "n" (func (param i32))) (export "a" (func 0))'),
    ('(table (import "m" "n") 1 2 funcref)', '(import "m" "n" (table 1 2 funcref))'),
    ('(memory (import "m" "n") 1)', '(import "m" "n" (memory 1))'),
    ('(global (import "m" "n") (mut i32))', '(import "m" "n" (global (mut i32)))'),
    ('(tag (import "m" "n") (param i32))', '(import "m" "n" (tag (param i32)))'),
    ("(memory (data \"ab\" \"c\"))", '(memory 1 1) (data (i32.const 0) "abc")'),
    ("(memory (data))", '(memory 0 0) (data (i32.const 0) "")'),
    ("(memory i64 (data \"a\"))", '(memory i64 1 1) (data (i64.const 0) "a")'),
    ("(memory (pagesize 1) (data \"abc\"))", '(memory 3 3 (pagesize 1)) (data (i32.const 0) "abc")'),
    ("(table funcref (elem 0 0)) (func)", "(table 2 2 funcref) (elem (i32.const 0) func 0 0) (func)"),
    ("(table funcref (elem (ref.func 0) (ref.null func))) (func)",
     "(table 2 2 funcref) (elem (i32.const 0) funcref (item ref.func 0) (item (ref.null func))) (func)"),
    ("(table i64 externref (elem (ref.null extern)))",
     "(table i64 1 1 externref) (elem (offset i64.const 0) externref (ref.null extern))"),
    ("(table 1 funcref) (elem (i32.const 0) $f) (func $f)", "(table 1 funcref) (elem (offset (i32.const 0)) func 0)"
     " (func $f)"),
    ("(table 1 funcref) (table $t 1 funcref) (elem (table $t) (i32.const 0) func)",
     "(table 1 funcref) (table 1 funcref) (elem (table 1) (offset i32.const 0) func)"),
    ("(elem declare func $f) (func $f)", "(elem declare func 0) (func $f)"),
    ("(memory 1) (memory $m 1) (data (memory $m) (i32.const 1) \"x\")",
     '(memory 1) (memory 1) (data (memory 1) (offset i32.const 1) "x")'),
    ("(func (result i32) (i32.add (i32.const 1) (i32.const 2)))",
     "(func (result i32) i32.const 1 i32.const 2 i32.add)"),
    ("(func (result i32) (block $l (result i32) (br $l (i32.const 1))))",
     "(func (result i32) block (result i32) i32.const 1 br 0 end)"),
    # The condition of a folded if stands before it and does not see its label.
    ("(func (block $l (if $l (br_table $l (i32.const 0)) (then (br $l)) (else (nop)))))",
     "(func block i32.const 0 br_table 0 if br 0 else nop end end)"),
    ("(func (if (i32.const 1) (then)))", "(func i32.const 1 if end)"),
    ("(func (loop $a (block $b (loop $a (br $a) (br $b)))) )", "(func loop block loop br 0 br 1 end end end)"),
    ("(func block $a block $\"a b\" br $\"a b\" br $\"a\" end $\"a b\" end $a)",
     "(func block block br 0 br 1 end end)"),
    ("(memory 1) (func (drop (i32.load (i32.const 0))))",
     "(memory 1) (func i32.const 0 i32.load offset=0 align=4 drop)"),
    ("(memory 1) (memory $n 1) (func (drop (i32.load8_u $n offset=0x1_0 (i32.const 0))))",
     "(memory 1) (memory 1) (func i32.const 0 i32.load8_u 1 offset=16 drop)"),
    ("(memory 1) (memory $n 1) (data $d \"\") (func (memory.init $n $d (unreachable)))",
     "(memory 1) (memory 1) (data \"\") (func unreachable memory.init 1 0)"),
    ("(memory 1) (data $d \"\") (func (memory.init $d (unreachable)))",
     "(memory 1) (data \"\") (func unreachable memory.init 0 0)"),
    ("(table $t 1 funcref) (elem $e func) (func (table.init $e (unreachable)) (table.size $t) (drop))",
     "(table 1 funcref) (elem func) (func unreachable table.init 0 0 table.size drop)"),
    ("(table 1 funcref) (func (call_indirect (param i32) (unreachable)))",
     "(type (func)) (type (func (param i32))) (table 1 funcref) (func (type 0) unreachable call_indirect 0 (type 1))"),
    ("(func (select (result i32) (unreachable)) drop)", "(func unreachable select (result i32) drop)"),
    ("(type $s (struct (field $x i32) (field $y (mut i64)))) (func (struct.get $s $y (unreachable)) drop)",
     "(type (struct (field i32 (mut i64)))) (func unreachable struct.get 0 1 drop)"),
    ("(tag $e) (func (block $h (try_table (catch $e $h) (catch_all $h) nop)))",
     "(tag) (func block try_table (catch 0 0) (catch_all 0) nop end end)"),
    ("(tag $e) (func (try (do (nop)) (catch $e (rethrow 0)) (catch_all)))",
     "(tag) (func try nop catch 0 rethrow 0 catch_all end)"),
    ("(func (try $l (do (try (do) (delegate $l))) (catch_all)))", "(func try try delegate 0 catch_all end)"),
    ("(func (v128.const i8x16 1 0 0 0 2 0 0 0 3 0 0 0 -1 -1 -1 -1) drop)", "(func v128.const i32x4 1 2 3 -1 drop)"),
    ("(func (v128.const f32x4 1 -0 nan inf) drop)",
     "(func v128.const i32x4 0x3f800000 0x80000000 0x7fc00000 0x7f800000 drop)"),
    ("(start $f) (func $f)", "(func $f) (start 0)"),
    (";; nothing", "(module)"),
]  # fmt: skip


@pytest.mark.parametrize(("short", "long"), SAME)
def test_abbreviations(short: str, long: str) -> None:
    assert bare(parse(short), customs=False) == bare(parse(long), customs=False)


def test_types() -> None:
    module = parse("""
        (type $a (array (mut i8)))
        (rec (type $s (sub (struct (field i16) (field (ref null $t)))))
             (type $t (sub final $s (struct (field i16 (ref null $t) (mut (ref $a)))))))
        (memory i64 1 2 shared (pagesize 1))
        (table 1 (ref null $t))
    """)
    pointer = RefType(True, 2)
    assert module.types == (
        SubType(ArrayType(FieldType(I8, True))),
        SubType(StructType((FieldType(I16, False), FieldType(pointer, False))), final=False),
        SubType(
            StructType((FieldType(I16, False), FieldType(pointer, False), FieldType(RefType(False, 0), True))),
            supers=(1,),
        ),
    )
    assert [len(rec.types) for rec in module.rec_types] == [1, 2]
    assert module.mems == (MemType(Limits(1, 2, "i64", True), 0),)
    assert module.tables[0].type.ref == pointer


def test_catches() -> None:
    code = body("(tag) (func (try_table (catch 0 0) (catch_ref 0 0) (catch_all 0) (catch_all_ref 0)))")
    assert code[0][1][1] == (Catch(0, 0, 0), Catch(1, 0, 0), Catch(2, -1, 0), Catch(3, -1, 0))


def test_names_become_a_name_section() -> None:
    module = parse('(module $m (import "a" "b" (func $f (param $x i32))) (func (local i32) (local $"y z" i64)))')
    (section,) = module.customs
    assert section.name == "name"
    assert decode_names(section.data) == Names("m", {0: "f"}, {0: {0: "x"}, 1: {1: "y z"}})
    assert not parse("(func)").customs


def test_annotations() -> None:
    module = parse("""(module (@name "M") (@unknown (x)) (@custom "c" (before func) "ab" "c")
        (func $f (@name "") (param $p (@name "q q") i32) (local $l (@name "q q") i32) (local.get $p) drop))""")
    custom, names = module.customs
    assert (custom.name, bytes(custom.data), custom.after) == ("c", b"abc", 2)
    assert decode_names(names.data) == Names("M", {0: ""}, {0: {0: "q q", 1: "q q"}})


def test_data_count_is_for_code_that_names_segments() -> None:
    assert parse('(memory 1) (data "")').data_count is None
    assert parse('(memory 1) (data "") (func (data.drop 0))').data_count == 1


def test_instructions_know_their_place() -> None:
    text = "(func\n  nop (drop\n (i32.const 1)))"
    at = [ins.at for ins in parse(text).funcs[0].body]
    assert [text[i:].split()[0].rstrip(")") for i in at[:-1]] == ["nop", "i32.const", "drop"]
    assert at[-1] == len(text) - 1


MALFORMED = [
    ("(func (i32.const0))", "unknown operator i32.const0"),
    ("(func br 0drop)", "unknown operator 0drop"),
    ("(func get_local 0)", "unknown operator get_local"),
    ("(func (i32.const))", "unexpected token"),
    ("(func (i32.const 1.0))", "unexpected token"),
    ("(func (i32.const 0x))", "unknown operator"),
    ("(func (i32.const 0x1_0000_0000))", "constant out of range"),
    ("(func (i64.const -0x8000000000000001))", "constant out of range"),
    ("(func (f32.const 0x1p128))", "constant out of range"),
    ("(func (f64.const nan:0x0))", "constant out of range"),
    ("(func (f64.const nan:canonical))", "unexpected token"),
    ("(func (v128.const i32x4 1 2 3))", "wrong number of lane literals"),
    ("(func (v128.const i32x4 1 2 3 4 5))", "wrong number of lane literals"),
    ("(func (v128.const i32x4 1 2 3 x))", "unknown operator x"),
    ("(func (v128.const 0 0 0 0))", "unexpected token"),
    ("(func (i8x16.shuffle 0 1 2))", "invalid lane length"),
    ("(func (i8x16.extract_lane_s 256))", "i8 constant out of range"),
    ("(func local.get 4294967296)", "i32 constant out of range"),
    ("(func local.get $x)", "unknown local"),
    ("(func call $x)", "unknown func"),
    ("(func global.get $x)", "unknown global"),
    ("(func br $x)", "unknown label"),
    ("(func (block $l) br $l)", "unknown label"),
    ("(func (if $l (br $l) (then)))", "unknown label"),
    ("(func table.get $t)", "unknown table"),
    ("(func (type $t))", "unknown type"),
    ("(func (type 3) (param i32))", "unknown type"),
    ("(type $s (struct)) (func struct.get $s $x)", "unknown field"),
    ('(export "a" (memory $m))', "unknown memory"),
    ("(func $f) (func $f)", "duplicate func"),
    ("(func $f) (func $\"f\")", "duplicate func"),
    ('(import "a" "b" (global $g i32)) (global $g i32 (i32.const 0))', "duplicate global"),
    ("(type $t (func)) (rec (type $t (func)))", "duplicate type"),
    ("(func (param $x i32) (local $x i32))", "duplicate local"),
    ("(func (param $x i32) (param $x i32))", "duplicate local"),
    ("(type (struct (field $x i32) (field $x i32)))", "duplicate field"),
    ("(elem $e func) (elem $e func)", "duplicate elem"),
    ("(func block $a end $b)", "mismatching label"),
    ("(func i32.const 0 if $a else $b end)", "mismatching label"),
    ("(func block end $b)", "mismatching label"),
    ("(type $t (func)) (func (type $t) (param i32))", "inline function type"),
    ("(type $t (struct)) (func (type $t) (param i32))", "inline function type"),
    ("(type $t (func (param i32))) (func (type $t) (result i32) (param i32))", "unexpected token"),
    ("(func (local i32) (param i32))", "unexpected token"),
    ("(func (nop) (local i32))", "unexpected token"),
    ("(func (block (param $x i32)))", "unexpected token"),
    ("(memory 1) (func (drop (i32.load align=3 (i32.const 0))))", "alignment"),
    ("(memory 1) (func (drop (i32.load align=0 (i32.const 0))))", "alignment"),
    ("(memory 1) (func (drop (i32.load align=4 offset=0 (i32.const 0))))", "unexpected token"),
    ("(memory 1) (func (drop (i32.load offset=0x1_0000_0000_0000_0000 (i32.const 0))))", "i64 constant out of range"),
    ("(memory 0 (pagesize 3))", "invalid custom page size"),
    ("(start 0) (start 0) (func)", "multiple start sections"),
    ('(func) (import "" "" (func))', "import after function"),
    ('(global i32 (i32.const 0)) (import "" "" (func))', "import after global"),
    ('(memory 0) (func (import "" ""))', "import after memory"),
    ('(table 0 funcref) (import "" "" (func))', "import after table"),
    ("(func $)", "empty identifier"),
    ('(func $"")', "empty identifier"),
    ('(export "\\ff" (func 0)) (func)', "malformed UTF-8 encoding"),
    ('(import "\\c0\\80" "" (func))', "malformed UTF-8 encoding"),
    ('(func $"\\ef")', "malformed UTF-8"),
    ('(data "\\u{d800}")', "malformed UTF-8 encoding"),
    ('(data "a""b")', "unknown operator"),
    ('(data "a\\z")', "illegal escape"),
    ('(data "a', "unclosed string"),
    ("(func", "unexpected token"),
    ("(func))", "unexpected token"),
    ("(func nop end)", "unexpected token"),
    ("(func block)", "unexpected token"),
    ("(func (block end))", "unexpected token"),
    ("(func else)", "unexpected token"),
    ("(func block else end)", "unexpected token"),
    ("(func (then))", "unexpected token"),
    ("(func (if))", "unexpected token"),
    ("(func (if (then) (then)))", "unexpected token"),
    ("(func (if (then) (else) (nop)))", "unexpected token"),
    ("(func (drop nop))", "unexpected token"),
    ("(func (catch_all))", "unexpected token"),
    ("(func (try (catch_all)))", "unexpected token"),
    ("(func (try (do) (catch_all) (catch_all)))", "unexpected token"),
    ("(module) (module)", "unexpected token"),
    ("nop", "unexpected token"),
    ("(nop)", "unexpected token"),
    ("(fnc)", "unknown operator fnc"),
    ("(func) x", "unknown operator x"),
    ("(@custom 1)", "@custom annotation: missing section name"),
    ('(@custom "\\ff")', "@custom annotation: malformed UTF-8 encoding"),
    ('(@custom "a" (near func))', "@custom annotation: malformed placement"),
    ('(@custom "a" (after funcs))', "@custom annotation: malformed section kind"),
    ('(@custom "a" here)', "@custom annotation: unexpected token"),
    ('(func (@custom "a"))', "misplaced @custom annotation"),
    ('(func nop (@name "a"))', "misplaced @name annotation"),
    ('(module (@name "a") (@name "b"))', "@name annotation: multiple module"),
    ("(table 1 shared funcref)", "unexpected token"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_texts(text: str, message: str) -> None:
    with pytest.raises(MalformedError) as raised:
        parse(text)
    assert raised.value.message.startswith(message)
    assert raised.value.where is not None and raised.value.where.line == 1


def test_the_place_of_an_error() -> None:
    with pytest.raises(MalformedError, match="unknown local y \\(at line 3, column 14\\)"):
        parse("(module\n  (func (param $x i32)\n   local.get $y))")


def test_every_cut_of_a_text_is_malformed_and_nothing_else() -> None:
    text = """(module $m (type $t (sub (struct (field $x (mut i8))))) (rec (type (func (param i32) (result i64))))
      (import "a\\n" "b" (func $f (param $p i32))) (memory 1 2 shared) (table $t 1 funcref (ref.null func)) (tag $e)
      (global $g (mut v128) (v128.const f64x2 nan:0x1 -inf)) (@custom "c" (after func) "x") (start $f)
      (func (export "e") (type 1) (local $l f32) (if $i (result i32) (i32.const -1) (then (br_table 0 $i)) (else nop))
        block (param i32) (select (result i32)) try_table (catch $e 0) end end (call_indirect $t (type 1))
        (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) v128.load8_lane offset=1 align=1 3 f32.const 0x1.8p-3)
      (elem $s (table $t) (offset i32.const 0) func $f) (data "a" "\\u{e9}"))"""
    parse(text)
    for end in range(len(text) - 1):
        try:
            parse(text[:end])
        except MalformedError:
            continue
        assert not text[:end].strip(), text[:end]  # nothing is the empty module


def test_nesting_is_not_recursion() -> None:
    depth = 99_000
    assert len(body("(func (drop " + "(i32.eqz " * depth + "(i32.const 0)" + ")" * depth + "))")) == depth + 3
    assert len(body("(func " + "(block " * depth + ")" * depth + ")")) == 2 * depth + 1
    assert len(body("(func " + "loop $l br $l " * depth + "end " * depth + ")")) == 3 * depth + 1
    assert len(body("(func " + "(if (i32.const 1) (then " * 40_000 + "))" * 40_000 + ")")) == 3 * 40_000 + 1
    with pytest.raises(MalformedError):
        parse("(func " + "(block " * depth)


def test_nesting_has_a_limit() -> None:
    limits = VmLimits(nesting=3)
    parse("(func (block (block (block))))", limits=limits)
    for text in ("(func (block (block (block (block)))))", "(func block block block block end end end end)"):
        with pytest.raises(LimitError):
            parse(text, limits=limits)


def test_plain_and_inline_function_types_are_found_once() -> None:
    module = parse("(func (param i32)) (func (param i32)) (type (func (param i32)))")
    assert module.types == (SubType(FuncType((I32,), ())),)
