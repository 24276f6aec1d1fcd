"""FilterHost: a filter and one exchange in three lines.

host = FilterHost("filter.wasm", config="deny")
result = host.exchange(path="/admin", headers={"x-user": "eve"})
assert result.status == 403
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hostabi.abi.enums import AbiVersion, LogLevel
from hostabi.adapters.driver import Addresses, Answers, Network
from hostabi.adapters.exchange import Exchange, Exchanger
from hostabi.adapters.message import Answer, HeadersLike, Request, Text, to_bytes
from hostabi.adapters.redis_calls import RedisAnswers
from hostabi.adapters.report import exchange_data
from hostabi.core.context import ForeignFunction
from hostabi.core.events import StreamInfo
from hostabi.core.host import Host, PluginConfig
from hostabi.core.plugin import Features, LoadedFilter
from hostabi.core.policy import Limits, Profile
from hostabi.core.python_filter import PythonFilter

Config = Text | Mapping[str, object] | Sequence[object]


class FilterHost:
    """A host with a chain of filters, a clock that stands still between events, and a seeded source of randomness.

    `filters` are paths, bytes or texts of modules, or filters in Python; they all get the same `config` (text, bytes or
    what is made JSON of). `clock` is in seconds since 1970. `calls` answers the filters' HTTP and gRPC calls, by
    upstream name or by a function of the call; calls without an answer fail. gRPC calls that a `network` takes go out
    to real servers. `redis` answers queries to Redis, as `calls` does, and `dns` has the addresses of names. `features`
    are those of `Host`. `properties` are by dotted path. With `start` False the filters are not started, for somebody
    else to drive `host` and `chain`.
    Raises LoadError, and the errors of `interp` for a module that is none.
    """

    def __init__(
        self,
        *filters: Path | str | bytes | LoadedFilter | PythonFilter,
        config: Config = b"",
        vm_config: Config = b"",
        root_id: str = "",
        name: str = "",
        vm_id: str = "",
        engine: str | None = None,
        profile: str | Profile = "default",
        limits: Limits | None = None,
        seed: int | bytes = 0,
        clock: float = 1_700_000_000,
        properties: Mapping[str, object] | None = None,
        calls: Answers | None = None,
        network: Network | None = None,
        redis: RedisAnswers | None = None,
        dns: Mapping[str, Sequence[str]] | None = None,
        environ: Mapping[str, str] | None = None,
        log_level: LogLevel = LogLevel.INFO,
        fail_open: bool = False,
        literal_stop_iteration: bool = False,
        allowed_capabilities: Iterable[str] = (),
        features: Features = None,
        upstreams: frozenset[str] | None = None,
        foreign: Mapping[str, ForeignFunction] | None = None,
        abi: AbiVersion = AbiVersion.V0_2_1,
        start: bool = True,
    ) -> None:
        self.host = Host(
            engine=engine,
            profile=profile,
            limits=limits,
            seed=seed,
            features=features,
            upstreams=upstreams,
            foreign=foreign,
            record=True,
        )
        now = int(clock) * 1_000_000_000 + round((clock - int(clock)) * 1_000_000_000)
        plugin_config = PluginConfig(
            name=name,
            root_id=root_id,
            configuration=config_bytes(config),
            vm_id=vm_id,
            vm_configuration=config_bytes(vm_config),
            fail_open=fail_open,
            literal_stop_iteration=literal_stop_iteration,
            environ=tuple((to_bytes(k), to_bytes(v)) for k, v in (environ or {}).items()),
            attributes=dict(properties or {}),
            log_level=log_level,
            allowed_capabilities=frozenset(allowed_capabilities),
        )
        self.plugins = [self.host.plugin(source, plugin_config, now=now, abi=abi) for source in filters]
        self.chain = self.host.chain(self.plugins)
        self.now = now
        names = addresses(dns or {})
        self.exchanger = Exchanger(
            self.host, self.chain, now=now, answers=calls, network=network, redis=redis, dns=names
        )
        if start:
            self.exchanger.start()

    def exchange(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        authority: str = "localhost",
        scheme: str = "http",
        headers: HeadersLike = (),
        body: Text = b"",
        chunks: Sequence[Text] = (),
        trailers: HeadersLike = (),
        status: int = 200,
        response_headers: HeadersLike = (),
        response_body: Text = b"",
        response_chunks: Sequence[Text] = (),
        response_trailers: HeadersLike = (),
        info: StreamInfo | None = None,
    ) -> Exchange:
        """Send a request through the filters and the upstream's answer back; what came of it."""
        request = Request(method, path, authority, scheme, headers, body, chunks, trailers)
        answer = Answer(status, response_headers, response_body, response_chunks, response_trailers)
        return self.exchanger.run(request, answer, info)

    def connection(
        self, downstream: Sequence[Text] = (), upstream: Sequence[Text] = (), *, info: StreamInfo | None = None
    ) -> Exchange:
        """Send a connection through the filters, a piece from the client, one from the upstream, and so on, to its end.

        What came out at both ends is the exchange's `connection`.
        """
        pieces = ([to_bytes(piece) for piece in downstream], [to_bytes(piece) for piece in upstream])
        return self.exchanger.connect(*pieces, info or StreamInfo(protocol=""))

    def tick(self) -> bool:
        """Let the next timer of a filter run out; whether there was one."""
        return self.exchanger.tick()

    def shutdown(self) -> Exchange:
        """End the filters; what happened since the last exchange."""
        self.exchanger.shutdown()
        return self.exchanger.take()

    def metrics(self) -> dict[str, int]:
        """Values of all metrics by name; of a histogram, the number of samples."""
        return {cell.name.decode("utf-8", "replace"): cell.value for cell in self.host.shared.metrics.values()}


def addresses(names: Mapping[str, Sequence[str]]) -> Addresses:
    """Addresses of names as a driver takes them, valid for a minute."""
    return {name: [(address, 60) for address in found] for name, found in names.items()}


def config_bytes(config: Config) -> bytes:
    """A configuration as bytes: text and bytes as they are, anything else as JSON."""
    if isinstance(config, str | bytes):
        return to_bytes(config)
    return json.dumps(config).encode()


__all__ = ["Answer", "Exchange", "FilterHost", "config_bytes", "exchange_data"]
