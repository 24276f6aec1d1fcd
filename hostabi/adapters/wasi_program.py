"""WASI preview1 for command programs: arguments, environment, streams, clocks, chance, and files below given folders.

`World` is what a program may know, real or repeatable; `ProgramWasi` are the functions on it. Times are ns since 1970.
"""

from __future__ import annotations

import io
import os
import select
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from hostabi.abi.hostcall import Import, ProcExit
from hostabi.abi.marshal import GuestMemory, GuestMemoryError, write_u32, write_u64
from hostabi.adapters import wasi_files as files
from hostabi.adapters.wasi_files import Descriptor, FileStatus, FileTable
from hostabi.adapters.wasi_paths import Place, WasiError, errno_of, located
from hostabi.core.clock import Clock, Entropy, seed_bytes
from hostabi.hostcalls.wasi import (
    DEFAULT_LIMITS,
    Errno,
    FilterWasi,
    Subscription,
    gather,
    iovecs,
    records,
    scatter,
)

CREAT, OPEN_DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
FOLLOW = 1
SET_ATIM, SET_ATIM_NOW, SET_MTIM, SET_MTIM_NOW = 1, 2, 4, 8


class World:
    """What a program knows of the world: a GuestEnv whose memory is set once the program is instantiated.

    With `clock` (ns) time stands still but for a microsecond each reading and for sleeping, which takes no real time;
    with `seed` chance repeats. Without them both are the machine's.
    """

    def __init__(
        self,
        args: Sequence[bytes] = (),
        environ: Sequence[tuple[bytes, bytes]] = (),
        preopens: Sequence[tuple[str, str]] = (),
        *,
        clock: int | None = None,
        seed: int | None = None,
        stdin: BinaryIO | None = None,
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
    ) -> None:
        self.args = args
        self.environ = environ
        self.preopens = preopens
        self.clock = None if clock is None else Clock(clock)
        self.fixed_time = clock
        self._entropy = None if seed is None else Entropy(seed_bytes(seed), "program")
        given = ((stdin, sys.stdin), (stdout, sys.stdout), (stderr, sys.stderr))
        #: A process may have been started without one of them: that one is empty and swallows what is written.
        self.streams = tuple(ours or (theirs.buffer if theirs is not None else io.BytesIO()) for ours, theirs in given)
        self._memory: GuestMemory | None = None

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory now."""
        if self._memory is None:
            raise GuestMemoryError("the program exports no memory")
        return self._memory

    @memory.setter
    def memory(self, memory: GuestMemory | None) -> None:
        self._memory = memory

    def time_ns(self) -> int:
        """Wall clock."""
        return time.time_ns() if self.clock is None else self.clock.read()

    def monotonic_ns(self) -> int:
        """A clock that never goes back."""
        return time.monotonic_ns() if self.clock is None else self.clock.read_monotonic()

    def sleep_ns(self, duration: int) -> None:
        """Wait, or let the repeatable clock go on."""
        if self.clock is None:
            time.sleep(min(duration / 1e9, 1e6))
        else:
            self.clock.sleep(duration)

    def random(self, n: int) -> bytes:
        """n bytes of chance."""
        return os.urandom(n) if self._entropy is None else self._entropy.take(n)

    def write_output(self, fd: int, data: bytes) -> None:
        """To standard output or error, at once."""
        self.streams[fd].write(data)
        self.streams[fd].flush()

    def read_input(self, n: int) -> bytes:
        """What standard input has, at most n bytes, waiting for the first."""
        stream = self.streams[0]
        read = getattr(stream, "read1", None) or stream.read
        data = read(n)
        return bytes(data) if data else b""

    def input_ready(self, wait: float) -> bool:
        """Whether reading would not wait, after waiting up to so many seconds; always True in repeatable runs."""
        try:
            number = self.streams[0].fileno()
            peeked = getattr(self.streams[0], "peek", None)
            if self.clock is not None or peeked is None:
                return True
            return bool(select.select([number], [], [], wait)[0])
        except (OSError, ValueError):
            return True


def _answers(code: Callable[..., int | None]) -> Callable[..., int]:
    """Turn errors of the machine and our own refusals into errnos."""

    def answered(*args: int) -> int:
        try:
            code(*args)
        except WasiError as error:
            return error.errno
        except BrokenPipeError:  # the shell's rule: who writes to nobody ends quietly
            raise
        except OSError as error:
            return errno_of(error)
        except (ValueError, OverflowError):
            return Errno.INVAL
        return Errno.SUCCESS

    answered.__doc__ = code.__doc__
    return answered


class ProgramWasi(FilterWasi):
    """The functions of one program. Raises OSError from the constructor if a folder cannot be opened."""

    whence = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END)
    pack_status: Callable[[FileStatus], bytes] = staticmethod(FileStatus.pack)

    def __init__(self, world: World, table: FileTable | None = None) -> None:
        super().__init__(world, DEFAULT_LIMITS)
        self.world = world
        self.identities = files.Identities(repeatable=world.fixed_time is not None)
        self.table = table or self._first_table()

    def _first_table(self) -> FileTable:
        table = FileTable()
        for stream, right in zip(self.world.streams, (files.FD_READ, files.FD_WRITE, files.FD_WRITE), strict=True):
            terminal = stream.isatty() and self.world.fixed_time is None
            kind = files.CHARACTER_DEVICE if terminal else files.UNKNOWN
            table.add(Descriptor(-1, kind, files.STREAM_RIGHTS | right))
        for guest, host in self.world.preopens:
            fd = os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            table.add(Descriptor(fd, files.DIRECTORY, files.FOLDER_RIGHTS, files.ALL_RIGHTS, preopened=guest))
        return table

    def close(self) -> None:
        """Close all files."""
        self.table.close_all()

    # --- helpers

    def _text(self, ptr: int, n: int) -> bytes:
        return self.env.memory.read(ptr, n)

    @contextmanager
    def _at(self, fd: int, path: int, path_len: int, follow: bool = False) -> Iterator[Place]:
        with located(self.table[fd].folder(), self._text(path, path_len), follow) as place:
            yield place

    def _status(self, found: os.stat_result) -> bytes:
        return self.pack_status(FileStatus.of(found, self.identities, self.world.fixed_time))

    def _real_time_ns(self) -> int:
        return time.time_ns() if self.world.fixed_time is None else self.world.time_ns()

    def _times(self, found: os.stat_result, atim: int, mtim: int, flags: int) -> tuple[int, int]:
        if flags & (SET_ATIM | SET_ATIM_NOW) == 3 or flags & (SET_MTIM | SET_MTIM_NOW) == 12:
            raise WasiError(Errno.INVAL)
        now = self._real_time_ns() if flags & (SET_ATIM_NOW | SET_MTIM_NOW) else 0
        access = atim if flags & SET_ATIM else now if flags & SET_ATIM_NOW else found.st_atime_ns
        change = mtim if flags & SET_MTIM else now if flags & SET_MTIM_NOW else found.st_mtime_ns
        return access, change

    # --- reading and writing

    def _readable(self, fd: int) -> Descriptor:
        entry = self.table[fd]
        if entry.kind == files.DIRECTORY:
            raise WasiError(Errno.ISDIR)
        if not entry.rights & files.FD_READ:
            raise WasiError(Errno.BADF)
        return entry

    def _writable(self, fd: int) -> Descriptor:
        entry = self.table[fd]
        if entry.kind == files.DIRECTORY or not entry.rights & files.FD_WRITE:
            raise WasiError(Errno.BADF)
        return entry

    @_answers
    def fd_read(self, fd: int, iovs: int, n: int, ret: int) -> None:
        """Read from standard input or a file."""
        entry = self._readable(fd)
        pieces = iovecs(self.env.memory, iovs, n)
        size = sum(length for _, length in pieces)
        if entry.is_stream:
            data = self.world.read_input(size) if size else b""
        else:
            data = os.read(entry.fd, size)
        scatter(self.env.memory, pieces, data)
        write_u32(self.env.memory, ret, len(data))

    @_answers
    def fd_write(self, fd: int, iovs: int, n: int, ret: int) -> None:
        """Write to a stream or a file."""
        entry = self._writable(fd)
        data = gather(self.env.memory, iovecs(self.env.memory, iovs, n))
        written = len(data)
        if entry.is_stream:
            self.world.write_output(2 if fd == 2 else 1, data)
        else:
            written = os.write(entry.fd, data)
        write_u32(self.env.memory, ret, written)

    @_answers
    def fd_pread(self, fd: int, iovs: int, n: int, offset: int, ret: int) -> None:
        """Read at an offset."""
        number = self._readable(fd).file()
        pieces = iovecs(self.env.memory, iovs, n)
        data = os.pread(number, sum(length for _, length in pieces), offset)
        scatter(self.env.memory, pieces, data)
        write_u32(self.env.memory, ret, len(data))

    @_answers
    def fd_pwrite(self, fd: int, iovs: int, n: int, offset: int, ret: int) -> None:
        """Write at an offset."""
        number = self._writable(fd).file()
        data = gather(self.env.memory, iovecs(self.env.memory, iovs, n))
        write_u32(self.env.memory, ret, os.pwrite(number, data, offset))

    @_answers
    def fd_seek(self, fd: int, offset: int, whence: int, ret: int) -> None:
        """Move the position."""
        number = self.table[fd].file()
        if whence >= len(self.whence):
            raise WasiError(Errno.INVAL)
        signed = offset - (1 << 64) if offset >> 63 else offset
        write_u64(self.env.memory, ret, os.lseek(number, signed, self.whence[whence]))

    @_answers
    def fd_tell(self, fd: int, ret: int) -> None:
        """The position."""
        write_u64(self.env.memory, ret, os.lseek(self.table[fd].file(), 0, os.SEEK_CUR))

    @_answers
    def fd_close(self, fd: int) -> None:
        """Close."""
        self.table.close(fd)

    @_answers
    def fd_renumber(self, fd: int, to: int) -> None:
        """Move a descriptor over another."""
        self.table.renumber(fd, to)

    # --- about descriptors

    @_answers
    def fd_fdstat_get(self, fd: int, buffer: int) -> None:
        """Type, flags and rights."""
        self.env.memory.write(buffer, self.table[fd].fdstat())

    @_answers
    def fd_fdstat_set_flags(self, fd: int, flags: int) -> None:
        """Set APPEND and the like."""
        self.table[fd].set_flags(flags)

    @_answers
    def fd_fdstat_set_rights(self, fd: int, base: int, inheriting: int) -> None:
        """Give rights up."""
        entry = self.table[fd]
        if base & ~entry.rights or inheriting & ~entry.inheriting:
            raise WasiError(Errno.NOTCAPABLE)
        entry.rights, entry.inheriting = base, inheriting

    @_answers
    def fd_filestat_get(self, fd: int, buffer: int) -> None:
        """Status of an open file."""
        entry = self.table[fd]
        if entry.is_stream:
            status = FileStatus(0, fd, entry.kind, 1, 0, (0, 0, 0))
            self.env.memory.write(buffer, self.pack_status(status))
        else:
            self.env.memory.write(buffer, self._status(os.fstat(entry.fd)))

    @_answers
    def fd_filestat_set_size(self, fd: int, size: int) -> None:
        """Cut or lengthen a file."""
        os.ftruncate(self._writable(fd).file(), size)

    @_answers
    def fd_filestat_set_times(self, fd: int, atim: int, mtim: int, flags: int) -> None:
        """Set the times of an open file."""
        entry = self.table[fd]
        if entry.is_stream:
            raise WasiError(Errno.BADF)
        os.utime(entry.fd, ns=self._times(os.fstat(entry.fd), atim, mtim, flags))

    @_answers
    def fd_allocate(self, fd: int, offset: int, length: int) -> None:
        """Make sure that a file has so much room."""
        os.posix_fallocate(self._writable(fd).file(), offset, length)

    @_answers
    def fd_advise(self, fd: int, offset: int, length: int, advice: int) -> None:
        """Advice is free."""
        if advice > 5:
            raise WasiError(Errno.INVAL)
        self.table[fd].file()

    @_answers
    def _synchronise(self, fd: int) -> None:
        entry = self.table[fd]
        if not entry.is_stream:
            os.fsync(entry.fd)

    fd_sync = _synchronise
    fd_datasync = _synchronise

    @_answers
    def fd_prestat_get(self, fd: int, buffer: int) -> None:
        """Length of the name of a folder given to the program."""
        name = self.table[fd].preopened
        if name is None:
            raise WasiError(Errno.BADF)
        self.env.memory.write(buffer, struct.pack("<II", 0, len(os.fsencode(name))))

    @_answers
    def fd_prestat_dir_name(self, fd: int, path: int, path_len: int) -> None:
        """Its name."""
        name = self.table[fd].preopened
        if name is None:
            raise WasiError(Errno.BADF)
        if path_len < len(os.fsencode(name)):
            raise WasiError(Errno.NAMETOOLONG)
        self.env.memory.write(path, os.fsencode(name))

    @_answers
    def fd_readdir(self, fd: int, buffer: int, size: int, cookie: int, ret: int) -> None:
        """Entries of a folder from a cookie on."""
        entry = self.table[fd]
        number = entry.folder()
        if cookie == 0 or not entry.listing:
            entry.listing = files.read_listing(number, self.identities.of)
        data = files.pack_listing(entry.listing, cookie, size)
        self.env.memory.write(buffer, data)
        write_u32(self.env.memory, ret, len(data))

    # --- paths

    @_answers
    def path_open(
        self,
        fd: int,
        lookup: int,
        path: int,
        path_len: int,
        oflags: int,
        rights: int,
        inheriting: int,
        fdflags: int,
        ret: int,
    ) -> None:
        """Open or create a file or folder."""
        self.env.memory.read(ret, 4)
        with self._at(fd, path, path_len, bool(lookup & FOLLOW) and not oflags & EXCL) as place:
            entry = _open(place, oflags, rights, fdflags)
        entry.rights &= rights | ~(files.FD_READ | files.FD_WRITE)
        entry.inheriting &= inheriting
        write_u32(self.env.memory, ret, self.table.add(entry))

    @_answers
    def path_filestat_get(self, fd: int, lookup: int, path: int, path_len: int, buffer: int) -> None:
        """Status of what is at a path."""
        with self._at(fd, path, path_len, bool(lookup & FOLLOW)) as place:
            self.env.memory.write(buffer, self._status(place.status()))

    @_answers
    def path_filestat_set_times(
        self, fd: int, lookup: int, path: int, path_len: int, atim: int, mtim: int, flags: int
    ) -> None:
        """Set the times of what is at a path."""
        with self._at(fd, path, path_len, bool(lookup & FOLLOW)) as place:
            times = self._times(place.status(), atim, mtim, flags)
            os.utime(place.name, ns=times, dir_fd=place.dir_fd, follow_symlinks=False)

    @_answers
    def path_create_directory(self, fd: int, path: int, path_len: int) -> None:
        """Make a folder."""
        with self._at(fd, path, path_len) as place:
            os.mkdir(place.name, dir_fd=place.dir_fd)

    @_answers
    def path_remove_directory(self, fd: int, path: int, path_len: int) -> None:
        """Remove an empty folder."""
        with self._at(fd, path, path_len) as place:
            os.rmdir(place.name, dir_fd=place.dir_fd)

    @_answers
    def path_unlink_file(self, fd: int, path: int, path_len: int) -> None:
        """Remove a file or a link."""
        with self._at(fd, path, path_len) as place:
            if stat.S_ISDIR(place.status().st_mode):
                raise WasiError(Errno.ISDIR)
            os.unlink(place.name, dir_fd=place.dir_fd)

    @_answers
    def path_rename(self, fd: int, old: int, old_len: int, new_fd: int, new: int, new_len: int) -> None:
        """Move a file or folder."""
        with self._at(fd, old, old_len) as source, self._at(new_fd, new, new_len) as target:
            if not stat.S_ISDIR(source.status().st_mode) and target.folder_wanted:
                raise WasiError(Errno.NOTDIR)
            os.rename(source.name, target.name, src_dir_fd=source.dir_fd, dst_dir_fd=target.dir_fd)

    @_answers
    def path_link(self, fd: int, lookup: int, old: int, old_len: int, new_fd: int, new: int, new_len: int) -> None:
        """Give a file another name."""
        with self._at(fd, old, old_len, bool(lookup & FOLLOW)) as source, self._at(new_fd, new, new_len) as target:
            source.status()
            if target.folder_wanted:
                raise WasiError(Errno.NOENT)
            os.link(source.name, target.name, src_dir_fd=source.dir_fd, dst_dir_fd=target.dir_fd, follow_symlinks=False)

    @_answers
    def path_symlink(self, old: int, old_len: int, fd: int, new: int, new_len: int) -> None:
        """Make a link, whose target must not be absolute."""
        target = self._text(old, old_len)
        if target.startswith(b"/"):
            raise WasiError(Errno.PERM)
        with self._at(fd, new, new_len) as place:
            if place.folder_wanted:
                raise WasiError(Errno.NOENT)
            os.symlink(target, place.name, dir_fd=place.dir_fd)

    @_answers
    def path_readlink(self, fd: int, path: int, path_len: int, buffer: int, size: int, ret: int) -> None:
        """The target of a link, cut where the buffer ends."""
        with self._at(fd, path, path_len) as place:
            target = os.readlink(place.name, dir_fd=place.dir_fd)[:size]
        self.env.memory.write(buffer, target)
        write_u32(self.env.memory, ret, len(target))

    # --- waiting and ending

    def poll_oneoff(self, subscriptions: int, events: int, n: int, ret: int) -> int:
        """Wait for the first of some clocks, for input, or for nothing where writing is meant."""
        if not 0 < n <= self.limits.subscriptions:
            return Errno.INVAL
        memory = self.env.memory
        cells = memory.read(subscriptions, 48 * n)
        memory.read(events, 32 * n)
        subs = [Subscription.read(cells[i : i + 48]) for i in range(0, 48 * n, 48)]
        waits = [sub.wait_ns(self._now) for sub in subs if sub.kind == 0]
        first = min(waits, default=None)
        done = self._ready(subs, 0.0)
        if not done and any(sub.kind for sub in subs):
            done = self._ready(subs, 1e6 if first is None else first / 1e9)
        elif not done:
            self.env.sleep_ns(first or 0)
        if not done:
            clocks = (sub for sub in subs if sub.kind == 0)
            done = [sub.event() for sub, wait in zip(clocks, waits, strict=True) if wait == first]
        memory.write(events, b"".join(done))
        write_u32(memory, ret, len(done))
        return Errno.SUCCESS

    def _ready(self, subs: Sequence[Subscription], wait: float) -> list[bytes]:
        done: list[bytes] = []
        for sub in subs:
            if sub.kind == 0:
                continue
            if sub.id not in self.table.entries:
                done.append(sub.event(Errno.BADF))
            elif sub.kind != 1 or sub.id != 0 or self.world.input_ready(0.0 if done else wait):
                done.append(sub.event(nbytes=1))
        return done

    def proc_raise(self, signal: int) -> int:
        """End as a shell reports a signal."""
        raise ProcExit(128 + (signal & 63))


class UnstableProgramWasi(ProgramWasi):
    """What differs under the older name wasi_unstable: the numbers of whence and the layout of a status."""

    whence = (os.SEEK_CUR, os.SEEK_END, os.SEEK_SET)
    pack_status = staticmethod(FileStatus.pack_unstable)


def _open(place: Place, oflags: int, rights: int, fdflags: int) -> Descriptor:
    writes = bool(rights & files.FD_WRITE)
    reads = bool(rights & files.FD_READ)
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
    if place.folder_wanted or oflags & OPEN_DIRECTORY:
        if oflags & (CREAT | TRUNC):
            raise WasiError(Errno.INVAL if oflags & OPEN_DIRECTORY else Errno.ISDIR)
        flags |= os.O_DIRECTORY
        writes = False
    flags |= os.O_RDWR if writes and reads else os.O_WRONLY if writes else os.O_RDONLY
    for ours, theirs in ((CREAT, os.O_CREAT), (EXCL, os.O_EXCL), (TRUNC, os.O_TRUNC)):
        flags |= theirs if oflags & ours else 0
    flags |= os.O_APPEND if fdflags & files.APPEND else 0
    flags |= os.O_DSYNC if fdflags & (files.DSYNC | files.SYNC | files.RSYNC) else 0
    fd = os.open(place.name, flags, 0o666, dir_fd=place.dir_fd)
    kind = files.file_type(os.fstat(fd).st_mode)
    if kind == files.DIRECTORY and rights & files.FD_WRITE and not oflags & OPEN_DIRECTORY:
        os.close(fd)
        raise WasiError(Errno.ISDIR)
    base = files.FOLDER_RIGHTS if kind == files.DIRECTORY else files.FILE_RIGHTS
    return Descriptor(fd, kind, base, files.ALL_RIGHTS, fdflags)


def imports(world: World) -> tuple[dict[tuple[str, str], Import], ProgramWasi]:
    """The functions by (module, name), under both names, and the object to close when the program has ended."""
    stable = ProgramWasi(world)
    unstable = UnstableProgramWasi(world, stable.table)
    both = {key: record for key, record in records(stable).items() if key[0] != "wasi_unstable"}
    both |= {key: record for key, record in records(unstable).items() if key[0] == "wasi_unstable"}
    return both, stable
