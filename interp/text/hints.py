"""Branch hints in the text format: `(@metadata.code.branch_hint "\\00")` or `"\\01"` before an `if` or a `br_if`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from interp.syntax.errors import InvalidError, MalformedError
from interp.syntax.hints import BRANCH_HINT, HINTED, Hints, branch_hints, decode_hints, encode_hints, hint_section
from interp.syntax.instructions import Ins
from interp.syntax.module import Module

from .context import Parser
from .lexer import Annotation, is_string, string_bytes

#: The id of the code section.
_CODE = 10


def print_hint(likely: bool) -> str:
    """The annotation."""
    return f'(@{BRANCH_HINT} "\\{int(likely):02x}")'


def read_hints(p: Parser, start: int, body: Sequence[Ins]) -> dict[int, bool]:
    """The hints between a token and the next one, by the number of the instruction, and take them off `p.hinted`.

    Raises MalformedError for one that says nothing or for two at one place, InvalidError where there is no branch.
    """
    first, last = bisect_left(p.hinted, start), bisect_left(p.hinted, p.i)
    places = p.hinted[first:last]
    if not places:
        return {}
    del p.hinted[first:last]
    numbers = {ins.at: number for number, ins in enumerate(body)}
    starts, found = p.source.starts, {}
    for index in places:
        notes = [note for note in p.source.annotations[index] if note.name == BRANCH_HINT]
        if len(notes) > 1:
            raise _malformed(p, "duplicate annotation", notes[1])
        likely = _value(p, notes[0])
        number = numbers.get(starts[index + 1] if p.toks[index] == "(" else starts[index])
        if number is None or body[number].op.name not in HINTED:
            raise InvalidError(f"@{BRANCH_HINT} annotation: invalid target", p.source.place(notes[0].at))
        found[number] = likely
    return found


def shown_hints(module: Module) -> Hints:
    """The hints that can be written as annotations, by the number of the instruction: of a text, or of a section.

    A section can if it stands right before the code and would be written again as it is; otherwise there are none.
    """
    section = hint_section(module)
    if module.branch_hints or not module.binary or section is None:
        return module.branch_hints
    ids = {start: id for (_, start, _), (id, _, _) in pairwise(module.sections)}
    said = decode_hints(section.data)
    if ids.get(section.at) != _CODE or encode_hints(said) != section.data:
        return {}
    shown = {}
    for index, places in branch_hints(module).items():
        body = module.funcs[index - module.imported_funcs].body
        numbers = {ins.at: number for number, ins in enumerate(body) if ins.op.name in HINTED}
        if not numbers.keys() >= places.keys():
            return {}
        shown[index] = {numbers[at]: likely for at, likely in places.items()}
    return shown if shown.keys() == said.keys() else {}


def check_hints(p: Parser, start: int, end: int) -> None:
    """Refuse hints between two tokens that no function took. Raises MalformedError."""
    for index in p.hinted[bisect_left(p.hinted, start) : bisect_left(p.hinted, end + 1)]:
        note = next(note for note in p.source.annotations[index] if note.name == BRANCH_HINT)
        raise _malformed(p, "not in a function", note)


def _value(p: Parser, note: Annotation) -> bool:
    try:
        data = string_bytes(note.tokens[0]) if len(note.tokens) == 1 and is_string(note.tokens[0]) else b""
    except ValueError:
        data = b""
    if data not in (b"\0", b"\1"):
        raise _malformed(p, 'the value must be "\\00" or "\\01"', note)
    return data == b"\1"


def _malformed(p: Parser, what: str, note: Annotation) -> MalformedError:
    return MalformedError(f"@{BRANCH_HINT} annotation: {what}", p.source.place(note.at))
