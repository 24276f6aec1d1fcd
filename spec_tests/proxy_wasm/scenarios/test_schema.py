"""The JSON Schema is committed for editors, and is what the models say."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from hostabi.scenario.model import ACTIONS
from hostabi.scenario.schema import schema


def test_the_committed_schema_is_the_models() -> None:
    """`tamis test --schema > hostabi/scenario/schema.json` writes it anew."""
    assert json.loads(files("hostabi.scenario").joinpath("schema.json").read_text()) == schema()


def test_every_action_and_key_is_in_it() -> None:
    definitions: dict[str, Any] = schema()["$defs"]
    assert set(ACTIONS) < set(definitions["Step"]["properties"])
    assert {"name", "filters", "cases", "vars", "profile", "clock", "seed"} < set(schema()["properties"])
    assert definitions["Matcher"]["additionalProperties"] is False
    assert {"not", "json", "absent", "any", "regex", "contains", "equals"} < set(definitions["Matcher"]["properties"])


def test_a_variable_may_stand_where_a_number_is_wanted() -> None:
    status = schema()["$defs"]["UpstreamStep"]["properties"]["status"]
    assert [one["type"] for one in status["anyOf"]] == ["integer", "string"]
