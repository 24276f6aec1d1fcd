"""Files of WASI programs: the functions against preview1, and no way out of the folder that was given."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostabi.abi.marshal import check_range
from hostabi.adapters import wasi_program
from hostabi.adapters.wasi_program import World

SUCCESS, BADF, EXIST, FAULT, INVAL, ISDIR, LOOP, NOENT, NOTDIR, NOTEMPTY, PERM, SPIPE = (
    *(0, 8, 20, 21, 28, 31, 32, 44, 54, 55, 63, 70),
)
READ, WRITE = 1 << 1, 1 << 6
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
ROOT = 3


class Memory:
    """One page of bytes."""

    def __init__(self) -> None:
        self.data = bytearray(65536)

    @property
    def length(self) -> int:
        return len(self.data)

    def read(self, addr: int, n: int) -> bytes:
        check_range(self.length, addr, n)
        return bytes(self.data[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        check_range(self.length, addr, len(data))
        self.data[addr : addr + len(data)] = data


class Guest:
    """Calls the functions as a program would, with its strings laid out in memory."""

    def __init__(self, folder: Path, module: str = "wasi_snapshot_preview1", **world: object) -> None:
        self.out, self.err = io.BytesIO(), io.BytesIO()
        self.world = World(
            [b"prog", b"x"],
            preopens=[("/data", str(folder))],
            stdin=io.BytesIO(b"typed\n"),
            stdout=self.out,
            stderr=self.err,
            **world,  # type: ignore[arg-type]
        )
        self.memory = self.world.memory = Memory()
        self.table, self.functions = wasi_program.imports(self.world)
        self.module = module

    def call(self, name: str, *args: int) -> int:
        record = self.table[self.module, name]
        assert len(args) == len(record.params), name
        return int(record.code(*args) or 0)

    def text(self, data: bytes, at: int = 1000) -> tuple[int, int]:
        self.memory.write(at, data)
        return at, len(data)

    def u32(self, at: int) -> int:
        return int.from_bytes(self.memory.read(at, 4), "little")

    def u64(self, at: int) -> int:
        return int.from_bytes(self.memory.read(at, 8), "little")

    def open(self, path: bytes, oflags: int = 0, rights: int = READ, follow: int = 1, fdflags: int = 0) -> int:
        """The new descriptor, or minus the errno."""
        errno = self.call("path_open", ROOT, follow, *self.text(path), oflags, rights, rights, fdflags, 64)
        return -errno if errno else self.u32(64)

    def write(self, fd: int, data: bytes) -> int:
        self.memory.write(0, struct.pack("<II", 2000, len(data)))
        self.memory.write(2000, data)
        return self.call("fd_write", fd, 0, 1, 64)

    def read(self, fd: int, n: int = 100) -> bytes:
        self.memory.write(0, struct.pack("<IIII", 2000, 3, 2003, n - 3))
        assert self.call("fd_read", fd, 0, 2, 64) == 0
        return self.memory.read(2000, self.u32(64))

    def path(self, name: str, path: bytes, *rest: int) -> int:
        return self.call(name, ROOT, *self.text(path), *rest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A given folder with a secret beside it and links in it that try to get there."""
    (tmp_path / "secret").write_text("hidden")
    given = tmp_path / "given"
    (given / "sub").mkdir(parents=True)
    (given / "a.txt").write_text("alpha")
    (given / "sub" / "b.txt").write_text("beta")
    (given / "inside").symlink_to("sub/b.txt")
    (given / "updown").symlink_to("sub/../a.txt")
    (given / "sub" / "up").symlink_to("../a.txt")
    (given / "folderlink").symlink_to("sub")
    (given / "escape").symlink_to("../secret")
    (given / "escapedir").symlink_to("..")
    (given / "deep").symlink_to("sub/../../secret")
    (given / "absolute").symlink_to(tmp_path / "secret")
    (given / "rootdir").symlink_to("/")
    (given / "loop").symlink_to("loop")
    (given / "dangling").symlink_to("nowhere")
    return given


@pytest.fixture
def guest(folder: Path) -> Iterator[Guest]:
    guest = Guest(folder)
    yield guest
    guest.functions.close()


# --- staying inside --------------------------------------------------------------------------------------------------

ESCAPES = [
    b"..",
    b"../secret",
    b"sub/../../secret",
    b"./sub/./../.././secret",
    b"/etc/passwd",
    b"/",
    b"escape",
    b"escapedir",
    b"escapedir/secret",
    b"deep",
    b"absolute",
    b"rootdir",
    b"rootdir/etc/passwd",
    b"sub/../escapedir/given/a.txt",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_way_out_by_opening(guest: Guest, path: bytes) -> None:
    for oflags, rights in ((0, READ), (CREAT, READ | WRITE), (TRUNC, WRITE), (DIRECTORY, READ)):
        assert guest.open(path, oflags, rights) == -PERM
    assert guest.call("path_filestat_get", ROOT, 1, *guest.text(path), 3000) == PERM


@pytest.mark.parametrize("path", [b"../x", b"escapedir/x", b"rootdir/tmp/x", b"/tmp/x", b"sub/../../x"])
def test_no_way_out_by_changing(guest: Guest, folder: Path, path: bytes) -> None:
    before = sorted(os.listdir(folder.parent))
    assert guest.path("path_create_directory", path) == PERM
    assert guest.path("path_unlink_file", path) == PERM
    assert guest.path("path_remove_directory", path) == PERM
    assert guest.path("path_readlink", path, 3000, 10, 64) == PERM
    good = guest.text(b"a.txt", 1500)
    assert guest.call("path_rename", ROOT, *good, ROOT, *guest.text(path)) == PERM
    assert guest.call("path_rename", ROOT, *guest.text(path), ROOT, *good) == PERM
    assert guest.call("path_link", ROOT, 0, *good, ROOT, *guest.text(path)) == PERM
    assert guest.call("path_link", ROOT, 1, *guest.text(path), ROOT, *guest.text(b"new", 1500)) == PERM
    assert guest.call("path_symlink", *good, ROOT, *guest.text(path)) == PERM
    assert guest.call("path_filestat_set_times", ROOT, 1, *guest.text(path), 0, 0, 5) == PERM
    assert sorted(os.listdir(folder.parent)) == before


def test_links_out_can_be_seen_but_not_followed(guest: Guest, folder: Path) -> None:
    assert guest.open(b"escape", follow=0) == -LOOP
    assert guest.path("path_readlink", b"escape", 3000, 100, 64) == 0
    assert guest.memory.read(3000, guest.u32(64)) == b"../secret"
    assert guest.path("path_unlink_file", b"escape") == 0
    assert (folder.parent / "secret").read_text() == "hidden"


def test_a_program_cannot_make_itself_a_way_out(guest: Guest, folder: Path) -> None:
    assert guest.call("path_symlink", *guest.text(b"/etc", 1500), ROOT, *guest.text(b"etc")) == PERM
    assert guest.call("path_symlink", *guest.text(b"../..", 1500), ROOT, *guest.text(b"up")) == 0
    assert guest.open(b"up/secret") == -PERM
    sub = guest.open(b"sub", DIRECTORY)
    assert guest.call("path_open", sub, 1, *guest.text(b"../a.txt"), 0, READ, 0, 0, 64) == PERM


def test_paths_that_are_none(guest: Guest) -> None:
    assert guest.open(b"") == -NOENT
    assert guest.open(b"a\0b") == -INVAL
    assert guest.open(b"x" * 5000) == -37
    assert guest.open(b"x" * 300) == -37
    assert guest.open(b"loop") == -LOOP
    assert guest.open(b"a.txt/b") == -NOTDIR
    assert guest.open(b"a.txt/") == -NOTDIR
    assert guest.open(b"missing/b") == -NOENT
    assert guest.call("path_open", 9, 0, 0, 1, 0, 0, 0, 0, 64) == BADF
    assert guest.call("path_open", 1, 0, 0, 1, 0, 0, 0, 0, 64) == NOTDIR
    assert guest.call("path_open", ROOT, 0, 65530, 100, 0, 0, 0, 0, 64) == FAULT


@pytest.mark.parametrize("path", [b"inside", b"sub/b.txt", b"./sub//b.txt", b"folderlink/b.txt", b"sub/../sub/b.txt"])
def test_ways_that_stay_inside(guest: Guest, path: bytes) -> None:
    fd = guest.open(path)
    assert fd >= 4
    assert guest.read(fd) == b"beta"


@pytest.mark.parametrize("path", [b"updown", b"sub/up"])
def test_links_up_that_stay_inside(guest: Guest, path: bytes) -> None:
    assert guest.read(guest.open(path)) == b"alpha"


def test_no_descriptor_is_left_open(guest: Guest) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for path in (*ESCAPES, b"loop", b"sub/up", b"a.txt/b"):
        fd = guest.open(path)
        if fd >= 0:
            assert guest.call("fd_close", fd) == 0
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


# --- files -----------------------------------------------------------------------------------------------------------


def test_create_write_seek_read(guest: Guest, folder: Path) -> None:
    fd = guest.open(b"new", CREAT | EXCL, READ | WRITE)
    assert fd == 4
    assert guest.write(fd, b"0123456789") == 0
    assert guest.u32(64) == 10
    assert guest.call("fd_seek", fd, 2**64 - 4, 2, 64) == 0
    assert guest.u64(64) == 6
    assert guest.read(fd) == b"6789"
    assert guest.call("fd_seek", fd, 2, 0, 64) == 0
    assert guest.read(fd, 4) == b"2345"
    assert guest.call("fd_tell", fd, 64) == 0
    assert guest.u64(64) == 6
    assert guest.call("fd_seek", fd, 0, 3, 64) == INVAL
    assert guest.call("fd_seek", fd, 2**63, 0, 64) == INVAL
    guest.memory.write(0, struct.pack("<II", 2000, 4))
    assert guest.call("fd_pread", fd, 0, 1, 1, 64) == 0
    assert guest.memory.read(2000, 4) == b"1234"
    assert guest.call("fd_pwrite", fd, 0, 1, 8, 64) == 0
    assert guest.call("fd_filestat_set_size", fd, 11) == 0
    assert guest.call("fd_sync", fd) == 0
    assert guest.call("fd_close", fd) == 0
    assert guest.call("fd_close", fd) == BADF
    assert (folder / "new").read_bytes() == b"01234567123"
    assert guest.open(b"new", CREAT | EXCL, WRITE) == -EXIST


def test_append_and_truncate(guest: Guest, folder: Path) -> None:
    fd = guest.open(b"a.txt", 0, WRITE, fdflags=1)
    assert guest.write(fd, b"bet") == 0
    assert (folder / "a.txt").read_text() == "alphabet"
    fd = guest.open(b"a.txt", TRUNC, WRITE)
    assert guest.write(fd, b"x") == 0
    assert (folder / "a.txt").read_text() == "x"


def test_rights_are_what_was_asked_for(guest: Guest) -> None:
    reader, writer = guest.open(b"a.txt"), guest.open(b"a.txt", 0, WRITE)
    assert guest.write(reader, b"x") == BADF
    assert guest.call("fd_read", writer, 0, 0, 64) == BADF
    assert guest.call("fd_read", ROOT, 0, 0, 64) == ISDIR


def test_rights_can_only_be_given_up(guest: Guest) -> None:
    fd = guest.open(b"a.txt", 0, READ | WRITE)
    assert guest.call("fd_fdstat_set_rights", fd, READ, 0) == 0
    assert guest.write(fd, b"x") == BADF
    assert guest.call("fd_fdstat_set_rights", fd, READ | WRITE, 0) == 76
    assert guest.read(fd) == b"alpha"
    assert guest.write(0, b"x") == BADF
    assert guest.call("fd_read", 1, 0, 0, 64) == BADF
    assert guest.open(b"sub", 0, READ | WRITE) == -ISDIR


def test_creating_through_a_dangling_link_stays_inside(guest: Guest, folder: Path) -> None:
    assert guest.open(b"dangling", CREAT, WRITE) >= 4
    assert (folder / "nowhere").exists()


def test_folders(guest: Guest, folder: Path) -> None:
    assert guest.path("path_create_directory", b"made/") == 0
    assert guest.path("path_create_directory", b"made") == EXIST
    assert guest.path("path_unlink_file", b"made") == ISDIR
    assert guest.call("path_rename", ROOT, *guest.text(b"a.txt", 1500), ROOT, *guest.text(b"made/c.txt")) == 0
    assert guest.path("path_remove_directory", b"made") == NOTEMPTY
    assert guest.path("path_unlink_file", b"made/c.txt") == 0
    assert guest.path("path_remove_directory", b"made") == 0
    assert guest.path("path_unlink_file", b"sub/b.txt/") == NOTDIR
    assert not (folder / "made").exists()


def test_listing_goes_on_by_cookie(guest: Guest) -> None:
    names = []
    cookie = 0
    for _ in range(100):
        assert guest.call("fd_readdir", ROOT, 4000, 60, cookie, 64) == 0
        used = guest.u32(64)
        if used < 24:
            break
        cookie, _, length, kind = struct.unpack("<QQIB3x", guest.memory.read(4000, 24))
        names.append((guest.memory.read(4024, length).decode(), kind))
    assert names[:3] == [(".", 3), ("..", 3), ("a.txt", 4)]
    assert [name for name, _ in names[2:]] == sorted(name for name, _ in names[2:])
    assert dict(names)["escape"] == 7
    assert guest.call("fd_readdir", 0, 4000, 60, 0, 64) == NOTDIR


def test_status(guest: Guest, folder: Path) -> None:
    assert guest.call("path_filestat_get", ROOT, 0, *guest.text(b"a.txt"), 3000) == 0
    device, inode, kind, links, size, _, changed, _ = struct.unpack("<QQB7xQQQQQ", guest.memory.read(3000, 64))
    found = os.stat(folder / "a.txt")
    assert (device, inode, kind, links, size, changed) == (*(found.st_dev, found.st_ino, 4, 1, 5, found.st_mtime_ns),)
    fd = guest.open(b"a.txt")
    assert guest.call("fd_filestat_set_times", fd, 0, 7_000, 4) == 0
    assert os.stat(folder / "a.txt").st_mtime_ns == 7_000
    assert guest.call("fd_filestat_set_times", fd, 0, 0, 12) == INVAL
    assert guest.call("path_filestat_get", ROOT, 0, *guest.text(b"escape"), 3000) == 0
    assert guest.memory.read(3016, 1) == b"\7"
    assert guest.call("fd_filestat_get", 0, 3000) == 0
    assert guest.call("fd_filestat_get", 99, 3000) == BADF


def test_status_repeats_under_a_fixed_clock(folder: Path) -> None:
    guest = Guest(folder, clock=5 * 10**9)
    assert guest.call("path_filestat_get", ROOT, 0, *guest.text(b"a.txt"), 3000) == 0
    values = struct.unpack("<QQB7xQQQQQ", guest.memory.read(3000, 64))
    assert values == (0, 1, 4, 1, 5, 5 * 10**9, 5 * 10**9, 5 * 10**9)
    guest.functions.close()


def test_given_folders_are_announced(guest: Guest) -> None:
    assert guest.call("fd_prestat_get", ROOT, 64) == 0
    assert (guest.u32(64), guest.u32(68)) == (0, 5)
    assert guest.call("fd_prestat_dir_name", ROOT, 100, 5) == 0
    assert guest.memory.read(100, 6) == b"/data\0"
    assert guest.call("fd_prestat_dir_name", ROOT, 100, 4) == 37
    assert guest.call("fd_prestat_get", 4, 64) == BADF
    fd = guest.open(b"sub", DIRECTORY)
    assert guest.call("fd_prestat_get", fd, 64) == BADF


def test_descriptors_are_numbered_anew_and_limited(guest: Guest) -> None:
    first, second = guest.open(b"a.txt"), guest.open(b"sub/b.txt")
    assert guest.call("fd_renumber", second, first) == 0
    assert guest.read(first) == b"beta"
    assert guest.call("fd_renumber", 77, first) == BADF
    opened = [guest.open(b"a.txt") for _ in range(600)]
    assert opened[-1] == -33
    assert max(opened) < 512


def test_old_name_has_other_numbers(folder: Path) -> None:
    guest = Guest(folder, "wasi_unstable")
    fd = guest.open(b"a.txt")
    assert guest.call("fd_seek", fd, 3, 2, 64) == 0
    assert guest.read(fd) == b"ha"
    guest.memory.write(3000, b"\xff" * 64)
    assert guest.call("fd_filestat_get", fd, 3000) == 0
    assert struct.unpack("<BxxxIQ", guest.memory.read(3016, 16)) == (4, 1, 5)
    assert guest.memory.read(3056, 8) == b"\xff" * 8
    guest.functions.close()


# --- streams, time, chance -------------------------------------------------------------------------------------------


def test_streams(guest: Guest) -> None:
    assert guest.read(0) == b"typed\n"
    assert guest.read(0) == b""
    assert guest.write(1, b"out\n") == 0
    assert guest.write(2, b"err") == 0
    assert (guest.out.getvalue(), guest.err.getvalue()) == (b"out\n", b"err")
    assert guest.call("fd_seek", 1, 0, 0, 64) == SPIPE
    assert guest.call("fd_fdstat_get", 1, 64) == 0
    assert guest.call("fd_close", 1) == 0
    assert guest.write(1, b"more") == BADF


def test_time_and_chance_repeat(folder: Path) -> None:
    seen = []
    for _ in range(2):
        guest = Guest(folder, clock=10**18, seed=7)
        assert guest.call("random_get", 100, 32) == 0
        assert guest.call("clock_time_get", 0, 0, 200) == 0
        assert guest.call("clock_time_get", 1, 0, 208) == 0
        guest.memory.write(3000, struct.pack("<QB7xIxxxxQQH6x", 5, 0, 1, 3_600 * 10**9, 0, 0))
        assert guest.call("poll_oneoff", 3000, 4000, 1, 64) == 0
        assert guest.call("clock_time_get", 0, 0, 216) == 0
        seen.append(guest.memory.read(100, 200))
        assert guest.u64(200) == 10**18 + 1000
        assert guest.u64(216) == 10**18 + 3_600 * 10**9 + 3000
        guest.functions.close()
    assert seen[0] == seen[1]
    other = Guest(folder, clock=10**18, seed=8)
    other.call("random_get", 100, 32)
    assert other.memory.read(100, 32) != seen[0][:32]
    other.functions.close()


def test_poll_reports_what_is_ready(guest: Guest) -> None:
    clock = struct.pack("<QB7xIxxxxQQH6x", 5, 0, 1, 10**15, 0, 0)
    output = struct.pack("<QB7xIxxxxQQH6x", 6, 2, 1, 0, 0, 0)
    closed = struct.pack("<QB7xIxxxxQQH6x", 7, 1, 50, 0, 0, 0)
    guest.memory.write(3000, clock + output + closed)
    assert guest.call("poll_oneoff", 3000, 4000, 3, 64) == 0
    assert guest.u32(64) == 2
    assert struct.unpack("<QHB", guest.memory.read(4000, 11)) == (6, 0, 2)
    assert struct.unpack("<QHB", guest.memory.read(4032, 11)) == (7, BADF, 1)
    assert guest.call("poll_oneoff", 3000, 4000, 0, 64) == INVAL


def test_hostile_arguments_are_errnos(guest: Guest) -> None:
    """Every function with every argument at its largest, and at the edge of memory: an errno, never an exception."""
    for (module, name), record in guest.table.items():
        if name in ("proc_exit", "proc_raise") or module != "wasi_snapshot_preview1":
            continue
        for value in (0xFFFFFFFF, 0xFFFF, 0x7FFFFFFF, 3):
            wide = {"i32": value, "i64": value | value << 32}
            answer = record.code(*(wide[t] for t in record.params))
            assert isinstance(answer, int), (name, value)
            assert 0 <= answer <= 76, (name, value)


def test_every_function_of_preview1_is_offered(guest: Guest) -> None:
    for module in ("wasi_snapshot_preview1", "wasi_unstable"):
        assert len({name for m, name in guest.table if m == module}) == 46
