"""What the read side needs of a PACS that it asks: one protocol for the embedded archive, DICOMweb and DIMSE.

On the clinical side everything here is in clear: nothing of it may be logged, audited, cached or answered as it is.
Errors are `UpstreamError`s without a word of the PACS's own. All calls end when their task is cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.errors import VeilError
from proxy.service.ports import Arena
from proxy.wire.dicom_json import first_value
from proxy.workers.arena import ArenaFull


class UpstreamError(VeilError):
    """A PACS could not be asked or did not answer as one: 502 and 504. ``str()`` names the upstream and a code."""

    def __init__(self, upstream: str, code: str, *, late: bool = False) -> None:
        super().__init__(f"upstream {upstream}: {code}")
        self.upstream, self.code, self.late = upstream, code, late


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance where it lies, by the UIDs of that side."""

    study: str
    series: str
    instance: str
    sop_class: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A search in the words of the side that is asked.

    ``level``: study, series or instance. ``matches`` and ``fields`` by keyword (dotted inside sequences), the UIDs of
    the path among them. The answer may hold more than was asked for: who asks filters.
    """

    level: str
    matches: Mapping[str, str]
    fields: Sequence[str] = ()
    limit: int = 0
    offset: int = 0


class Upstream(Protocol):
    """One PACS. Bounds its own connections; keeps them open."""

    name: str

    async def search(self, question: Question) -> list[dict[str, Any]]:
        """Matches as DICOM JSON objects (PS3.18 F), [] for none; in an order that stays while the store does."""
        ...

    async def instances(self, study: str, series: str = "", instance: str = "") -> list[Reference]:
        """What a study, series or instance consists of, in a stable order; [] when there is none."""
        ...

    def metadata(self, study: str, series: str = "", instance: str = "") -> AsyncIterator[dict[str, Any]]:
        """The instances' DICOM JSON without bulk data, or nothing at all where the upstream cannot give it."""
        ...

    async def fetch(self, reference: Reference, arena: Arena) -> bool:
        """Write the Part 10 instance into ``arena``, in the transfer syntax that it is stored in; False: not there."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


async def find_references(upstream: Upstream, study: str, series: str = "", instance: str = "") -> list[Reference]:
    """`Upstream.instances` by a search at the instance level, in the order of series, instance number and UID."""
    path = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": instance}
    matches = {keyword: uid for keyword, uid in path.items() if uid}
    found = await upstream.search(Question("instance", matches, ("SOPClassUID", "InstanceNumber")))
    numbered: dict[Reference, tuple[str, int, str]] = {}
    for match in found:
        within = (first_value(match, "0020000D") or study, first_value(match, "0020000E") or series)
        one = Reference(*within, first_value(match, "00080018"), first_value(match, "00080016"))
        number = first_value(match, "00200013")
        inside = one.study == study and series in ("", one.series) and instance in ("", one.instance)
        if inside and one.series and one.instance:
            numbered[one] = (one.series, int(number) if number.lstrip("-").isdecimal() else 0, one.instance)
    return sorted(numbered, key=lambda one: numbered[one])


def pour(upstream: str, block: bytes | memoryview, arena: Arena) -> None:
    """Append what ``upstream`` sends of an instance; `UpstreamError` where it is too much."""
    try:
        arena.write(block)
    except ArenaFull:
        raise UpstreamError(upstream, "too-large") from None
    except OSError:  # ENOMEM or ENOSPC
        raise UpstreamError(upstream, "no-memory") from None
