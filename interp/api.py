"""The embedding interface (specification, appendix 7.1): stores with an engine by name, linkers, whole text modules."""

from __future__ import annotations

from collections.abc import Mapping

from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec import driver, engines
from interp.runtime import snapshot
from interp.runtime import store as runtime
from interp.runtime.engine import Engine
from interp.runtime.instance import ModuleInst
from interp.runtime.linker import Names
from interp.syntax.errors import LinkError
from interp.syntax.features import Features
from interp.syntax.limits import VmLimits
from interp.syntax.module import Module
from interp.text.parser import parse
from interp.valid.module import ValidModule


class Store(runtime.Store):
    """A store with an engine by name: the argument, else `TAMIS_ENGINE`, else the fastest present.

    Raises EmbedderError for an engine that there is not.
    """

    def __init__(self, engine: str | Engine | None = None, limits: VmLimits | None = None) -> None:
        super().__init__(engines.choose(engine) if engine is None or isinstance(engine, str) else engine, limits)


    def snapshot(self) -> Snapshot:
        """The state at this time, from which fresh stores begin. Raises EmbedderError while a call is live."""
        return Snapshot(self)


class Snapshot(snapshot.Snapshot):
    """The state of a store at one time."""

    def store(
        self,
        engine: str | Engine | None = None,
        *,
        hosts: Mapping[str, runtime.HostCode] | None = None,
        limits: VmLimits | None = None,
    ) -> Store:
        """A fresh store in that state, with the source's limits unless told otherwise; `instances` as in the source.

        Host functions are bound anew by their names, to raw host code; without `hosts` they are the source's.
        Raises LinkError for one that `hosts` lacks, and EmbedderError, UnsupportedError, LimitError, ResourceError.
        """
        store = Store(engine, limits or self.limits)
        self.restore(store, snapshot.same if hosts is None else _by_name(hosts))
        return store


def _by_name(hosts: Mapping[str, runtime.HostCode]) -> snapshot.Rebind:
    def rebind(func: runtime.HostFunc, store: runtime.Store) -> tuple[runtime.HostCode, None]:
        if func.name not in hosts:
            raise LinkError(f"unknown import {func.name}")
        return hosts[func.name], None

    return rebind


class Linker(Names):
    """Names for externs, and instantiation of modules with what the names stand for."""

    def instantiate(self, valid: ValidModule) -> ModuleInst:
        """Find the imports by name and instantiate. Raises LinkError "unknown import", and as `instantiate`."""
        return driver.instantiate(self.store, valid, self.resolve(valid))


def read_module(source: bytes | str, *, features: Features = None, limits: VmLimits | None = None) -> Module:
    """A module of bytes in the binary format or of text, with its bytes in both cases: a text is encoded first.

    Raises MalformedError, UnsupportedError, LimitError.
    """
    if isinstance(source, bytes) and not is_text(source):
        return decode(source, features=features, limits=limits)
    return decode(encode(parse(source)), features=features, limits=limits)


def is_text(source: bytes) -> bool:
    """Whether bytes look like the text format: they begin, after white space, with a parenthesis or a comment."""
    return source[:4] != b"\0asm" and source.lstrip()[:1] in (b"(", b";")
