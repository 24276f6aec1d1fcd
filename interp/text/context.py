"""What the parser knows of the module it reads: index spaces with their names, types, the function at hand."""

from __future__ import annotations

from interp.syntax.hints import BRANCH_HINT
from interp.syntax.types import FuncType, RecType, StructType, SubType

from .cursor import Cursor
from .lexer import Source, is_string

#: Index spaces by the word that the text format has for them.
SPACES = ("func", "table", "memory", "global", "tag", "elem", "data")


class Parser(Cursor):
    """A cursor and the context of one module.

    `names[space]` maps names to indices, `counts[space]` is the size of a space. `labels` holds the names of the open
    blocks, outermost first, the function's own label included; `shown` the annotated names of the function's locals.
    """

    __slots__ = (
        "counts",
        "field_names",
        "hinted",
        "implicit",
        "label_levels",
        "labels",
        "local_names",
        "locals",
        "names",
        "rec_types",
        "shown",
        "type_names",
        "types",
        "uses_data",
    )

    def __init__(self, cursor: Cursor) -> None:
        source: Source = cursor.source
        super().__init__(source, cursor.i, cursor.limits)
        self.names: dict[str, dict[str, int]] = {space: {} for space in SPACES}
        self.counts: dict[str, int] = dict.fromkeys(SPACES, 0)
        self.type_names: dict[str, int] = {}
        self.types: list[SubType] = []
        self.rec_types: list[RecType] = []
        self.field_names: dict[int, dict[str, int]] = {}
        self.implicit: dict[FuncType, int] = {}
        self.locals: dict[str, int] = {}
        self.local_names: dict[int, dict[int, str]] = {}
        self.labels: list[str | None] = []
        self.label_levels: dict[str, list[int]] = {}
        self.shown: dict[int, str] = {}
        self.uses_data = False
        #: Tokens that a branch hint stands before, ascending.
        self.hinted = sorted(
            i for i, found in source.annotations.items() if any(note.name == BRANCH_HINT for note in found)
        )

    def bind(self, space: str, name: str | None, index: int) -> None:
        """Name the next member of a space, the name being the token at `index`."""
        if name is not None:
            names = self.names[space]
            if name in names:
                self.fail(f"duplicate {space} {name}", index)
            names[name] = self.counts[space]
        self.counts[space] += 1

    def index(self, space: str) -> int:
        """Pass a number or an identifier; its index in a space. Raises MalformedError for an unknown name."""
        return self._named(self.names[space], space)

    def type_index(self) -> int:
        """Pass the index of a type."""
        return self._named(self.type_names, "type")

    def local_index(self) -> int:
        """Pass the index of a local."""
        return self._named(self.locals, "local")

    def field_index(self, type_index: int) -> int:
        """Pass the index of a field of a structure type."""
        return self._named(self.field_names.get(type_index, {}), "field")

    def _named(self, names: dict[str, int], kind: str) -> int:
        token = self.toks[self.i]
        if token[:1] != "$":
            return self.nat()
        index = names.get(token[1:])
        if index is None or token[1:2] == '"':
            name = self.ident()
            index = None if name is None else names.get(name)
            if index is None:
                self.fail(f"unknown {kind} {name}", self.i - 1)
            return index
        self.i += 1
        return index

    def at_index(self) -> bool:
        """Whether a number or an identifier is next."""
        first = self.toks[self.i][:1]
        return first == "$" or first in tuple("0123456789")

    def label(self) -> int:
        """Pass a label; its depth."""
        if self.toks[self.i][:1] != "$":
            return self.nat()
        name = self.ident()
        levels = self.label_levels.get(name) if name is not None else None
        if not levels:
            self.fail(f"unknown label {name}", self.i - 1)
        return len(self.labels) - 1 - levels[-1]

    def annotated(self, ident: str | None) -> str | None:
        """An identifier just passed, or what a `(@name "...")` behind it says instead."""
        for annotation in self.source.annotations.get(self.i, ()):
            if annotation.name == "name" and len(annotation.tokens) == 1 and is_string(annotation.tokens[0]):
                return self.source.name(annotation.tokens[0], self.i)
        return ident

    def show(self, ident: str | None, local: int) -> None:
        """Keep the annotated name of a local that has one."""
        name = self.annotated(ident)
        if name is not None and name != ident:
            self.shown[local] = name

    def push_label(self, name: str | None) -> None:
        """Enter a block."""
        if name is not None:
            self.label_levels.setdefault(name, []).append(len(self.labels))
        self.labels.append(name)

    def pop_label(self) -> None:
        """Leave a block."""
        name = self.labels.pop()
        if name is not None:
            self.label_levels[name].pop()

    def define(self, types: list[SubType]) -> None:
        """Append a recursion group."""
        index = len(self.types)
        self.types += types
        self.rec_types.append(RecType(tuple(types)))
        if len(types) == 1:
            sub = types[0]
            if isinstance(sub.comp, FuncType) and sub.final and not sub.supers:
                self.implicit.setdefault(sub.comp, index)

    def func_type_index(self, type: FuncType) -> int:
        """The first plain definition of a function type, appended if there is none."""
        index = self.implicit.get(type)
        if index is None:
            index = len(self.types)
            self.define([SubType(type)])
        return index

    def func_type(self, index: int) -> FuncType | None:
        """The function type at an index, None if there is none there."""
        comp = self.types[index].comp if index < len(self.types) else None
        return comp if isinstance(comp, FuncType) else None

    def bind_fields(self, index: int, names: dict[str, int], comp: object) -> None:
        """Keep the names of a structure's fields."""
        if isinstance(comp, StructType) and names:
            self.field_names[index] = names
