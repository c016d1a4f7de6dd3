"""Decides, without looking at pixels, whether this instance's pixels and bulk content may leave as they are.

Rules are data: the SOP class table says what is risky, the instance may say more (Burned In Annotation, Image Type,
Conversion Type). (0028,0301)=NO never lowers a risk. Nothing is cleaned here. Pure; `InstanceHeld` is the only "no".
"""

from __future__ import annotations

from proxy.deid import bulk
from proxy.deid.access import plain_of
from proxy.deid.level import Level
from proxy.deid.pixels.plan import Decision
from proxy.deid.profile import Policy
from proxy.deid.tables import SopClass, TransferSyntax
from proxy.errors import InstanceHeld, Reason

#: kind of content → why it is always held: an attribute profile cannot de-identify it
_ALWAYS = {
    "voice": Reason.UNSUPPORTED_CONTENT,
    "opaque": Reason.UNSUPPORTED_CONTENT,
    "out-of-scope": Reason.UNSUPPORTED_CONTENT,
    "unknown": Reason.UNSUPPORTED_CONTENT,
}
#: suggested default of the table → held unless the project forwards uninspected pixels
_UNINSPECTED = frozenset({"quarantine", "quarantine-or-redact", "reject-or-clean", "drop-label-frames"})
#: words of Image Type that say the image is a picture of a screen
_SCREENS = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREEN SHOT", "SCREENSHOT", "SCREEN", "SECONDARY CAPTURE"})
#: Conversion Type (PS3.3 C.8.6.1): images made from paper, film or a screen
_CONVERTED = frozenset({"DF", "DI", "DRW", "DV", "SD", "SI", "SYN", "WSD"})
#: IODs whose own equipment module has Conversion Type, and what there is no sign of a capture
_OWN_CONVERSION = {"1.2.840.10008.5.1.4.1.1.481.1": frozenset({"DI", "SYN", "WSD"})}  # RT Image
_EMBEDDED = tuple(0x60000000 + (2 * n << 16) for n in range(16))


def decide(root: Level, sop_class: SopClass, syntax: TransferSyntax, policy: Policy) -> Decision:
    """Return when the content may leave untouched; raise `InstanceHeld` when it may not."""
    if bulk.is_replaced(root, sop_class, policy):
        return Decision()
    for kind in sop_class.kinds:
        if kind in _ALWAYS:
            raise InstanceHeld(_ALWAYS[kind], f"SOP class with {kind} content", 0x00080016)
    if sop_class.default == "reject":
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "SOP class is not for de-identification", 0x00080016)
    if plain_of(root, 0x00280301) not in ("", "NO"):
        raise InstanceHeld(Reason.BURNED_IN, "Burned In Annotation is not NO", 0x00280301)
    for group in _EMBEDDED:
        # an overlay without data lies in unused bits of the pixels: removing its group would leave it there
        if group | 0x0010 in root and group | 0x3000 not in root:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "an overlay embedded in pixel data", group | 0x0010)
    if policy.uninspected_pixels != "forward" and (why := _suspicion(root, sop_class, syntax)):
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, why)
    return Decision()


def _suspicion(root: Level, sop_class: SopClass, syntax: TransferSyntax) -> str:
    """Why somebody should look at the pixels first, "" when nothing says so."""
    if sop_class.default in _UNINSPECTED or (sop_class.default == "inspect" and sop_class.risk == "high"):
        return f"SOP class with {', '.join(sop_class.kinds)} risk"
    if syntax.handling == "video":
        return "video"
    if plain_of(root, 0x00280302) not in ("", "NO"):
        return "Recognizable Visual Features is not NO"
    image_type = plain_of(root, 0x00080008)
    if image_type is None or not _SCREENS.isdisjoint(image_type.split("\\")):
        return "Image Type says screen capture"
    conversion = plain_of(root, 0x00080064)
    if conversion is None or conversion in _CONVERTED - _OWN_CONVERSION.get(sop_class.uid, frozenset()):
        return "Conversion Type says capture"
    return ""
