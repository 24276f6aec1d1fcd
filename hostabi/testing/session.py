"""FilterSession: a filter in a world that waits for the test, step by step, with streams that interleave.

session = FilterSession("gate.wasm", config="auth /check")
session.request(Request(path="/admin"))
assert [call.command.upstream for call in session.waiting] == ["auth"]
session.callout("auth", Answer(403, body="go away"))
assert session.stream().response.status == 403
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hostabi.adapters.session import Session
from hostabi.core.plugin import LoadedFilter
from hostabi.core.python_filter import PythonFilter
from hostabi.core.transcript import Record
from hostabi.testing.host import FilterHost


class FilterSession(Session):
    """A session with filters, given as to FilterHost and with the same options; they are started.

    Raises LoadError, and the errors of `interp` for a module that is none.
    """

    def __init__(self, *filters: Path | str | bytes | LoadedFilter | PythonFilter, **options: Any) -> None:
        made = FilterHost(*filters, **options, start=False)
        super().__init__(
            made.host,
            made.chain,
            now=made.now,
            answers=made.exchanger.answers,
            network=made.exchanger.session.network,
            redis=made.exchanger.redis,
            dns=made.exchanger.session.dns,
        )
        self.metrics = made.metrics
        self.start()

    @property
    def transcript(self) -> list[Record]:
        """Every crossing between host and filters so far."""
        return list(self.host.transcript)

    @property
    def logs(self) -> list[str]:
        """The lines that were logged since the last look with `take`."""
        return [log.message.decode("utf-8", "replace") for log in self.seen.logs]
