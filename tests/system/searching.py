"""The byte-wise search in files for planted identifiers, in every form in which they could stand there."""

from __future__ import annotations

import base64
import codecs
import contextlib
import os
import subprocess
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

#: every planted value holds one of these
MARKERS = ("Zqxplant", "ZQXIDENT1", "1.2.826.0.1.3680043.10.1511.", "曖昧模糊", "born 1947")
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "iso2022_jp", "shift_jis", "euc_jp")


def _base64_runs(raw: bytes) -> Iterator[bytes]:
    """What stands in base64 of any text that holds ``raw``, for the three ways it can lie."""
    for shift in range(3):  # bytes before it; characters that also depend on what stands around are left out
        first, last = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
        yield base64.b64encode(b"\0" * shift + raw)[first:last]


@lru_cache(maxsize=4096)
def forms(secret: str) -> frozenset[bytes]:
    """The bytes, in lower case, by which ``secret`` could stand in a file: character sets, hex, base64, escapes."""
    raws: set[bytes] = set()
    for encoding in _ENCODINGS:
        with contextlib.suppress(UnicodeEncodeError):
            raws.add(codecs.encode(secret, encoding))
    utf8 = secret.encode()
    coded = {utf8.hex().encode(), urllib.parse.quote(secret).encode(), secret.encode("unicode_escape")}
    coded |= {"".join(f"%{byte:02x}" for byte in utf8).encode(), secret.encode("ascii", "xmlcharrefreplace")}
    coded |= {utf8.decode("latin-1").encode()}  # UTF-8 taken for Latin-1
    coded |= {run for run in _base64_runs(utf8) if len(run) >= 8}
    return frozenset(form.lower() for form in raws | coded)


def files_below(place: Path) -> list[Path]:
    """Regular files at or below ``place``."""
    if place.is_file():
        return [place]
    return [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]


def found_in(places: Path | Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """``path: secret`` for each file at or below ``places`` whose name or content holds a form of a secret."""
    sought = {form: secret for secret in secrets for form in forms(secret)}
    roots = [places] if isinstance(places, Path) else list(places)
    hits = []
    for root in roots if sought else ():
        for path in files_below(root):
            name = str(path.relative_to(root)) if path != root else ""
            hits += [f"{path}: {secret!r} in its name" for secret in _in(name.encode(), sought)]
    for path in _suspects(roots, sought) if sought else ():
        hits += [f"{path}: {secret!r} in its content" for secret in _in(path.read_bytes(), sought)]
    return hits


def _in(content: bytes, sought: Mapping[bytes, str]) -> list[str]:
    lower = content.lower()
    return sorted({secret for form, secret in sought.items() if form in lower})


def _suspects(roots: Sequence[Path], sought: Iterable[bytes]) -> list[Path]:
    """The files whose content holds one of ``sought``, in any case of ASCII: grep reads them once for all forms."""
    there = [str(root) for root in roots if root.exists()]
    if not there:
        return []
    command = ["grep", "-rlaiFZ", "--devices=skip", "--file=-", "--", *there]
    said = subprocess.run(
        command, input=b"\n".join(sought), capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"}
    )
    assert said.returncode in (0, 1), said.stderr.decode()
    return [Path(os.fsdecode(name)) for name in said.stdout.split(b"\0") if name]
