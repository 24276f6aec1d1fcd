"""What a wrong file is told: the file, the line and the column, the path inside, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.scenario.load import load, loads
from hostabi.scenario.model import ACTIONS
from hostabi.scenario.places import FileError

HEAD = "version: 1\nfilters: [{module: a.wasm}]\n"
NO_ZONE = "no time zone; put a Z behind it for UTC"
CASE = "cases:\n- name: one\n  request: {}\n"

SCENARIOS = sorted(Path(__file__).parent.glob("*.tamis.yaml"))
SPOILERS = (
    *(
        "",
        "{}",
        "[]",
        "null",
        "1",
        "-1",
        "1e400",
        "'",
        '"',
        "${a}",
        "${",
        "&a ",
        "*a",
        "!!str ",
        "|\n",
        "- ",
        ": ",
        "?",
    ),
    *("@", "\0", "\x85", "0x10", "true", "<<: ", "{absent: true}", "{any: true, equals: 1}", "{json: {$: 1}}"),
    *("[[a]]", "{regex: '('}", "9" * 30, "{a: {b: c}}", "\n", "\t"),
)


def problems(text: str) -> list[str]:
    """What is said about a file, without its name."""
    with pytest.raises(FileError) as caught:
        loads(text, "t.yaml")
    assert all(str(one).startswith("t.yaml:") for one in caught.value.problems)
    return [str(one).removeprefix("t.yaml:") for one in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: the file must hold a mapping: version, filters, cases"),
        ("- a\n", "1:1: the file must hold a mapping: version, filters, cases"),
        ("a: [1,\nb", "2:2: expected ',' or ']', but got '<stream end>' while parsing a flow sequence"),
        ("version: 1\nversion: 1\n", "2:1: the key 'version' stands here twice"),
        ("version: 2\n", "1:10: version: version 1 is what this tamis reads, and not 2"),
        ("version: 1\n? [a]\n: b\n", "2:3: a key must be text"),
        ("version: !!python/none x\n", "1:10: version: the tag tag:yaml.org,2002:python/none is not used here"),
        ("version: &a [*a]\n", "1:10: version[0]: an alias that leads back to itself"),
        (HEAD, "1:1: cases is missing"),
        (HEAD + "cases: []\n", "3:8: cases: List should have at least 1 item after validation, not 0"),
        ("version: 1\n" + CASE, "1:1: filters is missing"),
        (f"version: 1\nfilters: [{{}}]\n{CASE}", "2:11: filters[0]: a filter has a module, or a build that makes one"),
        (f"{HEAD}envoy: no\n{CASE}", "3:8: envoy: yes, or `no, because ...` is wanted here"),
        (f"{HEAD}case: 1\n{CASE}", "3:1: case: there is no key 'case' here"),
        (
            f"{HEAD}clock: yesterday\n{CASE}",
            "3:8: clock: 'yesterday' is no time; write seconds since 1970, or 2026-01-31T12:00:00Z",
        ),
        (f"{HEAD}clock: 2026-01-31T12:00:00\n{CASE}", f"3:8: clock: '2026-01-31T12:00:00' has {NO_ZONE}"),
        (f"{HEAD}profile: nginz\n{CASE}", "3:10: profile: Input should be 'default', 'envoy', 'spec' or 'nginx'"),
    ],
)
def test_the_file(text: str, told: str) -> None:
    assert problems(text) == [told]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{request: {method: POST, boddy: x}}", "request.boddy: there is no key 'boddy' here"),
        ("{request: {body: x, chunks: [y]}}", "request: body and chunks exclude each other"),
        ("{request: {headers: {x: {y: z}}}}", "request.headers: the header 'x' needs a value that is text"),
        ("{request: {headers: [x]}}", "request.headers: a list of headers is one of pairs: [[name, value], ...]"),
        ("{request: {body: {base64: '*'}}}", "request.body: no base64: "),
        ("{request: {}, upstream: {}}", "a step is one action, and here are request, upstream"),
        ("{stream: a}", f"a step is one of {', '.join(ACTIONS)}, or an expect"),
        ("{upstream: {status: many}}", "upstream.status: Input should be a valid integer"),
        ("{upstream: {status: 5}}", "upstream.status: Input should be greater than or equal to 100"),
        ("{upstream: {reset: true, status: 200}}", "upstream: reset goes with nothing else"),
        ("{tcp: {upsteam: x}}", "tcp.upsteam: there is no key 'upsteam' here"),
        ("{tcp: {end: both}}", "tcp.end: Input should be 'downstream' or 'upstream'"),
        ("{tcp: {}, expect: {tcp: {closed: maybe}}}", "expect.tcp.closed: Input should be 'local' or 'remote'"),
        ("{stats: {counters: {x: {added: 1}}}}", "stats.counters.x: value is missing"),
        ("{advance: 5}", "advance: a duration is wanted here, a number with a unit: 5s, 250ms, 1.5m"),
        ("{callout: {match: auth}}", "callout: a callout has one outcome: answer, grpc, timeout: true, or reset: true"),
        ("{redis: {match: r}}", "redis: a query has one outcome: answer, status, error, raw, timeout: true, or"),
        ("{redis: {answer: null, reset: true}}", "redis: a query has one outcome"),
        ("{redis: {match: {cmd: GET}, answer: 1}}", "redis.match.cmd: there is no key 'cmd' here"),
        ("{callout: {match: [auth], reset: true}}", "callout.match: text or a number or a mapping is wanted here"),
        ("{abort: everybody}", "abort: Input should be 'client' or 'upstream'"),
        ("{fault: {call: proxy_lag}}", "fault.call: there is no host call 'proxy_lag'"),
        ("{fault: {call: proxy_log, status: FINE}}", "fault.status: there is no status 'FINE'"),
        ("{expect: {logs: }}", "expect.logs: logs is empty here: give it a value, or leave it out"),
        ("{expect: {logs: [{level: loud}]}}", "expect.logs[0].level: Input should be 'trace', 'debug', 'info'"),
        (
            "{expect: {request: {headers: {x: {regx: a}}}}}",
            "expect.request.headers.x.regx: there is no key 'regx' here",
        ),
        (
            "{expect: {request: {headers: {x: {regex: '('}}}}}",
            "expect.request.headers.x.regex: no regular expression: ",
        ),
        ("{expect: {request: {headers: {x: {}}}}}", "expect.request.headers.x: an empty matcher says nothing"),
        (
            "{expect: {response: {body: {json: {a: 1}}}}}",
            "expect.response.body: the JSON path 'a' does not begin with $",
        ),
        (
            "{expect: {response: {body: {absent: true, any: true}}}}",
            "expect.response.body: absent goes with nothing else",
        ),
        ("{expect: {response: 200}}", "expect.response: a mapping or a null is wanted here"),
        ("{expect: {callbacks: [on_request]}}", "expect.callbacks[0]: there is no callback 'on_request'"),
        ("{expect: {callbacks: [{}]}}", "expect.callbacks[0]: the name of a callback is wanted here"),
        ("{expect: {fuel: {}}}", "expect.fuel: an empty matcher says nothing"),
        ("{request: {path: '/${who}'}}", "request.path: there is no variable 'who'"),
    ],
)
def test_a_step(step: str, told: str) -> None:
    found = problems(f"{HEAD}cases:\n- name: one\n  steps:\n  - {step}\n")
    assert len(found) == 1
    where, _, what = found[0].partition(": ")
    assert where.startswith("6:")
    assert what.replace("cases[0].steps[0].", "").replace("cases[0].steps[0]: ", "").startswith(told), what


def test_every_problem_of_every_case_is_told_in_order() -> None:
    text = f"{HEAD}cases:\n- {{requst: {{}}}}\n- {{steps: [{{advance: 1}}, {{abort: x}}], nme: y}}\n"
    assert [line.split(": ")[0] for line in problems(text)] == ["4:4", "5:22", "5:34", "5:39"]


def test_a_wrong_table_row_is_told_once_for_its_place() -> None:
    text = f"{HEAD}cases:\n- table: [{{n: 1}}, {{n: x}}, {{n: y}}]\n  request: {{}}\n  expect: {{fuel: '${{n}}'}}\n"
    assert problems(text) == ["6:18: cases[0].expect.fuel: Input should be a valid integer"]
    assert problems(text.replace("[{n: 1}, {n: x}, {n: y}]", "[1]"))[0].startswith("4:10: cases[0].table: a table is")


def test_aliases_cannot_make_a_file_grow_without_end() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than 200000 values" in problems("\n".join(lines))[0]


@given(st.data())
def test_no_text_does_more_than_be_refused(data: st.DataObject) -> None:
    """Scenario files with a few places spoilt are read, or refused with places that exist."""
    text = data.draw(st.sampled_from(SCENARIOS)).read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 15))
        text = text[:start] + data.draw(st.sampled_from(SPOILERS)) + text[end:]
    try:
        trials = loads(text)
    except FileError as error:
        lines = text.splitlines() or [""]
        assert all(1 <= one.line <= len(lines) + 1 and one.column >= 1 for one in error.problems)
    else:
        assert trials


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "x.tamis.yaml"
    file.write_bytes(b"version: 1\nname: \xff\n")
    with pytest.raises(FileError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:2:1: not UTF-8"


def test_words_that_old_yaml_would_turn_into_something_else_are_text() -> None:
    headers = "{a: on, b: 12:30, c: 010, d: 1e3, e: true, f: 2026-01-31}"
    text = f"{HEAD}cases:\n- name: yes\n  request: {{headers: {headers}}}\n"
    request = loads(text)[0].case.request
    assert request is not None
    assert dict(request.headers) == {
        b"a": b"on", b"b": b"12:30", b"c": b"010", b"d": b"1e3", b"e": b"true", b"f": b"2026-01-31",
    }  # fmt: skip


def test_variables_are_filled_in_with_their_types() -> None:
    text = """version: 1
vars: {who: eve, code: 403, both: {a: [1, null]}}
filters: [{module: "${who}.wasm", config: "${both}"}]
cases:
- name: as ${who} $${who}
  table: [{who: bob}, {who: 7}]
  request: {path: "/${who}"}
  expect: {response: {status: "${code}"}}
"""
    one, two = loads(text)
    assert (one.id, two.id) == ("as bob ${who}", "as 7 ${who}")
    assert one.scenario.filters[0].module == "bob.wasm"
    assert one.scenario.filters[0].config == {"a": [1, None]}
    assert two.case.request is not None and two.case.request.path == "/7"
    assert two.case.expect is not None and two.case.expect.response is not None
    assert two.case.expect.response.status == 403
