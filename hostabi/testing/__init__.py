"""For tests of filters: `FilterHost` sends one exchange through a filter in three lines."""

from hostabi.adapters.message import Answer, Exchange
from hostabi.adapters.report import exchange_data
from hostabi.testing.host import FilterHost

__all__ = ["Answer", "Exchange", "FilterHost", "exchange_data"]
