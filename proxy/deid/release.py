"""What lets bytes leave, and who admits by it. Only `verify` makes one; what it reads with is not imported here."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.seal import Seal

KEY_BYTES, SALT_BYTES = 32, 8


@dataclass(frozen=True, slots=True)
class Release:
    """What lets bytes leave: their length, and a MAC over all of them that only a `Gate` of this run can make."""

    size: int
    nonce: bytes
    tag: bytes


class Keyholder:
    """Holds this run's key: for the spool and whoever else lets bytes out. It cannot make a `Release`."""

    def __init__(self, key: bytes) -> None:
        """``key``: that of the gates, 32 random bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError("a gate's key has 32 bytes")
        self._key = key

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<key>)"

    def again(self, release: Release) -> Seal:
        """What bytes have to be added to, and asked whether it is of ``release``."""
        return Seal(self._key, release.nonce)

    def admits(self, release: Release, data: bytes | memoryview) -> bool:
        """Whether a gate with this key released ``data``, the whole of it, by ``release``."""
        seal = self.again(release)
        seal.add(data)
        return seal.is_of(release.size, release.tag)
