"""The foreign functions verify_signature and sign (abi_reference 11.1), by the library `cryptography`: extra `crypto`.

What they answer to good and bad keys was asked of Envoy 1.40. Keys are RSA (PKCS #1 v1.5) and elliptic curves; ECDSA is
made without randomness (RFC 6979), so that a run can be repeated.
"""

from __future__ import annotations

from typing import Any

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import HostError
from hostabi.abi.messages import Kind, Member, Message
from hostabi.core.context import VmState
from hostabi.hostcalls.foreign import arguments_of, extra, foreign

_PACKAGE = "envoy.source.extensions.common.wasm."
_VERIFY = Message(
    _PACKAGE + "VerifySignatureArguments",
    (
        Member(1, "hash_function", Kind.STRING),
        Member(2, "der", Kind.BYTES),
        Member(3, "signature", Kind.BYTES),
        Member(4, "text", Kind.BYTES),
        Member(5, "pem", Kind.BYTES),
    ),
)
_VERIFIED = Message(
    _PACKAGE + "VerifySignatureResult", (Member(1, "result", Kind.BOOL), Member(2, "error", Kind.STRING))
)
_SIGN = Message(
    _PACKAGE + "SignArguments",
    (
        Member(1, "hash_function", Kind.STRING),
        Member(2, "der", Kind.BYTES),
        Member(3, "text", Kind.BYTES),
        Member(4, "pem", Kind.BYTES),
    ),
)
_SIGNED = Message(
    _PACKAGE + "SignResult",
    (Member(1, "result", Kind.BOOL), Member(2, "signature", Kind.BYTES), Member(3, "error", Kind.STRING)),
)
_HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


class _Refused(Exception):
    """A signature that cannot be made or checked; the text is Envoy's."""


def _keys(vm: VmState) -> Any:
    return extra(vm, "cryptography.hazmat.primitives.serialization", "crypto")


def _module(vm: VmState, name: str) -> Any:
    return extra(vm, f"cryptography.hazmat.primitives.{name}", "crypto")


def _one_key(der: object, pem: object) -> tuple[bytes, bool]:
    """The key, and whether it is PEM; BAD_ARGUMENT unless there is exactly one."""
    if not isinstance(der, bytes) or not isinstance(pem, bytes) or bool(der) == bool(pem):
        raise HostError(Status.BAD_ARGUMENT, "a key in DER or one in PEM is wanted")
    return (pem, True) if pem else (der, False)


def _first_element(der: bytes) -> bytes:
    """DER without what follows its outermost element, which Envoy does not look at."""
    if len(der) < 2 or der[1] < 0x80:
        return der[: 2 + der[1]] if len(der) > 1 else der
    size = der[1] & 0x7F
    return der[: 2 + size + int.from_bytes(der[2 : 2 + size], "big")]


def _hash(vm: VmState, name: object) -> Any:
    text = str(name)
    if text.lower() not in _HASHES:
        raise _Refused(f"{text} is not supported.")
    return getattr(_module(vm, "hashes"), text.upper())()


def _load(vm: VmState, key: bytes, pem: bool, kind: str) -> Any:
    """A key object, or None. A key in DER must be in the general form, with its algorithm named."""
    keys = _keys(vm)
    unsupported = extra(vm, "cryptography.exceptions", "crypto").UnsupportedAlgorithm
    try:
        if kind == "public":
            if pem:
                return keys.load_pem_public_key(key)
            first = _first_element(key)
            found = keys.load_der_public_key(first)
            return (
                found
                if found.public_bytes(keys.Encoding.DER, keys.PublicFormat.SubjectPublicKeyInfo) == first
                else None
            )
        if pem:
            return keys.load_pem_private_key(key, None)
        first = _first_element(key)
        found = keys.load_der_private_key(first, None)
        named = found.private_bytes(keys.Encoding.DER, keys.PrivateFormat.PKCS8, keys.NoEncryption())
        # Of PKCS #8 the second element is the algorithm; elder forms begin with a number and go on with the key.
        return found if _is_pkcs8(first) and _is_pkcs8(named) else None
    except (ValueError, TypeError, unsupported):
        return None


def _is_pkcs8(der: bytes) -> bool:
    """Whether behind the version in a private key comes a sequence: the algorithm."""
    head = 2 + (der[1] & 0x7F if der[1] >= 0x80 else 0)
    return der[head : head + 3] == b"\x02\x01\x00" and der[head + 3 : head + 4] == b"\x30"


@foreign("verify_signature")
def verify_signature(vm: VmState, data: bytes) -> bytes:
    """Check a signature; what is wrong with it comes in the result. BAD_ARGUMENT without exactly one key."""
    _keys(vm)
    arguments = arguments_of(_VERIFY, data)
    key, pem = _one_key(arguments["der"], arguments["pem"])
    try:
        _verify(
            vm, arguments["hash_function"], _load(vm, key, pem, "public"), arguments["signature"], arguments["text"]
        )
    except _Refused as refused:
        return _VERIFIED.encode({"result": False, "error": str(refused)})
    return _VERIFIED.encode({"result": True})


def _verify(vm: VmState, name: object, key: Any, signature: object, text: object) -> None:
    algorithm = _hash(vm, name)
    rsa, ec = _module(vm, "asymmetric.rsa"), _module(vm, "asymmetric.ec")
    wrong = extra(vm, "cryptography.exceptions", "crypto").InvalidSignature
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, _module(vm, "asymmetric.padding").PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(algorithm))
        else:
            raise _Refused("Failed to initialize digest verify.")
    except (wrong, ValueError) as error:
        raise _Refused("Failed to verify digest. Error code: 0") from error


@foreign("sign")
def sign(vm: VmState, data: bytes) -> bytes:
    """Make a signature; what is wrong with the key comes in the result. BAD_ARGUMENT without exactly one key."""
    _keys(vm)
    arguments = arguments_of(_SIGN, data)
    key, pem = _one_key(arguments["der"], arguments["pem"])
    try:
        made = _sign(vm, arguments["hash_function"], _load(vm, key, pem, "private"), arguments["text"])
    except _Refused as refused:
        return _SIGNED.encode({"result": False, "error": str(refused)})
    return _SIGNED.encode({"result": True, "signature": made})


def _sign(vm: VmState, name: object, key: Any, text: object) -> object:
    if key is None:
        raise _Refused("Invalid key type: private key required for signing operation.")
    algorithm = _hash(vm, name)
    rsa, ec = _module(vm, "asymmetric.rsa"), _module(vm, "asymmetric.ec")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, _module(vm, "asymmetric.padding").PKCS1v15(), algorithm)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(algorithm, deterministic_signing=True))
    raise _Refused("Invalid private key: key data is corrupted or malformed.")
