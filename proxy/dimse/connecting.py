"""Associations that Veil opens: connect, propose, hear the answer. What is sent over them is not decided here."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping, Sequence

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.dimse.association import Association
from proxy.dimse.deadline import Patience
from proxy.dimse.requestor import Destination
from proxy.dimse.services import Service
from proxy.wire.associate_read import read_acceptance
from proxy.wire.associate_write import write_request
from proxy.wire.negotiation import ProposedContext, Rejection, Request, UserIdentity, accepted

#: what we receive in one PDU, in bytes
LARGEST_PDU = 131072


class ConnectionFailed(Exception):
    """No connection, or no answer on it. ``code``: a constant word or the system's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class AssociationRejected(Exception):
    """The peer wants no association (PS3.8 table 9-21)."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(f"{rejection.result}/{rejection.source}/{rejection.reason}")
        self.result, self.source, self.reason = rejection.result, rejection.source, rejection.reason


class Requestor(Association):
    """An association that we open."""

    def __init__(self, to: Destination, request: Request, services: Sequence[Service]) -> None:
        super().__init__(True, LARGEST_PDU, Patience(None, to.seconds, to.seconds), to.seconds)
        self.request, self.services = request, services
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connected(self) -> None:
        """Propose."""
        super().connected()
        assert self.request is not None  # for the type checker: `__init__` has set it
        self.stream.associate(write_request(self.request))

    def accepted(self, body: memoryview) -> None:
        """The peer takes it, or some of it."""
        assert self.request is not None  # for the type checker: `__init__` has set it
        self.acceptance = read_acceptance(body)
        self.contexts = accepted(self.request, self.acceptance)
        self.peer_pdu = self.acceptance.largest_pdu
        if not self.answered.done():
            self.answered.set_result(None)

    def rejected(self, rejection: Rejection) -> None:
        """The peer does not."""
        self._fail(AssociationRejected(rejection))

    def ended(self, how: str) -> None:
        """It is over, perhaps before it began."""
        super().ended(how)
        self._fail(ConnectionFailed(how))

    def _fail(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


async def connect(
    to: Destination,
    contexts: Sequence[ProposedContext],
    *,
    roles: Mapping[str, tuple[bool, bool]] | None = None,
    extended: Mapping[str, bytes] | None = None,
    identity: UserIdentity | None = None,
    services: Sequence[Service] = (),
    window: tuple[int, int] | None = None,
) -> Association:
    """Associate; raises `ConnectionFailed` or `AssociationRejected`. Perhaps no context is accepted: look.

    ``services``: for requests of the peer, as the C-STOREs of a C-GET; ``roles``: SOP class → (SCU, SCP) for us.
    """
    request = Request(
        to.called_ae,
        to.calling_ae,
        tuple(contexts),
        LARGEST_PDU,
        roles or {},
        window,
        extended or {},
        identity,
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
    )
    association = Requestor(to, request, services)
    try:
        async with asyncio.timeout(to.seconds):
            name = to.server_name if to.tls is not None else None
            await asyncio.get_running_loop().create_connection(
                lambda: association.stream, to.host, to.port, ssl=to.tls, server_hostname=name
            )
            await association.answered
    except TimeoutError:
        association.stream.hang_up()
        raise ConnectionFailed("timeout") from None
    except OSError as error:
        raise ConnectionFailed(_code(error)) from None
    except BaseException:
        association.stream.hang_up()
        raise
    return association


def _code(error: OSError) -> str:
    """A word for what went wrong; the system's own sentence may name an address."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, socket.gaierror):
        return "no-such-host"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
