"""Paths of a WASI program: resolved one component at a time from an open folder, with no way out of it.

Each folder on the way is opened without following links, links are read and walked by our own rules, ".." goes back to
a folder that is already open, and the last name is used without following. So neither "..", an absolute path, a link,
nor somebody who swaps a folder for a link at the wrong moment leads outside.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hostabi.hostcalls.wasi import Errno

MAX_LINKS = 40
MAX_PATH = 4096

_ERRNO = {
    getattr(errno, "E2BIG" if known is Errno.TOO_BIG else "ESPIPE" if known is Errno.SPIPE else "E" + known.name): known
    for known in Errno
    if known not in (Errno.SUCCESS, Errno.NOTCAPABLE)
}


class WasiError(Exception):
    """A call cannot do what was asked; `errno` is its answer."""

    def __init__(self, number: Errno) -> None:
        super().__init__(number.name)
        self.errno = number


def errno_of(error: OSError) -> Errno:
    """The errno of preview1 for an error of this machine; IO for one without a counterpart."""
    return _ERRNO.get(error.errno or 0, Errno.IO)


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open folder. The name is no link (unless links were not to be followed) and may not exist."""

    dir_fd: int
    name: bytes
    folder_wanted: bool

    def status(self) -> os.stat_result:
        """What is there. Raises OSError."""
        found = os.stat(self.name, dir_fd=self.dir_fd, follow_symlinks=False)
        if self.folder_wanted and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOTDIR)
        return found


def checked(path: bytes) -> bytes:
    """Refuse what no path can be: empty, too long, with a NUL, absolute."""
    if not path:
        raise WasiError(Errno.NOENT)
    if len(path) > MAX_PATH:
        raise WasiError(Errno.NAMETOOLONG)
    if b"\0" in path:
        raise WasiError(Errno.INVAL)
    if path.startswith(b"/"):
        raise WasiError(Errno.PERM)
    return path


@contextmanager
def located(root_fd: int, path: bytes, follow: bool) -> Iterator[Place]:
    """The place of a path under an open folder; `follow` says whether a link at its end is followed.

    The place is good within the context only. Raises WasiError (PERM for a way out) and OSError.
    """
    walk = _Walk(root_fd)
    try:
        yield walk.to(checked(path), follow)
    finally:
        walk.close()


class _Walk:
    """The folders opened so far, the root first."""

    def __init__(self, root_fd: int) -> None:
        self.fds = [root_fd]
        self.links = 0

    def close(self) -> None:
        while len(self.fds) > 1:
            os.close(self.fds.pop())

    def to(self, path: bytes, follow: bool) -> Place:
        todo = deque(path.split(b"/"))
        folder_wanted = todo[-1] in (b"", b".", b"..")
        while todo:
            part = todo.popleft()
            if part in (b"", b"."):
                continue
            if part == b"..":
                self._up()
                continue
            last = all(rest in (b"", b".") for rest in todo)
            target = self._link(part) if not last or follow or folder_wanted else None
            if target is not None:
                folder_wanted = folder_wanted or (last and target.split(b"/")[-1] in (b"", b".", b".."))
                todo.extendleft(reversed(target.split(b"/")))
            elif last:
                return Place(self.fds[-1], part, folder_wanted)
            else:
                self._down(part)
        return Place(self.fds[-1], b".", True)

    def _up(self) -> None:
        if len(self.fds) == 1:
            raise WasiError(Errno.PERM)
        os.close(self.fds.pop())

    def _down(self, name: bytes) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fds.append(os.open(name, flags, dir_fd=self.fds[-1]))

    def _link(self, name: bytes) -> bytes | None:
        try:
            target = os.readlink(name, dir_fd=self.fds[-1])
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # no link, or nothing there yet
                return None
            raise
        self.links += 1
        if self.links > MAX_LINKS:
            raise WasiError(Errno.LOOP)
        return checked(target)
