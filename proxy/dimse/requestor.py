"""Veil as the one who associates: as whom, where, with how much patience. Opens no connection itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from pynetdicom import AE

from proxy import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


@dataclass(frozen=True, slots=True)
class Destination:
    """Where, as whom and with how much patience; ``seconds`` bounds each wait for the other side.

    ``tls``: encrypted by this, None for not at all; ``server_name``: whose certificate it must be, else the host's.
    """

    host: str
    port: int
    called_ae: str
    calling_ae: str
    seconds: float
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


def application_entity(to: Destination) -> AE:
    """pynetdicom's AE, with our name for it and our deadlines."""
    ae = AE(to.calling_ae)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.connection_timeout = ae.dimse_timeout = to.seconds
    ae.network_timeout = None  # an idle association is not a dead one; who opened it releases it
    return ae
