"""For tests of filters.

`FilterHost` sends one exchange through a filter in three lines; `FilterSession` plays one step by step; `run_scenario`
runs a file of `tamis test`.
"""

from hostabi.adapters.exchange import Exchange
from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord
from hostabi.adapters.message import Answer, Request
from hostabi.adapters.report import exchange_data
from hostabi.testing.host import FilterHost

__all__ = [
    "Answer",
    "Exchange",
    "FilterHost",
    "FilterSession",
    "GrpcAnswer",
    "GrpcNetwork",
    "GrpcRecord",
    "Outcome",
    "Request",
    "SessionError",
    "exchange_data",
    "run_scenario",
]

#: Names whose modules are imported when first asked for: scenario files need pydantic, a GrpcNetwork needs h2.
_HOMES = {
    "FilterSession": "hostabi.testing.session",
    "GrpcNetwork": "hostabi.adapters.grpc_network",
    "Outcome": "hostabi.adapters.streams",
    "SessionError": "hostabi.adapters.streams",
    "run_scenario": "hostabi.testing.scenarios",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return globals().setdefault(name, getattr(import_module(_HOMES[name]), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
