"""The part of JSONPath (RFC 9535) that expectations need: $, .name, ['name'], [0], [-1], [*] and .*"""

from __future__ import annotations

import re
from functools import lru_cache

_STEP = re.compile(r"""\.(?P<name>[\w-]+|\*)|\[(?:(?P<at>-?\d+|\*)|'(?P<one>[^']*)'|"(?P<two>[^"]*)")\]""")

EVERY = "*"


@lru_cache(maxsize=512)
def parse(path: str) -> tuple[str | int | None, ...]:
    """The steps of a path, None for each wildcard; ValueError for what is no path."""
    if not path.startswith("$"):
        raise ValueError(f"the JSON path {path!r} does not begin with $")
    steps: list[str | int | None] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"the JSON path {path!r} makes no sense from {path[at:]!r} on")
        at = found.end()
        wild = EVERY in (found["name"], found["at"])
        name = next((part for part in (found["name"], found["one"], found["two"]) if part is not None), None)
        steps.append(None if wild else int(found["at"]) if found["at"] is not None else name)
    return tuple(steps)


def find(document: object, path: str) -> list[object]:
    """The values at a path: none, one, or with a wildcard any number."""
    found = [document]
    for step in parse(path):
        found = [value for one in found for value in _step(one, step)]
    return found


def _step(value: object, step: str | int | None) -> list[object]:
    if isinstance(value, dict):
        if step is None:
            return list(value.values())
        return [value[step]] if step in value else []
    if isinstance(value, list):
        if step is None:
            return value
        return [value[step]] if isinstance(step, int) and -len(value) <= step < len(value) else []
    return []
