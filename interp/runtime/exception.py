"""Exceptions as the embedder sees them (engine contract 2)."""

from __future__ import annotations

from collections.abc import Sequence

from interp.syntax.errors import EmbedderError, WasmError

from .engine import FrameInfo
from .heap import HeapRef, holds_objects
from .store import Store
from .table import TagInst
from .values import check_bits


class WasmException(WasmError):
    """An exception of the guest: a tag and the raw bits of its values.

    A host function that raises one throws it, and the guest can catch it; one that no guest code catches leaves the
    call from outside, with the frames of the last throw in `backtrace`. Objects among the values live as long as it.
    """

    def __init__(self, tag: TagInst, values: Sequence[int] = (), *, backtrace: tuple[FrameInfo, ...] = ()) -> None:
        super().__init__("uncaught exception")
        self.tag = tag
        self.values = tuple(values)
        self.backtrace = backtrace
        self._held = [
            HeapRef(tag.store, bits)
            for type, bits in zip(tag.type.params, self.values, strict=False)
            if holds_objects(type)
        ]


def check_thrown(store: Store, exception: WasmException) -> None:
    """Raises EmbedderError if a host function threw with a tag of another store, or values not of the tag's types."""
    if exception.tag.store is not store:
        raise EmbedderError("an exception with a tag of another store")
    check_bits(store, exception.tag.type.params, exception.values)
