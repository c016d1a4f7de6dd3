"""The section of the conformance statement about pixels and documents (PS3.15 E.3.1, E.3.2), for one compiled policy.

Says what the decisions of `pixels.burned_in` and the words of the profile make of an instance. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.deid.profile import Policy

_RISKS = {
    "high": "Ultrasound, secondary capture, photographs, fluoroscopy, captures and reports of any modality",
    "medium": "X-ray and other images, slices that are not ORIGINAL, PRIMARY",
    "low": "Original slices (CT, MR, PT, NM, tomosynthesis, OCT)",
}
_LOOKS = {
    "full": "every frame is read for text.",
    "screen": "every frame is screened, and read for text where the screen suspects any.",
    "off": "not read for text; without a device rule {unseen}",
}
_UNSEEN = {"hold": "held.", "forward": "**passed on unseen**."}
_KEPT_TEXT = {
    "none": "blanked, all of it.",
    "harmless": "blanked, but for scale bars, measurements and the like that are no identifier of the instance.",
}
_ANNOTATED = {"look": "read in full; held where no text is found.", "hold": "held."}
_REGIONS = {"outside_regions": "blanked.", "off": "left, and read as the rest is."}
_FACES = {"hold": "held.", "forward": "passed on, with Recognizable Visual Features YES."}
_DOCUMENTS = {
    "hold": "held.",
    "dummy": (
        "replaced by a dummy document of the same kind, the same for everybody; title, length, MIME type and HL7 "
        "Instance Identifier are the dummy's, Burned In Annotation is NO, Verification Flag UNVERIFIED. The original "
        "is neither read nor cleaned. Documents in other SOP classes: held."
    ),
}


def pixels(policy: Policy) -> Iterator[str]:
    """PS3.15 E.3.1 and E.3.2, and encapsulated documents."""
    said = policy.pixels
    yield (
        "What is burned in is found by device rules, by ultrasound regions and by reading, and blanked with the value "
        "that displays darkest. 113101 (Clean Pixel Data) is stated by the instances for which a device rule or a full "
        "reading answers, and their Burned In Annotation is then NO. 113102 (Clean Recognizable Visual Features) is "
        "never stated by this policy; what arrives with it keeps it."
    )
    yield ""
    for risk, what in _RISKS.items():
        look = _LOOKS[said.text[risk]].format(
            unseen=_UNSEEN[policy.uninspected_pixels if risk == "high" else "forward"]
        )
        yield f"- {what}: {look}"
    yield f"- Text that was found: {_KEPT_TEXT[said.keep_text]}"
    yield f"- Burned In Annotation other than NO, and no device rule for it: {_ANNOTATED[said.burned_in]}"
    yield f"- Ultrasound, outside of Sequence of Ultrasound Regions: {_REGIONS[said.ultrasound]}"
    rules = [f"{file.name}/{rule.name}" for file in said.devices for rule in file.rules]
    yield f"- Device rules: {', '.join(rules) or 'none'}. An image of a size for which its rule has no boxes is held."
    yield f"- Thin slices of heads, photographs, surfaces: {_FACES[said.faces]}"
    yield "- Labels of slides: held. Overlay planes, unused bits and metadata of code streams: cleared."
    yield f"- What nothing can read (video, unknown codecs): {_UNSEEN[policy.uninspected_pixels]}"
    yield f"- Encapsulated documents (PDF, CDA, STL, OBJ, MTL): {_DOCUMENTS[policy.documents]}"
    yield "- Voice, raw data: held."
    yield (
        "- The bytes of pixel data are searched for identifiers of the instance (comments of compressed streams, what "
        "stands behind the last row); where one is found the instance is held."
    )
    if said.strict:
        yield "- The pixels that leave are read a second time; text that matches an identifier holds the instance."
