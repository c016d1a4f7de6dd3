"""A structured report as a text that can be read: plain, or HTML (PS3.18 8.7.4, PS3.3 C.17.3).

Made for de-identified reports: whatever they say is shown. Every value is escaped, and nothing is linked. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

from proxy.deid.access import charset_of, text_of
from proxy.deid.level import Level
from proxy.deid.values import Charset

HTML, PLAIN = "text/html", "text/plain"
#: what reports come as, the default first
TEXTS = (HTML, PLAIN)
_CONTENT, _NAME, _MEANING, _TYPE = 0x0040A730, 0x0040A043, 0x00080104, 0x0040A040
_MEASURED, _NUMBER, _UNITS = 0x0040A300, 0x0040A30A, 0x004008EA
_REFERENCED, _REFERENCED_UID = 0x00081199, 0x00081155
#: value type → attribute of the item with its value
_VALUES = {
    "TEXT": 0x0040A160,
    "PNAME": 0x0040A123,
    "DATE": 0x0040A121,
    "TIME": 0x0040A122,
    "DATETIME": 0x0040A120,
    "UIDREF": 0x0040A124,
}
_CODE = 0x0040A168
#: Patient's Name, Patient ID, Study Date, Completion Flag, Verification Flag
_HEAD = (0x00100010, 0x00100020, 0x00080020, 0x0040A491, 0x0040A493)


@dataclass(frozen=True, slots=True)
class Line:
    """One content item, ``depth`` below the title."""

    depth: int
    name: str
    value: str


def is_report(root: Level) -> bool:
    """Whether ``root`` has content of its own."""
    return bool(root.items(_CONTENT))


def report(root: Level, media: str) -> bytes:
    """The whole report as ``media``, in UTF-8."""
    lines = list(_items(root, 0, charset_of(root)))
    head = [text for tag in _HEAD if (text := _shown(text_of(root, tag, charset_of(root))))]
    return _WRITERS[media](lines[0], head, lines[1:]).encode()


def _items(item: Level, depth: int, around: Charset) -> Iterator[Line]:
    charset = charset_of(item, around)
    yield Line(depth, _meaning(item, _NAME, charset), _value(item, charset))
    for child in item.items(_CONTENT):
        yield from _items(child, depth + 1, charset)


def _value(item: Level, charset: Charset) -> str:
    kind = text_of(item, _TYPE, charset)
    if kind in _VALUES:
        said = text_of(item, _VALUES[kind], charset)
        return _shown(said.replace("^", " ") if kind == "PNAME" else said)
    if kind == "CODE":
        return _meaning(item, _CODE, charset)
    if kind == "NUM":
        return "; ".join(
            f"{_shown(text_of(each, _NUMBER, charset))} {_meaning(each, _UNITS, charset)}".strip()
            for each in item.items(_MEASURED)
        )
    references = (_shown(text_of(each, _REFERENCED_UID, charset)) for each in item.items(_REFERENCED))
    return " ".join((f"[{kind.lower()}]", *references)) if kind not in ("", "CONTAINER") else ""


def _meaning(item: Level, tag: int, charset: Charset) -> str:
    return "; ".join(_shown(text_of(code, _MEANING, charset)) for code in item.items(tag))


def _shown(text: str) -> str:
    """Without what is no letter; lines stay lines."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text.replace("\r\n", "\n")).strip()


def _plain(title: Line, head: list[str], lines: list[Line]) -> str:
    written = [title.name or "Report", *head, ""]
    for line in lines:
        said = ": ".join(part for part in (line.name, line.value) if part)
        written.append("  " * (line.depth - 1) + said.replace("\n", "\n" + "  " * line.depth))
    return "\n".join(written) + "\n"


def _html(title: Line, head: list[str], lines: list[Line]) -> str:
    name = escape(title.name or "Report")
    written = [f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{name}</title></head><body><h1>{name}</h1>']
    written.append(f"<p>{'<br>'.join(map(escape, head))}</p>")
    depth = 0
    for line in lines:
        written.append("<ul>" * (line.depth - depth) or "</ul>" * (depth - line.depth))
        depth = line.depth
        said = [f"<b>{escape(line.name)}</b>" if line.name else "", escape(line.value).replace("\n", "<br>")]
        written.append(f"<li>{' '.join(filter(None, said))}</li>")
    return "".join([*written, "</ul>" * depth, "</body></html>"])


_WRITERS: dict[str, Callable[[Line, list[str], list[Line]], str]] = {HTML: _html, PLAIN: _plain}
