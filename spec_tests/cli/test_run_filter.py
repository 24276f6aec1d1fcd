"""`tamis run` of a filter: the transcript, what came out at both sides, and JSON that is the same on every engine."""

from __future__ import annotations

import json
import socket
import struct
import threading
from pathlib import Path

import pytest

from hostabi.abi.codec import encode_pairs
from hostabi.abi.enums import AbiVersion
from hostabi.abi.resp import encode_command
from hostabi.testing.wat import small_filter

from .conftest import EXAMPLES, PROGRAMS, Tamis

GATE = PROGRAMS / "gate.wat"
GOLDEN = Path(__file__).parent / "golden"
FIXED = ("--seed", "1", "--clock", "1700000000")
KEYS = {"abi", "engine", "request", "response", "local_response", "logs", "calls", "fuel", "trap"}


@pytest.mark.parametrize("case", ["plain", "secret", "ask", "unanswered", "trap"])
def test_golden_transcripts(tamis: Tamis, engine: str, case: str) -> None:
    """What a person reads; the files are the output as it is, but for the engine's name."""
    path = {"plain": "/", "unanswered": "/ask"}.get(case, f"/{case}")
    answer = ("--call-response", "service=200:fine") if case == "ask" else ()
    ran = tamis("run", GATE, "--engine", engine, "--config", "be polite", "--path", path, *answer, *FIXED)
    assert ran.code == (134 if case == "trap" else 0)
    assert ran.out.replace(f"{engine} engine", "ENGINE") == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")
    if case == "trap":
        assert [line.split()[-1] for line in ran.err.splitlines()] == [
            "unreachable",
            "trap",
            "proxy_on_request_headers",
        ]
    else:
        assert ran.err == ""


def test_json_has_the_agreed_keys(tamis: Tamis, engine: str) -> None:
    ran = tamis(
        "run", GATE, "--engine", engine, "--json", "--config", "hi", "-H", "X-Test: 1", "-H", "x-test:2", *FIXED
    )
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert set(data) >= KEYS
    assert (data["abi"], data["engine"]) == ("0.2.1", engine)
    assert data["request"] == {
        "headers": [
            [":authority", "example.com"],
            [":path", "/"],
            [":method", "GET"],
            [":scheme", "http"],
            ["x-test", "1"],
            ["x-test", "2"],
            ["x-seen", "yes"],
        ],
        "body": "",
        "trailers": [],
    }
    assert data["response"]["headers"] == [[":status", "200"], ["content-type", "text/plain"], ["x-seen", "yes\\xff"]]
    assert data["response"]["body"] == "hello from the upstream\n"
    assert data["logs"] == [{"level": "info", "message": "hi"}, {"level": "info", "message": "to stdout"}]
    assert (data["local_response"], data["calls"], data["trap"]) == (None, [], None)
    assert data["fuel"] > 0


@pytest.mark.parametrize("path", ["/", "/secret", "/ask", "/trap", "/random"])
def test_json_is_the_same_on_every_engine(tamis: Tamis, engine: str, path: str) -> None:
    seen = []
    for name in (engine, "reference"):
        data = json.loads(tamis("run", GATE, "--engine", name, "--json", "--path", path, *FIXED).out)
        assert data.pop("engine") == name
        seen.append(data)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("module", sorted(EXAMPLES.rglob("*.wasm")), ids=lambda path: path.stem)
def test_examples_are_the_same_on_every_engine(tamis: Tamis, engine: str, module: Path) -> None:
    seen = []
    for name in (engine, "reference"):
        ran = tamis("run", module, "--engine", name, "--json", "-H", "x-test: 1", "--path", "/a?b=c", *FIXED)
        data = json.loads(ran.out)
        assert set(data) >= KEYS
        data.pop("engine")
        seen.append(data)
    assert seen[0] == seen[1]


def test_json_of_a_local_response(tamis: Tamis) -> None:
    data = json.loads(tamis("run", GATE, "--json", "--path", "/secret").out)
    assert data["request"] is None
    assert data["local_response"] == {
        "status": 403,
        "headers": [],
        "body": "no entry",
        "details": "",
        "grpc_status": None,
    }
    assert data["response"]["headers"][0] == [":status", "403"]


def test_json_of_a_trap(tamis: Tamis, engine: str) -> None:
    ran = tamis("run", GATE, "--engine", engine, "--json", "--path", "/trap")
    assert ran.code == 134
    trap = json.loads(ran.out)["trap"]
    assert "unreachable" in trap["message"]
    assert [frame.split()[-1] for frame in trap["backtrace"]] == ["trap", "proxy_on_request_headers"]


def test_json_of_a_call(tamis: Tamis) -> None:
    data = json.loads(tamis("run", GATE, "--json", "--path", "/ask").out)
    (call,) = data["calls"]
    assert call["upstream"] == "service"
    assert call["headers"] == [[":method", "GET"], [":path", "/"], [":authority", "service"]]
    assert data["request"]["headers"][-1] == ["x-seen", "yes"]


def test_bodies_that_are_no_text(tamis: Tamis, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff\0\xfe")
    data = json.loads(
        tamis("run", GATE, "--json", "-X", "POST", "--body-file", tmp_path / "body", "--response-body", "\u00e9").out
    )
    assert data["request"]["body_base64"] == "/wD+"
    assert "body" not in data["request"]
    assert data["response"]["body"] == "\u00e9"
    ran = tamis("run", GATE, "-X", "POST", "--body-file", tmp_path / "body")
    assert "(3 bytes that are no text)" in ran.out


def test_options_reach_the_filter(tamis: Tamis, tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"from a file\n")
    options = ("--authority", "a.example", "--scheme", "https", "-X", "PUT", "--path", "/x?y=z", "--body", "12345")
    answer = ("--status", "404", "--response-header", "Server: s", "--response-body", "gone", "--chunk", "2")
    ran = tamis("run", GATE, "--json", *options, *answer, "--config", f"@{tmp_path}/config")
    data = json.loads(ran.out)
    assert data["request"]["headers"][:4] == [
        [":authority", "a.example"],
        [":path", "/x?y=z"],
        [":method", "PUT"],
        [":scheme", "https"],
    ]
    assert data["request"]["body"] == "12345"
    assert data["response"]["headers"][:3] == [[":status", "404"], ["content-type", "text/plain"], ["server", "s"]]
    assert data["response"]["body"] == "gone"
    assert data["logs"][0]["message"] == "from a file\n"


def test_log_level(tamis: Tamis) -> None:
    data = json.loads(tamis("run", GATE, "--json", "--config", "x", "--log-level", "warn").out)
    assert data["logs"] == []


def test_fuel_is_for_one_call(tamis: Tamis, engine: str) -> None:
    ran = tamis("run", GATE, "--engine", engine, "--json", "--fuel", "3")
    assert ran.code == 134
    assert "all fuel consumed" in json.loads(ran.out)["trap"]["message"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["extra"], 2, "is a filter and takes no arguments: extra"),
        (["-H", "no colon"], 2, "'no colon' is not NAME: VALUE"),
        (["--call-response", "x"], 2, "'x' is not CLUSTER=STATUS[:BODY]"),
        (["--property", "x"], 2, "'x' is not a.b=VALUE"),
        (["--property", "a=9223372036854775808"], 2, "does not fit 64 bits; as text it is 'a=\"9223372036854775808\"'"),
        (["--property", "a=1e999"], 2, "1e999 does not fit 64 bits"),
        (["--dir", "."], 2, "--dir is for programs: a filter has no files"),
        (["--invoke", "f", "--json"], 2, "--json goes with a filter's exchange, not with --invoke"),
        (["--profile", "apache"], 2, "there is no profile 'apache'; known are default"),
        (["--status", "1"], 2, "Invalid value for '--status'"),
        (["--chunk", "0"], 2, "Invalid value for '--chunk'"),
        (["--clock", "soon"], 2, "'soon' is no number of seconds"),
        (["--clock", "nan"], 2, "'nan' is no time between"),
        (["--body", "a", "--body-file", "b"], 2, "--body and --body-file exclude each other"),
        (["--body-file", "/nowhere/b"], 1, "tamis: /nowhere/b: No such file or directory"),
        (["--config", "@/nowhere/c"], 1, "tamis: /nowhere/c: No such file or directory"),
        (["--engine", "steam"], 1, "no engine is called 'steam'"),
        (["--log-level", "loud"], 2, "Invalid value for '--log-level'"),
    ],
)
def test_wrong_options(tamis: Tamis, options: list[str], code: int, said: str) -> None:
    ran = tamis("run", GATE, *options)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", (5).to_bytes(8, "little")),
        ("-1", b"\xff" * 8),
        ("1.5", struct.pack("<d", 1.5)),
        ("1e300", struct.pack("<d", 1e300)),
        ("true", b"\1"),
        ("false", b"\0"),
        ('"5"', b"5"),
        ('"true"', b"true"),
        ('"a\\u00e9"', "a\u00e9".encode()),
        ("plain", b"plain"),
        ("", b""),
        ("01", b"01"),
        ("NaN", b"NaN"),
        ("null", b"null"),
        ('{"a": 1}', b'{"a": 1}'),
        ("[1]", b"[1]"),
        ('"', b'"'),
        ("a=b", b"a=b"),
    ],
)
def test_properties_have_the_types_of_json(tamis: Tamis, tmp_path: Path, text: str, value: bytes) -> None:
    path = tmp_path / "reader.wat"
    path.write_text(
        small_filter(
            {
                "proxy_on_request_headers": "(drop (call $proxy_get_property (i32.const 16) (i32.const 3) (i32.const 0)"
                " (i32.const 4))) (drop (call $proxy_log (i32.const 2) (i32.load (i32.const 0))"
                " (i32.load (i32.const 4)))) (i32.const 0)"
            },
            data={16: b"a\0b"},
        )
    )
    ran = tamis("run", path, "--json", "--property", f"a.b={text}")
    said = json.loads(ran.out)["logs"][-1]["message"]
    assert said == value.decode("utf-8", "backslashreplace")


def test_filter_that_traps_while_starting(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "bad.wat"
    path.write_text('(module (func (export "proxy_abi_version_0_2_1")) (func $go (export "_start") unreachable))')
    ran = tamis("run", path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[0] == f"tamis: {path}: the filter failed while starting: unreachable"
    assert ran.err.splitlines()[1].split()[-1] == "go"


def test_filter_that_refuses_its_configuration(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "picky.wat"
    path.write_text(
        '(module (func (export "proxy_abi_version_0_2_1"))'
        ' (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0)))'
    )
    ran = tamis("run", path, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["trap"] is not None
    assert "proxy_on_configure" in ran.err


def test_unknown_abi(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "new.wat"
    path.write_text('(module (func (export "proxy_abi_version_9_9_9")))')
    ran = tamis("run", path)
    assert (ran.code, ran.err) == (1, f"tamis: {path}: Missing or unknown Proxy-Wasm ABI version\n")


def test_controls_in_what_a_guest_says_stay_visible(tamis: Tamis) -> None:
    """A filter must not be able to move the cursor of the terminal it is watched on."""
    ran = tamis("run", GATE, "--config", "a\x1b[2Jb\rc")
    assert "\x1b" not in ran.out
    assert "\r" not in ran.out
    assert "\\x1b[2J" in ran.out


def test_a_filter_that_never_comes_to_rest(tamis: Tamis, tmp_path: Path) -> None:
    """Each answer makes it call again: the run ends all the same, and says why."""
    headers = encode_pairs(((b":method", b"GET"), (b":path", b"/"), (b":authority", b"x")))
    call = "(drop (call $proxy_http_call (i32.const 16) (i32.const 4)"
    call += f" (i32.const 64) (i32.const {len(headers)}) {'(i32.const 0) ' * 5}(i32.const 8)))"
    module = tmp_path / "busy.wat"
    text = small_filter(
        {"proxy_on_request_headers": f"{call} (i32.const 0)", "proxy_on_http_call_response": call},
        data={16: b"loop", 64: headers},
    )
    module.write_text(text, encoding="utf-8")
    ran = tamis("run", module)
    assert ran.code == 1
    assert ran.err.endswith("busy.wat: the filters kept the host busy for more than 10000 events\n")


NETWORK = Path(__file__).parents[1] / "proxy_wasm" / "scenarios" / "filters" / "network_orders.wasm"


def test_a_connection(tamis: Tamis, engine: str, tmp_path: Path) -> None:
    """Pieces from both sides in turn, as text and from a file, until both end."""
    (tmp_path / "sent").write_bytes(b"\xff\0")
    pieces = ("--downstream", "hello", "--upstream", "world", "--downstream", f"@{tmp_path / 'sent'}")
    config = "downstream_data/1: return 1; upstream_data: write 3 0 0 <".replace("; ", "\n")
    ran = tamis("run", NETWORK, "--engine", engine, *pieces, "--config", config, "--json", *FIXED)
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert data["tcp"] == {
        "upstream_base64": "aGVsbG//AA==",
        "downstream": "<world<",
        "upstream_end": True,
        "downstream_end": True,
        "closed": "local",
        "reason": "both sides have ended",
    }
    assert "request" not in data and data["paused"] is False and data["trap"] is None


def test_a_connection_as_people_read_it(tamis: Tamis) -> None:
    ran = tamis("run", NETWORK, "--tcp", "--downstream", "hello", "--config", "downstream_data: close 2")
    assert "proxy_on_downstream_data(context=2, data_size=5, end_of_stream=0) -> CONTINUE" in ran.out
    assert "\nTo the upstream\n\nTo the client\n\nclosed: local, closed by the filter\n" in ran.out
    held = tamis("run", NETWORK, "--tcp", "--config", "new_connection: return 1")
    assert held.code == 0 and "\nThe upstream was not connected\n" in held.out
    failed = tamis("run", NETWORK, "--tcp", "--config", "new_connection: trap")
    assert failed.code == 134 and "wasm_fail_stream" in failed.out


@pytest.mark.parametrize("option", [("-X", "POST"), ("--status", "404"), ("--body", "x"), ("--chunk", "1")])
def test_a_connection_has_no_request(tamis: Tamis, option: tuple[str, str]) -> None:
    ran = tamis("run", NETWORK, "--tcp", *option)
    assert ran.code == 2 and "goes with a request, not with a connection" in ran.err


def test_names_on_the_command_line(tamis: Tamis) -> None:
    config = "request_headers: lookup a.test\nrequest_headers: lookup b.test\nresolve_dns: addresses"
    ran = tamis("run", NETWORK, "--config", config, "--dns", "a.test=10.0.0.1,::1", "--json")
    said = [log["message"] for log in json.loads(ran.out)["logs"]]
    assert said[2:] == ["addresses 0 2 60s 10.0.0.1:0 60s [::1]:0", "addresses 0 0"]
    assert tamis("run", NETWORK, "--dns", "a.test").code == 2


# --- Redis


def asks_redis(folder: Path) -> Path:
    """A filter of Higress that asks a Redis service for something and reads the answer."""
    query = encode_command(b"GET", b"key")

    def made(name: str, *numbers: int) -> str:
        return f"(drop (call ${name} {' '.join(f'(i32.const {n})' for n in numbers)}))"

    text = small_filter(
        {
            "proxy_on_configure": made("proxy_redis_init", 100, 5, 0, 0, 0, 0, 500) + " (i32.const 1)",
            "proxy_on_request_headers": made("proxy_redis_call", 100, 5, 200, len(query), 300) + " (i32.const 0)",
            "proxy_on_redis_call_response": made("proxy_get_buffer_bytes", 9, 0, 99, 300, 304),
        },
        data={100: b"redis", 200: query},
        abi=AbiVersion.V0_2_100,
    )
    path = folder / "asks.wat"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("value", "shown"),
    [("5", ":5"), ("null", "$-1"), ('["a", 1]', "*2"), ("some text", "$9"), ('"5"', "$1")],
)
def test_canned_answers_of_redis(tamis: Tamis, tmp_path: Path, value: str, shown: str) -> None:
    ran = tamis("run", asks_redis(tmp_path), "--redis-response", f"redis={value}", *FIXED)
    assert ran.code == 0 and f"-> OK '{shown}" in ran.out, ran.out


def test_redis_that_is_not_there(tamis: Tamis, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    ran = tamis("run", asks_redis(tmp_path), "--redis-cluster", f"redis={address}", *FIXED)
    assert ran.code == 0 and "status=NETWORK_ERROR" in ran.out
    assert f"Redis: redis: {address} cannot be reached" in ran.err
    assert "status=NETWORK_ERROR" in tamis("run", asks_redis(tmp_path), *FIXED).out


def test_a_server_that_speaks_redis(tamis: Tamis, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"$5\r\nvalue\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ran = tamis("run", asks_redis(tmp_path), "--redis-cluster", f"redis={address}", *FIXED)
        thread.join(10)
    assert ran.code == 0 and "value" in ran.out and ran.err == ""


@pytest.mark.parametrize(("option", "value"), [("--redis-cluster", "redis"), ("--redis-response", "=1")])
def test_wrong_options_for_redis(tamis: Tamis, tmp_path: Path, option: str, value: str) -> None:
    ran = tamis("run", asks_redis(tmp_path), option, value)
    assert ran.code == 2 and "is not" in ran.err
