"""Servers for the tests: a real one (grpcio), and one on h2 that does what no gRPC server should."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

Address = tuple[str, int]


def _methods(grpc: Any) -> dict[str, Any]:
    def echo(request: bytes, context: Any) -> bytes:
        context.send_initial_metadata((("x-init", "i1"),))
        context.set_trailing_metadata((("x-trail", "t1"), ("x-bin", b"\x00\xff")))
        return b"echo:" + request

    def fail(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-trail", "t1"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no café 50%")
        return b""

    def slow(request: bytes, context: Any) -> bytes:
        time.sleep(1)
        return b"late"

    def meta(request: bytes, context: Any) -> bytes:
        seen = [f"{key}={value}" for key, value in context.invocation_metadata()]
        left = context.time_remaining()
        return "\n".join([*seen, "no deadline" if left is None or left > 1e6 else "deadline"]).encode()

    def large(request: bytes, context: Any) -> bytes:
        return b"x" * int(request)

    def count(request: bytes, context: Any) -> Iterator[bytes]:
        context.send_initial_metadata((("x-init", "i1"),))
        for i in range(int(request)):
            yield b"m%d" % i

    def forever(request: bytes, context: Any) -> Iterator[bytes]:
        while context.is_active():
            yield b"tick"
            time.sleep(0.02)

    def join(requests: Iterator[bytes], context: Any) -> bytes:
        return b"+".join(requests)

    def bidi(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield b"echo:" + request

    def enough(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for _ in requests:
            yield b"one"
            break
        context.abort(grpc.StatusCode.ABORTED, "enough")

    return {
        **{f.__name__: grpc.unary_unary_rpc_method_handler(f) for f in (echo, fail, slow, meta, large)},
        **{f.__name__: grpc.unary_stream_rpc_method_handler(f) for f in (count, forever)},
        "join": grpc.stream_unary_rpc_method_handler(join),
        **{f.__name__: grpc.stream_stream_rpc_method_handler(f) for f in (bidi, enough)},
    }


@contextmanager
def grpc_server() -> Iterator[tuple[Address, Any]]:
    """A server of grpcio with the methods above, of any service."""
    import grpc

    methods = _methods(grpc)

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc, name-defined, unused-ignore]
        def service(self, details: Any) -> Any:
            return methods.get(details.method.rpartition("/")[2])

    options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Handler(),), options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield ("127.0.0.1", port), server
    finally:
        server.stop(0)


Script = Callable[[Any, Any, socket.socket], None]
"""What a strange server does at an event of h2: (connection, event, socket)."""


@contextmanager
def strange_server(script: Script) -> Iterator[Address]:
    """A server of HTTP/2 that does at each event what the script says."""
    import h2.config
    import h2.connection

    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve(client: socket.socket) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        try:
            client.sendall(connection.data_to_send())
            while not stopping.is_set() and (data := client.recv(65536)):
                for event in connection.receive_data(data):
                    script(connection, event, client)
                client.sendall(connection.data_to_send())
        except OSError:
            pass
        finally:
            client.close()

    def accept() -> None:
        while not stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        stopping.set()
        listener.close()
