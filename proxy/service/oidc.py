"""Tokens of an OpenID provider: JWT (RFC 7519, RFC 8725) signed with one of its published keys (RFC 7517).

The key says which algorithms it may be used with, never the token: no `none`, and no HMAC with what is public. Where
keys come from is `Keys`; nothing here reads a file or asks a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.service.callers import Caller, Unknown, grants_of

#: (kty, crv) of a key (RFC 7518 6, RFC 8037) → the algorithms that it may be used with
ALGORITHMS = {
    ("RSA", ""): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
_ALLOWED = frozenset(name for names in ALGORITHMS.values() for name in names)
_LEAST_RSA_BITS = 2048
_LONGEST_NAME = 128
#: First match wins: what is wrong with a token, as the audit trail says it.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "expired-token"),
    (jwt.ImmatureSignatureError, "token-not-yet-valid"),
    (jwt.InvalidAudienceError, "wrong-audience"),
    (jwt.InvalidIssuerError, "wrong-issuer"),
    (jwt.MissingRequiredClaimError, "missing-claim"),
    (jwt.InvalidSignatureError, "bad-signature"),
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the provider."""

    kid: str | None
    algorithms: tuple[str, ...]
    key: Any


class Keys(Protocol):
    """The provider's keys."""

    async def key(self, kid: str | None) -> SigningKey:
        """The key called ``kid``; the only one where the token names none. `Unknown`, `CannotJudge`."""
        ...


def read_keys(document: bytes) -> tuple[SigningKey, ...]:
    """The keys of a JWK Set that can sign; ValueError where it is none, or has no such key."""
    try:
        found = json.loads(document)["keys"]
        keys = tuple(key for each in found if (key := _read(each)) is not None)
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("no JWK Set") from None
    if not keys:
        raise ValueError("no key that can be used")
    return keys


def _read(jwk: Mapping[str, Any]) -> SigningKey | None:
    """None for keys of other kinds and for other uses: a provider may publish those, too."""
    kid, said = jwk.get("kid"), jwk.get("alg")
    algorithms = ALGORITHMS.get((str(jwk.get("kty")), str(jwk.get("crv", ""))), ())
    if said is not None:
        algorithms = tuple(name for name in algorithms if name == said)
    if not algorithms or jwk.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    try:
        key = jwt.PyJWK(dict(jwk), algorithms[0]).key
    except jwt.PyJWTError:
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        return None
    return SigningKey(kid, algorithms, key) if not hasattr(key, "sign") else None


class OidcCallers:
    """Those to whom the provider gave an access token for ``audience``."""

    def __init__(
        self,
        keys: Keys,
        issuer: str,
        audience: str,
        scope_claim: str = "scope",
        name_claim: str = "sub",
        leeway: int = 30,
    ) -> None:
        """``leeway``: seconds that the provider's clock may differ from ours."""
        self._keys, self._issuer, self._audience, self._leeway = keys, issuer, audience, leeway
        self._scope_claim, self._name_claim = scope_claim, name_claim

    def claims(self, token: str) -> bool:
        """See `Callers.claims`."""
        return token.count(".") == 2 and ":" not in token

    async def caller(self, token: str) -> Caller:
        """See `Callers.caller`."""
        claims = await verified(token, self._keys, self._issuer, self._audience, self._leeway)
        name = name_in(claims, self._name_claim)
        said = claims.get(self._scope_claim, "")
        scopes = said.split(" ") if isinstance(said, str) else said
        if not isinstance(scopes, list):
            raise Unknown("malformed-token")
        return Caller(f"oidc:{name}", grants_of(scope for scope in scopes if isinstance(scope, str)))


async def verified(
    token: str, keys: Keys, issuer: str, audience: str, leeway: int, require: Sequence[str] = ("exp", "iss", "aud")
) -> dict[str, Any]:
    """The claims of a token that ``issuer`` signed for ``audience`` and that is good now. `Unknown`, `CannotJudge`."""
    kid, algorithm = _header(token)
    key = await keys.key(kid)
    if algorithm not in key.algorithms:
        raise Unknown("bad-algorithm")
    try:
        return jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=leeway,
            options={"require": list(require)},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unknown(next((why for kind, why in _REASONS if isinstance(error, kind)), "malformed-token")) from None


def name_in(claims: Mapping[str, Any], claim: str) -> str:
    """What names somebody in the audit trail; `Unknown` for what is no name."""
    name = claims.get(claim)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise Unknown("no-name")
    return name


def _header(token: str) -> tuple[str | None, str]:
    """Key and algorithm that the token names, before anything of it is believed."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Unknown("malformed-token") from None
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALLOWED:
        raise Unknown("bad-algorithm")
    if not isinstance(kid, str | None):
        raise Unknown("malformed-token")
    return kid, algorithm
