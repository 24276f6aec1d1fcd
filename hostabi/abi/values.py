"""`dataclass` for values that a request makes by the dozen: events, commands, frames, lines of the transcript.

`frozen=True` is what the type checker holds everybody to; when the program runs, such a value is made as fast as any
other object. The standard library's frozen dataclasses set each field through `object.__setattr__`: making one takes
five times as long, and that was a quarter of the host's time for a request.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool = False, **options: Any) -> Any:
        """The standard one, with equality and a hash, but without the guard against assignments."""
        return dataclasses.dataclass(unsafe_hash=frozen, **options)
