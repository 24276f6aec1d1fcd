"""Writes a first file of tests for a filter, by running it: two requests or a connection, and what came of them."""

from __future__ import annotations

import os
from pathlib import Path

import interp
from hostabi.adapters.grpc_message import GrpcRecord
from hostabi.core.plugin import parse_source
from hostabi.scenario.load import SUFFIXES, Trial, loads
from hostabi.scenario.model import Step
from hostabi.scenario.places import Document
from hostabi.scenario.run import run_test
from hostabi.scenario.stage import LocalStage, Modules, StageError
from hostabi.scenario.update import block, flow, indented, update

_REQUESTS: dict[str, dict[str, object]] = {
    "a request without a body": {"method": "GET", "path": "/", "headers": {"user-agent": "test"}},
    "a request with a body": {
        "method": "POST",
        "path": "/items?id=1",
        "headers": {"user-agent": "test", "content-type": "application/json"},
        "body": '{"hello": "world"}',
    },
}
_ANSWER: dict[str, object] = {
    "status": 200,
    "headers": {"content-type": "text/plain"},
    "body": "hello from the upstream\n",
}
_PIECES: list[dict[str, object]] = [
    {"downstream": "hello from the client\n"},
    {"upstream": "hello from the upstream\n"},
    {"end": "downstream"},
    {"end": "upstream"},
]
_OF_CONNECTIONS = frozenset({"proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data"})
_OF_HTTP = frozenset(f"proxy_on_{way}_{part}" for way in ("request", "response") for part in ("headers", "body"))
_MOST_STEPS = 8
_WIDTH = 100


def first_file(module: Path, config: str, target: Path, engine: str | None = None) -> str:
    """The text of a first file, to be written at `target`. Raises StageError for a filter that cannot be loaded."""
    head = _head(module, config, target)
    if _hears_of(module, _OF_CONNECTIONS) and not _hears_of(module, _OF_HTTP):
        cases = [_case(head, target, "a connection", _step("tcp", _PIECES[0]), engine)]
    else:
        requests = {name: _step("request", request) for name, request in _REQUESTS.items()}
        cases = [_case(head, target, name, first, engine) for name, first in requests.items()]
    text = "\n".join([head, *cases])
    tests = loads(text, str(target))
    modules = Modules()
    results = [run_test(test, lambda one: LocalStage(one, modules, engine=engine)) for test in tests]
    return update(Document(str(target), text), results).text


def _head(module: Path, config: str, target: Path) -> str:
    place = os.path.relpath(module, target.parent)
    lines = [
        f"# Tests of {module.name}. Run them with:  tamis test {target.name}",
        "# A plain value must be equal; {contains: x}, {regex: x}, {absent: true} say less. What is not named is free.",
        "version: 1",
        "",
        "filters:",
        f"  - module: {flow(place)}",
    ]
    if config:
        lines.append(f"    config: {flow(config)}")
    return "\n".join([*lines, "", "cases:"])


def _hears_of(module: Path, callbacks: frozenset[str]) -> bool:
    """Whether a filter has any of these callbacks; raises StageError."""
    try:
        exports = parse_source(module).exports
    except (OSError, interp.WasmError) as error:
        raise StageError(f"{module}: {error}") from error
    return any(export.name in callbacks for export in exports)


def _case(head: str, target: Path, name: str, first: str, engine: str | None) -> str:
    """A case whose steps are what the filter asks for: its calls are answered, and what it lets through."""
    steps = [first]
    for _ in range(_MOST_STEPS):
        text = "\n".join([f"  - name: {name}", "    steps:", *(f"{step}\n        expect: {{}}" for step in steps), ""])
        more = _next(loads(f"{head}\n{text}", str(target))[0], engine)
        if more is None:
            break
        steps.append(more)
    return text


def _next(test: Trial, engine: str | None) -> str | None:
    """The step that could follow these."""
    stage = LocalStage(test, Modules(), engine=engine)
    stage.start()
    done: list[Step] = list(test.case.steps)
    try:
        for step in done:
            stage.perform(step)
    except StageError:
        return None
    waiting = [call for call in stage.session.waiting if not call.held]
    if waiting:
        outcome = {"grpc": {"messages": [""]}} if isinstance(waiting[0].made, GrpcRecord) else {"answer": 200}
        return _step("callout", {"match": waiting[0].made.upstream, **outcome})
    if stage.takes_response("main") and not stage.session.stream().held:
        return _step("upstream", _ANSWER)
    connection = stage.session.connections.get("main")
    if connection is None or connection.ended:
        return None
    piece = _PIECES[sum(step.action == "tcp" for step in done) :][:1]
    if not piece or (connection.upstream is None and "downstream" not in piece[0].values()):
        return None
    return _step("tcp", piece[0])


def _step(action: str, value: dict[str, object]) -> str:
    text = flow(value)
    if len(text) < _WIDTH:
        return f"      - {action}: {text}"
    return f"      - {action}:\n{indented(block(value), 10)}"


def default_target(module: Path) -> Path:
    """Where the tests of a filter would be looked for."""
    return Path(module.name.removesuffix(".wasm").removesuffix(".wat") + SUFFIXES[0])
