"""Modules from files: binary or text, told apart by name and first bytes; errors name the file and the place."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import interp
from hostabi.cli.errors import CommandError
from interp.tools.places import place_in_text


def read(path: str) -> bytes:
    """The bytes of a file, or of standard input for "-". Raises CommandError, also past the limit on modules."""
    limit = interp.DEFAULT_LIMITS.module_bytes
    try:
        if path == "-":
            data = standard_input().read(limit + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > limit:
        raise CommandError(f"{path}: more than {limit} bytes, the limit of this program")
    return data


def standard_input() -> BinaryIO:
    """Standard input, empty if the process was started without one."""
    return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()


def is_text(path: str, data: bytes) -> bool:
    """Whether a file holds a text module: by its name, and else by how it begins."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (".wat", ".wasm"):
        return suffix == ".wat" and not data.startswith(b"\0asm")
    return data.lstrip()[:2] in (b"(m", b";;", b"(;", b"(@") or data.lstrip()[:1] == b"("


def describe(path: str, error: interp.WasmError) -> str:
    """file: message (at offset 0x1f), or file:line:column: message."""
    where = error.where
    if where is not None and where.line is not None:
        column = f":{where.column}" if where.column is not None else ""
        context = f" ({where.context})" if where.context else ""
        return f"{path}:{where.line}{column}: {error.message}{context}"
    return f"{path}: {error}"


@contextmanager
def named(path: str) -> Iterator[None]:
    """Turn the VM's errors within into CommandErrors that name the file."""
    try:
        yield
    except interp.WasmError as error:
        raise CommandError(describe(path, error)) from error
    except RecursionError as error:
        raise CommandError(f"{path}: nested too deeply") from error


def load(path: str, features: interp.Features = None) -> interp.Module:
    """The module in a file with its bytes, not validated. Raises CommandError."""
    data = read(path)
    with named(path):
        return interp.decode(interp.encode(interp.parse(data)) if is_text(path, data) else data, features=features)


def load_text(path: str) -> interp.Module:
    """The same without encoding a text first, so that it can be printed as it was written, whatever features it uses.

    Raises CommandError.
    """
    data = read(path)
    with named(path):
        return interp.parse(data) if is_text(path, data) else interp.decode(data, features=interp.EVERY_FEATURE)


def load_valid(path: str, features: interp.Features = None) -> interp.ValidModule:
    """The validated module in a file, which may use the features given. Raises CommandError."""
    data = read(path)
    if not is_text(path, data):
        with named(path):
            return interp.validate(interp.decode(data, features=features), features=features)
    with named(path):
        parsed = interp.parse(data)
        module = interp.decode(interp.encode(parsed), features=interp.EVERY_FEATURE)
        try:
            return interp.validate(module, features=features)
        except interp.WasmError as error:
            offset = error.where.offset if error.where is not None else None
            place = None if offset is None else place_in_text(data.decode(), parsed, module, offset)
            if place is not None:
                error.where = place
            raise


def load_binary(path: str) -> bytes:
    """The bytes of a module, encoded if the file is text. Raises CommandError."""
    data = read(path)
    if not is_text(path, data):
        return data
    with named(path):
        return interp.encode(interp.parse(data))


def make_store(engine: str | None) -> interp.Store:
    """A store on an engine by name, None for the default. Raises CommandError for one that is not there."""
    try:
        return interp.Store(engine)
    except interp.EmbedderError as error:
        raise CommandError(str(error)) from error
