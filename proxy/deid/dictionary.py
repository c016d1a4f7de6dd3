"""Attributes of Table E.1-1 that are younger than pydicom's dictionary, so that their VR is known in implicit VR.

The tables carry them; nothing here decides anything: decisions are by tag number with or without this. `register`
changes a table inside pydicom and is called once where a process is put together, never by the engine. Pure otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import add_dict_entries, dictionary_has_tag

from proxy.deid.tables import Attribute, tag_number


def young_attributes(rows: Iterable[Attribute]) -> dict[int, tuple[str, str]]:
    """Tag → (VR, keyword) of those of ``rows`` that pydicom's dictionary as shipped does not have."""
    return {
        tag: (row.vr, row.keyword)
        for row in rows
        if (tag := tag_number(row.tag)) is not None and tag >> 16 >= 0x0008 and not dictionary_has_tag(tag)
    }


def register(rows: Iterable[Attribute]) -> int:
    """Teach pydicom the young attributes; returns how many were new to it. A second call adds nothing."""
    young = young_attributes(rows)
    if young:
        add_dict_entries({tag: (vr, "1", _words(name), "", name) for tag, (vr, name) in young.items()})
    return len(young)


def _words(keyword: str) -> str:
    return "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(keyword))
