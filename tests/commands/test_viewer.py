from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxy.commands import viewer
from proxy.commands.viewer import Lock

BASE = b'x;\n__webpack_require__.p = "/";\ny;'
PAGE = (
    b'<link href="/manifest.json"><script>window.PUBLIC_URL="/"</script>'
    b'<script rel="preload" type="module" src="/init-service-worker.js"></script>'
    b'<script src="/app-config.js"></script><script defer src="/app.bundle.0123456789abcdef.js"></script>'
)
FILES = {
    "package/dist/index.html": PAGE,
    "package/dist/app.bundle.0123456789abcdef.js": BASE,
    "package/dist/app.bundle.0123456789abcdef.js.map": b"{}",
    "package/dist/app.bundle.css": b"@font-face{src:url(/a.woff2)} a{background:url(data:x)}",
    "package/dist/manifest.json": b'{"src":"/assets/a.png","url":"https://a/"}',
    "package/dist/app-config.js": b"window.config = {dataSources: ['https://elsewhere.example']}",
    "package/dist/google.js": b"",
    "package/dist/ort/ort.js": b"",
    "package/dist/assets/a.png": b"\x89PNG",
    "package/package.json": b"{}",
    "package/dist/../../outside.js": b"",
    "/package/dist/absolute.js": b"",
}


def packed(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/dist/link.js")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def integrity(path: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


@pytest.fixture
def tarball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = packed(tmp_path, FILES)
    lock = Lock("@ohif/app", "1.2.3", integrity(path))
    monkeypatch.setattr(viewer, "read_lock", lambda: lock)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(viewer.viewer, [str(each) for each in arguments])


def test_the_lock_names_one_published_version() -> None:
    lock = viewer.read_lock()
    assert lock.integrity.startswith("sha512-")
    assert len(base64.b64decode(lock.integrity.removeprefix("sha512-"))) == 64
    assert run().output == f"{lock.package}@{lock.version}\n"


def test_what_is_unpacked_can_be_served_below_a_path(tarball: Path, tmp_path: Path) -> None:
    into = tmp_path / "a" / "viewer"
    done = run(tarball, "--into", into)
    assert done.exit_code == 0, done.output
    found = {str(path.relative_to(into)) for path in into.rglob("*") if path.is_file() and path.suffix != ".gz"}
    assert found == {"index.html", "app.bundle.0123456789abcdef.js", "app.bundle.css", "manifest.json", "assets/a.png"}
    page = (into / "index.html").read_text()
    assert "<script>" not in page
    assert "service-worker" not in page
    assert 'src="/viewer/app.bundle.0123456789abcdef.js"' in page
    script = (into / "app.bundle.0123456789abcdef.js").read_bytes()
    assert b"self.PUBLIC_URL || self.location" in script
    assert gzip.decompress((into / "app.bundle.0123456789abcdef.js.gz").read_bytes()) == script
    assert (into / "app.bundle.css").read_text() == "@font-face{src:url(a.woff2)} a{background:url(data:x)}"
    assert (into / "manifest.json").read_text() == '{"src":"/viewer/assets/a.png","url":"https://a/"}'
    assert not [path for path in tmp_path.rglob("*.js") if path.name in ("outside.js", "absolute.js", "link.js")]


def test_another_package_is_not_unpacked(tarball: Path, tmp_path: Path) -> None:
    with tarball.open("ab") as stream:
        stream.write(b"\0")
    done = run(tarball, "--into", tmp_path / "viewer")
    assert done.exit_code == 1
    assert "not the published @ohif/app 1.2.3" in done.output
    assert not (tmp_path / "viewer").exists()


def test_a_viewer_is_replaced_and_nothing_else_is(tarball: Path, tmp_path: Path) -> None:
    into = tmp_path / "viewer"
    into.mkdir()
    (into / "thesis.txt").write_text("x")
    assert run(tarball, "--into", into).exit_code == 1
    assert (into / "thesis.txt").exists()
    (into / "index.html").write_text("of an older version")
    assert run(tarball, "--into", into).exit_code == 0
    assert not (into / "thesis.txt").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".viewer")] == []


def test_a_package_without_a_page_leaves_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path, {"package/dist/a.js": b""})
    monkeypatch.setattr(viewer, "read_lock", lambda: Lock("@ohif/app", "1.2.3", integrity(path)))
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "index.html").write_text("old")
    assert run(path, "--into", tmp_path / "viewer").exit_code == 1
    assert (tmp_path / "viewer" / "index.html").read_text() == "old"


def test_where_to_must_be_said(tarball: Path) -> None:
    assert run(tarball).exit_code == 2
