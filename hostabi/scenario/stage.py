"""A stage: where a test is played. `LocalStage` is this host; another one can be real Envoy, for the same file.

A stage is opened for one test, performs its steps in order and says what it observed of each. It knows nothing of
expectations.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import interp
from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import LogLevel
from hostabi.abi.resp import ErrorReply, StatusReply
from hostabi.adapters.grpc_message import GrpcAnswer
from hostabi.adapters.message import Answer, Request
from hostabi.adapters.redis_calls import RedisOutcome, RedisTest, Reply
from hostabi.adapters.session import MAIN, Session
from hostabi.adapters.streams import CallOutcome, CallTest, Connection, Outcome, SessionError, Stream
from hostabi.core.events import Way
from hostabi.core.host import Host, PluginConfig
from hostabi.core.plugin import LoadedFilter, LoadError, Plugin, WasmGuest, load_filter
from hostabi.core.policy import PROFILES, Limits, Profile
from hostabi.core.python_filter import PythonFilter
from hostabi.core.transcript import Record
from hostabi.hostcalls.attributes import for_plugins
from hostabi.scenario.check import call_differences, redis_differences
from hostabi.scenario.expect import LEVELS
from hostabi.scenario.load import Trial
from hostabi.scenario.model import (
    Address,
    CalloutStep,
    CounterValue,
    Filter,
    ProfileChoice,
    RedisStep,
    RequestStep,
    Step,
    TcpStep,
    UpstreamStep,
)
from hostabi.scenario.observe import Observation, State, StreamView, TcpView

DEFAULT_CLOCK = 1_700_000_000 * 1_000_000_000


class StageError(Exception):
    """A test that cannot be played: a filter that does not load, an action out of order."""


class Stage(Protocol):
    """Somewhere a test is played."""

    def start(self) -> Observation:
        """Start the filters; raises StageError when they cannot be loaded at all."""

    def perform(self, step: Step) -> Observation:
        """Do one step, if it is an action; raises StageError for one out of order."""

    def takes_response(self, stream: str) -> bool:
        """Whether the upstream could answer on this stream now."""

    def finish(self) -> Observation:
        """End every stream; raises StageError when something that was announced never came."""


OpenStage = Callable[[Trial], Stage]


# --- filters ---------------------------------------------------------------------------------------------------------

MOST_BUILD_SECONDS = 600


PACKAGE = "package://"
"""What begins a module that lies in an installed Python package: package://NAME/PATH, with * for what varies."""


def installed(name: str) -> Path:
    """The file of an installed package, the last one where several fit; raises StageError."""
    package, _, path = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise StageError(f"{name}: the Python package {package!r} is not installed")
    found = sorted(match for place in spec.submodule_search_locations for match in Path(place).glob(path))
    if not found:
        raise StageError(f"{name}: the package has no such file")
    return found[-1]


class Modules:
    """Loaded filters by path and profile, so that a file of many tests reads a module once; and what was built."""

    def __init__(self) -> None:
        self._built: set[tuple[Path, str]] = set()
        self._loaded: dict[tuple[Path, int, int, tuple[bool, ...]], LoadedFilter] = {}

    def source(self, filter: Filter, folder: Path, profile: Profile) -> LoadedFilter | PythonFilter:
        """The filter, ready for a host; raises StageError."""
        path = self.file(filter, folder)
        if path is None:
            return python_filter(folder, filter.module or "")
        try:
            stat = path.stat()
            key = (path.resolve(), stat.st_mtime_ns, stat.st_size, profile.loading)
            if key not in self._loaded:
                self._loaded[key] = load_filter(path, profile)
            return self._loaded[key]
        except OSError as error:
            raise StageError(f"{path}: {error.strerror or error}") from error
        except (LoadError, interp.WasmError) as error:
            raise StageError(f"{path}: {error}") from error

    def file(self, filter: Filter, folder: Path) -> Path | None:
        """Where the filter's module lies, built if need be; None for a filter in Python. Raises StageError."""
        if filter.build is not None:
            self._build(filter.build.run, folder)
            name = filter.build.module
        else:
            name = filter.module or ""
        if ".py:" in name:
            return None
        return installed(name) if name.startswith(PACKAGE) else folder / name

    def _build(self, run: str | list[str], folder: Path) -> None:
        words = shlex.split(run) if isinstance(run, str) else run
        key = (folder.resolve(), shlex.join(words))
        if key in self._built:
            return
        try:
            done = subprocess.run(
                words, cwd=folder, capture_output=True, text=True, errors="replace", timeout=MOST_BUILD_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StageError(f"the build `{key[1]}` cannot be run: {error}") from error
        if done.returncode:
            output = (done.stdout + done.stderr).rstrip()
            raise StageError(f"the build `{key[1]}` failed with {done.returncode}\n{output}")
        self._built.add(key)


@lru_cache(maxsize=64)
def _python_module(path: Path, changed: int) -> Any:
    name = f"_tamis_filter_{abs(hash(path))}_{changed}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StageError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def python_filter(folder: Path, name: str) -> PythonFilter:
    """The class of a filter in Python, from FILE.py:CLASS; raises StageError."""
    file, _, wanted = name.rpartition(":")
    path = folder / file
    try:
        found = getattr(_python_module(path.resolve(), path.stat().st_mtime_ns), wanted, None)
    except OSError as error:
        raise StageError(f"{path}: {error.strerror or error}") from error
    except StageError:
        raise
    except Exception as error:  # whatever a user's file raises when it is imported
        raise StageError(f"{path}: {type(error).__name__}: {error}") from error
    if not inspect.isclass(found) and not callable(found):
        raise StageError(f"{path} has no class {wanted!r}")
    return found


def config_bytes(config: object) -> bytes:
    """A configuration as bytes: text as it is, a number as written, anything else as JSON."""
    text = getattr(config, "text", config)
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    return json.dumps(config, ensure_ascii=False).encode()


def configuration(test: Trial, filter: Filter, config: object = None) -> bytes:
    """A filter's configuration: `config`, else what the file says, or the file it names; raises StageError."""
    if filter.config_file is None or config is not None:
        return config_bytes(filter.config if config is None else config)
    path = test.folder / filter.config_file
    try:
        return path.read_bytes()
    except OSError as error:
        raise StageError(f"{path}: {error.strerror or error}") from error


# --- this host -------------------------------------------------------------------------------------------------------


class LocalStage:
    """Plays a test on a fresh host of our own. `engine`, `profile` and `log_level` override what the file says.

    `protocol` is for files that do not say one.
    """

    def __init__(
        self,
        test: Trial,
        modules: Modules,
        *,
        engine: str | None = None,
        profile: str | None = None,
        log_level: str | None = None,
        protocol: str | None = None,
    ) -> None:
        self.test = test
        self.modules = modules
        self.engine = engine
        self.log_level = log_level
        self.protocol = test.case.protocol or test.scenario.protocol or protocol
        self.plugins: list[Plugin] = []
        """The filters of the chain as they were at the start."""
        self.added_to_answers: HeaderPairs = ()
        self.transcript: list[Record] = []
        self._profile = self._choose_profile(profile)
        self._fuel_seen = 0
        self._seen_vms: list[Any] = []
        first = test.scenario.filters[0]
        clusters = self._setting("clusters")
        seed = self._setting("seed")
        clock = self._setting("clock")
        self.host = Host(
            engine=engine,
            profile=self._profile,
            limits=_limits(first),
            seed=0 if seed is None else int(seed),
            upstreams=None if clusters is None else frozenset(clusters),
            record=True,
        )
        self.now: int = DEFAULT_CLOCK if clock is None else clock
        for entry in [*(test.scenario.shared_data or []), *(test.case.shared_data or [])]:
            self.host.shared.set(entry.vm_id.encode(), entry.key.encode("utf-8", "surrogateescape"), entry.value, 0)
        self._session: Session | None = None

    def _setting(self, name: str) -> Any:
        """What the case says, else the file."""
        own = getattr(self.test.case, name)
        return getattr(self.test.scenario, name) if own is None else own

    def _choose_profile(self, override: str | None) -> Profile:
        chosen = self._setting("profile")
        if isinstance(chosen, ProfileChoice):
            switches = {name: getattr(chosen.switches, name) for name in chosen.switches.model_fields_set}
            return replace(PROFILES[override or chosen.name], **switches)
        return PROFILES[override or chosen or "default"]

    @property
    def session(self) -> Session:
        """The session; StageError before the start."""
        if self._session is None:
            raise StageError("the filters have not been started")
        return self._session

    # --- the stage's methods

    def start(self) -> Observation:
        """Load and start the filters."""
        filters = self.test.scenario.filters
        self.plugins = plugins = [self._plugin(one, i) for i, one in enumerate(filters)]
        loggers = [made for made, one in zip(plugins, filters, strict=True) if one.role == "access_log"]
        chain = self.host.chain([made for made in plugins if made not in loggers], loggers)
        names = {name: [_address(one) for one in found] for name, found in (self._setting("dns") or {}).items()}
        self._session = Session(
            self.host, chain, now=self.now, dns=names, attributes=self._attributes(), protocol=self.protocol
        )
        self._session.added_to_answers = self.added_to_answers
        self._session.start()
        return self._observe(MAIN)

    def _attributes(self) -> dict[str, object]:
        return {**(self.test.scenario.properties or {}), **(self.test.case.properties or {})}

    def perform(self, step: Step) -> Observation:
        """Do one step."""
        try:
            self._do(step)
        except SessionError as error:
            raise StageError(str(error)) from error
        return self._observe(step.stream)

    def takes_response(self, stream: str) -> bool:
        """Whether the upstream could answer now."""
        return self.session.takes_response(stream)

    def finish(self) -> Observation:
        """End every stream."""
        unused = [*self.session.rules, *self.session.redis_calls.rules]
        self.session.end()
        if unused:
            raise StageError(f"{len(unused)} callout{'s' if len(unused) > 1 else ''} of this case never came")
        return self._observe(None)

    # --- filters

    def _plugin(self, filter: Filter, position: int, config: object = None) -> Plugin:
        folder = self.test.folder
        source = self.modules.source(filter, folder, self._profile)
        if config is None:
            config = self.test.case.config if position == 0 else None
        try:
            made = self.host.plugin(source, self._config(filter, config), now=self.now)
        except (LoadError, interp.WasmError) as error:
            raise StageError(f"{filter.module or 'the filter'} does not load: {error}") from error
        if made.vm not in self._seen_vms:
            self._seen_vms.append(made.vm)
        return made

    def _config(self, filter: Filter, config: object) -> PluginConfig:
        given = configuration(self.test, filter, config)
        return PluginConfig(
            name=filter.name,
            root_id=filter.root_id,
            configuration=given,
            vm_id=filter.vm_id,
            vm_configuration=config_bytes(filter.vm_config),
            fail_open=filter.policy.fail_open,
            literal_stop_iteration=filter.policy.allow_on_headers_stop_iteration,
            allowed_capabilities=frozenset(filter.policy.allowed_capabilities),
            environ=tuple((name.encode(), value.encode()) for name, value in filter.env.items()),
            attributes=for_plugins(self._attributes()),
            log_level=LogLevel(LEVELS[self.log_level or filter.policy.log_level]),
            limits=_limits(filter),
        )

    # --- actions

    def _do(self, step: Step) -> None:
        session = self.session
        match step.action:
            case "request" if step.request is not None:
                self._request(step.request, step.stream)
            case "upstream" if step.upstream is not None:
                self._upstream(step.upstream, step.stream)
            case "tcp" if step.tcp is not None:
                self._tcp(step.tcp, step.stream)
            case "callout" if step.callout is not None:
                session.callout(self._fits(step.callout), outcome(step.callout), hold=step.callout.hold or "")
            case "redis" if step.redis is not None:
                session.redis(self._fits_query(step.redis), _redis_outcome(step.redis))
            case "metadata" if step.metadata is not None:
                way = Way.REQUEST if step.metadata.request is not None else Way.RESPONSE
                session.metadata(way, step.metadata.request or step.metadata.response or (), step.stream)
            case "release" if step.release is not None:
                session.release(step.release)
            case "advance" if step.advance is not None:
                session.advance(step.advance)
            case "enqueue" if step.enqueue is not None:
                session.enqueue(step.enqueue.queue, step.enqueue.message, step.enqueue.vm_id)
            case "stats" if step.stats is not None:
                counters = {name: _counter(one) for name, one in step.stats.counters.items()}
                session.statistics(counters, step.stats.gauges)
            case "reconfigure" if step.reconfigure is not None:
                self._reconfigure(step.reconfigure.filter, step.reconfigure.config)
            case "abort":
                (session.abort_client if step.abort == "client" else session.abort_upstream)(step.stream)
            case "fault" if step.fault is not None:
                self.host.faults.order(step.fault.call, step.fault.status, step.fault.times)

    def _request(self, step: RequestStep, stream: str) -> None:
        end = step.end is not False
        known = self.session.streams.get(stream)
        going_on = known is not None and not known.ended and not known.request_ended
        opening = {"method", "path", "authority", "scheme", "headers"} & step.model_fields_set
        if going_on and not opening:
            self.session.more_request(step.pieces(), step.trailers, stream, end=end)
            return
        request = Request(
            step.method, step.path, step.authority, step.scheme, step.headers, b"", step.pieces(), step.trailers
        )
        self.session.request(request, stream, end=end)

    def _tcp(self, step: TcpStep, stream: str) -> None:
        """The connection begins with its first step; what a step says of both sides happens downstream first."""
        session = self.session
        known = session.connections.get(stream)
        if known is None or (known.ended and not step.model_fields_set):
            session.connect(stream)
        if step.downstream is not None or step.end == "downstream":
            session.downstream_data(step.downstream or b"", stream, end=step.end == "downstream")
        if step.upstream is not None or step.end == "upstream":
            session.upstream_data(step.upstream or b"", stream, end=step.end == "upstream")

    def _upstream(self, step: UpstreamStep, stream: str) -> None:
        end = step.end is not False
        if step.reset:
            self.session.abort_upstream(stream)
            return
        known = self.session.streams.get(stream)
        if known is not None and known.response_begun and not {"status", "headers"} & step.model_fields_set:
            self.session.more_upstream(step.pieces(), step.trailers, stream, end=end)
            return
        self.session.upstream(Answer(step.status, step.headers, b"", step.pieces(), step.trailers), stream, end=end)

    def _fits(self, step: CalloutStep) -> CallTest:
        names = self._names()
        return lambda call: not list(call_differences((), step.match, call, names.get(call.plugin, call.plugin)))

    def _fits_query(self, step: RedisStep) -> RedisTest:
        names = self._names()
        return lambda call: not list(redis_differences(step.match, call, names.get(call.plugin, call.plugin)))

    def _reconfigure(self, which: int | str, config: object) -> None:
        position = self.session.position(which)
        filters = [(i, one) for i, one in enumerate(self.test.scenario.filters) if one.role == "filter"]
        place, filter = filters[position]
        self.session.reconfigure(position, lambda old: self._plugin(filter, place, config))

    # --- what is seen

    def _names(self) -> dict[str, str]:
        return {key: plugin.root.name or key for key, plugin in self.host.plugins.items()}

    def _observe(self, name: str | None) -> Observation:
        session = self.session
        seen = session.take()
        records = list(self.host.transcript)
        self.host.transcript.clear()
        self.transcript += records
        self._seen_vms += [p.vm for p in session.chain.plugins if p.vm not in self._seen_vms]
        fuel = sum(vm.guest.ticks for vm in self._seen_vms)
        used, self._fuel_seen = fuel - self._fuel_seen, fuel
        stream = session.latest(name)
        stored = {} if stream is None else dict(stream.info.filter_state.items())
        failure = seen.failures[0] if seen.failures else None
        return Observation(
            _view(stream),
            seen.logs,
            seen.calls,
            records,
            failure.message if failure else None,
            failure.report if failure else "",
            used,
            self._state(stored),
            self._names(),
        )

    def _state(self, stored: dict[bytes, bytes]) -> State:
        shared = self.host.shared
        own = self.test.scenario.filters[0].vm_id.encode()
        cells = shared.metrics.values()
        pages = None
        guest = self._seen_vms[0].guest if self._seen_vms else None
        if isinstance(guest, WasmGuest):
            pages = guest.memory.length // 65536
        return State(
            {_name(cell.name): (list(cell.samples) if cell.kind == 2 else cell.value) for cell in cells},
            {
                _name(key) if vm_id == own else f"{_name(vm_id)}/{_name(key)}": value
                for (vm_id, key), (value, _) in shared.data.items()
            },
            {_name(path).replace("\0", "."): value for path, value in stored.items()},
            pages,
        )


def _view(stream: Stream | Connection | None) -> StreamView:
    if stream is None:
        return StreamView()
    paused = frozenset(one.value for one in stream.held)
    if isinstance(stream, Stream):
        return StreamView(stream.request, stream.response, stream.local_response, stream.reset, paused)
    closed = None if stream.closed is None else stream.closed.name.lower()
    ends = stream.upstream_end, stream.downstream_end
    return StreamView(paused=paused, tcp=TcpView(stream.upstream, stream.downstream, *ends, closed, stream.reason))


def _name(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _limits(filter: Filter) -> Limits:
    given = {name: getattr(filter.limits, name) for name in filter.limits.model_fields_set}
    return Limits(**given)


def _address(one: str | Address) -> tuple[str, int]:
    given = Address(address=one) if isinstance(one, str) else one
    return given.address, given.ttl


def _counter(one: int | CounterValue) -> tuple[int, int]:
    return (one, one) if isinstance(one, int) else (one.value, one.added)


def _redis_outcome(step: RedisStep) -> RedisOutcome:
    if step.timeout or step.reset:
        return Outcome.TIMEOUT if step.timeout else Outcome.RESET
    if step.raw is not None:
        return Reply(raw=step.raw)
    if step.error is not None:
        return Reply(ErrorReply(step.error))
    return Reply(StatusReply(step.status) if step.status is not None else step.answer)


def outcome(step: CalloutStep) -> CallOutcome:
    """What a step says comes of a call."""
    if step.timeout:
        return Outcome.TIMEOUT
    if isinstance(step.grpc, int):
        return GrpcAnswer(status=step.grpc)
    if step.grpc is not None:
        one = step.grpc
        return GrpcAnswer(one.messages, one.status, one.message, one.metadata, one.trailers, one.end is not False)
    if step.reset or step.answer is None:
        return Outcome.RESET
    if isinstance(step.answer, int):
        return Answer(step.answer)
    return Answer(step.answer.status, step.answer.headers, step.answer.body, (), step.answer.trailers)
