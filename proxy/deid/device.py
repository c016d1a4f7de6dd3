"""What made an instance, as far as it may be told: see `made_by`. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

#: longest text of a header that is kept
LONGEST = 64


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """ "" for what an instance does not say, or may not be told."""

    manufacturer: str = ""
    model: str = ""
    modality: str = ""
    sop_class_uid: str = ""
