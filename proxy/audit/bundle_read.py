"""The files in an export bundle, one after the other: a tar.gz that is held to the one form that bundles have."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from proxy.audit.bundle import RECORDS, RENDERED

#: bytes of a file without records
_MOST = 16 << 20
BLOCK = 1 << 20


class Unreadable(ValueError):
    """There is nothing to go on with."""


def small_files(path: Path) -> dict[str, bytes]:
    """The files without records, in any format. `Unreadable`; OSError where it cannot be opened."""
    found: dict[str, bytes] = {}

    def keep(name: str, size: int, stream: IO[bytes]) -> None:
        if not name.startswith((RECORDS, RENDERED)):
            if name in found or size > _MOST:
                raise Unreadable(f"{name} is there twice, or too large")
            found[name] = stream.read()

    each_file(path, keep)
    return found


def each_file(path: Path, take: Callable[[str, int, IO[bytes]], None]) -> None:
    """Call ``take`` with name, size and content of each: plain files in one folder, and nothing after the last."""
    with _archive(path) as (tar, unpacked):
        folder = ""
        for member in tar:
            above, _, name = member.name.partition("/")
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is None or not name or "/" in name or name.startswith(".") or (folder and above != folder):
                raise Unreadable("there is something in it that no bundle has")
            folder = above
            take(name, member.size, stream)
        unpacked.seek(tar.offset)
        if any(block.strip(b"\0") for block in iter(lambda: unpacked.read(BLOCK), b"")):
            raise Unreadable("something stands after its end")


@contextmanager
def _archive(path: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    try:
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as tar:
            yield tar, unpacked
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        raise Unreadable("this is no whole tar.gz") from None
