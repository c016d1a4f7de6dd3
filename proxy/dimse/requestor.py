"""Veil as the one who associates: as whom, where, with how much patience. Opens no connection itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


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
