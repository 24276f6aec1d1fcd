"""Describes modules to the driver: what `interp.valid.native` tells the C front end of each, as a flat file.

    python native/driver/describe.py WORLDS SEEDS [SOURCE...]     sources: .wast, .wat, .wasm; default: the tests' own
    python native/driver/describe.py --module WORLDS INPUT OUT    the module that an input of the fuzz target stands for

WORLDS begins with the names of the fields and the number of descriptions. A description has the fields of `tm_env` in
order: a number as 8 bytes, an array as its length in bytes and its bytes, padded to 8. SEEDS becomes a folder with an
input for each function body.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interp import _native
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.syntax.errors import WasmError
from interp.text import commands as c
from interp.text.script import parse_script
from interp.valid.module import VALIDATED, ValidModule, validate

ROOT = Path(__file__).resolve().parents[2]
#: What one description may cost each of the thousands of runs a second.
MODULE_BYTES, FUNCTIONS = 8 << 10, 250
#: Bytes of an input in front of the body: the world (2), the function, the options.
HEAD = 4


def fields() -> list[tuple[str, bool, int]]:
    """Name, whether it is an array, size of a number or an item, of each field of `tm_env`."""
    found = []
    for name, field in _native.ffi.typeof("tm_env").fields:
        array = field.type.kind == "pointer"
        found.append((name, array, _native.ffi.sizeof(field.type.item if array else field.type)))
    return found


def valid_modules(path: Path) -> Iterator[ValidModule]:
    """The modules of a source that the C validator finds valid."""
    modules: list[Any] = []
    if path.suffix == ".wasm":
        modules.append(lambda: decode(path.read_bytes(), features=VALIDATED))
    else:
        for command in parse_script(path.read_bytes()):
            source = getattr(command, "source", None)
            if isinstance(command, c.ModuleCommand | c.ModuleDefinition):
                modules.append(lambda source=source: as_module(source))
    for make in modules:
        try:
            module = make()
            if not module.binary:
                module = decode(encode(module), features=VALIDATED)
            valid = validate(module, features=VALIDATED)
        except WasmError:
            continue
        if valid.native is not None and len(module.funcs):
            yield valid


def as_module(source: Any) -> Any:
    """What a script says of a module, as one."""
    if isinstance(source, c.BinarySource):
        return decode(source.data, features=VALIDATED)
    return source.parse()


def padded(data: bytes) -> bytes:
    """A length and so many bytes, and zeros up to a multiple of 8."""
    return len(data).to_bytes(8, "little") + data + bytes(-len(data) % 8)


def heading() -> bytes:
    """The fields that follow for each module: what reads them must know the same."""
    return padded("".join(f"{'A' if is_array else 'N'} {name}\n" for name, is_array, _ in fields()).encode())


def describe(valid: ValidModule) -> bytes:
    """One description."""
    ffi, native = _native.ffi, valid.native
    lengths = {int(ffi.cast("uintptr_t", made)): ffi.sizeof(made) for made in native._arrays}
    lengths[int(ffi.cast("uintptr_t", native.env.bytes))] = native.env.size
    parts = []
    for name, is_array, _ in fields():
        value = getattr(native.env, name)
        if is_array:
            size = lengths[int(ffi.cast("uintptr_t", value))] if value != ffi.NULL else 0
            parts.append(padded(bytes(ffi.buffer(value, size)) if size else b""))
        else:
            parts.append((int(value) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"))
    return b"".join(parts)


def sources() -> list[Path]:
    """The modules made for this, with something of everything, then the scripts and modules of the tests."""
    tests = ROOT / "spec_tests" / "wasm"
    worlds = ROOT / "native" / "driver" / "worlds"
    return [*sorted(worlds.glob("*.wat")), *sorted(tests.rglob("*.wast")), *sorted(tests.rglob("*.wat"))]


def write(worlds: Path, seeds: Path, paths: list[Path]) -> None:
    """Write the descriptions, and an input for each function."""
    seeds.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    found: list[bytes] = []
    for path in paths:
        for valid in valid_modules(path):
            module = valid.module
            if module.binary in seen or len(module.binary) > MODULE_BYTES or len(module.funcs) > FUNCTIONS:
                continue
            seen.add(module.binary)
            for index, func in enumerate(module.funcs):
                body = module.binary[func.offset : func.offset + func.length]
                head = len(found).to_bytes(2, "little") + bytes((index, 0))
                (seeds / f"{path.stem}-{len(found)}-{index}").write_bytes(head + body)
            found.append(describe(valid))
    if not found:
        raise SystemExit("nothing to describe: these sources have no valid module, or this tamis has no C part")
    worlds.write_bytes(heading() + len(found).to_bytes(8, "little") + b"".join(found))
    sys.stdout.write(f"{len(found)} modules described\n")


def module_of(worlds: bytes, data: bytes) -> bytes:
    """The module of an input: its world's, with the one body changed."""
    start = len(heading())
    if worlds[:start] != heading():
        raise SystemExit("the descriptions are of another tm_env")
    count = int.from_bytes(worlds[start : start + 8], "little")
    world = int.from_bytes(data[:2], "little") % count
    pos, env = start + 8, {}
    for number in range(world + 1):
        for name, is_array, _ in fields():
            value = int.from_bytes(worlds[pos : pos + 8], "little")
            pos += 8
            if is_array:
                if number == world:
                    env[name] = worlds[pos : pos + value]
                pos += value + -value % 8
            elif number == world:
                env[name] = value
    binary: bytes = env["bytes"]
    module = decode(binary, features=VALIDATED)
    chosen = data[2] % len(module.funcs)
    bodies = [binary[f.offset : f.offset + f.length] for f in module.funcs]
    bodies[chosen] = data[HEAD:]
    code = leb(len(bodies)) + b"".join(leb(len(body)) + body for body in bodies)
    pos, out = 8, binary[:8]
    while pos < len(binary):
        id, start = binary[pos], pos
        size, shift = 0, 0
        while True:
            pos += 1
            size |= (binary[pos] & 0x7F) << shift
            shift += 7
            if not binary[pos] & 0x80:
                break
        pos += 1 + size
        out += bytes((id,)) + leb(len(code)) + code if id == 10 else binary[start:pos]
    return out


def leb(value: int) -> bytes:
    """An unsigned number."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def main(args: list[str]) -> None:
    if args[0] == "--module":
        Path(args[3]).write_bytes(module_of(Path(args[1]).read_bytes(), Path(args[2]).read_bytes()))
    else:
        write(Path(args[0]), Path(args[1]), [Path(arg) for arg in args[2:]] or sources())


if __name__ == "__main__":
    main(sys.argv[1:])
