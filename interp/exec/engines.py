"""The choice of an engine: by argument, then `TAMIS_ENGINE`, then the fastest that is present."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable

from interp import _native
from interp.runtime.engine import Engine
from interp.syntax.errors import EmbedderError

from .python import PythonEngine
from .reference import ReferenceEngine


def _make_native() -> Engine | None:
    if _native.lib is None or importlib.util.find_spec("interp.exec.native") is None:
        return None
    # Imported here: without the C part they are of no use.
    shortcut = importlib.import_module("interp.exec.shortcut").Shortcut if _native.boundary is not None else None
    engine: Engine = importlib.import_module("interp.exec.native").NativeEngine(shortcut)
    return engine


#: The fastest first. A maker gives None where its engine cannot run here.
_MAKERS: dict[str, Callable[[], Engine | None]] = {
    "native": _make_native,
    "python": PythonEngine,
    "reference": ReferenceEngine,
}


def available() -> list[str]:
    """The names of the engines present, the fastest first."""
    return [name for name, make in _MAKERS.items() if make() is not None]


def choose(name: str | None = None) -> Engine:
    """An engine by name; without one by `TAMIS_ENGINE`, else the fastest present. Raises EmbedderError."""
    name = name or os.environ.get("TAMIS_ENGINE") or None
    if name is not None and name not in _MAKERS:
        raise EmbedderError(f"no engine is called {name!r}; there are {', '.join(_MAKERS)}")
    for candidate, make in _MAKERS.items():
        if name in (None, candidate) and (engine := make()) is not None:
            return engine
    raise EmbedderError(f"the {name} engine is not present in this installation or on this machine")
