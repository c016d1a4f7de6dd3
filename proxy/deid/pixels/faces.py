"""Which instances may show a face: photographs, and slices of a head thin enough to be rendered (PS3.15 E.3.2).

By header alone, one instance at a time: how many slices the series has is not known here, so a single thin slice of a
head counts. Recognizable Visual Features NO lowers nothing, unless the instance also states how it was cleaned. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.deid.pixels.attributes import Attributes, Path
from proxy.deid.pixels.face_words import BODY_PARTS, CODES, says_head, says_other
from proxy.deid.tables import SopClass

#: slices and gaps of more than this (mm) show a face as steps only; what is not said counts as thin
THIN = 3.0
#: fields of view (mm) of a head, for scans that do not say which part of the body they show
_HEAD_VIEW = (140.0, 300.0)
RECOGNIZABLE_VISUAL_FEATURES = 0x00280302
#: CID 7050 Clean Recognizable Visual Features Option
_CLEANED = "113102"
_METHOD_CODES: Path = (0x00120064, 0x00080100)
#: CT and MR, their enhanced and legacy converted forms, 3D X-Ray angiography
_VOLUMES = frozenset(
    "1.2.840.10008.5.1.4.1.1." + end
    for end in ("2", "2.1", "2.2", "2.3", "2.4", "2.5", "4", "4.1", "4.3", "4.4", "13.1.1")
)
_CRANIOFACIAL = "1.2.840.10008.5.1.4.1.1.13.1.2"
_PHOTOGRAPHS = frozenset({"quarantine", "quarantine-or-redact"})
_IMAGE_TYPE, _BODY_PART = 0x00080008, 0x00180015
_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_MEASURES, _ANATOMY, _REGION = 0x00289110, 0x00209071, 0x00082218
_THICKNESS, _SPACING, _PIXEL_SPACING = 0x00180050, 0x00180088, 0x00280030
_DIAMETER, _ROWS, _COLUMNS = 0x00181100, 0x00280010, 0x00280011
_CODE_VALUE, _CODE_MEANING = 0x00080100, 0x00080104
#: descriptions: study, series, protocol, requested and performed procedure, procedure code
_REGIONS: tuple[Path, ...] = ((_REGION,), (_SHARED, _ANATOMY, _REGION), (_PER_FRAME, _ANATOMY, _REGION))
#: descriptions: study, series, protocol, requested and performed procedure, procedure code, region
_TEXTS: tuple[Path, ...] = (
    *((tag,) for tag in (0x00081030, 0x0008103E, 0x00181030, 0x00321060, 0x00400254)),
    (0x00081032, _CODE_MEANING),
    *((*region, _CODE_MEANING) for region in _REGIONS),
)


def face(root: Attributes, sop_class: SopClass) -> str:
    """Why the instance may show a face, "" when nothing says so."""
    stated = root.text((RECOGNIZABLE_VISUAL_FEATURES,)) or ""
    if stated == "NO" and _states_cleaning(root):
        return ""
    if stated not in ("", "NO"):
        return "Recognizable Visual Features is not NO"
    if "recognizable" in sop_class.kinds and sop_class.default in _PHOTOGRAPHS:
        return "a SOP class of photographs or surfaces"
    if sop_class.uid == _CRANIOFACIAL:
        return "a scan of a face"
    if sop_class.uid not in _VOLUMES or "LOCALIZER" in root.values(_IMAGE_TYPE) or not _thin(root):
        return ""
    return "a scan of a head with thin slices" if _head(root) else ""


def _states_cleaning(root: Attributes) -> bool:
    items = root.items(_METHOD_CODES[0])
    return any(item.text(_METHOD_CODES[1:]) == _CLEANED for item in items)


def _head(root: Attributes) -> bool:
    part = (root.text((_BODY_PART,)) or "").upper().replace(" ", "").replace("_", "")
    texts = [text for path in _TEXTS if (text := root.text(path))]
    if (
        part in BODY_PARTS
        or says_head([part, *texts])
        or any(root.text((*region, _CODE_VALUE)) in CODES for region in _REGIONS)
    ):
        return True
    if says_other([part, *texts]):
        return False
    view = _field_of_view(root)
    return view is not None and _HEAD_VIEW[0] <= view <= _HEAD_VIEW[1]


def _thin(root: Attributes) -> bool:
    said = [abs(number) for number in _distances(root) if number]
    return not said or min(said) <= THIN


def _distances(root: Attributes) -> Iterator[float]:
    places = [root]
    for groups in (_SHARED, _PER_FRAME):
        for group in root.items(groups)[:1]:
            places += group.items(_MEASURES)[:1]
    for place in places:
        for tag in (_THICKNESS, _SPACING):
            yield from place.numbers(tag) or []


def _field_of_view(root: Attributes) -> float | None:
    """The larger side, mm."""
    spacing, size = root.numbers(_PIXEL_SPACING), (root.numbers(_ROWS), root.numbers(_COLUMNS))
    if spacing and len(spacing) == 2 and all(size):
        return max(step * (side or [0.0])[0] for step, side in zip(spacing, size, strict=True))
    diameter = root.numbers(_DIAMETER)
    return diameter[0] if diameter else None
