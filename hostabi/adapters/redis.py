"""Redis over the network: a client that sends filters' queries as they are and cuts the stream of answers.

`RedisClient` is one connection on an event loop: queries are sent without waiting for the answers before them, and may
be collected for a moment to be sent together, as filters ask. `RedisServers` waits for each answer, for drivers that
cannot do otherwise. No library is needed: filters speak RESP themselves, and all there is to know are its borders.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from hostabi.abi.resp import RespError, encode_command, value_end
from hostabi.adapters.redis_calls import RedisOutcome, Reply
from hostabi.adapters.streams import Outcome
from hostabi.core.commands import RedisCall, RedisInit

MOST_REPLY_BYTES = 64 << 20
_CONNECT_SECONDS = 5.0


class RedisFailure(Exception):
    """A service could not be reached, refused its password or database, answered late, or not in RESP."""


@dataclass(slots=True)
class _Expected:
    """Answers that the connection owes for one query."""

    replies: int
    future: asyncio.Future[bytes]


class RedisClient:
    """One connection to a Redis server, made when it is first needed, and anew after a failure.

    `settings` are those of proxy_redis_init. A query that gets no answer within `timeout_ms` breaks the connection, and
    with it fails whatever else waits on it: answers come in order, so that one that is late holds up all others.
    """

    def __init__(self, host: str, port: int, settings: RedisInit) -> None:
        self.host, self.port, self.settings = host, port, settings
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._given_up: list[asyncio.Task[None]] = []
        self._expected: deque[_Expected] = deque()
        self._unsent = bytearray()
        self._flush_timer: asyncio.TimerHandle | None = None

    @property
    def timeout(self) -> float | None:
        """Seconds that an answer may take."""
        return self.settings.timeout_ms / 1000 if self.settings.timeout_ms else None

    async def call(self, query: bytes, commands: int = 1) -> bytes:
        """The answers to a query of so many commands, as they came. Raises RedisFailure."""
        try:
            async with asyncio.timeout(self.timeout):
                await self._connect()
                return await self._send(query, commands)
        except TimeoutError as error:
            self._break("no answer in time")
            raise RedisFailure("no answer in time") from error

    async def close(self) -> None:
        """Break the connection, and wait until nothing of it is left."""
        self._break("the client was closed")
        readings, self._given_up = self._given_up, []
        await asyncio.gather(*readings, return_exceptions=True)

    async def _connect(self) -> None:
        async with self._connecting:
            if self._writer is not None:
                return
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    reader, self._writer = await asyncio.open_connection(self.host, self.port)
            except (OSError, TimeoutError) as error:
                raise RedisFailure(f"{self.host}:{self.port} cannot be reached: {error}") from error
            self._reading = asyncio.get_running_loop().create_task(self._read(reader, self._writer))
            for command in self._greeting():
                answer = await self._send(command, 1, at_once=True)
                if answer.startswith(b"-"):
                    reason = answer[1:].strip().decode("utf-8", "replace")
                    self._break(reason)
                    raise RedisFailure(reason)

    def _greeting(self) -> list[bytes]:
        settings = self.settings
        found = []
        if settings.password:
            user = (settings.user,) if settings.user else ()
            found.append(encode_command(b"AUTH", *user, settings.password))
        if settings.database:
            found.append(encode_command(b"SELECT", b"%d" % settings.database))
        return found

    def _send(self, query: bytes, commands: int, *, at_once: bool = False) -> asyncio.Future[bytes]:
        expected = _Expected(commands, asyncio.get_running_loop().create_future())
        self._expected.append(expected)
        self._unsent += query
        wait = self.settings.flush_ms / 1000
        if at_once or not wait or len(self._unsent) >= self.settings.flush_bytes:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(wait, self._flush)
        return expected.future

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._writer is not None and self._unsent:
            self._writer.write(bytes(self._unsent))
            self._unsent.clear()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = bytearray()
        try:
            while chunk := await reader.read(1 << 16):
                held += chunk
                self._take(held)
            self._break("the server went away")
        except (OSError, RespError) as error:
            self._break(str(error))
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def _take(self, held: bytearray) -> None:
        """Give out the answers that are complete."""
        while self._expected:
            expected = self._expected[0]
            at = 0
            for _ in range(expected.replies):
                end = value_end(held, at)
                if end is None:
                    if len(held) > MOST_REPLY_BYTES:
                        raise RespError(f"an answer of more than {MOST_REPLY_BYTES} bytes")
                    return
                at = end
            self._expected.popleft()
            if not expected.future.done():
                expected.future.set_result(bytes(held[:at]))
            del held[:at]
        if held:
            raise RespError("an answer that nobody has asked for")

    def _break(self, reason: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._reading is not None:
            self._given_up = [*(task for task in self._given_up if not task.done()), self._reading]
            if self._reading is not asyncio.current_task():
                self._reading.cancel()
        self._reading = None
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._unsent.clear()
        waiting, self._expected = self._expected, deque()
        for expected in waiting:
            if not expected.future.done():
                expected.future.set_exception(RedisFailure(reason))
                expected.future.exception()  # looked at: not everybody who asked still waits


class RedisServers:
    """Servers by cluster, for a driver: each query waits for its answer. Use as a context, or close it.

    `canned` are answers for clusters without a server; any other cluster cannot be reached.
    """

    def __init__(
        self, addresses: Mapping[str, tuple[str, int]], canned: Mapping[str, RedisOutcome] | None = None
    ) -> None:
        self.addresses = dict(addresses)
        self.canned = dict(canned or {})
        self._runner = asyncio.Runner()
        self._clients: dict[tuple[str, str], RedisClient] = {}
        self.failures: list[str] = []
        """Why queries came to nothing, for whoever shows them."""

    def set_up(self, command: RedisInit) -> None:
        """A filter says how it is reached; a connection it had is given up."""
        key = (command.plugin, command.upstream)
        old = self._clients.pop(key, None)
        if old is not None:
            self._runner.run(old.close())
        if command.upstream in self.addresses:
            self._clients[key] = RedisClient(*self.addresses[command.upstream], command)

    def ask(self, command: RedisCall) -> RedisOutcome:
        """Send a query and wait for what comes of it."""
        client = self._clients.get((command.plugin, command.upstream))
        if client is None:
            return self.canned.get(command.upstream, Outcome.RESET)
        try:
            return Reply(raw=self._runner.run(client.call(command.query, command.commands)))
        except RedisFailure as error:
            self.failures.append(f"{command.upstream}: {error}")
            return Outcome.RESET

    def close(self) -> None:
        """Break all connections."""
        for client in self._clients.values():
            self._runner.run(client.close())
        self._runner.close()

    def __enter__(self) -> RedisServers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
