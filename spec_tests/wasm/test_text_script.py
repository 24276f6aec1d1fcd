"""The grammar of scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from interp.syntax.errors import MalformedError
from interp.syntax.types import F32, F64, I32, I64, V128
from interp.text.commands import (
    ActionCommand,
    AssertException,
    AssertExhaustion,
    AssertInvalid,
    AssertMalformed,
    AssertReturn,
    AssertTrap,
    AssertUnlinkable,
    BinarySource,
    Const,
    Either,
    Get,
    Invoke,
    LanesPattern,
    ModuleCommand,
    ModuleDefinition,
    ModuleInstance,
    NanPattern,
    Ref,
    Register,
    TextSource,
    UnsupportedCommand,
)
from interp.text.script import parse_script


def one(text: str):
    (command,) = parse_script(text)
    return command


def test_modules() -> None:
    text, named, binary, quote, definition, instance = parse_script(r"""
        (module (func))
        (module $M (memory 1))
        (module $B binary "\00asm" "\01\00\00\00")
        (module quote "(func" ")")
        (module definition $D (func (export "f")))
        (module instance $I $D)
    """)
    assert isinstance(text, ModuleCommand) and text.line == 2 and text.name is None
    assert isinstance(text.source, TextSource) and len(text.source.parse().funcs) == 1
    assert isinstance(named, ModuleCommand) and named.name == "M" and len(named.source.parse().mems) == 1
    assert binary == ModuleCommand(4, "B", BinarySource(b"\0asm\1\0\0\0"))
    assert isinstance(quote.source, TextSource) and quote.source.quoted and len(quote.source.parse().funcs) == 1
    assert isinstance(definition, ModuleDefinition) and definition.name == "D"
    assert len(definition.source.parse().exports) == 1
    assert instance == ModuleInstance(7, "I", "D")


def test_a_script_of_fields_alone_is_one_module() -> None:
    command = one('(func (export "f")) (memory 0)')
    assert isinstance(command, ModuleCommand) and len(command.source.parse().mems) == 1


def test_actions() -> None:
    assert one('(invoke "f" (i32.const -1) (i64.const 0x10))') == ActionCommand(
        1, Invoke(None, "f", (Const(I32, 0xFFFFFFFF), Const(I64, 16)))
    )
    assert one('(get $M "g")') == ActionCommand(1, Get("M", "g"))
    assert one('(invoke $"a b" "\\u{e9}" (ref.null func) (ref.extern 3) (ref.host 4))') == ActionCommand(
        1, Invoke("a b", "é", (Ref("null", "func"), Ref("extern", None, 3), Ref("host", None, 4)))
    )


def test_floats_stay_bits() -> None:
    command = one('(invoke "f" (f32.const nan:0x200000) (f64.const -nan) (f32.const 0.1) (f64.const -0))')
    assert command.action.args == (
        Const(F32, 0x7FA00000),
        Const(F64, 0xFFF8000000000000),
        Const(F32, 0x3DCCCCCD),
        Const(F64, 1 << 63),
    )


def test_result_patterns() -> None:
    command = one("""(assert_return (invoke "f") (f32.const nan:canonical) (f64.const nan:arithmetic)
        (v128.const f32x4 1 nan:canonical nan:arithmetic -0) (v128.const i64x2 1 -1) (ref.null) (ref.func) (ref.extern)
        (ref.extern 7) (ref.i31) (either (i32.const 1) (i32.const 2)) (ref.null none))""")
    assert isinstance(command, AssertReturn)
    assert command.results == (
        NanPattern(F32, "canonical"),
        NanPattern(F64, "arithmetic"),
        LanesPattern(F32, (0x3F800000, "canonical", "arithmetic", 0x80000000)),
        Const(V128, (1 << 128) - (1 << 64) + 1),
        Ref("null"),
        Ref("func"),
        Ref("extern"),
        Ref("extern", None, 7),
        Ref("i31"),
        Either((Const(I32, 1), Const(I32, 2))),
        Ref("null", "none"),
    )


def test_assertions() -> None:
    commands = parse_script("""
        (assert_trap (invoke "f") "unreachable")
        (assert_trap (module (func $f unreachable) (start $f)) "unreachable")
        (assert_exhaustion (invoke "f") "call stack exhausted")
        (assert_exception (invoke "f"))
        (assert_malformed (module quote "(") "unexpected token")
        (assert_malformed_custom (module quote "(") "x")
        (assert_invalid (module (func (result i32))) "type mismatch")
        (assert_unlinkable (module (import "a" "b" (func))) "unknown import")
        (register "a b" $M)
        (register "c")
        (thread $T (shared (module $M)) (invoke "f"))
        (wait $T)
    """)
    kinds = [type(command) for command in commands]
    assert kinds == [AssertTrap, AssertTrap, AssertExhaustion, AssertException, AssertMalformed, AssertMalformed,
                     AssertInvalid, AssertUnlinkable, Register, Register, UnsupportedCommand,
                     UnsupportedCommand]  # fmt: skip
    assert [command.line for command in commands] == list(range(2, 14))
    assert isinstance(commands[0].action, Invoke) and isinstance(commands[1].action, TextSource)
    assert [commands[4].custom, commands[5].custom] == [False, True]
    assert commands[8:10] == [Register(10, "a b", "M"), Register(11, "c", None)]
    assert commands[10] == UnsupportedCommand(12, "thread", "threads")


def test_what_is_wrong_in_a_module_concerns_its_command_only() -> None:
    first, second, third = parse_script("(module (func nonsense))\n(module (func (i32.const $)))\n(module (func))")
    with pytest.raises(MalformedError, match="unknown operator nonsense \\(at line 1, column 15\\)"):
        first.source.parse()
    with pytest.raises(MalformedError, match="empty identifier \\(at line 2"):
        second.source.parse()
    assert len(third.source.parse().funcs) == 1


@pytest.mark.parametrize(
    "text",
    [
        "(assert_nonsense)",
        '(assert_return (invoke "f") (i32.const nan:canonical))',
        '(invoke "f" (f32.const nan:canonical))',
        '(invoke "f" (either (i32.const 1)))',
        '(invoke "f" (i32.const 0x1_0000_0000))',
        "(invoke f)",
        '(invoke "f"',
        '(assert_trap (invoke "f"))',
        "(module binary nonsense)",
        "module",
        "(module))",
    ],
)
def test_malformed_scripts(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_script(text)


def test_messages_of_the_official_suite(testsuite: Path) -> None:
    """Every quoted text that must be malformed is, with the reference interpreter's message; all others parse."""
    quoted = 0
    for path in sorted((testsuite / "core").rglob("*.wast")):
        for command in parse_script(path.read_bytes()):
            source = getattr(command, "source", None)
            if not isinstance(source, TextSource):
                continue
            here = f"{path.name}:{command.line}"
            if isinstance(command, AssertMalformed):
                quoted += 1
                with pytest.raises(MalformedError) as raised:
                    source.parse()
                    pytest.fail(f"{here}: not malformed")
                assert raised.value.message.startswith(command.message), here
            else:
                source.parse()
    assert quoted > 1000
