"""A linker: externs by two names, from which the imports of modules are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .instance import ModuleInst, resolve
from .store import Extern, Store

if TYPE_CHECKING:
    from interp.valid.module import ValidModule


class Names:
    """Externs of one store by module and name; a later definition of the same name replaces the earlier one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._externs: dict[tuple[str, str], Extern] = {}

    def define(self, module: str, name: str, extern: Extern) -> None:
        """Give an extern its two names. Raises EmbedderError for one of another store."""
        self.store.check(extern)
        self._externs[module, name] = extern

    def define_instance(self, module: str, inst: ModuleInst) -> None:
        """Define every export of an instance under a module name."""
        for name, extern in inst.exports.items():
            self.define(module, name, extern)

    def get(self, module: str, name: str) -> Extern | None:
        """The extern of two names, or None."""
        return self._externs.get((module, name))

    def resolve(self, valid: ValidModule) -> list[Extern]:
        """The imports of a module, in order. Raises LinkError "unknown import"."""
        return resolve(valid, self.get)
