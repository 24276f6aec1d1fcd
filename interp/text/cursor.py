"""A cursor over the tokens of a text: what every part of the parser reads with."""

from __future__ import annotations

from typing import NoReturn

from interp.syntax.instructions import OPS
from interp.syntax.limits import VmLimits
from interp.syntax.types import HEAP_CODES, NUM_TYPES_BY_NAME

from .lexer import Source, is_string, string_bytes
from .numbers import RangeError, is_number, parse_nat

#: Words that are tokens of the grammar, apart from instructions. A known word in a wrong place is an "unexpected
#: token", any other word an "unknown operator".
_WORDS = """
    module definition instance binary quote type rec sub final func struct array field mut param result local import
    export table memory global tag start elem data offset item declare ref null shared pagesize then do catch catch_ref
    catch_all catch_all_ref delegate i8 i16 i8x16 i16x8 i32x4 i64x2 f32x4 f64x2 script register invoke get either input
    output assert_return assert_trap assert_exhaustion assert_malformed assert_invalid assert_unlinkable
    assert_exception nan:canonical nan:arithmetic
"""
WORDS = frozenset(_WORDS.split())
_REF_WORDS = frozenset(f"{heap}ref" for heap in HEAP_CODES) | {"nullref", "nullfuncref", "nullexternref", "nullexnref"}
_KNOWN = WORDS | _REF_WORDS | frozenset(HEAP_CODES) | frozenset(NUM_TYPES_BY_NAME) | {op.text for op in OPS}

#: How much of a token a message shows.
_SHOWN = 60


class Cursor:
    """The tokens of a source from an index on; `i` is the index of the next one."""

    __slots__ = ("i", "limits", "source", "toks")

    def __init__(self, source: Source, index: int, limits: VmLimits) -> None:
        self.source = source
        self.toks = source.tokens
        self.i = index
        self.limits = limits

    def fail(self, message: str | None = None, index: int | None = None) -> NoReturn:
        """Raise a MalformedError about a token, the next one unless told; without a message, one that fits it."""
        at = self.i if index is None else index
        raise self.source.error(self.source.describe(at) or message or self.why(at), at)

    def why(self, index: int) -> str:
        """What to say about a token in a place where it cannot stand."""
        token = self.toks[index]
        first = token[:1]
        if token in ("", "(", ")") or first == "$" or token in _KNOWN or is_string(token) or is_number(token):
            return f"unexpected token {token if len(token) <= _SHOWN else token[:_SHOWN] + '...'}".rstrip()
        word, _, number = token.partition("=")
        if word in ("offset", "align") and is_number(number):
            return f"unexpected token {token}"
        return f"unknown operator {token if len(token) <= _SHOWN else token[:_SHOWN] + '...'}"

    def opens(self, word: str) -> bool:
        """Whether the next tokens are `(` and a word."""
        return self.toks[self.i] == "(" and self.toks[self.i + 1] == word

    def open(self, word: str) -> None:
        """Pass `(` and a word."""
        if self.toks[self.i] != "(":
            self.fail()
        self.i += 1
        self.word(word)

    def try_open(self, word: str) -> bool:
        """Pass `(` and a word if they are next."""
        if self.toks[self.i] == "(" and self.toks[self.i + 1] == word:
            self.i += 2
            return True
        return False

    def close(self) -> None:
        """Pass `)`."""
        if self.toks[self.i] != ")":
            self.fail()
        self.i += 1

    def try_close(self) -> bool:
        """Pass `)` if it is next."""
        if self.toks[self.i] == ")":
            self.i += 1
            return True
        return False

    def word(self, word: str) -> None:
        """Pass a word."""
        if self.toks[self.i] != word:
            self.fail()
        self.i += 1

    def try_word(self, word: str) -> bool:
        """Pass a word if it is next."""
        if self.toks[self.i] == word:
            self.i += 1
            return True
        return False

    def take(self) -> str:
        """Pass the next token and give it."""
        self.i += 1
        return self.toks[self.i - 1]

    def ident(self) -> str | None:
        """Pass an identifier if one is next; its name without the `$`, escapes resolved."""
        token = self.toks[self.i]
        if token[:1] != "$":
            return None
        if token == "$":
            self.fail()
        if token[1] == '"':
            name = self.quoted_ident(token)
        else:
            name = token[1:]
            if '"' in name:
                self.fail(f"unknown operator {token}")
        self.i += 1
        return name

    def quoted_ident(self, token: str) -> str:
        """The name that `$"..."` stands for."""
        if not is_string(token[1:]):
            self.fail(f"unknown operator {token}")
        name = self.source.name(token[1:], self.i)
        if not name:
            self.fail("empty identifier")
        return name

    def string(self) -> bytes:
        """Pass a string; its bytes."""
        token = self.toks[self.i]
        if not is_string(token):
            self.fail()
        self.i += 1
        return string_bytes(token) if "\\u" not in token else self.source.string(token, self.i - 1)

    def name(self) -> str:
        """Pass a string that must be UTF-8."""
        token = self.toks[self.i]
        if not is_string(token):
            self.fail()
        self.i += 1
        return self.source.name(token, self.i - 1)

    def at_string(self) -> bool:
        """Whether a string is next."""
        return self.toks[self.i][:1] == '"'

    def nat(self, bits: int = 32) -> int:
        """Pass an unsigned integer of so many bits."""
        value = self.try_nat(bits)
        if value is None:
            self.fail()
        return value

    def try_nat(self, bits: int = 32) -> int | None:
        """Pass an unsigned integer if one is next."""
        try:
            value = parse_nat(self.toks[self.i], bits)
        except RangeError as error:
            self.fail(str(error))
        if value is not None:
            self.i += 1
        return value

    def skip_form(self) -> None:
        """Pass a whole form, the next token being its `(`; the rest of the text if it is not closed."""
        toks = self.toks
        depth = 0
        i = self.i
        last = len(toks) - 1
        while i < last:
            token = toks[i]
            i += 1
            if token == "(":
                depth += 1
            elif token == ")":
                depth -= 1
                if not depth:
                    break
        self.i = i
