"""CEL by the library `cel-python`: attributes as its values, its values as properties, and bounded evaluation.

Only `expressions` imports this, when a filter asks for it, since the library may be absent. Where the library's CEL
compares, indexes or divides otherwise than Envoy's, the functions here do as Envoy 1.40 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celpy import celtypes, evaluation

from hostabi.abi.codec import Duration, Timestamp, Uint
from hostabi.abi.messages import Proto
from hostabi.core.context import VmState
from hostabi.hostcalls.attributes import ATTRIBUTES, GROUPS, Type
from hostabi.hostcalls.properties import NULL, look

_NANOSECONDS = 1_000_000_000
_EPOCH = celtypes.TimestampType("1970-01-01T00:00:00Z")


class NoValue(Exception):
    """An expression has no value, or none within the limits."""


class TooMuch(NoValue):
    """An evaluation that takes too many steps, or makes too large a value."""


def evaluate(vm: VmState, tree: Any, names: Iterable[str], steps: int, size: int) -> object:
    """The value of a parsed expression as a property, in so many steps, with sums of at most so many bytes or items.

    Raises NoValue.
    """
    values = {name: _value_of(vm, name) for name in names}
    there = {name: value for name, value in values.items() if value is not None}
    bounds = _Bounds(steps, size)
    activation = evaluation.Activation(vars=there, functions=bounds.functions)
    try:
        return _out(_Evaluator(tree, activation, bounds).evaluate())
    except TooMuch:
        raise
    except Exception as error:  # the library lets errors of Python through; none of them is the host's
        raise NoValue(f"the expression has no value: {error}") from error


# --- attributes as values of CEL -------------------------------------------------------------------------------------


class _Message(celtypes.MapType):
    """A message: its fields are there even when they are not set, as defaults."""

    source: object = None


class _Group(celtypes.MapType):
    """A group of attributes, which cannot be written as a whole."""


class _Headers(celtypes.MapType):
    """Headers, whose names are looked up in lower case."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_lower(key))

    def __contains__(self, key: object) -> bool:
        return bool(super().__contains__(_lower(key)))

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a header, or the default."""
        return super().get(_lower(key), default)


class _Time(celtypes.TimestampType):
    """A time that remembers its nanoseconds; the library's own have microseconds."""

    ns = 0


class _Length(celtypes.DurationType):
    """A duration that remembers its nanoseconds."""

    ns = 0


def _lower(key: Any) -> Any:
    return celtypes.StringType(key.lower()) if isinstance(key, str) else key


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _value_of(vm: VmState, name: str) -> Any:
    whole = look(vm, (name,))
    if whole is None or name not in GROUPS:
        return None if whole is None else _as_attribute(name, whole)
    found = _Group()
    for key in _keys(vm, name):
        value = look(vm, (name, key))
        if value is not None:
            found[celtypes.StringType(key)] = _as_attribute(f"{name}.{key}", value)
    return found


def _keys(vm: VmState, group: str) -> set[str]:
    """What there may be in a group: rows, what filters and the proxy stored, and presets."""
    keys = {path.partition(".")[2] for path in ATTRIBUTES if path.startswith(f"{group}.")}
    context = vm.context
    presets = [context.root.attributes] if context is not None else []
    if vm.stream is not None:
        presets.append(vm.stream.info.attributes)
        if group == "filter_state":
            state = vm.stream.info.filter_state
            keys |= {"wasm." + _text(path) for path, _ in state.items()} | set(state.object_names())
    for one in presets:
        keys |= {path.split(".")[1] for path in one if path.startswith(f"{group}.")}
    return keys


def _as_attribute(path: str, value: Any) -> Any:
    row = ATTRIBUTES.get(path)
    if row is not None and row.type is Type.TEXT and isinstance(value, bytes):
        return celtypes.StringType(_text(value))
    if row is not None and row.type is Type.MAP and isinstance(value, Mapping):
        return _Headers(
            {celtypes.StringType(_text(name).lower()): celtypes.StringType(_text(held)) for name, held in value.items()}
        )
    return None if value is NULL else _into(value)


def _into(value: Any) -> Any:
    match value:
        case bool():
            return celtypes.BoolType(value)
        case Timestamp():
            time = _Time(_EPOCH + _seconds(celtypes.DurationType, value))
            time.ns = int(value)
            return time
        case Duration():
            length = _seconds(_Length, value)
            length.ns = int(value)
            return length
        case Uint():
            return celtypes.UintType(value)
        case int():
            return celtypes.IntType(value)
        case float():
            return celtypes.DoubleType(value)
        case str():
            return celtypes.StringType(value)
        case bytes():
            return celtypes.BytesType(value)
        case Proto():
            fields = _Message({celtypes.StringType(name): _into(value[name]) for name in value.message.names})
            fields.source = value
            return fields
        case Mapping():
            return celtypes.MapType({celtypes.StringType(key): _into(held) for key, held in value.items()})
        case list() | tuple():
            return celtypes.ListType([_into(one) for one in value])
        case _:
            return None


def _seconds(kind: Any, ns: int) -> Any:
    return kind(seconds=int(ns) // _NANOSECONDS, nanos=int(ns) % _NANOSECONDS)


# --- values of CEL as properties -------------------------------------------------------------------------------------


def _out(value: Any) -> object:
    match value:
        case _Message():
            return value.source
        case _Group() | None | type():
            return NULL
        case _Time():
            return Timestamp(value.ns)
        case _Length():
            return Duration(value.ns)
        case celtypes.TimestampType():
            return Timestamp(_nanoseconds(value - _EPOCH))
        case celtypes.DurationType():
            return Duration(_nanoseconds(value))
        case celtypes.BoolType():
            return bool(value)
        case celtypes.UintType():
            return Uint(value)
        case celtypes.IntType():
            return int(value)
        case celtypes.DoubleType():
            return float(value)
        case celtypes.BytesType():
            return bytes(value)
        case celtypes.StringType():
            return str(value)
        case Mapping():
            return {_out(key): _out(held) for key, held in value.items()}
        case celtypes.ListType():
            return [_out(one) for one in value]
        case _:
            raise TypeError(f"{value!r} is no value of CEL")


def _nanoseconds(length: Any) -> int:
    whole: int = (length.days * 86_400 + length.seconds) * _NANOSECONDS + length.microseconds * 1000
    return whole


# --- functions that do as Envoy's ------------------------------------------------------------------------------------

_NUMBERS = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)
_BASE: Mapping[str, Any] = evaluation.base_functions
Function = Callable[[Any, Any], Any]


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, celtypes.BoolType)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, celtypes.DoubleType) else int(value)


def _kind(value: Any) -> Any:
    """The type of CEL that a value has."""
    return next((one for one in type(value).__mro__ if one.__module__ == celtypes.__name__), type(value))


def _same(a: Any, b: Any) -> bool:
    """Equality: of numbers by what they are worth, of values of two types never."""
    if _is_number(a) and _is_number(b):
        return _number(a) == _number(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return set(a) == set(b) and all(_same(a[key], b[key]) for key in a)
    a, b = _TYPES.get(a, a) if callable(a) else a, _TYPES.get(b, b) if callable(b) else b
    if a is None or b is None or isinstance(a, type) or isinstance(b, type):
        return a is b
    return _kind(a) is _kind(b) and bool(a == b)


def _strict(function: Function) -> Function:
    """A function of two values that passes an error on, as the library's do."""

    def call(a: Any, b: Any) -> Any:
        failed = next((one for one in (a, b) if isinstance(one, evaluation.CELEvalError)), None)
        return function(a, b) if failed is None else failed

    return call


def _ordered(name: str, compare: Callable[[float, float], bool]) -> Function:
    def call(a: Any, b: Any) -> Any:
        if _is_number(a) and _is_number(b):
            return celtypes.BoolType(compare(_number(a), _number(b)))
        return _BASE[name](a, b)

    return _strict(call)


def _holds(item: Any, held: Any) -> Any:
    if not isinstance(held, list | Mapping):
        raise TypeError("in")
    return celtypes.BoolType(item in held if isinstance(held, _Headers) else any(_same(item, one) for one in held))


def _index(held: Any, key: Any) -> Any:
    if isinstance(held, Mapping):
        if not _is_number(key):
            return held[key]
        for one, value in held.items():
            if _same(one, key):
                return value
        raise KeyError(key)
    if not isinstance(held, list) or not _is_number(key) or _number(key) != int(key):
        raise TypeError("[]")
    if not 0 <= int(key) < len(held):
        raise IndexError(key)
    return held[int(key)]


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, celtypes.DoubleType) and isinstance(b, celtypes.DoubleType) and float(b) == 0:
        negative = str(float(b)).startswith("-")
        endless = float(a) * float("inf")  # not a number for 0 and for what is none
        return celtypes.DoubleType(-endless if negative else endless)
    return _BASE["_/_"](a, b)


def _add(most: int) -> Function:
    def call(a: Any, b: Any) -> Any:
        if hasattr(a, "__len__") and hasattr(b, "__len__") and len(a) + len(b) > most:
            raise TooMuch("an addition makes a value over the limit")
        if _is_number(a) and _is_number(b) and _kind(a) is not _kind(b):
            raise TypeError("+")
        return _BASE["_+_"](a, b)

    return _strict(call)


def _string(value: Any) -> Any:
    if isinstance(value, celtypes.BoolType):
        return celtypes.StringType("true" if value else "false")
    return celtypes.StringType(value)


def _timestamp(value: Any) -> Any:
    if isinstance(value, celtypes.IntType):
        return celtypes.TimestampType(_EPOCH + celtypes.DurationType(seconds=int(value), nanos=0))
    return celtypes.TimestampType(value)


_TYPES: dict[Any, Any] = {_string: celtypes.StringType, _timestamp: celtypes.TimestampType}
"""Functions that stand for a type where types are compared."""


# --- bounded evaluation ----------------------------------------------------------------------------------------------


class _Bounds:
    """What one evaluation may use up."""

    def __init__(self, steps: int, size: int) -> None:
        self.steps = steps
        self.functions: dict[str, Any] = {
            "_==_": _strict(lambda a, b: celtypes.BoolType(_same(a, b))),
            "_!=_": _strict(lambda a, b: celtypes.BoolType(not _same(a, b))),
            "_<_": _ordered("_<_", lambda a, b: a < b),
            "_<=_": _ordered("_<=_", lambda a, b: a <= b),
            "_>_": _ordered("_>_", lambda a, b: a > b),
            "_>=_": _ordered("_>=_", lambda a, b: a >= b),
            "_in_": _strict(_holds),
            "_[_]": _strict(_index),
            "_+_": _add(size),
            "_/_": _strict(_divide),
            "string": _string,
            "timestamp": _timestamp,
        }

    def step(self) -> None:
        """One more step."""
        self.steps -= 1
        if self.steps < 0:
            raise TooMuch("the expression takes too many steps")


class _Evaluator(evaluation.Evaluator):
    """The library's evaluator, counting what it does."""

    def __init__(self, tree: Any, activation: evaluation.Activation, bounds: _Bounds) -> None:
        super().__init__(tree, activation)
        self.bounds = bounds

    def sub_evaluator(self, ast: Any) -> evaluation.Evaluator:
        """The evaluator of a macro's body, which counts along."""
        return _Evaluator(ast, self.activation, self.bounds)

    def visit(self, tree: Any) -> Any:
        """Evaluate a tree."""
        self.bounds.step()
        return super().visit(tree)

    def visit_children(self, tree: Any) -> Any:
        """Evaluate the branches of a tree."""
        self.bounds.step()
        return super().visit_children(tree)
