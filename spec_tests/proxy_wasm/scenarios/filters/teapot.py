"""A filter as a Python class, for the same tests as one in WebAssembly."""

from __future__ import annotations

from hostabi import HeadersAction, HostCalls, MapType


class Teapot:
    """Answers 418 to everybody who asks for coffee, and marks the others."""

    def __init__(self, host: HostCalls) -> None:
        self.host = host

    def on_request_headers(self, context: int, count: int, end: bool) -> int:
        """The path decides."""
        path = self.host.get_header_map_value(MapType.HTTP_REQUEST_HEADERS, b":path")
        if path == b"/coffee":
            self.host.send_local_response(418, b"teapot", b"short and stout", (), 0xFFFFFFFF)
            return HeadersAction.STOP_ALL_ITERATION_AND_BUFFER
        self.host.add_header_map_value(MapType.HTTP_REQUEST_HEADERS, b"x-tea", b"1")
        return HeadersAction.CONTINUE
