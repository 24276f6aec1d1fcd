"""The kinds of field that scenario files are made of: text, durations, times, headers, bytes."""

from __future__ import annotations

import base64
import binascii
import re
import typing
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from hostabi.scenario.places import written

#: Units of durations, in ns.
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_DURATION = re.compile(r"(\d+)(?:\.(\d+))?(" + "|".join(UNITS) + r")")


class Model(BaseModel):
    """A mapping of the file: every key known, nothing guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, protected_namespaces=())

    null_means: ClassVar[frozenset[str]] = frozenset()
    """Keys for which null says something."""

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, dict) else ():
            if value is None and key in cls.model_fields and key not in cls.null_means:
                raise PydanticCustomError("null", "{key} is empty here: give it a value, or leave it out", {"key": key})
        return data

    def given(self, name: str) -> bool:
        """Whether the author wrote this key, be it with null."""
        return name in self.model_fields_set


def _text(value: object) -> object:
    text = written(value)
    if text is None:
        raise ValueError("text is wanted here" + (", and null is none" if value is None else ""))
    return text


def _duration(value: object) -> object:
    if not isinstance(value, str) or not (found := _DURATION.fullmatch(value)):
        raise ValueError(f"a duration is wanted here, a number with a unit: 5s, 250ms, 1.5m ({', '.join(UNITS)})")
    whole, part, unit = found.groups()
    digits = part or ""
    return (int(whole + digits) * UNITS[unit]) // 10 ** len(digits)


def duration_text(ns: int) -> str:
    """A duration as it is written: the largest unit that leaves a whole number."""
    unit = next((name for name in ("h", "m", "s", "ms", "us") if ns and ns % UNITS[name] == 0), "ns")
    return f"{ns // UNITS[unit]}{unit}"


def _moment(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a time is wanted here: seconds since 1970, or 2026-01-31T12:00:00Z")
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no time; write seconds since 1970, or 2026-01-31T12:00:00Z") from error
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; put a Z behind it for UTC")
        value = moment.timestamp()
    if not 0 <= value < 1 << 33:
        raise ValueError(f"a time between 0 and {1 << 33} seconds since 1970 is wanted here")
    return int(value) * 1_000_000_000 + round((value - int(value)) * 1_000_000_000)


def _regex(value: object) -> object:
    text = _text(value)
    try:
        re.compile(str(text), re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


SCALAR_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}

Text = Annotated[str, BeforeValidator(_text), WithJsonSchema(SCALAR_SCHEMA)]
"""Text; a number or true and false count as they were written."""
Regex = Annotated[str, BeforeValidator(_regex), WithJsonSchema({"type": "string", "format": "regex"})]
Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": rf"^\d+(\.\d+)?({'|'.join(UNITS)})$"}),
]
"""ns, written as a number with a unit."""
Moment = Annotated[int, BeforeValidator(_moment), WithJsonSchema({"type": ["number", "string"]})]
"""ns since 1970, written in seconds or in ISO 8601."""


def shape(value: object) -> str:
    """What a value looks like, for unions that are told apart by that."""
    if isinstance(value, dict | BaseModel):
        return "<mapping>"
    if isinstance(value, list | tuple):
        return "<list>"
    return "<null>" if value is None else "<scalar>"


class ByShape:
    """Marks a union whose kinds are told apart by their shape, so that errors are about the one that was meant.

    At most one kind each of a scalar, a mapping, a list and null.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        kinds = typing.get_args(source)
        shapes = [_shape_of(kind) for kind in kinds]
        wanted = " or ".join({"<scalar>": "text or a number"}.get(one, f"a {one[1:-1]}") for one in shapes)
        return core_schema.tagged_union_schema(
            {name: handler.generate_schema(kind) for name, kind in zip(shapes, kinds, strict=True)},
            shape,
            custom_error_type="shape",
            custom_error_message=f"{wanted} is wanted here",
        )


def _shape_of(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _shape_of(typing.get_args(kind)[0])
    if kind is type(None):
        return "<null>"
    if origin is list:
        return "<list>"
    return "<mapping>" if isinstance(kind, type) and issubclass(kind, BaseModel) else "<scalar>"


BY_SHAPE = ByShape()


def _pairs(value: object) -> object:
    """Headers as written into a list of pairs: a map (a list of values repeats the name), or pairs."""
    if isinstance(value, dict):
        pairs: list[tuple[object, object]] = []
        for name, given in value.items():
            pairs += [(name, one) for one in (given if isinstance(given, list) else [given])]
    elif isinstance(value, list):
        if not all(isinstance(one, list | tuple) and len(one) == 2 for one in value):
            raise ValueError("a list of headers is one of pairs: [[name, value], ...]")
        pairs = [(one[0], one[1]) for one in value]
    else:
        raise ValueError("headers are a mapping, or a list of pairs")
    out = []
    for name, one in pairs:
        texts = (written(name), written(one))
        if texts[0] is None or texts[1] is None:
            raise ValueError(f"the header {name!r} needs a value that is text")
        out.append((texts[0].lower().encode(), texts[1].encode("utf-8", "surrogateescape")))
    return tuple(out)


_VALUES = {"anyOf": [SCALAR_SCHEMA, {"type": "array", "items": SCALAR_SCHEMA}]}
Headers = Annotated[
    tuple[tuple[bytes, bytes], ...],
    BeforeValidator(_pairs),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": _VALUES},
                {"type": "array", "items": {"type": "array", "items": SCALAR_SCHEMA, "minItems": 2, "maxItems": 2}},
            ]
        }
    ),
]


class Base64(Model):
    """Bytes that are no text."""

    base64: Text = Field(description="The bytes in base64.")

    def data(self) -> bytes:
        """The bytes; ValueError if they are no base64."""
        try:
            return base64.b64decode(self.base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"no base64: {error}") from error


def _data(value: object) -> object:
    if isinstance(value, dict):
        if set(value) != {"base64"}:
            raise ValueError("a body is text, or {base64: ...}")
        return Base64(base64=str(value["base64"])).data()
    return str(_text(value)).encode("utf-8", "surrogateescape")


_DATA_SCHEMA = {
    "anyOf": [
        SCALAR_SCHEMA,
        {
            "type": "object",
            "properties": {"base64": {"type": "string"}},
            "required": ["base64"],
            "additionalProperties": False,
        },
    ]
}
Data = Annotated[bytes, BeforeValidator(_data), WithJsonSchema(_DATA_SCHEMA)]
"""Bytes: text, or {base64: ...}."""
