"""Matchers: what a value must be. A plain value means equality; a mapping says more.

x-user: alice                    equal, and the only value of this name
set-cookie: [a=1, b=2]           all values of this name, in order
x-id: {regex: "[0-9a-f]{32}"}    matches as a whole
body: {contains: hello}
body: {json: {$.user.name: alice, $.items[0]: {any: true}}}
server: {absent: true}
"""

from __future__ import annotations

import base64
import json
import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from hostabi.scenario import jsonpath
from hostabi.scenario.fields import BY_SHAPE, Base64, Model, Regex, Text


class Matcher(Model):
    """Conditions on a text, all of which must hold."""

    equals: Text | None = Field(None, description="The whole text.")
    contains: Annotated[Text | list[Text] | None, BY_SHAPE] = Field(None, description="A part of it, or several parts.")
    regex: Regex | None = Field(None, description="A regular expression (Python's) for the whole of it.")
    json_: dict[str, Any] | None = Field(None, alias="json", description="JSON paths, and what stands there.")
    base64: Text | None = Field(None, description="The whole, as bytes in base64.")
    absent: bool | None = Field(None, description="true: there is none.")
    any: bool | None = Field(None, description="true: there is one, whatever it is.")
    not_: Annotated[Text | Matcher | None, BY_SHAPE] = Field(None, alias="not", description="What it must not be.")

    @model_validator(mode="after")
    def _check(self) -> Matcher:
        if not self.model_fields_set:
            raise ValueError("an empty matcher says nothing")
        if self.absent is False or self.any is False:
            raise ValueError("write {any: true} for a value that must be there, {absent: true} for one that must not")
        if self.absent and len(self.model_fields_set) > 1:
            raise ValueError("absent goes with nothing else")
        for path, wanted in (self.json_ or {}).items():
            jsonpath.parse(path)
            if is_matcher(wanted):
                (NumberMatcher if _is_of_numbers(wanted) else Matcher).model_validate(wanted)
        if self.base64 is not None:
            Base64(base64=self.base64).data()
        return self


class NumberMatcher(Model):
    """Conditions on a number, all of which must hold."""

    equals: int | None = None
    below: int | None = Field(None, description="Less than this.")
    above: int | None = Field(None, description="More than this.")
    at_most: int | None = None
    at_least: int | None = None
    any: bool | None = Field(None, description="true: whatever it is.")

    @model_validator(mode="after")
    def _check(self) -> NumberMatcher:
        if not self.model_fields_set:
            raise ValueError("an empty matcher says nothing")
        return self


Match = Annotated[Text | Matcher, BY_SHAPE]
"""A text, or conditions on one."""
Matches = Annotated[Text | Matcher | list[Match], BY_SHAPE]
"""The same for something that can be there several times."""
Number = Annotated[int | NumberMatcher, BY_SHAPE]
"""A number, or conditions on one."""

_NUMBER_WORDS = set(NumberMatcher.model_fields) - set(Matcher.model_fields)
_WORDS = {field.alias or name for name, field in Matcher.model_fields.items()} | set(NumberMatcher.model_fields)


def is_matcher(value: object) -> bool:
    """Whether a value in a JSON expectation is a matcher, and not data."""
    return isinstance(value, dict) and bool(value) and set(value) <= _WORDS


def _is_of_numbers(wanted: object) -> bool:
    return isinstance(wanted, dict) and not set(wanted).isdisjoint(_NUMBER_WORDS)


def as_text(data: bytes) -> str:
    """Bytes as text, those that are not UTF-8 as \\xNN."""
    return data.decode("utf-8", "backslashreplace")


def data_value(data: bytes) -> object:
    """Bytes as they are written in a file: text, or {base64: ...}."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def matches(wanted: Matcher | str, value: bytes | None) -> bool:
    """Whether a value (None: there is none) is what is wanted."""
    if isinstance(wanted, str):
        return value == wanted.encode("utf-8", "surrogateescape")
    if wanted.absent:
        return value is None
    if value is None:
        return False
    text = as_text(value)
    parts = [wanted.contains] if isinstance(wanted.contains, str) else wanted.contains or []
    return (
        (wanted.equals is None or value == wanted.equals.encode("utf-8", "surrogateescape"))
        and all(part in text for part in parts)
        and (wanted.regex is None or re.fullmatch(wanted.regex, text, re.DOTALL) is not None)
        and (wanted.base64 is None or value == Base64(base64=wanted.base64).data())
        and (wanted.json_ is None or _matches_json(wanted.json_, value))
        and (wanted.not_ is None or not matches(wanted.not_, value))
    )


def _matches_json(wanted: dict[str, Any], value: bytes) -> bool:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return all(_matches_at(expected, jsonpath.find(document, path)) for path, expected in wanted.items())


def _matches_at(wanted: object, found: list[object]) -> bool:
    if not is_matcher(wanted):
        return len(found) == 1 and same_json(wanted, found[0])
    if isinstance(wanted, dict) and wanted.get("absent"):
        return not found
    if _is_of_numbers(wanted):
        number = found[0] if len(found) == 1 else None
        limits = NumberMatcher.model_validate(wanted)
        return isinstance(number, int) and not isinstance(number, bool) and number_matches(limits, number)
    if isinstance(wanted, dict) and "equals" in wanted and len(wanted) == 1:
        return len(found) == 1 and same_json(wanted["equals"], found[0])
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in found]
    return bool(texts) and any(matches(Matcher.model_validate(wanted), text.encode()) for text in texts)


def same_json(one: object, other: object) -> bool:
    """Equality of JSON values, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return one == other


def number_matches(wanted: NumberMatcher | int, value: int | None) -> bool:
    """Whether a number is what is wanted."""
    if value is None:
        return False
    if isinstance(wanted, int):
        return value == wanted
    return (
        (wanted.equals is None or value == wanted.equals)
        and (wanted.below is None or value < wanted.below)
        and (wanted.above is None or value > wanted.above)
        and (wanted.at_most is None or value <= wanted.at_most)
        and (wanted.at_least is None or value >= wanted.at_least)
    )
