"""The JSON Schema of scenario files, derived from the models that check them, for editors to complete from."""

from __future__ import annotations

from typing import Any

from hostabi.scenario.model import Scenario

URL = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"^\$\{[\w.-]+\}$"}


def schema() -> dict[str, Any]:
    """The schema. Wherever a value is no text, a variable may stand in its place."""
    found = Scenario.model_json_schema(by_alias=True)
    found = {"$schema": URL, **found, "title": "A file of tests for `tamis test`"}
    clean: dict[str, Any] = _walk(found, in_properties=False)
    return clean


def _walk(node: Any, in_properties: bool) -> Any:
    if isinstance(node, list):
        return [_walk(one, False) for one in node]
    if not isinstance(node, dict):
        return node
    # Titles made of field names say nothing; under `properties` the keys are names of ours, `title` among them.
    kept = {key: value for key, value in node.items() if in_properties or key not in ("title", "default")}
    walked = {key: _walk(value, key in ("properties", "$defs") and not in_properties) for key, value in kept.items()}
    if not in_properties and walked.get("type") in ("integer", "number", "boolean"):
        described = {key: walked.pop(key) for key in ("description",) if key in walked}
        return {"anyOf": [walked, _VARIABLE], **described}
    return walked
