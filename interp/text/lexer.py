"""Lexical format (specification 6.3): one compiled expression cuts a whole text into tokens.

A token stays the string it is in the text; what it means is decided where it is read, so that nothing is classified
twice and a broken token in a module that nobody parses harms nobody. White space and comments vanish, annotations are
lifted out and kept by the index of the token they stand before. Empty tokens mark the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from interp.syntax.errors import LimitError, MalformedError, Where
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits

from .patterns import possessive

_IDCHAR = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"
_HEX = "[0-9a-fA-F]"
_SCALAR = rf"u\{{{_HEX}++{possessive(f'_{_HEX}++')}\}}"
_CHARACTER = rf"""[^"\\\x00-\x1f\x7f]++|\\(?:[nrt\\'"]|{_HEX}{{2}}|{_SCALAR})"""
_STRING = rf'"{possessive(_CHARACTER)}"'
_COMMENT = r"\(;" + possessive(r"[^;(]++|;(?!\))|\((?!;)") + r";\)"
_SKIP = possessive(rf"[ \t\n\r]++|;;[^\n\r]*+|{_COMMENT}")
_WORDS = possessive(rf"{_IDCHAR}++|{_STRING}", "+")
#: Alternatives: a parenthesis, the start of a block comment that holds another one, the start of an annotation, a run
#: of identifier characters and strings (in which all other tokens are), any other character, the end.
_TOKEN = re.compile(
    rf"{_SKIP}(\((?![;@])|\)|\(;|\(@(?:{_IDCHAR}++|{_STRING})?|{_WORDS}|.|\Z)", re.DOTALL
)
_COMMENT_EDGE = re.compile(r"\(;|;\)")
_STRING_START = re.compile(f'"{possessive(_CHARACTER)}', re.DOTALL)
_IS_STRING = re.compile(rf"{_STRING}\Z", re.DOTALL)
_ESCAPE = re.compile(r"""((?:\\[0-9a-fA-F]{2})+)|\\(?:([nrt\\'"])|u\{([0-9a-fA-F_]+)\})""")
_ESCAPED = {"n": b"\n", "r": b"\r", "t": b"\t", "\\": b"\\", "'": b"'", '"': b'"'}
#: Empty tokens at the end, so that the parser may look ahead without looking where the text ends.
_PADDING = 8
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Annotation:
    """`(@name ...)`: its tokens without the parentheses around it, and the position of its start in the text."""

    name: str
    tokens: tuple[str, ...]
    at: int


class Source:
    """A text as tokens. `tokens[i]` starts at `starts[i]`; `annotations` maps a token's index to those before it.

    Raises MalformedError for bytes that are not UTF-8, unclosed comments and broken annotations, LimitError for a text
    over `limits.text_bytes`. Other broken tokens are left to whoever reads them: `describe` says what is wrong.
    """

    def __init__(self, text: str | bytes, limits: VmLimits = DEFAULT_LIMITS) -> None:
        if len(text) > limits.text_bytes:
            raise LimitError(f"text of {len(text)} bytes passes the limit text_bytes", limit="text_bytes")
        self.text = _decode(text)
        self.tokens: list[str]
        self.starts: list[int]
        self.annotations: dict[int, list[Annotation]] = {}
        matches = list(_TOKEN.finditer(self.text))
        self.tokens = [match[1] for match in matches]
        self.starts = [match.start(1) for match in matches]
        if "(;" in self.tokens:
            self._cut_nested_comments()
        if "(@" in self.text:
            self._lift_annotations()
        self.tokens += [""] * _PADDING
        self.starts += [len(self.text)] * _PADDING

    def where(self, index: int) -> Where:
        """The place of a token."""
        return self.place(self.starts[index])

    def place(self, position: int) -> Where:
        """Line and column, both from 1, of a character of the text."""
        line = _bisect(self._lines, position)
        return Where(line=line + 1, column=position - self._lines[line] + 1)

    def line(self, index: int) -> int:
        """The line of a token."""
        return _bisect(self._lines, self.starts[index]) + 1

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def error(self, message: str, index: int) -> MalformedError:
        """A MalformedError about a token."""
        return MalformedError(message, self.where(index))

    def describe(self, index: int) -> str | None:
        """What is wrong with a token that cannot be one at all, or None."""
        return self._fault(self.tokens[index], self.starts[index])

    def _fault(self, token: str, start: int) -> str | None:
        first = token[:1]
        if first == "$":
            if token == "$":
                return "empty identifier"
            return None
        if len(token) != 1 or (first.isalnum() and first.isascii()) or first in "!#%&'*+-./:<=>?@\\^_`|~()":
            return None
        if first in ",;[]{}":
            return f"unknown operator {first}"
        if first != '"':
            return "illegal character"
        match = _STRING_START.match(self.text, start)
        end = match.end() if match else start
        if end == len(self.text) or self.text[end] in "\n\r":
            return "unclosed string literal"
        return "illegal escape" if self.text[end] == "\\" else "illegal control character in string literal"

    def _cut_nested_comments(self) -> None:
        tokens: list[str] = []
        starts: list[int] = []
        position = 0
        while True:
            for match in _TOKEN.finditer(self.text, position):
                if match[1] == "(;":
                    position = self._comment_end(match.start(1))
                    break
                tokens.append(match[1])
                starts.append(match.start(1))
            else:
                break
        self.tokens, self.starts = tokens, starts

    def _comment_end(self, start: int) -> int:
        depth = 0
        position = start
        while match := _COMMENT_EDGE.search(self.text, position):
            position = match.end()
            depth += 1 if match[0] == "(;" else -1
            if not depth:
                return position
        raise MalformedError("unclosed comment", self.place(start))

    def _lift_annotations(self) -> None:
        tokens, starts = self.tokens, self.starts
        kept: list[str] = []
        places: list[int] = []
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token[:2] == "(@":
                annotation, index = self._annotation(index)
                self.annotations.setdefault(len(kept), []).append(annotation)
            else:
                kept.append(token)
                places.append(starts[index])
                index += 1
        self.tokens, self.starts = kept, places

    def _annotation(self, start: int) -> tuple[Annotation, int]:
        """The annotation at a token and the index after it."""
        tokens = self.tokens
        name = tokens[start][2:]
        if name[:1] == '"':
            name = self.name(name, start)
        if not name:
            raise self.error("empty annotation id", start)
        depth = 1
        index = start
        while depth:
            index += 1
            token = tokens[index]
            if token == ")":
                depth -= 1
            elif token == "" or index == len(tokens) - 1:
                raise self.error("unclosed annotation", start)
            elif token[0] == "(":
                depth += 1
            elif token[0] not in ",;[]{}$" and (fault := self._fault(token, self.starts[index])):
                raise self.error(fault, index)
        return Annotation(name, tuple(tokens[start + 1 : index]), self.starts[start]), index + 1

    def string(self, token: str, index: int) -> bytes:
        """The bytes of a string token."""
        try:
            return string_bytes(token)
        except ValueError:
            raise self.error("malformed UTF-8 encoding", index) from None

    def name(self, token: str, index: int) -> str:
        """A string token as a name. Raises MalformedError if its bytes are not UTF-8."""
        try:
            return string_bytes(token).decode()
        except ValueError:  # of which UnicodeDecodeError is one
            raise self.error("malformed UTF-8 encoding", index) from None


def string_bytes(token: str) -> bytes:
    """What a string token stands for. Raises ValueError for a `\\u{...}` that is no scalar value."""
    if "\\" not in token:
        return token[1:-1].encode()
    out = bytearray()
    position = 1
    for match in _ESCAPE.finditer(token, 1, len(token) - 1):
        out += token[position : match.start()].encode()
        pairs, short, scalar = match.groups()
        if pairs is not None:
            out += bytes.fromhex(pairs.replace("\\", ""))
        elif short is not None:
            out += _ESCAPED[short]
        else:
            out += scalar_utf8(scalar)
        position = match.end()
    out += token[position:-1].encode()
    return bytes(out)


def scalar_utf8(digits: str) -> bytes:
    """The UTF-8 bytes of a scalar value in hexadecimal. Raises ValueError if it is none."""
    value = int(digits.replace("_", "")[:12], 16)
    if value >= 0x110000 or 0xD800 <= value < 0xE000 or len(digits.replace("_", "").lstrip("0")) > 6:
        raise ValueError("malformed UTF-8 encoding")
    return chr(value).encode()


def is_string(token: str) -> bool:
    """Whether a token is one string, and not a run that only begins with one."""
    return token[:1] == '"' and len(token) > 1 and _IS_STRING.match(token) is not None


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MalformedError("malformed UTF-8 encoding", Where(offset=error.start)) from None
        return text
    try:
        return bytes(text).decode()
    except UnicodeDecodeError as error:
        raise MalformedError("malformed UTF-8 encoding", Where(offset=error.start)) from None


def _bisect(lines: list[int], position: int) -> int:
    low, high = 0, len(lines)
    while low + 1 < high:
        middle = (low + high) // 2
        if lines[middle] <= position:
            low = middle
        else:
            high = middle
    return low
