"""The archive's files: root/<project>/PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm.

A file appears whole or not at all: it is linked (or copied) under ``.incoming``, synchronised, renamed into place, and
then every folder that changed is synchronised. A synchronisation that fails ends the process: the kernel may have
dropped the pages, so a second try would report success for lost bytes. Blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import filecmp
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

INCOMING = ".incoming"
SUFFIX = ".dcm"
_EXIT_IOERR = 74
#: link(2) says one of these where the spool is on another file system, or on one without links.
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})


def safe_name(text: str) -> str:
    """One path component for any text: percent-encoded outside ``[A-Za-z0-9._-]``, never empty, ``.`` or hidden."""
    name = quote(text, safe="").replace("~", "%7E")
    if not name or name.startswith("."):
        name = "%2E" + name[1:] if name else "%00"
    return name if len(name) <= 200 else name[:200]


class Tree:
    """The folder ``root`` and what may happen in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / INCOMING
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Make the folders; drop what an interrupted `place` left behind."""
        self.root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(mode=0o700)

    def relative(self, project: str, patient: str, study: str, series: str, instance: str) -> str:
        """Where an instance belongs, relative to the root."""
        parts = [safe_name(part) for part in (project, patient, study, series)]
        return "/".join([*parts, safe_name(instance) + SUFFIX])

    def place(self, source: Path, relative: str) -> bool:
        """Put a copy of ``source`` at ``relative``, durably; False when the same bytes were there already."""
        target = self.root / relative
        if target.exists() and (target.samefile(source) or filecmp.cmp(source, target, shallow=False)):
            return False
        self._make_folders(target.parent)
        temporary = self._incoming / f"{os.getpid()}-{next(self._numbers)}"
        try:
            _link_or_copy(source, temporary)
            synchronise(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        synchronise(target.parent)
        return True

    def remove(self, relative: str) -> None:
        """Take a file away, and the folders that it leaves empty."""
        path = self.root / relative
        path.unlink(missing_ok=True)
        for folder in itertools.takewhile(lambda p: p != self.root, path.parents):
            try:
                folder.rmdir()
            except OSError:
                break

    def files(self) -> Iterator[tuple[str, str]]:
        """Every instance file as (project folder, relative path), oldest first, so that the newest of two wins."""
        found = [p for p in self.root.glob(f"*/*/*/*/*{SUFFIX}") if p.relative_to(self.root).parts[0] != INCOMING]
        for path in sorted(found, key=lambda p: (p.stat().st_mtime_ns, str(p))):
            relative = path.relative_to(self.root)
            yield relative.parts[0], relative.as_posix()

    def _make_folders(self, folder: Path) -> None:
        missing = list(itertools.takewhile(lambda p: not p.exists(), [folder, *folder.parents]))
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            synchronise(path.parent)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)


def synchronise(path: Path) -> None:
    """fsync(2) a file or folder; the process ends where that fails."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        sys.stderr.write(f"veil: fsync failed in the archive ({errno.errorcode.get(error.errno or 0)}); stopping\n")
        sys.stderr.flush()
        os._exit(_EXIT_IOERR)
    finally:
        os.close(descriptor)
