"""What a file descriptor of a WASI program stands for, and the structures of preview1 that describe files."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from hostabi.adapters.wasi_paths import WasiError
from hostabi.hostcalls.wasi import Errno

# File types.
UNKNOWN, BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, REGULAR_FILE, SOCKET_STREAM, SYMBOLIC_LINK = 0, 1, 2, 3, 4, 6, 7

# Rights: what a descriptor may be used for.
FD_READ, FD_SEEK, FD_TELL, FD_WRITE = 1 << 1, 1 << 2, 1 << 5, 1 << 6
ALL_RIGHTS = (1 << 30) - 1
FILE_RIGHTS = sum(1 << bit for bit in (0, 1, 2, 3, 4, 5, 6, 7, 8, 21, 22, 23, 27))
FOLDER_RIGHTS = ALL_RIGHTS & ~(FD_READ | FD_SEEK | FD_TELL | FD_WRITE)
STREAM_RIGHTS = 1 << 3 | 1 << 21 | 1 << 27  # and reading or writing

# Descriptor flags.
APPEND, DSYNC, NONBLOCK, RSYNC, SYNC = 1, 2, 4, 8, 16

_KINDS = (
    (stat.S_ISREG, REGULAR_FILE),
    (stat.S_ISDIR, DIRECTORY),
    (stat.S_ISLNK, SYMBOLIC_LINK),
    (stat.S_ISCHR, CHARACTER_DEVICE),
    (stat.S_ISBLK, BLOCK_DEVICE),
    (stat.S_ISSOCK, SOCKET_STREAM),
)


def file_type(mode: int) -> int:
    """The type of a file by its mode; a FIFO is unknown to preview1."""
    return next((kind for matches, kind in _KINDS if matches(mode)), UNKNOWN)


@dataclass(slots=True)
class Descriptor:
    """An entry of the table: a file or folder of this machine, or one of the three standard streams (fd -1).

    `listing` is what fd_readdir saw when it last began, so that its cookies stay good.
    """

    fd: int
    kind: int
    rights: int
    inheriting: int = 0
    flags: int = 0
    preopened: str | None = None
    listing: list[tuple[bytes, int, int]] = field(default_factory=list)

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input, output or error."""
        return self.fd < 0

    def close(self) -> None:
        """Give a file back to the machine."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def file(self) -> int:
        """The machine's descriptor of a regular file. Raises WasiError."""
        if self.kind == DIRECTORY:
            raise WasiError(Errno.ISDIR)
        if self.is_stream:
            raise WasiError(Errno.SPIPE)
        return self.fd

    def folder(self) -> int:
        """The machine's descriptor of a folder. Raises WasiError."""
        if self.kind != DIRECTORY:
            raise WasiError(Errno.NOTDIR)
        return self.fd

    def fdstat(self) -> bytes:
        """The 24 bytes of fd_fdstat_get."""
        return struct.pack("<BxHxxxxQQ", self.kind, self.flags, self.rights, self.inheriting)

    def set_flags(self, flags: int) -> None:
        """Change APPEND; the other flags are remembered only."""
        if self.fd >= 0:
            now = fcntl.fcntl(self.fd, fcntl.F_GETFL)
            fcntl.fcntl(self.fd, fcntl.F_SETFL, now | os.O_APPEND if flags & APPEND else now & ~os.O_APPEND)
        self.flags = flags


class FileTable:
    """The open descriptors of a program, lowest free number first. Raises WasiError: BADF, MFILE."""

    MAX_OPEN = 512

    def __init__(self) -> None:
        self.entries: dict[int, Descriptor] = {}

    def __getitem__(self, fd: int) -> Descriptor:
        try:
            return self.entries[fd]
        except KeyError:
            raise WasiError(Errno.BADF) from None

    def add(self, entry: Descriptor) -> int:
        """Give an entry its number."""
        if len(self.entries) >= self.MAX_OPEN:
            entry.close()
            raise WasiError(Errno.MFILE)
        fd = next(n for n in range(len(self.entries) + 1) if n not in self.entries)
        self.entries[fd] = entry
        return fd

    def close(self, fd: int) -> None:
        """Close and forget."""
        self[fd].close()
        del self.entries[fd]

    def renumber(self, fd: int, to: int) -> None:
        """Move an entry over another."""
        entry = self[fd]
        target = self[to]
        if entry is not target:
            target.close()
            self.entries[to] = entry
            del self.entries[fd]

    def close_all(self) -> None:
        """Close everything."""
        for entry in self.entries.values():
            entry.close()
        self.entries.clear()


class Identities:
    """Device and inode numbers as guests see them: those of the machine, or numbered by first sight."""

    def __init__(self, repeatable: bool) -> None:
        self._seen: dict[tuple[int, int], int] | None = {} if repeatable else None

    def of(self, device: int, inode: int) -> tuple[int, int]:
        """Device and inode to show."""
        if self._seen is None:
            return device, inode
        return 0, self._seen.setdefault((device, inode), len(self._seen) + 1)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What filestat_get tells of a file; times in ns since 1970."""

    device: int
    inode: int
    kind: int
    links: int
    size: int
    times: tuple[int, int, int]  # access, modification, change

    @classmethod
    def of(cls, found: os.stat_result, identities: Identities, fixed_time: int | None) -> FileStatus:
        """From the machine's answer; `fixed_time` hides its times."""
        times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
        return cls(
            *identities.of(found.st_dev, found.st_ino),
            file_type(found.st_mode),
            found.st_nlink,
            found.st_size,
            times if fixed_time is None else (fixed_time,) * 3,
        )

    def pack(self) -> bytes:
        """The 64 bytes of preview1."""
        times = (t & 0xFFFFFFFFFFFFFFFF for t in self.times)
        return struct.pack("<QQB7xQQQQQ", self.device, self.inode, self.kind, self.links, self.size, *times)

    def pack_unstable(self) -> bytes:
        """The 56 bytes of wasi_unstable."""
        times = (t & 0xFFFFFFFFFFFFFFFF for t in self.times)
        return struct.pack("<QQBxxxIQQQQ", self.device, self.inode, self.kind, self.links, self.size, *times)


def read_listing(fd: int, identify: Callable[[int, int], tuple[int, int]]) -> list[tuple[bytes, int, int]]:
    """Name, inode and type of what a folder holds, "." and ".." first, the rest sorted so that runs repeat."""
    here = os.fstat(fd)
    inode = identify(here.st_dev, here.st_ino)[1]
    found = [(b".", inode, DIRECTORY), (b"..", inode, DIRECTORY)]
    for name in sorted(os.fsencode(name) for name in os.listdir(fd)):
        try:
            entry = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:  # gone meanwhile
            continue
        found.append((name, identify(entry.st_dev, entry.st_ino)[1], file_type(entry.st_mode)))
    return found


def pack_listing(listing: list[tuple[bytes, int, int]], cookie: int, size: int) -> bytes:
    """Entries from `cookie` on as fd_readdir gives them, the last one cut where the buffer ends."""
    out = bytearray()
    for position in range(min(cookie, len(listing)), len(listing)):
        name, inode, kind = listing[position]
        out += struct.pack("<QQIB3x", position + 1, inode, len(name), kind) + name
        if len(out) >= size:
            break
    return bytes(out[:size])
