"""The engine: one encoded instance in, its de-identified chunks and a report out (PS3.15 Annex E).

Every decision is in the policy; here is only the order of things. Pixel data that need not change leaves as a `Slice`
of the input, neither decoded nor copied. Same bytes, same policy, same key: same output. No I/O, clock or randomness.
What cannot be read or judged raises `InstanceHeld`; nothing leaves before `verify.Gate` has read it.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from dataclasses import replace

from proxy.deid import bulk, markers
from proxy.deid.access import charset_of, is_uid, plain_of, text_of
from proxy.deid.cleaning import Cleaning
from proxy.deid.date_policy import time_offset
from proxy.deid.decode import Instance, read_instance, separate
from proxy.deid.encode import Element, Part, encode_dataset, encode_head
from proxy.deid.encrypted import encrypted_originals
from proxy.deid.level import Level, Run
from proxy.deid.made_by import modality_of, released_device
from proxy.deid.pixels import truth
from proxy.deid.pixels.burned_in import decide
from proxy.deid.pixels.coverage import answered_by
from proxy.deid.pixels.plan import TextReader, Work, summary
from proxy.deid.pixels.stage import Scrubbed, scrub
from proxy.deid.place import Step, Subject
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import PseudonymProvider, is_standard_uid
from proxy.deid.tables import SopClass
from proxy.deid.types import Chunk, Claimed, Deidentified, Original, Report, Slice, materialise
from proxy.deid.values import strict_text
from proxy.deid.walk import ISSUER_OF_PATIENT_ID, PATIENT_ID, PATIENT_NAME, Walk
from proxy.errors import InstanceHeld, Reason

SOP_CLASS_UID, SOP_INSTANCE_UID = 0x00080016, 0x00080018
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
STUDY_DATE = 0x00080020
#: in the order of `Original`
_IDENTITY = (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)
#: issuer of the pseudonyms of instances without a Patient ID: apart from every real issuer
_PER_STUDY = "urn:veil:per-study"
_ZLIB_LEVEL = 6


def deidentify(data: memoryview, claimed: Claimed, policy: Policy, reader: TextReader | None = None) -> Deidentified:
    """De-identify the Part 10 instance in ``data``; raises `InstanceHeld`.

    Without a ``reader`` what has to be read for burned-in text is held.
    """
    with strict_text():
        return transform(read_instance(data, policy), claimed, policy, reader)


def explain(
    data: memoryview, claimed: Claimed, policy: Policy, reader: TextReader | None = None, work: Work | None = None
) -> list[Step]:
    """What `deidentify` does to each element of ``data`` and why, in document order; raises what it raises.

    ``work``: what was done to the pixels, where that is known; then they are not looked at.
    """
    with strict_text():
        instance = read_instance(data, policy, apart=True)
        steps: list[Step] = []
        known = Scrubbed(instance.syntax, (), work) if work is not None else None
        work = transform(instance, claimed, policy, reader, steps, known).work
        if instance.pixels is not None:
            steps.append(Step((), instance.pixels.tag, "", "blank" if work.areas else "keep", summary(work), ""))
        return steps


def transform(
    instance: Instance,
    claimed: Claimed,
    policy: Policy,
    reader: TextReader | None = None,
    steps: list[Step] | None = None,
    scrubbed: Scrubbed | None = None,
) -> Deidentified:
    """De-identify an instance that has been read, by whatever reader; ``steps`` takes down what was done.

    ``scrubbed``: its pixels, where only the elements matter.
    """
    original = _identify(instance, claimed)
    sop_class = _known(original.sop_class_uid, policy)
    document = bulk.is_replaced(instance.root, sop_class, policy, instance.pixels is not None)
    pixels = scrubbed or scrub(instance, decide(instance.root, sop_class, instance.syntax, policy), policy, reader)
    pseudonyms = policy.pseudonyms()
    subject = _subject(instance.root, original, policy, pseudonyms)
    cleaning = Cleaning(instance.root, policy, subject)
    walk = Walk(policy, pseudonyms, subject, original.sop_class_uid, instance.syntax, cleaning)
    walk.steps = steps
    told = (pixels.changed or document) and not instance.apart
    root = separate(instance, policy) if told else instance.root
    elements: dict[int, Part] = {element.tag: element for element in walk.run(root)}
    truth.tell(elements, pixels.work, pixels.coded)
    for tag, vr in bulk.replace(elements, sop_class.uid, instance.syntax.little) if document else ():
        walk.note_added(tag, vr, "profile documents dummy")
    for tag, vr in ((PATIENT_NAME, "PN"), (PATIENT_ID, "LO")):
        if tag not in elements:
            elements[tag] = Element(tag, vr, subject.patient_id.encode("ascii"))
            walk.counts["added"] += 1
            walk.note_added(tag, vr, "pseudonym of the patient")
    walk.counts["added"] += markers.mark(
        elements, policy, pixels.work.clean, pixels.syntax.implicit, pixels.syntax.little
    )
    for tag in (each for each in markers.TAGS if each in elements):
        walk.note_added(tag, "SQ" if tag == markers.DEIDENTIFICATION_METHOD_CODE_SEQUENCE else "", "what was done")
    if policy.recipients:
        sealed = encrypted_originals(instance.root, elements, instance.syntax, policy)
        elements[sealed.tag] = sealed
        walk.counts["added"] += 1
        walk.note_added(sealed.tag, sealed.vr, "originals, encrypted to the project's certificates")
    report = _report(instance, original, elements, walk, policy, pixels)
    head = encode_head(pixels.syntax.uid, original.sop_class_uid, report.sop_instance_uid)
    chunks, work = _chunks(head, elements, instance, pixels)
    if subject.issuer != _PER_STUDY and report.patient_id == subject.patient_id:
        whose = text_of(instance.root, PATIENT_ID, charset_of(instance.root))
        original = replace(original, issuer=subject.issuer, patient_id=whose)
    return Deidentified(chunks, original, report, work)


def identify(data: memoryview, policy: Policy) -> Original | None:
    """The sender's UIDs of an instance that was held, for the answer to that sender; None where it cannot be read.

    "" for a UID that is missing or no UID.
    """
    try:
        with strict_text():
            root = read_instance(data, policy).root
    except InstanceHeld:
        return None
    found = (plain_of(root, tag) or "" for tag in _IDENTITY)
    return Original(*(uid if is_uid(uid) else "" for uid in found))


def _identify(instance: Instance, claimed: Claimed) -> Original:
    """The sender's UIDs: present, valid, and the same wherever they are said (PS3.4 B.2.3, PS3.18 10.5)."""
    root, head = instance.root, instance.head
    uids = {tag: _uid(root, tag) for tag in _IDENTITY}
    said = (
        (SOP_CLASS_UID, head.sop_class_uid, "file meta information"),
        (SOP_INSTANCE_UID, head.sop_instance_uid, "file meta information"),
        (SOP_CLASS_UID, claimed.sop_class_uid, "request"),
        (SOP_INSTANCE_UID, claimed.sop_instance_uid, "request"),
        (STUDY_INSTANCE_UID, claimed.study_instance_uid, "request"),
    )
    for tag, value, where in said:
        if value and value.strip(" \0") != uids[tag]:
            raise InstanceHeld(Reason.UID_MISMATCH, f"data set and {where} do not agree", tag)
    return Original(*(uids[tag] for tag in _IDENTITY))


def _uid(root: Level, tag: int) -> str:
    value = plain_of(root, tag)
    if value == "":
        raise InstanceHeld(Reason.MISSING_UID, "a UID that every instance has is missing or empty", tag)
    # an entity of a patient under the standard's own root would leave with its UID as it is
    if value is None or not is_uid(value) or (tag != SOP_CLASS_UID and is_standard_uid(value)):
        raise InstanceHeld(Reason.BAD_UID, "not a valid UID", tag)
    return value


def _known(uid: str, policy: Policy) -> SopClass:
    sop_class = policy.sop_classes.get(uid)
    if sop_class is None:
        raise InstanceHeld(Reason.UNKNOWN_SOP_CLASS, "not a storage SOP class of PS3.6", SOP_CLASS_UID)
    if not policy.iod.is_patient_study(uid):
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "this SOP class belongs to no patient's study", SOP_CLASS_UID)
    return sop_class


def _subject(root: Level, original: Original, policy: Policy, pseudonyms: PseudonymProvider) -> Subject:
    charset = charset_of(root)
    patient_id = text_of(root, PATIENT_ID, charset)
    issuer = text_of(root, ISSUER_OF_PATIENT_ID, charset)
    if not patient_id:
        if policy.blank_patient_id != "per-study":
            raise InstanceHeld(Reason.BLANK_PATIENT_ID, "Patient ID is missing or empty", PATIENT_ID)
        issuer, patient_id = _PER_STUDY, original.study_instance_uid
    pseudonym, days = pseudonyms.patient_id(issuer, patient_id), pseudonyms.date_offset(issuer, patient_id)
    times_move = policy.dates is not None and policy.dates.times == "shift"
    minutes = time_offset(pseudonyms, issuer, patient_id) if times_move else 0
    return Subject(pseudonym, days, issuer, minutes)


def _chunks(
    head: bytes, elements: dict[int, Part], instance: Instance, pixels: Scrubbed
) -> tuple[tuple[Chunk, ...], Work]:
    syntax = pixels.syntax
    at = instance.pixels.tag if instance.pixels is not None else 0xFFFFFFFF
    tags = sorted(elements)
    cut = bisect_left(tags, at)
    before, after = (
        encode_dataset(map(elements.__getitem__, part), implicit=syntax.implicit, little=syntax.little)
        for part in (tags[:cut], tags[cut:])
    )
    if syntax.deflated:
        return (head + _deflate(before + materialise(pixels.chunks, instance.body) + after),), pixels.work
    if not pixels.chunks:
        return (head + before + after,), pixels.work
    chunks = (head + before, *pixels.chunks, *((after,) if after else ()))
    alone = len(pixels.chunks) == 1 and isinstance(pixels.chunks[0], Slice)
    return chunks, pixels.work if alone else replace(pixels.work, chunks=(1, 1 + len(pixels.chunks)))


def _deflate(plain: bytes) -> bytes:
    """PS3.5 A.5: a raw deflate stream, padded to even length."""
    packer = zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, -15)
    packed = packer.compress(plain) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def _report(
    instance: Instance,
    original: Original,
    elements: dict[int, Part],
    walk: Walk,
    policy: Policy,
    pixels: Scrubbed,
) -> Report:
    manufacturer, model = released_device(instance.root, elements, policy)
    return Report(
        sop_class_uid=original.sop_class_uid,
        transfer_syntax_uid=pixels.syntax.uid,
        modality=modality_of(instance.root),
        patient_id=_text(elements, PATIENT_ID),
        study_instance_uid=_text(elements, STUDY_INSTANCE_UID),
        series_instance_uid=_text(elements, SERIES_INSTANCE_UID),
        sop_instance_uid=_text(elements, SOP_INSTANCE_UID),
        study_date=_text(elements, STUDY_DATE),
        policy_digest=policy.digest,
        key_epoch=policy.key_epoch,
        counts=dict(sorted(walk.counts.items())),
        method_codes=tuple(code for code, _ in markers.codes(policy, pixels.work.clean)),
        pixels=summary(pixels.work) if instance.pixels is not None else "",
        manufacturer=manufacturer,
        model=model,
        pixels_by=answered_by(pixels.work.decision) if instance.pixels is not None else "none",
    )


def _text(elements: dict[int, Part], tag: int) -> str:
    element = elements.get(tag)
    if isinstance(element, Run):  # of this one element, see `retained`: behind a header of eight bytes
        return element.data[8:].decode("ascii").strip(" \0")
    value = element.value if element is not None else b""
    return value.decode("ascii").strip(" \0") if isinstance(value, bytes) else ""
