"""The WASI subset that a filter sees (abi_reference 9): logs, injected clock and entropy, no files, no sockets.

Every function takes the parameters as unsigned numbers and answers an errno. What it may know of the world comes
through GuestEnv, so that a run can be repeated. The names "wasi_snapshot_preview1" and "wasi_unstable" offer the same.
`SIGNATURES` has the standard type of every preview1 function; adapters that run command programs share it.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from hostabi.abi.hostcall import GuestEnv, Import, ProcExit
from hostabi.abi.marshal import GuestMemory, GuestMemoryError, write_u32, write_u64

MODULE_NAMES = ("wasi_snapshot_preview1", "wasi_unstable")


class Errno(IntEnum):
    """The errors of preview1 that this package answers; the numbers are the standard's."""

    SUCCESS = 0
    TOO_BIG = 1
    ACCES = 2
    AGAIN = 6
    BADF = 8
    BUSY = 10
    EXIST = 20
    FAULT = 21
    FBIG = 22
    INVAL = 28
    IO = 29
    ISDIR = 31
    LOOP = 32
    MFILE = 33
    NAMETOOLONG = 37
    NOENT = 44
    NOSPC = 51
    NOSYS = 52
    NOTDIR = 54
    NOTEMPTY = 55
    NOTSUP = 58
    PERM = 63
    PIPE = 64
    ROFS = 69
    SPIPE = 70
    XDEV = 75
    NOTCAPABLE = 76


_TYPES = """
args_get                 i32 i32
args_sizes_get           i32 i32
clock_res_get            i32 i32
clock_time_get           i32 i64 i32
environ_get              i32 i32
environ_sizes_get        i32 i32
fd_advise                i32 i64 i64 i32
fd_allocate              i32 i64 i64
fd_close                 i32
fd_datasync              i32
fd_fdstat_get            i32 i32
fd_fdstat_set_flags      i32 i32
fd_fdstat_set_rights     i32 i64 i64
fd_filestat_get          i32 i32
fd_filestat_set_size     i32 i64
fd_filestat_set_times    i32 i64 i64 i32
fd_pread                 i32 i32 i32 i64 i32
fd_prestat_dir_name      i32 i32 i32
fd_prestat_get           i32 i32
fd_pwrite                i32 i32 i32 i64 i32
fd_read                  i32 i32 i32 i32
fd_readdir               i32 i32 i32 i64 i32
fd_renumber              i32 i32
fd_seek                  i32 i64 i32 i32
fd_sync                  i32
fd_tell                  i32 i32
fd_write                 i32 i32 i32 i32
path_create_directory    i32 i32 i32
path_filestat_get        i32 i32 i32 i32 i32
path_filestat_set_times  i32 i32 i32 i32 i64 i64 i32
path_link                i32 i32 i32 i32 i32 i32 i32
path_open                i32 i32 i32 i32 i32 i64 i64 i32 i32
path_readlink            i32 i32 i32 i32 i32 i32
path_remove_directory    i32 i32 i32
path_rename              i32 i32 i32 i32 i32 i32
path_symlink             i32 i32 i32 i32 i32
path_unlink_file         i32 i32 i32
poll_oneoff              i32 i32 i32 i32
proc_exit                i32
proc_raise               i32
random_get               i32 i32
sched_yield
sock_accept              i32 i32 i32
sock_recv                i32 i32 i32 i32 i32 i32
sock_send                i32 i32 i32 i32 i32
sock_shutdown            i32 i32
"""

SIGNATURES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    words[0]: (tuple(words[1:]), () if words[0] == "proc_exit" else ("i32",))
    for words in (line.split() for line in _TYPES.split("\n") if line)
}
"""Name -> (parameters, results) of every function of preview1."""

RIGHT_FD_WRITE = 64
ABSOLUTE_TIME = 1
"""Subscription flag: the time-out is a moment and not a duration."""


@dataclass(frozen=True, slots=True)
class WasiLimits:
    """What one call may make large."""

    random_bytes: int = 1 << 20  # more: INVAL; Envoy draws the line at 65,536
    iovecs: int = 1024  # further ones wait for the guest's next call, as a short write does
    output_bytes: int = 1 << 20
    subscriptions: int = 4096
    clocks: int = 4  # 0 wall, 1 monotonic, 2 and 3 of the process
    reports_clocks: bool = True  # cpp-host's poll_oneoff reports nothing and lets no time pass
    sleep_ns: int = 3600 * 10**9


DEFAULT_LIMITS = WasiLimits()


# --- memory, shared with programs ------------------------------------------------------------------------------------


def faults_answered(code: Callable[..., int]) -> Callable[..., int]:
    """Answer FAULT where a pointer of the guest lies outside of its memory."""

    @functools.wraps(code)
    def checked(*args: int) -> int:
        try:
            return code(*args)
        except GuestMemoryError:
            return Errno.FAULT

    return checked


def iovecs(memory: GuestMemory, ptr: int, n: int, limits: WasiLimits = DEFAULT_LIMITS) -> list[tuple[int, int]]:
    """The (address, length) pairs of a scatter or gather list, cut at the limits on pieces and bytes."""
    cells = struct.iter_unpack("<II", memory.read(ptr, 8 * min(n, limits.iovecs)))
    pieces: list[tuple[int, int]] = []
    room = limits.output_bytes
    for addr, length in cells:
        pieces.append((addr, min(length, room)))
        room -= pieces[-1][1]
        if not room:
            break
    return pieces


def gather(memory: GuestMemory, pieces: Sequence[tuple[int, int]]) -> bytes:
    """The bytes of all pieces, one after the other."""
    return b"".join(memory.read(addr, length) for addr, length in pieces)


def scatter(memory: GuestMemory, pieces: Sequence[tuple[int, int]], data: bytes) -> None:
    """Store data into the pieces, filling each before the next."""
    at = 0
    for addr, length in pieces:
        if at >= len(data):
            return
        memory.write(addr, data[at : at + length])
        at += length


def write_strings(memory: GuestMemory, strings: Sequence[bytes], cells: int, buffer: int) -> None:
    """Store NUL-terminated strings at `buffer` and the address of each at `cells`: args_get and environ_get."""
    for i, text in enumerate(strings):
        write_u32(memory, cells + 4 * i, buffer)
        memory.write(buffer, text + b"\0")
        buffer += len(text) + 1


def write_string_sizes(memory: GuestMemory, strings: Sequence[bytes], count: int, size: int) -> None:
    """Store how many strings there are and how many bytes they take with their terminators."""
    write_u32(memory, count, len(strings))
    write_u32(memory, size, sum(len(text) + 1 for text in strings))


@dataclass(frozen=True, slots=True)
class Subscription:
    """One entry of poll_oneoff: what is waited for (0 clock, 1 reading, 2 writing) and its parameters."""

    userdata: bytes
    kind: int
    id: int  # of the clock, or the file descriptor
    timeout: int = 0
    absolute: bool = False

    @classmethod
    def read(cls, cell: bytes) -> Subscription:
        """From the 48 bytes in memory."""
        ident, timeout, flags = struct.unpack_from("<I4xQ8xH", cell, 16)
        return cls(cell[:8], cell[8], ident, timeout, bool(flags & ABSOLUTE_TIME))

    def event(self, errno: int = 0, nbytes: int = 0) -> bytes:
        """The 32 bytes that report it."""
        return struct.pack("<8sHB5xQ8x", self.userdata, errno, self.kind, nbytes)

    def wait_ns(self, now: Callable[[int], int]) -> int:
        """How long until a clock subscription elapses; `now` tells the time of a clock by its id."""
        return max(0, self.timeout - now(self.id)) if self.absolute else self.timeout


# --- the functions ---------------------------------------------------------------------------------------------------


class FilterWasi:
    """The functions of one VM; a method named as in the standard is one of them (abi_reference 9.2, right column)."""

    def __init__(self, env: GuestEnv, limits: WasiLimits = DEFAULT_LIMITS) -> None:
        self.env = env
        self.limits = limits

    def shown(self, name: str, raw: Sequence[int]) -> tuple[tuple[str, object], ...]:
        """What a transcript says of a call's arguments: what they mean, without addresses."""
        match name:
            case "fd_write" | "fd_pwrite":
                try:
                    data = gather(self.env.memory, iovecs(self.env.memory, raw[1], raw[2], self.limits))
                except GuestMemoryError:
                    return (("fd", raw[0]),)
                return ("fd", raw[0]), ("data", data)
            case "clock_time_get" | "clock_res_get":
                return (("clock", raw[0]),)
            case "random_get":
                return (("size", raw[1]),)
            case "poll_oneoff":
                return (("subscriptions", raw[2]),)
        return (("fd", raw[0]),) if name.startswith("fd_") else ()

    # arguments and environment

    def args_sizes_get(self, count: int, size: int) -> int:
        """Number of arguments and bytes they take."""
        write_string_sizes(self.env.memory, self.env.args, count, size)
        return Errno.SUCCESS

    def args_get(self, cells: int, buffer: int) -> int:
        """The arguments."""
        write_strings(self.env.memory, self.env.args, cells, buffer)
        return Errno.SUCCESS

    def _environ(self) -> list[bytes]:
        return [name + b"=" + value for name, value in self.env.environ]

    def environ_sizes_get(self, count: int, size: int) -> int:
        """Number of environment variables and bytes they take as NAME=VALUE."""
        write_string_sizes(self.env.memory, self._environ(), count, size)
        return Errno.SUCCESS

    def environ_get(self, cells: int, buffer: int) -> int:
        """The environment as NAME=VALUE."""
        write_strings(self.env.memory, self._environ(), cells, buffer)
        return Errno.SUCCESS

    # time and chance

    def _now(self, clock: int) -> int:
        return self.env.time_ns() if clock == 0 else self.env.monotonic_ns()

    def clock_res_get(self, clock: int, ret: int) -> int:
        """The resolution: one nanosecond."""
        if clock >= self.limits.clocks:
            return Errno.NOTSUP
        write_u64(self.env.memory, ret, 1)
        return Errno.SUCCESS

    def clock_time_get(self, clock: int, precision: int, ret: int) -> int:
        """The injected time; the process clocks show the monotonic one."""
        if clock >= self.limits.clocks:
            return Errno.NOTSUP
        write_u64(self.env.memory, ret, self._now(clock))
        return Errno.SUCCESS

    def random_get(self, buffer: int, n: int) -> int:
        """n bytes of the injected entropy."""
        if n > self.limits.random_bytes:
            return Errno.INVAL
        memory = self.env.memory
        memory.read(buffer, n)  # a bad address must not move the stream of entropy
        memory.write(buffer, self.env.random(n))
        return Errno.SUCCESS

    def sched_yield(self) -> int:
        """Nothing to yield to."""
        return Errno.SUCCESS

    def poll_oneoff(self, subscriptions: int, events: int, n: int, ret: int) -> int:
        """Report each clock subscription as elapsed, moving the injected clock and never sleeping."""
        if n > self.limits.subscriptions:
            return Errno.INVAL
        memory = self.env.memory
        if not self.limits.reports_clocks:
            write_u32(memory, ret, 0)
            return Errno.SUCCESS
        cells = memory.read(subscriptions, 48 * n)
        clocks = [sub for sub in (Subscription.read(cells[i : i + 48]) for i in range(0, 48 * n, 48)) if sub.kind == 0]
        memory.read(events, 32 * len(clocks))
        memory.read(ret, 4)
        if clocks:
            longest = max(sub.wait_ns(self._now) for sub in clocks)
            self.env.sleep_ns(min(longest, self.limits.sleep_ns))
        memory.write(events, b"".join(sub.event() for sub in clocks))
        write_u32(memory, ret, len(clocks))
        return Errno.SUCCESS

    def proc_exit(self, code: int) -> None:
        """Unwind the guest."""
        raise ProcExit(code)

    # the three descriptors there are: 0 is empty, 1 and 2 are logs

    def fd_write(self, fd: int, iovs: int, n: int, ret: int) -> int:
        """Log what is written to 1 (INFO) and 2 (ERROR), one record a call; the log takes a trailing newline off."""
        if fd not in (1, 2):
            return Errno.BADF
        memory = self.env.memory
        data = gather(memory, iovecs(memory, iovs, n, self.limits))
        write_u32(memory, ret, len(data))
        if data:
            self.env.write_output(fd, data)
        return Errno.SUCCESS

    def fd_pwrite(self, fd: int, iovs: int, n: int, offset: int, ret: int) -> int:
        """As fd_write: a log has no offsets."""
        return self.fd_write(fd, iovs, n, ret)

    def fd_read(self, fd: int, iovs: int, n: int, ret: int) -> int:
        """Standard input is at its end; nothing else can be read."""
        if fd != 0:
            return Errno.BADF
        write_u32(self.env.memory, ret, 0)
        return Errno.SUCCESS

    def fd_pread(self, fd: int, iovs: int, n: int, offset: int, ret: int) -> int:
        """Not offered."""
        return Errno.NOSYS

    def fd_seek(self, fd: int, offset: int, whence: int, ret: int) -> int:
        """A log cannot be sought in."""
        return Errno.SPIPE if fd in (1, 2) else Errno.BADF

    def fd_tell(self, fd: int, ret: int) -> int:
        """Position 0 of a log."""
        write_u64(self.env.memory, ret, 0)
        return self._log_only(fd)

    def fd_close(self, fd: int) -> int:
        """Accepted and without effect."""
        return Errno.SUCCESS

    def fd_renumber(self, fd: int, to: int) -> int:
        """Not offered."""
        return Errno.NOTSUP

    def fd_fdstat_get(self, fd: int, buffer: int) -> int:
        """24 bytes: of no known file type, with the one right to write."""
        if fd not in (1, 2):
            return Errno.BADF
        self.env.memory.write(buffer, struct.pack("<8xQ8x", RIGHT_FD_WRITE))
        return Errno.SUCCESS

    def fd_fdstat_set_flags(self, fd: int, flags: int) -> int:
        """Accepted for the standard descriptors."""
        return Errno.SUCCESS if fd <= 2 else Errno.BADF

    def _log_only(self, fd: int, *ignored: int) -> int:
        return Errno.SUCCESS if fd in (1, 2) else Errno.BADF

    fd_fdstat_set_rights = _log_only
    fd_allocate = _log_only
    fd_datasync = _log_only
    fd_sync = _log_only
    fd_filestat_set_size = _log_only
    fd_filestat_set_times = _log_only

    def fd_advise(self, fd: int, offset: int, length: int, advice: int) -> int:
        """Advice is free."""
        return Errno.SUCCESS

    def fd_readdir(self, fd: int, buffer: int, size: int, cookie: int, ret: int) -> int:
        """There is no folder."""
        write_u32(self.env.memory, ret, 0)
        return Errno.NOTDIR

    def _bad_fd(self, *ignored: int) -> int:
        return Errno.BADF

    fd_filestat_get = _bad_fd
    # BADF ends Go's scan for preopened folders; SUCCESS or NOSYS would make it loop or abort.
    fd_prestat_get = _bad_fd
    fd_prestat_dir_name = _bad_fd

    # paths and sockets: there are none

    def _no_entry(self, *ignored: int) -> int:
        return Errno.NOENT

    def _unsupported(self, *ignored: int) -> int:
        return Errno.NOTSUP

    path_open = _no_entry
    path_filestat_get = _no_entry
    path_create_directory = _unsupported
    path_filestat_set_times = _unsupported
    path_link = _unsupported
    path_remove_directory = _unsupported
    path_rename = _unsupported
    path_symlink = _unsupported
    path_unlink_file = _unsupported
    sock_shutdown = _unsupported

    def path_readlink(self, fd: int, path: int, path_len: int, buffer: int, size: int, ret: int) -> int:
        """There is no link."""
        write_u32(self.env.memory, ret, 0)
        return Errno.NOTSUP

    def sock_accept(self, fd: int, flags: int, ret: int) -> int:
        """There is no socket."""
        write_u32(self.env.memory, ret, 0)
        return Errno.NOTSUP

    def sock_recv(self, fd: int, iovs: int, n: int, flags: int, ret: int, ret_flags: int) -> int:
        """There is no socket."""
        write_u32(self.env.memory, ret, 0)
        return Errno.NOTSUP

    def sock_send(self, fd: int, iovs: int, n: int, flags: int, ret: int) -> int:
        """There is no socket."""
        write_u32(self.env.memory, ret, 0)
        return Errno.NOTSUP


def records(functions: object) -> dict[tuple[str, str], Import]:
    """Import records, under both module names, of the methods of an object that are named as WASI functions."""
    found: dict[tuple[str, str], Import] = {}
    for name, (params, results) in SIGNATURES.items():
        code = getattr(functions, name, None)
        if code is None:
            continue
        if results:
            code = faults_answered(code)
        doc = (code.__doc__ or "").strip()
        shown = functools.partial(getattr(functions, "shown", _nothing), name)
        for module in MODULE_NAMES:
            found[module, name] = Import(module, name, params, results, code, doc, shown)
    return found


def _nothing(name: str, raw: Sequence[int]) -> tuple[tuple[str, object], ...]:
    return ()


def offered() -> dict[tuple[str, str], Import]:
    """The same for asking which functions there are, and of what type; none can be called."""
    return records(FilterWasi)


def imports(env: GuestEnv, limits: WasiLimits = DEFAULT_LIMITS) -> dict[tuple[str, str], Import]:
    """The WASI functions of one filter's VM by (module, name): unsigned numbers in, an errno out (abi_reference 9)."""
    return records(FilterWasi(env, limits))
