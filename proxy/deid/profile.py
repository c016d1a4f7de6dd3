"""Compiles the tables and a profile into a `Policy`: what happens to an element, found by its tag number.

Never by keyword: dictionaries lag the standard. Masked rows (curves, overlays, private) are decided by group. An
unknown key, an unknown word or an option that the engine does not implement is a `ConfigError`. Pure; compiled once,
pickled to the workers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import proxy
from proxy.deid.date_policy import DatePolicy
from proxy.deid.iod import IodTypes, compile_types
from proxy.deid.part10 import Limits
from proxy.deid.pixels.pixel_words import PixelPolicy
from proxy.deid.private import SafePrivate
from proxy.deid.profile_words import Profile, Unlisted, read_profile
from proxy.deid.pseudonym import HmacPseudonyms, PseudonymProvider
from proxy.deid.recipient import Recipient
from proxy.deid.rules import Rule, longitudinal, relaxes
from proxy.deid.structured import ContentRules
from proxy.deid.tables import SopClass, Tables, TransferSyntax, tag_number
from proxy.deid.text_terms import Vocabulary
from proxy.errors import ConfigError

__all__ = ["Limits", "Policy", "PolicySpec", "Tables", "compile_policy"]

#: CID 7050: the profile itself; the option's code is found by its column
_BASIC = "basic profile itself"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a project asks for: plain values from the configuration, and the parsed profile."""

    project: str
    profile: Mapping[str, Any]
    root_key: bytes = field(repr=False)
    key_epoch: int = 1
    patient_id_prefix: str = ""
    blank_patient_id: str = "hold"
    uninspected_pixels: str = "hold"
    date_shift_days: int = 365
    limits: Limits = field(default_factory=Limits)
    #: certificates in PEM to which originals are encrypted, none: they are not
    encrypt_to: tuple[str, ...] = ()
    #: device rules by name, as they stand in their files: those that the profile may name
    pixel_rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Everything that decides what leaves. Immutable and picklable; ``root_key`` is its only secret."""

    project: str
    profile: str
    options: tuple[str, ...]
    edition: str
    key_epoch: int
    patient_id_prefix: str
    blank_patient_id: str
    uninspected_pixels: str
    date_shift_days: int
    limits: Limits
    digest: str
    #: tag → basic action code of Table E.1-1, concrete rows only: use `code`
    codes: Mapping[int, str] = field(repr=False)
    #: tag → VR of the rows of ``codes``
    vrs: Mapping[int, str] = field(repr=False)
    #: tag → option → K or C, for the options of this profile
    cells: Mapping[int, Mapping[str, str]] = field(repr=False)
    unlisted: Unlisted = field(repr=False)
    iod: IodTypes = field(repr=False)
    sop_classes: Mapping[str, SopClass] = field(repr=False)
    transfer_syntaxes: Mapping[str, TransferSyntax] = field(repr=False)
    #: Table E.3.4-1; Table E.3.10-1 with the project's own list, None where no private element stays
    content: ContentRules = field(repr=False)
    safe_private: SafePrivate | None = field(repr=False)
    #: what the profile says of dates, times and ages itself; None: what its options say
    dates: DatePolicy | None = field(repr=False)
    #: the site's own rules, in order
    rules: tuple[Rule, ...] = field(repr=False)
    #: encapsulated documents: hold or dummy
    documents: str
    #: what is done to pixels, device rules included
    pixels: PixelPolicy = field(repr=False)
    #: to whom originals are encrypted
    recipients: tuple[Recipient, ...] = field(repr=False)
    #: False: rules or dates leave more than profile and options allow, so an instance does not claim the profile
    claims_profile: bool
    #: clinical words that a cleaned text may keep, and names that this project knows
    vocabulary: Vocabulary = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    #: CID 7050 codes and meanings that an instance de-identified under this policy states
    methods: tuple[tuple[str, str], ...]
    root_key: bytes = field(repr=False)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        # the digest covers everything but the key; caches by policy ask often
        return self.digest == other.digest and self.root_key == other.root_key

    def code(self, tag: int) -> str:
        """The action code for ``tag``, masked rows included; "" where no row of Table E.1-1 names it."""
        group = tag >> 16
        if group & 1 or group < 0x0008:
            return "X"  # private; or command, file meta, directory: never part of a stored data set
        if group in _PLANES:
            return "X"  # without their data the rest of a curve or overlay is invalid: the whole group goes
        return self.codes.get(tag, "")

    @property
    def reads_private(self) -> bool:
        """Whether private elements are looked at, and not just removed."""
        return self.safe_private is not None or any(rule.creators for rule in self.rules)

    @property
    def moves(self) -> bool:
        """Whether dates of this profile move by the patient's offset."""
        return self.dates.moves if self.dates is not None else "rtn_long_modif" in self.options

    @property
    def longitudinal(self) -> str:
        """(0028,0303) Longitudinal Temporal Information Modified (PS3.15 E.2, E.3.6)."""
        if self.dates is not None:
            said = self.dates.longitudinal
        elif "rtn_long_full" in self.options:
            said = "UNMODIFIED"
        else:
            said = "MODIFIED" if "rtn_long_modif" in self.options else "REMOVED"
        return longitudinal(said, self.rules) if self.rules else said

    def pseudonyms(self) -> PseudonymProvider:
        """The provider under this policy's key."""
        return _provider(self)


@lru_cache(maxsize=64)
def _provider(policy: Policy) -> PseudonymProvider:
    return HmacPseudonyms(policy.root_key, policy.patient_id_prefix, policy.date_shift_days)


#: PS3.5 7.6: (50xx,eeee) and (60xx,eeee) are sixteen even groups each
_PLANES = frozenset(base + 2 * n for base in (0x5000, 0x6000) for n in range(16))
_MASKS = {"(50xx,xxxx)", "(60xx,3000)", "(60xx,4000)", "(gggg,eeee) gggg odd"}


def compile_policy(tables: Tables, spec: PolicySpec) -> Policy:
    """Check ``spec`` and turn it into a decision table."""
    _check(spec)
    profile = read_profile(spec.profile, spec.pixel_rules)
    codes: dict[int, str] = {}
    vrs: dict[int, str] = {}
    for row in tables.attributes:
        tag = tag_number(row.tag)
        if tag is None and (row.tag not in _MASKS or row.basic != "X"):
            raise ConfigError("rules/standard/ps3.15-e1-1.csv", f"a masked row that is not known: {row.tag}")
        if tag is not None:
            codes[tag], vrs[tag] = row.basic, row.vr
    cells = _cells(tables, profile.options)
    claimed = not _relaxed(profile, vrs, cells)
    # clean_pixel is stated by the instances whose pixels were answered for (`markers`), not by all
    stated = {_BASIC, *profile.options} - {"clean_pixel"} if claimed else set()
    return Policy(
        project=spec.project,
        profile=profile.name,
        options=profile.options,
        edition=tables.edition,
        key_epoch=spec.key_epoch,
        patient_id_prefix=spec.patient_id_prefix,
        blank_patient_id=spec.blank_patient_id,
        uninspected_pixels=spec.uninspected_pixels,
        date_shift_days=spec.date_shift_days,
        limits=spec.limits,
        digest=_digest(tables, spec),
        codes=codes,
        vrs=vrs,
        cells=cells,
        unlisted=profile.unlisted,
        iod=compile_types(tables, codes, vrs),
        sop_classes=dict(tables.sop_classes),
        transfer_syntaxes=dict(tables.transfer_syntaxes),
        content=tables.content,
        safe_private=_safe_private(tables, profile),
        dates=profile.dates,
        rules=profile.rules,
        documents=profile.documents,
        recipients=_recipients(spec),
        pixels=profile.pixels,
        claims_profile=claimed,
        vocabulary=tables.vocabulary,
        names=profile.names,
        methods=tuple((m.code, m.meaning) for m in tables.methods if m.option in stated),
        root_key=spec.root_key,
    )


def _recipients(spec: PolicySpec) -> tuple[Recipient, ...]:
    if not spec.encrypt_to:
        return ()
    from proxy.deid.encrypted_recipients import read_recipients  # what reads certificates takes long to import

    return read_recipients(spec.encrypt_to, f"projects.{spec.project}.encrypt_originals")


def _safe_private(tables: Tables, profile: Profile) -> SafePrivate | None:
    if "rtn_safe_priv" not in profile.options:
        return None
    return tables.safe_private.extended(profile.private, f"profile {profile.name}: private")


def _relaxed(profile: Profile, vrs: Mapping[int, str], cells: Mapping[int, Mapping[str, str]]) -> bool:
    dates = profile.dates
    if dates is not None and dates.birth_date != "remove":
        return True
    if dates is not None and dates.longitudinal == "MODIFIED" and "keep" in {dates.dates, *dates.attributes.values()}:
        return True
    return any(relaxes(rule, vrs, cells) for rule in profile.rules)


def _cells(tables: Tables, options: tuple[str, ...]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for row in tables.attributes:
        tag, cells = tag_number(row.tag), {option: row.options[option] for option in options if option in row.options}
        if tag is not None and cells:
            found[tag] = cells
    return found


def _check(spec: PolicySpec) -> None:
    where = f"projects.{spec.project}"
    if spec.blank_patient_id not in ("hold", "per-study"):
        raise ConfigError(f"{where}.blank_patient_id", "it is hold or per-study")
    if spec.uninspected_pixels not in ("hold", "forward"):
        raise ConfigError(f"{where}.uninspected_pixels", "it is hold or forward")
    try:
        HmacPseudonyms(spec.root_key, spec.patient_id_prefix, spec.date_shift_days)
    except ValueError as error:
        raise ConfigError(where, str(error)) from None


def _digest(tables: Tables, spec: PolicySpec) -> str:
    # the release of Veil counts: another engine may decide otherwise on the same rules
    document = {
        "veil": proxy.__version__,
        "tables": tables.digest,
        "limits": asdict(spec.limits),
        **{name: getattr(spec, name) for name in PolicySpec.__slots__ if name not in ("root_key", "limits", "profile")},
        "profile": dict(spec.profile),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
