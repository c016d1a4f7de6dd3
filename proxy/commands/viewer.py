"""``veil viewer``: unpack the published OHIF build, so that Veil can serve it below ``/viewer`` (``http.viewer_dir``).

Downloads nothing: the package's file is given (``make viewer`` asks npm for it), and it must be the one that
viewer.lock.json names. Changed is what a place other than the root of a site needs, and what would ask other sites;
left out is what is of no use here. `proxy.dicomweb.viewer` serves the result and adds app-config.js.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

import click

_DIST = "package/dist"
#: the file that every build has
_MARK = "index.html"
#: where Veil serves it; the server puts a path prefix before it, where there is one
_PLACE = "/viewer/"
#: source maps, segmentation by AI (it fetches models), service workers, sign-in with Google, hosting elsewhere
_LEFT_OUT = re.compile(
    r"\.map$|^ort/|^(google|sw|init-service-worker|oidc-client\.min|app-config)\.js$|^silent-refresh\.html$"
    r"|^_(headers|redirects)$|^serve\.json$"
)
#: a page says where it is in app-config.js; a worker is beside what it loads
_BASE_BEFORE = b'__webpack_require__.p = "/";'
_BASE_AFTER = b'__webpack_require__.p = self.PUBLIC_URL || self.location.href.replace(/[^/]*$/, "");'
_INLINE_SCRIPT = re.compile(rb"<script>.*?</script>", re.DOTALL)
_SERVICE_WORKER = re.compile(rb"<script[^>]*init-service-worker[^>]*></script>")
_COMPRESSED = {".js", ".css", ".wasm", ".svg", ".json", ".jsonc"}


@dataclass(frozen=True, slots=True)
class Lock:
    """The one package that is unpacked: npm's name, version and Subresource Integrity."""

    package: str
    version: str
    integrity: str

    def holds(self, file: Path) -> bool:
        """Whether ``file`` is that package, byte for byte."""
        algorithm, _, digest = self.integrity.partition("-")
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).digest() == base64.b64decode(digest)


def read_lock() -> Lock:
    """What this version of Veil was tested with."""
    return Lock(**json.loads(resources.files("proxy.commands").joinpath("viewer.lock.json").read_text("ascii")))


@click.command("viewer")
@click.argument("tarball", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="the folder that http.viewer_dir names")
def viewer(tarball: Path | None, into: Path | None) -> None:
    """Unpack TARBALL, OHIF's npm package, into a folder. Without TARBALL: say which package that is."""
    lock = read_lock()
    if tarball is None:
        click.echo(f"{lock.package}@{lock.version}")
        return
    if into is None:
        raise click.UsageError("--into FOLDER is missing")
    if not lock.holds(tarball):
        raise click.ClickException(f"{tarball}: not the published {lock.package} {lock.version}; nothing was unpacked")
    count = unpack(tarball, into)
    click.echo(f"{lock.package} {lock.version}: {count} files in {into}")


def unpack(tarball: Path, into: Path) -> int:
    """Replace ``into`` by the adjusted build; returns how many files that are. ``into`` is never half of it."""
    if into.exists() and any(into.iterdir()) and not (into / _MARK).exists():
        raise click.ClickException(f"{into}: holds something else; it would be lost")
    into.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".viewer-") as made:
        new = Path(made) / "new"
        for path, content in _files(tarball):
            _write(new / path, adjusted(path.name, content))
            count += 1
        if not (new / _MARK).is_file():
            raise click.ClickException(f"{tarball}: no index.html in it")
        if into.exists():
            into.rename(Path(made) / "old")
        new.rename(into)
        shutil.rmtree(Path(made) / "old", ignore_errors=True)
    return count


def adjusted(name: str, content: bytes) -> bytes:
    """The file as it is served below `_PLACE`, and nothing in it that a strict Content-Security-Policy refuses."""
    if name.endswith(".js"):
        return content.replace(_BASE_BEFORE, _BASE_AFTER)
    if name.endswith(".css"):
        return content.replace(b"url(/", b"url(")
    if name == _MARK:
        bare = _SERVICE_WORKER.sub(b"", _INLINE_SCRIPT.sub(b"", content))
        return bare.replace(b'="/', b'="' + _PLACE.encode())
    if name == "manifest.json":
        return content.replace(b'"/', b'"' + _PLACE.encode())
    return content


def _files(tarball: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(_DIST) or ".." in path.parts:
                continue
            inside, stream = path.relative_to(_DIST), archive.extractfile(member)
            if stream is not None and not _LEFT_OUT.search(str(inside)):
                yield inside, stream.read()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if path.suffix in _COMPRESSED and path.name != _MARK:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, 6, mtime=0))
