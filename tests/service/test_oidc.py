from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from proxy.service.callers import Unknown, Verb
from proxy.service.oidc import OidcCallers, SigningKey, read_keys

ISSUER, AUDIENCE = "https://login.example.org/realms/h", "veil"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SIGNERS = {"rsa": (RSA, RSAAlgorithm), "ec": (EC, ECAlgorithm), "ed": (ED, OKPAlgorithm)}


def jwk(kid: str, **more: Any) -> dict[str, Any]:
    key, kind = SIGNERS[kid]
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys or [jwk(kid) for kid in SIGNERS]}).encode()


class Published:
    """The keys of a document, without a network."""

    def __init__(self, document: bytes) -> None:
        self.keys = {key.kid: key for key in read_keys(document)}
        self.asked = 0

    async def key(self, kid: str | None) -> SigningKey:
        self.asked += 1
        try:
            return self.keys[kid]
        except KeyError:
            raise Unknown("unknown-key") from None


def claims(**changes: Any) -> dict[str, Any]:
    now = time.time()
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 60, "scope": "openid veil:research:search"}
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def token(kid: str = "rsa", algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), SIGNERS[kid][0], algorithm, headers={"kid": kid, **(headers or {})})


def raw(header: Any, body: Any, signature: bytes = b"") -> str:
    parts = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in (header, body)] + [signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.fixture(scope="module")
def callers() -> OidcCallers:
    return OidcCallers(Published(jwks()), ISSUER, AUDIENCE)


@pytest.mark.parametrize(("kid", "name"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA")])
async def test_every_algorithm(callers: OidcCallers, kid: str, name: str) -> None:
    made = token(kid, name)
    assert callers.claims(made)
    caller = await callers.caller(made)
    assert (caller.name, caller.grants) == ("oidc:alice", {"research": {Verb.SEARCH}})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": time.time() - 61}, "expired-token"),
        ({"nbf": time.time() + 86_400}, "token-not-yet-valid"),
        ({"iat": time.time() + 86_400}, "token-not-yet-valid"),
        ({"aud": "others"}, "wrong-audience"),
        ({"aud": ["others"]}, "wrong-audience"),
        ({"aud": None}, "missing-claim"),
        ({"iss": "https://login.example.org/realms/x"}, "wrong-issuer"),
        ({"iss": None}, "missing-claim"),
        ({"exp": None}, "missing-claim"),
        ({"exp": "soon"}, "malformed-token"),
        ({"exp": float("inf")}, "malformed-token"),
        ({"sub": None}, "no-name"),
        ({"sub": "a\nb"}, "no-name"),
        ({"sub": "a" * 129}, "no-name"),
        ({"scope": {"veil": 1}}, "malformed-token"),
    ],
)
async def test_claims_that_are_not_for_us(callers: OidcCallers, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unknown) as stranger:
        await callers.caller(token(**changes))
    assert stranger.value.reason == reason


async def test_clocks_may_differ_a_little(callers: OidcCallers) -> None:
    await callers.caller(token(exp=time.time() - 20, nbf=time.time() + 20))


async def test_no_algorithm_is_no_signature() -> None:
    keys = Published(jwks())
    callers = OidcCallers(keys, ISSUER, AUDIENCE)
    for name in ("none", "None", "NONE", "", "HS256", "RS1", None, ["RS256"], 1):
        with pytest.raises(Unknown):
            await callers.caller(raw({"alg": name, "kid": "rsa"}, claims()))
    assert keys.asked == 0, "for such a token the provider is not asked"


async def test_a_public_key_is_no_secret(callers: OidcCallers) -> None:
    """The attack of RFC 8725 2.1: HMAC with the public key as its secret."""
    public = RSA.public_key()
    for form in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1):
        secret = public.public_bytes(serialization.Encoding.PEM, form)
        for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            signed = raw({"alg": name, "kid": "rsa"}, claims())[:-1]
            made = f"{signed}.{raw(b'', b'', hmac.new(secret, signed.encode(), digest).digest())[2:]}"
            with pytest.raises(Unknown, match="bad-algorithm"):
                await callers.caller(made)


async def test_a_key_signs_what_it_is_for() -> None:
    with pytest.raises(Unknown, match="bad-algorithm"):
        await OidcCallers(Published(jwks(jwk("rsa", alg="PS256"))), ISSUER, AUDIENCE).caller(token())
    with pytest.raises(Unknown, match="bad-algorithm"):
        await OidcCallers(Published(jwks()), ISSUER, AUDIENCE).caller(token("rsa", headers={"kid": "ec"}))


async def test_another_key_is_another_signature(callers: OidcCallers) -> None:
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(Unknown, match="bad-signature"):
        await callers.caller(jwt.encode(claims(), other, "RS256", headers={"kid": "rsa"}))
    good = token()
    head, _, signature = good.split(".")
    changed = raw(b"", claims(scope="veil:*:admin")).split(".")[1]
    with pytest.raises(Unknown, match="bad-signature"):
        await callers.caller(f"{head}.{changed}.{signature}")
    with pytest.raises(Unknown, match="unknown-key"):
        await callers.caller(token(headers={"kid": "x"}))


@pytest.mark.parametrize(
    "made",
    [
        "..", "a.b.c", raw(b"[" * 5000, b""), raw(b"\xff", b"{}"), raw([], {}), raw({"alg": "RS256", "kid": 1}, {}),
        raw({"alg": "RS256", "kid": "rsa", "crit": ["x"]}, claims()), raw({"alg": "RS256", "kid": "rsa"}, b"{"),
    ],
)  # fmt: skip
async def test_what_is_no_token(callers: OidcCallers, made: str) -> None:
    with pytest.raises(Unknown) as stranger:
        await callers.caller(made)
    assert made not in str(stranger.value)


async def test_scopes_grant_what_they_say_and_nothing_else(callers: OidcCallers) -> None:
    said = "veil:a:search veil:a:retrieve veil:*:store veil:b:all veil::search veil:c xveil:d:search veil:e:SEARCH"
    everywhere = {"*": {Verb.STORE}, "a": {Verb.SEARCH, Verb.RETRIEVE}}
    assert (await callers.caller(token(scope=said))).grants == everywhere
    assert (await callers.caller(token(scope=[*said.split(), 7, None]))).grants == everywhere
    assert (await callers.caller(token(scope=None))).grants == {}
    other = OidcCallers(Published(jwks()), ISSUER, AUDIENCE, scope_claim="roles", name_claim="azp")
    caller = await other.caller(token(roles=["veil:x:audit"], azp="viewer"))
    assert (caller.name, caller.grants) == ("oidc:viewer", {"x": {Verb.AUDIT}})


def test_keys_that_cannot_be_used_are_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = rsa.generate_private_key(65537, 1024)
    weak = {**RSAAlgorithm.to_jwk(short.public_key(), as_dict=True), "kid": "weak"}
    private = {**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "private"}
    secret = {"kty": "oct", "k": "AAAA", "kid": "secret"}
    useless = [weak, private, secret, jwk("rsa", use="enc"), jwk("rsa", alg="RS1"), jwk("ec", crv="P-384"), {"kty": 1}]
    assert [key.kid for key in read_keys(jwks(*useless, jwk("ed")))] == ["ed"]
    for document in (jwks(*useless), b"{}", b"[]", b"{", b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": {}}'):
        with pytest.raises(ValueError, match=r".*"):
            read_keys(document)
