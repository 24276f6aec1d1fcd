"""The commands of `.wast` scripts as data (the script grammar of the reference interpreter).

Every command has the line it starts on. Values are raw bits, unsigned, never Python floats. Modules in a script are
kept as sources and parsed only when asked for, so that what is wrong in one concerns its own command only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from interp.syntax.module import Module
from interp.syntax.types import HeapType, NumType

NanKind = Literal["canonical", "arithmetic"]


@dataclass(frozen=True, slots=True)
class Const:
    """A number or vector: an argument, or a result that must match bit for bit."""

    type: NumType
    bits: int


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference as argument or result pattern.

    `kind` is `null`, `extern`, `host`, `func`, `any`, `eq`, `i31`, `struct`, `array` or `exn`. A null may name its
    `heap` type. `value` is the number of an external or host reference, or of a function; None in a result means any
    reference of this kind.
    """

    kind: str
    heap: HeapType | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class NanPattern:
    """A result that is any canonical (payload just the quiet bit, either sign) or arithmetic (quiet bit set) NaN."""

    type: NumType
    kind: NanKind


@dataclass(frozen=True, slots=True)
class LanesPattern:
    """A vector result in which lanes are patterns: the lanes' bits, or a kind of NaN, lane 0 first."""

    lane: NumType
    lanes: tuple[int | NanKind, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """A result that matches one of several patterns."""

    options: tuple[Pattern, ...]


Argument = Const | Ref
Pattern = Const | Ref | NanPattern | LanesPattern | Either


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call an export; `module` is an identifier (without its `$`), or None for the latest module."""

    module: str | None
    name: str
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Get:
    """Read an exported global."""

    module: str | None
    name: str


Action = Invoke | Get


@dataclass(frozen=True, slots=True)
class TextSource:
    """A module written out, or quoted. `parse()` gives the Module or raises MalformedError."""

    parse: Callable[[], Module] = field(repr=False, compare=False)
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class BinarySource:
    """A module as bytes, not decoded here."""

    data: bytes


Source = TextSource | BinarySource


@dataclass(frozen=True, slots=True)
class ModuleCommand:
    """Define a module and instantiate it; it becomes the latest one, and gets the name if it has one (`$M` is `M`)."""

    line: int
    name: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class ModuleDefinition:
    """Define a module under a name without instantiating it."""

    line: int
    name: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class ModuleInstance:
    """Instantiate a defined module (None: the latest definition) under a name of its own."""

    line: int
    name: str | None
    definition: str | None


@dataclass(frozen=True, slots=True)
class Register:
    """Make the exports of an instance (None: the latest) importable under the module name `name`."""

    line: int
    name: str
    module: str | None


@dataclass(frozen=True, slots=True)
class ActionCommand:
    """Run an action; it must not fail."""

    line: int
    action: Action


@dataclass(frozen=True, slots=True)
class AssertReturn:
    """The action returns values that match."""

    line: int
    action: Action
    results: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class AssertTrap:
    """The action, or the instantiation of the module, traps; the trap's message starts with `message`."""

    line: int
    action: Action | Source
    message: str


@dataclass(frozen=True, slots=True)
class AssertExhaustion:
    """The action exhausts the call stack."""

    line: int
    action: Action
    message: str


@dataclass(frozen=True, slots=True)
class AssertException:
    """The action ends with an exception that nothing caught."""

    line: int
    action: Action


@dataclass(frozen=True, slots=True)
class AssertMalformed:
    """Decoding or parsing fails with a MalformedError. `custom`: the fault is in a custom section or annotation."""

    line: int
    source: Source
    message: str
    custom: bool = False


@dataclass(frozen=True, slots=True)
class AssertInvalid:
    """Validation fails with an InvalidError. `custom`: the fault is in a custom section or annotation."""

    line: int
    source: Source
    message: str
    custom: bool = False


@dataclass(frozen=True, slots=True)
class AssertUnlinkable:
    """Instantiation fails with a LinkError."""

    line: int
    source: Source
    message: str


@dataclass(frozen=True, slots=True)
class UnsupportedCommand:
    """A command that this implementation does not run (`thread`, `wait`); running it raises UnsupportedError."""

    line: int
    head: str
    feature: str


Command = (
    ModuleCommand
    | ModuleDefinition
    | ModuleInstance
    | Register
    | ActionCommand
    | AssertReturn
    | AssertTrap
    | AssertExhaustion
    | AssertException
    | AssertMalformed
    | AssertInvalid
    | AssertUnlinkable
    | UnsupportedCommand
)
