"""The foreign functions expr_create, expr_evaluate and expr_delete: CEL over the attributes (abi_reference 11.1).

The language is the library `cel-python` (extra `cel`), which `hostcalls/cel.py` adapts. Everything it does here is
bounded: the length of a source, the depth of its tree, the steps of an evaluation, the size of what an addition makes.
What Envoy answers was asked of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hostabi.abi.codec import NotSerializable, encode_value
from hostabi.abi.enums import Status
from hostabi.abi.hostcall import HostError
from hostabi.core.context import RootContext, VmState
from hostabi.hostcalls.foreign import extra, foreign

_MOST_DEPTH = 100
"""How deep the tree of an expression is, one-armed branches left out: some 30 parentheses, which is Envoy's limit."""

_GLOBAL = frozenset(
    {
        *(
            "size",
            "matches",
            "type",
            "dyn",
            "int",
            "uint",
            "double",
            "string",
            "bytes",
            "bool",
            "duration",
            "timestamp",
        ),
        "has",
    }
)
_METHODS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "map", "filter", "all", "exists", "exists_one"),
        *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth"),
        *("getHours", "getMilliseconds", "getMinutes", "getSeconds"),
    }
)
"""Functions that Envoy's CEL has; the library has some more."""

_PASSING = frozenset({"expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary"})
"""Rules of the grammar that mean nothing when they have one branch."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression, and the names it begins paths with."""

    tree: Any
    names: frozenset[str]


# --- the functions ---------------------------------------------------------------------------------------------------


@foreign("expr_create")
def expr_create(vm: VmState, source: bytes) -> bytes:
    """Parse an expression; its token as u32. BAD_ARGUMENT for one that cannot be, INTERNAL_FAILURE for too many."""
    parser = extra(vm, "celpy.celparser", "cel")
    root = _root(vm)
    if len(root.expressions) >= vm.limits.expressions:
        raise HostError(Status.INTERNAL_FAILURE, "there are too many expressions")
    if len(source) > vm.limits.expression_bytes:
        raise HostError(Status.BAD_ARGUMENT, f"an expression of {len(source)} bytes is over the limit")
    try:
        tree = _collapse(parser.CELParser().parse(source.decode()))
    except (UnicodeDecodeError, RecursionError, parser.CELParseError) as error:
        raise HostError(Status.BAD_ARGUMENT, f"no expression: {error}") from error
    token = root.next_expression
    root.next_expression = (token + 1) & 0xFFFFFFFF
    wrong = _unknown_function(tree)
    if wrong:
        raise HostError(Status.BAD_ARGUMENT, wrong)
    root.expressions[token] = Expression(tree, frozenset(_names(tree)))
    return token.to_bytes(4, "little")


@foreign("expr_evaluate")
def expr_evaluate(vm: VmState, argument: bytes) -> bytes:
    """The value of an expression now, encoded as a property. NOT_FOUND for an unknown token.

    INTERNAL_FAILURE when it has none: a name or a key that is not there, types that do not fit, a limit.
    """
    cel: Any = extra(vm, "hostabi.hostcalls.cel", "cel")
    expression = _root(vm).expressions.get(_token(argument))
    if not isinstance(expression, Expression):
        raise HostError(Status.NOT_FOUND, "there is no expression of this token")
    effective, vm.effective = vm.effective, None  # an expression is about the stream of the callback
    try:
        steps, size = vm.limits.expression_steps, vm.limits.foreign_result_bytes
        value = cel.evaluate(vm, expression.tree, expression.names, steps, size)
    except cel.NoValue as error:
        raise HostError(Status.INTERNAL_FAILURE, str(error)) from error
    finally:
        vm.effective = effective
    try:
        return encode_value(value)
    except NotSerializable as error:
        raise HostError(Status.SERIALIZATION_FAILURE, str(error)) from error


@foreign("expr_delete")
def expr_delete(vm: VmState, argument: bytes) -> bytes:
    """Forget an expression; OK for an unknown one, too."""
    extra(vm, "hostabi.hostcalls.cel", "cel")
    _root(vm).expressions.pop(_token(argument), None)
    return b""


def _root(vm: VmState) -> RootContext:
    if vm.current is None:
        raise HostError(Status.INTERNAL_FAILURE, "no plugin is at work")
    return vm.current.root


def _token(argument: bytes) -> int:
    if len(argument) != 4:
        raise HostError(Status.BAD_ARGUMENT, "a token of 4 bytes is wanted")
    return int.from_bytes(argument, "little")


# --- trees -----------------------------------------------------------------------------------------------------------


def _collapse(tree: Any) -> Any:
    """The tree without one-armed branches; RecursionError when it is still too deep."""

    def walk(node: Any, depth: int) -> Any:
        while _is_tree(node) and node.data in _PASSING and len(node.children) == 1 and _is_tree(node.children[0]):
            node = node.children[0]
        if depth > _MOST_DEPTH:
            raise RecursionError("it is nested too deep")
        if _is_tree(node):
            node.children = [walk(child, depth + 1) for child in node.children]
        return node

    return walk(tree, 0)


def _is_tree(node: object) -> bool:
    return hasattr(node, "children")


def _nodes(tree: Any) -> Iterator[Any]:
    todo = [tree]
    while todo:
        node = todo.pop()
        if _is_tree(node):
            yield node
            todo += node.children


def _unknown_function(tree: Any) -> str:
    """What is wrong with the calls in a tree, "" for nothing."""
    for node in _nodes(tree):
        if node.data in ("ident_arg", "dot_ident_arg"):
            name = str(node.children[0])
            if name not in _GLOBAL:
                return f"there is no function {name!r}"
            if name == "has" and not _selects(node):
                return "has() asks for a field"
        elif node.data == "member_dot_arg" and str(node.children[1]) not in _METHODS:
            return f"there is no method {str(node.children[1])!r}"
    return ""


def _selects(call: Any) -> bool:
    """Whether the argument of a call is a field of something."""
    node = call.children[-1]
    while _is_tree(node) and node.data not in ("member_dot",) and len(node.children) == 1:
        node = node.children[0]
    return _is_tree(node) and node.data == "member_dot"


def _names(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        if node.data in ("ident", "dot_ident"):
            yield str(node.children[0])
