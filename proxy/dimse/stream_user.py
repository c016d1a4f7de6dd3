"""What a connection tells whoever uses it: see `proxy.dimse.association`, which does, and `proxy.dimse.stream`."""

from __future__ import annotations

from typing import Protocol

from proxy.wire.negotiation import Rejection


class User(Protocol):
    """Who uses a connection. Nothing here may block."""

    @property
    def busy(self) -> bool:
        """Whether the peer waits for us: then it may be silent for as long as we take."""
        ...

    @property
    def midway(self) -> bool:
        """Whether a message has begun to arrive and is not whole."""
        ...

    def grown(self) -> None:
        """More has come than a short A-ASSOCIATE-RQ has, and is kept."""
        ...

    def connected(self) -> None:
        """The transport is there."""
        ...

    def requested(self, body: memoryview) -> None:
        """An A-ASSOCIATE-RQ. Raises `PduError`."""
        ...

    def accepted(self, body: memoryview) -> None:
        """An A-ASSOCIATE-AC. Raises `PduError`."""
        ...

    def rejected(self, rejection: Rejection) -> None:
        """An A-ASSOCIATE-RJ."""
        ...

    def fragment(self, context: int, control: int, data: memoryview) -> None:
        """One presentation data value. Raises `MessageError`."""
        ...

    def release_indicated(self) -> None:
        """The peer wants to release; answer with `Stream.release_response`."""
        ...

    def ended(self, how: str) -> None:
        """Nothing more will come or go. ``how``: released, aborted, timeout or lost. May come twice."""
        ...

    def closed(self) -> None:
        """The connection is gone."""
        ...
