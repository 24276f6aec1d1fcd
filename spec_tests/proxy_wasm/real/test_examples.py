"""The example filters: what each README says about them holds, and both engines say the same of every exchange."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostabi.testing import Answer, Exchange, FilterHost, exchange_data
from interp.exec.engines import available
from spec_tests.promises.docs import commands

FILTERS = Path(__file__).parents[3] / "examples" / "filters"
NAMES = sorted(path.stem for path in FILTERS.glob("*/*.wasm"))

TEXT = {"content-type": "text/plain", "content-length": "12"}
JSON = {"content-type": "application/json", "content-length": "12"}


def host(name: str, engine: str, **options: Any) -> FilterHost:
    return FilterHost(FILTERS / name / f"{name}.wasm", engine=engine, **options)


def test_every_example_is_built_and_explained() -> None:
    folders = {path.parent.name for path in FILTERS.glob("*/README.md")}
    assert set(NAMES) == folders and len(NAMES) == 10
    table = (FILTERS.parent / "README.md").read_text()
    for name in NAMES:
        assert f"(filters/{name})" in table
        assert f"tamis run examples/filters/{name}/{name}.wasm" in (FILTERS / name / "README.md").read_text()


#: What the commands of the READMEs must show, in their order.
SHOWN = {
    "auth": ["www-authenticate: Bearer", "+ x-user: alice"],
    "body_rewrite": ["go to www.example.org"],
    "crash": ["inspect_token"],
    "grpc_users": ["+ x-user: eve", "unknown user"],
    "header_rewrite": ["+ x-team: blue"],
    "http_gate": ["hello from the upstream", "go away", "gate_unavailable"],
    "json_redact": ['{"user": "ann", "password": "***"}'],
    "metrics": ["proxy_increment_metric(metric=20, delta=1)", "responses_2xx 0"],
    "rate_limit": ["x-ratelimit-remaining: 99"],
    "redirect": ["location: https://docs.example.org/start?lang=en"],
}


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_the_readmes_show_what_they_say(name: str) -> None:
    shown = list(commands((FILTERS / name / "README.md").read_text(), "tamis"))
    assert len(shown) == len(SHOWN[name])
    for words, text in zip(shown, SHOWN[name], strict=True):
        program = [sys.executable, "-c", "from hostabi.cli import main; main()", *words]
        ran = subprocess.run(program, cwd=FILTERS.parents[1], capture_output=True, text=True, timeout=60)
        assert text in ran.stdout, ran.stderr
        assert ran.returncode == (134 if name == "crash" else 0)


# --- header_rewrite


def test_header_rewrite_sets_adds_and_removes(engine: str) -> None:
    rules = "request set x-team blue\nrequest remove cookie\nresponse add via 1.1 tamis\n\nresponse remove server\n"
    filter = host("header_rewrite", engine, config=rules)
    result = filter.exchange(
        headers=[("Cookie", "a=1"), ("cookie", "b=2"), ("x-team", "red"), ("x-team", "green")],
        response_headers={"server": "secret", "via": "1.1 other"},
    )
    assert result.request and result.response
    assert result.request.get_all("x-team") == ["blue"]
    assert result.request.get("cookie") is None
    assert result.response.get_all("via") == ["1.1 other,1.1 tamis"]
    assert result.response.get("server") is None


def test_header_rewrite_refuses_a_line_that_is_no_rule(engine: str) -> None:
    result = host("header_rewrite", engine, config="request sett a b").exchange()
    assert result.trap and "proxy_on_configure" in result.trap.message
    assert "no rule: request sett a b" in result.log_lines
    assert result.status == 503


# --- redirect


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/docs", 308, "https://docs.example.org"),
        ("/docs/a?b=c", 308, "https://docs.example.org/a?b=c"),
        ("/docs?b=c", 308, "https://docs.example.org?b=c"),
        ("/old/x", 302, "/new/x"),
        ("/docserver", 200, None),
        ("/", 200, None),
    ],
)
def test_redirect(engine: str, path: str, status: int, location: str | None) -> None:
    filter = host("redirect", engine, config="308 /docs https://docs.example.org\n302 /old/ /new/")
    result = filter.exchange(path=path)
    assert result.status == status
    assert result.response and result.response.get("location") == location
    assert (result.request is None) == (status != 200)


# --- body_rewrite


def test_body_rewrite_finds_words_across_chunks(engine: str) -> None:
    filter = host("body_rewrite", engine, config="staging.example.org=www.example.org\nsecret=")
    for _ in range(3):
        result = filter.exchange(
            response_headers=TEXT, response_chunks=["at sta", "ging.exam", "ple.org", ": no secret", "!"]
        )
        assert result.response and result.response.body == b"at www.example.org: no !"
        assert result.response.get("content-length") is None


@pytest.mark.parametrize("headers", [{"content-type": "image/png"}, {**TEXT, "content-encoding": "gzip"}])
def test_body_rewrite_leaves_other_bodies_alone(engine: str, headers: dict[str, str]) -> None:
    result = host("body_rewrite", engine, config="a=b").exchange(response_headers=headers, response_body="aaa")
    assert result.response and result.response.body == b"aaa"
    assert result.response.get("content-length") == headers.get("content-length")


# --- rate_limit


def test_rate_limit_counts_and_begins_anew(engine: str) -> None:
    filter = host("rate_limit", engine, config="2 60000", root_id="here")
    left = [filter.exchange() for _ in range(4)]
    assert [one.status for one in left] == [200, 200, 429, 429]
    assert [one.request.get("x-ratelimit-remaining") for one in left if one.request] == ["1", "0"]
    assert left[2].response and left[2].response.get("retry-after") == "60"
    assert filter.tick()
    assert filter.exchange().status == 200


def test_rate_limit_counts_root_ids_apart_and_vms_together(engine: str) -> None:
    """Two filters of one host share what is under the same vm_id, which is what makes the limit one for all workers."""
    path = FILTERS / "rate_limit" / "rate_limit.wasm"
    both = FilterHost(path, path, engine=engine, config="3 60000")
    assert [both.exchange().status for _ in range(2)] == [200, 429]


# --- crash


@pytest.mark.parametrize(
    ("kind", "message", "innermost"),
    [
        ("1", "unreachable", "explode"),
        ("2", "out of bounds memory access", "explode"),
        ("3", "integer divide by zero", "explode"),
        ("4", "call stack exhausted", "recurse"),
        ("5", "undefined element", "call_through"),
    ],
)
def test_crash_is_reported_with_names(engine: str, kind: str, message: str, innermost: str) -> None:
    result = host("crash", engine).exchange(headers={"x-crash": kind})
    assert result.status == 503 and result.request is None
    assert result.trap and message in result.trap.message
    names = [line.split()[-1] for line in result.trap.backtrace]
    assert names[0] == innermost
    if kind != "4":  # the frames of an endless recursion leave no room for those at its root
        assert names[-4:] == ["explode", "inspect_token", "inspect_request", "proxy_on_request_headers"]
    assert "proxy_get_header_map_value" in result.trap.report


def test_crash_spares_other_requests(engine: str) -> None:
    filter = host("crash", engine)
    assert filter.exchange().status == 200
    assert filter.exchange(headers={"x-crash": "no number"}).status == 200


# --- metrics


def test_metrics_count(engine: str) -> None:
    filter = host("metrics", engine, config="/stats")
    for status in (200, 204, 404, 503, 200):
        filter.exchange(status=status)
    counts = filter.metrics()
    assert counts["responses_2xx"] == 3
    assert (counts["responses_4xx"], counts["responses_5xx"], counts["responses_3xx"]) == (1, 1, 0)
    assert counts["streams_in_flight"] == 0
    assert counts["stream_duration_us"] == 5
    page = filter.exchange(path="/stats")
    assert page.request is None and page.status == 200
    assert page.response and b"responses_2xx 3\n" in page.response.body


# --- auth


@pytest.mark.parametrize("given", [None, "Basic czNjcmV0", "Bearer wrong", "Bearer "])
def test_auth_denies(engine: str, given: str | None) -> None:
    headers = {"x-user": "root"} | ({"authorization": given} if given is not None else {})
    result = host("auth", engine, config="s3cret alice\nother bob").exchange(headers=headers)
    assert result.status == 401 and result.request is None
    assert result.response and result.response.get("www-authenticate") == 'Bearer realm="tamis"'
    assert result.response.body.endswith(b"\n")


def test_auth_lets_users_in(engine: str) -> None:
    filter = host("auth", engine, config="s3cret alice\nother bob")
    for token, user in (("s3cret", "alice"), ("other", "bob")):
        result = filter.exchange(headers={"authorization": f"Bearer {token}", "x-user": "root"})
        assert result.request and result.status == 200
        assert result.request.get_all("x-user") == [user]
        assert result.request.get("authorization") is None


# --- http_gate


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (Answer(200, {"x-user": "alice"}), 200, b"page"),
        (Answer(403, {}, "go away\n"), 403, b"go away\n"),
        (None, 503, b"the gate cannot be asked\n"),
    ],
)
def test_http_gate(engine: str, answer: Answer | None, status: int, body: bytes) -> None:
    calls = {"gate": answer} if answer else {}
    filter = host("http_gate", engine, config="gate /ask", calls=calls)
    result = filter.exchange(
        "POST", "/door?x", headers={"authorization": "Bearer abc"}, body="knock", response_body="page"
    )
    assert result.status == status and result.response and result.response.body == body
    assert [call.upstream for call in result.calls] == ["gate"]
    asked = dict(result.calls[0].headers)
    assert asked[b":path"] == b"/ask" and asked[b"x-original-path"] == b"/door?x"
    assert asked[b"x-original-method"] == b"POST" and asked[b"authorization"] == b"Bearer abc"
    if status == 200:
        assert result.request and result.request.get("x-user") == "alice" and result.request.body == b"knock"
    else:
        assert result.request is None


def test_http_gate_answers_when_the_call_cannot_leave(engine: str) -> None:
    result = host("http_gate", engine, config="gate /ask", upstreams=frozenset({"other"})).exchange()
    assert result.status == 503 and not result.calls


# --- json_redact


@pytest.fixture(scope="module")
def redacting(engine: str) -> FilterHost:
    return host("json_redact", engine, config="password, Token")


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ('{"user": "ann",  "password": "123"}', '{"user": "ann",  "password": "***"}'),
        ('[{"a": {"TOKEN": [1, {"x": 2}]}}, 1.50, null]', '[{"a": {"TOKEN": "***"}}, 1.50, null]'),
        (
            r'{"p\u0061ssword": 1, "\ud83d\ude00": "\"password\""}',
            r'{"p\u0061ssword": "***", "\ud83d\ude00": "\"password\""}',
        ),
        ('{"password": "cut of', "null"),
        ("[" * 600 + "]" * 600, "null"),
        ("[]", "[]"),
    ],
)
def test_json_redact(redacting: FilterHost, document: str, shown: str) -> None:
    middle = len(document) // 2
    result = redacting.exchange(response_headers=JSON, response_chunks=[document[:middle], document[middle:]])
    assert result.response and result.response.body.decode() == shown
    assert result.response.get("content-length") is None


def test_json_redact_leaves_other_bodies_alone(redacting: FilterHost) -> None:
    result = redacting.exchange(response_headers=TEXT, response_body='{"password": 1}')
    assert result.response and result.response.body == b'{"password": 1}'


# --- all of them


def everything(engine: str, name: str) -> list[object]:
    """What one host of a filter does in a few exchanges: results, transcripts, metrics, and the end."""
    filter = host(name, engine, seed=7)
    exchanges: list[Exchange] = [
        filter.exchange(),
        filter.exchange("POST", "/stats", headers={"x-crash": "1", "authorization": "Bearer x"}, chunks=["ab", "cd"]),
        filter.exchange(response_headers=JSON, response_body='{"token": 1}', response_trailers={"t": "1"}),
        filter.shutdown(),
    ]
    seen: list[object] = [filter.metrics()]
    for one in exchanges:
        seen += [exchange_data(one) | {"engine": None}, one.transcript, one.commands]
    return seen


@pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")
@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_on_everything(name: str) -> None:
    assert everything("native", name) == everything("reference", name)


@pytest.mark.parametrize("name", NAMES)
def test_no_example_traps_when_it_ends(engine: str, name: str) -> None:
    filter = host(name, engine)
    filter.exchange()
    end = filter.shutdown()
    assert end.trap is None, end.trap.report


def test_the_build_script_knows_every_example() -> None:
    found = importlib.util.spec_from_file_location("build_examples", FILTERS.parent / "build.py")
    assert found and found.loader
    build = importlib.util.module_from_spec(found)
    found.loader.exec_module(build)
    assert sorted(folder.name for folder in FILTERS.iterdir() if build.source_of(folder)) == NAMES
