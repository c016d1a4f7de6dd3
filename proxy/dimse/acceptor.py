"""The associations that peers open: admission, negotiation, and what all of them may use together.

Who may associate, and for which project, a `Gatekeeper` says; what is offered, the services. Decides no status.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from proxy.dimse.association import Association
from proxy.dimse.deadline import Patience
from proxy.dimse.inlet import Queue
from proxy.dimse.negotiating import negotiate
from proxy.dimse.services import Service
from proxy.errors import Unavailable
from proxy.service.callers import ANYBODY, Caller
from proxy.wire import negotiation
from proxy.wire.associate_read import OtherApplication, read_request
from proxy.wire.associate_write import write_acceptance
from proxy.wire.messages import MessageError
from proxy.wire.negotiation import Rejection, Request
from proxy.wire.upper_layer import TooLate


class Admitted(Protocol):
    """Somebody who may associate."""

    @property
    def project(self) -> str:
        """Whose AE title was called; of a destination of C-MOVE its key, which has a colon."""
        ...

    @property
    def caller(self) -> Caller:
        """Who it is, and what he may do."""
        ...

    @property
    def identity_response(self) -> bytes | None:
        """The answer to user identity negotiation, None where none was asked for (PS3.7 D.3.3.7)."""
        ...


class Gatekeeper(Protocol):
    """Who may associate."""

    async def admit(self, request: Request, address: str, certificate: bytes | None) -> Admitted | Rejection:
        """Judge a request; ``certificate``: DER of the one that TLS has verified. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Anybody:
    """Admitted without a question."""

    project: str
    caller: Caller = ANYBODY
    identity_response: bytes | None = None


class Routes:
    """A `Gatekeeper` for a network that is trusted: whoever names an AE title of ours is in."""

    def __init__(self, routes: Mapping[str, str]) -> None:
        """``routes``: called AE title → project."""
        self._routes = dict(routes)

    async def admit(self, request: Request, address: str, certificate: bytes | None) -> Admitted | Rejection:
        """By the called AE title alone."""
        project = self._routes.get(request.called)
        return negotiation.CALLED_AE_UNKNOWN if project is None else Anybody(project)


class Doors(Protocol):
    """Who keeps the list of connections."""

    def arrived(self, association: Acceptor) -> None:
        """Connected, and not yet associated."""
        ...

    def grown(self, association: Acceptor) -> None:
        """Not yet associated, and it takes many words to ask for it."""
        ...

    def known(self, association: Acceptor) -> None:
        """Associated."""
        ...

    def left(self, association: Acceptor) -> None:
        """The connection is closed."""
        ...


class Bounds:
    """What the associations of one server share."""

    def __init__(
        self, largest_pdu: int, patience: Patience, associations: int, per_address: int, strangers: int = 4096
    ) -> None:
        """``largest_pdu`` in bytes; at most ``associations`` at once, ``per_address`` of them from one address.

        ``strangers``: connections that nobody has associated on yet; each costs a few KiB and ends with ARTIM.
        """
        self.largest_pdu, self.patience, self.strangers = largest_pdu, patience, strangers
        self.draining, self.queue = False, Queue()
        self._most, self._per_address = associations, per_address
        self._admitted: set[Acceptor] = set()
        self._by_address: Counter[str] = Counter()

    def admit(self, association: Acceptor) -> bool:
        """Count ``association`` if there is room."""
        address = association.remote.address
        if len(self._admitted) >= self._most or self._by_address[address] >= self._per_address:
            return False
        self._admitted.add(association)
        self._by_address[address] += 1
        return True

    def leave(self, association: Acceptor) -> None:
        """``association`` has ended; harmless when it was never admitted."""
        if association in self._admitted:
            self._admitted.discard(association)
            self._by_address[association.remote.address] -= 1
            self._by_address += Counter()  # forget those at zero


class Acceptor(Association):
    """An association that a peer opened."""

    def __init__(
        self,
        bounds: Bounds,
        gatekeeper: Gatekeeper,
        services: Callable[[str], Sequence[Service]],
        doors: Doors,
    ) -> None:
        """``services``: those of a project."""
        super().__init__(False, bounds.largest_pdu, bounds.patience, bounds.patience.idle, bounds.queue)
        self.project = ""
        self.caller = ANYBODY
        self._bounds, self._gatekeeper = bounds, gatekeeper
        self._services_of, self._doors = services, doors
        self._admission: asyncio.Task[None] | None = None

    def connected(self) -> None:
        """The transport is there."""
        super().connected()
        self._doors.arrived(self)

    def grown(self) -> None:
        """A long request costs memory before anybody has judged it."""
        if not self.contexts:
            self._doors.grown(self)

    def requested(self, body: memoryview) -> None:
        """An A-ASSOCIATE-RQ: let the gatekeeper judge it."""
        try:
            self.request = request = read_request(body)
        except OtherApplication:
            self.stream.reject(negotiation.CONTEXT_NAME_UNKNOWN)
        else:
            self._admission = asyncio.get_running_loop().create_task(self._admit(request))

    def admit_message(self) -> None:
        """Nothing new begins while the server stops."""
        if self._bounds.draining:
            raise MessageError("the server stops")

    def ended(self, how: str) -> None:
        """Another may have its place."""
        super().ended(how)
        self._bounds.leave(self)

    def closed(self) -> None:
        """Give everything back."""
        super().closed()
        if self._admission is not None:
            self._admission.cancel()
        self._doors.left(self)

    @property
    def under_way(self) -> bool:
        """Whether a message has begun to arrive or waits for its response."""
        return self.busy or self.midway

    async def _admit(self, request: Request) -> None:
        try:
            async with asyncio.timeout(self._bounds.patience.first):
                verdict = await self._judge(request)
        except (Unavailable, TimeoutError):
            verdict = negotiation.CONGESTION
        except Exception:  # noqa: BLE001  # the shell's last line: a bug in judging lets nobody in
            verdict = negotiation.NO_REASON_GIVEN
        try:
            if isinstance(verdict, Rejection):
                self.stream.reject(verdict)
            else:
                self._accept(request, verdict)
        except TooLate:
            self._bounds.leave(self)

    async def _judge(self, request: Request) -> Admitted | Rejection:
        if request.protocol & 1 == 0:
            return negotiation.PROTOCOL_UNKNOWN
        if self._bounds.draining:
            return negotiation.STOPPING
        verdict = await self._gatekeeper.admit(request, self.remote.address, self.remote.certificate)
        if isinstance(verdict, Rejection):
            return verdict
        return verdict if self._bounds.admit(self) else negotiation.LOCAL_LIMIT

    def _accept(self, request: Request, admitted: Admitted) -> None:
        self.services = self._services_of(admitted.project)
        acceptance = negotiate(
            request,
            self.services,
            self._bounds.largest_pdu,
            admitted.identity_response,
            (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
        )
        self.project, self.caller = admitted.project, admitted.caller
        self.acceptance, self.contexts = acceptance, negotiation.accepted(request, acceptance)
        self.peer_pdu = request.largest_pdu
        self.stream.accept(write_acceptance(request, acceptance))
        self._doors.known(self)
