"""A gate that cannot be had."""

from __future__ import annotations

from proxy.errors import InstanceHeld, Reason


class Gate:
    def __init__(self, key: bytes, reader: object = None, salt: bytes = b"") -> None:
        raise InstanceHeld(Reason.ENGINE_ERROR, "no gate today")
