"""What the two demanglers share: a cursor over a mangled name that gives up rather than work without end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class DemangleError(Exception):
    """Not a name of this scheme, or one that would take too much to write out."""


class Cursor:
    """Reads a name from left to right. Back references can make a short name huge, hence the limits."""

    DEPTH = 100
    STEPS = 20_000

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.depth = 0
        self.steps = 0

    def peek(self, ahead: int = 0) -> str:
        """A character, or the empty string at the end."""
        place = self.pos + ahead
        return self.text[place : place + 1]

    def next(self) -> str:
        """The next character, read."""
        char = self.peek()
        if not char:
            raise DemangleError
        self.pos += 1
        return char

    def eat(self, text: str) -> bool:
        """Read this text if it comes next."""
        if self.text.startswith(text, self.pos):
            self.pos += len(text)
            return True
        return False

    def expect(self, text: str) -> None:
        """This text must come next."""
        if not self.eat(text):
            raise DemangleError

    def decimal(self) -> int:
        """A number; a zero is one by itself, whatever digits follow."""
        if self.eat("0"):
            return 0
        start = self.pos
        while self.peek().isascii() and self.peek().isdigit():
            self.pos += 1
        if start == self.pos or self.pos - start > 6:
            raise DemangleError
        return int(self.text[start : self.pos])

    def take(self, count: int) -> str:
        """So many characters."""
        text = self.text[self.pos : self.pos + count]
        if len(text) != count:
            raise DemangleError
        self.pos += count
        return text

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One more level of nesting."""
        self.depth += 1
        self.steps += 1
        if self.depth > self.DEPTH or self.steps > self.STEPS:
            raise DemangleError
        try:
            yield
        finally:
            self.depth -= 1

    def bounded(self, text: str) -> str:
        """Text that is not longer than a person would read."""
        if len(text) > 20_000:
            raise DemangleError
        return text
