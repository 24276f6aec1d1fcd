"""Variables: `${name}` in the texts of a file. A text that is nothing but one takes its value, of whatever type."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hostabi.scenario.places import Loc, written

PATTERN = re.compile(r"\$(\$(?=\{)|\{(?P<name>[A-Za-z_][\w.-]*)\})")
"""A variable, or `$${`, which stands for `${` itself."""


class UnknownVariable(Exception):
    """A variable that has no value; `loc` is where it stands."""

    def __init__(self, loc: Loc, name: str) -> None:
        super().__init__(f"there is no variable {name!r}")
        self.loc = loc
        self.name = name


def substitute(value: object, values: Mapping[str, object], loc: Loc = ()) -> object:
    """The same data with variables replaced. Raises UnknownVariable."""
    if isinstance(value, str):
        return _in_text(value, values, loc)
    if isinstance(value, dict):
        return {_in_key(key, values, loc): substitute(one, values, (*loc, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [substitute(one, values, (*loc, i)) for i, one in enumerate(value)]
    return value


def _in_key(key: object, values: Mapping[str, object], loc: Loc) -> object:
    return str(_in_text(key, values, loc)) if isinstance(key, str) else key


def _in_text(text: str, values: Mapping[str, object], loc: Loc) -> object:
    if "${" not in text:
        return text
    whole = PATTERN.fullmatch(text)
    if whole is not None and whole["name"] is not None:
        return _value(whole["name"], values, loc)

    def one(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        value = written(_value(found["name"], values, loc))
        if value is None:
            raise UnknownVariable(loc, f"{found['name']} (as text)")
        return value

    return PATTERN.sub(one, text)


def _value(name: str, values: Mapping[str, object], loc: Loc) -> object:
    if name not in values:
        raise UnknownVariable(loc, name)
    return values[name]
