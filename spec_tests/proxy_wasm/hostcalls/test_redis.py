"""Redis from filters of Higress: the calls, what comes back, and a client for real servers (abi_reference 11.4)."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi import AbiVersion, Limits, Status
from hostabi.abi.resp import (
    ErrorReply,
    RespError,
    StatusReply,
    count_commands,
    encode_command,
    encode_reply,
    read_command,
    value_end,
)
from hostabi.adapters.redis import RedisClient, RedisFailure, RedisServers
from hostabi.adapters.redis_calls import Reply
from hostabi.adapters.session import Session
from hostabi.adapters.streams import Outcome
from hostabi.core.commands import RedisCall, RedisInit
from hostabi.core.transcript import Called
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import OUTPUTS, call, callback, callbacks, expression
from spec_tests.proxy_wasm.kit import Outcome as Made

HIGRESS = AbiVersion.V0_2_100
PING = encode_command(b"PING")

# --- RESP

REPLIES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(REPLIES, st.binary(max_size=4))
def test_where_a_value_ends(reply: object, rest: bytes) -> None:
    data = encode_reply(reply)
    assert value_end(data + rest) == len(data)
    assert all(value_end(data[:n]) is None for n in range(len(data)))


@given(st.lists(st.lists(st.binary(max_size=6), max_size=4), min_size=1, max_size=4))
def test_commands_are_counted(commands: list[list[bytes]]) -> None:
    query = b"".join(encode_command(*words) for words in commands)
    assert count_commands(query) == len(commands)
    assert read_command(query) == tuple(commands[0])


@given(st.binary(max_size=40))
def test_any_bytes_are_resp_or_refused(data: bytes) -> None:
    for read in (value_end, count_commands):
        try:
            read(data)
        except RespError:
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"?\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"$1\r\nabc",
        b"*99999999999\r\n",
        b"$99999999999\r\n",
        b"*1\r\n" * 40,
        b"+" * 70000,
    ],
)
def test_what_is_no_resp(data: bytes) -> None:
    with pytest.raises(RespError):
        value_end(data)


@pytest.mark.parametrize("data", [b"", b"PING\r\n", PING[:-1], b"+OK\r\n"])
def test_what_is_no_query(data: bytes) -> None:
    with pytest.raises(RespError):
        count_commands(data)


def test_replies() -> None:
    assert encode_reply(StatusReply("OK")) == b"+OK\r\n"
    assert encode_reply(ErrorReply("ERR no\nway")) == b"-ERR no way\r\n"
    assert encode_reply({"a": 1.5}) == b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n"
    assert value_end(b"%1\r\n+a\r\n:1\r\n") == 12
    with pytest.raises(RespError):
        encode_reply(object())


# --- the calls

SERVICE = b"redis"
INIT = expression("proxy_redis_init", [512, len(SERVICE), 0, 0, 0, 0, 50])


def redis(engine: str, name: str, *values: Any, **rest: Any) -> Made:
    data = {512: SERVICE, **rest.pop("data", {})}
    return call(engine, name, *values, abi=HIGRESS, data=data, **rest)


@pytest.mark.parametrize(
    ("service", "status"),
    [
        (b"redis", Status.OK),
        (b"redis?db=3&buffer_flush_timeout=5&max_buffer_size_before_flush=1024&else=x", Status.OK),
        (b"redis?db=x", Status.BAD_ARGUMENT),
        (b"other", Status.BAD_ARGUMENT),
        (b"", Status.BAD_ARGUMENT),
    ],
)
def test_a_service_is_set_up(engine: str, service: bytes, status: Status) -> None:
    host = {"upstreams": frozenset({"redis"})}
    got = redis(engine, "proxy_redis_init", service, b"me", b"secret", 250, host=host)
    assert got.status is status
    wanted = [command for command in got.exchange.commands if isinstance(command, RedisInit)]
    if status is Status.OK:
        options = (3, 5, 1024) if b"?" in service else (0, 0, 0)
        plugin = got.host.plugins[0].key
        assert wanted == [RedisInit(plugin, "redis", b"me", b"secret", 250, *options)]
    else:
        assert not wanted


@pytest.mark.parametrize(
    ("service", "query", "before", "status"),
    [
        (SERVICE, PING, (INIT,), Status.OK),
        (b"redis?db=1", PING * 3, (INIT,), Status.OK),
        (SERVICE, PING, (), Status.INTERNAL_FAILURE),
        (SERVICE, b"PING\r\n", (INIT,), Status.BAD_ARGUMENT),
        (SERVICE, b"", (INIT,), Status.BAD_ARGUMENT),
        (SERVICE, PING[:-1], (INIT,), Status.BAD_ARGUMENT),
        (b"other", PING, (INIT,), Status.BAD_ARGUMENT),
    ],
)
def test_a_query_is_sent(engine: str, service: bytes, query: bytes, before: tuple[str, ...], status: Status) -> None:
    host = {"upstreams": frozenset({"redis"})}
    got = redis(engine, "proxy_redis_call", service, query, before=before, host=host)
    assert got.status is status
    sent = [command for command in got.exchange.commands if isinstance(command, RedisCall)]
    if status is Status.OK:
        assert [(one.upstream, one.query, one.commands) for one in sent] == [("redis", query, query.count(b"PING"))]
        assert got.output == sent[0].token and sent[0].token & 3 == 3
    else:
        assert not sent


def test_queries_and_services_are_limited(engine: str) -> None:
    def again(**limits: Any) -> Status:
        host = {"limits": Limits(**limits)}
        once = expression("proxy_redis_call", [512, len(SERVICE), 1024 + len(SERVICE) + 1, len(PING)])
        return redis(engine, "proxy_redis_call", SERVICE, PING, before=(INIT, once), host=host).status

    assert again(outstanding_calls=2) is Status.OK
    assert again(outstanding_calls=1) is Status.INTERNAL_FAILURE
    assert again(call_body_bytes=4) is Status.INTERNAL_FAILURE
    more = redis(
        engine, "proxy_redis_init", b"b", b"", b"", 0, before=(INIT,), host={"limits": Limits(redis_services=1)}
    )
    assert more.status is Status.INTERNAL_FAILURE


def test_only_filters_of_higress_have_them() -> None:
    from hostabi.abi.hostcall import REGISTRY

    assert REGISTRY.calls["proxy_redis_call"].versions == {HIGRESS}


# --- what comes back

READ = expression("proxy_get_buffer_bytes", [9, 0, 1000])
ANSWERED = f"(drop {READ}) (drop {expression('proxy_get_status', [OUTPUTS])})"
ASK = expression("proxy_redis_call", [512, len(SERVICE), 600, len(PING)])


def asking(engine: str, *, body: str = ANSWERED, timeout: int = 50, **host: Any) -> FilterHost:
    set_up = expression("proxy_redis_init", [512, len(SERVICE), 0, 0, 0, 0, timeout])
    text = small_filter(
        {
            "proxy_on_configure": callback("proxy_on_configure", set_up),
            "proxy_on_request_headers": callback("proxy_on_request_headers", ASK),
            "proxy_on_redis_call_response": body,
        },
        data={512: SERVICE, 600: PING},
        abi=HIGRESS,
    )
    return FilterHost(text, engine=engine, **host)


def seen(records: list[Any]) -> tuple[list[str], list[Any]]:
    """The callbacks of an answer, and what its buffer and status were."""
    called = [
        r for r in records if isinstance(r, Called) and r.function in ("proxy_get_buffer_bytes", "proxy_get_status")
    ]
    back = [line for line in callbacks(records) if "redis" in line]
    return back, [(Status(r.result or 0), *r.outputs) for r in called]


def test_an_answer(engine: str) -> None:
    host = asking(engine, redis={"redis": Reply("PONG")})
    back, read = seen(host.exchange().transcript)
    assert back == ["on_redis_call_response(1, 7, 0, 10)"]
    assert read == [(Status.OK, b"$4\r\nPONG\r\n"), (Status.OK, 0, b"")]


def test_no_answer(engine: str) -> None:
    back, read = seen(asking(engine).exchange().transcript)
    assert back == ["on_redis_call_response(1, 7, 1, 0)"]
    assert read == [(Status.NOT_FOUND,), (Status.OK, 11, b"reset")]


def test_an_answer_over_the_limit_is_none(engine: str) -> None:
    host = asking(engine, redis={"redis": Reply("PONG")}, limits=Limits(redis_response_bytes=5))
    assert seen(host.exchange().transcript)[0] == ["on_redis_call_response(1, 7, 1, 0)"]


def test_the_buffer_is_gone_afterwards(engine: str) -> None:
    after = callback("proxy_on_log", READ)
    host = asking(engine, redis={"redis": Reply("PONG")}, body="")
    assert host.exchange().trap is None
    got = call(engine, "proxy_get_buffer_bytes", 9, 0, 10, abi=HIGRESS)
    assert got.status is Status.NOT_FOUND and after
    assert call(engine, "proxy_get_buffer_bytes", 9, 0, 10).status is Status.BAD_ARGUMENT


def session(engine: str, **rest: Any) -> Session:
    made = asking(engine, start=False, **rest)
    found = Session(made.host, made.chain)
    found.start()
    return found


def waiting(one: Session) -> list[str]:
    records = list(one.host.transcript)
    one.host.transcript.clear()
    return [line for line in callbacks(records) if "redis" in line]


def request(one: Session, name: str = "main") -> None:
    from hostabi.adapters.message import Request

    one.request(Request(), name)


def test_a_session_for_tests_takes_answers_too(engine: str) -> None:
    from hostabi.testing import FilterSession

    text = small_filter(
        {
            "proxy_on_configure": callback("proxy_on_configure", INIT),
            "proxy_on_request_headers": callback("proxy_on_request_headers", ASK),
            "proxy_on_redis_call_response": "",
        },
        data={512: SERVICE, 600: PING},
        abi=HIGRESS,
    )
    one = FilterSession(text, engine=engine, redis=lambda query: Reply(StatusReply(query.upstream)))
    request(one)
    assert waiting(one) == ["on_redis_call_response(1, 7, 0, 8)"]


def test_queries_wait_and_are_late(engine: str) -> None:
    one = session(engine)
    request(one)
    one.advance(49_000_000)
    assert waiting(one) == []
    one.advance(1_000_000)
    assert waiting(one) == ["on_redis_call_response(1, 7, 1, 0)"]


def test_without_a_timeout_they_wait_for_good(engine: str) -> None:
    one = session(engine, timeout=0)
    request(one)
    one.advance(10**15)
    assert waiting(one) == []
    one.redis("redis", Reply(5))
    assert waiting(one) == ["on_redis_call_response(1, 7, 0, 4)"]


def test_what_is_to_come_can_be_said_before(engine: str) -> None:
    one = session(engine)
    one.redis(lambda query: read_command(query.query) == (b"PING",), Outcome.RESET)
    request(one)
    assert waiting(one) == ["on_redis_call_response(1, 7, 1, 0)"]


def test_a_dead_vm_hears_nothing(engine: str) -> None:
    one = session(engine, body="(unreachable)", timeout=0)
    request(one, "a")
    request(one, "b")
    one.redis("redis", Reply(1))
    one.redis("redis", Reply(2))
    assert waiting(one) == ["on_redis_call_response(1, 7, 0, 4)"]
    assert not one.redis_calls.waiting


# --- a client, and servers


class Server:
    """A server that says what it was sent, and answers from a script: one entry for each command."""

    def __init__(self, script: Callable[[tuple[bytes, ...]], bytes | None]) -> None:
        self.script = script
        self.commands: list[tuple[bytes, ...]] = []
        self.chunks = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        while chunk := await reader.read(65536):
            self.chunks += 1
            held += chunk
            while (end := value_end(held)) is not None if held else False:
                command = read_command(held[:end])
                held = held[end:]
                self.commands.append(command)
                answer = self.script(command)
                if answer is None:
                    return
                writer.write(answer)

    def run(self, play: Callable[[int], Any]) -> Any:
        async def both() -> Any:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            try:
                return await play(server.sockets[0].getsockname()[1])
            finally:
                server.close()
                for _ in range(100):  # until the connections are gone
                    await asyncio.sleep(0.001)

        return asyncio.run(asyncio.wait_for(both(), 30))


def settings(**values: Any) -> RedisInit:
    return RedisInit(
        "p", "redis", values.pop("user", b""), values.pop("password", b""), values.pop("timeout_ms", 2000), **values
    )


def echo(command: tuple[bytes, ...]) -> bytes:
    return b"+OK\r\n" if command[0] in (b"AUTH", b"SELECT") else encode_reply(list(command))


def test_a_client_says_who_it_is_and_sends_queries_as_they_are() -> None:
    server = Server(echo)

    async def play(port: int) -> list[bytes]:
        client = RedisClient("127.0.0.1", port, settings(user=b"me", password=b"pw", database=3))
        first = await client.call(encode_command(b"GET", b"a"))
        both = await client.call(encode_command(b"A") + encode_command(b"B"), 2)
        await client.close()
        return [first, both]

    first, both = server.run(play)
    assert first == encode_reply(["GET", "a"]) and both == encode_reply(["A"]) + encode_reply(["B"])
    assert server.commands[:2] == [(b"AUTH", b"me", b"pw"), (b"SELECT", b"3")] and server.connections == 1


def test_queries_do_not_wait_for_each_other() -> None:
    server = Server(echo)

    async def play(port: int) -> list[bytes]:
        client = RedisClient("127.0.0.1", port, settings())
        found = await asyncio.gather(*(client.call(encode_command(b"%d" % i)) for i in range(100)))
        await client.close()
        return found

    assert server.run(play) == [encode_reply([b"%d" % i]) for i in range(100)]
    assert server.connections == 1


@pytest.mark.parametrize(("flush_bytes", "fewest", "most"), [(1 << 20, 1, 2), (0, 2, 20)])
def test_queries_are_collected_for_a_moment(flush_bytes: int, fewest: int, most: int) -> None:
    server = Server(echo)

    async def play(port: int) -> None:
        client = RedisClient("127.0.0.1", port, settings(flush_ms=20, flush_bytes=flush_bytes))

        async def one(i: int) -> None:
            await asyncio.sleep(0.002 * i)
            await client.call(PING)

        await asyncio.gather(*(one(i) for i in range(8)))
        await client.close()

    server.run(play)
    assert len(server.commands) == 8 and fewest <= server.chunks <= most


def broken(script: Callable[[tuple[bytes, ...]], bytes | None], **values: Any) -> str:
    async def play(port: int) -> str:
        client = RedisClient("127.0.0.1", port, settings(**values))
        with pytest.raises(RedisFailure) as caught:
            await client.call(PING)
        await client.close()
        return str(caught.value)

    reason: str = Server(script).run(play)
    return reason


def test_what_goes_wrong() -> None:
    assert broken(lambda command: b"", timeout_ms=50) == "no answer in time"
    assert broken(lambda command: None) == "the server went away"
    assert "begins no value" in broken(lambda command: b"?what\r\n")
    assert broken(lambda command: b"-WRONGPASS no\r\n", password=b"pw") == "WRONGPASS no"


def test_a_client_connects_anew_after_a_failure() -> None:
    answers = iter([None, b"+OK\r\n"])
    server = Server(lambda command: next(answers))

    async def play(port: int) -> bytes:
        client = RedisClient("127.0.0.1", port, settings())
        with pytest.raises(RedisFailure):
            await client.call(PING)
        found = await client.call(PING)
        await client.close()
        return found

    assert server.run(play) == b"+OK\r\n" and server.connections == 2


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with RedisServers({"redis": ("127.0.0.1", port)}, {"canned": Reply(1)}) as servers:
        servers.set_up(settings())
        assert servers.ask(RedisCall("p", 7, "redis", PING)) is Outcome.RESET
        assert servers.ask(RedisCall("p", 7, "canned", PING)) == Reply(1)
        assert servers.ask(RedisCall("p", 7, "unknown", PING)) is Outcome.RESET
        assert "cannot be reached" in servers.failures[0]


# --- a real server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server that asks for the password pw."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine; the tests above have one of their own")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    folder = Path(tmp_path_factory.mktemp("redis"))
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--requirepass", "pw"]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def test_a_real_server(real: int) -> None:
    async def play() -> list[bytes]:
        client = RedisClient("127.0.0.1", real, settings(password=b"pw", database=2))
        found = [
            await client.call(encode_command(b"SET", b"k", b"v")),
            await client.call(encode_command(b"GET", b"k") + encode_command(b"INCR", b"n"), 2),
            await client.call(encode_command(b"EVAL", b"return {1, ARGV[1], {2}}", b"0", b"x")),
            await client.call(encode_command(b"NO", b"SUCH")),
        ]
        await client.close()
        return found

    got = asyncio.run(play())
    assert got[:3] == [b"+OK\r\n", b"$1\r\nv\r\n:1\r\n", b"*3\r\n:1\r\n$1\r\nx\r\n*1\r\n:2\r\n"]
    assert got[3].startswith(b"-ERR unknown command")


def test_a_real_server_refuses_a_wrong_password(real: int) -> None:
    async def play() -> str:
        client = RedisClient("127.0.0.1", real, settings(password=b"no"))
        with pytest.raises(RedisFailure) as caught:
            await client.call(PING)
        await client.close()
        return str(caught.value)

    assert asyncio.run(play()).startswith("WRONGPASS")


def test_a_filter_and_a_real_server(engine: str, real: int) -> None:
    with RedisServers({"redis": ("127.0.0.1", real)}) as servers:
        host = asking(engine, redis=servers)
        back, read = seen(host.exchange().transcript)
    assert back == ["on_redis_call_response(1, 7, 0, 34)"]
    assert read[0][1] == b"-NOAUTH Authentication required.\r\n"


_plugins = importlib.util.find_spec("gpustack_higress_plugins")


@pytest.mark.skipif(_plugins is None, reason="pip install gpustack-higress-plugins for this")
def test_an_unmodified_plugin_limits_rates_with_a_script_in_a_real_server(real: int) -> None:
    """GPUStack's rate limiter: two requests a minute of one user, counted by its Lua script."""
    assert _plugins is not None and _plugins.submodule_search_locations is not None
    folder = Path(_plugins.submodule_search_locations[0], "plugins", "gpustack-rate-limit")
    config = {
        "redis": {"service_name": "redis.static", "service_port": 6379, "password": "pw", "database": 1},
        "rule_name": "r",
        "limit_combinations": [
            {
                "name": "c",
                "match": [{"type": "exact", "source": "header", "name": "x-user", "value": "eve"}],
                "query_limits": {"per_minute": 2},
            }
        ],
    }
    with RedisServers({"outbound|6379||redis.static": ("127.0.0.1", real)}) as servers:
        hosts = [FilterHost(max(folder.glob("*/plugin.wasm")), config=config, redis=servers, seed=i) for i in range(2)]
        ask = {"method": "POST", "path": "/v1/chat/completions"}
        # Two hosts that share nothing but the server.
        statuses = [hosts[i % 2].exchange(**ask, headers={"x-user": "eve"}).status for i in range(4)]
        other = hosts[0].exchange(**ask, headers={"x-user": "bob"}).status
    assert (statuses, other) == ([200, 200, 429, 429], 200)
    assert servers.failures == []
