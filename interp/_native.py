"""The compiled extension, or None. The only module that imports it; it decides nothing.

`TAMIS_NO_NATIVE=1` makes an installation behave as one without a C compiler.
"""

from __future__ import annotations

import os
import sys
from typing import Any

ffi: Any = None
lib: Any = None
#: What Python calls without cffi (native/boundary.c), None on PyPy.
boundary: Any = None

if not os.environ.get("TAMIS_NO_NATIVE"):
    try:
        from interp import _tamis as _extension  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        pass
    else:
        ffi, lib = _extension.ffi, _extension.lib
        if lib.tm_boundary():
            boundary = sys.modules["interp.boundary"]


def pin(owner: Any) -> Any:
    """What keeps `owner`, made by `ffi.gc`, from being freed while finalizers run; it lies beside the owner.

    CPython's collector finalizes garbage in no order: a `__del__` that calls into a store of the same garbage would
    find its C side freed. A pinned owner is freed when the last reference to it goes, after all finalizers.
    """
    return owner if boundary is None else boundary.Pin(owner)
