"""ID tokens (OpenID Connect Core 1.0, 2 and 3.1.3.7): who signed in at the provider, and in which roles here.

Roles come from the groups in one claim, by the site's own table; a group that is not in it means nothing. Nothing here
keeps a token.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.service.callers import Unknown
from proxy.service.oidc import Keys, name_in, verified
from proxy.service.people import Account, Role, Roles

_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "nonce")


@dataclass(frozen=True, slots=True)
class Trust:
    """What an ID token must say, and what is made of it. ``groups``: group → project → roles.

    ``always_ask``: who was signed in at the provider before has to show again who he is.
    """

    issuer: str
    client_id: str
    groups: Mapping[str, Roles]
    roles_claim: str = "groups"
    name_claim: str = "sub"
    leeway: int = 30
    always_ask: bool = False
    clock: Callable[[], float] = field(default=time.time, compare=False)


async def person(token: str, keys: Keys, trust: Trust, nonce: str, begun: float) -> tuple[Account, float]:
    """Who that is, perhaps without a role, and for how many seconds that is so. `Unknown`, `CannotJudge`.

    ``nonce``: of this sign-in, which was ``begun`` then by the clock of ``trust``.
    """
    claims = await verified(token, keys, trust.issuer, trust.client_id, trust.leeway, _REQUIRED)
    said, audiences = claims["nonce"], claims["aud"]
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "surrogatepass"), nonce.encode()):
        raise Unknown("wrong-nonce")
    several = isinstance(audiences, list) and len(audiences) > 1
    if (several or "azp" in claims) and claims.get("azp") != trust.client_id:
        raise Unknown("wrong-party")
    asked = claims.get("auth_time")
    if trust.always_ask and not (isinstance(asked, int | float) and asked + trust.leeway >= begun):
        raise Unknown("not-asked-again")
    account = Account(name_in(claims, trust.name_claim), _roles(claims, trust), "", "oidc")
    return account, float(claims["exp"]) + trust.leeway - trust.clock()


def _roles(claims: Mapping[str, Any], trust: Trust) -> Roles:
    """A group is one text: names of groups may have blanks."""
    said = claims.get(trust.roles_claim, [])
    groups = said if isinstance(said, list) else [said]
    found: dict[str, frozenset[Role]] = {}
    for group in groups:
        for project, roles in trust.groups.get(group, {}).items() if isinstance(group, str) else ():
            found[project] = found.get(project, frozenset()) | roles
    return found
