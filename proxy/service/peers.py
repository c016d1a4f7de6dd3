"""Who may associate over DIMSE, for which project, and what they may do there. Decisions only: no sockets, no files.

A peer is known by all the conditions that stand at it, together; a user by the identity that he negotiates (PS3.7
D.3.3.7), judged as tokens over HTTP are. With both, an association may do what both may. Each rejection is recorded, in
words of ours: no passcode, token or user name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.service.callers import ANYBODY, Caller, Callers, Unknown
from proxy.service.events import denied
from proxy.service.known_peers import UNMET, KnownPeer
from proxy.service.let_in import LetIn
from proxy.service.ports import AuditTrail, Peer
from proxy.service.rate import Rates
from proxy.wire.negotiation import (
    CALLED_AE_UNKNOWN,
    CALLING_AE_UNKNOWN,
    JWT,
    LOCAL_LIMIT,
    NO_REASON_GIVEN,
    PASSCODE,
    SAML,
    USERNAME,
    Rejection,
    Request,
    UserIdentity,
)

#: What a SAML assertion stands as among tokens. Nothing claims one yet.
_SAML = "saml:"
#: Failures a second, and at once, of one address that are recorded; beyond, it is told to come back later.
_STRANGERS = (10.0, 100)


@dataclass(frozen=True, slots=True)
class Admitted:
    """See `proxy.dimse.acceptor.Admitted`."""

    project: str
    caller: Caller
    identity_response: bytes | None = None


class _Refused(Exception):
    def __init__(self, rejection: Rejection, reason: str) -> None:
        super().__init__(reason)
        self.rejection, self.reason = rejection, reason


class Admission:
    """Lets associations in. Without ``peers`` everybody may who reaches the port; see `proxy.config_listening`."""

    def __init__(
        self,
        routes: Mapping[str, str],
        audit: AuditTrail,
        peers: Sequence[KnownPeer] = (),
        callers: Sequence[Callers] | None = None,
        identified: frozenset[str] = frozenset(),
    ) -> None:
        """``routes``: called AE title → project; ``callers``: who judges identities, None where they are ignored.

        ``identified``: projects that want one.
        """
        self._routes, self._audit = dict(routes), audit
        self._peers, self._callers, self._identified = tuple(peers), callers, identified
        self._strangers, self._let_in = Rates(*_STRANGERS), LetIn(audit)

    async def admit(self, request: Request, address: str, certificate: bytes | None) -> Admitted | Rejection:
        """Judge a request; ``certificate``: DER of the one that TLS has verified. `Unavailable` where nobody can."""
        project = self._routes.get(request.called, "")
        try:
            caller = self._peer(request.calling, address, certificate, project)
            user = await self._user(request.identity, project)
            both = caller if user is None else _both(caller, user, project)
        except _Refused as refused:
            if self._strangers.take(address):
                return LOCAL_LIMIT
            peer = Peer("dimse", address, _plain(request.calling), _plain(request.called))
            await self._audit.record(denied(peer, refused.reason, project))
            return refused.rejection
        peer = Peer("dimse", address, _plain(request.calling), _plain(request.called), both.name)
        await self._let_in.note(peer, project)
        return Admitted(project, both, b"" if self._answers(request.identity) else None)

    def _peer(self, calling: str, address: str, certificate: bytes | None, project: str) -> Caller:
        """Everything is judged before the called AE title: strangers do not learn which there are."""
        if not self._peers:
            if not project:
                raise _Refused(CALLED_AE_UNKNOWN, "unknown-called-ae")
            return ANYBODY
        unmet = [peer.unmet(calling, address, certificate) for peer in self._peers]
        if all(unmet):
            raise _Refused(CALLING_AE_UNKNOWN, max(unmet, key=UNMET.index))
        for peer in (peer for peer, reason in zip(self._peers, unmet, strict=True) if not reason):
            if project and (verbs := peer.verbs(project)):
                return Caller(f"peer:{peer.name}", {project: verbs})
        raise _Refused(CALLED_AE_UNKNOWN, "no-such-project" if project else "unknown-called-ae")

    async def _user(self, identity: UserIdentity | None, project: str) -> Caller | None:
        """Who shows a good identity; None where there is none, or one that proves nothing."""
        required = project in self._identified
        if self._callers is None or identity is None:
            if required:
                raise _Refused(NO_REASON_GIVEN, "no-identity")
            return None
        if identity.kind == USERNAME:
            if required:
                raise _Refused(NO_REASON_GIVEN, "unproven-identity")
            return None
        try:
            user = await self._judged(_credential(identity))
        except Unknown as stranger:
            raise _Refused(NO_REASON_GIVEN, stranger.reason) from None
        if identity.kind == PASSCODE and user.name.partition(":")[2] != identity.primary.decode("utf-8", "replace"):
            raise _Refused(NO_REASON_GIVEN, "wrong-name")
        return user

    async def _judged(self, credential: str) -> Caller:
        for callers in self._callers or ():
            if callers.claims(credential):
                return await callers.caller(credential)
        raise Unknown("unsupported-identity" if credential.startswith(_SAML) else "unknown-token")

    def _answers(self, identity: UserIdentity | None) -> bool:
        return self._callers is not None and identity is not None and identity.response_wanted


def _credential(identity: UserIdentity) -> str:
    """The token that an identity shows. No token has a colon, so that none stands for a certificate."""
    if identity.kind not in (PASSCODE, SAML, JWT):
        raise Unknown("unsupported-identity")
    try:
        shown = (identity.secondary if identity.kind == PASSCODE else identity.primary).decode("utf-8")
    except UnicodeDecodeError:
        raise Unknown("malformed-token") from None
    if identity.kind == SAML:
        return _SAML + shown
    if not shown or ":" in shown:
        raise Unknown("malformed-token")
    return shown


def _both(peer: Caller, user: Caller, project: str) -> Caller:
    """What the peer and the user may both do."""
    verbs = peer.verbs(project) & user.verbs(project)
    if not verbs:
        raise _Refused(CALLED_AE_UNKNOWN, "no-such-project")
    return Caller(f"{peer.name} {user.name}".strip(), {project: verbs})


def _plain(title: str) -> str:
    """An AE title for the record; what is none is anything at all, and is not written."""
    return title if title.isascii() and title.isprintable() and len(title) <= 16 else "?"
