"""The search for planted secrets in a Part 10 file: byte by byte in many encodings, and decoded by pydicom."""

from __future__ import annotations

import io
import struct
import unicodedata
import warnings
import zlib
from functools import cache

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

_ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "iso8859_1", "iso8859_2", "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8",
    "cp874", "iso2022_jp", "shift_jis", "euc_jp", "euc_kr", "gb18030", "gb2312",
)  # fmt: skip


def folded(text: str) -> str:
    """Letters and digits only, without accents and case."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if c.isalnum())


@cache
def forms(secret: str) -> frozenset[bytes]:
    """The bytes, ASCII in lower case, by which ``secret`` could stand."""
    found = set()
    for encoding in _ENCODINGS:
        try:
            raw = secret.encode(encoding)
        except UnicodeEncodeError:
            continue
        raw = raw.replace(b"\x1b$B", b"").replace(b"\x1b(B", b"")
        if len(raw) >= 4:
            found.add(raw.lower())
    return frozenset(found)


def _texts(ds: Dataset) -> str:
    parts = []
    for element in ds.iterall():
        if element.VR != "SQ" and not (element.VR.startswith("O") and len(element.value or b"") > 4096):
            value = element.value
            parts.append(value.decode("latin_1") if isinstance(value, bytes) else str(value))
    return "\n".join(map(folded, parts))


def found(out: bytes, secrets: tuple[str, ...]) -> list[str]:
    """Secrets that a released Part 10 file holds, byte by byte or decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(io.BytesIO(out))
        ds.decode()
        decoded = _texts(ds) + _texts(ds.file_meta)
    raw = out
    if ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        start = 144 + struct.unpack("<I", out[140:144])[0]
        raw += zlib.decompressobj(-zlib.MAX_WBITS).decompress(out[start:])
    lower = raw.lower()
    return [
        secret
        for secret in secrets
        if any(form in lower for form in forms(secret)) or (len(folded(secret)) > 3 and folded(secret) in decoded)
    ]
