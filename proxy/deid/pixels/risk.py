"""How likely text is in the pixels of an instance, by its SOP class and what it says of how it was made.

high: pictures of screens, ultrasound, photographs, whatever the SOP class table calls high; medium: X-ray images, and
what was computed from others; low: slices as a scanner makes them. A header may raise a risk and never lower it. Pure.
"""

from __future__ import annotations

from proxy.deid.pixels.attributes import Attributes
from proxy.deid.tables import SopClass

IMAGE_TYPE, CONVERSION_TYPE, ROWS, COLUMNS = 0x00080008, 0x00080064, 0x00280010, 0x00280011
#: the image shows a slide's label (PS3.3 C.8.12.4)
SPECIMEN_LABEL_IN_IMAGE = 0x00480010
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
#: kinds of the table whose instances are images that people look at
_IMAGES = frozenset({"burned-in", "label-image", "recognizable"})
#: pixels that a program computed and nobody draws into: segmentations, parametric maps, dose
_COMPUTED = frozenset(_STORAGE + end for end in ("30", "66.4", "66.7", "66.8", "481.2"))
#: maps that may have a legend: thickness of the retina, shape of the cornea
_MAPS = frozenset(_STORAGE + end for end in ("81.1", "82.1"))
#: where ORIGINAL\PRIMARY is what a scanner reconstructed: CT, MR, PT, NM, 3D X-ray, tomosynthesis, OCT
_SLICES = frozenset(
    _STORAGE + end
    for end in "2 2.1 2.2 2.3 2.4 2.5 4 4.1 4.3 4.4 128 128.1 130 20 5 13.1.1 13.1.2 13.1.3 14.1 14.2 77.1.5.4".split()
)
#: parts of Image Type words that say the image is a picture of a screen, or a report
_PICTURES = ("SCREEN", "SECONDARY CAPTURE", "DOSE", "REPORT", "SUMMARY", "FILM", "PRINT")
#: Conversion Type (PS3.3 C.8.6.1): images made from paper, film or a screen
_CONVERTED = frozenset({"DF", "DI", "DRW", "DV", "SD", "SI", "SYN", "WSD"})
#: IODs whose own equipment module has Conversion Type, and what there is no sign of a capture
_OWN_CONVERSION = {"1.2.840.10008.5.1.4.1.1.481.1": frozenset({"DI", "SYN", "WSD"})}  # RT Image


def risk_of(root: Attributes, sop_class: SopClass) -> tuple[str, str]:
    """high, medium or low, and why; "" for what has no pixels that anybody reads."""
    if sop_class.uid in _COMPUTED:
        return "", "computed pixels"
    if sop_class.uid in _MAPS:
        return "medium", "a map"
    if _IMAGES.isdisjoint(sop_class.kinds):
        return ("high", "pixels in a SOP class without images") if root.text((ROWS,)) else ("", "no image")
    if capture := _captured(root, sop_class):
        return "high", capture
    image_type = [value.upper() for value in root.values(IMAGE_TYPE)]
    if sop_class.uid == WHOLE_SLIDE and image_type[2:3] == ["VOLUME"] and root.text((SPECIMEN_LABEL_IN_IMAGE,)) == "NO":
        return "low", "a slide without its label"
    if sop_class.uid in _SLICES:
        made = image_type[:2] == ["ORIGINAL", "PRIMARY"]
        return ("low", "slices of a scanner") if made else ("medium", "Image Type is not ORIGINAL, PRIMARY")
    return sop_class.risk, f"SOP class with {', '.join(sop_class.kinds)} risk"


def _captured(root: Attributes, sop_class: SopClass) -> str:
    """What says that the image was taken from a screen, a film or paper; "" when nothing does."""
    image_type = (root.text((IMAGE_TYPE,)) or "").upper()
    if "SAVE" in image_type or any(word in image_type for word in _PICTURES):
        return "Image Type says screen capture or report"
    conversion = (root.text((CONVERSION_TYPE,)) or "").upper()
    if conversion in _CONVERTED - _OWN_CONVERSION.get(sop_class.uid, frozenset()):
        return "Conversion Type says capture"
    return ""
