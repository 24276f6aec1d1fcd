"""YAML with places: plain data, and for every path into it the line and column it stands at.

Scalars follow YAML 1.2's core schema (`yes`, `on`, `12:30`, `.inf` and dates are text); numbers remember how they were
written, so that a header's value is what the author typed. Each key stands once, and a file has a size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

MOST_BYTES = 4 << 20
MOST_NODES = 200_000

Loc = tuple[str | int, ...]
"""A path into the data: keys and positions."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file: where (lines and columns from 1), the path inside, and what."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        inside = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {inside}{self.message}"


class FileError(Exception):
    """A file that cannot be used; one problem or several, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: (one.line, one.column)))
        super().__init__("\n".join(map(str, self.problems)))


class WrittenInt(int):
    """An integer with the text it was written as."""

    text: str


class WrittenFloat(float):
    """A number with the text it was written as."""

    text: str


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the plain scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def path_text(loc: Sequence[str | int]) -> str:
    """A path as people write it: cases[0].steps[1].request."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


class Document:
    """A YAML file: `data` as plain Python values, `text` as it was, and where each part of it stands."""

    def __init__(self, file: str, text: str) -> None:
        """Raises FileError for what is no YAML, holds no mapping, or is too large."""
        self.file = file
        self.text = text
        if len(text) > MOST_BYTES:
            raise FileError([Problem(file, 1, 1, "", f"more than {MOST_BYTES} characters")])
        try:
            root = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            message = " ".join(filter(None, (error.problem, error.context)))
            raise FileError([Problem(file, line, column, "", message or "no YAML")]) from error
        except (yaml.YAMLError, RecursionError) as error:
            message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise FileError([Problem(file, 1, 1, "", message)]) from error
        if not isinstance(root, yaml.MappingNode):
            raise FileError([Problem(file, 1, 1, "", "the file must hold a mapping: version, filters, cases")])
        self.root: yaml.Node = root
        self._nodes = 0
        self.data = self._plain(root, (), ())

    # --- data

    def _plain(self, node: yaml.Node, loc: Loc, above: tuple[yaml.Node, ...]) -> object:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self.error(loc, f"more than {MOST_NODES} values, aliases followed")
        if any(node is one for one in above):
            raise self._error_at(node, loc, "an alias that leads back to itself")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*loc, i), (*above, node)) for i, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc, above: tuple[yaml.Node, ...]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error_at(key_node, loc, "a key must be text")
            key = key_node.value
            if key in found:
                raise self._error_at(key_node, loc, f"the key {key!r} stands here twice")
            found[key] = self._plain(value, (*loc, key), above)
        return found

    def _scalar(self, node: yaml.Node, loc: Loc) -> object:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                digits = text.lstrip("+-").lower()
                base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
                if len(digits) > 400:
                    raise self._error_at(node, loc, "a number with too many digits")
                number = WrittenInt(int(text, base))
                number.text = text
                return number
            case "float":
                value = WrittenFloat(text)
                value.text = text
                return value
        raise self._error_at(node, loc, f"the tag {node.tag} is not used here")

    # --- places

    def node(self, loc: Sequence[str | int]) -> tuple[yaml.Node, yaml.Node | None, Loc]:
        """The deepest node on a path, the key it stands under, and how much of the path led there.

        Parts of the path that are not in the file (names that a check puts in) are passed over.
        """
        node, key, way = self.root, None, []
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                pair = next((p for p in node.value if p[0].value == part), None)
                if pair is not None:
                    key, node = pair
                    way.append(part)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node, key = node.value[part], None
                way.append(part)
        return node, key, tuple(way)

    def place(self, loc: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at a path, or of its key."""
        node, key_node, _ = self.node(loc)
        mark = (key_node if key and key_node is not None else node).start_mark
        return mark.line + 1, mark.column + 1

    def problem(self, loc: Sequence[str | int], message: str, *, key: bool = False) -> Problem:
        """A problem with what stands at a path."""
        return Problem(self.file, *self.place(loc, key=key), path_text(self.node(loc)[2]), message)

    def error(self, loc: Sequence[str | int], message: str) -> FileError:
        """The same as an exception."""
        return FileError([self.problem(loc, message)])

    def _error_at(self, node: yaml.Node, loc: Loc, message: str) -> FileError:
        mark = node.start_mark
        return FileError([Problem(self.file, mark.line + 1, mark.column + 1, path_text(loc), message)])


def written(value: object) -> str | None:
    """A scalar as the author wrote it; None for what is no scalar, or nothing."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case WrittenInt() | WrittenFloat():
            return value.text
        case int() | float():
            return str(value)
        case _:
            return None


def is_plain_mapping(value: object) -> bool:
    """Whether a value is a mapping of the file."""
    return isinstance(value, Mapping)
