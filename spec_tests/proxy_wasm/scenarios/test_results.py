"""What makes a scenario fail, and what it says then: a scenario that cannot fail is worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostabi.adapters.message import Message
from hostabi.cli.result_page import report, transcript
from hostabi.scenario.expect import Expect
from hostabi.scenario.load import loads
from hostabi.scenario.model import Step
from hostabi.scenario.observe import Observation, StreamView
from hostabi.scenario.places import path_text
from hostabi.scenario.run import Result, run_test
from hostabi.testing.scenarios import run_trial

HERE = Path(__file__).parent


def played(case: str, config: str = "", top: str = "") -> Result:
    """The result of one case over the filter that takes orders."""
    indented = "\n".join(f"      {line}" for line in config.splitlines())
    text = f"version: 1\n{top}filters:\n- module: filters/orders.wasm\n  config: |\n{indented}\ncases:\n- {case}\n"
    (trial,) = loads(text, str(HERE / "made.tamis.yaml"))
    return run_trial(trial)


def failures(result: Result) -> list[str]:
    """The paths of what was not met."""
    return [path_text(one.loc).removeprefix("cases[0].").removeprefix("expect.") for one in result.failures]


@pytest.mark.parametrize(
    ("expect", "path"),
    [
        ("request: {path: /b}", "request.path"),
        ("request: {headers: {x: 1}}", "request.headers.x"),
        ("request: {headers: {x-two: [a]}}", "request.headers.x-two"),
        ("request: {headers: {x-two: a}}", "request.headers.x-two"),
        ("request: {headers: {x-two: {any: true}}}", "request.headers.x-two"),
        ("request: {headers: {x-one: {absent: true}}}", "request.headers.x-one"),
        ("request: {headers: {x-one: {not: one}}}", "request.headers.x-one"),
        ("request: {headers: {x-one: {regex: on}}}", "request.headers.x-one"),
        ("request: {headers: {x-one: {contains: [o, x]}}}", "request.headers.x-one"),
        ("request: {body: {json: {$.a: 2}}}", "request.body"),
        ("request: {body: {json: {$.a: true}}}", "request.body"),
        ("request: {body: {json: {$.b: {any: true}}}}", "request.body"),
        ("request: {body: {json: {$.a: {absent: true}}}}", "request.body"),
        ("request: {body: {json: {$.a: {above: 1}}}}", "request.body"),
        ("request: {body: {base64: eA==}}", "request.body"),
        ("request: {complete: false}", "request.complete"),
        ("request: null", "request"),
        ("response: null", "response"),
        ("response: {status: 201}", "response.status"),
        ("response: {status: {below: 200}}", "response.status"),
        ("response: {trailers: {t: {any: true}}}", "response.trailers.t"),
        ("local_response: {status: 200}", "local_response"),
        ("paused: true", "paused"),
        ("paused: request", "paused"),
        ("reset: {any: true}", "reset"),
        ("trap: {any: true}", "trap"),
        ("logs: []", "logs"),
        ("logs: [two, one]", "logs[1]"),
        ("logs: [one, {message: two, level: info}]", "logs[1]"),
        ("logs: [{message: one, filter: other}]", "logs[0]"),
        ("logs: {none_above: info}", "logs.none_above"),
        ("logs: {none: [{contains: tw}]}", "logs.none[0]"),
        ("logs: {lines: [three]}", "logs.lines[0]"),
        ("calls: []", "calls"),
        ("calls: [other]", "calls[0]"),
        ("calls: [{path: /q}]", "calls[0].path"),
        ("calls: [{timeout_ms: {below: 100}}]", "calls[0].timeout_ms"),
        ("host_calls: []", "host_calls"),
        ("host_calls: [proxy_done]", "host_calls[0]"),
        ("host_calls: [{call: proxy_log, args: {message: three}}]", "host_calls[0]"),
        ("host_calls: [{call: proxy_log, args: {level: ERROR}}]", "host_calls[0]"),
        ("host_calls: [{call: proxy_log, status: NOT_FOUND}]", "host_calls[0]"),
        ("host_calls: {unordered: [proxy_done]}", "host_calls.unordered[0]"),
        ("host_calls: {none: [proxy_log]}", "host_calls.none[0]"),
        ("callbacks: []", "callbacks"),
        ("metrics: {m: 2}", "metrics.m"),
        ("metrics: {n: 0}", "metrics.n"),
        ("metrics: {m: [1]}", "metrics.m"),
        ("shared_data: {k: w}", "shared_data.k"),
        ("shared_data: {l: v}", "shared_data.l"),
        ("properties: {p: w}", "properties.p"),
        ("fuel: {below: 10}", "fuel"),
        ("pages: {above: 100}", "pages"),
    ],
)
def test_each_expectation_can_fail(expect: str, path: str) -> None:
    config = """request_headers: log 2 one
request_headers: log 3 two
request_headers: call auth /p 100
request_headers: store k 0 v
request_headers: keep p v
request_headers: define 0 m
request_headers: count 1"""
    request = "{path: /a, headers: {x-one: one, x-two: [a, b]}, body: '{\"a\": 1}'}"
    result = played(f"{{request: {request}, expect: {{{expect}}}}}", config)
    assert failures(result) == [path]
    page = transcript(result)
    assert f"x {path}" in page and "made.tamis.yaml:" in page


def test_what_is_not_expected_is_free_but_for_a_trap() -> None:
    assert played("request: {}", "request_headers: log 4 oh").passed
    result = played("request: {}", "request_headers: trap")
    assert "the filter failed: proxy_on_request_headers: unreachable" in result.failures[0].message
    assert "trap: unreachable" in transcript(result)
    assert played("{request: {}, expect: {trap: {contains: unreachable}}}", "request_headers: trap").passed


def test_strict_names_everything_that_nobody_expected() -> None:
    config = "request_headers: get 0 :path\nrequest_headers: call auth / 10"
    result = played("{request: {}, strict: true}", config)
    said = [one.message for one in result.failures]
    assert said == [
        "a log line that nothing expects",
        "a call that nothing expects",
        "a host call that nothing expects",
        "a host call that nothing expects",
    ]
    assert failures(result) == ["strict"] * 4


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[{upstream: {}}]", "no stream 'main' has begun"),
        ("[{request: {}}, {request: {path: /}}]", "the stream 'main' has begun already and is not over"),
        ("[{request: {}}, {upstream: {end: false}}, {upstream: {status: 200}}]", "has answered already"),
        ("[{request: {headers: {x-hold: 1}}}, {upstream: {}}]", "no request has reached it"),
        ("[{request: {headers: {x-reply: 1}}}, {upstream: {}}]", "the filters did so themselves"),
        ("[{request: {}}, {upstream: {}}, {abort: client}]", "the stream 'main' is over"),
        ("[{request: {}}, {upstream: {}}, {abort: upstream}]", "it is over"),
        ("[{release: x}]", "no call is held as 'x'"),
        ("[{enqueue: {queue: q}}]", "no filter has registered the queue 'q'"),
        ("[{reconfigure: {filter: 3, config: x}}]", "there is no filter 3"),
        ("[{callout: {match: x, answer: 200}}]", "1 callout of this case never came"),
    ],
)
def test_a_step_out_of_order_fails_with_its_place(steps: str, message: str) -> None:
    when = "request_headers?"
    config = f"{when}x-hold: return 4\n{when}x-reply: reply 403 no\n{when}x-reply: return 4"
    result = played(f"steps: {steps}", config)
    assert len(result.failures) == 1 and message in result.failures[0].message
    assert message in report(result).text


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("nowhere.wasm", "No such file"),
        ("README.md", "README.md: "),
        ("filters/teapot.py:Kettle", "has no class 'Kettle'"),
        ("package://nowhere_at_all/x.wasm", "the Python package 'nowhere_at_all' is not installed"),
        ("package://hostabi/x.wasm", "the package has no such file"),
    ],
)
def test_a_filter_that_cannot_be_had(module: str, message: str) -> None:
    text = f"version: 1\nfilters: [{{module: '{module}'}}]\ncases: [{{request: {{}}}}]\n"
    result = run_trial(loads(text, str(HERE / "made.tamis.yaml"))[0])
    assert len(result.failures) == 1 and message in result.failures[0].message


def test_a_build_is_run_once_and_its_failure_shown(tmp_path: Path) -> None:
    file = tmp_path / "t.tamis.yaml"
    wasm = HERE / "filters" / "orders.wasm"
    build = f"{{run: [sh, -c, 'cp {wasm} made.wasm; echo x >> count'], module: made.wasm}}"
    text = f"version: 1\nfilters: [{{build: {build}}}]\ncases: [{{request: {{}}}}, {{request: {{path: /2}}}}]\n"
    assert all(run_trial(trial).passed for trial in loads(text, str(file)))
    assert (tmp_path / "count").read_text() == "x\n"
    bad = text.replace("echo x >> count", "echo no compiler; exit 3")
    message = run_trial(loads(bad, str(file))[0]).failures[0].message
    assert "failed with 3" in message and "no compiler" in message


def test_another_stage_can_take_the_place_of_ours() -> None:
    """What a stage cannot see is passed over; all else is held against what it says."""

    class Elsewhere:
        def start(self) -> Observation:
            return Observation(unseen=frozenset({"fuel", "pages"}))

        def perform(self, step: Step) -> Observation:
            message = Message(((b":status", b"200"),), b"from elsewhere", (), True)
            return Observation(StreamView(response=message), unseen=frozenset({"fuel", "pages"}))

        def takes_response(self, stream: str) -> bool:
            return False

        def finish(self) -> Observation:
            return self.perform(Step(expect=Expect()))

    text = """version: 1
filters: [{module: nowhere.wasm}]
cases:
- request: {}
  expect: {response: {status: 200, body: from here}, fuel: 1, pages: 2}
"""
    result = run_test(loads(text)[0], lambda trial: Elsewhere())
    assert failures(result) == ["response.body"]
