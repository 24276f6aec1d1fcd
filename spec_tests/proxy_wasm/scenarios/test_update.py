"""`--update` writes what was observed over what was expected, and leaves everything else of a file as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostabi.scenario.init import first_file
from hostabi.scenario.load import loads
from hostabi.scenario.update import Updated, update
from hostabi.testing.scenarios import run_trial
from hostabi.testing.wat import small_filter

HERE = Path(__file__).parent
FILE = str(HERE / "written.tamis.yaml")
HEAD = """version: 1
filters:
  - module: filters/orders.wasm
"""


def updated(text: str) -> Updated:
    """A file's text after an update, which a second one leaves alone unless something was kept."""
    trials = loads(text, FILE)
    done = update(trials[0].document, [run_trial(trial) for trial in trials])
    again = loads(done.text, FILE)
    results = [run_trial(trial) for trial in again]
    assert all(one.passed for one in results) or done.kept
    assert update(again[0].document, results).text == done.text
    return done


def test_only_wrong_values_change() -> None:
    text = f"""{HEAD}    config: |   # what it does
      request_headers: set 0 x-a 1

cases:
  # a comment
  - name: one        # and another
    request: {{path:   /a}}   # odd spaces
    expect:
      request:
        headers: {{x-a: "2", x-b: 3,  x-c: {{absent: true}}}}
        path: /wrong   # right behind
      response:
        status: 404

      local_response: null
"""
    done = updated(text)
    assert done.text == text.replace('"2", x-b: 3', "'1', x-b: {absent: true}").replace("/wrong", "/a").replace(
        "404", "200"
    )
    assert done.changed == [
        "cases[0].expect.request.headers.x-a",
        "cases[0].expect.request.headers.x-b",
        "cases[0].expect.request.path",
        "cases[0].expect.response.status",
    ]


def test_an_empty_expectation_is_filled() -> None:
    text = f"""{HEAD}    config: "request_headers: log 3 careful"
cases:
  - steps:
      - request: {{path: /a, body: "x\\ny"}}
        expect: {{}}
      - upstream: {{status: 201, headers: {{x-a: [1, 2]}}}}
        expect: {{}}   # filled
"""
    assert (
        updated(text).text.partition("cases:\n")[2]
        == """  - steps:
      - request: {path: /a, body: "x\\ny"}
        expect:
          request: {path: /a, method: GET, body: "x\\ny"}
          logs: [{level: warn, message: careful}]
      - upstream: {status: 201, headers: {x-a: [1, 2]}}
        expect: {response: {status: 201, headers: {x-a: ['1', '2']}}, logs: []}   # filled
"""
    )


def test_lists_are_written_as_a_whole() -> None:
    text = f"""{HEAD}    config: |
      request_headers: log 2 one
      request_headers: log 3 two
      request_headers: call auth /p 100
cases:
  - request: {{}}
    expect:
      logs:
        - two
        - one
      calls: []
      callbacks: [proxy_on_log]
"""
    assert (
        updated(text).text.partition("expect:\n")[2]
        == """      logs: [one, {level: warn, message: two}]
      calls:
        - {upstream: auth, method: GET, authority: order, path: /p, timeout_ms: 100}
      callbacks:
        - proxy_on_context_create
        - proxy_on_configure
        - proxy_on_context_create
        - proxy_on_request_headers
        - proxy_on_response_headers
        - proxy_on_log
        - proxy_on_done
        - proxy_on_delete
"""
    )


def test_what_says_something_general_is_kept() -> None:
    text = f"""{HEAD}cases:
  - request: {{}}
    expect: {{request: {{path: {{regex: "/a.*"}}}}, fuel: {{below: 1}}}}
"""
    done = updated(text)
    assert done.text == text and not done.changed
    assert [line.split(": ")[1] for line in done.kept] == ["a matcher, which is yours to change"] * 2


def test_a_value_of_the_table_changes_in_its_row() -> None:
    text = f"""{HEAD}vars: {{fixed: 1}}
cases:
  - table:
      - {{path: /a, status: 200}}
      - {{path: /b, status: 500}}
    request: {{path: "${{path}}"}}
    expect: {{response: {{status: "${{status}}"}}}}
  - table: [{{path: /a}}, {{path: /b}}]
    request: {{path: "${{path}}"}}
    expect: {{request: {{path: /c}}}}
  - request: {{}}
    expect: {{response: {{status: "${{fixed}}0"}}}}
"""
    with pytest.raises(Exception, match="valid integer"):
        loads(text, FILE)
    text = text.replace('"${fixed}0"', '"${fixed}"')
    done = updated(text)
    assert done.text == text.replace("/b, status: 500", "/b, status: 200")
    assert any("rows of the table differ" in line for line in done.kept)
    assert any("it comes from a variable" in line for line in done.kept)


def test_block_text_and_flow_lists() -> None:
    text = f"""{HEAD}    config: |
      request_headers: reply 403 no denied
      request_headers: return 4
cases:
  - request: {{}}
    expect:
      response:
        body: |
          something
          else
        status: 403
"""
    done = updated(text)
    assert "        body: denied\n        status: 403\n" in done.text


@pytest.mark.parametrize("name", ["auth", "http_gate", "metrics", "crash", "header_rewrite", "body_rewrite"])
def test_a_first_file_passes(name: str) -> None:
    module = HERE.parents[2] / "examples" / "filters" / name / f"{name}.wasm"
    text = first_file(module, "", HERE / f"{name}.tamis.yaml")
    results = [run_trial(trial) for trial in loads(text, str(HERE / f"{name}.tamis.yaml"))]
    assert len(results) == 2 and all(one.passed for one in results)
    assert "expect: {}" not in text
    if name == "http_gate":
        assert "- callout: {match: auth_service, answer: 200}" in text


def test_what_became_of_a_connection_is_written_down() -> None:
    text = """version: 1
filters:
  - module: filters/network_orders.wasm
    config: "downstream_data: write 2 0 0 ["
cases:
  - steps:
      - tcp: {downstream: abc}
        expect: {tcp: {upstream: abc, downstream: x, upstream_end: true, closed: remote}, paused: upstream}
      - abort: client
        expect: {}
"""
    done = updated(text)
    assert "expect: {tcp: {upstream: '[abc', downstream: '', upstream_end: false, closed: null}, paused: false}" in (
        done.text
    )
    assert "expect: {tcp: {upstream: '[abc', closed: remote}, logs: []}" in done.text


def test_a_first_file_for_a_filter_of_connections(tmp_path: Path) -> None:
    module = tmp_path / "quote.wat"
    written = (
        "(drop (call $proxy_set_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 2)))"
    )
    text = small_filter({"proxy_on_downstream_data": f"{written} (i32.const 0)"}, data={16: b"> "})
    module.write_text(text, encoding="utf-8")
    made = first_file(module, "", tmp_path / "quote.tamis.yaml")
    trials = loads(made, str(tmp_path / "quote.tamis.yaml"))
    assert [step.action for step in trials[0].case.steps] == ["tcp"] * 4
    assert run_trial(trials[0]).passed and "> hello from the client" in made and "closed: local" in made


def test_a_first_file_for_a_filter_that_holds_connections(tmp_path: Path) -> None:
    module = tmp_path / "shut.wat"
    module.write_text(small_filter({"proxy_on_new_connection": "(i32.const 1)"}), encoding="utf-8")
    made = first_file(module, "", tmp_path / "shut.tamis.yaml")
    assert "upstream: null" in made and "paused: downstream" in made and "- tcp: {upstream" not in made
