"""The WASI functions of a filter against abi_reference 9.2, on a memory made by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from hostabi.abi.hostcall import ProcExit
from hostabi.abi.marshal import check_range
from hostabi.hostcalls import wasi

BADF, FAULT, INVAL, NOENT, NOSYS, NOTDIR, NOTSUP, SPIPE = 8, 21, 28, 44, 52, 54, 58, 70


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


class Env:
    """A world that can be repeated."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.args: list[bytes] = []
        self.environ = [(b"HOME", b"/"), (b"EMPTY", b"")]
        self.preopens: list[tuple[str, str]] = []
        self.now = 1_700_000_000 * 10**9
        self.slept: list[int] = []
        self.drawn = 0
        self.out: list[tuple[int, bytes]] = []

    def time_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return 5

    def sleep_ns(self, duration: int) -> None:
        self.slept.append(duration)

    def random(self, n: int) -> bytes:
        self.drawn += n
        return bytes(range(1, n + 1)) if n < 200 else b"r" * n

    def write_output(self, fd: int, data: bytes) -> None:
        self.out.append((fd, data))

    def read_input(self, n: int) -> bytes:
        return b""


@pytest.fixture
def env() -> Env:
    return Env()


@pytest.fixture
def call(env: Env) -> Callable[..., int | None]:
    table = wasi.imports(env)

    def do(name: str, *args: int) -> int | None:
        record = table["wasi_snapshot_preview1", name]
        assert len(args) == len(record.params)
        return record.code(*args)

    return do


def u32(env: Env, addr: int) -> int:
    return int.from_bytes(env.memory.read(addr, 4), "little")


def u64(env: Env, addr: int) -> int:
    return int.from_bytes(env.memory.read(addr, 8), "little")


def test_both_names_offer_the_same(env: Env) -> None:
    table = wasi.imports(env)
    new = {name: (r.params, r.results) for (module, name), r in table.items() if module == "wasi_snapshot_preview1"}
    old = {name: (r.params, r.results) for (module, name), r in table.items() if module == "wasi_unstable"}
    assert new == old
    assert len(new) == 45
    assert new["clock_time_get"] == (("i32", "i64", "i32"), ("i32",))
    assert new["proc_exit"] == (("i32",), ())
    assert new["path_open"][0] == ("i32",) * 5 + ("i64",) * 2 + ("i32",) * 2
    assert (len(new["path_link"][0]), len(new["path_symlink"][0])) == (7, 5)
    assert "proc_raise" not in new


def test_write_is_one_log_record(env: Env, call: Callable[..., int]) -> None:
    env.memory.write(100, b"hello world\n\n")
    env.memory.write(0, struct.pack("<IIII", 100, 6, 106, 7))
    assert call("fd_write", 1, 0, 2, 64) == 0
    assert call("fd_write", 2, 0, 1, 68) == 0
    assert env.out == [(1, b"hello world\n\n"), (2, b"hello ")]
    assert (u32(env, 64), u32(env, 68)) == (13, 6)


def test_empty_text_is_not_logged(env: Env, call: Callable[..., int]) -> None:
    env.memory.write(64, b"\xff" * 4)
    env.memory.write(0, struct.pack("<II", 100, 0))
    assert call("fd_write", 1, 0, 1, 64) == 0
    assert env.out == []
    assert u32(env, 64) == 0


def test_write_refuses_other_descriptors_and_bad_memory(env: Env, call: Callable[..., int]) -> None:
    env.memory.write(0, struct.pack("<II", 65530, 7))
    assert [call("fd_write", fd, 0, 1, 64) for fd in (0, 3, 0xFFFFFFFF)] == [BADF] * 3
    assert call("fd_write", 1, 0, 1, 64) == FAULT
    assert call("fd_write", 1, 65532, 1, 64) == FAULT
    assert call("fd_write", 1, 8, 0xFFFFFFFF, 64) in (0, FAULT)
    env.memory.write(0, struct.pack("<II", 100, 3))
    assert call("fd_write", 1, 0, 1, 65533) == FAULT
    assert env.out == []


def test_long_lists_are_cut(env: Env, call: Callable[..., int]) -> None:
    """A list of pieces may name more than the memory holds; what one call takes is limited."""
    env.memory.write(0, struct.pack("<II", 0, 65536) * 4096)
    assert call("fd_write", 1, 0, 4096, 60000) == 0
    assert u32(env, 60000) == wasi.DEFAULT_LIMITS.output_bytes
    assert len(env.out[0][1]) == wasi.DEFAULT_LIMITS.output_bytes


def test_environment_and_arguments(env: Env, call: Callable[..., int]) -> None:
    assert call("environ_sizes_get", 0, 4) == 0
    assert (u32(env, 0), u32(env, 4)) == (2, len(b"HOME=/\0EMPTY=\0"))
    assert call("environ_get", 8, 100) == 0
    assert env.memory.read(100, 14) == b"HOME=/\0EMPTY=\0"
    assert (u32(env, 8), u32(env, 12)) == (100, 107)
    assert call("args_sizes_get", 0, 4) == 0
    assert (u32(env, 0), u32(env, 4)) == (0, 0)
    assert call("args_get", 8, 100) == 0
    assert call("environ_get", 8, 65530) == FAULT


def test_clocks(env: Env, call: Callable[..., int]) -> None:
    assert call("clock_time_get", 0, 1, 8) == 0
    assert u64(env, 8) == env.now
    assert call("clock_time_get", 1, 1, 8) == 0
    assert u64(env, 8) == 5
    assert [call("clock_time_get", c, 1, 8) for c in (2, 3, 4, 0xFFFFFFFF)] == [0, 0, NOTSUP, NOTSUP]
    assert call("clock_res_get", 0, 16) == 0
    assert u64(env, 16) == 1
    assert call("clock_time_get", 0, 1, 65529) == FAULT


def test_random(env: Env, call: Callable[..., int]) -> None:
    assert call("random_get", 10, 4) == 0
    assert env.memory.read(9, 6) == b"\0\1\2\3\4\0"
    assert call("random_get", 10, 0) == 0
    drawn = env.drawn
    assert call("random_get", 65535, 2) == FAULT
    assert call("random_get", 0, (1 << 20) + 1) == INVAL
    assert env.drawn == drawn, "a refused call takes nothing from the stream"


def subscription(userdata: int, kind: int, ident: int, timeout: int = 0, flags: int = 0) -> bytes:
    return struct.pack("<QB7xIxxxxQQH6x", userdata, kind, ident, timeout, 0, flags)


def test_poll_reports_clocks_as_elapsed(env: Env, call: Callable[..., int]) -> None:
    subs = subscription(7, 0, 1, 1000) + subscription(8, 1, 0) + subscription(9, 0, 0, env.now + 2500, 1)
    assert len(subs) == 3 * 48
    env.memory.write(0, subs)
    assert call("poll_oneoff", 0, 1000, 3, 2000) == 0
    assert u32(env, 2000) == 2
    assert env.slept == [2500]
    assert env.memory.read(1000, 32) == struct.pack("<QHB21x", 7, 0, 0)
    assert env.memory.read(1032, 32) == struct.pack("<QHB21x", 9, 0, 0)


def test_poll_hostile(env: Env, call: Callable[..., int]) -> None:
    assert call("poll_oneoff", 0, 0, 0, 2000) == 0
    assert call("poll_oneoff", 0, 0, 0xFFFFFFFF, 2000) == INVAL
    assert call("poll_oneoff", 65500, 0, 1, 2000) == FAULT
    env.memory.write(0, subscription(1, 0, 0, 2**64 - 1))
    assert call("poll_oneoff", 0, 65520, 1, 2000) == FAULT
    assert env.slept == []
    assert call("poll_oneoff", 0, 100, 1, 2000) == 0
    assert env.slept == [wasi.DEFAULT_LIMITS.sleep_ns]


def test_exit_unwinds(call: Callable[..., int]) -> None:
    with pytest.raises(ProcExit) as caught:
        call("proc_exit", 3)
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("name", "args", "errno"),
    [
        ("fd_read", (0, 0, 0, 64), 0),
        ("fd_read", (3, 0, 0, 64), BADF),
        ("fd_seek", (1, 0, 0, 64), SPIPE),
        ("fd_seek", (0, 0, 0, 64), BADF),
        ("fd_close", (99,), 0),
        ("fd_fdstat_get", (0, 64), BADF),
        ("fd_fdstat_get", (1, 64), 0),
        ("fd_fdstat_get", (1, 65520), FAULT),
        ("fd_fdstat_set_flags", (0, 4), 0),
        ("fd_fdstat_set_flags", (3, 4), BADF),
        ("fd_fdstat_set_rights", (2, 0, 0), 0),
        ("fd_allocate", (3, 0, 0), BADF),
        ("fd_datasync", (1,), 0),
        ("fd_sync", (0,), BADF),
        ("fd_filestat_set_size", (1, 0), 0),
        ("fd_filestat_set_times", (5, 0, 0, 0), BADF),
        ("fd_advise", (77, 0, 0, 0), 0),
        ("fd_filestat_get", (1, 64), BADF),
        ("fd_pread", (0, 0, 0, 0, 64), NOSYS),
        ("fd_readdir", (3, 0, 0, 0, 64), NOTDIR),
        ("fd_renumber", (1, 2), NOTSUP),
        ("fd_tell", (1, 64), 0),
        ("fd_tell", (4, 64), BADF),
        ("fd_prestat_get", (3, 64), BADF),
        ("fd_prestat_dir_name", (3, 64, 4), BADF),
        ("path_open", (3, 0, 0, 1, 0, 0, 0, 0, 64), NOENT),
        ("path_filestat_get", (3, 0, 0, 1, 64), NOENT),
        ("path_readlink", (3, 0, 1, 64, 8, 80), NOTSUP),
        ("path_link", (3, 0, 0, 1, 3, 0, 1), NOTSUP),
        ("path_symlink", (0, 1, 3, 0, 1), NOTSUP),
        ("sock_accept", (3, 0, 64), NOTSUP),
        ("sock_recv", (3, 0, 0, 0, 64, 68), NOTSUP),
        ("sock_send", (3, 0, 0, 0, 64), NOTSUP),
        ("sock_shutdown", (3, 0), NOTSUP),
        ("sched_yield", (), 0),
    ],
)
def test_answers(call: Callable[..., int], name: str, args: tuple[int, ...], errno: int) -> None:
    assert call(name, *args) == errno


def test_fdstat_shows_the_right_to_write(env: Env, call: Callable[..., int]) -> None:
    env.memory.write(64, b"\xff" * 24)
    assert call("fd_fdstat_get", 2, 64) == 0
    assert env.memory.read(64, 24) == struct.pack("<QQQ", 0, 64, 0)
