"""Metadata of instances from what a PACS says of them (PS3.18 10.4.1.1.2), without their pixel data: many at a time.

Each object becomes an instance without pixel data and goes through engine and gate; what was released comes back as
an object. Only where the decision about the pixels asks for nothing: no reading, no blanking, no clearing. Elsewhere,
and where other bulk data is missing, the whole instance must be had. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proxy.deid.part10 import read_part10
from proxy.deid.pixels.plan import Decision
from proxy.deid.types import Claimed, Deidentified, materialise
from proxy.wire.dicom_encode import EncodeError, Memo, encode, head
from proxy.wire.dicom_json import Json, Source, bulk_name, first_value
from proxy.wire.explicit_json import ExplicitJson
from proxy.wire.vr import EXPLICIT_LE

_PIXEL_DATA = "7FE00010"
#: said of an instance by who keeps it, and not in it; pixels, and padding behind everything
_ADDED = frozenset({"00080056", "00081190", "00083002", _PIXEL_DATA, "FFFCFFFC"})
#: VRs that can name nobody
_MUTE = frozenset(
    {"AT", "DS", "FD", "FL", "IS", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"}
)

#: the last digit of a private group
_ODD = frozenset("13579BDFbdf")


@dataclass(frozen=True, slots=True)
class Described:
    """What was released of one instance; ``uids`` and ``originals`` are those of study, series and instance."""

    json: Json
    uids: tuple[str, str, str]
    originals: tuple[str, str, str]


#: released, the reason why it is held, or None: the whole instance is needed
Outcome = Described | str | None
Engine = Callable[[memoryview, Claimed], Deidentified]
Verify = Callable[[memoryview, Deidentified], object]


def needed(instance: Json, private: bool) -> Json:
    """What `describe` needs of ``instance``; ``private``: the policy reads private elements.

    If not, all of them go: here those that can name nobody.
    """
    if private:
        return instance
    return {tag: each for tag, each in instance.items() if not (each.get("vr") in _MUTE and tag[3] in _ODD)}


class Alike:
    """What instances of one batch share: how elements were written, and how what was released was read."""

    def __init__(self) -> None:
        self.memo: Memo = {}
        self.reader = ExplicitJson(Source(bulk_name, _nothing))


def describe(instance: Json, engine: Engine, verify: Verify, alike: Alike) -> Described | None:
    """What may be shown of ``instance``; raises what engine and gate raise."""
    data = _encoded(instance, alike.memo)
    if data is None:
        return None
    view = memoryview(data)
    result = engine(view, Claimed())
    if not _needs_nothing(result.work.decision):
        return None
    verify(view, result)
    released = materialise(result.chunks, view)
    json = alike.reader.of(released, read_part10(memoryview(released)).dataset_offset)
    pixels = instance.get(_PIXEL_DATA)
    if pixels is not None:
        vr = "OB" if pixels.get("vr") == "OB" else "OW"
        json[_PIXEL_DATA] = {"vr": vr, "BulkDataURI": bulk_name((int(_PIXEL_DATA, 16),))}
    report, old = result.report, result.original
    uids = (report.study_instance_uid, report.series_instance_uid, report.sop_instance_uid)
    return Described(json, uids, (old.study_instance_uid, old.series_instance_uid, old.sop_instance_uid))


def _encoded(instance: Json, memo: Memo) -> bytes | None:
    """As a Part 10 instance; None where something of it is elsewhere or cannot be written."""
    own = {tag: element for tag, element in instance.items() if tag not in _ADDED}
    try:
        pieces = encode(own, memo)
    except EncodeError:
        return None
    if not all(isinstance(piece, bytes) for piece in pieces):
        return None
    uids = (first_value(own, "00080016"), first_value(own, "00080018"))
    return head(*uids, EXPLICIT_LE) + b"".join(piece for piece in pieces if isinstance(piece, bytes))


def _needs_nothing(decision: Decision) -> bool:
    asked = decision.areas or decision.covered or decision.insist or decision.hidden
    return decision.look == "no" and not asked


def _nothing(element: Any) -> bytes:
    """Everything was read with the data set."""
    return b""


def plain(outcomes: list[Outcome]) -> list[Any]:
    """Without classes, for the socket."""
    return [(o.json, o.uids, o.originals) if isinstance(o, Described) else o for o in outcomes]


def restored(values: Any) -> list[Outcome]:
    """What `plain` made; raises what nonsense raises."""
    return [_restored(value) for value in list(values)]


def _restored(value: Any) -> Outcome:
    if value is None or isinstance(value, str):
        return value
    json, uids, originals = value
    if not isinstance(json, dict):
        raise TypeError
    (study, series, own), (old_study, old_series, old_own) = map(_texts, (uids, originals))
    return Described(json, (study, series, own), (old_study, old_series, old_own))


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
