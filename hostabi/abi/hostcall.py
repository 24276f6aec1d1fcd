"""Host functions as data: a host call is a typed Python function, and everything else derives from its annotations.

Two kinds live here.

*Host calls* of module `env` answer a status. They are declared with `@hostcall`, see below.

*Raw functions* are the rest: WASI, emscripten's and AssemblyScript's leftovers. One is an `Import` record: raw bits in
(unsigned Python ints), raw bits or None out.

How `hostcalls/wasi.py` registers itself
----------------------------------------
It offers one function, called once for each VM before instantiation:

    def imports(env: GuestEnv) -> dict[tuple[str, str], Import]

The keys are (module, name) with both module names, "wasi_snapshot_preview1" and "wasi_unstable"; the values say the
Wasm type and the code:

    Import("wasi_snapshot_preview1", "fd_close", ("i32",), ("i32",), code)      # code(fd: int) -> int, an errno

* `code` takes the parameters as unsigned ints (i64 too) and returns the errno as an int (None for proc_exit).
* It reaches the guest only through `env` (the protocol GuestEnv below): `env.memory` anew in each call, never kept;
  `GuestMemoryError` from it is the function's to catch (errno 21 FAULT).
* `proc_exit` raises `ProcExit(code)`; the host decides what that means in the phase it is in.
* No clock, randomness, file or socket of its own: `env.time_ns()`, `env.monotonic_ns()`, `env.sleep_ns(n)`,
  `env.random(n)`, `env.write_output(fd, data)`, `env.read_input(n)`, `env.preopens`.
* One standard type for each name. A module that imports a known name with another type, or an unknown name, gets a stub
  answering 52 from the linker; wasi.py does not care.
* Capabilities, phases, recording and the transcript are the linker's as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hostabi.abi.marshal import GuestMemory, GuestMemoryError

__all__ = ["GuestEnv", "GuestMemory", "GuestMemoryError", "Import", "ProcExit"]


class ProcExit(Exception):
    """The guest asked to end (WASI proc_exit): unwinds it. Code 0 while starting is success, all else is its fault."""

    def __init__(self, code: int) -> None:
        super().__init__(f"proc_exit({code})")
        self.code = code


class GuestEnv(Protocol):
    """What raw functions may use of the world: given by whoever runs the guest, so that every run can be repeated."""

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory now; raises GuestMemoryError when it has none."""

    @property
    def args(self) -> Sequence[bytes]:
        """Program arguments, without terminators; a filter has none."""

    @property
    def environ(self) -> Sequence[tuple[bytes, bytes]]:
        """Environment as (name, value), in order."""

    @property
    def preopens(self) -> Sequence[tuple[str, str]]:
        """Folders as (path in the guest, path on the host); a filter has none."""

    def time_ns(self) -> int:
        """Wall clock, ns since 1970."""

    def monotonic_ns(self) -> int:
        """A clock that never goes back, in ns."""

    def sleep_ns(self, duration: int) -> None:
        """Let so much time pass; in a filter it moves the injected clock only."""

    def random(self, n: int) -> bytes:
        """n bytes of the injected entropy."""

    def write_output(self, fd: int, data: bytes) -> None:
        """What the guest wrote to fd 1 or 2: a log line in a filter (INFO and ERROR), the stream in a program."""

    def read_input(self, n: int) -> bytes:
        """At most n bytes of standard input, empty at its end; always empty in a filter."""


@dataclass(frozen=True, slots=True)
class Import:
    """A raw function that a guest may import, with its Wasm type as names ("i32", "i64", "f32", "f64")."""

    module: str
    name: str
    params: tuple[str, ...]
    results: tuple[str, ...]
    code: Callable[..., int | None]
    doc: str = ""
