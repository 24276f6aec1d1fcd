"""Writes observed values into a file, over the text of the values they replace; everything else of it stays as it is.

Only equality is updated: a plain value, a list, null, `{absent: true}`. Other matchers say something general, which is
for the author to change. An `expect: {}` is filled with what there is. A value that a variable gave is changed in its
row of the table, and left alone when it comes from `vars`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from hostabi.scenario.check import call_data, log_data, message_data, tcp_data
from hostabi.scenario.matchers import is_matcher
from hostabi.scenario.observe import Observation
from hostabi.scenario.places import Document, Loc, path_text
from hostabi.scenario.run import Failure, Result
from hostabi.scenario.variables import PATTERN

_LISTS = ("logs", "host_calls", "calls", "callbacks")
"""Expectations that are rewritten as a whole: what is missing in one says little without the rest of it."""
_WIDTH = 100
_MOST_BODY = 2_000


@dataclass(slots=True)
class Updated:
    """A file with observed values written in."""

    text: str
    changed: list[str] = field(default_factory=list)
    """Paths of what was changed."""
    kept: list[str] = field(default_factory=list)
    """Paths of what was not met and not changed, and why."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str
    path: str
    rows: int
    """How many rows of a table share the value."""


def update(document: Document, results: Iterable[Result]) -> Updated:
    """The text of a file in which every result of its tests is met, as far as values can do that."""
    updated = Updated(document.text)
    wanted: dict[tuple[int, int], list[_Edit]] = {}
    for result in results:
        for moment in result.moments:
            for failure in moment.failures:
                _note(document, result, failure, moment.observation, wanted, updated)
    edits = []
    for found in wanted.values():
        # A value that all rows of a table share changes only when all of them agree what it should be.
        if len({edit.text for edit in found}) == 1 and len(found) >= found[0].rows:
            edits.append(found[0])
        else:
            updated.kept.append(f"{found[0].path}: rows of the table differ here; use a variable")
    for edit in _outermost(edits):
        updated.text = updated.text[: edit.start] + edit.text + updated.text[edit.end :]
        updated.changed.append(edit.path)
    updated.changed.reverse()
    return updated


def _note(
    document: Document,
    result: Result,
    failure: Failure,
    seen: Observation | None,
    wanted: dict[tuple[int, int], list[_Edit]],
    updated: Updated,
) -> None:
    path = path_text(failure.loc)
    value: object
    if failure.difference is None and failure.fill and seen is not None:
        loc, value = failure.loc, observed_expect(seen)
    elif failure.difference is None or failure.difference.loc[:1] == ("strict",):
        updated.kept.append(f"{path}: {failure.message}")
        return
    elif not _is_plain(failure.difference.wanted):
        updated.kept.append(f"{path}: a matcher, which is yours to change")
        return
    else:
        loc, value = _whole_list(failure.loc), failure.difference.observed
        value = {"absent": True} if value is None and _can_be_absent(loc) else _shortened(loc, value)
    target = _target(document, result, loc)
    if isinstance(target, str):
        updated.kept.append(f"{path}: {target}")
        return
    rows = 1 if "table" in target else len(result.test.case.table or (None,))
    edit = _edit(document, target, value, rows)
    wanted.setdefault((edit.start, edit.end), []).append(edit)


def _is_plain(wanted: object) -> bool:
    """Whether an expectation is one of equality, which an observed value can take the place of."""
    if isinstance(wanted, dict) and is_matcher(wanted):
        return set(wanted) <= {"equals", "absent", "any"}
    return True


def _whole_list(loc: Loc) -> Loc:
    for name in _LISTS:
        if name in loc:
            at = loc.index(name)
            rest = loc[at + 1 :]
            if rest and isinstance(rest[0], int) and name != "calls":
                return loc[: at + 1]
            if rest and rest[0] in ("lines", "ordered"):
                return loc[: at + 2]
    return loc


def _can_be_absent(loc: Loc) -> bool:
    return any(name in loc for name in ("headers", "trailers", "shared_data", "properties"))


def _shortened(loc: Loc, value: object) -> object:
    """Observed log lines as short as they can be written."""
    if "logs" in loc and isinstance(value, list):
        return [one["message"] if one["level"] == "info" else one for one in value]
    return value


def _target(document: Document, result: Result, loc: Loc) -> Loc | str:
    """The path of the value to be changed, or why there is none."""
    node, _, way = document.node(loc)
    if way != loc:
        return "this place is not in the file"
    raw = document.text[node.start_mark.index : _end(node)]
    if "${" not in raw:
        return loc
    variable = PATTERN.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
    row: Loc = (*result.test.loc, "table", result.test.row if result.test.row is not None else -1)
    if (
        variable is None
        or variable["name"] is None
        or document.node((*row, variable["name"]))[2][-1:] != (variable["name"],)
    ):
        return "it comes from a variable"
    return (*row, variable["name"])


# --- writing ---------------------------------------------------------------------------------------------------------


def _end(node: yaml.Node) -> int:
    """Where a value ends: a block's own mark is where the next one begins, comments between included."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _edit(document: Document, loc: Loc, value: object, rows: int) -> _Edit:
    node, key, _ = document.node(loc)
    start, end = node.start_mark.index, _end(node)
    old = document.text[start:end]
    in_flow = any(document.node(loc[:n])[0].flow_style for n in range(len(loc)))  # type: ignore[attr-defined]
    text = flow(value)
    if key is not None and not in_flow and isinstance(value, dict | list) and value and len(text) > _WIDTH - 30:
        margin = key.start_mark.column + 2
        text = "\n" + indented(block(value), margin)
        start = _behind_key(document, key)
    elif key is not None and (start == end or node.start_mark.line > key.start_mark.line):
        text = " " + text
        start = _behind_key(document, key)
    if old.endswith("\n") and not text.endswith("\n"):
        text += "\n"
    return _Edit(start, end, text, path_text(loc), rows)


def _behind_key(document: Document, key: yaml.Node) -> int:
    """The place right behind the colon of a key."""
    return document.text.index(":", key.end_mark.index) + 1


def _outermost(edits: Iterable[_Edit]) -> list[_Edit]:
    """Edits that lie in no other one, the last first."""
    found: list[_Edit] = []
    for edit in sorted(edits, key=lambda one: (one.start, -one.end)):
        if not found or edit.start >= found[-1].end:
            found.append(edit)
    return found[::-1]


class _Dumper(yaml.SafeDumper):
    """Text in double quotes when it has line breaks, so that it stays on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is written as an alias."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def flow(value: object) -> str:
    """A value on one line."""
    text = yaml.dump(
        _dumped(value), Dumper=_Dumper, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return str(text).removesuffix("\n").removesuffix("\n...")


def block(value: object) -> str:
    """A mapping or list over several lines, short collections in it on one."""
    if isinstance(value, dict):
        lines = [_block_entry(f"{flow(key)}:", one) for key, one in value.items()]
    elif isinstance(value, list):
        lines = [f"- {flow(one)}" for one in value]
    else:
        lines = [flow(value)]
    return "\n".join(lines)


def _block_entry(head: str, value: object) -> str:
    if isinstance(value, dict | list) and value and len(flow(value)) > _WIDTH - 40:
        return f"{head}\n{indented(block(value), 2)}"
    return f"{head} {flow(value)}"


def indented(text: str, margin: int) -> str:
    """Each line with so many spaces before it."""
    return "\n".join(" " * margin + line if line else line for line in text.split("\n"))


def _dumped(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _dumped(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_dumped(one) for one in value]
    return value


# --- what an empty expectation is filled with ------------------------------------------------------------------------


def observed_expect(seen: Observation) -> dict[str, object]:
    """What a step did, as an expectation: messages, pauses, logs, calls; not every host call."""
    stream = seen.stream
    found: dict[str, object] = {}
    if seen.trap is not None:
        found["trap"] = seen.trap
    if stream.tcp is not None:
        found["tcp"] = tcp_data(stream.tcp)
    elif stream.response is None or stream.local_response is not None:
        found["request"] = None if stream.request is None else _brief(message_data(stream.request, True))
    if stream.response is not None:
        found["response"] = _brief(message_data(stream.response, False))
    if stream.local_response is not None:
        found["local_response"] = {"details": stream.local_response.details}
    if stream.reset is not None:
        found["reset"] = stream.reset
    if stream.paused:
        found["paused"] = min(stream.paused) if len(stream.paused) == 1 else True
    if seen.calls:
        found["calls"] = [_brief_call(call_data(call)) for call in seen.calls]
    found["logs"] = _shortened(("logs",), [log_data(log) for log in seen.logs])
    return found


def _brief(data: dict[str, object]) -> dict[str, object]:
    body = data.get("body")
    if isinstance(body, str) and len(body) > _MOST_BODY:
        data["body"] = {"contains": body[:80]}
    return {key: value for key, value in data.items() if key not in ("authority", "scheme")}


def _brief_call(data: dict[str, object]) -> dict[str, object]:
    return {key: data[key] for key in ("upstream", "service", "method", "path", "body", "messages") if key in data}
