"""Maps from the guest, as bytes: what each becomes, in the default (malformed is empty) and in the specification."""

from __future__ import annotations

import pytest

from hostabi import Status
from hostabi.abi.codec import encode_pairs
from hostabi.core.transcript import Called
from hostabi.testing import Exchange, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

AT = 4096
SET = callback(
    "proxy_on_request_headers",
    "(call $proxy_set_header_map_pairs (i32.const 0) (i32.const 4096) (i32.load (i32.const 64)))",
)
PSEUDO = ((b":method", b"GET"), (b":path", b"/"))
GIVEN = (*PSEUDO, (b"a", b"1"), (b"a", b"2"), (b"b", b""))
WHOLE = encode_pairs(GIVEN)


class Sender:
    """A filter whose headers become what is put into its memory."""

    def __init__(self, engine: str, profile: str = "default") -> None:
        self.host = FilterHost(
            small_filter({"proxy_on_request_headers": SET}, pages="40"), engine=engine, profile=profile
        )

    def send(self, data: bytes) -> tuple[Status, tuple[tuple[bytes, bytes], ...] | None]:
        memory = self.host.plugins[0].vm.guest.memory
        memory.write(64, len(data).to_bytes(4, "little"))
        memory.write(AT, data)
        done: Exchange = self.host.exchange()
        assert done.trap is None
        (made,) = [r for r in done.transcript if isinstance(r, Called)]
        return Status(made.result or 0), done.request.headers if done.request else None


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        GIVEN,
        ((b"a", b"1"), (b"a", b"1"), (b"a", b"1")),
        ((b"x", b"\xff\xfe\x80"), (b"\xc3\x28", b"1")),
        ((b"x", b"a\0b"), (b"n\0n", b"")),
        ((b"", b""),),
        tuple((b"n%d" % i, b"v") for i in range(1000)),
    ],
    ids=["empty", "plain", "duplicates", "not UTF-8", "embedded NUL", "empty name", "1,000 pairs"],
)
def test_what_is_given_is_sent(engine: str, pairs: tuple[tuple[bytes, bytes], ...]) -> None:
    assert Sender(engine).send(encode_pairs(pairs)) == (Status.OK, pairs)


@pytest.mark.parametrize(
    "data",
    [
        encode_pairs([(b"a", b"b")] * 1025),
        encode_pairs([(b"a", bytes(1 << 20))]),
        WHOLE + b"\0",
        WHOLE[:-1] + b"x",
        b"\xff\xff\xff\xff",
        b"\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
    ids=["1,025 pairs", "over 1 MiB", "trailing byte", "no terminator", "a huge count", "huge lengths"],
)
def test_what_is_malformed(engine: str, data: bytes) -> None:
    assert Sender(engine).send(data) == (Status.OK, ())
    status, sent = Sender(engine, "spec").send(data)
    assert status is Status.PARSE_FAILURE
    assert sent and sent[0] == (b":authority", b"localhost"), "nothing has changed"


@pytest.mark.parametrize("profile", ["default", "spec"])
def test_truncated_at_each_byte(engine: str, profile: str) -> None:
    sender = Sender(engine, profile)
    for n in range(len(WHOLE)):
        status, sent = sender.send(WHOLE[:n])
        if profile == "default" or n == 0:
            assert (status, sent) == (Status.OK, ()), n
        else:
            assert status is Status.PARSE_FAILURE, n
            assert sent and len(sent) == 4, n
    assert sender.send(WHOLE) == (Status.OK, GIVEN)


CALL_MAPS = {
    "proxy_http_call": [1000, 0, AT, 5, 0, 0, 0, 0, 5],
    "proxy_send_local_response": [204, 0, 0, 0, 0, AT, 5, 0xFFFFFFFF],
}


@pytest.mark.parametrize("name", CALL_MAPS)
def test_the_other_calls_with_maps(engine: str, name: str) -> None:
    """Five bytes are no map: an empty one, so that the call lacks its headers, or a parse failure."""
    body = callback("proxy_on_request_headers", expression(name, CALL_MAPS[name]))
    for profile, statuses in (("default", (Status.BAD_ARGUMENT, Status.OK)), ("spec", (Status.PARSE_FAILURE,) * 2)):
        host = FilterHost(
            small_filter({"proxy_on_request_headers": body}, data={AT: b"\1\0\0\0\0"}), engine=engine, profile=profile
        )
        (made,) = [r for r in host.exchange().transcript if isinstance(r, Called)]
        assert made.result == statuses[list(CALL_MAPS).index(name)]
