"""Tokens, comments, annotations, strings and positions of the text format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.syntax.errors import LimitError, MalformedError
from interp.syntax.limits import VmLimits
from interp.text.lexer import Annotation, Source, is_string, string_bytes
from interp.text.notation import print_bytes, print_name


def tokens(text: str | bytes) -> list[str]:
    found = Source(text).tokens
    return found[: found.index("")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \t\r\n ", []),
        ("(func(nop)nop)", ["(", "func", "(", "nop", ")", "nop", ")"]),
        ("a;;b(\nc", ["a", "c"]),
        ("a;;b\rc", ["a", "c"]),
        ("a(;b;)c", ["a", "c"]),
        ("a(;(;b;);)c", ["a", "c"]),
        ("a(; ;; ;)c", ["a", "c"]),
        ("(;;)(;(;;)(;;);)x", ["x"]),
        (";; only", []),
        ('"a""b"', ['"a""b"']),
        ('x"(;"y', ['x"(;"y']),
        ('$"a b" "(;"', ['$"a b"', '"(;"']),
        ("0drop", ["0drop"]),
        ("i32.const-1", ["i32.const-1"]),
        ("a,b", ["a", ",", "b"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_annotations_are_kept_by_the_token_they_stand_before() -> None:
    source = Source('(@a x (y) "(") module (@b (@c)) (@"d e" ,;])')
    assert source.tokens[0] == "module"
    assert source.annotations == {
        0: [Annotation("a", ("x", "(", "y", ")", '"("'), 0)],
        1: [Annotation("b", ("(@c", ")"), 22), Annotation("d e", (",", ";", "]"), 32)],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a (; b", "unclosed comment"),
        ("(; (; ;)", "unclosed comment"),
        ("(@a (b)", "unclosed annotation"),
        ("(@)", "empty annotation id"),
        ('(@"")', "empty annotation id"),
        ('(@a "b', "unclosed string"),
        ("(@a \x01)", "illegal character"),
        ("(@a é)", "illegal character"),
        (b"(@a \xff)", "malformed UTF-8 encoding"),
        (b"\xed\xa0\x80", "malformed UTF-8 encoding"),
        ("\ud800", "malformed UTF-8 encoding"),
    ],
)
def test_broken_texts(text: str | bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        Source(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("$", "empty identifier"),
        ("$x", None),
        ("\x01", "illegal character"),
        ("é", "illegal character"),
        ('"abc', "unclosed string literal"),
        ('"abc\n"', "unclosed string literal"),
        ('"a\\q"', "illegal escape"),
        ('"a\x01"', "illegal control character in string literal"),
        ("{", "unknown operator {"),
        ("+", None),
    ],
)
def test_what_is_wrong_with_a_token(text: str, fault: str | None) -> None:
    assert Source(text).describe(0) == fault


def test_positions_are_lines_and_columns() -> None:
    source = Source("a\n  b\r\nc\rd (; \n ;) e")
    places = [(source.where(i).line, source.where(i).column) for i in range(5)]
    assert places == [(1, 1), (2, 3), (3, 1), (4, 1), (5, 5)]


def test_strings() -> None:
    assert string_bytes(r'"\t\n\r\"\'\\\00\fF\u{1F_600}é"') == b"\t\n\r\"'\\\x00\xff\xf0\x9f\x98\x80\xc3\xa9"
    for bad in (r'"\u{d800}"', r'"\u{110000}"', r'"\u{ffffffffffffffffff}"'):
        with pytest.raises(ValueError, match="malformed UTF-8"):
            string_bytes(bad)
    assert is_string('"a"') and not is_string('"a""b"') and not is_string('"') and not is_string('x"a"')


@given(st.binary())
def test_printed_strings_are_read_back(data: bytes) -> None:
    text = print_bytes(data)
    assert tokens(text) == [text]
    assert string_bytes(text) == data


@given(st.text())
def test_printed_names_are_read_back(name: str) -> None:
    text = print_name(name)
    assert tokens(text) == [text]
    assert string_bytes(text).decode() == name


def test_a_long_text_is_refused() -> None:
    with pytest.raises(LimitError):
        Source(" " * 11, VmLimits(text_bytes=10))


def test_deep_comments_and_annotations() -> None:
    depth = 100_000
    assert tokens("(;" * depth + ";)" * depth + "x") == ["x"]
    assert tokens("(@a" + "(" * depth + ")" * depth + ")x") == ["x"]
