"""Text by its Specific Character Set (PS3.5 6.1, PS3.3 C.12.1.1.2) with Python's codecs alone, for the gate.

The engine decodes with pydicom; this is the second opinion, so nothing is shared with it. Pure.
"""

from __future__ import annotations

import re
import unicodedata

#: defined term, without "ISO_IR " or "ISO 2022 IR " → codec of what is not escaped
_CODECS = {
    "": "latin_1", "6": "latin_1", "100": "latin_1", "101": "iso8859_2", "109": "iso8859_3", "110": "iso8859_4",
    "144": "iso8859_5", "127": "iso8859_6", "126": "iso8859_7", "138": "iso8859_8", "148": "iso8859_9",
    "203": "iso8859_15", "13": "shift_jis", "166": "iso8859_11", "192": "utf_8", "GB18030": "gb18030", "GBK": "gbk",
    "87": "latin_1", "159": "latin_1", "149": "euc_kr", "58": "gb2312",
}  # fmt: skip
#: escape sequence (PS3.3 table C.12-3, C.12-4) → codec, and what the codec wants in front
_ESCAPES = {
    b"(B": ("ascii", b""), b"(J": ("shift_jis", b""), b")I": ("shift_jis", b""), b"-A": ("latin_1", b""),
    b"-B": ("iso8859_2", b""), b"-C": ("iso8859_3", b""), b"-D": ("iso8859_4", b""), b"-L": ("iso8859_5", b""),
    b"-G": ("iso8859_6", b""), b"-F": ("iso8859_7", b""), b"-H": ("iso8859_8", b""), b"-M": ("iso8859_9", b""),
    b"-b": ("iso8859_15", b""), b"-T": ("iso8859_11", b""), b"$B": ("iso2022_jp", b"\x1b$B"),
    b"$(D": ("iso2022_jp_2", b"\x1b$(D"), b"$)C": ("euc_kr", b""), b"$)A": ("gb2312", b""),
}  # fmt: skip
_ESCAPE = re.compile(rb"\x1b(\$\([A-Z]|\$\)[A-Z]|\$[A-Z]|[()\-][A-Za-z])")
_STAND_ALONE = frozenset({"utf_8", "gb18030", "gbk"})


def codec_of(declared: str) -> str:
    """The codec of unescaped text for a value of (0008,0005); LookupError for a term that is not the standard's."""
    first = declared.split("\\")[0].strip(" \0")
    term = re.sub(r"^(ISO_IR|ISO 2022 IR) ", "", first)
    return _CODECS[term]


def decode(raw: bytes, codec: str, *, strict: bool) -> str:
    """``raw`` as text. ``strict``: ValueError where a byte has no meaning; else a replacement character."""
    errors = "strict" if strict else "replace"
    if b"\x1b" not in raw or codec in _STAND_ALONE:
        return raw.decode(codec, errors)
    parts = _ESCAPE.split(raw)
    text = parts[0].decode(codec, errors)
    for escape, part in zip(parts[1::2], parts[2::2], strict=True):
        if escape not in _ESCAPES:
            if strict:
                raise ValueError("an unknown escape sequence")
            text += part.decode("latin_1")
            continue
        name, front = _ESCAPES[escape]
        text += (front + part).decode(name, errors)
    return text


def folded(text: str) -> str:
    """One spelling for comparison: compatibility forms, case and width do not count."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
