"""The names of a module from its name section, read when first asked for; a broken section gives what could be read."""

from __future__ import annotations

from interp.syntax.module import Module
from interp.syntax.names import Names, decode_names


def module_names(module: Module) -> Names:
    """Names of the module, its functions and locals (appendix 7.7.1); the first name section counts. Never raises."""
    names: Names | None = module.__dict__.get("_names")
    if names is None:
        section = next((custom for custom in module.customs if custom.name == "name"), None)
        names = Names() if section is None else decode_names(section.data)
        module.__dict__["_names"] = names  # a frozen dataclass keeps its cached facts where cached_property does
    return names
